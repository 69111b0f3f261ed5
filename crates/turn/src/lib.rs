//! Sans-IO cores of STUN and TURN.
//!
//! - [`Client`] has one allocation on one TURN server (RFC 8656). Its module, [`client`], says how to drive it.
//! - [`Server`] is a TURN server for many clients. Its module, [`server`], says how to drive it.
//! - [`BindingServer`] is a STUN server that tells a client the address it comes from (the Binding method of RFC 8489).
//!
//! Nothing here opens a socket, reads a clock or draws a random number: a datagram, its source and the time go in, the
//! bytes to send back come out. So one core serves a real socket (the example below, `examples/stun_server.rs`), a
//! simulated network and a fuzzer.
//!
//! ```
//! use floe_stun::attributes::XorMappedAddress;
//! use floe_stun::{Class, Message, MessageBuilder, Method, Time, TransactionId};
//! use floe_turn::{Answer, BindingConfig, BindingServer, MAX_RESPONSE};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut server = BindingServer::new(BindingConfig::default());
//!
//! let mut request = [0; 20];
//! MessageBuilder::new(&mut request, Class::Request, Method::BINDING, TransactionId::new([7; 12])).finish()?;
//!
//! let source = "203.0.113.9:49152".parse()?;
//! let mut out = [0; MAX_RESPONSE];
//! let Answer::Respond(len) = server.handle(&request, source, Time::ZERO, &mut out)? else {
//!     panic!("a Binding request is answered");
//! };
//! // Send out[..len] to `source`, from the address the request came to.
//! let response = Message::parse(&out[..len])?;
//! assert_eq!(response.class(), Class::Success);
//! assert_eq!(response.get::<XorMappedAddress>()?, Some(XorMappedAddress(source)));
//! # Ok(())
//! # }
//! ```
//!
//! The crate is `no_std` with `alloc`; the feature `std` (default) only forwards to `floe-stun`.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod client;
mod framing;
mod random;
pub mod server;

pub use client::Client;
pub use framing::{Carrier, Frame, Framing, MAX_PADDING, MAX_PREFIX};
pub use server::Server;
pub use server::{
    Answer, BindingConfig, BindingServer, BindingStats, MAX_RESPONSE, RateLimit, Silence, SoftwareTooLong,
};
