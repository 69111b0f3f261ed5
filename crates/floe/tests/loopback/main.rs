//! Agents on real sockets of this machine. Nothing leaves it.

mod close;
mod connect;
mod data;
mod gather;
mod proxy;
mod relays;
mod restart;
mod support;
#[cfg(feature = "tls")]
mod tls;
