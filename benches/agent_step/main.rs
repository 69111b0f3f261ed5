//! What single inputs cost a connected agent, through its public interface.
//!
//! "Answer" takes a consent check of the peer and gives the response; the checks are all different. "Refuse" takes one
//! with a bit flipped on the way, which its FINGERPRINT shows. "Take data" takes a datagram of the application.

#![forbid(unsafe_code)]

mod tables;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use floe_benches::floe::Floe;
use floe_benches::meter::Case;
#[cfg(feature = "peers")]
use floe_benches::peers::{Is, Rice, Rtc};
use floe_benches::timing;
use floe_benches::world::{Agent, Packet, Setup, Side, World, host};
use floe_ice::Component;

/// A case that repeats `$operation` on a fixture. The limits are instructions under callgrind.
macro_rules! case {
    ($name:literal, $limit:expr, $allocations:expr, $agent:ty, $operation:expr) => {
        Case {
            name: $name,
            repetitions: 1_000,
            instructions: $limit,
            allocations: $allocations,
            run: |repetitions| {
                let mut fixture = Fixture::<$agent>::new();
                timing::of(|| {
                    for _ in 0..repetitions {
                        let operation: fn(&mut Fixture<$agent>) -> _ = $operation;
                        black_box(operation(black_box(&mut fixture)));
                    }
                })
            },
        }
    };
}

const FLOE: [Case; 4] = [
    case!("floe, answer", Some(8_250), Some(0.0), Floe, |f| f.answer()),
    case!("floe, refuse", None, Some(0.0), Floe, |f| f.refuse()),
    case!("floe, take data", None, Some(0.0), Floe, |f| f.take_data()),
    case!("floe, ask for the path", None, Some(0.0), Floe, |f| f.send_path()),
];

#[cfg(feature = "peers")]
const PEERS: [Case; 3] = [
    case!("is, answer", None, None, Is, |f| f.answer()),
    case!("rice-proto, answer", None, None, Rice, |f| f.answer()),
    case!("rtc-ice, answer", None, None, Rtc, |f| f.answer()),
];
#[cfg(not(feature = "peers"))]
const PEERS: [Case; 0] = [];

/// A connected agent, and what its peer sends to it.
struct Fixture<A> {
    world: World<A>,
    checks: Vec<Packet>,
    damaged: Packet,
    data: Packet,
    out: Packet,
    next: usize,
}

impl<A: Agent> Fixture<A> {
    fn new() -> Self {
        let mut world = World::<A>::new(Setup::of_hosts(1));
        let mut checks = world.record(Side::B, Duration::from_secs(3600));
        // RFC 8489 §5: the two class bits of a request are zero.
        checks.retain(|packet| packet.bytes[0] & 1 == 0 && packet.bytes[1] & 0x10 == 0);
        assert!(!checks.is_empty(), "somebody checks");
        let mut damaged = checks[0].clone();
        damaged.bytes[12] ^= 1;
        let mut data = Packet::empty();
        data.fill(host(Side::A, 0), host(Side::B, 0), &[0x80; 600]);
        let mut fixture = Self { world, checks, damaged, data, out: Packet::empty(), next: 0 };
        assert!(fixture.answer() && !fixture.refuse(), "only genuine checks are answered");
        fixture
    }

    #[inline(never)]
    fn answer(&mut self) -> bool {
        self.next = (self.next + 1) % self.checks.len();
        let now = self.world.now();
        let agent = &mut self.world.agents_mut()[Side::B as usize];
        agent.receive(&mut self.checks[self.next], now);
        agent.transmit(&mut self.out, now)
    }

    #[inline(never)]
    fn refuse(&mut self) -> bool {
        let now = self.world.now();
        let agent = &mut self.world.agents_mut()[Side::B as usize];
        agent.receive(&mut self.damaged, now);
        agent.transmit(&mut self.out, now)
    }

    #[inline(never)]
    fn take_data(&mut self) -> bool {
        let now = self.world.now();
        let agent = &mut self.world.agents_mut()[Side::B as usize];
        agent.receive(&mut self.data, now);
        agent.transmit(&mut self.out, now)
    }
}

impl Fixture<Floe> {
    #[inline(never)]
    fn send_path(&self) -> bool {
        self.world.agents()[0].agent.send_path(black_box(Component::default())).is_ok()
    }
}

fn main() -> ExitCode {
    let cases: Vec<Case> = [tables::FLOOR].into_iter().chain(FLOE).chain(PEERS).collect();
    floe_benches::run::main("agent_step", &cases, tables::report)
}
