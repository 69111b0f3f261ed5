//! RFC 8445 §8.1, §7.2.5.3.4 and §7.3.1.5: who nominates what, when, and what is selected.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::agent::tests::script::{Script, Sent, component, host, local, millis, remote};
use crate::{
    Candidate, Component, ComponentId, ConnectionState, Event, Nomination, PairState, Role, SelectionReason,
};

fn selections(script: &Script) -> Vec<(Component, SelectionReason)> {
    let selection = |e: &Event| match e {
        Event::SelectedPairChanged { component, reason, .. } => Some((*component, *reason)),
        _ => None,
    };
    script.events.iter().filter_map(selection).collect()
}

/// The next check to this address.
fn check_to(script: &mut Script, to: SocketAddr) -> Sent {
    loop {
        let check = script.check();
        if check.to == to {
            return check;
        }
    }
}

#[test]
fn a_first_check_never_nominates_and_a_nomination_repeats_the_check_of_a_valid_pair() {
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    script.end();
    let check = script.check();
    assert!(!check.use_candidate);
    script.after(10);
    script.reply(&check, |_| {});
    let nomination = script.check();
    assert!(nomination.use_candidate);
    assert_eq!((nomination.from, nomination.to, nomination.at), (local(1), remote(1), millis(50)));
    assert_ne!(nomination.id, check.id);
    assert_eq!(script.selected(), None, "not before it is answered");
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Succeeded), "it stays valid meanwhile");
    script.after(10);
    script.reply(&nomination, |_| {});
    assert_eq!(script.selected(), Some((local(1), remote(1))));
    assert_eq!(selections(&script), [(Component::default(), SelectionReason::Nominated)]);
    assert_eq!(script.agent.state(), ConnectionState::Completed);
}

#[test]
fn a_better_pair_is_waited_for_as_long_as_the_settle_window() {
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    script.signal(&host(2));
    script.end();
    let second = check_to(&mut script, remote(2));
    script.reply(&second, |_| {});
    assert_eq!(script.now, millis(50));
    script.to(299);
    assert!(script.requests().iter().all(|c| !c.use_candidate));
    let nomination = script.check();
    assert_eq!((nomination.to, nomination.at, nomination.use_candidate), (remote(2), millis(300), true));
}

#[test]
fn the_better_pair_within_the_window_is_nominated_at_once() {
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    script.signal(&host(2));
    script.end();
    let first = script.check();
    let second = script.check();
    script.reply(&second, |_| {});
    script.to(120);
    script.reply(&first, |_| {});
    let nomination = script.check();
    assert_eq!((nomination.to, nomination.at, nomination.use_candidate), (remote(1), millis(120), true));
}

#[test]
fn the_window_ends_when_the_better_pair_fails() {
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    script.signal(&host(2));
    script.end();
    let first = script.check();
    let second = script.check();
    script.reply(&second, |_| {});
    script.to(120);
    script.refuse(&first, 400);
    let nomination = script.check();
    assert_eq!((nomination.to, nomination.at), (remote(2), millis(120)));
}

#[test]
fn candidates_that_may_come_are_waited_for_unless_nothing_can_be_better() {
    let worse = Candidate::host(remote(1)).with_local_preference(7);
    for (candidate, at) in [(worse.clone(), 250), (host(1), 50)] {
        let mut script = Script::controlling(1);
        script.signal(&candidate);
        let check = script.check();
        script.reply(&check, |_| {});
        assert_eq!(script.check().at, millis(at));
    }
    let mut script = Script::controlling(1);
    script.signal(&worse);
    let check = script.check();
    script.reply(&check, |_| {});
    script.to(100);
    script.end();
    assert_eq!(script.check().at, millis(100), "nothing can come any more");
}

#[test]
fn the_window_is_configurable() {
    let settle = Duration::from_millis(80);
    let set = |c: &mut crate::Config| c.nomination = Nomination::Regular { settle, settle_relayed: settle };
    let mut script = Script::with(Role::Controlling, 1, set);
    script.signal(&host(2));
    let check = script.check();
    script.reply(&check, |_| {});
    assert_eq!(script.check().at, millis(80));
}

#[test]
fn a_better_pair_than_a_relayed_one_is_waited_for_longer() {
    for relayed in [true, false] {
        let mut script = Script::controlling(1);
        let relay = Candidate::relayed(remote(2), remote(3));
        script.signal(&if relayed { relay } else { host(2) });
        let check = script.check();
        script.reply(&check, |_| {});
        let nomination = script.check();
        assert_eq!(
            (nomination.at, nomination.use_candidate),
            (millis(if relayed { 2_000 } else { 250 }), true)
        );
    }
}

#[test]
fn each_component_gets_one_nomination_and_completion_needs_all() {
    let mut script = Script::new(|c| (c.role, c.streams) = (Role::Controlling, [2].to_vec()));
    script.host(1);
    let rtcp = SocketAddr::from(([10, 0, 0, 1], 5001));
    script.host_at(component(0, 2), rtcp);
    script.know_peer();
    let two = ComponentId::new(2).expect("two");
    script.signal(&host(1));
    script.signal(&host(2).with_component(two));
    script.signal(&host(3));
    script.end();
    let mut nominated = Vec::new();
    while script.agent.state() != ConnectionState::Completed {
        assert_ne!(nominated.len(), 2, "Completed with the second");
        let check = script.check();
        script.reply(&check, |_| {});
        nominated.extend(check.use_candidate.then_some(check.to));
    }
    assert_eq!(nominated, [remote(1), remote(2)]);
    assert_eq!(selections(&script).len(), 2);
    script.answering_to(60_000);
    assert_eq!(selections(&script).len(), 2, "§8.1.1: one and only one");
    assert!(script.requests().iter().all(|c| !c.use_candidate));
}

#[test]
fn a_failed_nomination_fails_the_pair_and_after_its_time_the_checklist() {
    // §7.2.5.3.4; RFC 8863 §4 lets no checklist fail before 39.5 s.
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    script.to(30_000);
    script.end();
    let check = script.requests().pop().expect("a check");
    script.reply(&check, |_| {});
    let nomination = script.check();
    script.to(39_499);
    script.answering_some_to(40_000, |c| !c.use_candidate);
    script.refuse(&nomination, 400);
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Failed));
    assert!(script.events.contains(&Event::StreamFailed(Default::default())));
    assert_eq!(script.agent.state(), ConnectionState::Failed);
    assert_eq!(script.path(), None);
}

#[test]
fn before_that_another_valid_pair_is_nominated() {
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    script.signal(&host(2));
    script.end();
    let checks = [script.check(), script.check()];
    for check in checks.iter().rev() {
        script.reply(check, |_| {});
    }
    let nomination = script.check();
    assert_eq!((nomination.to, nomination.use_candidate), (remote(1), true));
    script.refuse(&nomination, 400);
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Failed));
    let nomination = script.check();
    assert_eq!((nomination.to, nomination.use_candidate), (remote(2), true));
    script.reply(&nomination, |_| {});
    assert_eq!(script.selected(), Some((local(1), remote(2))));
    assert_eq!(script.agent.state(), ConnectionState::Completed);
}

#[test]
fn a_nomination_whose_answer_takes_another_way_failed() {
    let mut script = Script::controlling(2);
    script.signal(&host(1));
    script.end();
    let check = script.check();
    script.reply(&check, |_| {});
    let nomination = loop {
        let check = script.check();
        if check.use_candidate {
            break check;
        }
    };
    script.reply(&nomination, |r| r.to = local(2));
    assert_eq!(script.state_of(nomination.from, remote(1)), Some(PairState::Failed));
    assert_eq!(script.selected(), None);
}

#[test]
fn a_lost_nomination_is_retransmitted_like_any_check() {
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    let check = script.check();
    script.reply(&check, |_| {});
    let nomination = script.check();
    script.after(500);
    let again = script.requests();
    assert!(again.iter().any(|c| c.bytes == nomination.bytes));
    script.reply(&nomination, |_| {});
    assert_eq!(script.agent.state(), ConnectionState::Completed);
}

#[test]
fn immediate_nomination_selects_the_first_pair_that_works_and_better_ones_after_it() {
    let mut script = Script::with(Role::Controlling, 1, |c| c.nomination = Nomination::Immediate);
    for n in 1..=3 {
        script.signal(&host(n));
    }
    let checks: [Sent; 3] = core::array::from_fn(|_| script.check());
    assert!(checks.iter().all(|c| c.use_candidate));
    script.reply(&checks[1], |_| {});
    assert_eq!(script.selected(), Some((local(1), remote(2))));
    script.reply(&checks[2], |_| {});
    assert_eq!(script.selected(), Some((local(1), remote(2))), "a worse one changes nothing");
    script.reply(&checks[0], |_| {});
    assert_eq!(script.selected(), Some((local(1), remote(1))));
    let reasons: Vec<_> = selections(&script).into_iter().map(|(_, reason)| reason).collect();
    assert_eq!(reasons, [SelectionReason::Nominated, SelectionReason::HigherPriority]);
}

#[test]
fn a_nomination_that_the_peer_may_know_of_goes_on_after_a_worse_one_succeeded() {
    // Its answer got lost, and the peer's own check cancelled it: the peer selects the better pair, and so do we.
    let mut script = Script::with(Role::Controlling, 1, |c| c.nomination = Nomination::Immediate);
    script.signal(&host(1));
    script.signal(&host(2));
    script.signal(&host(3));
    let checks: [Sent; 3] = core::array::from_fn(|_| script.check());
    script.ask(|_| {});
    script.reply(&checks[1], |_| {});
    assert_eq!(script.selected(), Some((local(1), remote(2))));
    let again = check_to(&mut script, remote(1));
    assert_ne!(again.id, checks[0].id);
    assert!(again.use_candidate);
    script.reply(&again, |_| {});
    assert_eq!(script.selected(), Some((local(1), remote(1))));
}

// --- the controlled side ----------------------------------------------------------------------------------------

#[test]
fn a_nomination_of_a_valid_pair_selects_it() {
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    let check = script.check();
    script.reply(&check, |_| {});
    assert_eq!(script.selected(), None);
    script.ask(|a| a.nominate = true);
    assert_eq!(script.selected(), Some((local(1), remote(1))));
    script.to(3_000);
    assert_eq!(script.requests().len(), 0);
}

#[test]
fn a_nomination_of_a_pair_in_any_other_state_is_remembered() {
    // Unknown, Frozen, Waiting, In-Progress and Failed.
    for (signalled, before) in [
        (false, None),
        (true, Some(PairState::Frozen)),
        (true, Some(PairState::Waiting)),
        (true, Some(PairState::InProgress)),
        (true, Some(PairState::Failed)),
    ] {
        let mut script = Script::controlled(1);
        let same = *host(1).foundation();
        let freeze = before == Some(PairState::Frozen);
        script.signal(&host(1));
        if signalled {
            let candidate = host(2);
            script.signal(&if freeze { candidate.with_foundation(same) } else { candidate });
        }
        if matches!(before, Some(PairState::InProgress | PairState::Failed)) {
            let check = check_to(&mut script, remote(2));
            if before == Some(PairState::Failed) {
                script.refuse(&check, 400);
            }
        }
        assert_eq!(script.state_of(local(1), remote(2)), before);
        script.ask(|a| (a.from, a.nominate) = (remote(2), true));
        assert_eq!(script.selected(), None, "{before:?}");
        let check = check_to(&mut script, remote(2));
        assert!(!check.use_candidate);
        script.reply(&check, |_| {});
        assert_eq!(script.selected(), Some((local(1), remote(2))), "{before:?}");
    }
}

#[test]
fn a_nomination_is_remembered_by_the_late_answer_to_the_cancelled_check_too() {
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    let check = script.check();
    script.ask(|a| a.nominate = true);
    script.reply(&check, |_| {});
    assert_eq!(script.selected(), Some((local(1), remote(1))));
}

#[test]
fn a_nomination_outlives_the_failure_of_its_check() {
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    let _ = script.check();
    script.ask(|a| a.nominate = true);
    let triggered = script.check();
    script.refuse(&triggered, 500 - 1);
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Failed));
    assert_eq!(script.agent.state(), ConnectionState::Checking, "not before its time");
    // The peer still believes in the pair.
    script.ask(|_| {});
    let again = script.check();
    script.reply(&again, |_| {});
    assert_eq!(script.selected(), Some((local(1), remote(1))));
}

#[test]
fn of_several_nominated_pairs_the_best_is_selected() {
    // §8.1.1, for RFC 5245 peers, in both orders.
    for order in [[1, 2], [2, 1]] {
        let mut script = Script::controlled(1);
        script.signal(&host(1));
        script.signal(&host(2));
        for n in order {
            script.ask(|a| (a.from, a.nominate) = (remote(n), true));
        }
        script.answering_to(500);
        assert_eq!(script.selected(), Some((local(1), remote(1))), "{order:?}");
        let changes = selections(&script).len();
        script.ask(|a| (a.from, a.nominate) = (remote(2), true));
        script.answering_to(3_000);
        assert_eq!((script.selected(), selections(&script).len()), (Some((local(1), remote(1))), changes));
    }
}

#[test]
fn when_a_learned_candidate_is_signalled_the_best_of_the_nominated_pairs_may_be_another() {
    // Each side knows a candidate by the priority of its checks or by that which was signalled: only with all signalled do both
    // rank the pairs alike (§8.1.1, for peers that nominate several).
    let mut script = Script::controlled(1);
    for (n, priority) in [(1, 900), (2, 800)] {
        script.ask(|a| (a.from, a.nominate, a.priority) = (remote(n), true, Some(priority)));
        script.answering_to(400 * u64::from(n));
    }
    assert_eq!(script.selected(), Some((local(1), remote(1))));
    script.signal(&host(1).with_priority(700));
    assert_eq!(script.selected(), Some((local(1), remote(2))));
    script.signal(&host(2).with_priority(600));
    assert_eq!(script.selected(), Some((local(1), remote(1))));
    script.answering_to(3_000);
    assert_eq!((script.selected(), selections(&script).len()), (Some((local(1), remote(1))), 3));
}

#[test]
fn a_nomination_removes_the_other_pairs_of_its_component() {
    // §8.1.2: one is being checked, one is frozen or waiting, one is in the triggered-check queue.
    let mut script = Script::with(Role::Controlled, 1, |c| c.consent = false);
    for n in 1..=4 {
        script.signal(&host(n));
    }
    let (first, second) = (script.check(), script.check());
    script.ask(|a| a.from = remote(4));
    script.reply(&first, |_| {});
    script.ask(|a| a.nominate = true);
    assert_eq!(script.selected(), Some((local(1), remote(1))));
    assert_eq!([3, 4].map(|n| script.state_of(local(1), remote(n))), [None; 2]);
    script.to(39_000);
    assert_eq!(script.requests().len(), 0, "neither the queued check nor a retransmission");
    // The answer to a cancelled check is waited for.
    assert_eq!(script.try_reply(&second, |_| {}), crate::Received::Ice);
    script.to(60_000);
    assert_ne!(script.state_of(local(1), remote(2)), Some(PairState::Failed));
    assert_eq!(script.selected(), Some((local(1), remote(1))));
}

#[test]
fn a_nominated_pair_that_was_given_up_for_a_better_one_takes_over_when_that_is_lost() {
    let mut script = Script::controlled(2);
    script.signal(&host(1));
    for n in [1, 2] {
        script.ask(|a| (a.to, a.nominate) = (local(n), true));
    }
    let check = script.check();
    script.reply(&check, |_| {});
    assert_eq!(script.selected(), Some((local(1), remote(1))));
    script.to(5_000);
    assert!(script.requests().iter().all(|c| c.from == local(1)), "one is enough");
    let socket = script.socket(local(1));
    script.agent.socket_failed(socket, script.now);
    script.answering_to(5_500);
    assert_eq!(script.selected(), Some((local(2), remote(1))));
}

/// Two pairs are nominated, the first is selected, and for so long the peer checks only the second one.
fn with_a_peer_that_leaves_the_selected_pair(role: Role, seconds: u64) -> Script {
    let mut script = Script::with(role, 2, |_| {});
    script.signal(&host(1));
    for n in [1, 2] {
        script.ask(|a| (a.to, a.nominate) = (local(n), true));
    }
    script.answering_to(1_000);
    assert_eq!(script.selected(), Some((local(1), remote(1))), "{role:?}");
    for second in 2..=seconds {
        script.answering_to(1_000 * second);
        script.ask(|a| a.to = local(2));
    }
    script
}

#[test]
fn a_peer_that_uses_another_pair_that_it_nominated_is_followed_and_not_before_12_s() {
    let script = with_a_peer_that_leaves_the_selected_pair(Role::Controlled, 11);
    assert_eq!(script.selected(), Some((local(1), remote(1))));
    let mut script = with_a_peer_that_leaves_the_selected_pair(Role::Controlled, 13);
    assert_eq!(script.selected(), Some((local(2), remote(1))));
    let changes = selections(&script).len();
    // Checks on the first pair alone do not bring it back: a nomination does.
    script.ask(|_| {});
    script.answering_to(14_000);
    assert_eq!(selections(&script).len(), changes);
    script.ask(|a| a.nominate = true);
    script.answering_to(15_000);
    assert_eq!(script.selected(), Some((local(1), remote(1))));
    let reasons: Vec<_> = selections(&script).iter().map(|s| s.1).collect();
    assert_eq!(reasons[changes - 1..], [SelectionReason::PeerMoved, SelectionReason::HigherPriority]);
}

#[test]
fn only_the_controlled_side_follows() {
    let script = with_a_peer_that_leaves_the_selected_pair(Role::Controlling, 60);
    assert_eq!(script.selected(), Some((local(1), remote(1))));
}

#[test]
fn a_peer_that_checks_both_pairs_is_not_followed() {
    let mut script = with_a_peer_that_leaves_the_selected_pair(Role::Controlled, 2);
    for second in 3..60 {
        script.answering_to(1_000 * second);
        script.ask(|a| a.to = local(2));
        if second % 6 == 0 {
            script.ask(|_| {});
        }
    }
    assert_eq!(script.selected(), Some((local(1), remote(1))));
}

#[test]
fn nobody_is_followed_to_a_pair_that_was_not_nominated() {
    let mut script = Script::controlled(2);
    script.signal(&host(1));
    script.answering_to(500);
    script.ask(|a| a.nominate = true);
    script.answering_to(1_000);
    for second in 2..60 {
        script.answering_to(1_000 * second);
        script.ask(|a| a.to = local(2));
    }
    assert_eq!(script.selected(), Some((local(1), remote(1))));
}

#[test]
fn the_selected_pair_does_not_flap() {
    for role in [Role::Controlling, Role::Controlled] {
        let mut script = Script::connected(role, |_| {});
        let before = script.events.len();
        for ms in (1_000..120_000).step_by(1_000) {
            script.answering_to(ms);
            assert!(
                script.ask(|a| a.nominate = ms % 3_000 == 0).is_some(),
                "§8.1.2: checks are answered for ever"
            );
        }
        assert_eq!(script.events.len(), before);
    }
}
