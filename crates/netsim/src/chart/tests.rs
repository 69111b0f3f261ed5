//! What a chart looks like, and that it stays short.

use std::time::Duration;

use floe_stun::attributes::{
    ErrorCode, IceControlling, Nomination, Priority, UseCandidate, XorMappedAddress,
};
use floe_stun::{Class, MessageBuilder, Method, TransactionId};

use super::Summary;
use crate::{Handle, Link, NatType, Network, Probe, Site, Time};

fn peer(net: &mut Network, name: &str, site: &Site) -> Handle<Probe> {
    let peer = net.add_peer(name, site).unwrap();
    net.add_endpoint(peer.host, Probe::on_port(5000)).unwrap()
}

fn small_world() -> (Network, [Handle<Probe>; 3]) {
    let mut net = Network::new(42);
    net.set_segment_link(net.internet(), Link::delay_ms(20)).unwrap();
    net.set_signal_delay(Duration::from_millis(50));
    let alice = peer(&mut net, "alice", &Site::behind(NatType::PORT_RESTRICTED_CONE));
    let bob = peer(&mut net, "bob", &Site::behind(NatType::FULL_CONE));
    let stun = peer(&mut net, "stun", &Site::public());
    (net, [alice, bob, stun])
}

#[test]
fn a_chart_shows_who_sent_what_to_whom_and_what_became_of_it() {
    let (mut net, [alice, bob, stun]) = small_world();
    let (server, private) = (net[stun].local(0).unwrap(), net[bob].local(0).unwrap());
    net.with(alice, |probe, _| probe.send(server, b"hello"));
    net.run_for(Duration::from_millis(20));
    let seen = net[stun].received()[0].source;
    net.with(stun, |probe, _| probe.send(seen, b"you"));
    net.run_for(Duration::from_millis(21));
    net.with(alice, |probe, _| {
        probe.send(private, b"lost");
        probe.signal(bob, b"candidate:1\r\n");
    });
    net.with(bob, |probe, _| probe.send(seen, b"knock"));
    net.note("and so on");
    net.run_for(Duration::from_millis(20));
    net.inject(net.internet(), "192.0.2.6:6".parse().unwrap(), server, &[0xFF]).unwrap();
    net.with(stun, |probe, _| probe.send_from(7, server, b""));
    let expected = "\
seed 42
        ms  alice   bob     stun
     0.000  o-------|------->  5 B hello  192.168.1.2:5000 (203.0.113.1:5000) -> 203.0.113.3:5000  +20.000
    20.000  <-------|-------o  3 B you  203.0.113.3:5000 -> 203.0.113.1:5000  +20.000
    41.000  o---x   |       |  4 B lost  192.168.1.2:5000 -> 192.168.2.2:5000  no route on the Internet
    41.000  ~~~~~~~~>       |  candidate:1..  on its way
    41.000  |   x---o       |  5 B knock  192.168.2.2:5000 -> 203.0.113.1:5000  filtered by NAT at alice-nat
    41.000  |       |       |  -- and so on
    61.000  |       |       x  (injected) 1 B  192.0.2.6:6 -> 203.0.113.3:5000  on its way
    61.000  |       |       @  -> 203.0.113.3:5000  not sent: the socket is not open
";
    assert_eq!(net.chart().to_string(), expected);
}

#[test]
fn a_long_chart_shows_its_beginning_and_its_end() {
    let (mut net, [alice, _, stun]) = small_world();
    let server = net[stun].local(0).unwrap();
    for n in 0..100 {
        net.with(alice, |probe, _| probe.send(server, format!("n{n}").as_bytes()));
    }
    let chart = net.chart().max_lines(9).to_string();
    let count = |text: &str| chart.matches(text).count();
    assert_eq!(chart.lines().count(), 2 + 9 + 1);
    assert!(chart.contains("(91 lines left out)"));
    assert_eq!((count("n5 "), count("n6 "), count("n96 "), count("n97 ")), (1, 0, 0, 1));
    assert_eq!(net.chart().max_lines(0).to_string().lines().count(), 3);
    assert_eq!(net.chart().between(Time::from_millis(1), Time::MAX).to_string().lines().count(), 2);
}

#[test]
fn more_hosts_than_lanes_are_named() {
    let mut net = Network::new(1);
    let all: Vec<_> =
        (0..10).map(|n| peer(&mut net, &format!("a-rather-long-name-{n}"), &Site::public())).collect();
    let to = net[all[9]].local(0).unwrap();
    for &probe in &all {
        net.with(probe, |probe, _| probe.send(to, b"x"));
    }
    net.run_for(Duration::from_millis(1));
    let chart = net.chart().to_string();
    assert_eq!(chart.matches("at a-rather-long-name-9").count(), 10, "{chart}");
}

#[test]
fn duplicates_have_a_line_of_their_own() {
    let (mut net, [alice, _, stun]) = small_world();
    net.set_segment_link(net.internet(), Link::delay_ms(1).duplicate(1.0)).unwrap();
    let server = net[stun].local(0).unwrap();
    net.with(alice, |probe, _| probe.send(server, b"x"));
    net.run_for(Duration::from_millis(1));
    let chart = net.chart().to_string();
    assert_eq!(chart.matches("+1.000").count(), 2, "{chart}");
    assert_eq!(chart.matches("(copy)").count(), 1, "{chart}");
}

#[test]
fn stun_is_summed_up_by_what_ice_put_into_it() {
    let id = TransactionId::new([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0xAB, 0xCD]);
    let mut out = [0; 200];
    let len = MessageBuilder::new(&mut out, Class::Request, Method::BINDING, id)
        .attribute(&IceControlling(7))
        .attribute(&UseCandidate)
        .attribute(&Nomination::new(3))
        .attribute(&Priority(99))
        .fingerprint()
        .finish()
        .unwrap();
    let request = "Binding request #abcd controlling USE-CANDIDATE NOMINATION 3 prio 99";
    assert_eq!(Summary(&out[..len]).to_string(), request);
    let len = MessageBuilder::new(&mut out, Class::Success, Method::BINDING, id)
        .attribute(&XorMappedAddress("192.0.2.1:9".parse().unwrap()))
        .finish()
        .unwrap();
    assert_eq!(Summary(&out[..len]).to_string(), "Binding success #abcd mapped 192.0.2.1:9");
    let len = MessageBuilder::new(&mut out, Class::Error, Method::BINDING, id)
        .attribute(&ErrorCode::new(487, "Role Conflict"))
        .finish()
        .unwrap();
    assert_eq!(Summary(&out[..len]).to_string(), "Binding error 487 #abcd");
    assert_eq!(Summary(&out[..len - 1]).to_string(), format!("{} B", len - 1));
    assert_eq!(Summary(b"").to_string(), "0 B");
    let long = Summary(&[b'x'; 200]).to_string();
    assert!(long.ends_with("xxx...") && long.len() < 120, "{long}");
}
