//! TURN servers that are reached over connections, and those that send us on: RFC 8656 §3.1, RFC 8305 §5, RFC 8489 §10.

use std::string::ToString;
use std::vec::Vec;

use floe_turn::client::Failure;

use super::line_net::{FIRST, LineNet, Place, SECOND, THIRD, sending_to, turn};
use super::relay_net::at;
use crate::RelayTransport::{Tcp, Tls, Udp};
use crate::candidate::CandidateKind;
use crate::{
    Component, Config, ConfigError, DriverError, Event, GatheringFailure, GatheringState, RelayLoss,
    RelayServer, ServerAddress, SocketId,
};

fn plain(_: &mut Config) {}

/// A server with a name, which has several addresses.
fn named(config: &mut Config) {
    let name = ServerAddress::Name { host: "turn.example.org".into(), port: 3478 };
    config.gather.relays[0].address = name;
}

fn relayed(net: &LineNet) -> Vec<crate::Candidate> {
    let all = net.agent.local_candidates().map(|(_, _, candidate)| candidate.clone());
    all.filter(|candidate| candidate.kind() == CandidateKind::Relayed).collect()
}

fn losses(net: &LineNet) -> Vec<RelayLoss> {
    let loss = |(_, event): &(u64, Event)| match event {
        Event::RelayLost { failure, .. } => Some(*failure),
        _ => None,
    };
    net.events.iter().filter_map(loss).collect()
}

#[test]
fn a_relay_over_tcp_has_a_connection_of_its_own() {
    let mut net = LineNet::new(Tcp, [turn(FIRST, |_| {})], plain);
    net.run(1_000);
    let [asked] = &net.asked[..] else { panic!("{:?}", net.asked) };
    assert_eq!((asked.server, asked.tls_name.clone(), asked.local), (at(FIRST), None, at("203.0.113.1:0")));
    assert_eq!((net.problems(), net.agent.gathering_state()), (Vec::new(), GatheringState::Complete));
    let [candidate] = &relayed(&net)[..] else { panic!("one relayed candidate") };
    let (_, client) = net.streams.values().next().expect("a connection");
    assert_eq!(candidate.related_address(), Some(*client), "RFC 8445 §5.1.1.2: what the server sees of us");
    let answered = |(_, event): &(u64, Event)| match event {
        Event::ServerAnswered { address, mapped, .. } => Some((*address, *mapped)),
        _ => None,
    };
    assert_eq!(net.events.iter().find_map(answered), Some((*client, *client)), "no NAT, and not the base");
    // RFC 8445 §5.1.1.2: to the address of a connection nobody else can send.
    let reflexive = |c: &crate::Candidate| c.kind() == CandidateKind::ServerReflexive;
    assert!(!net.agent.local_candidates().any(|(_, _, c)| reflexive(c)));
}

#[test]
fn tls_is_asked_for_with_the_name_that_the_certificate_is_for() {
    let mut net = LineNet::new(Tls, [turn(FIRST, |_| {})], plain);
    net.run(1_000);
    assert_eq!(net.asked[0].tls_name.as_deref(), Some("turn.example.org"));
    assert_eq!(relayed(&net).len(), 1);
}

#[test]
fn over_tls_a_server_by_its_address_needs_a_name() {
    let mut config = Config::new([1; 32]);
    let server = RelayServer::new(ServerAddress::Address(at(FIRST)), "alice", "secret").with_transport(Tls);
    config.gather.relays.push(server);
    assert_eq!(config.validate(), Err(ConfigError::RelayName));
}

#[test]
fn of_several_addresses_the_next_is_tried_after_a_quarter_of_a_second() {
    // Nobody is at the first two.
    let mut net = LineNet::new(Tcp, [turn(THIRD, |_| {})], named);
    net.names = [FIRST, SECOND, THIRD].map(at).to_vec();
    net.run(6_000);
    assert_eq!(net.connects(), [(0, at(FIRST)), (250, at(SECOND)), (500, at(THIRD))]);
    assert_eq!((relayed(&net).len(), net.streams.len()), (1, 1));
    assert_eq!(net.problems(), []);
}

#[test]
fn an_address_that_refuses_delays_nobody() {
    let places = [(at(FIRST), Place::Refusing), (at(SECOND), Place::Refusing), turn(THIRD, |_| {})];
    let mut net = LineNet::new(Tcp, places, named);
    net.names = [FIRST, SECOND, THIRD].map(at).to_vec();
    net.run(1_000);
    assert_eq!(net.connects(), [(0, at(FIRST)), (10, at(SECOND)), (20, at(THIRD))]);
    assert_eq!(relayed(&net).len(), 1);
}

#[test]
fn the_first_connection_is_used_and_the_others_are_closed() {
    let mut net = LineNet::new(Tcp, [turn(SECOND, |_| {})], named);
    net.names = [FIRST, SECOND].map(at).to_vec();
    net.run(1_000);
    assert_eq!(relayed(&net).len(), 1);
    // The first address answers after all: LineNet would have closed a connection that is not there.
    let late = crate::RequestId(1);
    net.streams.insert(SocketId(77), (at(FIRST), at("203.0.113.1:7777")));
    net.agent.connected(late, Ok((SocketId(77), at("203.0.113.1:7777"))), net.now);
    net.run(10);
    assert!(!net.streams.contains_key(&SocketId(77)), "closed");
    assert_eq!((net.streams.len(), losses(&net)), (1, Vec::new()));
}

#[test]
fn only_addresses_that_the_base_reaches_are_tried_and_each_once() {
    let mut net = LineNet::new(Tcp, [], named);
    net.names = ["[2001:db8::1]:3478", "127.0.0.1:3478", FIRST, FIRST, "0.0.0.0:3478"].map(at).to_vec();
    net.run(20_000);
    assert_eq!(net.connects(), [(0, at(FIRST))]);
}

#[test]
fn gathering_tells_why_there_is_no_connection() {
    let mut net = LineNet::new(Tcp, [(at(FIRST), Place::Refusing)], plain);
    net.run(1_000);
    assert_eq!(net.problems(), [(10, GatheringFailure::Driver(DriverError::ConnectionRefused))]);
    assert_eq!(net.agent.gathering_state(), GatheringState::Complete);
    let mut net = LineNet::new(Tcp, [], plain);
    net.run(20_000);
    assert_eq!(net.problems(), [(5_000, GatheringFailure::Driver(DriverError::TimedOut))]);
    assert_eq!(net.agent.poll_timeout(), None, "nothing more is tried");
}

#[test]
fn a_connected_server_that_says_nothing_has_its_deadline() {
    let mut net = LineNet::new(Tcp, [(at(FIRST), Place::Mute)], plain);
    net.run(20_000);
    assert_eq!(net.problems(), [(10_000, GatheringFailure::ServerTimeout)]);
    assert_eq!(net.streams.len(), 0, "the connection is closed");
}

#[test]
fn a_wrong_password_is_told_and_the_connection_closed() {
    let mut net = LineNet::new(Tcp, [turn(FIRST, |_| {})], |c| c.gather.relays[0].password = "wrong".into());
    net.run(20_000);
    assert_eq!(net.problems(), [(10, GatheringFailure::Relay(Failure::WrongCredentials))]);
    assert_eq!((net.streams.len(), net.asked.len()), (0, 1));
}

#[test]
fn a_server_without_room_is_not_asked_over_udp_instead() {
    let mut net = LineNet::new(Tcp, [turn(FIRST, |c| c.limits.allocations = 0)], plain);
    net.run(20_000);
    assert_eq!(net.problems(), [(10, GatheringFailure::Relay(Failure::InsufficientCapacity))]);
    assert_eq!(net.agent.gathering_state(), GatheringState::Complete);
}

#[test]
fn a_connection_that_ends_while_the_server_is_asked_is_a_problem_of_gathering() {
    let mut net = LineNet::new(Tcp, [(at(FIRST), Place::Mute)], plain);
    net.run(100);
    net.cut(DriverError::NotTurn);
    assert_eq!(net.problems(), [(100, GatheringFailure::Driver(DriverError::NotTurn))]);
    assert_eq!(net.streams.len(), 0);
}

#[test]
fn with_the_connection_the_allocation_is_lost_and_asked_for_again_ever_more_seldom() {
    let mut net = LineNet::new(Tcp, [turn(FIRST, |_| {})], plain);
    net.run(1_000);
    net.places.insert(at(FIRST), Place::Refusing);
    net.cut(DriverError::ConnectionReset);
    assert_eq!(losses(&net), [RelayLoss::Connection(DriverError::ConnectionReset)]);
    assert_eq!(losses(&net)[0].to_string(), "the connection was reset");
    net.run(20_000);
    let times: Vec<_> = net.connects().into_iter().skip(1).map(|(ms, _)| ms).collect();
    assert_eq!(times, [2_000, 4_010, 8_020, 16_030], "1, 2, 4 and 8 s after each failure");
    let (address, place) = turn(FIRST, |_| {});
    net.places.insert(address, place);
    net.run(20_000);
    assert_eq!((net.allocations(FIRST), net.streams.len()), (1, 1));
    assert_eq!(losses(&net).len(), 1, "what is retried is not told again");
}

#[test]
fn a_restart_does_not_wait_for_the_pause_after_a_loss() {
    let mut net = LineNet::new(Tcp, [turn(FIRST, |_| {})], plain);
    net.run(1_000);
    net.places.insert(at(FIRST), Place::Refusing);
    net.cut(DriverError::ConnectionReset);
    // The last attempt was at 64 s, and the next one will be at 124 s.
    net.run(70_000);
    let (address, place) = turn(FIRST, |_| {});
    net.places.insert(address, place);
    net.restart();
    net.run(1_000);
    assert_eq!(net.connects().last().map(|(ms, _)| *ms), Some(71_000));
    assert_eq!(relayed(&net).len(), 1, "{:?}", net.events);
}

#[test]
fn closing_the_agent_closes_the_connection() {
    let mut net = LineNet::new(Tcp, [turn(FIRST, |_| {})], plain);
    net.run(1_000);
    assert_eq!(net.allocations(FIRST), 1);
    net.agent.close(net.now);
    net.run(10);
    assert_eq!((net.allocations(FIRST), net.streams.len()), (0, 0));
}

#[test]
fn a_connection_that_comes_after_the_agent_was_closed_is_closed_again() {
    let mut net = LineNet::new(Tcp, [turn(FIRST, |_| {})], plain);
    net.run(5);
    net.agent.close(net.now);
    net.run(1_000);
    assert_eq!((net.asked.len(), net.streams.len()), (1, 0));
}

#[test]
fn frames_come_from_the_server_on_its_stream_and_nowhere_else() {
    let mut net = LineNet::new(Tcp, [(at(FIRST), Place::Mute)], plain);
    net.run(100);
    let stream = *net.streams.keys().next().expect("a connection");
    for (socket, source) in [(stream, SECOND), (SocketId(0), FIRST)] {
        let datagram =
            crate::Datagram { socket, local_ip: None, source: at(source), contents: &[0x40, 0, 0, 0] };
        let received = net.agent.handle_datagram(datagram, net.now);
        assert!(matches!(received, crate::Received::Rejected(_)), "{socket:?} {source}: {received:?}");
    }
}

#[test]
fn a_relay_over_udp_is_preferred_to_tcp_and_that_to_tls_whatever_answers_first() {
    let places = [FIRST, SECOND, THIRD].map(|address| turn(address, |_| {}));
    let mut net = LineNet::new(Tls, places, |config| {
        let mut other = |address: &str, transport| {
            let server = RelayServer::new(ServerAddress::Address(at(address)), "alice", "secret");
            config.gather.relays.push(server.with_transport(transport));
        };
        other(SECOND, Tcp);
        other(THIRD, Udp);
    });
    net.run(1_000);
    let mut found: Vec<_> = relayed(&net).iter().map(|c| (c.priority(), c.address().ip())).collect();
    found.sort_unstable();
    let by_preference: Vec<_> = found.into_iter().rev().map(|(_, ip)| ip).collect();
    assert_eq!(by_preference, [THIRD, SECOND, FIRST].map(|server| at(server).ip()), "RFC 8445 §5.1.2.2");
    let foundations: std::collections::BTreeSet<_> =
        relayed(&net).iter().map(|c| c.foundation().to_string()).collect();
    assert_eq!(foundations.len(), 3, "RFC 8445 §5.1.1.3");
}

#[test]
fn a_redirection_is_followed_with_the_same_transport_credentials_and_name() {
    for transport in [Tcp, Tls] {
        let mut net = LineNet::new(transport, [sending_to(FIRST, SECOND), turn(SECOND, |_| {})], plain);
        net.run(1_000);
        assert_eq!(net.connects(), [(0, at(FIRST)), (10, at(SECOND))]);
        assert_eq!(net.asked[0].tls_name, net.asked[1].tls_name);
        assert_eq!((net.allocations(SECOND), net.streams.len(), net.problems()), (1, 1, Vec::new()));
        assert_eq!(relayed(&net)[0].address().ip(), at(SECOND).ip());
    }
}

#[test]
fn a_redirection_may_have_the_name_of_the_other_server() {
    for (transport, name) in [(Tls, Some("other.example.org")), (Tcp, None)] {
        let mut net = LineNet::new(transport, [sending_to(FIRST, SECOND), turn(SECOND, |_| {})], plain);
        net.domain = Some("other.example.org");
        net.run(1_000);
        assert_eq!((net.asked.len(), net.asked[1].tls_name.as_deref()), (2, name), "RFC 8489 §10");
        // What is lost is asked for where it was.
        net.cut(DriverError::ConnectionClosed);
        net.run(5_000);
        assert_eq!((net.asked[2].server, net.asked[2].tls_name.as_deref()), (at(SECOND), name));
    }
}

#[test]
fn over_udp_a_redirection_is_followed_too() {
    let mut net = LineNet::new(Udp, [sending_to(FIRST, SECOND), turn(SECOND, |_| {})], plain);
    net.run(1_000);
    assert_eq!((net.allocations(SECOND), net.problems()), (1, Vec::new()));
    let relayed = relayed(&net);
    assert_eq!(relayed.len(), 1);
    let path = net.agent.send_path(Component::default());
    assert!(path.is_err(), "nobody to send to yet");
}

#[test]
fn servers_that_send_us_in_a_circle_are_left() {
    for transport in [Udp, Tcp] {
        let places = [sending_to(FIRST, SECOND), sending_to(SECOND, THIRD), sending_to(THIRD, FIRST)];
        let mut net = LineNet::new(transport, places, plain);
        net.run(20_000);
        let failures: Vec<_> = net.problems().into_iter().map(|(_, failure)| failure).collect();
        assert_eq!(failures, [GatheringFailure::Relay(Failure::RedirectLoop)]);
        assert_eq!((net.streams.len(), net.agent.gathering_state()), (0, GatheringState::Complete));
    }
}

#[test]
fn a_chain_of_servers_has_an_end() {
    let address = |n: u8| std::format!("198.51.100.{n}:3478");
    let places = (1..20).map(|n| sending_to(&address(n), &address(n + 1)));
    let mut net = LineNet::new(Tcp, places, plain);
    net.run(20_000);
    assert_eq!(net.connects().len(), 5);
    assert_eq!(net.problems(), [(50, GatheringFailure::Relay(Failure::RedirectLoop))]);
}

#[test]
fn nobody_is_sent_to_loopback_from_elsewhere() {
    let mut net = LineNet::new(Tcp, [sending_to(FIRST, "127.0.0.1:3478")], plain);
    net.run(20_000);
    assert_eq!(net.problems(), [(10, GatheringFailure::Relay(Failure::BadRedirect))]);
    assert_eq!(net.connects(), [(0, at(FIRST))]);
}

#[test]
fn a_lost_connection_is_made_anew_to_the_server_that_we_were_sent_to() {
    let mut net = LineNet::new(Tcp, [sending_to(FIRST, SECOND), turn(SECOND, |_| {})], plain);
    net.run(1_000);
    net.cut(DriverError::ConnectionClosed);
    net.run(5_000);
    assert_eq!(net.connects().last(), Some(&(2_000, at(SECOND))));
    assert_eq!((net.allocations(SECOND), losses(&net).len()), (1, 1));
}

#[test]
fn a_port_with_a_foreign_allocation_is_left_for_another_connection() {
    let mut net = LineNet::new(Tcp, [turn(FIRST, |_| {})], plain);
    net.run(1_000);
    net.come_back();
    net.run(1_000);
    assert_eq!(net.connects(), [(0, at(FIRST)), (1_000, at(FIRST)), (1_010, at(FIRST))]);
    assert_eq!((net.problems(), net.allocations(FIRST), net.streams.len()), (Vec::new(), 1, 1));
}
