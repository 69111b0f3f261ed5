//! What it costs to connect two agents: make them, introduce them to each other, run until both have selected a pair,
//! drop them. N host candidates on each side can all reach each other over a network in memory that takes 50 ms.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::Duration;

use floe_benches::floe::Floe;
use floe_benches::meter::Case;
use floe_benches::world::{Agent, Post, Setup, World};

/// A case that connects `$agent` over `$hosts` host candidates on each side.
macro_rules! case {
    ($name:literal, $agent:ty, $hosts:literal, $repetitions:literal) => {
        Case {
            name: $name,
            repetitions: $repetitions,
            instructions: None,
            allocations: None,
            run: |repetitions| connect::<$agent>(Setup::of_hosts($hosts), repetitions),
        }
    };
}

const CASES: [Case; 6] = [
    case!("floe, N = 1", Floe, 1, 1000),
    case!("floe, N = 4", Floe, 4, 400),
    case!("floe, N = 10", Floe, 10, 100),
    case!("floe, N = 30", Floe, 30, 20),
    case!("floe, N = 60", Floe, 60, 10),
    case!("floe, N = 100", Floe, 100, 10),
];

fn connect<A: Agent>(setup: Setup, repetitions: u32) {
    let mut post = Post::default();
    for _ in 0..repetitions {
        let mut world = World::<A>::with(setup, post);
        assert!(world.connect(Duration::from_secs(60)), "{} does not connect", A::NAME);
        (_, post) = world.into_parts();
    }
}

fn main() -> ExitCode {
    floe_benches::run::main("connect", &CASES)
}
