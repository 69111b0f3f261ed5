//! Thousands of candidates, signalled or spoofed, and where the packets go because of them: RFC 8445 §19.5.1.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use floe_ice::{Candidate, ConnectionState, Role, StreamId, Time};

use crate::heap;
use crate::victim::{Sent, Victim, bystander, foundation, host, remote};

/// RFC 8489 §6.2.1: Rc.
const TRANSMISSIONS: usize = 7;
/// Of `Limits`.
const REMOTE_CANDIDATES: usize = 100;
const PEER_REFLEXIVE: usize = 32;
const PAIRS: usize = 100;
/// What an agent with all of that holds at most, in bytes.
const HELD: usize = 80 * 1024;

fn checks_to(sent: &[Sent]) -> BTreeMap<SocketAddr, usize> {
    let mut count = BTreeMap::new();
    sent.iter().filter(|sent| sent.is_request()).for_each(|sent| *count.entry(sent.to).or_default() += 1);
    count
}

/// Most packets within any second.
fn busiest_second(sent: &[Sent]) -> usize {
    let within =
        |from: Time| sent.iter().filter(|s| s.at >= from && s.at < from + Duration::from_secs(1)).count();
    sent.iter().map(|sent| within(sent.at)).max().unwrap_or_default()
}

/// "Voice hammer": the peer says that it is somewhere where it is not.
#[test]
fn a_bystander_gets_seven_checks_for_a_candidate_and_no_data() {
    let mut victim = Victim::with(Role::Controlling, 3, |_| {});
    victim.signal(&Candidate::host(bystander(1)));
    victim.agent.end_of_remote_candidates(StreamId::FIRST, victim.now).expect("open");
    victim.agent.end_of_local_candidates(victim.now).expect("open");
    for _ in 0..200 {
        victim.run_unanswered(1_000);
        assert_eq!(victim.path(), None, "data needs an answer");
    }
    assert_eq!(victim.agent.state(), ConnectionState::Failed);
    let sent = victim.take();
    assert_eq!(
        checks_to(&sent),
        BTreeMap::from([(bystander(1), 3 * TRANSMISSIONS)]),
        "seven from each of three addresses"
    );
}

#[test]
fn thousands_of_signalled_candidates_cost_a_hundred_pairs_at_a_gentle_pace() {
    let mut victim = Victim::with(Role::Controlled, 4, |_| {});
    // All at one bystander, who notices most.
    for port in 1..=5_000 {
        let candidate = Candidate::host(SocketAddr::from(([198, 18, 0, 1], port)));
        victim.signal(&candidate.with_foundation(foundation(port)));
    }
    assert_eq!(victim.agent.remote_candidates().count(), REMOTE_CANDIDATES);
    assert!(victim.agent.pairs().count() <= PAIRS);
    victim.agent.end_of_local_candidates(victim.now).expect("open");
    victim.run_unanswered(300_000);
    let sent = victim.take();
    assert!(sent.len() <= PAIRS * TRANSMISSIONS, "{} packets", sent.len());
    assert!(sent.iter().map(|sent| sent.bytes.len()).sum::<usize>() <= 80_000);
    // Ta lets 20 checks begin in a second (RFC 8445 §14.2), each of which is sent at 0, 1 and 3 s.
    assert!(busiest_second(&sent) <= 60, "{} packets in a second", busiest_second(&sent));
    let last = sent.last().expect("checks").at;
    assert!(last < Time::from_secs(90), "it is over at {last:?}");
}

#[test]
fn candidates_one_after_the_other_cost_no_more_for_each() {
    // A pair that failed makes room for the next one, so that the peer may go on, up to the limit on candidates.
    let mut victim = Victim::with(Role::Controlled, 4, |_| {});
    for n in 0..300 {
        victim.signal(&Candidate::host(bystander(n)));
        victim.run_unanswered(2_000);
    }
    victim.run_unanswered(60_000);
    let checks = checks_to(&victim.take());
    assert!(checks.len() <= REMOTE_CANDIDATES, "{} addresses", checks.len());
    assert!(checks.values().all(|&count| count <= 4 * TRANSMISSIONS), "{checks:?}");
}

#[test]
fn thousands_of_sources_teach_us_32_of_them() {
    let mut victim = Victim::new(Role::Controlled);
    victim.signal(&host(1));
    for n in 0..5_000 {
        let ask = victim.ask(|_| {});
        let _ = victim.send(bystander(n), &ask);
    }
    assert_eq!(victim.agent.remote_candidates().count(), 1 + PEER_REFLEXIVE);
    let answers = victim.take().iter().filter(|sent| !sent.is_request()).count();
    assert_eq!(answers, 5_000, "one for each check");
    // The peer's own address still works.
    victim.run(20_000);
    assert_eq!(victim.path(), Some(remote(1)));
    victim.run(100_000);
    let checks = checks_to(&victim.take());
    let spoofed: usize = checks.iter().filter(|(to, _)| **to != remote(1)).map(|(_, count)| count).sum();
    assert!(spoofed <= PEER_REFLEXIVE * TRANSMISSIONS, "{spoofed} checks to addresses that never answered");
}

#[test]
fn a_spoofed_source_that_insists_is_checked_no_faster_than_ta_allows() {
    let mut victim = Victim::new(Role::Controlled);
    for _ in 0..1_000 {
        let ask = victim.ask(|_| {});
        let _ = victim.send(bystander(1), &ask);
        victim.run_unanswered(10);
    }
    let sent = victim.take();
    let checks = checks_to(&sent)[&bystander(1)];
    // A hundred checks of the peer in a second, twenty of ours.
    assert!(checks <= 200 + TRANSMISSIONS, "{checks} checks in ten seconds");
    // And when it stops, so do we.
    victim.run_unanswered(60_000);
    assert!(checks_to(&victim.take()).get(&bystander(1)).is_none_or(|&count| count <= TRANSMISSIONS));
}

#[test]
fn candidates_that_reach_nothing_do_not_keep_the_one_that_does_from_working() {
    for role in [Role::Controlling, Role::Controlled] {
        let mut victim = Victim::new(role);
        (0..99).for_each(|n| victim.signal(&Candidate::host(bystander(n)).with_priority(0x7FFF_FFFF)));
        victim.signal(&Candidate::host(remote(1)).with_priority(1));
        let ask = victim.ask(|ask| ask.nominates = role == Role::Controlled);
        let _ = victim.send(remote(1), &ask);
        victim.run(1_000);
        assert_eq!(victim.path(), Some(remote(1)), "a check of the peer comes first (RFC 8445 §6.1.4.1)");
    }
}

#[test]
fn what_a_peer_makes_us_hold_is_bounded() {
    heap::alone(|| {
        let mut victim = Victim::alone(Role::Controlled, 1, |_| {});
        victim.know_peer();
        let before = heap::live();
        for n in 0..20_000u16 {
            let candidate =
                Candidate::host(bystander(n)).with_extension("x", &"y".repeat(1_000)).expect("short enough");
            let _ = victim.agent.add_remote_candidate(StreamId::FIRST, &candidate, victim.now);
            let ask = victim.ask(|ask| ask.nominates = true);
            let _ = victim.send(bystander(n ^ 0x5555), &ask);
            victim.now += Duration::from_millis(5);
            victim.agent.handle_timeout(victim.now);
            victim.collect();
            victim.take();
            victim.take_events();
        }
        let held = heap::live() - before;
        assert!(held <= HELD + REMOTE_CANDIDATES * 1_100, "{held} bytes");
    });
}

#[test]
fn a_driver_that_polls_nothing_makes_us_hold_no_more() {
    heap::alone(|| {
        let mut victim = Victim::alone(Role::Controlled, 1, |_| {});
        victim.know_peer();
        let before = heap::live();
        for n in 0..20_000u16 {
            let ask = victim.ask(|ask| ask.nominates = true);
            let datagram = floe_ice::Datagram {
                socket: floe_ice::SocketId(1),
                local_ip: None,
                source: bystander(n),
                contents: &ask,
            };
            let _ = victim.agent.handle_datagram(datagram, victim.now);
            let tie = if n % 2 == 0 { 0 } else { u64::MAX };
            let flap = victim.ask(|ask| (ask.controlling, ask.controlled) = (None, Some(tie)));
            let datagram = floe_ice::Datagram { contents: &flap, ..datagram };
            let _ = victim.agent.handle_datagram(datagram, victim.now);
        }
        victim.agent.check_invariants();
        let held = heap::live() - before;
        assert!(held <= HELD, "{held} bytes");
    });
}

#[test]
fn the_socket_may_fail_in_the_middle_of_it() {
    let mut victim = Victim::with(Role::Controlled, 2, |_| {});
    victim.signal(&host(1));
    for n in 0..200 {
        let ask = victim.ask(|ask| ask.nominates = true);
        let _ = victim.send(bystander(n), &ask);
        victim.signal(&Candidate::host(bystander(1_000 + n)));
    }
    victim.run_unanswered(200);
    victim.take();
    victim.agent.socket_failed(floe_ice::SocketId(1), victim.now);
    victim.collect();
    let ask = victim.ask(|ask| ask.nominates = true);
    assert!(matches!(victim.send(bystander(1), &ask), floe_ice::Received::Rejected(_)));
    victim.run_unanswered(60_000);
    assert!(victim.take().iter().all(|sent| sent.socket == floe_ice::SocketId(2)));
    // The other socket still connects.
    let ask = victim.ask(|ask| ask.nominates = true);
    let _ = victim.arrive(floe_ice::SocketId(2), remote(1), &ask);
    victim.run_with(2_000, |sent| {
        (sent.to == remote(1)).then_some(crate::wire::Say::Success(crate::victim::local(2)))
    });
    assert_eq!(victim.path(), Some(remote(1)));
}
