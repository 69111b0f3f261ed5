//! TURN on real sockets: what a relayed packet costs the server, `floe`'s and coturn, with one allocation, ten and a hundred; and
//! ten thousand allocations at a time.
//!
//! Each server is a process of its own, so that its processor time and memory are told apart from those of the clients here.

#![forbid(unsafe_code)]

mod clients;
mod servers;
mod tables;

use std::process::ExitCode;
use std::time::Duration;

use floe_benches::meter::Case;

use servers::Server;

/// For criterion: one allocation, through `floe`.
const CASES: [Case; 1] = [Case {
    name: "a packet to the peer",
    repetitions: 1_000,
    instructions: None,
    allocations: None,
    run: |packets| {
        let server = Server::floe();
        let mut clients = clients::connect(server.address, 1);
        let begun = std::time::Instant::now();
        clients::relay(&mut clients, packets);
        begun.elapsed()
    },
}];

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == servers::SERVE) {
        return servers::serve();
    }
    floe_benches::run::main("relay", &CASES, tables::report)
}

/// How long things may take that take a moment; for a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(20);
