//! RFC 8445 §5.1.1.2: finding the servers, and which base asks which.

use alloc::vec::Vec;
use core::time::Duration;

use super::{Bench, Says, ms, parse};
use crate::{Command, DriverError, GatheringFailure, GatheringState, InterfaceAddress};

const SERVER: &str = "203.0.113.1:3478";

#[test]
fn a_candidate_comes_from_a_server_after_one_round_trip() {
    let mut bench = Bench::asking(&[SERVER]).with_server(SERVER, 40, Says::Nat("203.0.113.99"));
    bench.gather_on(&["192.168.1.5"]);
    assert_eq!(bench.states(), [(0, GatheringState::Gathering)]);
    bench.run_ms(1000);
    assert_eq!(bench.requests(), [(0, 0, SERVER.into())]);
    assert_eq!(bench.reflexive(), ["203.0.113.99:5000"]);
    assert_eq!(bench.candidates()[1].2.as_deref(), Some("192.168.1.5:5000"));
    assert_eq!(bench.states(), [(0, GatheringState::Gathering), (40, GatheringState::Complete)]);
    assert_eq!(bench.problems(), []);
}

#[test]
fn a_name_is_looked_up_once_whatever_asks_for_it() {
    let mut bench = Bench::asking(&["stun:stun.example.org:3479"]);
    bench.gather_on(&["192.168.1.5", "10.0.0.5", "2001:db8::5"]);
    let lookups = bench.commands.iter().filter(|(_, c)| matches!(c, Command::Resolve { .. }));
    assert_eq!(lookups.count(), 1);
    assert!(
        matches!(&bench.commands[0].1, Command::Resolve { host, port: 3479, .. } if host == "stun.example.org")
    );
    assert!(bench.sent.is_empty());
    bench.resolve("stun.example.org", &["203.0.113.1:3479", "203.0.113.2:3479", "[2001:db8::53]:3479"]);
    bench.run_ms(100);
    // Of several addresses of a family, the first.
    assert_eq!(bench.times_to("[2001:db8::53]:3479"), [0], "the most preferred address asks first");
    assert_eq!(bench.times_to("203.0.113.1:3479"), [50, 100]);
    assert_eq!(bench.sent.len(), 3);
}

#[test]
fn a_dead_name_service_delays_nobody_and_is_reported_at_its_deadline() {
    let mut bench =
        Bench::asking(&["dead.example.org", SERVER]).with_server(SERVER, 40, Says::Nat("203.0.113.99"));
    bench.gather_on(&["192.168.1.5"]);
    bench.run_ms(4999);
    assert_eq!(bench.reflexive(), ["203.0.113.99:5000"]);
    assert_eq!(bench.completed_at(), None);
    bench.run_ms(5000);
    assert_eq!(bench.problems(), [(5000, Some(0), None, GatheringFailure::NoAnswerFromDriver)]);
    assert_eq!(bench.completed_at(), Some(5000));
}

#[test]
fn an_answer_of_the_name_service_after_the_deadline_does_not_count() {
    let mut bench = Bench::asking(&["slow.example.org", SERVER]);
    bench.gather_on(&["192.168.1.5"]);
    bench.run_ms(6000);
    bench.resolve("slow.example.org", &["203.0.113.7:3478"]);
    bench.run_ms(20_000);
    assert!(bench.times_to("203.0.113.7:3478").is_empty());
    assert_eq!(bench.completed_at(), Some(10_000));
}

#[test]
fn a_name_that_does_not_exist_is_reported_at_once() {
    let mut bench = Bench::asking(&["no.example.org"]);
    bench.gather_on(&["192.168.1.5"]);
    bench.now = ms(300);
    let request = bench.request_for("no.example.org");
    bench.agent.resolved(request, Err(DriverError::NameNotFound), bench.now);
    bench.drain();
    let failure = GatheringFailure::Driver(DriverError::NameNotFound);
    assert_eq!(bench.problems(), [(300, Some(0), None, failure)]);
    assert_eq!(bench.completed_at(), Some(300));
}

#[test]
fn a_second_answer_of_the_name_service_changes_nothing() {
    let mut bench = Bench::asking(&["stun.example.org"]);
    bench.gather_on(&["192.168.1.5"]);
    bench.resolve("stun.example.org", &["203.0.113.1:3478"]);
    bench.resolve("stun.example.org", &["203.0.113.2:3478"]);
    bench.run_ms(400);
    assert_eq!(bench.requests().len(), 1);
}

#[test]
fn addresses_that_no_server_can_have_are_passed_over_however_many_there_are() {
    let mut bench = Bench::asking(&["stun.example.org"]);
    bench.gather_on(&["192.168.1.5"]);
    let mut answer = std::vec!["0.0.0.0:3478", "224.0.0.1:3478", "203.0.113.9:0", "[::]:3478"];
    answer.extend(std::vec!["255.255.255.255:3478"; 10_000]);
    answer.push("[::ffff:203.0.113.1]:3478");
    bench.resolve("stun.example.org", &answer);
    bench.run_ms(100);
    assert_eq!(bench.times_to(SERVER), [0]);
    assert_eq!(bench.sent.len(), 1);
}

#[test]
fn a_name_without_any_usable_address_is_a_problem() {
    for answer in [&[][..], &["0.0.0.0:3478"]] {
        let mut bench = Bench::asking(&["stun.example.org"]);
        bench.gather_on(&["192.168.1.5"]);
        bench.resolve("stun.example.org", answer);
        assert_eq!(bench.problems(), [(0, Some(0), None, GatheringFailure::NoUsableAddress)]);
        assert_eq!(bench.completed_at(), Some(0));
    }
}

#[test]
fn a_server_of_a_family_that_nobody_has_is_reported_and_the_others_are_asked() {
    let mut bench =
        Bench::asking(&["[2001:db8::53]:3478", SERVER]).with_server(SERVER, 40, Says::Nat("203.0.113.99"));
    bench.gather_on(&["192.168.1.5"]);
    bench.run_ms(1000);
    assert_eq!(bench.problems(), [(0, Some(0), None, GatheringFailure::NoUsableAddress)]);
    assert_eq!(bench.reflexive(), ["203.0.113.99:5000"]);
    assert_eq!(bench.completed_at(), Some(40));
}

#[test]
fn each_family_asks_the_servers_of_its_own() {
    let v6 = "[2001:db8::53]:3478";
    let mut bench = Bench::asking(&[SERVER, v6]);
    bench.gather_on(&["192.168.1.5", "2001:db8:1::5"]);
    bench.run_ms(400);
    // IPv6 ranks first.
    assert_eq!(bench.requests(), [(0, 0, v6.into()), (50, 1, SERVER.into())]);
}

#[test]
fn loopback_and_link_local_bases_only_ask_servers_as_near() {
    let (global, near, linked) = ("[2001:db8::53]:3478", "[::1]:3478", "[fe80::53%7]:3478");
    let mut bench = Bench::new(|c| {
        c.gather.loopback = true;
        c.gather.servers = [global, near, linked].iter().map(|s| parse(s)).collect();
    });
    bench.gather(&[
        InterfaceAddress::new(1, parse("::1")),
        InterfaceAddress::new(7, parse("fe80::7")),
        InterfaceAddress::new(8, parse("fe80::8")),
        InterfaceAddress::new(9, parse("2001:db8::9")),
    ]);
    bench.run_ms(450);
    let asked: Vec<_> = bench.sent.iter().map(|s| (bench.sockets[s.socket.0 as usize].ip(), s.to)).collect();
    let expected = [("::1", near), ("fe80::7", linked), ("2001:db8::9", global)];
    assert_eq!(asked, expected.map(|(base, server)| (parse(base), parse(server))));
}

#[test]
fn the_deadline_of_the_driver_can_be_set() {
    let mut bench = Bench::new(|c| {
        c.gather.servers = [parse("stun.example.org")].into();
        c.gather.driver_deadline = Duration::from_millis(700);
    });
    bench.gather_on(&["192.168.1.5"]);
    bench.run_ms(699);
    assert_eq!(bench.problems(), []);
    bench.run_ms(700);
    assert_eq!(bench.completed_at(), Some(700));
}
