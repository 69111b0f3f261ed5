//! Agents behind NATs, gathering from a STUN server and trickling their candidates: what a complete simulated connection
//! costs, and what users get when one packet in ten is lost.

#![forbid(unsafe_code)]

mod tables;

use std::process::ExitCode;
use std::time::Duration;

use floe_benches::meter::Case;
use floe_benches::timing;
use floe_ice::{Config, Role};
use floe_netsim::ice::IcePeer;
use floe_netsim::{Handle, Link, NatType, Network, Site};

const CASES: [Case; 2] =
    [case("floe, no loss", |n| connects(n, 0.0)), case("floe, 10 % loss", |n| connects(n, 0.1))];

const fn case(name: &'static str, run: fn(u32) -> Duration) -> Case {
    Case { name, repetitions: 20, instructions: None, allocations: None, run }
}

/// Long enough for whatever happens to be lost.
const LIMIT: Duration = Duration::from_secs(60);

/// Two peers that have not begun.
struct Scene {
    net: Network,
    peers: [Handle<IcePeer>; 2],
}

impl Scene {
    /// Both behind NATs that most homes have, 50 ms apart, with a STUN server between them. Signalling takes as long as
    /// packets and loses nothing.
    fn new(seed: u64, loss: f64) -> Result<Self, Box<dyn std::error::Error>> {
        let mut net = Network::new(seed);
        let one_way = Duration::from_millis(50);
        let internet = net.internet();
        net.set_segment_link(internet, Link::delay(one_way).loss(loss))?;
        net.set_signal_delay(one_way);
        net.set_recording(false);
        let server = net.add_stun_server("stun", &Site::public())?;
        let mut peer = |name, nat, role| {
            let mut config = Config::new(net.derive_seed());
            config.role = role;
            config.gather.servers = net.server_addresses(server);
            net.add_ice_peer(name, &Site::behind(nat), config)
        };
        let a = peer("alice", NatType::PORT_RESTRICTED_CONE, Role::Controlling)?;
        let b = peer("bob", NatType::RESTRICTED_CONE, Role::Controlled)?;
        Ok(Self { net, peers: [a, b] })
    }

    /// Whether both completed.
    fn connect(&mut self) -> bool {
        let [a, b] = self.peers;
        self.net.connect_ice(a, b);
        self.net.run_until_connected(a, b, LIMIT)
    }
}

/// Connects so many pairs of agents, each in a network of its own.
fn connects(repetitions: u32, loss: f64) -> Duration {
    timing::of(|| {
        for seed in 0..repetitions {
            let mut scene = Scene::new(u64::from(seed), loss).expect("the topology is possible");
            // With losses, RFC 8445 promises nothing; the table says how many connect.
            assert!(scene.connect() || loss > 0.0, "seed {seed} does not connect");
        }
    })
}

fn main() -> ExitCode {
    floe_benches::run::main("netsim", &CASES, tables::report)
}
