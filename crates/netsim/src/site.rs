//! Places for peers: what stands between a host and the Internet.

use crate::firewall::Firewall;
use crate::id::{HostId, InterfaceId, RouterId, SegmentId};
use crate::link::Link;
use crate::nat::NatType;
use crate::network::Network;
use crate::topology::{Attach, Families, RouterConfig, TopologyError};

/// What stands between a host and the Internet: a chain of routers, the innermost first.
///
/// ```
/// use floe_netsim::{Firewall, Link, NatType, Network, Site};
///
/// let mut net = Network::new(42);
/// // A laptop at home behind a provider's NAT, with IPv6; and a server.
/// let home = Site::behind(NatType::PORT_RESTRICTED_CONE)
///     .then_behind(NatType::SYMMETRIC)
///     .ipv6(Firewall::stateful())
///     .link(Link::delay_ms(2));
/// let laptop = net.add_peer("laptop", &home)?;
/// let server = net.add_peer("server", &Site::public())?;
/// // A telephone in the same home.
/// let phone = net.add_neighbour("phone", &laptop)?;
///
/// assert_eq!(laptop.routers.len(), 2);
/// assert_eq!(phone.segment, laptop.segment);
/// assert_eq!(server.segment, net.internet());
/// # Ok::<(), floe_netsim::TopologyError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Site {
    chain: Vec<RouterConfig>,
    outside: Option<SegmentId>,
    ipv6: Option<Firewall>,
    families: Families,
    link: Link,
}

/// A host at its site.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Peer {
    /// The host.
    pub host: HostId,
    /// Its interface.
    pub interface: InterfaceId,
    /// The segment it is in.
    pub segment: SegmentId,
    /// The routers of its site, the innermost first.
    pub routers: Vec<RouterId>,
    /// The link of its interface.
    link: Link,
    families: Families,
}

impl Site {
    /// Directly on the Internet.
    #[must_use]
    pub fn public() -> Self {
        Self::default()
    }

    /// Behind one router of this type. [`NatType::None`] is no router.
    #[must_use]
    pub fn behind(kind: NatType) -> Self {
        Self::default().then_behind(kind)
    }

    /// All that, behind one more router: the outermost so far.
    #[must_use]
    pub fn then_behind(self, kind: NatType) -> Self {
        if kind == NatType::None {
            return self;
        }
        self.then_behind_router(RouterConfig::of(kind))
    }

    /// All that, behind one more router: the outermost so far.
    #[must_use]
    pub fn then_behind_router(mut self, router: RouterConfig) -> Self {
        self.chain.push(router);
        self
    }

    /// The outermost router, or the host if there is none, is in this segment instead of on the Internet: behind another
    /// site's router, say.
    #[must_use]
    pub const fn within(mut self, segment: SegmentId) -> Self {
        self.outside = Some(segment);
        self
    }

    /// IPv6 as well, through this firewall at every router of the chain. Without it a site behind a router has IPv4 only,
    /// and one on the Internet both.
    #[must_use]
    pub const fn ipv6(mut self, firewall: Firewall) -> Self {
        self.ipv6 = Some(firewall);
        self
    }

    /// The families the host's interface gets addresses of.
    #[must_use]
    pub const fn families(mut self, families: Families) -> Self {
        self.families = families;
        self
    }

    /// The link between the host's interface and its segment, the same in both directions.
    #[must_use]
    pub fn link(mut self, link: Link) -> Self {
        self.link = link;
        self
    }
}

impl Network {
    /// Adds a site with one host.
    ///
    /// # Errors
    /// When a segment is not of this network or has no addresses left.
    pub fn add_peer(&mut self, name: &str, site: &Site) -> Result<Peer, TopologyError> {
        let mut segment = site.outside.unwrap_or_else(|| self.internet());
        let mut routers = Vec::with_capacity(site.chain.len());
        for (number, config) in site.chain.iter().enumerate().rev() {
            let mut config = config.clone();
            if let Some(firewall) = site.ipv6 {
                // A router that blocks UDP does not care which family it is of.
                let blocked = config.firewall_v4 == Firewall::BlockUdp;
                config = config.ipv6(if blocked { Firewall::BlockUdp } else { firewall });
            }
            let name = if number == 0 { format!("{name}-nat") } else { format!("{name}-nat{}", number + 1) };
            let router = self.add_router(&name, segment, config)?;
            segment = self.inside(router)?;
            routers.push(router);
        }
        routers.reverse();
        self.add_to(name, segment, routers, site.link.clone(), site.families)
    }

    /// Adds another host in the same segment, with a link like the other's.
    ///
    /// # Errors
    /// When the peer is not of this network or its segment has no addresses left.
    pub fn add_neighbour(&mut self, name: &str, of: &Peer) -> Result<Peer, TopologyError> {
        self.add_to(name, of.segment, of.routers.clone(), of.link.clone(), of.families)
    }

    fn add_to(
        &mut self,
        name: &str,
        segment: SegmentId,
        routers: Vec<RouterId>,
        link: Link,
        families: Families,
    ) -> Result<Peer, TopologyError> {
        let host = self.add_host(name);
        let attach = Attach::default().link(link.clone()).families(families);
        let interface = self.attach(host, segment, attach)?;
        Ok(Peer { host, interface, segment, routers, link, families })
    }
}
