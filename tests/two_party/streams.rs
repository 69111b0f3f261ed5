//! Relays over TCP: where UDP is blocked they are all there is, and servers and connections misbehave.

use std::net::SocketAddr;
use std::time::Duration;

use floe_ice::candidate::CandidateKind;
use floe_ice::{
    Component, Config, DriverError, Event, GatheringFailure, GatheringState, RelayFailure, RelayLoss,
    RelayServer, RelayTransport, Role, ServerAddress,
};
use floe_netsim::ice::IcePeer;
use floe_netsim::{Firewall, Handle, Link, NatType, Network, Peer, RouterConfig, Site, TurnServer};
use floe_tests::repetitions;
use floe_turn::server::{Config as ServerConfig, Credentials};

/// Behind a NAT and a firewall that lets no UDP through.
fn blocked() -> Site {
    let router = RouterConfig::of(NatType::PORT_RESTRICTED_CONE).firewall(Firewall::BlockUdp);
    Site::public().then_behind_router(router)
}

fn open() -> Site {
    Site::behind(NatType::PORT_RESTRICTED_CONE)
}

struct Scene {
    net: Network,
    peers: [Handle<IcePeer>; 2],
    servers: Vec<Handle<TurnServer>>,
}

fn internet(seed: u64) -> Network {
    let mut net = Network::new(seed);
    net.set_segment_link(net.internet(), Link::delay_ms(20)).expect("the Internet is there");
    net
}

fn settings(net: &mut Network) -> ServerConfig {
    let mut accounts = Credentials::new("example.org").expect("a realm");
    accounts.add_user("alice", "secret").expect("a user");
    ServerConfig::new(net.derive_seed(), accounts)
}

fn place(net: &mut Network, name: &str) -> (Peer, SocketAddr) {
    let place = net.add_peer(name, &Site::public()).expect("a place for it");
    let ip = net.addresses(place.interface).iter().copied().find(std::net::IpAddr::is_ipv4).expect("IPv4");
    (place, SocketAddr::new(ip, 3478))
}

/// One server, and two peers that know it by TCP.
fn scene(seed: u64, sites: &[Site; 2]) -> Scene {
    let mut net = internet(seed);
    let (host, address) = place(&mut net, "turn");
    let config = settings(&mut net);
    let server = net.add_endpoint(host.host, TurnServer::new(config)).expect("it is there");
    with_peers(net, vec![server], address, sites, "secret")
}

fn with_peers(
    mut net: Network,
    servers: Vec<Handle<TurnServer>>,
    address: SocketAddr,
    sites: &[Site; 2],
    password: &str,
) -> Scene {
    let peers = [0, 1].map(|side| {
        let mut config = Config::new(net.derive_seed());
        config.role = if side == 0 { Role::Controlling } else { Role::Controlled };
        let server = RelayServer::new(ServerAddress::Address(address), "alice", password);
        config.gather.relays.push(server.with_transport(RelayTransport::Tcp));
        net.add_ice_peer(["alice", "bob"][side], &sites[side], config).expect("a place for a peer")
    });
    Scene { net, peers, servers }
}

impl Scene {
    fn connects(&mut self) -> bool {
        self.net.connect_ice(self.peers[0], self.peers[1]);
        self.reaches_completed()
    }

    fn reaches_completed(&mut self) -> bool {
        self.net.run_until_connected(self.peers[0], self.peers[1], Duration::from_secs(60))
    }

    fn kinds(&self, side: usize) -> [CandidateKind; 2] {
        let pair = self.net[self.peers[side]].agent().selected_pair(Component::default()).expect("selected");
        [pair.local.kind(), pair.remote.kind()]
    }

    fn exchange(&mut self) {
        for [from, to] in [self.peers, [self.peers[1], self.peers[0]]] {
            let before = self.net[to].received().len();
            // Every padding there is.
            for len in 1..=9 {
                let payload = vec![0x80; len];
                self.net.with(from, |peer, now| {
                    peer.send(Component::default(), &payload, now).expect("a path");
                });
            }
            self.net.run_for(Duration::from_secs(1));
            let lengths: Vec<_> =
                self.net[to].received()[before..].iter().map(|data| data.bytes.len()).collect();
            assert_eq!(lengths, [1, 2, 3, 4, 5, 6, 7, 8, 9], "{}", self.net.chart());
        }
    }

    fn events(&self, side: usize) -> impl Iterator<Item = Event> {
        self.net[self.peers[side]].events().iter().map(|&(_, event)| event)
    }

    fn losses(&self, side: usize) -> Vec<RelayLoss> {
        let loss = |event| match event {
            Event::RelayLost { failure, .. } => Some(failure),
            _ => None,
        };
        self.events(side).filter_map(loss).collect()
    }

    fn problems(&self, side: usize) -> Vec<GatheringFailure> {
        let problem = |event| match event {
            Event::GatheringProblem { failure, .. } => Some(failure),
            _ => None,
        };
        self.events(side).filter_map(problem).collect()
    }

    /// Both restart with what they have then.
    fn restart(&mut self) -> bool {
        self.net.with(self.peers[0], IcePeer::restart);
        self.net.run_for(Duration::from_secs(1));
        self.reaches_completed()
    }
}

#[test]
fn where_udp_is_blocked_on_one_side_or_both_the_relay_over_tcp_connects() {
    for seed in 0..repetitions(5, 50) as u64 {
        for sites in [[blocked(), open()], [open(), blocked()], [blocked(), blocked()]] {
            // Whole packets, and pieces that end anywhere.
            for chunk in [1200, 23] {
                let mut scene = scene(seed, &sites);
                scene.net.set_stream_chunk(chunk);
                assert!(scene.connects(), "seed {seed}: {}", scene.net.chart());
                let relayed = (0..2).any(|side| scene.kinds(side)[0] == CandidateKind::Relayed);
                assert!(relayed, "there is no other way");
                scene.exchange();
            }
        }
    }
}

#[test]
fn a_frame_may_be_cut_at_every_byte() {
    let mut scene = scene(1, &[blocked(), blocked()]);
    scene.net.set_stream_chunk(1);
    assert!(scene.connects(), "{}", scene.net.chart());
    scene.exchange();
}

#[test]
fn a_relay_over_tcp_lives_for_an_hour_of_silence() {
    let mut scene = scene(1, &[blocked(), blocked()]);
    assert!(scene.connects());
    scene.net.run_for(Duration::from_secs(3600));
    scene.exchange();
    assert_eq!([scene.losses(0), scene.losses(1)], [vec![], vec![]]);
}

#[test]
fn where_udp_works_the_relay_over_tcp_is_not_used() {
    let mut scene = scene(1, &[open(), Site::public()]);
    assert!(scene.connects(), "{}", scene.net.chart());
    assert!((0..2).all(|side| scene.kinds(side)[0] != CandidateKind::Relayed));
}

/// The path dies with its connections, is told of as `reason`, and comes back with a restart.
fn recovers(mut scene: Scene, reason: DriverError) {
    for side in 0..2 {
        assert_eq!(scene.losses(side), [RelayLoss::Connection(reason)], "{}", scene.net.chart());
        let agent = scene.net[scene.peers[side]].agent();
        assert!(agent.send_path(Component::default()).is_err(), "there is no path");
    }
    scene.net.run_for(Duration::from_secs(5));
    let server = scene.servers[0];
    assert_eq!(scene.net[server].core().expect("a server").allocations(), 2, "asked for again");
    assert!(scene.restart(), "{}", scene.net.chart());
    scene.exchange();
}

#[test]
fn a_connection_that_ends_in_the_middle_of_a_frame_is_made_anew() {
    for after in [0, 1, 3, 4, 5, 100] {
        let mut scene = scene(1, &[blocked(), blocked()]);
        assert!(scene.connects());
        let server = scene.servers[0];
        let cut = scene.net.with(server, |server, now| server.cut_connections(after, now));
        assert_eq!(cut, Some(2));
        scene.net.run_for(Duration::from_millis(100));
        recovers(scene, DriverError::ConnectionClosed);
    }
}

#[test]
fn a_connection_that_is_reset_is_made_anew() {
    let mut scene = scene(1, &[blocked(), blocked()]);
    assert!(scene.connects());
    for peer in scene.peers {
        assert_eq!(scene.net.reset_streams(peer), 1);
    }
    scene.net.run_for(Duration::from_millis(100));
    recovers(scene, DriverError::ConnectionReset);
}

#[test]
fn a_server_that_talks_nonsense_is_left() {
    let mut scene = scene(1, &[blocked(), blocked()]);
    assert!(scene.connects());
    let server = scene.servers[0];
    assert_eq!(scene.net.with(server, |server, _| server.talk_nonsense()), Some(2));
    scene.net.run_for(Duration::from_millis(100));
    recovers(scene, DriverError::NotTurn);
}

/// Both gather until they have nothing left to wait for.
fn gathered(mut scene: Scene) -> Scene {
    scene.net.connect_ice(scene.peers[0], scene.peers[1]);
    let peers = scene.peers;
    let done = scene.net.run_until(Duration::from_secs(30), |net| {
        peers.iter().all(|&peer| net[peer].agent().gathering_state() == GatheringState::Complete)
    });
    assert!(done, "gathering ends: {}", scene.net.chart());
    scene
}

#[test]
fn a_server_that_never_answers_ends_gathering_at_its_deadline() {
    let mut scene = scene(1, &[open(), Site::public()]);
    let server = scene.servers[0];
    scene.net.with(server, |server, _| server.set_silent(true));
    let mut scene = gathered(scene);
    assert_eq!(scene.problems(0), [GatheringFailure::ServerTimeout]);
    assert!(scene.reaches_completed(), "and holds up nobody");
}

#[test]
fn a_server_that_is_not_there_ends_gathering_at_the_deadline_of_the_driver() {
    let mut net = internet(1);
    let (_, address) = place(&mut net, "nobody");
    let scene = with_peers(net, Vec::new(), address, &[open(), open()], "secret");
    let scene = gathered(scene);
    assert_eq!(scene.problems(0), [GatheringFailure::Driver(DriverError::ConnectionRefused)]);
    let mut net = internet(1);
    let (_, mut address) = place(&mut net, "nobody");
    // Nothing leads to this one.
    address.set_ip("192.0.2.200".parse().expect("an address"));
    let scene = with_peers(net, Vec::new(), address, &[open(), open()], "secret");
    let scene = gathered(scene);
    assert_eq!(scene.problems(0), [GatheringFailure::Driver(DriverError::TimedOut)]);
}

#[test]
fn a_wrong_password_is_told_and_not_tried_again() {
    let mut net = internet(1);
    let (host, address) = place(&mut net, "turn");
    let config = settings(&mut net);
    let server = net.add_endpoint(host.host, TurnServer::new(config)).expect("it is there");
    let scene = gathered(with_peers(net, vec![server], address, &[open(), open()], "wrong"));
    assert_eq!(scene.problems(0), [GatheringFailure::Relay(RelayFailure::WrongCredentials)]);
}

/// A server without room that sends its clients to another one.
fn sending_to(net: &mut Network, host: &Peer, other: SocketAddr) -> Handle<TurnServer> {
    let mut config = settings(net);
    config.limits.allocations = 0;
    config.alternates = vec![other];
    net.add_endpoint(host.host, TurnServer::new(config)).expect("it is there")
}

#[test]
fn a_redirection_leads_to_the_server_that_has_room() {
    let mut net = internet(1);
    let ((full, address), (free, other)) = (place(&mut net, "full"), place(&mut net, "free"));
    let config = settings(&mut net);
    let full = sending_to(&mut net, &full, other);
    let free = net.add_endpoint(free.host, TurnServer::new(config)).expect("it is there");
    let mut scene = with_peers(net, vec![full, free], address, &[blocked(), blocked()], "secret");
    assert!(scene.connects(), "{}", scene.net.chart());
    scene.exchange();
    assert_eq!(scene.net[free].core().expect("a server").allocations(), 2);
}

#[test]
fn servers_that_send_in_a_circle_or_to_loopback_are_not_followed() {
    let mut net = internet(1);
    let ((a, first), (b, second)) = (place(&mut net, "a"), place(&mut net, "b"));
    let servers = vec![sending_to(&mut net, &a, second), sending_to(&mut net, &b, first)];
    let scene = gathered(with_peers(net, servers, first, &[open(), open()], "secret"));
    assert_eq!(scene.problems(0), [GatheringFailure::Relay(RelayFailure::RedirectLoop)]);

    let mut net = internet(1);
    let (host, address) = place(&mut net, "turn");
    let loopback = "127.0.0.1:3478".parse().expect("an address");
    let servers = vec![sending_to(&mut net, &host, loopback)];
    let scene = gathered(with_peers(net, servers, address, &[open(), open()], "secret"));
    assert_eq!(scene.problems(0), [GatheringFailure::Relay(RelayFailure::BadRedirect)]);
}

#[test]
fn the_same_seed_gives_the_same_connections() {
    let digest = |seed| {
        let mut scene = scene(seed, &[blocked(), open()]);
        assert!(scene.connects());
        scene.exchange();
        scene.net.trace().digest()
    };
    assert_eq!(digest(5), digest(5));
    assert_ne!(digest(5), digest(6));
}
