//! Adding parts.

use std::collections::hash_map::Entry;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Attachment, HostState, Interface, Router, Segment, Topology};
use crate::firewall::{Firewall, FirewallState};
use crate::hash::FastMap;
use crate::id::{HostId, InterfaceId, RouterId, SegmentId};
use crate::link::Link;
use crate::nat::{Nat, NatConfig, NatType};
use crate::stream::Streams;
use crate::subnet::Subnet;

/// A part could not be added or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TopologyError {
    /// The id is not of this network.
    UnknownId,
    /// Something in that segment has the address already.
    AddressInUse(IpAddr),
    /// The segment has no more addresses to give out.
    SubnetFull,
    /// The segment has no addresses of a family that was asked for.
    NoSuchFamily,
}

impl fmt::Display for TopologyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownId => f.write_str("the id belongs to another network"),
            Self::AddressInUse(ip) => write!(f, "{ip} is in use in that segment: choose another address"),
            Self::SubnetFull => f.write_str("the segment has no free addresses: give it a larger subnet"),
            Self::NoSuchFamily => {
                f.write_str("the segment has no subnet of that address family: give it one")
            }
        }
    }
}

impl core::error::Error for TopologyError {}

/// The address families of an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Families {
    /// All that the segment has.
    #[default]
    Any,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

/// How an interface is attached to a segment. The default has one address of each family that the segment has, and an
/// ideal link.
///
/// ```
/// use floe_netsim::{Attach, Families, Link, Network};
///
/// let mut net = Network::new(1);
/// let host = net.add_host("host");
/// let wifi = Attach::default().name("wlan0").families(Families::V4).link(Link::delay_ms(3));
/// let interface = net.attach(host, net.internet(), wifi)?;
/// assert_eq!(net.addresses(interface).len(), 1);
/// # Ok::<(), floe_netsim::TopologyError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Attach {
    pub(crate) name: Option<String>,
    pub(crate) families: Families,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) uplink: Link,
    pub(crate) downlink: Link,
}

impl Attach {
    /// The interface's name; `eth0`, `eth1`, … by default.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Which families get an address.
    #[must_use]
    pub const fn families(mut self, families: Families) -> Self {
        self.families = families;
        self
    }

    /// These addresses instead of ones from the segment's subnets. They need not lie in those.
    #[must_use]
    pub fn addresses(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.addresses = addresses.into_iter().collect();
        self
    }

    /// The link between the interface and its segment, the same in both directions.
    #[must_use]
    pub fn link(self, link: Link) -> Self {
        self.links(link.clone(), link)
    }

    /// The link from the interface to its segment, and the one back.
    #[must_use]
    pub fn links(mut self, up: Link, down: Link) -> Self {
        (self.uplink, self.downlink) = (up, down);
        self
    }
}

/// A router to be. By default it translates nothing, filters nothing, has IPv4 only and a subnet of its own inside.
///
/// ```
/// use floe_netsim::{Firewall, NatType, Network, RouterConfig};
///
/// let mut net = Network::new(1);
/// let config = RouterConfig::of(NatType::SYMMETRIC).ipv6(Firewall::stateful());
/// let home = net.add_router("home", net.internet(), config)?;
/// let host = net.add_host("laptop");
/// let interface = net.attach(host, net.inside(home)?, Default::default())?;
/// assert_eq!(net.addresses(interface).len(), 2);
/// # Ok::<(), floe_netsim::TopologyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RouterConfig {
    pub(crate) nat: Option<NatConfig>,
    pub(crate) firewall_v4: Firewall,
    /// The firewall for IPv6, and whether there is any.
    pub(crate) ipv6: Option<Firewall>,
    pub(crate) inside_v4: Option<Subnet>,
    pub(crate) ipv4: bool,
    pub(crate) inside_v6: Option<Subnet>,
    pub(crate) pool: usize,
    pub(crate) uplink: Link,
    pub(crate) downlink: Link,
    pub(crate) lan: Link,
}

impl RouterConfig {
    /// A router that only routes.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            nat: None,
            firewall_v4: Firewall::Open,
            ipv6: None,
            inside_v4: None,
            ipv4: true,
            inside_v6: None,
            pool: 1,
            uplink: Link::IDEAL,
            downlink: Link::IDEAL,
            lan: Link::IDEAL,
        }
    }

    /// The router that makes its inside a site of this type.
    #[must_use]
    pub const fn of(kind: NatType) -> Self {
        let mut config = Self::new();
        config.nat = kind.config();
        config.firewall_v4 = match kind {
            NatType::Firewall => Firewall::stateful(),
            NatType::Blocked => Firewall::BlockUdp,
            _ => Firewall::Open,
        };
        config
    }

    /// Translates IPv4.
    #[must_use]
    pub const fn nat(mut self, nat: NatConfig) -> Self {
        self.nat = Some(nat);
        self
    }

    /// The firewall for IPv4; it sees inside addresses.
    #[must_use]
    pub const fn firewall(mut self, firewall: Firewall) -> Self {
        self.firewall_v4 = firewall;
        self
    }

    /// Routes IPv6 too, through this firewall.
    #[must_use]
    pub const fn ipv6(mut self, firewall: Firewall) -> Self {
        self.ipv6 = Some(firewall);
        self
    }

    /// No IPv4 inside.
    #[must_use]
    pub const fn without_ipv4(mut self) -> Self {
        self.ipv4 = false;
        self
    }

    /// The IPv4 or IPv6 addresses inside, instead of a block that nobody else has. Two sites may use the same block as long
    /// as a NAT stands before each.
    #[must_use]
    pub const fn inside(mut self, subnet: Subnet) -> Self {
        if subnet.is_ipv4() {
            self.inside_v4 = Some(subnet);
        } else {
            self.inside_v6 = Some(subnet);
        }
        self
    }

    /// The number of external IPv4 addresses, 1 by default and at least.
    #[must_use]
    pub const fn pool(mut self, addresses: usize) -> Self {
        self.pool = if addresses == 0 { 1 } else { addresses };
        self
    }

    /// The link to the segment outside, the same in both directions.
    #[must_use]
    pub fn link(self, link: Link) -> Self {
        self.links(link.clone(), link)
    }

    /// The link to the segment outside, and the one back.
    #[must_use]
    pub fn links(mut self, up: Link, down: Link) -> Self {
        (self.uplink, self.downlink) = (up, down);
        self
    }

    /// What every packet within the segment inside goes through.
    #[must_use]
    pub fn lan(mut self, link: Link) -> Self {
        self.lan = link;
        self
    }
}

impl Default for RouterConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl Topology {
    /// The Internet alone.
    pub(crate) fn new() -> Self {
        let internet = Segment {
            v4: Subnet::new(Ipv4Addr::new(203, 0, 113, 0).into(), 24).ok(),
            v6: Subnet::new(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0).into(), 64).ok(),
            core: Link::IDEAL,
            gateway: None,
            addresses: FastMap::default(),
            routes: Vec::new(),
            next_v4: 1,
            next_v6: 1,
        };
        Self {
            segments: vec![internet],
            routers: Vec::new(),
            hosts: Vec::new(),
            interfaces: Vec::new(),
            stun_servers: Vec::new(),
            names: std::collections::BTreeMap::new(),
            streams: Streams::default(),
            next_socket: 0,
            needs_flows: false,
        }
    }

    pub(crate) fn note_link(&mut self, link: &Link) {
        self.needs_flows |= link.needs_flow();
    }

    pub(crate) fn add_host(&mut self, name: &str, first_port: u16) -> HostId {
        self.hosts.push(HostState {
            name: name.to_owned(),
            interfaces: Vec::new(),
            sockets: Vec::new(),
            next_port: first_port,
        });
        HostId(self.hosts.len() as u32 - 1)
    }

    pub(crate) fn add_router(
        &mut self,
        name: &str,
        outside: SegmentId,
        config: RouterConfig,
    ) -> Result<RouterId, TopologyError> {
        let id = RouterId(self.routers.len() as u32);
        let inside = SegmentId(self.segments.len() as u32);
        self.segment(outside).ok_or(TopologyError::UnknownId)?;
        let mut families = vec![Families::V4; if config.ipv4 { config.pool } else { 0 }];
        families.extend(config.ipv6.map(|_| Families::V6));
        let external = self.assign_all(outside, &families, Attachment::Outside(id))?;
        let (mut external_v4, mut external_v6) = (Vec::new(), None);
        for ip in external {
            match ip {
                IpAddr::V4(v4) => external_v4.push(v4),
                IpAddr::V6(_) => external_v6 = Some(ip),
            }
        }
        for link in [&config.uplink, &config.downlink, &config.lan] {
            self.note_link(link);
        }
        let v4 = config.inside_v4.or_else(|| default_v4(id, config.nat.is_some())).filter(|_| config.ipv4);
        let v6 = config.inside_v6.or_else(|| default_v6(id)).filter(|_| config.ipv6.is_some());
        // The router itself is number 1 of each block.
        let mut addresses = FastMap::default();
        for own in [v4, v6].iter().flatten().filter_map(|block| block.host(1)) {
            addresses.insert(own, Attachment::Inside(id));
        }
        self.segments.push(Segment {
            v4,
            v6,
            core: config.lan,
            gateway: Some(id),
            addresses,
            routes: Vec::new(),
            next_v4: 2,
            next_v6: 2,
        });
        self.routers.push(Router {
            name: name.to_owned(),
            inside,
            outside,
            external_v6,
            nat: config.nat.map(|nat| Nat::new(nat, external_v4.clone())),
            external_v4,
            firewall_v4: FirewallState::new(config.firewall_v4),
            firewall_v6: FirewallState::new(config.ipv6.unwrap_or_default()),
            uplink: config.uplink,
            downlink: config.downlink,
        });
        for block in [v4, v6].into_iter().flatten() {
            self.announce(block, id);
        }
        Ok(id)
    }

    /// Tells the segments outside where a block is, as far as no NAT hides it.
    fn announce(&mut self, block: Subnet, through: RouterId) {
        let mut next = Some(through);
        while let Some(router) = next.and_then(|id| self.routers.get(id.index())) {
            if block.is_ipv4() && router.nat.is_some() {
                return;
            }
            let Some(id) = next else { return };
            let outside = &mut self.segments[router.outside.index()];
            outside.routes.push((block, id));
            next = outside.gateway;
        }
    }

    pub(crate) fn attach(
        &mut self,
        host: HostId,
        segment: SegmentId,
        attach: Attach,
    ) -> Result<InterfaceId, TopologyError> {
        let id = InterfaceId(self.interfaces.len() as u32);
        let number = self.host(host).ok_or(TopologyError::UnknownId)?.interfaces.len();
        let attachment = Attachment::Interface(id);
        let addresses = self.claim(segment, attach.families, &attach.addresses, attachment)?;
        self.note_link(&attach.uplink);
        self.note_link(&attach.downlink);
        self.interfaces.push(Interface {
            host,
            name: attach.name.unwrap_or_else(|| format!("eth{number}")),
            segment: Some(segment),
            addresses,
            families: attach.families,
            uplink: attach.uplink,
            downlink: attach.downlink,
        });
        self.hosts[host.index()].interfaces.push(id);
        Ok(id)
    }

    /// Addresses in a segment for an attachment: the `wanted` ones, or one of each family.
    pub(super) fn claim(
        &mut self,
        segment: SegmentId,
        families: Families,
        wanted: &[IpAddr],
        attachment: Attachment,
    ) -> Result<Vec<IpAddr>, TopologyError> {
        let place = self.segment(segment).ok_or(TopologyError::UnknownId)?;
        if let Some(&taken) = wanted.iter().find(|ip| place.addresses.contains_key(ip)) {
            return Err(TopologyError::AddressInUse(taken));
        }
        if !wanted.is_empty() {
            let place = &mut self.segments[segment.index()];
            place.addresses.extend(wanted.iter().map(|&ip| (ip, attachment)));
            return Ok(wanted.to_vec());
        }
        let chosen: &[Families] = match families {
            Families::V4 => &[Families::V4],
            Families::V6 => &[Families::V6],
            Families::Any if place.v6.is_none() => &[Families::V4],
            Families::Any if place.v4.is_none() => &[Families::V6],
            Families::Any => &[Families::V4, Families::V6],
        };
        self.assign_all(segment, chosen, attachment)
    }

    /// Free addresses of these families, or none at all.
    fn assign_all(
        &mut self,
        segment: SegmentId,
        families: &[Families],
        attachment: Attachment,
    ) -> Result<Vec<IpAddr>, TopologyError> {
        let mut assigned = Vec::with_capacity(families.len());
        for &family in families {
            match self.assign(segment, family, attachment) {
                Ok(ip) => assigned.push(ip),
                Err(error) => {
                    for ip in &assigned {
                        self.segments[segment.index()].addresses.remove(ip);
                    }
                    return Err(error);
                }
            }
        }
        Ok(assigned)
    }

    /// The next free address of a segment.
    fn assign(
        &mut self,
        segment: SegmentId,
        family: Families,
        attachment: Attachment,
    ) -> Result<IpAddr, TopologyError> {
        let internet = segment.0 == 0;
        let place = self.segments.get_mut(segment.index()).ok_or(TopologyError::UnknownId)?;
        let (block, next) = match family {
            Families::V6 => (place.v6, &mut place.next_v6),
            _ => (place.v4, &mut place.next_v4),
        };
        let block = block.ok_or(TopologyError::NoSuchFamily)?;
        loop {
            let ip = block
                .host(*next)
                // The Internet does not end with the block for documentation: half of 198.18.0.0/15, for tests (RFC 2544).
                .or_else(|| if internet { Subnet::new(BENCH_V4, 16).ok()?.host(*next) } else { None })
                .ok_or(TopologyError::SubnetFull)?;
            *next += 1;
            if let Entry::Vacant(free) = place.addresses.entry(ip) {
                free.insert(attachment);
                return Ok(ip);
            }
        }
    }
}

const BENCH_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 18, 0, 0));

/// The block inside a router when it is told none: private behind a NAT, public otherwise.
fn default_v4(router: RouterId, nat: bool) -> Option<Subnet> {
    let [.., high, low] = (router.0 + 1).to_be_bytes();
    let ip = match (nat, high) {
        (true, 0) => Ipv4Addr::new(192, 168, low, 0),
        (true, _) => Ipv4Addr::new(10, high, low, 0),
        (false, 0) => Ipv4Addr::new(198, 19, low, 0),
        (false, _) => Ipv4Addr::new(100, 128 | (high & 0x7F), low, 0),
    };
    Subnet::new(ip.into(), 24).ok()
}

fn default_v6(router: RouterId) -> Option<Subnet> {
    let [a, b, c, d] = (router.0 + 1).to_be_bytes();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    Subnet::new(Ipv6Addr::new(0x2001, 0xdb8, high, low, 0, 0, 0, 0).into(), 64).ok()
}
