//! A data channel of WebRTC on a path that ICE found: SCTP over DTLS (RFC 8831), with the crates `dimpl` and `sctp-proto`.
//!
//! ```text
//! floe::Connection <-> link.rs       datagrams in and out, timers: the only part that waits
//!                      channel.rs    one negotiated channel: messages in and out
//!                      secure.rs     DTLS 1.2, and whether the peer is who the signalling says
//!                      association.rs  SCTP: order, retransmission, congestion
//! ```
//!
//! All but `link.rs` is sans-IO, as `floe_ice::Agent` is: inputs do the work, and `poll_*` only pop.

mod association;
mod certificate;
mod channel;
mod link;
mod secure;
#[cfg(test)]
mod tests;

pub(crate) use certificate::Certificate;
pub(crate) use channel::{Channel, Event, Peer};
pub(crate) use link::Link;
pub(crate) use secure::Role;

/// What every implementation takes in one message (RFC 8831 §6.6), in bytes.
pub(crate) const MAX_MESSAGE: usize = 16_384;
