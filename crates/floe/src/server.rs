//! Servers: [`StunServer`] tells clients the address they come from, [`TurnServer`] does so too and relays for them.
//!
//! The chapter [`guide::server`](crate::guide::server) says how to run one.

mod admission;
mod builder;
mod datagrams;
mod error;
mod front;
mod listen;
mod outbox;
mod report;
mod streams;
mod stun;
#[cfg(feature = "tls")]
mod tls;
mod turn;

pub use builder::{StreamLimits, TurnServerBuilder};
pub use error::ServeError;
pub use listen::{Listener, Transport};
pub use report::{ClientAddress, ServerEvent, TurnStats};
pub use stun::{StunServer, rate_limit};
#[cfg(feature = "tls")]
pub use tls::TlsError;
pub use turn::TurnServer;
