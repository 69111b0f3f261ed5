//! Two agents and a TURN server (RFC 8656): a relay where nothing else connects, and only there.

use std::time::Duration;

use floe_ice::candidate::CandidateKind;
use floe_ice::{Component, Config, ConnectionState, RelayServer, Role, ServerAddress, TransportPolicy};
use floe_netsim::ice::IcePeer;
use floe_netsim::{Handle, Link, NatType, Network, Site, TurnServer};
use floe_tests::repetitions;
use floe_turn::server::{Config as ServerConfig, Credentials};

/// Two peers and a TURN server that both know.
struct Relayed {
    net: Network,
    peers: [Handle<IcePeer>; 2],
    server: Handle<TurnServer>,
}

fn server_config(net: &mut Network) -> ServerConfig {
    let mut accounts = Credentials::new("example.org").expect("a realm");
    accounts.add_user("alice", "secret").expect("a user");
    ServerConfig::new(net.derive_seed(), accounts)
}

fn scene(seed: u64, sites: &[Site; 2], loss: f64, policy: TransportPolicy) -> Relayed {
    let mut net = Network::new(seed);
    let link = Link::delay_ms(20).loss(loss).max_loss_run(4);
    net.set_segment_link(net.internet(), link).expect("the Internet is there");
    let config = server_config(&mut net);
    let server = net.add_turn_server("turn", &Site::public(), config).expect("a place for it");
    let addresses = net[server].addresses().to_vec();
    let peers = [0, 1].map(|side| {
        let mut config = Config::new(net.derive_seed());
        config.role = if side == 0 { Role::Controlling } else { Role::Controlled };
        config.gather.transport_policy = policy;
        // RFC 8489 §6.2.1: as long as a request may be repeated, so that loss alone cannot end it.
        config.gather.server_deadline = Duration::from_millis(39_500);
        for &address in &addresses {
            let server = ServerAddress::Address(address);
            config.gather.servers.push(server.clone());
            config.gather.relays.push(RelayServer::new(server, "alice", "secret"));
        }
        net.add_ice_peer(["alice", "bob"][side], &sites[side], config).expect("a place for a peer")
    });
    net.connect_ice(peers[0], peers[1]);
    Relayed { net, peers, server }
}

impl Relayed {
    fn kinds(&self, side: usize) -> [CandidateKind; 2] {
        let pair = self.net[self.peers[side]].agent().selected_pair(Component::default()).expect("selected");
        [pair.local.kind(), pair.remote.kind()]
    }

    fn is_relayed(&self) -> bool {
        (0..2).any(|side| self.kinds(side)[0] == CandidateKind::Relayed)
    }

    fn connects(&mut self) -> bool {
        self.net.run_until_connected(self.peers[0], self.peers[1], Duration::from_secs(180))
    }

    /// A process in its place that knows nothing.
    fn restart_server(&mut self) {
        let host = self.net.host_of(self.server).expect("it is somewhere");
        self.net.remove(self.server).expect("it runs");
        let server = TurnServer::new(server_config(&mut self.net));
        self.server = self.net.add_endpoint(host, server).expect("its ports are free again");
    }

    /// Data get through both ways, sent often enough for the loss of the link.
    fn exchange(&mut self) {
        for [from, to] in [self.peers, [self.peers[1], self.peers[0]]] {
            let before = self.net[to].received().len();
            for _ in 0..10 {
                self.net.with(from, |peer, now| {
                    peer.send(Component::default(), b"through the relay", now).expect("a path");
                });
            }
            self.net.run_for(Duration::from_millis(500));
            let received = &self.net[to].received()[before..];
            assert!(received.iter().any(|data| data.bytes == b"through the relay"), "{}", self.net.chart());
        }
    }
}

#[test]
fn where_both_nats_are_symmetric_the_relay_connects() {
    for seed in 0..repetitions(10, 200) as u64 {
        let nat = || Site::behind(NatType::SYMMETRIC);
        let mut scene = scene(seed, &[nat(), nat()], 0.1, TransportPolicy::All);
        assert!(scene.connects(), "seed {seed}: {}", scene.net.chart());
        assert!(scene.is_relayed(), "seed {seed}: nothing else connects");
        scene.exchange();
    }
}

#[test]
fn a_direct_path_is_preferred_to_the_relay() {
    for nat in [NatType::FULL_CONE, NatType::RESTRICTED_CONE, NatType::PORT_RESTRICTED_CONE] {
        let mut scene = scene(3, &[Site::behind(nat), Site::behind(nat)], 0.0, TransportPolicy::All);
        assert!(scene.connects(), "{nat}");
        assert!(!scene.is_relayed(), "{nat}: {:?}", scene.kinds(0));
        scene.exchange();
    }
}

#[test]
fn with_the_policy_relay_both_ends_are_relayed() {
    for seed in 0..repetitions(10, 200) as u64 {
        let sites = [Site::public(), Site::behind(NatType::FULL_CONE)];
        let mut scene = scene(seed, &sites, 0.1, TransportPolicy::Relay);
        assert!(scene.connects(), "seed {seed}: {}", scene.net.chart());
        assert_eq!([0, 1].map(|side| scene.kinds(side)), [[CandidateKind::Relayed; 2]; 2]);
        scene.exchange();
    }
}

#[test]
fn a_relayed_path_lasts_for_hours_without_data() {
    let nat = || Site::behind(NatType::SYMMETRIC);
    let mut scene = scene(1, &[nat(), nat()], 0.0, TransportPolicy::All);
    assert!(scene.connects());
    scene.net.run_for(Duration::from_secs(3 * 3600));
    let states = scene.peers.map(|peer| scene.net[peer].agent().state());
    assert_eq!(states, [ConnectionState::Completed; 2]);
    scene.exchange();
}

#[test]
fn a_closed_agent_leaves_no_allocation_behind() {
    let mut scene = scene(1, &[Site::public(), Site::public()], 0.0, TransportPolicy::All);
    assert!(scene.connects());
    let held = |scene: &Relayed| scene.net[scene.server].core().map(floe_turn::Server::allocations);
    assert_eq!(held(&scene), Some(2));
    for peer in scene.peers {
        scene.net.with(peer, |peer, now| peer.agent_mut().close(now));
    }
    scene.net.run_for(Duration::from_secs(1));
    assert_eq!(held(&scene), Some(0));
}

#[test]
fn when_the_server_has_forgotten_everything_a_restart_gets_new_allocations() {
    // Before and after permissions, channels and allocations were renewed.
    for (seed, wait) in [3, 100, 250, 700].into_iter().enumerate() {
        for policy in [TransportPolicy::All, TransportPolicy::Relay] {
            let nat = || Site::behind(NatType::SYMMETRIC);
            let mut scene = scene(seed as u64, &[nat(), nat()], 0.05, policy);
            assert!(scene.connects());
            scene.net.run_for(Duration::from_secs(wait));
            scene.restart_server();
            let state = |net: &Network, side: usize| net[scene.peers[side]].agent().state();
            let silent = |net: &Network| state(net, 0) == ConnectionState::Disconnected;
            assert!(scene.net.run_until(Duration::from_secs(60), silent), "{:?}", state(&scene.net, 0));

            scene.net.with(scene.peers[0], IcePeer::restart);
            let again = |net: &Network| (0..2).all(|side| state(net, side) == ConnectionState::Completed);
            assert!(scene.net.run_until(Duration::from_secs(20), again), "{wait}: {}", scene.net.chart());
            assert!(scene.is_relayed());
            scene.exchange();
        }
    }
}
