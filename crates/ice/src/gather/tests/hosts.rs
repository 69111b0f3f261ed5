//! RFC 8445 §5.1.1.1: sockets that the driver opens, or does not.

use core::net::SocketAddr;
use core::time::Duration;

use super::{Bench, Says, ms, parse};
use crate::candidate::CandidateKind;
use crate::{DriverError, Event, GatheringFailure, GatheringState, InterfaceAddress, SocketId};

const SERVER: &str = "203.0.113.1:3478";

/// A bench whose driver does not answer by itself, with these addresses asked for.
fn unopened(servers: &[&str], addresses: &[&str]) -> Bench {
    let mut bench = Bench::asking(servers);
    bench.opens = false;
    bench.gather_on(addresses);
    bench
}

#[test]
fn without_servers_gathering_is_complete_with_the_last_socket() {
    let mut bench = unopened(&[], &["192.0.2.1", "198.51.100.1"]);
    let [(first, a), (second, b)] = bench.openings()[..] else { panic!("two addresses, two sockets") };
    bench.open(second, b);
    bench.drain();
    assert_eq!(bench.states(), [(0, GatheringState::Gathering)]);
    bench.now = ms(100);
    bench.open(first, a);
    bench.drain();
    assert_eq!(bench.completed_at(), Some(100));
    let hosts: std::vec::Vec<_> = bench.candidates().into_iter().map(|c| (c.0, c.1)).collect();
    let host = |address: &str| (CandidateKind::Host, address.into());
    assert_eq!(hosts, [host("198.51.100.1:5000"), host("192.0.2.1:5001")]);
    // However late it came, the first address has the higher priority.
    let priorities: std::vec::Vec<_> = bench.agent.local_candidates().map(|(_, _, c)| c.priority()).collect();
    assert!(priorities[0] < priorities[1]);
    assert_eq!(bench.agent.poll_timeout(), None, "nothing is left to do");
}

#[test]
fn complete_is_the_last_thing_that_is_said() {
    let mut bench = Bench::asking(&[SERVER]).with_server(SERVER, 40, Says::Nat("203.0.113.99"));
    bench.gather_on(&["192.0.2.1"]);
    bench.run_ms(1000);
    let last = bench.events.last().map(|e| e.1);
    assert_eq!(last, Some(Event::GatheringStateChanged(GatheringState::Complete)));
}

#[test]
fn a_socket_that_cannot_be_opened_is_a_problem_and_no_more() {
    let mut bench = unopened(&[], &["192.0.2.1", "198.51.100.1"]);
    let [(first, _), (second, b)] = bench.openings()[..] else { panic!("two addresses, two sockets") };
    bench.agent.opened(first, Err(DriverError::PermissionDenied), bench.now);
    bench.open(second, b);
    bench.drain();
    let failure = GatheringFailure::Driver(DriverError::PermissionDenied);
    assert_eq!(bench.problems(), [(0, None, Some("192.0.2.1:0".into()), failure)]);
    assert_eq!(bench.candidates().len(), 1);
    assert_eq!(bench.completed_at(), Some(0));
}

#[test]
fn when_no_socket_can_be_opened_nobody_waits_for_the_servers() {
    let mut bench = unopened(&["stun.example.org", SERVER], &["192.0.2.1"]);
    let [(request, _)] = bench.openings()[..] else { panic!("one address, one socket") };
    bench.now = ms(30);
    bench.agent.opened(request, Err(DriverError::NoPortFree), bench.now);
    bench.drain();
    assert_eq!(bench.completed_at(), Some(30));
    assert_eq!(bench.problems().len(), 1, "the servers are not to blame");
    assert_eq!(bench.agent.poll_timeout(), None);
}

#[test]
fn a_driver_that_does_not_answer_is_waited_for_until_its_deadline() {
    let mut bench = unopened(&[], &["192.0.2.1", "198.51.100.1"]);
    let [_, (second, b)] = bench.openings()[..] else { panic!("two addresses, two sockets") };
    bench.open(second, b);
    bench.run_ms(4999);
    assert_eq!((bench.candidates().len(), bench.completed_at()), (1, None));
    bench.run_ms(5000);
    let problem = (5000, None, Some("192.0.2.1:0".into()), GatheringFailure::NoAnswerFromDriver);
    assert_eq!(bench.problems(), [problem]);
    assert_eq!(bench.completed_at(), Some(5000));
}

#[test]
fn a_socket_that_comes_too_late_is_closed_again_once() {
    // The server is dead, so gathering still goes on when the socket comes.
    let mut bench = unopened(&[SERVER], &["192.0.2.1", "198.51.100.1"]);
    let [(first, a), (second, b)] = bench.openings()[..] else { panic!("two addresses, two sockets") };
    bench.open(second, b);
    bench.run_ms(6000);
    bench.open(first, a);
    bench.drain();
    assert_eq!(bench.closed(), [SocketId(1)]);
    assert_eq!(bench.candidates().len(), 1);
    // And again, when gathering is over.
    bench.agent.opened(first, Ok((SocketId(1), a)), bench.now);
    bench.run_ms(20_000);
    bench.agent.opened(second, Ok((SocketId(9), b)), bench.now);
    bench.drain();
    assert_eq!(bench.closed(), [SocketId(1)]);
    assert_eq!(bench.completed_at(), Some(10_000));
}

#[test]
fn a_socket_at_another_address_than_asked_for_is_not_used() {
    for bound in ["0.0.0.0:5000", "192.0.2.2:5000", "192.0.2.1:0", "[::1]:5000"] {
        let mut bench = unopened(&[], &["192.0.2.1"]);
        let [(request, _)] = bench.openings()[..] else { panic!("one address, one socket") };
        bench.agent.opened(request, Ok((SocketId(0), parse(bound))), bench.now);
        bench.drain();
        let failure = GatheringFailure::Driver(DriverError::AddressNotAvailable);
        assert_eq!(bench.problems(), [(0, None, Some("192.0.2.1:0".into()), failure)], "{bound}");
        assert_eq!((bench.candidates().len(), bench.closed()), (0, [SocketId(0)].into()));
        assert_eq!(bench.completed_at(), Some(0));
    }
}

#[test]
fn a_driver_may_forget_the_zone_and_map_ipv4_into_ipv6() {
    let mut bench = Bench::new(|_| {});
    bench.opens = false;
    let interfaces = [("fe80::1", 3), ("192.0.2.1", 4)].map(|(a, n)| InterfaceAddress::new(n, parse(a)));
    bench.gather(&interfaces);
    for ((request, _), bound) in
        bench.openings().into_iter().zip(["[fe80::1]:5000", "[::ffff:192.0.2.1]:5001"])
    {
        bench.sockets.push(parse(bound));
        let socket = SocketId(bench.sockets.len() as u64 - 1);
        bench.agent.opened(request, Ok((socket, parse(bound))), bench.now);
    }
    bench.drain();
    let addresses: std::vec::Vec<SocketAddr> =
        bench.agent.local_candidates().map(|(_, _, c)| c.address()).collect();
    assert_eq!(addresses, [parse::<SocketAddr>("[fe80::1%3]:5000"), parse("192.0.2.1:5001")]);
}

#[test]
fn one_number_for_two_sockets_is_the_drivers_fault_and_the_first_stays() {
    let mut bench = unopened(&[], &["192.0.2.1", "198.51.100.1"]);
    let [(first, mut a), (second, mut b)] = bench.openings()[..] else {
        panic!("two addresses, two sockets")
    };
    a.set_port(5000);
    b.set_port(5001);
    bench.agent.opened(first, Ok((SocketId(0), a)), bench.now);
    bench.agent.opened(second, Ok((SocketId(0), b)), bench.now);
    bench.drain();
    let failure = GatheringFailure::Driver(DriverError::Other);
    assert_eq!(bench.problems(), [(0, None, Some("198.51.100.1:0".into()), failure)]);
    assert_eq!((bench.candidates().len(), bench.closed().len()), (1, 0));
    bench.agent.close(bench.now);
    bench.drain();
    assert_eq!(bench.closed(), [SocketId(0)]);
}

#[test]
fn an_answer_to_no_question_is_ignored() {
    let mut bench = unopened(&[], &["192.0.2.1"]);
    let [(request, a)] = bench.openings()[..] else { panic!("one address, one socket") };
    bench.open(request, a);
    bench.drain();
    bench.agent.opened(request, Ok((SocketId(0), parse("192.0.2.1:5000"))), bench.now);
    bench.agent.opened(request, Err(DriverError::Other), bench.now);
    bench.agent.resolved(request, Err(DriverError::Other), bench.now);
    bench.drain();
    assert_eq!((bench.problems().len(), bench.closed().len(), bench.candidates().len()), (0, 0, 1));
}

#[test]
fn a_socket_that_fails_while_servers_are_asked_ends_its_queries_only() {
    let mut bench = Bench::asking(&[SERVER]).with_server(SERVER, 100, Says::Nat("203.0.113.99"));
    bench.gather_on(&["192.168.1.5", "192.168.2.5"]);
    bench.run_ms(60);
    let lost = bench.sent[0].clone();
    bench.agent.socket_failed(SocketId(0), bench.now);
    bench.drain();
    let problem = (60, None, Some("192.168.1.5:5000".into()), GatheringFailure::SocketFailed);
    assert_eq!(bench.problems(), [problem]);
    assert_eq!(bench.closed(), [SocketId(0)]);
    bench.run_ms(1000);
    assert!(bench.sent.iter().filter(|s| s.at > ms(60)).all(|s| s.socket != lost.socket));
    assert_eq!(bench.reflexive(), ["203.0.113.99:5001"]);
    assert_eq!(bench.completed_at(), Some(150));
    bench.agent.socket_failed(SocketId(0), bench.now);
    bench.agent.close(bench.now);
    bench.drain();
    assert_eq!(bench.closed(), [SocketId(0), SocketId(1)], "each once");
}

#[test]
fn when_every_socket_fails_gathering_is_complete() {
    let mut bench = Bench::asking(&["stun.example.org"]);
    bench.gather_on(&["192.168.1.5"]);
    bench.now = ms(10);
    bench.agent.socket_failed(SocketId(0), bench.now);
    bench.drain();
    assert_eq!(bench.completed_at(), Some(10));
    assert_eq!(bench.agent.poll_timeout(), None);
}

#[test]
fn gathering_happens_once() {
    use crate::AgentError;
    let mut bench = Bench::new(|c| c.gather.driver_deadline = Duration::from_secs(1));
    bench.gather_on(&["192.0.2.1"]);
    assert_eq!(bench.agent.gather(&[], bench.now), Err(AgentError::AlreadyGathering));
    let mut ended = Bench::new(|_| {});
    ended.agent.end_of_local_candidates(ended.now).expect("open");
    assert_eq!(ended.agent.gather(&[], ended.now), Err(AgentError::AlreadyComplete));
}
