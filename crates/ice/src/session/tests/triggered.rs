//! RFC 8445 §7.3.1.4: what a check of the peer triggers, in each state of the pair.

use core::time::Duration;

use crate::agent::tests::script::{Script, component, host, local, millis, remote};
use crate::{PairState, Role, StreamId};

#[test]
fn a_frozen_pair_is_checked_at_the_next_tick() {
    let mut script = Script::controlled(1);
    for n in 1..=3 {
        let same = *host(1).foundation();
        script.signal(&host(n).with_foundation(same));
    }
    assert_eq!(script.check().to, remote(1));
    assert_eq!(script.state_of(local(1), remote(3)), Some(PairState::Frozen));
    assert!(script.ask(|a| a.from = remote(3)).is_some());
    assert_eq!(script.state_of(local(1), remote(3)), Some(PairState::Waiting));
    let check = script.check();
    assert_eq!((check.to, check.at), (remote(3), millis(50)));
    script.to(30_000);
    assert!(script.requests().iter().all(|c| c.to != remote(2)), "the others of the foundation stay frozen");
}

#[test]
fn a_waiting_pair_is_checked_before_better_ones() {
    let mut script = Script::controlled(1);
    for n in 1..=5 {
        script.signal(&host(n));
    }
    assert_eq!(script.check().to, remote(1));
    script.ask(|a| a.from = remote(5));
    script.ask(|a| a.from = remote(4));
    // First in, first out; then the ordinary ones.
    let order: [_; 4] = core::array::from_fn(|_| script.check().to);
    assert_eq!(order, [remote(5), remote(4), remote(2), remote(3)]);
}

#[test]
fn a_pair_is_on_the_queue_once() {
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    script.signal(&host(2));
    let _ = script.check();
    for _ in 0..5 {
        script.ask(|a| a.from = remote(2));
    }
    assert_eq!(script.check().to, remote(2));
    script.to(500);
    assert_eq!(script.requests().iter().map(|c| c.to).collect::<alloc::vec::Vec<_>>(), [remote(1)]);
}

#[test]
fn a_check_in_progress_is_cancelled_and_a_new_one_sent() {
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    let first = script.check();
    script.to(20);
    script.ask(|_| {});
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Waiting));
    let second = script.check();
    assert_eq!(second.at, millis(50), "at the next tick");
    assert_ne!(second.id, first.id);
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::InProgress));
    script.to(39_400);
    assert!(script.requests().iter().all(|c| c.id == second.id), "the first is not retransmitted");
    // Its silence is no failure: its time is over at 39.5 s, the second's at 39.55 s.
    script.to(39_549);
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::InProgress));
    script.to(39_550);
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Failed));
}

#[test]
fn a_late_answer_to_a_cancelled_check_counts() {
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    let first = script.check();
    script.ask(|_| {});
    let second = script.check();
    script.to(39_000);
    script.reply(&first, |_| {});
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Succeeded));
    assert!(script.path().is_some());
    let _ = script.take();
    script.to(39_600);
    assert!(script.requests().iter().all(|c| c.id != second.id), "nothing is left to find out");
    // Nor is the end of the second one a failure.
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::Succeeded));
}

#[test]
fn a_queued_check_is_dropped_when_its_pair_becomes_valid() {
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    let first = script.check();
    script.ask(|_| {});
    script.reply(&first, |_| {});
    script.to(3_000);
    assert_eq!(script.requests().len(), 0);
}

#[test]
fn a_succeeded_pair_needs_no_check() {
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    let check = script.check();
    script.reply(&check, |_| {});
    for _ in 0..3 {
        assert!(script.ask(|_| {}).is_some(), "the peer gets its answer");
    }
    script.to(3_000);
    assert_eq!(script.requests().len(), 0);
}

#[test]
fn a_failed_pair_is_checked_again_and_may_revive_its_checklist() {
    let mut script = Script::with(Role::Controlled, 1, |c| c.streams = [1, 1].to_vec());
    let other = core::net::SocketAddr::from(([10, 0, 0, 1], 5001));
    script.host_at(component(1, 1), other);
    script.signal(&host(1));
    let _ = script.add(StreamId(1), &host(2));
    script.end();
    // The second stream works, the first does not: it fails, and the session lives.
    while script.state_of(local(1), remote(1)) != Some(PairState::Failed) {
        let check = script.check();
        match check.to == remote(1) {
            true => script.refuse(&check, 400),
            false => script.reply(&check, |_| {}),
        }
    }
    script.answering_to(40_000);
    assert!(script.take_events().contains(&crate::Event::StreamFailed(StreamId(0))));
    script.ask(|_| {});
    assert_ne!(script.state_of(local(1), remote(1)), Some(PairState::Failed));
    let check = loop {
        let check = script.check();
        if check.to == remote(1) {
            break check;
        }
        script.reply(&check, |_| {});
    };
    script.reply(&check, |_| {});
    assert_eq!(script.path(), Some(remote(1)));
}

#[test]
fn a_check_from_a_new_address_may_revive_a_checklist_too() {
    // Otherwise the peer would get its answers, nominate, and send to somebody who never will.
    let mut script = Script::with(Role::Controlled, 1, |c| c.streams = [1, 1].to_vec());
    let other = core::net::SocketAddr::from(([10, 0, 0, 1], 5001));
    script.host_at(component(1, 1), other);
    let _ = script.add(StreamId(1), &host(2));
    script.end_local();
    script.answering_to(40_000);
    assert!(script.take_events().contains(&crate::Event::StreamFailed(StreamId(0))));
    script.ask(|a| a.nominate = true);
    script.answering_to(41_000);
    assert_eq!(script.path(), Some(remote(1)));
    assert_eq!(script.selected(), Some((local(1), remote(1))));
}

#[test]
fn an_agent_that_failed_as_a_whole_says_no() {
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    script.end();
    script.to(40_000);
    assert_eq!(script.agent.state(), crate::ConnectionState::Failed);
    let _ = script.take();
    for n in [1, 9] {
        let answer = script.ask(|a| (a.from, a.nominate) = (remote(n), true));
        assert_eq!(answer.map(|a| a.error), Some(Some(403)), "RFC 7675 §5.2");
    }
    script.to(100_000);
    assert_eq!(script.requests().len(), 0);
    assert_eq!(script.agent.state(), crate::ConnectionState::Failed);
}

#[test]
fn a_new_pair_is_inserted_by_its_priority_and_checked() {
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    script.signal(&host(2));
    let _ = script.check();
    script.ask(|a| {
        a.from = remote(9);
        a.priority = Some(host(1).priority() - 1);
    });
    let order: alloc::vec::Vec<_> = script.agent.pairs().map(|p| p.remote.address()).collect();
    assert_eq!(order, [remote(1), remote(9), remote(2)]);
    assert_eq!(script.state_of(local(1), remote(9)), Some(PairState::Waiting));
    assert_eq!(script.check().to, remote(9));
}

#[test]
fn a_retransmitted_check_is_acted_on_once_and_gets_an_equal_answer() {
    // RFC 8489 §6.3.1.
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    let _ = script.check();
    let ask = script.new_ask(|_| {});
    let (_, answer) = script.send_ask(&ask);
    let triggered = script.check();
    for ms in [100, 300, 700, 39_000] {
        script.to(ms);
        let (_, again) = script.send_ask(&ask);
        assert_eq!(again.map(|a| a.bytes), answer.as_ref().map(|a| a.bytes.clone()));
    }
    script.to(39_400);
    assert!(
        script.requests().iter().all(|c| c.id == triggered.id),
        "the triggered check is not triggered again"
    );
}

#[test]
fn a_request_with_an_old_id_from_elsewhere_is_another_one() {
    let mut script = Script::controlled(1);
    let mut ask = script.new_ask(|_| {});
    let _ = script.send_ask(&ask);
    ask.from = remote(2);
    let _ = script.send_ask(&ask);
    assert_eq!(script.agent.remote_candidates().count(), 2);
}

#[test]
fn what_was_answered_is_remembered_for_as_long_as_a_peer_repeats_it() {
    let mut script = Script::controlled(1);
    let ask = script.new_ask(|a| a.nominate = false);
    let _ = script.send_ask(&ask);
    let stats = |script: &Script| {
        let id = script.pair(local(1), remote(1)).expect("a pair").id;
        script.agent.pair_stats(id).expect("statistics")
    };
    script.now = script.now.saturating_add(Duration::from_millis(39_500));
    let _ = script.send_ask(&ask);
    assert_eq!((stats(&script).requests_received, stats(&script).retransmissions_received), (1, 1));
    script.now = script.now.saturating_add(Duration::from_millis(1));
    let _ = script.send_ask(&ask);
    assert_eq!(stats(&script).requests_received, 2);
}

#[test]
fn after_selection_checks_on_other_pairs_are_answered_and_trigger_nothing() {
    // §8.1.2.
    for role in [Role::Controlling, Role::Controlled] {
        let mut script = Script::selected_early(role, |_| {});
        let _ = script.take();
        let answer = script.ask(|a| a.from = remote(7)).expect("an answer");
        assert_eq!(answer.mapped, Some(remote(7)));
        script.to(3_000);
        assert_eq!(script.requests().len(), 0);
        assert_eq!(script.agent.pairs().count(), 1);
    }
}

#[test]
fn one_component_may_be_concluded_while_another_is_not() {
    let mut script = Script::new(|c| (c.role, c.streams) = (Role::Controlled, [2].to_vec()));
    script.host(1);
    let rtcp = core::net::SocketAddr::from(([10, 0, 0, 1], 5001));
    script.host_at(component(0, 2), rtcp);
    script.know_peer();
    script.signal(&host(1));
    let check = script.check();
    script.reply(&check, |_| {});
    script.ask(|a| a.nominate = true);
    assert_eq!(script.selected(), Some((local(1), remote(1))));
    // The first component is over.
    script.ask(|a| a.from = remote(5));
    assert!(script.pair(local(1), remote(5)).is_none());
    // The second is not.
    script.ask(|a| (a.from, a.to) = (remote(6), rtcp));
    assert_eq!(script.check().to, remote(6));
}

#[test]
fn triggered_checks_without_end_leave_a_turn_to_ordinary_ones() {
    // Two NATs that map by destination: each triggered check comes from an address that the peer has not seen.
    let mut script = Script::controlled(1);
    for n in 1..=10 {
        script.ask(|a| a.from = remote(100 + n));
    }
    script.signal(&host(1));
    script.signal(&host(2));
    let sent: [_; 12] = core::array::from_fn(|_| script.check().to);
    let turn = |n: u8| sent.iter().position(|&to| to == remote(n));
    assert_eq!([turn(1), turn(2)], [Some(4), Some(9)], "{sent:?}");
}

#[test]
fn a_triggered_check_is_not_sent_twice_because_an_ordinary_one_has_its_turn() {
    let mut script = Script::controlled(1);
    for n in 1..=20 {
        script.ask(|a| a.from = remote(100 + n));
    }
    script.signal(&host(1));
    script.to(80_000);
    let checks = script.requests();
    for n in 1..=20 {
        assert_eq!(checks.iter().filter(|c| c.to == remote(100 + n)).count(), 7, "{n}");
    }
}
