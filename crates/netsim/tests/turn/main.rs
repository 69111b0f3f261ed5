//! The TURN server as a node, and the TURN client against it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod client;
mod impaired;
mod many;
mod relaying;
