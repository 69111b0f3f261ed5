//! The oracle against the RFC 4787 classes, and against two peers that try everything on the simulated network.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod brute_force;
mod nested;
mod puncher;
mod random;
