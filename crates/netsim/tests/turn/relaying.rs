//! What a relay is for.

use std::net::SocketAddr;
use std::time::Duration;

use floe_netsim::{Link, NatType, Network, Probe, Site, TurnServer};
use floe_turn::server::{EndReason, Event, Rejection};

use crate::client::{server, tenant};

const SECOND: Duration = Duration::from_secs(1);

fn network() -> Network {
    let mut net = Network::new(1);
    net.set_segment_link(net.internet(), Link::delay_ms(20)).unwrap();
    net
}

#[test]
fn two_clients_behind_symmetric_nats_meet_at_the_server() {
    let mut net = network();
    let turn = server(&mut net, &Site::public());
    let symmetric = Site::behind(NatType::SYMMETRIC);
    let [alice, bob] = ["alice", "bob"].map(|user| tenant(&mut net, user, &symmetric, turn, |_| {}));
    net.run_for(SECOND);
    let [a, b] = [alice, bob].map(|client| net[client].relayed().expect("an allocation"));
    net.with(alice, |alice, now| alice.client.permit(b.ip(), now)).unwrap().unwrap();
    net.with(bob, |bob, now| bob.client.bind(a, now)).unwrap().unwrap();
    net.run_for(SECOND);
    assert_eq!(net.with(alice, |client, _| client.send(b, b"hello")), Some(true));
    net.run_for(SECOND);
    assert_eq!(net[bob].received, [(a, b"hello".to_vec())]);
    assert_eq!(net.with(bob, |client, _| client.send(a, b"hi")), Some(true));
    net.run_for(SECOND);
    assert_eq!(net[alice].received, [(b, b"hi".to_vec())]);
    // Each packet crossed both relays.
    let stats = net[turn].stats().unwrap();
    assert_eq!((stats.to_peers.packets, stats.to_clients.packets), (2, 2));
    net.with(turn, TurnServer::close);
    let ended = |event: &&Event| matches!(event, Event::AllocationEnded { reason: EndReason::Closed, .. });
    assert_eq!(net[turn].events().iter().filter(ended).count(), 2);
}

#[test]
fn a_peer_without_permission_is_not_heard_and_with_it_it_is() {
    let mut net = network();
    let turn = server(&mut net, &Site::public());
    let alice = tenant(&mut net, "alice", &Site::behind(NatType::PORT_RESTRICTED_CONE), turn, |_| {});
    let stranger = net.add_peer("stranger", &Site::public()).unwrap();
    let stranger = net.add_endpoint(stranger.host, Probe::on_port(7000)).unwrap();
    net.run_for(SECOND);
    let relay = net[alice].relayed().unwrap();
    let peer: SocketAddr = net[stranger].local(0).unwrap();
    net.with(stranger, |stranger, _| stranger.send(relay, b"unasked"));
    net.run_for(SECOND);
    assert!(net[alice].received.is_empty());
    assert_eq!(net[turn].stats().unwrap().rejected(Rejection::NoPermission), 1);

    net.with(alice, |alice, now| alice.client.permit(peer.ip(), now)).unwrap().unwrap();
    net.run_for(SECOND);
    net.with(stranger, |stranger, _| stranger.send(relay, b"asked"));
    net.run_for(SECOND);
    assert_eq!(net[alice].received, [(peer, b"asked".to_vec())]);
    assert_eq!(net.with(alice, |client, _| client.send(peer, b"answer")), Some(true));
    net.run_for(SECOND);
    let answer = net[stranger].received().last().unwrap();
    assert_eq!((answer.source, &answer.bytes[..]), (relay, &b"answer"[..]));
}

#[test]
fn an_allocation_in_use_lives_on_and_one_whose_client_is_gone_does_not() {
    let mut net = network();
    let turn = server(&mut net, &Site::public());
    let alice = tenant(&mut net, "alice", &Site::public(), turn, |_| {});
    let hour = Duration::from_secs(3600);
    net.run_for(hour);
    let allocations = |net: &Network| net[turn].core().unwrap().allocations();
    assert_eq!((allocations(&net), net[alice].relayed().is_some()), (1, true));
    // Packets from the client get lost from now on.
    net.with(turn, |turn, _| turn.set_silent(true));
    assert!(net.run_until(Duration::from_secs(601), |net| allocations(net) == 0));
    let last = net[turn].events().last().unwrap().clone();
    assert!(matches!(last, Event::AllocationEnded { reason: EndReason::Expired, .. }), "{last:?}");
}

#[test]
fn a_client_that_moves_keeps_its_relayed_address() {
    let mut net = network();
    let turn = server(&mut net, &Site::public());
    let site = Site::behind(NatType::SYMMETRIC);
    let alice = tenant(&mut net, "alice", &site, turn, |config| config.mobility = true);
    let peer = net.add_peer("peer", &Site::public()).unwrap();
    let peer = net.add_endpoint(peer.host, Probe::on_port(7000)).unwrap();
    net.run_for(SECOND);
    let (relay, at) = (net[alice].relayed().unwrap(), net[peer].local(0).unwrap());
    net.with(alice, |alice, now| alice.client.bind(at, now)).unwrap().unwrap();
    net.run_for(SECOND);
    net.with(alice, |alice, _| alice.change_port());
    net.run_for(SECOND);
    assert_eq!(net[alice].relayed(), Some(relay));
    assert_eq!(net.with(alice, |client, _| client.send(at, b"from elsewhere")), Some(true));
    net.run_for(SECOND);
    assert_eq!(net[peer].received().last().unwrap().source, relay);
    net.with(peer, |peer, _| peer.send(relay, b"found"));
    net.run_for(SECOND);
    assert_eq!(net[alice].received, [(at, b"found".to_vec())]);
    assert!(net[turn].events().iter().any(|event| matches!(event, Event::AllocationMoved { .. })));
}
