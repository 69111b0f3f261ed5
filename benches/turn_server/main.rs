//! What the TURN server costs beside a thousand other allocations: a packet of 1000 bytes each way, in a channel and in an
//! indication, and the requests of the control plane. Reading and writing sockets is not counted.

#![forbid(unsafe_code)]

mod operations;
mod tables;

use std::hint::black_box;
use std::process::ExitCode;

use floe_benches::meter::Case;
use floe_benches::timing;
use operations::Fixture;

/// A case that repeats `$operation` on a fixture.
macro_rules! case {
    ($name:literal, $budget:expr, $allocations:expr, $operation:expr) => {
        Case {
            name: $name,
            repetitions: 200,
            instructions: $budget,
            allocations: $allocations,
            run: |repetitions| {
                let mut fixture = Fixture::new();
                timing::of(|| {
                    for _ in 0..repetitions {
                        let operation: fn(&mut Fixture) = $operation;
                        operation(black_box(&mut fixture));
                    }
                })
            },
        }
    };
}

const NONE: Option<f64> = Some(0.0);

const CASES: [Case; 7] = [
    case!("channel, to the peer", Some(1_100), NONE, Fixture::channel_to_peer),
    case!("channel, to the client", Some(850), NONE, Fixture::channel_to_client),
    case!("Send indication", Some(1_550), NONE, Fixture::indication_to_peer),
    case!("Data indication", Some(1_100), NONE, Fixture::indication_to_client),
    case!("challenge (401)", None, NONE, Fixture::challenge),
    case!("CreatePermission", None, Some(1.0), Fixture::permit),
    case!("delete and allocate", None, None, Fixture::delete_and_allocate),
];

fn main() -> ExitCode {
    floe_benches::run::main("turn_server", &CASES, tables::report)
}
