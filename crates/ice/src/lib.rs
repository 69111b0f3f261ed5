//! Sans-IO ICE agent (RFC 8445): gathering, connectivity checks and nomination as state machines.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod candidate;
mod ids;

pub use ids::*;
