//! Agents on real sockets of this machine. Nothing leaves it.

mod close;
mod connect;
mod data;
mod gather;
mod restart;
mod support;
