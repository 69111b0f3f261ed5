//! Answers that lie about our address: RFC 8445 §7.2.5.3.1, RFC 8489 §16.2.

use std::net::SocketAddr;

use floe_ice::{Event, Role};

use crate::victim::{Victim, bystander, host, local, remote};
use crate::wire::Say;

fn lies() -> Vec<SocketAddr> {
    vec![
        remote(1),
        bystander(1),
        SocketAddr::from(([224, 0, 0, 1], 5000)),
        SocketAddr::from(([127, 0, 0, 1], 5000)),
        SocketAddr::from(([0, 0, 0, 0], 0)),
        SocketAddr::from(([255, 255, 255, 255], 1)),
        SocketAddr::from(([10, 0, 0, 1], 0)),
        SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 5000)),
        SocketAddr::from(([0; 8], 0)),
        SocketAddr::from(([0, 0, 0, 0, 0, 0xFFFF, 0x0A00, 1], 5000)),
    ]
}

#[test]
fn whatever_the_peer_calls_our_address_data_leaves_from_where_it_always_did() {
    // A candidate that an answer teaches is never signalled and never paired (§7.2.5.3.1).
    for lie in lies() {
        for role in [Role::Controlling, Role::Controlled] {
            let mut victim = Victim::new(role);
            victim.signal(&host(1));
            victim.agent.end_of_local_candidates(victim.now).expect("open");
            victim.collect();
            victim.take_events();
            if role == Role::Controlled {
                let ask = victim.ask(|ask| ask.nominates = true);
                let _ = victim.send(remote(1), &ask);
            }
            victim.run_with(2_000, |_| Some(Say::Success(lie)));
            let path = victim.agent.send_path(floe_ice::Component::default()).expect("it works all the same");
            assert_eq!((path.destination, path.src_ip), (remote(1), Some(local(1).ip())), "{lie}");
            assert_eq!(victim.agent.local_candidates().count(), 1, "only our own is for signalling");
            let told = |event: &Event| matches!(event, Event::LocalCandidate(_));
            assert!(!victim.take_events().iter().any(told), "{lie}");
            assert!(victim.take().iter().all(|sent| sent.to == remote(1)), "nothing goes to {lie}");
        }
    }
}

#[test]
fn another_address_in_every_answer_teaches_us_32_at_most() {
    let mut victim = Victim::new(Role::Controlled);
    (1..=100).for_each(|n| victim.signal(&host(n)));
    let mut n = 0;
    victim.run_with(60_000, |_| {
        n += 1;
        Some(Say::Success(bystander(n)))
    });
    assert!(n >= 100, "every pair was checked");
    let ours: std::collections::BTreeSet<_> = victim.agent.pairs().map(|pair| pair.local_id).collect();
    assert!(ours.len() <= 1 + 32, "{} local candidates", ours.len());
    assert_eq!(victim.agent.local_candidates().count(), 1);
    assert!(victim.path().is_some());
}

#[test]
fn another_address_in_every_answer_to_consent_changes_nothing() {
    let mut victim = Victim::connected(Role::Controlled);
    let before = victim.agent.pairs().map(|pair| pair.local_id).collect::<Vec<_>>();
    let mut n = 0;
    victim.run_with(600_000, |_| {
        n += 1;
        Some(Say::Success(bystander(n)))
    });
    assert!(n > 100);
    assert_eq!(victim.agent.pairs().map(|pair| pair.local_id).collect::<Vec<_>>(), before);
    assert_eq!(victim.path(), Some(remote(1)));
}
