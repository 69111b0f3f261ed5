//! Before the peer's credentials are known, whoever has ours can send checks: RFC 8445 §7.3, §19.5.1.

use floe_ice::{ConnectionState, Received, Rejection, Role};

use crate::heap;
use crate::victim::{Victim, bystander, host, remote};

#[test]
fn a_flood_of_early_checks_is_answered_and_checks_nobody() {
    let mut victim = Victim::alone(Role::Controlled, 1, |_| {});
    for n in 0..5_000 {
        let ask = victim.ask(|_| {});
        assert_eq!(victim.send(bystander(n), &ask), Received::Ice);
    }
    let sent = victim.take();
    assert_eq!(sent.len(), 5_000, "one answer each");
    assert!(sent.iter().all(|sent| !sent.is_request()));
    assert_eq!(victim.agent.state(), ConnectionState::New);
    assert_eq!(victim.agent.remote_candidates().count(), 0);
    assert_eq!(victim.agent.counters().rejected(Rejection::LimitReached), 5_000 - 16);
    victim.run_unanswered(120_000);
    assert!(victim.take().is_empty());
}

#[test]
fn early_checks_of_others_than_the_peer_are_forgotten_when_it_is_known() {
    // A fork of the offer, or an eavesdropper on the signalling, does not become a candidate.
    let mut victim = Victim::alone(Role::Controlled, 1, |_| {});
    let name = format!("{}:somebody", victim.agent.local_credentials().ufrag());
    for n in 0..8 {
        let ask = victim.ask(|ask| (ask.username, ask.nominates) = (Some(name.clone()), true));
        let _ = victim.send(bystander(n), &ask);
    }
    let ask = victim.ask(|_| {});
    let _ = victim.send(remote(1), &ask);
    victim.know_peer();
    let known: Vec<_> = victim.agent.remote_candidates().map(|(_, _, c)| c.address()).collect();
    assert_eq!(known, [remote(1)]);
    victim.run(2_000);
    assert_eq!(victim.path(), Some(remote(1)));
}

#[test]
fn the_peer_connects_after_a_flood() {
    let mut victim = Victim::alone(Role::Controlled, 1, |_| {});
    for n in 0..5_000 {
        let ask = victim.ask(|ask| ask.nominates = true);
        let _ = victim.send(bystander(n), &ask);
    }
    victim.know_peer();
    victim.connect();
}

#[test]
fn what_early_checks_make_us_hold_is_bounded() {
    heap::alone(|| {
        let mut victim = Victim::alone(Role::Controlled, 1, |_| {});
        let before = heap::live();
        let ufrag = victim.agent.local_credentials().ufrag().to_owned();
        for n in 0..5_000u16 {
            let name = format!("{ufrag}:{n:05}{}", "x".repeat(490 - ufrag.len()));
            let ask = victim.ask(|ask| ask.username = Some(name));
            let _ = victim.send(bystander(n), &ask);
            victim.take();
            victim.take_events();
        }
        let held = heap::live() - before;
        assert!(held <= 16 * 1024, "{held} bytes for 16 checks, 64 answers and a queue");
    });
}

#[test]
fn early_data_is_delivered_only_from_where_a_check_came() {
    let mut victim = Victim::alone(Role::Controlled, 1, |_| {});
    let ask = victim.ask(|_| {});
    let _ = victim.send(remote(1), &ask);
    assert!(matches!(victim.send(remote(1), &[0x80; 20]), Received::Data { .. }));
    for n in 0..100 {
        assert_eq!(victim.send(bystander(n), &[0x80; 20]), Received::Rejected(Rejection::UnknownSource));
    }
    victim.know_peer();
    victim.signal(&host(1));
    assert!(matches!(victim.send(remote(1), &[0x80; 20]), Received::Data { .. }));
}
