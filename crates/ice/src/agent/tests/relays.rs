//! Relays: RFC 8445 §5.1.1.2, §7.2.1; RFC 8656.

use std::collections::BTreeSet;
use std::string::ToString;
use std::vec::Vec;

use floe_stun::{Class, Message, Method};
use floe_turn::client::Failure;

use super::relay_net::{HOSTS, OTHER_SERVER, RelayNet, SERVER, at};
use crate::candidate::CandidateKind;
use crate::{
    Component, ConnectionState, Event, GatheringFailure, GatheringState, RelayLoss, RelayServer, SendError,
    ServerAddress, TransportPolicy,
};

fn relay_only() -> RelayNet {
    RelayNet::new(|_, config| config.gather.transport_policy = TransportPolicy::Relay)
}

fn completed(net: &RelayNet) -> bool {
    net.agents.iter().all(|agent| agent.state() == ConnectionState::Completed)
}

/// The types of the selected pair as a side sees it.
fn selected(net: &RelayNet, side: usize) -> [CandidateKind; 2] {
    let pair = net.agents[side].selected_pair(Component::default()).expect("selected");
    [pair.local.kind(), pair.remote.kind()]
}

/// How many requests of this method went to the server.
fn requests(net: &RelayNet, method: Method) -> usize {
    let to_server = net.log.iter().filter(|p| p.to == at(SERVER));
    let messages = to_server.filter_map(|p| Message::parse(&p.bytes).ok());
    messages.filter(|m| (m.class(), m.method()) == (Class::Request, method)).count()
}

fn problems(net: &RelayNet, side: usize) -> Vec<GatheringFailure> {
    let failures = net.events[side].iter().filter_map(|event| match event {
        Event::GatheringProblem { failure, .. } => Some(*failure),
        _ => None,
    });
    failures.collect()
}

#[test]
fn where_no_direct_path_is_the_relay_carries_the_data() {
    let mut net = RelayNet::new(|_, _| {});
    net.begin();
    net.run(5_000);
    assert!(completed(&net), "{:?}", net.agents.each_ref().map(crate::Agent::state));
    assert!((0..2).any(|side| selected(&net, side)[0] == CandidateKind::Relayed));
    net.exchange();
}

#[test]
fn where_a_direct_path_is_no_relay_wins() {
    let mut net = RelayNet::new(|_, _| {});
    net.direct = true;
    net.begin();
    net.run(5_000);
    assert!(completed(&net));
    assert_eq!(selected(&net, 0), [CandidateKind::Host; 2]);
    net.exchange();
}

#[test]
fn relay_only_shows_the_peer_nothing_of_this_machine() {
    let mut net = relay_only();
    net.direct = true;
    net.begin();
    net.run(5_000);
    assert!(completed(&net));
    for side in 0..2 {
        assert_eq!(selected(&net, side), [CandidateKind::Relayed; 2]);
        for (_, _, candidate) in net.agents[side].local_candidates() {
            assert_eq!(candidate.kind(), CandidateKind::Relayed);
            let related = candidate.related_address().expect("RFC 8839 §5.1: relayed candidates have one");
            assert!(related.ip().is_unspecified() && related.port() == 9, "{candidate}");
        }
    }
    net.exchange();
    assert!(!net.went_direct());
}

#[test]
fn a_packet_that_comes_past_the_relay_is_refused_when_only_relays_may_be_used() {
    let mut net = relay_only();
    net.begin();
    net.run(5_000);
    let source = at("203.0.113.99:1");
    let datagram =
        crate::Datagram { socket: crate::SocketId(0), local_ip: None, source, contents: &[0x80; 20] };
    let received = net.agents[0].handle_datagram(datagram, net.now);
    assert_eq!(received, crate::Received::Rejected(crate::Rejection::UnknownSource));
}

#[test]
fn the_permission_is_there_before_the_first_check() {
    let mut net = relay_only();
    net.begin();
    net.run(5_000);
    let method = |bytes: &[u8]| Message::parse(bytes).ok().map(|m| (m.class(), m.method()));
    let of_side = |side: usize| net.log.iter().filter(move |p| p.from == at(HOSTS[side]));
    for side in 0..2 {
        let sent: Vec<_> = of_side(side).filter_map(|p| method(&p.bytes)).collect();
        let permission = sent.iter().position(|m| *m == (Class::Request, Method::CREATE_PERMISSION));
        let check = sent.iter().position(|m| *m == (Class::Indication, Method::SEND));
        assert!(permission.is_some() && permission < check, "{sent:?}");
    }
}

#[test]
fn only_the_selected_pair_gets_a_channel() {
    let mut net = RelayNet::new(|_, config| {
        let second = RelayServer::new(ServerAddress::Address(at(SERVER)), "alice", "secret");
        // Asked at the same address, and so refused: the 5-tuple has its allocation.
        config.gather.relays.push(second);
        config.gather.transport_policy = TransportPolicy::Relay;
    });
    net.begin();
    net.run(5_000);
    assert!(completed(&net));
    assert_eq!(requests(&net, Method::CHANNEL_BIND), 2, "one on each side");
    for side in 0..2 {
        let path = net.agents[side].send_path(Component::default()).expect("a path");
        let relay = path.relay.expect("it goes through the relay");
        assert!(relay.channel_number().is_some());
        assert_eq!(path.destination, at(SERVER));
    }
}

#[test]
fn gathering_tells_why_there_is_no_allocation() {
    let mut net = RelayNet::new(|side, config| {
        if side == 0 {
            config.gather.relays[0].password = "wrong".into();
        }
    });
    net.begin();
    net.run(20_000);
    assert_eq!(problems(&net, 0), [GatheringFailure::Relay(Failure::WrongCredentials)]);
    assert_eq!(problems(&net, 1), []);
    assert_eq!(net.agents[0].gathering_state(), GatheringState::Complete);
    assert!(completed(&net), "the relay of one side is enough");
    net.exchange();
}

#[test]
fn a_server_without_room_is_asked_for_a_server_reflexive_candidate() {
    let mut net = RelayNet::new(|_, _| {});
    net.full();
    net.begin();
    net.run(5_000);
    assert_eq!(problems(&net, 0), [GatheringFailure::Relay(Failure::InsufficientCapacity)]);
    assert_eq!((requests(&net, Method::ALLOCATE), requests(&net, Method::BINDING)), (4, 2));
    let mapped =
        |event: &Event| matches!(event, Event::ServerAnswered { mapped, .. } if *mapped == at(HOSTS[0]));
    assert!(net.events[0].iter().any(mapped));
}

#[test]
fn relayed_candidates_of_several_servers_have_priorities_of_their_own() {
    let mut net = RelayNet::new(|_, config| {
        let other = ServerAddress::Address(at(OTHER_SERVER));
        config.gather.relays.push(RelayServer::new(other, "alice", "secret"));
    });
    net.begin();
    net.run(5_000);
    let relayed = net.agents[0].local_candidates().filter(|(_, _, c)| c.kind() == CandidateKind::Relayed);
    let (foundations, priorities): (BTreeSet<_>, BTreeSet<_>) =
        relayed.map(|(_, _, c)| (c.foundation().to_string(), c.priority())).unzip();
    assert_eq!((foundations.len(), priorities.len()), (2, 2), "RFC 8445 §5.1.1.3, §5.1.2.2");
}

#[test]
fn a_dead_server_delays_gathering_no_longer_than_its_deadline() {
    let mut net = RelayNet::new(|_, _| {});
    net.up = false;
    net.begin();
    net.run(9_900);
    assert_eq!(net.agents[0].gathering_state(), GatheringState::Gathering);
    net.run(200);
    assert_eq!(net.agents[0].gathering_state(), GatheringState::Complete);
    assert_eq!(problems(&net, 0), [GatheringFailure::ServerTimeout]);
}

#[test]
fn closing_deletes_the_allocation() {
    let mut net = relay_only();
    net.begin();
    net.run(5_000);
    assert_eq!(net.server.allocations(), 2);
    net.agents[0].close(net.now);
    net.run(100);
    assert_eq!(net.server.allocations(), 1);
}

#[test]
fn an_allocation_outlives_its_ten_minutes_while_it_is_used() {
    let mut net = relay_only();
    net.begin();
    net.run(3_600_000);
    assert!(completed(&net));
    net.exchange();
    assert_eq!(net.server.allocations(), 2);
}

#[test]
fn a_restart_goes_on_with_the_allocation_it_has() {
    let mut net = relay_only();
    net.begin();
    net.run(5_000);
    let before = requests(&net, Method::ALLOCATE);
    let addresses = |net: &RelayNet| {
        let agent = &net.agents[0];
        let pair = agent.selected_pair(Component::default()).expect("selected");
        [pair.local.address(), pair.remote.address()]
    };
    let relayed = addresses(&net);
    for side in 0..2 {
        net.agents[side].restart(net.now).expect("open");
        net.agents[side].end_of_local_candidates(net.now).expect("open");
    }
    net.introduce();
    net.exchange();
    net.run(5_000);
    assert!(completed(&net), "{:?}", net.agents.each_ref().map(crate::Agent::state));
    assert_eq!((addresses(&net), requests(&net, Method::ALLOCATE)), (relayed, before));
    net.exchange();
}

#[test]
fn a_server_that_forgot_its_allocations_is_asked_again_and_a_restart_of_ice_brings_the_path_back() {
    let mut net = relay_only();
    net.begin();
    net.run(5_000);
    net.restart_server();
    // The refresh of the allocation, or of a permission, finds out.
    net.run(600_000);
    let lost = |event: &&Event| {
        matches!(event, Event::RelayLost { failure: RelayLoss::Server(Failure::AllocationMismatch), .. })
    };
    for side in 0..2 {
        assert_eq!(net.events[side].iter().filter(lost).count(), 1, "{:?}", net.events[side]);
        assert!(matches!(net.agents[side].state(), ConnectionState::Disconnected | ConnectionState::Failed));
        assert!(net.agents[side].send_path(Component::default()).is_err());
    }
    assert_eq!(net.server.allocations(), 2, "the client asked again");
    for side in 0..2 {
        net.agents[side].restart(net.now).expect("open");
        net.agents[side].end_of_local_candidates(net.now).expect("open");
    }
    net.introduce();
    net.run(5_000);
    assert!(completed(&net));
    net.exchange();
}

#[test]
fn a_port_with_a_foreign_allocation_is_left_for_another_one() {
    let mut net = relay_only();
    net.begin();
    net.run(5_000);
    // The application crashed and comes back on the same port, which its server has not forgotten.
    let mut config = crate::Config::new([99; 32]);
    config.role = crate::Role::Controlling;
    config.gather.transport_policy = TransportPolicy::Relay;
    let server = ServerAddress::Address(at(SERVER));
    config.gather.relays.push(RelayServer::new(server, "alice", "secret"));
    net.agents[0] = crate::Agent::new(config, net.now).expect("valid");
    let agent = &mut net.agents[0];
    agent.add_host(Component::default(), crate::SocketId(0), at(HOSTS[0]), net.now).expect("a candidate");
    agent.end_of_local_candidates(net.now).expect("open");
    net.introduce();
    net.run(5_000);
    assert!(completed(&net), "{:?}", net.events[0]);
    assert_eq!(net.server.allocations(), 3);
    net.exchange();
}

#[test]
fn a_relay_is_lost_with_the_socket_that_reaches_it() {
    let mut net = relay_only();
    net.begin();
    net.run(5_000);
    net.agents[0].socket_failed(crate::SocketId(0), net.now);
    net.run(10);
    assert_eq!(net.agents[0].send_path(Component::default()), Err(SendError::NotConnected));
    assert!(
        net.events[0]
            .iter()
            .any(|e| matches!(e, Event::RelayLost { failure: RelayLoss::Server(Failure::Disconnected), .. }))
    );
}

#[test]
fn a_peer_that_the_server_forbids_fails_its_pairs_at_once() {
    let mut net = relay_only();
    net.begin();
    let private: crate::Candidate =
        "candidate:1 1 udp 100 10.1.2.3 9000 typ host".parse().expect("a candidate");
    let _ = net.agents[0].add_remote_candidate(crate::StreamId::FIRST, &private, net.now).expect("open");
    net.run(2_000);
    let pair = net.agents[0].pairs().find(|pair| pair.remote.address() == at("10.1.2.3:9000"));
    assert!(pair.is_none_or(|pair| pair.state == crate::PairState::Failed), "{pair:?}");
    assert!(completed(&net));
}
