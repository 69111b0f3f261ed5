//! Fuzz target bodies, as plain functions that also run on stable.
//!
//! One module per target, each with `pub fn run(data: &[u8])`, which panics when something is wrong. A new target is
//! its module here and a line in `targets!`, a shim in `fuzz_targets` with its `[[bin]]` in `Cargo.toml`, a line
//! in `runs`, and a few seeds in `corpus/NAME`. The test `replay` runs every seed; fuzzing them is the business of `fuzz/run`, which needs no more
//! than stable Rust and a C++ compiler:
//!
//! ```text
//! fuzz/run stun_decode 60
//! ```

#![forbid(unsafe_code)]

mod hostile;
mod input;
mod link;
mod player;
mod twin;
mod watched;

pub use input::Input;

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of its module, its shim and its corpus.
    pub name: &'static str,
    /// Its body.
    pub run: fn(&[u8]),
}

macro_rules! targets {
    ($($name:ident,)*) => {
        $(pub mod $name;)*

        /// All targets.
        pub const TARGETS: &[Target] = &[$(Target { name: stringify!($name), run: $name::run }),*];
    };
}

targets! {
    agent_datagrams,
    agent_network,
    agent_pair,
    candidate_text,
    network_text,
    signal_message,
    signal_pair,
    signal_sdp,
    stun_build,
    stun_decode,
    turn_client,
    turn_server,
}
