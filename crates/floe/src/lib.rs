//! Interactive Connectivity Establishment (ICE, RFC 8445) on tokio: two programs behind NATs and firewalls find the
//! best path between them, keep it open, and send datagrams over it.
//!
//! # Two agents
//!
//! Each side starts an [`Agent`], which gathers [candidates](Candidate) at once. Your signalling, whatever it is,
//! carries the credentials and the candidates, as lines of text, to the other side. Then each has a [`Connection`]:
//!
//! ```
//! use std::net::Ipv4Addr;
//! use floe::Agent;
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // In earnest one of them here and one there, both with .stun_server("stun:...") and without bind.
//!     let here = Agent::builder().controlling().bind(Ipv4Addr::LOCALHOST).start().await?;
//!     let there = Agent::builder().bind(Ipv4Addr::LOCALHOST).start().await?;
//!     for (from, to) in [(&here, &there), (&there, &here)] {
//!         // What your signalling carries: the credentials, and a line of text for each candidate.
//!         to.set_remote_credentials(from.local_credentials())?;
//!         from.gathered().await;
//!         for (_, candidate) in from.local_candidates() {
//!             let _ = to.add_remote_candidate(&candidate.to_string().parse()?)?;
//!         }
//!     }
//!     let (here, there) = tokio::try_join!(here.connected(), there.connected())?;
//!     here.send(b"hello").await?;
//!     assert_eq!(there.recv(&mut [0; 1500]).await?, 5);
//!     Ok(())
//! }
//! ```
//!
//! # Where to go on
//!
//! - [`guide::embedding`]: signalling, errors, changes of the network, other protocols on top.
//! - [`guide::nat_types`]: when two peers can reach each other, and when they need a relay.
//! - [`guide::server`]: running a STUN or TURN server.
//! - [`guide::sans_io`]: the same agent without tokio, sockets or clock, in the crate [`ice`].
//!
//! # What holds
//!
//! - **The network cannot do harm.** Nothing that arrives panics, allocates without bound, or changes anything before
//!   it is authenticated. Errors of sockets cost a path at most.
//! - **Nothing waits for a slow part.** Servers, names and interfaces are tried side by side, each with its deadline;
//!   an application that does not receive loses data and nothing else.
//! - **Nothing is torn down to change.** [`Agent::restart`] makes the new path before it breaks the old one.
//! - **Nothing stays behind.** [`Agent::close`], and dropping the last handle, close every socket at once.
//! - **Sending and receiving go past the agent**: a datagram costs what it costs on tokio's `UdpSocket`, and less
//!   than a tenth of a microsecond more.
//!
//! # Who reads the sockets
//!
//! While a task waits in [`Connection::recv`], it reads by itself, into its own buffer, and hands ICE's messages to
//! the agent. Otherwise the agent's task reads, and keeps a bounded number of datagrams. A reader that stays away is
//! noticed within a tenth of a second.
//!
//! # What is left out
//!
//! ICE-TCP, mDNS candidates, lite agents and TURN over DTLS are not there yet.

#![forbid(unsafe_code)]

mod agent;
mod asked_server;
mod builder;
mod connection;
mod driver;
mod engine;
mod error;
mod event;
pub mod guide;
mod ice_server;
pub mod interfaces;
mod lane;
mod pace;
mod queue;
mod readers;
mod receive;
mod resolver;
mod route;
pub mod server;
mod socket;
mod stream;

pub use floe_ice as ice;
pub use floe_stun as stun;
pub use floe_turn as turn;

pub use agent::Agent;
pub use asked_server::AskedServer;
pub use builder::Builder;
pub use connection::{Connection, DatagramCounters};
pub use error::{ConnectError, RecvError, SendError, StartError};
pub use event::{Event, Pair, SelectedPair};
pub use floe_ice::candidate::{Candidate, CandidateParseError, Credentials, CredentialsError};
pub use floe_ice::{
    AddedCandidate, AgentError, Component, ComponentId, ConnectionState, ConsentLoss, Counters, DriverError,
    GatheringFailure, GatheringState, IgnoredCandidate, Nomination, PairState, PairStats, RelayFailure,
    RelayLoss, RelayServer, RelayTransport, RemoteParameters, RestartCause, Role, SelectionReason,
    ServerAddress, ServerAddressError, StreamId, TransportPolicy,
};
pub use ice_server::IceServer;
pub use resolver::{Resolver, Resolving, SystemResolver};
pub use stream::HttpProxy;
#[cfg(feature = "tls")]
pub use stream::TlsClient;
