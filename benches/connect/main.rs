//! What it costs to connect two agents: make them, introduce them to each other, run until both have selected a pair,
//! drop them. N host candidates on each side can all reach each other over a network in memory that takes 50 ms.

#![forbid(unsafe_code)]

mod tables;

use std::process::ExitCode;
use std::time::Duration;

use floe_benches::floe::Floe;
use floe_benches::floor::Floor;
use floe_benches::meter::Case;
#[cfg(feature = "peers")]
use floe_benches::peers::{Is, Rice, Rtc};
use floe_benches::timing;
use floe_benches::world::{Agent, Post, Setup, World};

/// A case that connects agents over `N` host candidates on each side.
const fn case<A: Agent, const N: u8>(name: &'static str, repetitions: u32) -> Case {
    Case { name, repetitions, instructions: None, allocations: None, run: connect::<A, N> }
}

/// The messages of connecting over one pair, and nothing around them.
const FLOOR: Case = Case {
    name: "hand-written floor, N = 1",
    repetitions: 1000,
    instructions: None,
    allocations: Some(0.0),
    run: |repetitions| {
        let mut floor = Floor::new();
        timing::of(|| {
            for _ in 0..repetitions {
                assert!(std::hint::black_box(&mut floor).connect(), "all messages are authentic");
            }
        })
    },
};

const FLOE: [Case; 6] = [
    case::<Floe, 1>("floe, N = 1", 1000),
    case::<Floe, 4>("floe, N = 4", 400),
    case::<Floe, 10>("floe, N = 10", 100),
    case::<Floe, 30>("floe, N = 30", 20),
    case::<Floe, 60>("floe, N = 60", 10),
    case::<Floe, 100>("floe, N = 100", 10),
];

/// `rice-proto` takes minutes at N = 100, and so is left out there.
#[cfg(feature = "peers")]
const PEERS: [Case; 17] = [
    case::<Is, 1>("is, N = 1", 200),
    case::<Is, 4>("is, N = 4", 100),
    case::<Is, 10>("is, N = 10", 20),
    case::<Is, 30>("is, N = 30", 2),
    case::<Is, 60>("is, N = 60", 1),
    case::<Is, 100>("is, N = 100", 1),
    case::<Rice, 1>("rice-proto, N = 1", 100),
    case::<Rice, 4>("rice-proto, N = 4", 20),
    case::<Rice, 10>("rice-proto, N = 10", 2),
    case::<Rice, 30>("rice-proto, N = 30", 1),
    case::<Rice, 60>("rice-proto, N = 60", 1),
    case::<Rtc, 1>("rtc-ice, N = 1", 200),
    case::<Rtc, 4>("rtc-ice, N = 4", 20),
    case::<Rtc, 10>("rtc-ice, N = 10", 4),
    case::<Rtc, 30>("rtc-ice, N = 30", 1),
    case::<Rtc, 60>("rtc-ice, N = 60", 1),
    case::<Rtc, 100>("rtc-ice, N = 100", 1),
];
#[cfg(not(feature = "peers"))]
const PEERS: [Case; 0] = [];

const LIMIT: Duration = Duration::from_secs(60);

fn connect<A: Agent, const N: u8>(repetitions: u32) -> Duration {
    let mut post = Post::default();
    timing::of(|| {
        for _ in 0..repetitions {
            let mut world = World::<A>::with(Setup::of_hosts(N), std::mem::take(&mut post));
            assert!(world.connect(LIMIT), "{} does not connect", A::NAME);
            (_, post) = world.into_parts();
        }
    })
}

fn main() -> ExitCode {
    let cases: Vec<Case> = [FLOOR].into_iter().chain(FLOE).chain(PEERS).collect();
    floe_benches::run::main("connect", &cases, tables::report)
}
