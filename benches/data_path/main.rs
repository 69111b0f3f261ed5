//! What the agent adds to each datagram of the application: 1200 bytes one way over loopback, through `floe`, and through a
//! bare tokio socket beside it. One thread sends a burst and then receives it, so nothing but the work is measured.

#![forbid(unsafe_code)]

mod lanes;
mod tables;

use std::process::ExitCode;
use std::time::Duration;

use floe_benches::meter::Case;
#[cfg(feature = "peers")]
use lanes::WebrtcIce;
use lanes::{Bare, Floe, Lane};

const CASES: [Case; 2] = [case("tokio UdpSocket", datagrams::<Bare>), case("floe", datagrams::<Floe>)];
#[cfg(feature = "peers")]
const PEERS: [Case; 1] = [case("webrtc-ice", datagrams::<WebrtcIce>)];
#[cfg(not(feature = "peers"))]
const PEERS: [Case; 0] = [];

const fn case(name: &'static str, run: fn(u32) -> Duration) -> Case {
    Case { name, repetitions: 1_000, instructions: None, allocations: None, run }
}

/// Datagrams that are on their way at a time.
const BURST: u32 = 32;

/// Everything on this thread.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn datagrams<L: Lane>(count: u32) -> Duration {
    runtime().block_on(async {
        let lane = L::open().await;
        let mut taken = Duration::ZERO;
        for _ in 0..count.div_ceil(BURST) {
            taken += lanes::burst(&lane, BURST).await;
        }
        taken * count / (count.div_ceil(BURST) * BURST).max(1)
    })
}

fn main() -> ExitCode {
    let cases: Vec<Case> = CASES.into_iter().chain(PEERS).collect();
    floe_benches::run::main("data_path", &cases, tables::report)
}
