//! The `floe` program as its users meet it: what it prints, and how it ends.

mod agent;
mod decode;
mod demo;
mod direct;
mod gather;
#[cfg(unix)]
mod join;
mod program;
#[cfg(unix)]
mod relays;
#[cfg(unix)]
mod serve;
#[cfg(unix)]
mod signalling;
mod turn_check;
mod usage;
