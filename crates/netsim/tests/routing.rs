//! Segments, routers, NATs in a chain, hosts with several interfaces, sockets.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use floe_netsim::{
    Attach, DropReason, Families, Firewall, Handle, Link, NatType, Network, OpenError, Peer, Probe,
    RouterConfig, SendError, Site, TopologyError, Transmit,
};

fn addr(s: &str) -> SocketAddr {
    s.parse().unwrap()
}

fn add(net: &mut Network, name: &str, site: &Site) -> (Peer, Handle<Probe>) {
    let peer = net.add_peer(name, site).unwrap();
    let probe = net.add_endpoint(peer.host, Probe::default()).unwrap();
    (peer, probe)
}

/// Sends, and the source address as the receiver saw it, if it got there.
fn send(
    net: &mut Network,
    from: Handle<Probe>,
    to: Handle<Probe>,
    destination: SocketAddr,
) -> Option<SocketAddr> {
    let before = net[to].received().len();
    net.with(from, |probe, _| probe.send(destination, b"x"));
    net.run_for(Duration::from_secs(1));
    net[to].received().get(before).map(|received| received.source)
}

#[test]
fn a_nat_shows_its_own_address_and_lets_answers_in() {
    let mut net = Network::new(1);
    let (_, server) = add(&mut net, "server", &Site::public());
    let (_, a) = add(&mut net, "a", &Site::behind(NatType::SYMMETRIC));
    let to = net[server].local(0).unwrap();
    let seen = send(&mut net, a, server, to).unwrap();
    assert_ne!(seen.ip(), net[a].local(0).unwrap().ip());
    assert_eq!(send(&mut net, server, a, seen), Some(to));
}

#[test]
fn nested_nats_translate_one_after_the_other() {
    let mut net = Network::new(1);
    let (_, server) = add(&mut net, "server", &Site::public());
    let site = Site::behind(NatType::FULL_CONE).then_behind(NatType::PORT_RESTRICTED_CONE);
    let (peer, a) = add(&mut net, "a", &site);
    let to = net[server].local(0).unwrap();
    let seen = send(&mut net, a, server, to).unwrap();
    let [inner, outer] = [0, 1].map(|n| net.nat_mappings(peer.routers[n])[0]);
    assert_eq!(SocketAddr::V4(inner.internal), net[a].local(0).unwrap());
    assert_eq!(inner.external, outer.internal);
    assert_eq!(SocketAddr::V4(outer.external), seen);
    assert_eq!(send(&mut net, server, a, seen), Some(to));
    // The outer one filters by port.
    let (_, other) = add(&mut net, "other", &Site::public());
    assert_eq!(send(&mut net, other, a, seen), None);
    assert_eq!(net.trace().drops(DropReason::Filtered), 1);
}

#[test]
fn homes_of_one_provider_reach_each_other_by_its_hairpin() {
    let mut net = Network::new(1);
    let (_, server) = add(&mut net, "server", &Site::public());
    let cgn = net.add_router("cgn", net.internet(), RouterConfig::of(NatType::FULL_CONE)).unwrap();
    let home = Site::behind(NatType::FULL_CONE).within(net.inside(cgn).unwrap());
    let (_, a) = add(&mut net, "a", &home);
    let (_, b) = add(&mut net, "b", &home);
    let to = net[server].local(0).unwrap();
    let [a_seen, b_seen] = [a, b].map(|probe| send(&mut net, probe, server, to).unwrap());
    assert_eq!(a_seen.ip(), b_seen.ip());
    assert_eq!(send(&mut net, a, b, b_seen), Some(a_seen));
}

#[test]
fn overlapping_private_blocks_do_not_meet() {
    // RFC 4787 REQ-7.
    let mut net = Network::new(1);
    let block = || RouterConfig::of(NatType::FULL_CONE).inside("192.168.1.0/24".parse().unwrap());
    let (_, a) = add(&mut net, "a", &Site::public().then_behind_router(block()));
    let (_, b) = add(&mut net, "b", &Site::public().then_behind_router(block()));
    assert_eq!(net[a].local(0).unwrap().ip(), net[b].local(0).unwrap().ip());
    let to = net[b].local(0).unwrap();
    assert_eq!(send(&mut net, a, b, to), None);
    // It came back to its own host, where no such port is open.
    assert_eq!(net.trace().drops(DropReason::PortClosed), 1);
}

#[test]
fn private_addresses_lead_nowhere_on_the_internet() {
    let mut net = Network::new(1);
    let (_, a) = add(&mut net, "a", &Site::behind(NatType::FULL_CONE));
    let (_, b) = add(&mut net, "b", &Site::behind(NatType::FULL_CONE));
    let to = net[b].local(0).unwrap();
    assert_eq!(send(&mut net, a, b, to), None);
    assert_eq!(net.trace().drops(DropReason::NoRoute), 1);
}

#[test]
fn ipv6_is_routed_through_every_router_of_a_chain() {
    let mut net = Network::new(1);
    let site = Site::behind(NatType::SYMMETRIC).then_behind(NatType::SYMMETRIC).ipv6(Firewall::Open);
    let (_, a) = add(&mut net, "a", &site.clone().families(Families::V6));
    let (_, b) = add(&mut net, "b", &site.families(Families::V6));
    let [a_addr, b_addr] = [a, b].map(|probe| net[probe].local(0).unwrap());
    assert_eq!(send(&mut net, a, b, b_addr), Some(a_addr));
}

#[test]
fn a_stateful_firewall_lets_in_answers_only() {
    for family in [Families::V4, Families::V6] {
        let mut net = Network::new(1);
        let site = Site::behind(NatType::Firewall).ipv6(Firewall::stateful()).families(family);
        let (_, a) = add(&mut net, "a", &site);
        let (_, b) = add(&mut net, "b", &Site::public().families(family));
        let [a_addr, b_addr] = [a, b].map(|probe| net[probe].local(0).unwrap());
        assert_eq!(send(&mut net, b, a, a_addr), None);
        assert_eq!(net.trace().drops(DropReason::Unsolicited), 1);
        assert_eq!(send(&mut net, a, b, b_addr), Some(a_addr), "no translation");
        assert_eq!(send(&mut net, b, a, a_addr), Some(b_addr));
    }
}

#[test]
fn blocked_sites_pass_no_udp_of_either_family() {
    let mut net = Network::new(1);
    let (peer, a) = add(&mut net, "a", &Site::behind(NatType::Blocked).ipv6(Firewall::Open));
    let (_, b) = add(&mut net, "b", &Site::public());
    for index in 0..2 {
        let [a_addr, b_addr] = [a, b].map(|probe| net[probe].local(index).unwrap());
        assert_eq!(send(&mut net, a, b, b_addr), None);
        assert_eq!(send(&mut net, b, a, a_addr), None);
    }
    assert_eq!(net.trace().drops(DropReason::UdpBlocked), 4);
    // Inside, everything is as ever.
    let near = net.add_neighbour("c", &peer).unwrap();
    let c = net.add_endpoint(near.host, Probe::default()).unwrap();
    let to = net[c].local(0).unwrap();
    assert!(send(&mut net, a, c, to).is_some());
}

#[test]
fn a_rebooted_nat_has_forgotten_its_mappings() {
    let mut net = Network::new(1);
    let (_, server) = add(&mut net, "server", &Site::public());
    let (peer, a) = add(&mut net, "a", &Site::behind(NatType::FULL_CONE));
    let to = net[server].local(0).unwrap();
    let seen = send(&mut net, a, server, to).unwrap();
    net.reboot(peer.routers[0]).unwrap();
    assert_eq!(send(&mut net, server, a, seen), None);
    assert_eq!(net.trace().drops(DropReason::NoMapping), 1);
}

#[test]
fn mappings_expire_on_the_virtual_clock() {
    let mut net = Network::new(1);
    let (_, server) = add(&mut net, "server", &Site::public());
    let (_, a) = add(&mut net, "a", &Site::behind(NatType::FULL_CONE));
    let to = net[server].local(0).unwrap();
    let seen = send(&mut net, a, server, to).unwrap();
    net.run_for(Duration::from_secs(290));
    assert_eq!(send(&mut net, server, a, seen), Some(to));
    net.run_for(Duration::from_secs(10));
    assert_eq!(send(&mut net, server, a, seen), None);
}

#[test]
fn a_host_that_moves_gets_new_addresses_and_keeps_its_sockets_in_vain() {
    let mut net = Network::new(1);
    let (_, server) = add(&mut net, "server", &Site::public());
    let (peer, a) = add(&mut net, "a", &Site::behind(NatType::FULL_CONE));
    let to = net[server].local(0).unwrap();
    let seen = send(&mut net, a, server, to).unwrap();
    net.with(server, |probe, _| probe.send(seen, b"late"));
    net.reattach(peer.interface, net.internet()).unwrap();
    net.run_for(Duration::from_secs(1));
    assert_eq!(net[a].received(), [], "the packet on its way missed it");
    assert_eq!(net[a].network_changes(), 1);
    assert_eq!(send(&mut net, a, server, to), None);
    assert_eq!(net[a].send_errors(), [SendError::NoSourceAddress]);
    let ip = net.addresses(peer.interface)[0];
    net.with(a, |probe, _| probe.open(ip, 0));
    net.with(a, |probe, _| probe.send_from(1, to, b"from here"));
    net.run_for(Duration::from_secs(1));
    assert_eq!(net[server].received()[1].source.ip(), ip);
    net.detach(peer.interface).unwrap();
    assert_eq!(net.addresses(peer.interface), <[IpAddr; 0]>::default());
    assert_eq!(net[a].network_changes(), 2);
}

#[test]
fn a_host_with_two_interfaces_sends_from_the_one_the_socket_is_bound_to() {
    let mut net = Network::new(1);
    let (_, server) = add(&mut net, "server", &Site::public().families(Families::V4));
    let host = net.add_host("laptop");
    let wifi = net.add_router("home", net.internet(), RouterConfig::of(NatType::FULL_CONE)).unwrap();
    let mobile = net.add_router("mobile", net.internet(), RouterConfig::of(NatType::SYMMETRIC)).unwrap();
    for router in [wifi, mobile] {
        net.attach(host, net.inside(router).unwrap(), Attach::default()).unwrap();
    }
    let laptop = net.add_endpoint(host, Probe::default()).unwrap();
    let to = net[server].local(0).unwrap();
    for index in [0, 1] {
        net.with(laptop, |probe, _| probe.send_from(index, to, b"x"));
        net.run_for(Duration::from_secs(1));
    }
    let [first, second] = [0, 1].map(|n| net[server].received()[n].source.ip());
    assert_ne!(first, second);
    assert_eq!(net.nat_mappings(wifi).len(), 1);
    assert_eq!(net.nat_mappings(mobile).len(), 1);
}

#[test]
fn wildcard_sockets_take_the_source_they_are_told() {
    let mut net = Network::new(1);
    let host = net.add_host("a");
    for _ in 0..2 {
        net.attach(host, net.internet(), Attach::default().families(Families::V4)).unwrap();
    }
    let a = net.add_endpoint(host, Probe::default()).unwrap();
    let (_, b) = add(&mut net, "b", &Site::public());
    net.with(a, |probe, _| probe.open("0.0.0.0".parse().unwrap(), 4000));
    let to = net[b].local(0).unwrap();
    let (socket, second) = (net[a].socket(2).unwrap(), net[a].local(1).unwrap().ip());
    for source_ip in [None, Some(second), Some("192.0.2.7".parse().unwrap())] {
        let transmit = Transmit { source_ip, ..Transmit::new(socket, to, 1) };
        net.with(a, |probe, _| probe.transmit(transmit, b"x"));
    }
    net.run_for(Duration::from_secs(1));
    let sources: Vec<_> = net[b].received().iter().map(|r| r.source.ip()).collect();
    assert_eq!(sources, [net[a].local(0).unwrap().ip(), second]);
    assert_eq!(net[a].send_errors(), [SendError::NoSourceAddress]);
    // What arrives at either address says which.
    send(&mut net, b, a, SocketAddr::new(second, 4000));
    let received = net[a].received().last().unwrap();
    assert_eq!((received.socket, received.local), (socket, SocketAddr::new(second, 4000)));
}

#[test]
fn link_local_addresses_stay_on_their_link() {
    let mut net = Network::new(1);
    let router = net.add_router("home", net.internet(), RouterConfig::new().ipv6(Firewall::Open)).unwrap();
    let lan = net.inside(router).unwrap();
    let host = |net: &mut Network, name, ip: &str| {
        let host = net.add_host(name);
        net.attach(host, net.internet(), Attach::default()).unwrap();
        net.attach(host, lan, Attach::default().addresses([ip.parse().unwrap()])).unwrap();
        net.add_endpoint(host, Probe::on_port(9)).unwrap()
    };
    let (a, b) = (host(&mut net, "a", "fe80::a"), host(&mut net, "b", "fe80::b"));
    assert_eq!(net[a].local(2), Some(addr("[fe80::a%2]:9")));
    for to in ["[fe80::b%2]:9", "[fe80::c%2]:9"] {
        net.with(a, |probe, _| probe.send_from(2, addr(to), b"x"));
    }
    net.run_for(Duration::from_secs(1));
    assert_eq!(net[b].received()[0].source, addr("[fe80::a%2]:9"), "with the receiver's scope");
    assert_eq!(net.trace().drops(DropReason::NoRoute), 1);
}

#[test]
fn a_host_reaches_its_own_addresses_without_a_network() {
    let mut net = Network::new(1);
    let site = Site::public().link(Link::IDEAL.loss(1.0)).families(Families::V4);
    let (peer, a) = add(&mut net, "a", &site);
    let b = net.add_endpoint(peer.host, Probe::default()).unwrap();
    let to = net[b].local(0).unwrap();
    assert_eq!(send(&mut net, a, b, to), net[a].local(0));
}

#[test]
fn sockets_are_refused_where_an_operating_system_would() {
    let mut net = Network::new(1);
    let (_, a) = add(&mut net, "a", &Site::public().families(Families::V4));
    let local = net[a].local(0).unwrap();
    net.with(a, |probe, _| {
        probe.open(local.ip(), local.port());
        probe.open("0.0.0.0".parse().unwrap(), local.port());
        probe.open("192.0.2.1".parse().unwrap(), 0);
        probe.open("::".parse().unwrap(), local.port());
    });
    assert_eq!(net[a].open_errors(), [OpenError::PortInUse, OpenError::PortInUse, OpenError::NoSuchAddress]);
    assert_eq!(net[a].local(1), Some(SocketAddr::new("::".parse().unwrap(), local.port())));
    net.with(a, |probe, _| {
        probe.close(0);
        probe.open(local.ip(), local.port());
    });
    let again = net[a].socket(2).unwrap();
    net.with(a, |probe, _| {
        probe.send_from(0, addr("192.0.2.1:1"), b"x");
        probe.send_from(2, addr("[2001:db8::9]:1"), b"x");
        probe.transmit(Transmit::new(again, addr("192.0.2.1:1"), 70_000), &[0; 70_000]);
    });
    let errors = [SendError::NoSocket, SendError::NoRoute, SendError::TooLong];
    assert_eq!(net[a].send_errors(), errors);
}

#[test]
fn routers_themselves_answer_nothing() {
    let mut net = Network::new(1);
    let (_, a) = add(&mut net, "a", &Site::behind(NatType::Firewall).ipv6(Firewall::Open));
    let (_, b) = add(&mut net, "b", &Site::public());
    for to in ["198.19.1.1:1", "203.0.113.1:1", "[2001:db8::1]:1", "[2001:db8:0:1::1]:1"] {
        assert_eq!(send(&mut net, a, b, addr(to)), None);
    }
    for to in ["203.0.113.1:1", "[2001:db8::1]:1"] {
        assert_eq!(send(&mut net, b, a, addr(to)), None);
    }
    assert_eq!(net.trace().drops(DropReason::NoService), 6);
}

#[test]
fn ids_of_other_networks_are_refused() {
    let mut other = Network::new(1);
    let (peer, probe) = add(&mut other, "a", &Site::behind(NatType::SYMMETRIC));
    let mut net = Network::new(1);
    assert_eq!(net.inside(peer.routers[0]), Err(TopologyError::UnknownId));
    assert_eq!(net.detach(peer.interface), Err(TopologyError::UnknownId));
    assert_eq!(net.reattach(peer.interface, net.internet()), Err(TopologyError::UnknownId));
    assert_eq!(net.reboot(peer.routers[0]), Err(TopologyError::UnknownId));
    assert!(net.attach(peer.host, net.internet(), Attach::default()).is_err());
    assert!(net.add_endpoint(peer.host, Probe::default()).is_err());
    assert!(net.get(probe).is_none());
    assert!(net.with(probe, |_, _| ()).is_none());
    assert!(net.remove(probe).is_none());
    assert!(net.inject(peer.segment, addr("192.0.2.1:1"), addr("192.0.2.2:1"), b"").is_err());
    assert!(net.nat_mappings(peer.routers[0]).is_empty());
}

#[test]
fn addresses_run_out_with_an_error_that_leaves_nothing_behind() {
    let mut net = Network::new(1);
    let small = RouterConfig::of(NatType::FULL_CONE).inside("10.0.0.0/30".parse().unwrap());
    let router = net.add_router("r", net.internet(), small.ipv6(Firewall::Open)).unwrap();
    let lan = net.inside(router).unwrap();
    let host = net.add_host("h");
    assert!(net.attach(host, lan, Attach::default()).is_ok());
    assert_eq!(net.attach(host, lan, Attach::default()), Err(TopologyError::SubnetFull));
    let taken: IpAddr = "10.0.0.2".parse().unwrap();
    let again = net.attach(host, lan, Attach::default().addresses([taken]));
    assert_eq!(again, Err(TopologyError::AddressInUse(taken)));
    assert!(net.attach(host, lan, Attach::default().families(Families::V6)).is_ok());
    let v4 = net.add_router("q", net.internet(), RouterConfig::new()).unwrap();
    let v6 = Attach::default().families(Families::V6);
    assert_eq!(net.attach(host, net.inside(v4).unwrap(), v6), Err(TopologyError::NoSuchFamily));
    // The Internet is larger than its first block.
    for _ in 0..400 {
        net.attach(host, net.internet(), Attach::default()).unwrap();
    }
}

#[test]
fn a_removed_endpoint_leaves_its_ports_free() {
    let mut net = Network::new(1);
    let (peer, a) = add(&mut net, "a", &Site::public());
    let port = net[a].local(0).unwrap().port();
    assert!(net.remove(a).is_some());
    assert!(net.get(a).is_none() && net.remove(a).is_none());
    let b = net.add_endpoint(peer.host, Probe::on_port(port)).unwrap();
    assert_eq!(net[b].open_errors(), []);
}
