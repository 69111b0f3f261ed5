//! RFC 8445 §6.1.2.1, §7.2.5.4 and §6.1.3, RFC 8838 §8, RFC 8863: when a checklist fails, and when not.

use core::net::SocketAddr;

use crate::agent::tests::script::{Script, component, host, local, remote};
use crate::{Component, ComponentId, ConnectionState, Event, Role, SendError, SocketId, StreamId};

#[test]
fn nothing_fails_before_its_time_and_then_at_once() {
    // RFC 8863 §4: 39.5 s from when the peer's credentials are known, with candidates or without.
    for candidates in [false, true] {
        let mut script = Script::new(|_| {});
        script.host(1);
        script.to(10_000);
        script.know_peer();
        if candidates {
            script.signal(&host(1));
        }
        script.end();
        if candidates {
            let check = script.check();
            script.refuse(&check, 400);
        }
        script.to(49_499);
        assert_ne!(script.agent.state(), ConnectionState::Failed, "not at 39.499 s");
        script.to(49_500);
        assert_eq!(script.agent.state(), ConnectionState::Failed);
        assert!(script.events.contains(&Event::StreamFailed(StreamId::FIRST)));
        assert_eq!(script.agent.poll_timeout(), None, "nothing is left to do");
    }
}

#[test]
fn what_is_still_being_checked_then_is_waited_for() {
    let mut script = Script::controlled(1);
    script.to(20_000);
    script.signal(&host(1));
    script.end();
    script.to(59_499);
    assert_eq!(script.agent.state(), ConnectionState::Checking);
    script.to(59_500);
    assert_eq!(script.agent.state(), ConnectionState::Failed);
}

#[test]
fn a_peer_that_never_says_that_it_is_done_is_done_then() {
    // RFC 8863 §5.
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    script.end_local();
    script.to(39_500);
    assert_eq!(script.agent.state(), ConnectionState::Failed);
}

#[test]
fn nothing_fails_while_our_own_gathering_goes_on() {
    // RFC 8838 §8.
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    script.end_remote();
    script.to(300_000);
    assert_eq!(script.agent.state(), ConnectionState::Checking);
    script.end_local();
    assert_eq!(script.agent.state(), ConnectionState::Failed);
}

#[test]
fn without_the_peers_credentials_nothing_fails() {
    let mut script = Script::new(|_| {});
    script.host(1);
    script.signal(&host(1));
    script.end();
    script.to(1_000_000);
    assert_eq!(script.agent.state(), ConnectionState::New);
}

#[test]
fn a_check_of_the_peer_within_the_time_saves_the_session() {
    let mut script = Script::controlled(1);
    script.end();
    script.to(39_000);
    script.ask(|a| a.nominate = true);
    script.to(39_600);
    assert_eq!(script.agent.state(), ConnectionState::Checking);
    let check = script.requests().pop().expect("a triggered check");
    script.reply(&check, |_| {});
    assert_eq!(script.agent.state(), ConnectionState::Completed);
}

#[test]
fn failed_is_for_good() {
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    script.end();
    script.to(50_000);
    script.take_events();
    script.ask(|a| a.nominate = true);
    script.ask(|a| (a.from, a.nominate) = (remote(5), true));
    script.answering_to(200_000);
    assert_eq!(script.agent.state(), ConnectionState::Failed);
    assert_eq!(script.take_events(), []);
    assert_eq!(script.agent.send_path(Component::default()), Err(SendError::NotConnected));
}

#[test]
fn a_valid_pair_for_every_component_is_no_failure() {
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    script.signal(&host(2));
    script.end();
    let check = script.check();
    script.reply(&check, |_| {});
    script.answering_some_to(100_000, |c| c.to == remote(1));
    assert_eq!(script.agent.state(), ConnectionState::Connected);
}

/// A stream of two components, of which the first works.
fn half() -> (Script, SocketAddr) {
    let mut script = Script::new(|c| (c.role, c.streams) = (Role::Controlling, [2].to_vec()));
    script.host(1);
    let rtcp = SocketAddr::from(([10, 0, 0, 1], 5001));
    script.host_at(component(0, 2), rtcp);
    script.know_peer();
    script.signal(&host(1));
    (script, rtcp)
}

#[test]
fn a_component_without_a_valid_pair_fails_its_stream_and_no_data_is_sent_on_it() {
    // §7.2.5.4, §12.1.
    let (mut script, _) = half();
    script.signal(&host(2).with_component(ComponentId::new(2).expect("two")));
    script.end();
    script.answering_some_to(30_000, |c| c.to == remote(1));
    assert_eq!(script.selected(), Some((local(1), remote(1))));
    script.answering_some_to(200_000, |c| c.to == remote(1));
    assert_eq!(script.agent.state(), ConnectionState::Failed);
    assert!(script.agent.send_path(Component::default()).is_err());
    let _ = script.requests();
    script.answering_to(300_000);
    assert_eq!(script.requests().len(), 0, "nor consent checks");
}

#[test]
fn a_component_that_the_peer_does_not_have_does_not_count() {
    // §6.1.2.2.
    let (mut script, _) = half();
    script.answering_to(1_000);
    assert_eq!(script.agent.state(), ConnectionState::Checking, "the second component may still come");
    script.end();
    script.answering_to(2_000);
    assert_eq!(script.agent.state(), ConnectionState::Completed);
    assert_eq!(script.path(), Some(remote(1)));
}

#[test]
fn a_component_that_we_do_not_have_does_not_count_either() {
    let mut script = Script::new(|c| (c.role, c.streams) = (Role::Controlling, [2].to_vec()));
    script.host(1);
    script.know_peer();
    script.signal(&host(1));
    script.signal(&host(2).with_component(ComponentId::new(2).expect("two")));
    script.end();
    script.answering_to(2_000);
    assert_eq!(script.agent.state(), ConnectionState::Completed);
}

#[test]
fn a_session_with_a_failed_stream_goes_on_without_it() {
    // §6.1.3, §8.1.2.
    let mut script = Script::with(Role::Controlling, 1, |c| c.streams = [1, 1].to_vec());
    script.host_at(component(1, 1), SocketAddr::from(([10, 0, 0, 1], 5001)));
    script.signal(&host(1));
    let _ = script.add(StreamId(1), &host(2));
    script.end();
    script.answering_some_to(100_000, |c| c.to == remote(1));
    assert!(script.events.contains(&Event::StreamFailed(StreamId(1))));
    assert_eq!(script.agent.state(), ConnectionState::Completed);
    assert_eq!(script.path(), Some(remote(1)));
    assert!(script.agent.send_path(component(1, 1)).is_err());
}

#[test]
fn a_lost_socket_takes_its_pairs_with_it() {
    let mut script = Script::controlling(2);
    script.signal(&host(1));
    script.end();
    let checks = [script.check(), script.check()];
    let socket: SocketId = script.socket(local(1));
    script.agent.socket_failed(socket, script.now);
    script.reply(&checks[0], |_| {});
    assert!(script.pair(local(1), remote(1)).is_some_and(|p| !p.valid), "no answer makes it valid");
    script.reply(&checks[1], |_| {});
    script.answering_to(1_000);
    assert_eq!(script.selected(), Some((local(2), remote(1))));
    assert!(script.take().iter().all(|s| s.from != local(1)));
}

#[test]
fn a_lost_socket_of_the_selected_pair_is_replaced_by_a_valid_pair() {
    let mut script = Script::controlling(2);
    script.signal(&host(1));
    script.end();
    let checks = [script.check(), script.check()];
    script.reply(&checks[1], |_| {});
    script.reply(&checks[0], |_| {});
    script.answering_to(1_000);
    assert_eq!(script.selected(), Some((local(1), remote(1))));
    script.take_events();
    let socket = script.socket(local(1));
    script.agent.socket_failed(socket, script.now);
    script.answering_to(2_000);
    assert_eq!(script.selected(), Some((local(2), remote(1))));
    let reason = script.events.iter().find_map(|e| match e {
        Event::SelectedPairChanged { reason, .. } => Some(*reason),
        _ => None,
    });
    assert_eq!(reason, Some(crate::SelectionReason::PathLost));
    assert_eq!(script.agent.state(), ConnectionState::Completed);
    let disconnected = Event::StateChanged(ConnectionState::Disconnected);
    assert!(!script.events.contains(&disconnected), "the other one lives");
}

#[test]
fn without_another_pair_a_lost_socket_is_the_end() {
    let mut script = Script::connected(Role::Controlling, |_| {});
    script.answering_to(50_000);
    script.take_events();
    let socket = script.socket(local(1));
    script.agent.socket_failed(socket, script.now);
    script.to(50_001);
    assert_eq!(script.agent.state(), ConnectionState::Failed);
    assert_eq!(script.path(), None);
    assert_eq!(script.agent.poll_timeout(), None);
}
