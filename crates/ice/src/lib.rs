//! Sans-IO ICE agent (RFC 8445): gathering, connectivity checks and nomination as state machines.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod agent;
pub mod candidate;
mod checklist;
mod config;
mod consent;
mod effects;
mod error;
mod event;
mod gather;
mod hash;
mod ids;
mod io;
mod keys;
mod locals;
mod message;
mod pacer;
mod parameters;
mod random;
mod remotes;
mod role;
mod session;
mod stats;
mod transaction;

pub use agent::{Agent, SendPath};
pub use candidate::{Candidate, Credentials};
pub use config::{
    AddressMapping, AddressPolicy, Config, ConfigError, DEFAULT_TA, GatherConfig, Limits, MAX_COMPONENTS,
    MIN_KEEPALIVE, MIN_RTO, MIN_TA, Nomination, ServerAddress, Unauthenticated,
};
pub use error::{AddedCandidate, AgentError, IgnoredCandidate, SendError};
pub use event::{
    ConnectionState, ConsentLoss, Event, GatheringFailure, GatheringState, Role, SelectionReason,
};
pub use floe_stun::Time;
pub use gather::InterfaceAddress;
pub use ids::{Component, ComponentId, LocalId, PairId, RemoteId, RequestId, SocketId, StreamId};
pub use io::{Command, Datagram, DriverError, MAX_TRANSMIT, Received, Rejection, Transmit};
pub use parameters::RemoteParameters;
pub use stats::{Counters, PairInfo, PairState, PairStats};
