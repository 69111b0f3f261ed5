//! ICE restarts and what is signalled (RFC 8839 §4.4, RFC 8838 §9, §11, §13); limits that hold across restarts.

use alloc::vec::Vec;
use core::time::Duration;
use std::boxed::Box;
use std::string::ToString;

use floe_stun::Key;

use crate::agent::tests::heard::Heard;
use crate::agent::tests::script::{Script, Sent, host, local, millis, peer, remote};
use crate::message::PeerRole;
use crate::{
    AddedCandidate, AgentError, Candidate, ConnectionState, Credentials, Event, GatheringState,
    IgnoredCandidate, MAX_TRANSMIT, Received, RemoteParameters, RestartCause, Role, StreamId,
};

const DATA: [u8; 4] = [0x80, 1, 2, 3];

fn restarts(script: &mut Script) -> Vec<RestartCause> {
    let cause = |e| if let Event::Restarted(cause) = e { Some(cause) } else { None };
    script.take_events().into_iter().filter_map(cause).collect()
}

fn of_ufrag(n: u8, ufrag: &str) -> Candidate {
    host(n).with_ufrag(ufrag).expect("a ufrag")
}

/// The user name that checks of the current session have.
fn username(script: &Script, theirs: &Credentials) -> std::string::String {
    std::format!("{}:{}", theirs.ufrag(), script.agent.local_credentials().ufrag())
}

fn names(check: &Sent, username: &str) -> bool {
    check.username.as_deref() == Some(username)
}

#[test]
fn new_credentials_of_the_peer_restart_us_too() {
    // RFC 8445 §9: both sides change theirs.
    let mut script = Script::connected(Role::Controlled, |_| {});
    let old = script.agent.local_credentials().clone();
    let _ = script.take_events();
    script.peer_restarts();
    assert_eq!(restarts(&mut script), [RestartCause::Peer]);
    let new = script.agent.local_credentials();
    assert!(new.ufrag() != old.ufrag() && new.pwd() != old.pwd());
    assert_eq!(script.path(), Some(remote(1)), "make before break");
    script.signal(&host(2));
    let expected = username(&script, &peer(1));
    assert!(names(&script.check(), &expected), "they are taken at once");
    script.know_peer();
    assert_eq!(restarts(&mut script), [], "the same again changes nothing");
}

#[test]
fn the_answer_to_a_restart_restarts_nobody() {
    let mut script = Script::connected(Role::Controlled, |_| {});
    script.restart();
    let _ = script.take_events();
    script.peer_restarts();
    assert_eq!(restarts(&mut script), []);
}

#[test]
fn credentials_from_before_the_restart_are_refused() {
    let mut script = Script::connected(Role::Controlled, |_| {});
    script.restart();
    assert_eq!(script.hear(&peer(0)), Err(AgentError::OutdatedCredentials));
    script.peer_restarts();
    assert_eq!(script.hear(&peer(0)), Err(AgentError::OutdatedCredentials));
    assert_eq!(restarts(&mut script), [RestartCause::Requested]);
}

#[test]
fn a_peer_that_changes_half_of_its_credentials_is_refused() {
    // RFC 8839 §4.4.1.1.1, §4.4.2.1.
    let mut script = Script::connected(Role::Controlled, |_| {});
    let _ = script.take_events();
    let pwd = Credentials::new(peer(0).ufrag(), peer(1).pwd()).expect("valid");
    let ufrag = Credentials::new(peer(1).ufrag(), peer(0).pwd()).expect("valid");
    assert_eq!(script.hear(&pwd), Err(AgentError::HalfChangedCredentials));
    assert_eq!(script.hear(&ufrag), Err(AgentError::HalfChangedCredentials));
    assert_eq!(script.take_events(), []);
    script.restart();
    assert_eq!(script.hear(&pwd), Err(AgentError::HalfChangedCredentials));
}

#[test]
fn of_two_restarts_in_a_row_the_first_answer_gives_way_to_the_second() {
    let mut script = Script::connected(Role::Controlled, |_| {});
    script.restart();
    script.restart();
    let ours = script.agent.local_credentials().clone();
    let _ = script.take_events();
    script.peer_restarts();
    script.signal(&host(2));
    assert!(names(&script.check(), &username(&script, &peer(1))), "it may be the answer");
    script.peer_restarts();
    assert_eq!(script.agent.local_credentials(), &ours, "the other side answers what it knows of us");
    assert_eq!(script.agent.local_candidates().count(), 1);
    assert_eq!(restarts(&mut script), []);
    script.signal(&host(2));
    assert!(names(&script.check(), &username(&script, &peer(2))));
    // No third answer was to be expected.
    script.peer_restarts();
    assert_eq!(restarts(&mut script), [RestartCause::Peer]);
}

#[test]
fn a_path_of_the_wrong_answer_is_kept_until_the_right_one_has_its_own() {
    // The peer answers checks by whomever (RFC 8445 §7.3), so the wrong session may complete.
    let mut script = Script::connected(Role::Controlling, |_| {});
    script.restart();
    script.restart();
    script.peer_restarts();
    script.signal(&host(2));
    while script.path() != Some(remote(2)) {
        let check = script.check();
        script.reply(&check, |_| {});
    }
    assert_eq!(script.agent.state(), ConnectionState::Completed);
    script.peer_restarts();
    assert_eq!(script.path(), Some(remote(2)));
    assert_eq!(script.agent.state(), ConnectionState::Connected);
    assert!(matches!(script.deliver(remote(2), local(1), &DATA), Received::Data { .. }));
    script.signal(&host(3));
    while script.path() != Some(remote(3)) {
        let check = script.check();
        script.reply(&check, |_| {});
    }
    assert_eq!(script.agent.state(), ConnectionState::Completed);
}

#[test]
fn a_check_that_names_both_sides_settles_whose_answer_it_was() {
    let mut script = Script::connected(Role::Controlled, |_| {});
    script.restart();
    script.restart();
    script.peer_restarts();
    script.ask(|_| {});
    let _ = script.take_events();
    script.peer_restarts();
    assert_eq!(restarts(&mut script), [RestartCause::Peer]);
}

#[test]
fn a_check_before_the_right_answer_is_acted_on_with_it() {
    // We took the first answer; the peer's checks are those of its second.
    let mut script = Script::connected(Role::Controlled, |_| {});
    script.restart();
    script.restart();
    script.peer_restarts();
    let ask = script.new_ask(|a| {
        let ours = a.username.as_deref().and_then(|u| u.split(':').next()).map(ToString::to_string);
        a.username = Some(std::format!("{}:{}", ours.expect("ours"), peer(2).ufrag()));
        a.from = remote(7);
    });
    assert_eq!(script.send_ask(&ask).1.map(|answer| answer.error), Some(None));
    assert!(matches!(script.deliver(remote(7), local(1), &DATA), Received::Data { .. }));
    script.peer_restarts();
    let triggered = script.check();
    assert_eq!(triggered.to, remote(7));
    assert!(names(&triggered, &username(&script, &peer(2))));
}

#[test]
fn a_nomination_before_both_answers_is_kept_for_the_right_one() {
    let mut script = Script::connected(Role::Controlled, |_| {});
    script.restart();
    script.restart();
    let ask = script.new_ask(|a| {
        let ours = a.username.as_deref().and_then(|u| u.split(':').next()).map(ToString::to_string);
        a.username = Some(std::format!("{}:{}", ours.expect("ours"), peer(2).ufrag()));
        (a.from, a.nominate) = (remote(7), true);
    });
    let _ = script.send_ask(&ask);
    script.peer_restarts();
    assert!(script.requests().is_empty(), "it is not from this one");
    script.peer_restarts();
    let triggered = script.check();
    script.reply(&triggered, |_| {});
    assert_eq!(script.selected(), Some((local(1), remote(7))));
}

#[test]
fn checks_of_the_new_session_may_come_before_its_credentials() {
    let mut script = Script::connected(Role::Controlled, |_| {});
    script.restart();
    let ask = script.new_ask(|a| {
        let ours = a.username.as_deref().and_then(|u| u.split(':').next()).map(ToString::to_string);
        a.username = Some(std::format!("{}:{}", ours.expect("ours"), peer(1).ufrag()));
        (a.from, a.nominate) = (remote(3), true);
    });
    assert_eq!(script.send_ask(&ask).1.map(|answer| answer.error), Some(None));
    assert!(matches!(script.deliver(remote(3), local(1), &DATA), Received::Data { .. }));
    assert_eq!(script.path(), Some(remote(1)));
    script.peer_restarts();
    let triggered = script.check();
    assert_eq!(triggered.to, remote(3));
    script.reply(&triggered, |_| {});
    assert_eq!(script.path(), Some(remote(3)), "the nomination came with it");
}

#[test]
fn a_candidate_belongs_to_the_session_whose_ufrag_it_names() {
    // RFC 8838 §9.
    let mut script = Script::connected(Role::Controlled, |_| {});
    let early = script.add(StreamId::FIRST, &of_ufrag(3, peer(1).ufrag()));
    assert_eq!(early, AddedCandidate::Held);
    script.agent.end_of_remote_candidates_of(StreamId::FIRST, peer(1).ufrag(), script.now).expect("open");
    script.peer_restarts();
    let addresses = |script: &Script| -> Vec<_> {
        script.agent.remote_candidates().map(|(_, _, c)| c.address()).collect()
    };
    assert_eq!(addresses(&script), [remote(3)]);
    let late = script.add(StreamId::FIRST, &of_ufrag(4, peer(0).ufrag()));
    assert_eq!(late, AddedCandidate::Ignored(IgnoredCandidate::OtherGeneration));
    let ended = script.add(StreamId::FIRST, &of_ufrag(5, peer(1).ufrag()));
    assert_eq!(ended, AddedCandidate::Ignored(IgnoredCandidate::AfterEndOfCandidates));
}

#[test]
fn before_the_answer_old_candidates_are_known_for_what_they_are() {
    let mut script = Script::connected(Role::Controlled, |_| {});
    script.restart();
    let late = script.add(StreamId::FIRST, &of_ufrag(2, peer(0).ufrag()));
    assert_eq!(late, AddedCandidate::Ignored(IgnoredCandidate::OtherGeneration));
    let early = script.add(StreamId::FIRST, &of_ufrag(2, peer(1).ufrag()));
    assert!(matches!(early, AddedCandidate::Added(_)));
    script.peer_restarts();
    assert_eq!(script.check().to, remote(2));
}

#[test]
fn an_end_of_candidates_from_before_the_restart_ends_nothing() {
    // RFC 8838 §13.
    let mut script = Script::selected_early(Role::Controlled, |_| {});
    script.restart();
    script.end_remote();
    script.agent.end_of_remote_candidates_of(StreamId::FIRST, peer(0).ufrag(), script.now).expect("open");
    script.peer_restarts();
    script.agent.end_of_remote_candidates_of(StreamId::FIRST, peer(0).ufrag(), script.now).expect("open");
    let added = script.add(StreamId::FIRST, &host(1));
    assert!(matches!(added, AddedCandidate::Added(_)));
    script.end_remote();
    let added = script.add(StreamId::FIRST, &host(2));
    assert_eq!(added, AddedCandidate::Ignored(IgnoredCandidate::AfterEndOfCandidates));
}

#[test]
fn what_waits_for_credentials_is_bounded() {
    let mut script = Script::connected(Role::Controlled, |c| c.limits.remote_candidates = 5);
    let held =
        (1..200).filter(|n| script.add(StreamId::FIRST, &of_ufrag(*n, "future")) == AddedCandidate::Held);
    assert!((5..20).contains(&held.count()));
    for _ in 0..100 {
        script.agent.end_of_remote_candidates_of(StreamId::FIRST, "future", script.now).expect("open");
    }
    script.agent.check_invariants();
}

#[test]
fn the_peer_says_anew_how_fast_it_is_and_whether_it_is_lite() {
    let mut script = Script::with(Role::Controlled, 1, |_| {});
    let slow = RemoteParameters::new(peer(1)).with_pacing(Duration::from_millis(500)).with_lite();
    script.agent.set_remote_parameters(&slow, script.now).expect("open");
    assert_eq!(script.agent.role(), Role::Controlling, "RFC 8445 §6.1.1");
    script.to(1_000);
    script.agent.set_remote_parameters(&RemoteParameters::new(peer(2)), script.now).expect("open");
    assert_eq!(script.agent.role(), Role::Controlling, "§9");
    for n in 1..=3 {
        script.signal(&host(n));
    }
    script.to(1_100);
    let times: Vec<_> = script.requests().iter().map(|c| c.at).collect();
    assert_eq!(times, [1_000, 1_050, 1_100].map(millis));
    let conflict = script.new_ask(|a| {
        let ours = a.username.as_deref().and_then(|u| u.split(':').next()).map(ToString::to_string);
        a.username = Some(std::format!("{}:{}", ours.expect("ours"), peer(2).ufrag()));
        a.role = Some(PeerRole::Controlling(u64::MAX));
    });
    let _ = script.send_ask(&conflict);
    assert_eq!(script.agent.role(), Role::Controlled, "a full peer may win a conflict");
}

// --- what holds across restarts ---------------------------------------------------------------------------------

#[test]
fn restarts_cause_no_burst() {
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    let mut times = Vec::new();
    for n in 1..40 {
        script.to(n * 20);
        script.restart();
        script.peer_restarts();
        for n in 1..=3 {
            script.signal(&host(n));
        }
        times.extend(script.requests().iter().map(|c| c.at));
    }
    assert!(times.len() > 10);
    let gaps = times.windows(2).map(|w| w[1].saturating_since(w[0]));
    assert!(gaps.min() >= Some(Duration::from_millis(50)), "RFC 8445 §14.2");
}

#[test]
fn restarts_are_no_way_around_the_limit_of_checks_to_an_address() {
    let mut script = Script::with(Role::Controlled, 1, |c| c.limits.checks_per_remote = 10);
    let mut to_victim = 0;
    for n in 1..=30 {
        script.signal(&host(1));
        script.to(n * 2_000);
        to_victim += script.requests().iter().filter(|c| c.to == remote(1)).count();
        script.peer_restarts();
    }
    assert_eq!(to_victim, 10);
    // Somebody who answers is no victim.
    let mut answered = 0;
    for _ in 0..30 {
        script.signal(&host(2));
        let check = script.check();
        assert_eq!(check.to, remote(2));
        script.reply(&check, |_| {});
        answered += 1;
        script.peer_restarts();
    }
    assert_eq!(answered, 30);
}

#[test]
fn a_queued_packet_keeps_its_bytes() {
    let run = |polled: bool| -> Vec<Box<[u8]>> {
        let mut script = Script::connected(Role::Controlled, |_| {});
        let _ = script.take();
        let (old, mut packets, mut buffer) =
            (script.agent.local_credentials().clone(), Vec::new(), [0; MAX_TRANSMIT]);
        let mut poll = |script: &mut Script| {
            while let Some(t) = script.agent.poll_transmit(&mut buffer) {
                packets.push(buffer[..t.len].into());
            }
        };
        // An answer and a consent check of each of four sessions.
        for n in 0..4 {
            let ours = script.agent.local_credentials().clone();
            let ask =
                script.new_ask(|a| a.username = Some(std::format!("{}:{}", ours.ufrag(), peer(n).ufrag())));
            let contents = ask.encode();
            let socket = script.socket(local(1));
            let datagram = crate::Datagram { socket, local_ip: None, source: remote(1), contents: &contents };
            let _ = script.agent.handle_datagram(datagram, script.now);
            script.now = script.now.saturating_add(Duration::from_secs(6));
            script.agent.handle_timeout(script.now);
            if polled {
                poll(&mut script);
            }
            let parameters = RemoteParameters::new(peer(n + 1));
            script.agent.set_remote_parameters(&parameters, script.now).expect("open");
        }
        poll(&mut script);
        assert!(old.ufrag() != script.agent.local_credentials().ufrag());
        packets
    };
    let polled = run(true);
    assert_eq!(polled, run(false));
    assert!(polled.len() >= 8);
    for packet in &polled {
        assert!(Heard::new(packet).has_integrity);
    }
}

#[test]
fn restarts_without_polling_stay_within_bounds() {
    let mut script = Script::connected(Role::Controlled, |c| c.limits.queued_packets = 16);
    let mut theirs = 0_u32;
    for n in 0_u32..2_000 {
        if n % 3 == 0 {
            script.agent.restart(script.now).expect("open");
        } else {
            theirs += 1;
            let ufrag = std::format!("theirs{theirs}");
            let credentials =
                Credentials::new(&ufrag, &std::format!("{ufrag}aPasswordOfTheirs")).expect("valid");
            let _ = script.agent.set_remote_parameters(&RemoteParameters::new(credentials), script.now);
            for n in 1..=3 {
                let candidate = of_ufrag(n, if n == 2 { "never" } else { &ufrag });
                let _ = script.agent.add_remote_candidate(StreamId::FIRST, &candidate, script.now);
            }
        }
        script.now = script.now.saturating_add(Duration::from_millis(100));
        script.agent.handle_timeout(script.now);
        script.agent.check_invariants();
    }
}

#[test]
fn an_agent_that_nobody_told_of_a_peer_may_restart_too() {
    let mut script = Script::new(|_| {});
    script.host(1);
    script.restart();
    assert_eq!(script.agent.state(), ConnectionState::New);
    script.end_remote();
    script.to(100_000);
    assert_eq!(script.agent.state(), ConnectionState::New, "nobody owes an answer");
    script.know_peer();
    let late = script.add(StreamId::FIRST, &host(1));
    assert_eq!(late, AddedCandidate::Ignored(IgnoredCandidate::AfterEndOfCandidates));
    assert_eq!(script.agent.gathering_state(), GatheringState::New);
    let ours = script.agent.local_credentials().clone();
    let ask = script.new_ask(|a| a.key = Some(Key::short_term(ours.pwd())));
    assert_eq!(script.send_ask(&ask).0, Received::Ice);
    script.signal(&host(1));
    script.to(101_000);
    assert_eq!(script.check().to, remote(1));
}
