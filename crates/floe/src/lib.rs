//! Interactive Connectivity Establishment (ICE, RFC 8445) on tokio: two programs behind NATs and firewalls find the
//! best path between them, keep it open, and send datagrams over it.

#![forbid(unsafe_code)]

mod agent;
mod builder;
mod connection;
mod driver;
mod engine;
mod error;
mod event;
pub mod interfaces;
mod lane;
mod queue;
mod readers;
mod receive;
mod resolver;
pub mod server;
mod socket;

pub use floe_ice as ice;
pub use floe_stun as stun;
pub use floe_turn as turn;

pub use agent::Agent;
pub use builder::Builder;
pub use connection::{Connection, DatagramCounters};
pub use error::{ConnectError, RecvError, SendError, StartError};
pub use event::{Event, Pair, SelectedPair};
pub use floe_ice::candidate::{Candidate, CandidateParseError, Credentials, CredentialsError};
pub use floe_ice::{
    AddedCandidate, AgentError, Component, ComponentId, ConnectionState, ConsentLoss, Counters,
    GatheringFailure, GatheringState, IgnoredCandidate, Nomination, PairState, PairStats, RemoteParameters,
    Role, SelectionReason, ServerAddress, ServerAddressError, StreamId,
};
pub use resolver::{Resolver, Resolving, SystemResolver};
