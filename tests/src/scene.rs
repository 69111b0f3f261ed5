//! Two ICE agents in a virtual network: what most two-party tests begin with.

use std::time::Duration;

use floe_ice::{Component, Config, ConnectionState, Nomination, Role, Time};
use floe_netsim::ice::{IcePeer, Signalling};
use floe_netsim::{Handle, Link, Network, Site};

/// Long enough for everything that can happen: RFC 8863's patience and the longest check afterwards.
pub const LIMIT: Duration = Duration::from_secs(180);

/// Two peers that have not begun yet.
pub struct Scene {
    /// The network they are in.
    pub net: Network,
    /// The peers.
    pub peers: [Handle<IcePeer>; 2],
}

/// What a scene is made of; the default is two hosts on the Internet, 20 ms apart, without a STUN server.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Of the network, and so of everything.
    pub seed: u64,
    /// Where the peers are.
    pub sites: [Site; 2],
    /// The one-way delay, and more, of the Internet.
    pub link: Link,
    /// Their roles to begin with.
    pub roles: [Role; 2],
    /// How they nominate.
    pub nomination: Nomination,
    /// Whether there is a STUN server, which both know.
    pub stun_server: bool,
    /// How long signalling takes.
    pub signal_delay: Duration,
    /// What they signal by themselves.
    pub signalling: Signalling,
    /// The components of each stream.
    pub streams: Vec<u16>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            seed: 1,
            sites: [Site::public(), Site::public()],
            link: Link::delay_ms(20),
            roles: [Role::Controlling, Role::Controlled],
            nomination: Nomination::default(),
            stun_server: false,
            signal_delay: Duration::ZERO,
            signalling: Signalling::default(),
            streams: vec![1],
        }
    }
}

impl Setup {
    /// The scene.
    ///
    /// # Panics
    /// When the topology is impossible, which is a mistake of the test.
    #[must_use]
    pub fn build(self) -> Scene {
        let mut net = Network::new(self.seed);
        let internet = net.internet();
        net.set_segment_link(internet, self.link).expect("the Internet is there");
        net.set_signal_delay(self.signal_delay);
        let server =
            self.stun_server.then(|| net.add_stun_server("stun", &Site::public()).expect("a place for it"));
        let servers = server.map_or_else(Vec::new, |server| net.server_addresses(server));
        let peers = [0, 1].map(|side| {
            let mut config = Config::new(net.derive_seed());
            config.role = self.roles[side];
            config.nomination = self.nomination;
            config.streams.clone_from(&self.streams);
            config.gather.servers.clone_from(&servers);
            // As long as RFC 8489 §6.2.1 retransmits: with both a request and its answer lost now and then, five transmissions
            // are too few for lossy links.
            config.gather.server_deadline = Duration::from_millis(39_500);
            let name = ["alice", "bob"][side];
            let peer = net.add_ice_peer(name, &self.sites[side], config).expect("a place for a peer");
            net.with(peer, |peer, _| peer.set_signalling(self.signalling));
            peer
        });
        Scene { net, peers }
    }

    /// The scene, begun and run until both peers have completed.
    ///
    /// # Panics
    /// When they do not connect.
    #[must_use]
    pub fn connect(self) -> Scene {
        let mut scene = self.build();
        assert!(scene.connect(), "the peers do not connect");
        scene
    }
}

impl Scene {
    /// Begins, and runs until both have completed or one has failed. Whether both have completed.
    pub fn connect(&mut self) -> bool {
        let [a, b] = self.peers;
        self.net.connect_ice(a, b);
        self.net.run_until_connected(a, b, LIMIT)
    }

    /// When each side had a path for data on its first component, first.
    #[must_use]
    pub fn connected_at(&self) -> [Option<Time>; 2] {
        self.peers.map(|peer| {
            let path = |event: &floe_ice::Event| *event == floe_ice::Event::PathChanged(Component::default());
            self.net[peer].events().iter().find(|(_, event)| path(event)).map(|&(time, _)| time)
        })
    }

    /// When each side selected its first pair.
    #[must_use]
    pub fn selected_at(&self) -> [Option<Time>; 2] {
        self.peers.map(|peer| self.net[peer].selections(Component::default()).next().map(|(time, _)| time))
    }

    /// The states of both.
    #[must_use]
    pub fn states(&self) -> [ConnectionState; 2] {
        self.peers.map(|peer| self.net[peer].agent().state())
    }

    /// Sends data both ways on every component and checks that it arrives.
    ///
    /// # Panics
    /// When it does not.
    pub fn exchange_data(&mut self, components: &[Component]) {
        for [from, to] in [self.peers, [self.peers[1], self.peers[0]]] {
            for (number, &component) in components.iter().enumerate() {
                let payload = format!("data {number} from {from:?}");
                let before = self.net[to].received().len();
                for _ in 0..10 {
                    self.net.with(from, |peer, now| {
                        peer.send(component, payload.as_bytes(), now).expect("a path");
                    });
                }
                self.net.run_for(Duration::from_millis(500));
                let mut received = self.net[to].received()[before..].iter();
                assert!(
                    received.any(|data| data.component == component && data.bytes == payload.as_bytes()),
                    "{payload} did not arrive"
                );
            }
        }
    }

    /// Whether both sides selected the same path on a component: each other's addresses, as far as no NAT is between them.
    #[must_use]
    pub fn agree(&self, component: Component) -> bool {
        let ends = self.peers.map(|peer| {
            let pair = self.net[peer].agent().selected_pair(component);
            pair.map(|pair| (pair.local.address(), pair.remote.address()))
        });
        matches!(ends, [Some((l0, r0)), Some((l1, r1))] if l0 == r1 && r0 == l1)
    }
}
