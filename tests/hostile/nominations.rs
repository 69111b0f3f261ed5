//! A controlling peer that nominates everything, for ever: RFC 8445 §7.3.1.5, §8.1.1.

use floe_ice::{Candidate, ConnectionState, Event, Role};

use crate::victim::{Victim, bystander, host, local, remote};
use crate::wire::Say;

fn selections(victim: &mut Victim) -> usize {
    let selected = |event: &&Event| matches!(event, Event::SelectedPairChanged { .. });
    victim.take_events().iter().filter(selected).count()
}

#[test]
fn use_candidate_on_every_path_selects_the_best_and_then_no_other() {
    // §8.1.1: of several nominated pairs the one with the highest priority.
    let mut victim = Victim::new(Role::Controlled);
    (1..=20).for_each(|n| victim.signal(&host(n)));
    for _ in 0..10 {
        for n in (1..=20).rev() {
            let ask = victim.ask(|ask| ask.nominates = true);
            let _ = victim.send(remote(n), &ask);
        }
        victim.run_with(1_000, |_| Some(Say::Success(local(1))));
    }
    assert_eq!(victim.selected(), Some(remote(1)));
    let count = selections(&mut victim);
    assert!((1..=20).contains(&count), "{count} selections: each one is better than the one before");
    for _ in 0..100 {
        let ask = victim.ask(|ask| ask.nominates = true);
        let _ = victim.send(remote(20), &ask);
        victim.run_with(100, |_| Some(Say::Success(local(1))));
    }
    assert_eq!(selections(&mut victim), 0, "nominations of worse ones move nothing");
}

#[test]
fn a_nomination_selects_nothing_before_our_own_check_is_answered() {
    // "False valid on false candidate" (§19.2) with a bystander's address, as often as the peer likes.
    let mut victim = Victim::connected(Role::Controlled);
    for round in 0..50 {
        for n in 0..20 {
            let ask = victim.ask(|ask| (ask.nominates, ask.priority) = (true, Some(0x7FFF_FFFF)));
            let _ = victim.send(bystander(20 * round + n), &ask);
        }
        victim.run(1_000);
        assert_eq!((victim.path(), victim.selected()), (Some(remote(1)), Some(remote(1))));
    }
    let spoofed = victim.take().iter().filter(|sent| sent.is_request() && sent.to != remote(1)).count();
    assert!(spoofed <= 32 * 7, "{spoofed} checks to bystanders");
    assert_eq!(victim.agent.state(), ConnectionState::Completed);
}

#[test]
fn use_candidate_means_nothing_to_a_controlling_agent() {
    let mut victim = Victim::connected(Role::Controlling);
    victim.take_events();
    for n in 0..100 {
        let ask = victim.ask(|ask| ask.nominates = true);
        let _ = victim.send(bystander(n), &ask);
    }
    victim.run(60_000);
    assert_eq!(selections(&mut victim), 0);
    assert_eq!(victim.selected(), Some(remote(1)));
}

#[test]
fn a_peer_that_refuses_every_nomination_is_asked_for_a_while() {
    // The check succeeds, the nomination is answered with an error, whatever it is.
    for code in [400, 401, 420, 487, 500, 300] {
        let mut victim = Victim::new(Role::Controlling);
        (1..=4).for_each(|n| victim.signal(&host(n)));
        victim.agent.end_of_local_candidates(victim.now).expect("open");
        victim.agent.end_of_remote_candidates(floe_ice::StreamId::FIRST, victim.now).expect("open");
        victim.run_with(120_000, |sent| {
            let nominates = floe_stun::Message::parse(&sent.bytes).is_ok_and(|m| {
                m.get::<floe_stun::attributes::UseCandidate>()
                    == Ok(Some(floe_stun::attributes::UseCandidate))
            });
            Some(if nominates { Say::Error(code) } else { Say::Success(local(1)) })
        });
        let sent = victim.take().len();
        assert!(sent <= 4 * 7 * 4 + 40, "{code}: {sent} packets");
    }
}

#[test]
fn nominating_candidates_as_they_are_signalled_ends_with_the_limit() {
    let mut victim = Victim::new(Role::Controlled);
    for n in 0..500 {
        victim.signal(&Candidate::host(bystander(n)).with_priority(1_000 + u32::from(n)));
        let ask = victim.ask(|ask| ask.nominates = true);
        let _ = victim.send(bystander(n), &ask);
        victim.run_with(60, |_| Some(Say::Success(local(1))));
    }
    let count = selections(&mut victim);
    assert!(count <= 100 + 32, "{count} selections");
}
