//! The parts of a network and how they hang together.
//!
//! Segments form a tree: the Internet is the root, and every router joins one new segment inside to an existing one
//! outside. Within a segment any address reaches any other; what a segment does not know goes to its gateway.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::firewall::FirewallState;
use crate::hash::FastMap;
use crate::host::Interface as InterfaceView;
use crate::id::{EndpointId, HostId, InterfaceId, RouterId, SegmentId, SocketId};
use crate::link::Link;
use crate::nat::Nat;
use crate::stream::Streams;
use crate::subnet::Subnet;

mod build;
mod edit;
mod sockets;
mod streams;

pub use build::{Attach, Families, RouterConfig, TopologyError};

/// All parts of a network.
#[derive(Debug)]
pub(crate) struct Topology {
    pub(crate) segments: Vec<Segment>,
    pub(crate) routers: Vec<Router>,
    pub(crate) hosts: Vec<HostState>,
    pub(crate) interfaces: Vec<Interface>,
    /// The addresses that STUN servers answer at.
    pub(crate) stun_servers: Vec<(InterfaceId, IpAddr)>,
    /// Name, addresses, and how long a look-up takes.
    pub(crate) names: BTreeMap<String, (Vec<IpAddr>, Duration)>,
    pub(crate) streams: Streams,
    next_socket: u32,
    /// Whether a link wants to know about the flows it carries.
    pub(crate) needs_flows: bool,
}

/// A broadcast domain, or a network that behaves like one.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) v4: Option<Subnet>,
    pub(crate) v6: Option<Subnet>,
    /// What every packet through the segment goes through.
    pub(crate) core: Link,
    pub(crate) gateway: Option<RouterId>,
    pub(crate) addresses: FastMap<IpAddr, Attachment>,
    /// Blocks that are routed to an inner segment, through this router.
    pub(crate) routes: Vec<(Subnet, RouterId)>,
    /// The next host numbers to give out.
    next_v4: u64,
    next_v6: u64,
}

/// What is attached to a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attachment {
    Interface(InterfaceId),
    /// A router, as seen from outside.
    Outside(RouterId),
    /// A router, as seen from inside.
    Inside(RouterId),
}

/// A router between one segment inside and one outside.
#[derive(Debug)]
pub(crate) struct Router {
    pub(crate) name: String,
    pub(crate) inside: SegmentId,
    pub(crate) outside: SegmentId,
    pub(crate) external_v6: Option<IpAddr>,
    /// Translates IPv4; without it the inside's addresses are routed as they are.
    pub(crate) nat: Option<Nat>,
    pub(crate) external_v4: Vec<Ipv4Addr>,
    pub(crate) firewall_v4: FirewallState,
    pub(crate) firewall_v6: FirewallState,
    /// The link that joins it to the segment outside, towards it and back.
    pub(crate) uplink: Link,
    pub(crate) downlink: Link,
}

/// A host.
#[derive(Debug)]
pub(crate) struct HostState {
    pub(crate) name: String,
    pub(crate) interfaces: Vec<InterfaceId>,
    pub(crate) sockets: Vec<Socket>,
    next_port: u16,
}

/// An interface of a host.
#[derive(Debug)]
pub(crate) struct Interface {
    pub(crate) host: HostId,
    pub(crate) name: String,
    /// Where it is attached; nowhere while it is down.
    pub(crate) segment: Option<SegmentId>,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) families: Families,
    pub(crate) uplink: Link,
    pub(crate) downlink: Link,
}

/// An open UDP socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Socket {
    pub(crate) id: SocketId,
    pub(crate) endpoint: EndpointId,
    pub(crate) local: SocketAddr,
}

impl Topology {
    pub(crate) fn segment(&self, id: SegmentId) -> Option<&Segment> {
        self.segments.get(id.index())
    }

    pub(crate) fn router(&self, id: RouterId) -> Option<&Router> {
        self.routers.get(id.index())
    }

    pub(crate) fn host(&self, id: HostId) -> Option<&HostState> {
        self.hosts.get(id.index())
    }

    pub(crate) fn interface(&self, id: InterfaceId) -> Option<&Interface> {
        self.interfaces.get(id.index())
    }

    /// The interfaces of a host that are up.
    pub(crate) fn interfaces_of(&self, host: HostId) -> impl Iterator<Item = InterfaceView<'_>> {
        let interfaces = self.host(host).map_or(&[][..], |host| &host.interfaces[..]);
        interfaces.iter().zip(1..).filter_map(|(&id, index)| {
            let interface = self.interface(id)?;
            interface.segment?;
            Some(InterfaceView { id, name: &interface.name, addresses: &interface.addresses, index })
        })
    }

    /// Whom somebody means who sends to an address: the host that has it, or the first one behind the NAT that has it.
    pub(crate) fn likely_host(&self, ip: IpAddr) -> Option<HostId> {
        let of = |interface: &Interface| {
            let mut segment = interface.segment;
            let mut at_home = interface.addresses.contains(&ip);
            while let (false, Some(here)) = (at_home, segment.and_then(|id| self.segment(id))) {
                let router = here.gateway.and_then(|id| self.router(id))?;
                at_home = matches!(ip, IpAddr::V4(v4) if router.external_v4.contains(&v4));
                segment = Some(router.outside);
            }
            at_home.then_some(interface.host)
        };
        let owner = self.interfaces.iter().find(|interface| interface.addresses.contains(&ip));
        owner.map(|owner| owner.host).or_else(|| self.interfaces.iter().find_map(of))
    }

    /// Where a packet for `destination` goes next within a segment, and why nowhere if so.
    pub(crate) fn next_hop(&self, segment: &Segment, destination: IpAddr) -> Option<Attachment> {
        if let Some(&attachment) = segment.addresses.get(&destination) {
            return Some(attachment);
        }
        if let Some((_, router)) = segment.routes.iter().find(|(block, _)| block.contains(destination)) {
            return Some(Attachment::Outside(*router));
        }
        let local = [segment.v4, segment.v6].iter().flatten().any(|block| block.contains(destination));
        if local || is_link_local(destination) {
            return None;
        }
        segment.gateway.map(Attachment::Inside)
    }
}

impl Router {
    pub(crate) fn firewall(&mut self, ipv4: bool) -> &mut FirewallState {
        if ipv4 { &mut self.firewall_v4 } else { &mut self.firewall_v6 }
    }
}

/// Whether an address has a meaning on its own link only.
pub(crate) fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}
