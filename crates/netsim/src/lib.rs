//! Deterministic virtual network: links, NATs, firewalls, STUN servers, and an oracle.
#![forbid(unsafe_code)]
#![warn(clippy::iter_over_hash_type)]

mod chart;
mod endpoint;
mod firewall;
mod flow;
mod hash;
mod host;
pub mod ice;
mod id;
mod link;
mod nat;
mod network;
mod oracle;
mod packet;
mod probe;
mod queue;
mod seed;
mod site;
mod stun_server;
mod subnet;
mod topology;
mod trace;

pub use chart::{Chart, Summary};
pub use endpoint::{Datagram, Endpoint, SendError, Transmit};
pub use firewall::Firewall;
pub use floe_stun::Time;
pub use host::{Host, Interface, OpenError, Resolved};
pub use id::{EndpointId, Handle, HostId, InterfaceId, PacketId, RouterId, SegmentId, SocketId};
pub use link::Link;
pub use nat::{
    Dependence, Hairpinning, NatConfig, NatMapping, NatType, ParseNatTypeError, Pooling, PortAllocation,
};
pub use network::{Halt, Network};
pub use oracle::{Doubt, Kind, PathKind, Verdict};
pub use probe::{Probe, Received};
pub use seed::{ParseSeedError, Seed};
pub use site::{Peer, Site};
pub use stun_server::StunServer;
pub use subnet::{Subnet, SubnetError};
pub use topology::{Attach, Families, RouterConfig, TopologyError};
pub use trace::{DropReason, Event, Place, Record, Trace};
