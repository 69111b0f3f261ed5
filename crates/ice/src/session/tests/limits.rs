//! `Limits`, one by one, RFC 8445 §19.5.1, and the largest packet.

use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::agent::tests::script::{Script, component, host, local, remote};
use crate::{
    Candidate, Config, ConfigError, Credentials, MAX_TRANSMIT, PairState, Rejection, RemoteParameters, Role,
};

#[test]
fn an_address_that_does_not_answer_gets_so_many_checks_and_no_more() {
    // Our own rule beside §19.5.1: with four local addresses the signalled one would get 28.
    let mut script = Script::with(Role::Controlled, 4, |c| c.limits.checks_per_remote = 10);
    script.signal(&host(1));
    script.signal(&host(2));
    script.to(200_000);
    let checks = script.requests();
    for n in 1..=2 {
        assert_eq!(checks.iter().filter(|c| c.to == remote(n)).count(), 10);
    }
    assert!(script.agent.pairs().all(|p| p.state == PairState::Failed));
}

#[test]
fn an_address_that_sends_checks_gets_one_more_for_each() {
    let mut script = Script::with(Role::Controlled, 2, |c| c.limits.checks_per_remote = 10);
    script.signal(&host(1));
    script.to(100_000);
    assert_eq!(script.requests().len(), 10);
    script.ask(|_| {});
    let check = script.check();
    script.reply(&check, |_| {});
    assert!(script.path().is_some(), "a NAT that opened late is no reason to give up");
}

#[test]
fn consent_checks_and_nominations_do_not_count() {
    let mut script = Script::with(Role::Controlling, 1, |c| c.limits.checks_per_remote = 1);
    script.signal(&host(1));
    script.end();
    script.answering_to(600_000);
    assert_eq!(script.selected(), Some((local(1), remote(1))));
    assert_eq!(script.agent.state(), crate::ConnectionState::Completed);
}

#[test]
fn no_more_than_100_pairs_are_checked_by_default() {
    let mut script = Script::new(|c| (c.role, c.limits.peer_reflexive) = (Role::Controlled, 64));
    for n in 1..=20 {
        script.host(n);
    }
    for n in 1..=20 {
        script.signal(&host(n));
    }
    script.know_peer();
    for n in 100..=163 {
        script.ask(|a| a.from = remote(n));
    }
    assert_eq!(script.agent.pairs().count(), 100);
    script.to(60_000);
    let paths: std::collections::BTreeSet<_> = script.requests().iter().map(|c| (c.from, c.to)).collect();
    assert!(paths.len() <= 101, "{}", paths.len());
}

#[test]
fn signalled_candidates_are_limited_over_all_streams() {
    let mut script = Script::with(Role::Controlled, 1, |c| {
        (c.streams, c.limits.remote_candidates) = ([1, 1].to_vec(), 5);
    });
    for n in 1..=4 {
        script.signal(&host(n));
        let _ = script.add(crate::StreamId(1), &host(n));
    }
    assert_eq!(script.agent.remote_candidates().count(), 5);
}

#[test]
fn the_queue_of_packets_is_bounded_and_what_matters_waits() {
    let mut config = Config::new([1; 32]);
    config.limits.queued_packets = 16;
    let mut agent = crate::Agent::new(config, crate::Time::ZERO).expect("valid");
    let socket = crate::SocketId(1);
    agent.add_host(component(0, 1), socket, local(1), crate::Time::ZERO).expect("new");
    let mut script = Script::controlled(1);
    // Requests that another agent with the same seed takes for its own.
    let credentials = Credentials::new("peer", "thePasswordOfThePeer123").expect("valid");
    agent.set_remote_parameters(&RemoteParameters::new(credentials), crate::Time::ZERO).expect("open");
    for n in 1..=40 {
        let ask = script.new_ask(|a| a.from = remote(n)).encode();
        let datagram = crate::Datagram { socket, local_ip: None, source: remote(n), contents: &ask };
        let _ = agent.handle_datagram(datagram, crate::Time::ZERO);
        agent.check_invariants();
    }
    assert_eq!(agent.counters().responses_dropped, 25, "15 answers, and the first check");
    let due = agent.poll_timeout().expect("checks wait for room");
    assert!(due > crate::Time::ZERO);
    let mut buffer = [0; MAX_TRANSMIT];
    let mut polled = 0;
    while agent.poll_transmit(&mut buffer).is_some() {
        polled += 1;
    }
    assert_eq!(polled, 16);
    agent.handle_timeout(crate::Time::from_millis(50));
    assert!(agent.poll_transmit(&mut buffer).is_some(), "they go on when there is room");
}

#[test]
fn a_driver_that_does_not_poll_is_not_woken_up_all_the_time() {
    let mut script = Script::with(Role::Controlled, 1, |c| c.limits.queued_packets = 16);
    for n in 1..=40 {
        script.signal(&host(n));
    }
    let (mut now, mut wakeups) = (script.now, 0);
    while now < crate::Time::from_secs(60) {
        let Some(due) = script.agent.poll_timeout() else { break };
        assert!(due > now);
        (now, wakeups) = (due, wakeups + 1);
        script.agent.handle_timeout(now);
    }
    assert!(wakeups <= 6_500, "{wakeups}");
}

#[test]
fn events_of_an_application_that_does_not_poll_are_bounded() {
    let mut script = Script::new(|c| c.limits.remote_candidates = 1);
    for port in 1..=2_000u16 {
        let address = SocketAddr::from(([10, 0, (port >> 7) as u8, (port & 127) as u8], port));
        let result =
            script.agent.add_host(component(0, 1), crate::SocketId(u64::from(port)), address, script.now);
        if result.is_err() {
            assert_eq!(result, Err(crate::AgentError::TooManyCandidates));
        }
        script.agent.check_invariants();
    }
}

#[test]
fn limits_that_leave_nothing_are_refused() {
    let sets: [fn(&mut Config); 3] =
        [|c| c.limits.pairs = 0, |c| c.limits.remote_candidates = 0, |c| c.limits.queued_packets = 15];
    for set in sets {
        let mut config = Config::new([0; 32]);
        set(&mut config);
        assert_eq!(config.validate(), Err(ConfigError::Limits));
    }
}

#[test]
fn a_stream_has_1_to_256_components() {
    // §5.1.2.1.
    for (components, result) in
        [(0, Err(ConfigError::Components)), (257, Err(ConfigError::Components)), (256, Ok(()))]
    {
        let mut config = Config::new([0; 32]);
        config.streams = [1, components].to_vec();
        assert_eq!(config.validate(), result);
    }
}

#[test]
fn the_largest_packet_fits() {
    // A peer's ufrag of 256 characters, the most that RFC 8839 §5.4 has, and every attribute of a check.
    let ufrag: std::string::String = core::iter::repeat_n('u', 256).collect();
    let credentials = Credentials::new(&ufrag, "aPasswordOf22Characters").expect("valid");
    let mut script = Script::new(|c| {
        (c.role, c.nomination) = (Role::Controlling, crate::Nomination::Immediate);
    });
    script.host(1);
    script.agent.set_remote_parameters(&RemoteParameters::new(credentials), script.now).expect("open");
    script.signal(&host(1));
    let check = script.check();
    assert!(check.use_candidate);
    assert_eq!(check.username.as_ref().map(|u| &u[..256]), Some(&*ufrag));
    assert!(check.bytes.len() <= MAX_TRANSMIT);
    // The largest answer: SHA-256, and unknown attributes to name.
    let answer = script.ask(|a| (a.sha256, a.extra) = (true, Some(floe_stun::AttributeType::new(0x7777))));
    assert!(answer.is_some_and(|a| a.bytes.len() <= MAX_TRANSMIT));
}

#[test]
fn what_a_peer_may_send_in_a_username_is_read() {
    // RFC 8489 §14.3: up to 763 bytes are parsed, and RFC 8839 §5.4 ufrags of 256.
    let ufrag: std::string::String = core::iter::repeat_n('u', 256).collect();
    let mut script = Script::new(|_| {});
    script.host(1);
    let credentials = Credentials::new(&ufrag, "aPasswordOf22Characters").expect("valid");
    script.agent.set_remote_parameters(&RemoteParameters::new(credentials), script.now).expect("open");
    let name = std::format!("{}:{ufrag}", script.agent.local_credentials().ufrag());
    script.ask(|a| a.username = Some(name));
    assert_eq!(script.state_of(local(1), remote(1)), Some(PairState::InProgress));
}

#[test]
fn a_hundred_candidates_a_side_keep_the_best_hundred_pairs() {
    let mut script = Script::new(|c| c.role = Role::Controlling);
    for n in 1..=100 {
        script.host(n);
    }
    script.know_peer();
    for n in 1..=100 {
        script.signal(&Candidate::host(remote(n)).with_local_preference(65_535 - 256 * (u16::from(n) - 1)));
    }
    assert_eq!(script.agent.pairs().count(), 100);
    let mut best: Vec<u64> = Vec::new();
    for (_, _, ours) in script.agent.local_candidates() {
        for (_, _, theirs) in script.agent.remote_candidates() {
            best.push(crate::candidate::pair_priority(ours.priority(), theirs.priority()));
        }
    }
    best.sort_unstable_by(|a, b| b.cmp(a));
    let found: Vec<u64> = script.agent.pairs().map(|p| p.priority).collect();
    assert_eq!(found[..99], best[..99], "but for one that was checked before the best were known");
    assert_eq!(
        script.agent.counters().rejected(Rejection::LimitReached),
        0,
        "nothing of it is the network's fault"
    );
}
