//! A deterministic virtual network for testing what has to get through real ones: links, NATs, firewalls, STUN servers, a
//! signalling path, an oracle that knows what is possible, and a chart of what happened.
//!
//! Everything runs on a virtual clock in one thread. Nothing reads the time, draws from the system's random numbers or
//! opens a socket: the same seed and the same calls give the same run, byte for byte ([`Trace::digest`]).
//!
//! # Two ICE agents behind NATs
//!
//! ```
//! use std::time::Duration;
//! use floe_ice::{Config, Role};
//! use floe_netsim::{Link, NatType, Network, Site};
//!
//! // 20 ms to cross the Internet, 5 % loss, but never more than four packets of a flow in a row.
//! let mut net = Network::new(42);
//! net.set_segment_link(net.internet(), Link::delay_ms(20).loss(0.05).max_loss_run(4))?;
//! let server = net.add_stun_server("stun", &Site::public())?;
//!
//! let mut peer = |name, nat, role| {
//!     let mut config = Config::new(net.derive_seed());
//!     config.role = role;
//!     config.gather.servers = net.server_addresses(server);
//!     net.add_ice_peer(name, &Site::behind(nat), config)
//! };
//! let alice = peer("alice", NatType::PORT_RESTRICTED_CONE, Role::Controlling)?;
//! let bob = peer("bob", NatType::RESTRICTED_CONE, Role::Controlled)?;
//!
//! // What can be?
//! let hosts = [alice, bob].map(|peer| net.host_of(peer).expect("it was just added"));
//! let verdict = net.direct_path(hosts[0], hosts[1]);
//! assert_eq!(verdict.to_string(), "yes: srflx-srflx over IPv4");
//!
//! // What happens?
//! net.connect_ice(alice, bob);
//! assert!(net.run_until_connected(alice, bob, Duration::from_secs(10)), "{}", net.chart());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The parts
//!
//! - **[`Network`]** is where everything is built, run and looked at. **Segments** (the Internet, a provider's network, a
//!   LAN) form a tree that **routers** hold together; **hosts** have any number of interfaces, with IPv4, IPv6 or both, which
//!   can go down and move while the network runs. [`Site`] makes the usual arrangements short.
//! - **[`Link`]**: delay, jitter, loss with a limit to losses in a row, duplication, reordering, MTU; each direction by
//!   itself, to be changed at any time.
//! - **[`NatConfig`]**, and [`NatType`] for names such as `port-restricted-cone` or `apdm-adf-random`; see below.
//! - **[`Firewall`]**: stateful, or blocking UDP, of either family.
//! - **[`Endpoint`]** is what any sans-IO state machine implements to take part. [`ice::IcePeer`] does for agents of
//!   `floe-ice`, [`StunServer`] and [`TurnServer`] for the server cores of `floe-turn`, [`Probe`] for tests that want to send a packet
//!   or two. [`Network::inject`] sends what nobody would.
//! - **[`Trace`]** has every packet that was sent, translated, delivered or dropped and why, for tests that look at packets
//!   instead of insides. **[`Chart`]** draws it; a network that is dropped by a failing test prints its seed and its
//!   chart ([`Network::set_chart_on_panic`]).
//! - **[`Network::direct_path`]**, the oracle: whether two hosts can reach each other without a relay, between candidates
//!   of which types, and if that depends, on what ([`Verdict`]).
//!
//! # NATs
//!
//! | RFC 4787 | here |
//! |---|---|
//! | §4.1, REQ-1 mapping | [`NatConfig::mapping`]; all three classes |
//! | REQ-2 pooling | [`NatConfig::pooling`], [`RouterConfig::pool`] |
//! | §4.2.1, REQ-3 port assignment | [`NatConfig::ports`]; no overloading; well-known ports stay such (REQ-3a); [`NatConfig::port_range`] to run out of them |
//! | §4.2.2, REQ-4 parity | [`NatConfig::parity`] |
//! | §4.2.3 contiguity | no rule of its own, as RFC 4787 asks for none: what the port assignment gives |
//! | REQ-5, REQ-6 expiry and refresh | [`NatConfig::expiry`], [`NatConfig::inbound_refresh`]; any expiry, also one that REQ-5 forbids; [`Network::reboot`] |
//! | REQ-7 overlapping addresses | [`RouterConfig::inside`] may repeat what is used outside or elsewhere |
//! | §5, REQ-8 filtering | [`NatConfig::filtering`]; all three classes; per mapping, as sessions of real NATs are |
//! | §6, REQ-9 hairpinning | [`NatConfig::hairpinning`]: with external (REQ-9a) or internal source; of nested NATs each as it is told |
//! | REQ-10 application gateways | none |
//! | REQ-11 determinism | always |
//! | REQ-12, REQ-13, REQ-14 ICMP, fragments | no ICMP; packets above an MTU are dropped |
//!
//! # How it is proved
//!
//! The mapping table is tested against the requirements above, and the oracle against brute force (`tests/oracle`): peers that
//! try everything find the paths that it names and no others, for every pair of classes, two NATs deep, behind one NAT, and in
//! random networks. Agents are tested against the oracle in the NAT matrix of the workspace (`tests/nat_matrix`): every pair of
//! classes in every arrangement, 24 206 scenarios.
//!
//! # What it is not
//!
//! There is UDP, and connections that stand for TCP: bytes in order, in pieces of any size ([`Network::set_stream_chunk`]), delayed as
//! packets are and never lost, with an end. No bandwidth and so no queues; no path MTU discovery. A host never answers with ICMP, so
//! a closed UDP port is silent.
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
mod stream;
mod stun_server;
mod subnet;
mod topology;
mod trace;
mod turn_server;

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
pub use stream::{StreamEnd, StreamEvent};
pub use stun_server::StunServer;
pub use subnet::{Subnet, SubnetError};
pub use topology::{Attach, Families, RouterConfig, TopologyError};
pub use trace::{DropReason, Event, Place, Record, Trace};
pub use turn_server::TurnServer;
