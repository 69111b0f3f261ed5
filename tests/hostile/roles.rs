//! Games with roles and tie-breakers: RFC 8445 §7.3.1.1, §7.2.5.1.

use floe_ice::{Event, Role};

use crate::victim::{Victim, host, local, remote};
use crate::wire::Say;

fn changes(victim: &mut Victim) -> usize {
    victim.take_events().iter().filter(|event| matches!(event, Event::RoleChanged(_))).count()
}

#[test]
fn a_peer_that_flaps_its_role_flaps_ours_once_for_each_check_and_no_faster() {
    let mut victim = Victim::connected(Role::Controlled);
    victim.take_events();
    victim.traffic();
    for n in 0..1_000 {
        let controlling = n % 2 == 0;
        let ask = victim.ask(|ask| {
            ask.controlling = controlling.then_some(u64::MAX);
            ask.controlled = (!controlling).then_some(0);
        });
        let _ = victim.send(remote(1), &ask);
        victim.run(10);
    }
    assert!(changes(&mut victim) <= 1_000);
    let (came, went) = victim.traffic();
    assert!(went <= 2 * came, "{went} bytes for {came}");
    // And when it is tired of it, it is connected.
    let ask =
        victim.ask(|ask| (ask.controlling, ask.controlled, ask.nominates) = (Some(u64::MAX), None, true));
    let _ = victim.send(remote(1), &ask);
    victim.run(5_000);
    assert_eq!((victim.agent.role(), victim.selected()), (Role::Controlled, Some(remote(1))));
}

#[test]
fn data_goes_on_while_the_peer_flaps_its_role() {
    let mut victim = Victim::connected(Role::Controlled);
    for n in 0..100u64 {
        let ask = victim.ask(|ask| match n % 2 {
            0 => (ask.controlling, ask.controlled) = (None, Some(0)),
            _ => (ask.controlling, ask.controlled) = (Some(u64::MAX), None),
        });
        let _ = victim.send(remote(1), &ask);
        assert_eq!(victim.path(), Some(remote(1)));
        victim.run(50);
        assert_eq!(victim.path(), Some(remote(1)));
    }
}

#[test]
fn a_peer_that_answers_487_to_everything_gets_nine_checks_for_a_pair() {
    for role in [Role::Controlling, Role::Controlled] {
        let mut victim = Victim::new(role);
        (1..=3).for_each(|n| victim.signal(&host(n)));
        victim.run_with(300_000, |_| Some(Say::Error(487)));
        let sent = victim.take();
        assert!(sent.len() <= 3 * 9, "{} checks", sent.len());
        assert_eq!(victim.path(), None);
    }
}

#[test]
fn the_same_tie_breaker_as_ours_and_the_extremes_settle_every_conflict() {
    // Equal ones: whoever is asked keeps or takes the controlling role (§7.3.1.1).
    for role in [Role::Controlling, Role::Controlled] {
        for theirs in [0, 1, u64::MAX] {
            let mut victim = Victim::new(role);
            victim.signal(&host(1));
            let ask = victim.ask(|ask| match role {
                Role::Controlling => (ask.controlling, ask.controlled) = (Some(theirs), None),
                Role::Controlled => (ask.controlling, ask.controlled) = (None, Some(theirs)),
            });
            let _ = victim.send(remote(1), &ask);
            let answer = victim.take().into_iter().find(|sent| !sent.is_request()).expect("an answer");
            let switched = victim.agent.role() != role;
            assert_eq!(answer.error(), (!switched).then_some(487), "we switch, or the peer is told to");
        }
    }
}

#[test]
fn a_conflict_played_over_and_over_changes_the_role_once() {
    // The same attributes in fresh checks: after the switch there is no conflict left.
    let mut victim = Victim::connected(Role::Controlling);
    victim.take_events();
    for _ in 0..100 {
        let ask = victim.ask(|ask| (ask.controlling, ask.controlled) = (Some(u64::MAX), None));
        let _ = victim.send(remote(1), &ask);
    }
    assert_eq!(changes(&mut victim), 1);
    victim.run_with(100, |_| Some(Say::Success(local(1))));
    assert_eq!(victim.agent.role(), Role::Controlled);
}
