//! Connections: bytes in order whatever the way, and how they end.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use floe_netsim::{
    Datagram, Endpoint, Firewall, Handle, Host, Link, NatType, Network, RouterConfig, Site, SocketId,
    StreamEnd, StreamEvent, Time, Transmit,
};

/// One end of a connection; keeps what happens.
#[derive(Default)]
struct End {
    listens: Option<SocketAddr>,
    connects: Option<SocketAddr>,
    socket: Option<SocketId>,
    peer: Option<SocketAddr>,
    bytes: Vec<u8>,
    /// The sizes in which they came.
    pieces: Vec<usize>,
    end: Option<StreamEnd>,
    to_send: Vec<u8>,
    closes: bool,
}

impl Endpoint for End {
    fn handle_start(&mut self, host: &mut Host<'_>, _now: Time) {
        let ip = host.addresses().find(IpAddr::is_ipv4).expect("an address");
        if let Some(server) = self.connects {
            let (socket, local) = host.connect(ip, server).expect("a port");
            assert_eq!(local.ip(), ip);
            self.socket = Some(socket);
        } else {
            let local = SocketAddr::new(ip, 80);
            host.listen(local).expect("free");
            assert!(host.listen(local).is_err(), "taken");
            self.listens = Some(local);
        }
    }

    fn handle_stream(&mut self, event: StreamEvent<'_>, _now: Time) {
        match event {
            StreamEvent::Connected { socket } => assert_eq!(self.socket, Some(socket)),
            StreamEvent::Accepted { socket, peer, .. } => {
                (self.socket, self.peer) = (Some(socket), Some(peer));
            }
            StreamEvent::Bytes { bytes, .. } => {
                self.bytes.extend_from_slice(bytes);
                self.pieces.push(bytes.len());
            }
            StreamEvent::Ended { end, .. } => self.end = Some(end),
            _ => {}
        }
    }

    fn handle_datagram(&mut self, _datagram: Datagram<'_>, _now: Time) {
        panic!("there are none");
    }

    fn poll_host(&mut self, host: &mut Host<'_>, _now: Time) {
        if std::mem::take(&mut self.closes) {
            assert!(host.close(self.socket.expect("connected")));
        }
    }

    fn poll_transmit(&mut self, out: &mut [u8]) -> Option<Transmit> {
        let len = self.to_send.len();
        out[..len].copy_from_slice(&std::mem::take(&mut self.to_send));
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        (len > 0).then(|| Transmit::new(self.socket.expect("connected"), nowhere, len))
    }
}

/// A server on the Internet and a client at this site, connected if that is possible within a second.
fn connected(net: &mut Network, site: &Site) -> [Handle<End>; 2] {
    let place = net.add_peer("server", &Site::public()).expect("a place");
    let server = net.add_endpoint(place.host, End::default()).expect("there");
    let address = net[server].listens;
    let place = net.add_peer("client", site).expect("a place");
    let client = net.add_endpoint(place.host, End { connects: address, ..End::default() }).expect("there");
    net.run_for(Duration::from_secs(1));
    [client, server]
}

fn pattern() -> Vec<u8> {
    (0..20_000_u32).map(|n| (n % 251) as u8).collect()
}

#[test]
fn bytes_arrive_in_order_whatever_happens_to_packets_and_however_they_are_cut() {
    let bad = Link::delay_ms(10).jitter(Duration::from_millis(30)).loss(0.3).duplicate(0.2);
    for chunk in [1, 7, 1200] {
        let mut net = Network::new(3);
        net.set_segment_link(net.internet(), bad.clone().reorder(0.2, Duration::from_millis(50)).mtu(1280))
            .expect("there");
        net.set_stream_chunk(chunk);
        let [client, server] = connected(&mut net, &Site::behind(NatType::SYMMETRIC));
        for (from, to) in [(client, server), (server, client)] {
            net.with(from, |end, _| end.to_send = pattern());
            net.run_for(Duration::from_secs(10));
            assert!(net[to].bytes == pattern(), "chunks of {chunk}");
            assert!(net[to].pieces.iter().all(|&len| len <= chunk));
        }
    }
}

#[test]
fn the_server_sees_the_address_that_the_nat_gave() {
    let mut net = Network::new(1);
    let [client, server] = connected(&mut net, &Site::behind(NatType::PORT_RESTRICTED_CONE));
    let home = net.host_of(client).expect("there");
    let inside: Vec<_> = net.interfaces(home).flat_map(|i| i.addresses.to_vec()).collect();
    let peer = net[server].peer.expect("accepted");
    assert!(!inside.contains(&peer.ip()), "{peer}");
}

#[test]
fn what_was_written_before_the_end_arrives_before_it() {
    let mut net = Network::new(1);
    net.set_segment_link(net.internet(), Link::delay_ms(10)).expect("there");
    let [client, server] = connected(&mut net, &Site::public());
    net.with(client, |end, _| end.to_send = b"goodbye".to_vec());
    net.with(client, |end, _| end.closes = true);
    net.run_for(Duration::from_secs(1));
    assert_eq!((&net[server].bytes[..], net[server].end), (&b"goodbye"[..], Some(StreamEnd::Closed)));
}

#[test]
fn where_nobody_listens_a_connection_is_refused() {
    let mut net = Network::new(1);
    let place = net.add_peer("nobody", &Site::public()).expect("a place");
    let address = net.addresses(place.interface).iter().copied().find(IpAddr::is_ipv4).expect("one");
    let client = End { connects: Some(SocketAddr::new(address, 80)), ..End::default() };
    let place = net.add_peer("client", &Site::public()).expect("a place");
    let client = net.add_endpoint(place.host, client).expect("there");
    net.run_for(Duration::from_secs(1));
    assert_eq!(net[client].end, Some(StreamEnd::Refused));
}

#[test]
fn a_middlebox_resets_both_sides() {
    let mut net = Network::new(1);
    net.set_segment_link(net.internet(), Link::delay_ms(10)).expect("there");
    let [client, server] = connected(&mut net, &Site::public());
    assert_eq!(net.reset_streams(client), 1);
    net.run_for(Duration::from_secs(1));
    assert_eq!([net[client].end, net[server].end], [Some(StreamEnd::Reset); 2]);
    assert_eq!(net.reset_streams(client), 0);
}

#[test]
fn the_end_of_a_process_closes_its_connections() {
    let mut net = Network::new(1);
    let [client, server] = connected(&mut net, &Site::public());
    net.remove(client).expect("it was there");
    net.run_for(Duration::from_secs(1));
    assert_eq!(net[server].end, Some(StreamEnd::Closed));
}

#[test]
fn a_firewall_that_blocks_udp_lets_connections_out_and_none_in() {
    let blocked = || Site::public().then_behind_router(RouterConfig::default().firewall(Firewall::BlockUdp));
    let mut net = Network::new(1);
    let [client, server] = connected(&mut net, &blocked());
    net.with(server, |end, _| end.to_send = b"hello".to_vec());
    net.run_for(Duration::from_secs(1));
    assert_eq!(net[client].bytes, b"hello");
    let place = net.add_peer("hidden", &blocked()).expect("a place");
    let hidden = net.add_endpoint(place.host, End::default()).expect("there");
    let other = net.add_peer("other", &Site::public()).expect("a place");
    let connects = net[hidden].listens;
    let other = net.add_endpoint(other.host, End { connects, ..End::default() }).expect("there");
    net.run_for(Duration::from_secs(1));
    assert_eq!((net[hidden].peer, net[other].end), (None, None), "not even refused");
}
