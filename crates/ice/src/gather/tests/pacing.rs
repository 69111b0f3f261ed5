//! RFC 8445 §14: one new transaction in each Ta, retransmissions by RTO, and deadlines to the nanosecond.

use alloc::vec::Vec;
use core::time::Duration;
use std::string::String;

use floe_stun::Time;

use super::{Bench, Says, millis, ms, parse};
use crate::{GatheringFailure, InterfaceAddress};

const SERVER: &str = "203.0.113.1:3478";

/// `n` servers, of which none exists.
fn dead_servers(n: u8) -> Vec<String> {
    (1..=n).map(|n| std::format!("203.0.113.{n}:3478")).collect()
}

fn asking_dead_servers(n: u8) -> Bench {
    let servers = dead_servers(n);
    let servers: Vec<&str> = servers.iter().map(String::as_str).collect();
    Bench::asking(&servers)
}

#[test]
fn a_lost_request_is_repeated_with_the_same_bytes_until_the_deadline() {
    let mut bench = Bench::asking(&[SERVER]);
    bench.gather_on(&["192.168.1.5"]);
    bench.run_ms(60_000);
    assert_eq!(bench.times_to(SERVER), [0, 500, 1500, 3500, 7500]);
    assert!(bench.sent.iter().all(|s| s.bytes == bench.sent[0].bytes));
    assert_eq!(bench.agent.counters().retransmissions, 4);
    let problem = (10_000, Some(0), Some("192.168.1.5:5000".into()), GatheringFailure::ServerTimeout);
    assert_eq!(bench.problems(), [problem]);
    assert_eq!(bench.completed_at(), Some(10_000));
    assert_eq!(bench.agent.poll_timeout(), None);
}

#[test]
fn a_long_deadline_ends_where_the_transaction_does() {
    let mut bench = Bench::new(|c| {
        c.gather.servers = [parse(SERVER)].into();
        c.gather.server_deadline = Duration::from_secs(600);
    });
    bench.gather_on(&["192.168.1.5"]);
    bench.run_ms(700_000);
    assert_eq!(bench.times_to(SERVER), [0, 500, 1500, 3500, 7500, 15_500, 31_500]);
    assert_eq!(bench.completed_at(), Some(39_500));
}

#[test]
fn the_deadline_is_exact() {
    let deadline = Duration::from_nanos(1_234_567_891);
    let mut bench = Bench::new(|c| {
        c.gather.servers = [parse(SERVER)].into();
        c.gather.server_deadline = deadline;
    });
    bench.gather_on(&["192.168.1.5"]);
    bench.run_ms(500);
    assert_eq!(bench.agent.poll_timeout(), Some(Time::ZERO + deadline));
    let just_before = Time::from_nanos(deadline.as_nanos() as u64 - 1);
    bench.agent.handle_timeout(just_before);
    assert_eq!(bench.agent.poll_event(), None);
    bench.agent.handle_timeout(Time::ZERO + deadline);
    assert!(bench.agent.poll_event().is_some());
}

#[test]
fn new_transactions_are_ta_apart_and_the_best_address_asks_first() {
    let mut bench = asking_dead_servers(2);
    bench.gather_on(&["192.168.1.5", "192.168.2.5", "192.168.3.5"]);
    bench.run_ms(499);
    let order: Vec<_> = bench.requests();
    let to = |n: u8| std::format!("203.0.113.{n}:3478");
    let expected: Vec<_> = (0..6).map(|n| (n * 50, n / 2, to(1 + (n % 2) as u8))).collect();
    assert_eq!(order, expected);
}

#[test]
fn rto_grows_with_the_number_of_candidates_to_be_gathered() {
    let mut bench = asking_dead_servers(4);
    bench.gather_on(&["192.168.1.5", "192.168.2.5", "192.168.3.5"]);
    bench.run_ms(9000);
    // Ta × 12 = 600 ms.
    let first = bench.times_to("203.0.113.1:3478");
    assert_eq!(first[..4], [0, 200, 400, 600]);
    let of_first: Vec<_> =
        bench.sent.iter().filter(|s| s.id == bench.sent[0].id).map(|s| millis(s.at)).collect();
    assert_eq!(of_first, [0, 600, 1800, 4200, 9000]);
}

#[test]
fn ta_and_rto_are_the_configured_ones() {
    let mut bench = Bench::new(|c| {
        c.ta = Duration::from_millis(20);
        c.rto = Duration::from_millis(700);
        c.gather.servers = dead_servers(3).iter().map(|s| parse(s)).collect();
    });
    bench.gather_on(&["192.168.1.5"]);
    bench.run_ms(720);
    let times: Vec<_> = bench.requests().iter().map(|r| r.0).collect();
    assert_eq!(times, [0, 20, 40, 700, 720]);
}

#[test]
fn dead_servers_interfaces_and_families_delay_nobody() {
    let mut bench = asking_dead_servers(3).with_server("203.0.113.3:3478", 40, Says::Nat("203.0.113.99"));
    bench.opens = false;
    let interfaces = ["2001:db8::5", "192.168.1.5"].map(|a| InterfaceAddress::new(1, parse(a)));
    bench.gather(&interfaces);
    // The driver never opens the IPv6 address.
    let (request, v4) = bench.openings()[1];
    bench.open(request, v4);
    bench.run_ms(200);
    // The third server in turn, and one round trip.
    assert_eq!(bench.reflexive(), ["203.0.113.99:5000"]);
    let announced = bench.events.iter().find_map(|(at, e)| match e {
        crate::Event::LocalCandidate(id) if id.as_u32() == 1 => Some(*at),
        _ => None,
    });
    assert_eq!(announced, Some(ms(140)));
}

#[test]
fn gathering_and_checks_share_the_pace_and_take_turns() {
    let mut bench = asking_dead_servers(4);
    bench.gather_on(&["192.168.1.5"]);
    bench.meet_a_peer(4);
    bench.run_ms(450);
    let begun: Vec<_> = bench.begun().iter().map(|s| (millis(s.at), s.is_check)).collect();
    let alternating: Vec<_> = (0..8).map(|n| (n * 50, n % 2 == 1)).collect();
    assert_eq!(begun, alternating);
}

#[test]
fn a_driver_that_comes_late_causes_no_burst() {
    let mut bench = asking_dead_servers(8);
    bench.gather_on(&["192.168.1.5"]);
    for at in [400, 800, 1200] {
        bench.now = ms(at);
        bench.agent.handle_timeout(bench.now);
        bench.drain();
    }
    let begun: Vec<_> = bench.begun().iter().map(|s| millis(s.at)).collect();
    assert_eq!(begun, [0, 400, 800, 1200]);
    // One retransmission for each that is due, however much later it is.
    let first: Vec<_> =
        bench.sent.iter().filter(|s| s.id == bench.sent[0].id).map(|s| millis(s.at)).collect();
    assert_eq!(first, [0, 800]);
    assert_eq!(bench.agent.poll_timeout(), Some(ms(1250)));
}

#[test]
fn early_and_repeated_calls_do_nothing() {
    let mut bench = Bench::asking(&[SERVER]);
    bench.gather_on(&["192.168.1.5"]);
    for at in [0, 0, 100, 499, 499] {
        bench.agent.handle_timeout(ms(at));
    }
    bench.drain();
    assert_eq!(bench.sent.len(), 1);
    assert_eq!(bench.agent.poll_timeout(), Some(ms(500)));
}

#[test]
fn gathering_in_which_everything_is_lost_completes_within_its_bound() {
    let mut bench = asking_dead_servers(3);
    bench.gather_on(&["192.168.1.5", "192.168.2.5"]);
    bench.meet_a_peer(10);
    bench.run_ms(60_000);
    // Six queries that take turns with checks, and ten seconds for the last.
    assert_eq!(bench.completed_at(), Some(10 * 50 + 10_000));
    assert_eq!(bench.problems().len(), 6);
    assert!(bench.problems().iter().all(|p| p.3 == GatheringFailure::ServerTimeout));
}
