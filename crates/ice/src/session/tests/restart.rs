//! RFC 8445 §9: what an ICE restart changes and what it leaves, on the way from the old path to the new one.

use alloc::vec::Vec;
use core::time::Duration;

use floe_stun::Key;

use crate::agent::tests::heard::signed_with;
use crate::agent::tests::script::{Script, Sent, host, local, millis, peer, remote};
use crate::message::PeerRole;
use crate::{
    Component, ConnectionState, ConsentLoss, Credentials, Event, GatheringState, LocalId, PairId, Received,
    Rejection, RestartCause, Role, SendError,
};

const DATA: [u8; 4] = [0x80, 1, 2, 3];

/// What is expected of the first component's path: how often it changed.
fn epoch(script: &Script) -> u32 {
    script.agent.send_path(Component::default()).expect("a path").epoch
}

fn announced(events: &[Event]) -> Vec<LocalId> {
    let id = |e: &Event| if let Event::LocalCandidate(id) = e { Some(*id) } else { None };
    events.iter().filter_map(id).collect()
}

/// Connected, restarted, and what we were called before.
fn restarted(role: Role) -> (Script, Credentials) {
    let mut script = Script::connected(role, |_| {});
    let old = script.agent.local_credentials().clone();
    let _ = (script.take(), script.take_events());
    script.restart();
    (script, old)
}

/// The peer's answer to the restart comes, with this candidate, and the pair is selected.
fn select(script: &mut Script, n: u8) {
    script.peer_restarts();
    script.signal(&host(n));
    prove(script, n);
    match script.agent.role() {
        Role::Controlling => {
            // At the end of the settle window.
            let nomination = next_to(script, n, |c| c.use_candidate);
            script.reply(&nomination, |_| {});
        }
        Role::Controlled => {
            script.ask(|a| (a.from, a.nominate) = (remote(n), true));
        }
    }
    assert_eq!(script.agent.state(), ConnectionState::Completed);
}

/// The next check of the new session succeeds.
fn prove(script: &mut Script, n: u8) {
    let check = next_to(script, n, |c| !c.use_candidate);
    script.reply(&check, |_| {});
}

/// The next request of the current session to an address of the peer.
fn next_to(script: &mut Script, n: u8, holds: impl Fn(&Sent) -> bool) -> Sent {
    let ours = script.agent.local_credentials().ufrag().to_string();
    loop {
        let check = script.check();
        let is_new = check.username.as_deref().is_some_and(|u| u.ends_with(&std::format!(":{ours}")));
        if is_new && check.to == remote(n) && holds(&check) {
            return check;
        }
    }
}

/// A check of the peer for the session in which we had these credentials, and the peer its first.
fn ask_old(script: &mut Script, old: &Credentials) -> (Received, Option<Sent>) {
    let ask = script.new_ask(|a| {
        a.username = Some(std::format!("{}:{}", old.ufrag(), peer(0).ufrag()));
        a.key = Some(Key::short_term(old.pwd()));
    });
    script.send_ask(&ask)
}

use std::string::ToString;

#[test]
fn a_restart_changes_both_credentials_and_keeps_role_and_tie_breaker() {
    for role in [Role::Controlling, Role::Controlled] {
        let mut script = Script::connected(role, |_| {});
        let old = script.agent.local_credentials().clone();
        let before = script.check();
        script.reply(&before, |_| {});
        let _ = script.take_events();
        script.restart();
        let new = script.agent.local_credentials();
        assert!(new.ufrag() != old.ufrag() && new.pwd() != old.pwd());
        assert_eq!(script.agent.role(), role);
        assert_eq!(script.events.first(), Some(&Event::Restarted(RestartCause::Requested)));
        script.peer_restarts();
        script.signal(&host(2));
        let check = next_to(&mut script, 2, |_| true);
        assert_eq!(check.role, before.role, "RFC 8445 §9: the roles stay");
        signed_with(&check.bytes, &Key::short_term(peer(1).pwd()));
    }
}

#[test]
fn the_candidates_are_announced_again_under_other_numbers() {
    let mut script = Script::connected(Role::Controlled, |_| {});
    let before = announced(&script.take_events());
    script.restart();
    let after = announced(&script.events);
    assert_eq!((before.len(), after.len()), (1, 1));
    assert!(before[0] != after[0]);
    assert!(script.agent.local_candidate(before[0]).is_none(), "it is none of this session");
    assert_eq!(script.agent.local_candidate(after[0]).map(crate::Candidate::address), Some(local(1)));
    assert_eq!(script.agent.local_candidates().count(), 1);
    assert_eq!(script.agent.gathering_state(), GatheringState::New);
    // As in the first session: what else there is can be said, and the end of it.
    script.host(2);
    script.end_local();
    assert_eq!(script.agent.gathering_state(), GatheringState::Complete);
}

#[test]
fn data_stays_on_the_old_path_until_a_pair_is_selected() {
    for role in [Role::Controlling, Role::Controlled] {
        let (mut script, _) = restarted(role);
        let before = epoch(&script);
        assert_eq!(script.path(), Some(remote(1)));
        script.peer_restarts();
        script.signal(&host(2));
        prove(&mut script, 2);
        assert_eq!(script.path(), Some(remote(1)), "a valid pair is not enough");
        assert_eq!(script.selected(), Some((local(1), remote(1))), "RFC 8839 §4.4.3.1.1");
        assert!(!script.events.contains(&Event::PathChanged(Component::default())));
        match role {
            Role::Controlling => {
                let nomination = next_to(&mut script, 2, |c| c.use_candidate);
                script.reply(&nomination, |_| {});
            }
            Role::Controlled => {
                script.ask(|a| (a.from, a.nominate) = (remote(2), true));
            }
        }
        assert_eq!((script.path(), epoch(&script)), (Some(remote(2)), before + 1));
        let changes = script.events.iter().filter(|e| matches!(e, Event::PathChanged(_))).count();
        assert_eq!(changes, 1);
        assert_eq!(script.selected(), Some((local(1), remote(2))));
    }
}

#[test]
fn a_new_pair_between_the_same_addresses_is_no_change_of_the_path() {
    let (mut script, _) = restarted(Role::Controlling);
    let before = epoch(&script);
    select(&mut script, 1);
    assert_eq!((script.path(), epoch(&script)), (Some(remote(1)), before));
    assert!(!script.events.contains(&Event::PathChanged(Component::default())));
    assert!(script.events.iter().any(|e| matches!(e, Event::SelectedPairChanged { .. })));
}

#[test]
fn consent_goes_on_on_the_old_pair() {
    // RFC 7675 §5.1.
    let (mut script, old) = restarted(Role::Controlled);
    let mut last = script.now;
    while script.now < millis(300_000) {
        let check = script.check();
        assert!(check.at.saturating_since(last) <= Duration::from_secs(6));
        last = check.at;
        assert_eq!(check.to, remote(1));
        assert_eq!(check.username.as_deref(), Some(&*std::format!("{}:{}", peer(0).ufrag(), old.ufrag())));
        signed_with(&check.bytes, &Key::short_term(peer(0).pwd()));
        script.reply(&check, |_| {});
    }
    assert_eq!(script.path(), Some(remote(1)));
}

#[test]
fn without_consent_checks_it_is_keepalives() {
    let mut script = Script::connected(Role::Controlled, |c| c.consent = false);
    let _ = script.take();
    script.restart();
    script.to(61_000);
    assert_eq!(script.take().iter().filter(|s| !s.is_request() && s.to == remote(1)).count(), 4);
    assert!(script.path().is_some());
}

#[test]
fn the_old_path_may_die_before_there_is_a_new_one() {
    let (mut script, old) = restarted(Role::Controlled);
    script.to(31_000);
    let lost = Event::ConsentLost { component: Component::default(), loss: ConsentLoss::Expired };
    assert_eq!(script.events.iter().filter(|e| **e == lost).count(), 1);
    assert_eq!(script.agent.send_path(Component::default()), Err(SendError::NoConsent));
    assert_eq!(script.agent.state(), ConnectionState::Disconnected);
    let (received, answer) = ask_old(&mut script, &old);
    assert_eq!(received, Received::Rejected(Rejection::WrongUsername), "nothing is under way on it");
    assert!(answer.is_none());
    // The answer to the restart comes late.
    script.peer_restarts();
    script.signal(&host(1));
    prove(&mut script, 1);
    assert_eq!(script.path(), Some(remote(1)), "RFC 8445 §12.1: the best valid pair");
    assert_eq!(script.agent.state(), ConnectionState::Connected);
}

#[test]
fn a_403_on_the_old_path_ends_it_at_once() {
    let (mut script, _) = restarted(Role::Controlled);
    let check = script.check();
    script.refuse(&check, 403);
    let lost = Event::ConsentLost { component: Component::default(), loss: ConsentLoss::Revoked };
    assert!(script.events.contains(&lost));
    assert!(script.path().is_none());
}

#[test]
fn a_peer_that_never_answers_is_given_up_when_the_old_path_is_dead() {
    // RFC 8863 §4, counted from the restart: our credentials are out, and no check of the peer can come without its own.
    let (mut script, _) = restarted(Role::Controlled);
    let _ = script.take_events();
    script.to(39_000);
    assert_eq!(script.states(), [ConnectionState::Disconnected]);
    script.to(40_000);
    assert_eq!(script.states(), [ConnectionState::Failed]);
    assert_eq!(script.agent.poll_timeout(), None);
    // And when it does answer after all, there is no reason to refuse.
    script.peer_restarts();
    script.signal(&host(1));
    prove(&mut script, 1);
    assert!(script.path().is_some());
}

#[test]
fn with_a_living_old_path_nothing_fails() {
    let (mut script, _) = restarted(Role::Controlled);
    let _ = script.take_events();
    script.answering_to(600_000);
    assert_eq!(script.states(), [], "the peer never answered the restart");
    script.peer_restarts();
    script.signal(&host(2));
    script.end();
    script.answering_some_to(700_000, |c| c.to == remote(1));
    assert_eq!(script.states(), [], "nor does its new address");
    assert_eq!(script.path(), Some(remote(1)));
    script.to(740_000);
    assert_eq!(script.states(), [ConnectionState::Disconnected, ConnectionState::Failed]);
}

#[test]
fn requests_and_data_of_the_old_session_are_welcome_for_a_grace() {
    let (mut script, old) = restarted(Role::Controlled);
    select(&mut script, 2);
    let selected = script.now;
    let end = selected.saturating_add(Duration::from_millis(39_500)).as_nanos() / 1_000_000;
    for at in [end - 39_000, end - 1] {
        script.answering_to(at);
        let (received, answer) = ask_old(&mut script, &old);
        assert_eq!(received, Received::Ice);
        let answer = answer.expect("an answer");
        assert_eq!((answer.error, answer.mapped), (None, Some(remote(1))));
        signed_with(&answer.bytes, &Key::short_term(old.pwd()));
        assert!(matches!(script.deliver(remote(1), local(1), &DATA), Received::Data { .. }));
    }
    script.answering_to(end);
    assert_eq!(ask_old(&mut script, &old).0, Received::Rejected(Rejection::WrongUsername));
    let unknown = Received::Rejected(Rejection::UnknownSource);
    assert_eq!(script.deliver(remote(1), local(1), &DATA), unknown);
}

#[test]
fn the_old_session_sends_nothing_once_a_pair_is_selected() {
    let (mut script, old) = restarted(Role::Controlled);
    select(&mut script, 2);
    let _ = script.take();
    script.answering_to(script.now.as_nanos() / 1_000_000 + 60_000);
    let of_old = |s: &Sent| s.username.as_deref().is_some_and(|u| u.ends_with(old.ufrag()));
    assert!(!script.requests().iter().any(of_old));
}

#[test]
fn a_check_of_the_old_session_says_nothing_of_roles_and_nominations() {
    let (mut script, old) = restarted(Role::Controlled);
    let before = (script.agent.role(), script.path(), script.events.len());
    let ask = script.new_ask(|a| {
        a.username = Some(std::format!("{}:{}", old.ufrag(), peer(0).ufrag()));
        a.key = Some(Key::short_term(old.pwd()));
        (a.from, a.nominate, a.role) = (remote(3), true, Some(PeerRole::Controlled(0)));
    });
    let (_, answer) = script.send_ask(&ask);
    assert_eq!(answer.and_then(|a| a.error), None);
    assert_eq!((script.agent.role(), script.path(), script.events.len()), before);
    script.to(script.now.as_nanos() / 1_000_000 + 2_000);
    assert!(script.requests().iter().all(|c| c.to != remote(3)), "and triggers no check");
}

#[test]
fn the_old_session_answers_its_own_peer_only() {
    let (mut script, old) = restarted(Role::Controlled);
    let ask = script.new_ask(|a| {
        a.username = Some(std::format!("{}:somebody", old.ufrag()));
        a.key = Some(Key::short_term(old.pwd()));
    });
    assert_eq!(script.send_ask(&ask).0, Received::Rejected(Rejection::WrongUsername));
}

#[test]
fn a_session_that_had_no_path_is_remembered_for_data_under_way() {
    // The peer may have found its path by a check that we did not get the answer of.
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    let old = script.agent.local_credentials().clone();
    script.restart();
    assert_eq!(script.agent.state(), ConnectionState::Checking);
    assert!(matches!(script.deliver(remote(1), local(1), &DATA), Received::Data { .. }));
    assert_eq!(ask_old(&mut script, &old).0, Received::Ice);
    assert!(script.path().is_none());
    script.to(39_499);
    assert!(matches!(script.deliver(remote(1), local(1), &DATA), Received::Data { .. }));
    script.to(39_500);
    let unknown = Received::Rejected(Rejection::UnknownSource);
    assert_eq!(script.deliver(remote(1), local(1), &DATA), unknown);
}

#[test]
fn on_repeated_restarts_the_one_that_carries_data_stays() {
    let (mut script, _) = restarted(Role::Controlling);
    for _ in 0..5 {
        // Each has a valid pair, none gets to nominate.
        script.peer_restarts();
        script.signal(&host(2));
        prove(&mut script, 2);
        script.restart();
        assert_eq!(script.path(), Some(remote(1)));
        let data = |script: &mut Script, n| script.deliver(remote(n), local(1), &DATA);
        assert!(matches!(data(&mut script, 1), Received::Data { .. }));
        assert!(matches!(data(&mut script, 2), Received::Data { .. }), "what the peer may have selected");
    }
    script.answering_some_to(120_000, |c| c.to == remote(1));
    assert_eq!(script.path(), Some(remote(1)));
    select(&mut script, 2);
    assert_eq!(script.path(), Some(remote(2)));
}

#[test]
fn a_restart_in_the_middle_of_a_nomination_keeps_the_pair_that_was_valid() {
    let mut script = Script::controlling(1);
    script.signal(&host(1));
    prove(&mut script, 1);
    let nomination = next_to(&mut script, 1, |c| c.use_candidate);
    script.restart();
    assert_eq!(script.path(), Some(remote(1)));
    let events = script.events.len();
    script.reply(&nomination, |_| {});
    assert_eq!(script.events.len(), events, "the answer selects nothing any more");
    script.answering_to(script.now.as_nanos() / 1_000_000 + 25_000);
    assert_eq!(script.path(), Some(remote(1)), "but it was an answer, and consent goes on");
    select(&mut script, 2);
    assert_eq!(script.path(), Some(remote(2)));
}

#[test]
fn the_states_after_a_restart_are_those_of_webrtc() {
    // From Completed to Connected, and from Connected to nothing else.
    let mut script = Script::connected(Role::Controlled, |_| {});
    let _ = script.states();
    script.restart();
    assert_eq!(script.states(), [ConnectionState::Connected]);
    script.restart();
    assert_eq!(script.states(), []);
    // From Disconnected to Checking, and back to Connected when the old path recovers.
    script.to(20_000);
    assert_eq!(script.states(), [ConnectionState::Disconnected]);
    script.restart();
    assert_eq!(script.states(), [ConnectionState::Checking]);
    let check = script.check();
    script.reply(&check, |_| {});
    assert_eq!(script.states(), [ConnectionState::Connected]);
    // From New to New, from Checking to Checking.
    let mut script = Script::controlled(1);
    script.restart();
    assert_eq!(script.states(), []);
    script.peer_restarts();
    script.signal(&host(1));
    assert_eq!(script.states(), [ConnectionState::Checking]);
    script.restart();
    assert_eq!(script.states(), []);
    assert_eq!(script.agent.state(), ConnectionState::Checking);
}

#[test]
fn a_restart_revives_what_had_failed() {
    let mut script = Script::connected(Role::Controlled, |_| {});
    script.to(40_000);
    assert_eq!(script.agent.state(), ConnectionState::Failed);
    let _ = script.take_events();
    script.restart();
    assert_eq!(script.states(), [ConnectionState::New]);
    assert_eq!(script.agent.send_path(Component::default()), Err(SendError::NoConsent), "still");
    select(&mut script, 1);
    assert_eq!(script.path(), Some(remote(1)), "other credentials, another consent (RFC 7675 §5.1)");
}

#[test]
fn every_pair_and_candidate_has_a_number_of_its_own() {
    let (mut script, _) = restarted(Role::Controlling);
    let (mut pairs, mut locals, mut remotes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..6 {
        script.peer_restarts();
        for n in 1..=3 {
            script.signal(&host(n));
        }
        prove(&mut script, 2);
        pairs.extend(script.agent.pairs().map(|p| p.id));
        locals.extend(script.agent.local_candidates().map(|(id, ..)| id));
        remotes.extend(script.agent.remote_candidates().map(|(id, ..)| id));
        script.restart();
    }
    let distinct = |mut ids: Vec<u32>| {
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        (all, ids.len())
    };
    assert_eq!(distinct(pairs.iter().map(|id: &PairId| id.as_u32()).collect()), (18, 18));
    assert_eq!(distinct(locals.iter().map(|id| id.as_u32()).collect()), (6, 6));
    assert_eq!(distinct(remotes.iter().map(|id| id.as_u32()).collect()), (18, 18));
}

#[test]
fn the_pair_of_the_old_session_is_known_until_that_is_over() {
    let (mut script, _) = restarted(Role::Controlled);
    let old = script.agent.selected_pair(Component::default()).expect("the old one").id;
    script.agent.record_sent(Component::default(), 1, 100, script.now);
    assert_eq!(script.agent.pair_stats(old).map(|s| s.bytes_sent), Some(100));
    select(&mut script, 2);
    assert!(script.agent.pair(old).is_none() && script.agent.pair_stats(old).is_none());
    script.agent.record_sent(Component::default(), 1, 50, script.now);
    let new = script.agent.selected_pair(Component::default()).expect("the new one").id;
    assert_eq!(script.agent.pair_stats(new).map(|s| s.bytes_sent), Some(50));
}

#[test]
fn a_lost_socket_takes_the_old_path_with_it() {
    let (mut script, _) = restarted(Role::Controlled);
    let socket = script.socket(local(1));
    script.agent.socket_failed(socket, script.now);
    script.agent.check_invariants();
    assert!(script.path().is_none());
    assert_eq!(script.agent.state(), ConnectionState::Disconnected);
}

#[test]
fn components_go_over_one_by_one() {
    let second = crate::agent::tests::script::component(0, 2);
    let at = core::net::SocketAddr::from(([10, 0, 0, 1], 5001));
    let rtcp = |n| host(n).with_component(second.id);
    let mut script = Script::new(|c| c.streams = alloc::vec![2]);
    script.host(1);
    script.host_at(second, at);
    script.know_peer();
    let connect = |script: &mut Script, n: u8| {
        script.signal(&host(n));
        script.signal(&rtcp(n + 1));
        script.answering_to(script.now.as_nanos() / 1_000_000 + 1_000);
        script.ask(|a| (a.from, a.nominate) = (remote(n), true));
    };
    connect(&mut script, 1);
    script.ask(|a| (a.from, a.to, a.nominate) = (remote(2), at, true));
    assert_eq!(script.agent.state(), ConnectionState::Completed);
    script.restart();
    script.peer_restarts();
    connect(&mut script, 3);
    let path = |script: &Script, c| script.agent.send_path(c).map(|p| p.destination);
    assert_eq!(path(&script, Component::default()), Ok(remote(3)));
    assert_eq!(path(&script, second), Ok(remote(2)), "the old pair until its own turn");
    assert_eq!(script.agent.state(), ConnectionState::Connected);
    script.ask(|a| (a.from, a.to, a.nominate) = (remote(4), at, true));
    assert_eq!(path(&script, second), Ok(remote(4)));
    assert_eq!(script.agent.state(), ConnectionState::Completed);
}

#[test]
fn of_a_stream_that_failed_nothing_is_left() {
    // One component has its selected pair, the other one has no pair that works.
    let second = crate::agent::tests::script::component(0, 2);
    let at = core::net::SocketAddr::from(([10, 0, 0, 1], 5001));
    let other = crate::agent::tests::script::component(1, 1);
    let mut script = Script::new(|c| c.streams = alloc::vec![2, 1]);
    script.host(1);
    script.host_at(second, at);
    script.host_at(other, core::net::SocketAddr::from(([10, 0, 0, 1], 5002)));
    script.know_peer();
    script.signal(&host(1));
    script.signal(&host(2).with_component(second.id));
    let _ = script.add(other.stream, &host(3));
    script.end();
    script.ask(|a| a.nominate = true);
    script.answering_some_to(60_000, |c| c.to != remote(2));
    assert!(script.events.contains(&Event::StreamFailed(crate::StreamId::FIRST)));
    assert!(script.agent.selected_pair(Component::default()).is_some());
    script.restart();
    script.agent.check_invariants();
    assert!(script.agent.selected_pair(Component::default()).is_none());
    assert!(script.agent.send_path(Component::default()).is_err());
    assert!(script.agent.send_path(other).is_ok(), "the other stream has its old path");
}

#[test]
fn a_closed_agent_does_not_restart() {
    let mut script = Script::connected(Role::Controlled, |_| {});
    script.agent.close(script.now);
    assert_eq!(script.agent.restart(script.now), Err(crate::AgentError::Closed));
}
