//! The TURN server of `floe` on loopback, with the client of `floe_turn` and with agents.

#![forbid(unsafe_code)]

mod agents;
mod client;
mod refusing;
mod relaying;
mod scene;
mod starting;
mod stopping;
mod streams;
#[cfg(feature = "tls")]
mod tls;
