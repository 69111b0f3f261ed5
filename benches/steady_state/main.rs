//! What a connected agent costs while nothing happens: a wake-up too early, and an hour.
//!
//! A tick is what a driver does that looks after an agent that has nothing to do: hand in the time, ask for packets and
//! events, and when to come back. The hour is that of both agents together, with their consent checks.

#![forbid(unsafe_code)]

mod tables;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use floe_benches::floe::Floe;
use floe_benches::meter::Case;
use floe_benches::timing;
use floe_benches::world::{Agent, Packet, Setup, World};

const HOUR: Duration = Duration::from_secs(3600);

/// A tick of an agent with `$hosts` host candidates on each side: connected, or in the middle of its checks.
macro_rules! tick {
    ($name:literal, $limit:expr, $agent:ty, $hosts:literal, $world:expr) => {
        Case {
            name: $name,
            repetitions: 1_000,
            instructions: $limit,
            allocations: Some(0.0),
            run: |repetitions| {
                let world: fn(Setup) -> World<$agent> = $world;
                let mut world = world(Setup::of_hosts($hosts));
                let mut out = Packet::empty();
                timing::of(|| {
                    for _ in 0..repetitions {
                        assert!(!tick(black_box(&mut world), &mut out), "a tick has nothing to send");
                    }
                })
            },
        }
    };
}

/// An hour of two connected agents.
macro_rules! hour {
    ($name:literal, $agent:ty, $hosts:literal) => {
        Case {
            name: $name,
            repetitions: 2,
            instructions: None,
            allocations: Some(0.0),
            run: |repetitions| {
                let mut world = World::<$agent>::settled(Setup::of_hosts($hosts));
                timing::of(|| world.run_for(HOUR * repetitions))
            },
        }
    };
}

const TICK: Option<u64> = Some(100);

const CASES: [Case; 7] = [
    tick!("floe, tick, N = 1", TICK, Floe, 1, World::settled),
    tick!("floe, tick, N = 10", TICK, Floe, 10, World::settled),
    tick!("floe, tick, N = 100", TICK, Floe, 100, World::settled),
    tick!("floe, checking, N = 10", TICK, Floe, 10, checking),
    tick!("floe, checking, N = 100", TICK, Floe, 100, checking),
    hour!("floe, hour, N = 1", Floe, 1),
    hour!("floe, hour, N = 10", Floe, 10),
];

fn checking<A: Agent>(setup: Setup) -> World<A> {
    let mut world = World::new(setup);
    world.run_for(Duration::from_millis(60));
    world
}

#[inline(never)]
fn tick<A: Agent>(world: &mut World<A>, out: &mut Packet) -> bool {
    let now = world.now();
    let agent = &mut world.agents_mut()[0];
    agent.timeout(now);
    let sends = agent.transmit(out, now);
    agent.drain(now);
    black_box(agent.next_timeout());
    sends
}

fn main() -> ExitCode {
    floe_benches::run::main("steady_state", &CASES, tables::report)
}
