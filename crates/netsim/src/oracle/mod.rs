//! Says from the topology alone whether two hosts can reach each other directly, or through the relays that they have.
//!
//! The oracle sends nothing. It works out which external addresses the NATs between two hosts give them, what each
//! host can learn of the other's, and which packets every filter lets through once both sides have tried everything
//! they know, again and again until nothing new comes of it. Addresses and ports are symbols in that; two mappings of a
//! NAT are the same if RFC 4787 says that they must be.
//!
//! It assumes of both sides what RFC 8445 asks of a full agent: host candidates on every interface,
//! server-reflexive ones from every STUN server of the network, signalling that works, checks between all
//! candidates of a family, and that a check is answered to where it came from. It shares no code with an agent, and
//! none with the simulated NATs but their description.

use std::fmt;

use crate::id::{HostId, RouterId};
use crate::network::Network;

mod search;
mod term;
mod walk;

use search::From;
use walk::Luck;

/// Whether two hosts can reach each other directly.
///
/// ```
/// use floe_netsim::{NatType, Network, Site, Verdict};
///
/// let mut net = Network::new(1);
/// net.add_stun_server("stun", &Site::public())?;
/// let a = net.add_peer("a", &Site::behind(NatType::SYMMETRIC))?;
/// let b = net.add_peer("b", &Site::behind(NatType::PORT_RESTRICTED_CONE))?;
/// let c = net.add_peer("c", &Site::behind(NatType::RESTRICTED_CONE))?;
///
/// assert_eq!(net.direct_path(a.host, b.host), Verdict::No);
/// // C's filter lets A in whatever its port; C learns that from the check: a peer-reflexive candidate.
/// assert_eq!(net.direct_path(a.host, c.host).to_string(), "yes: prflx-srflx over IPv4");
/// # Ok::<(), floe_netsim::TopologyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They can, whatever the timing.
    Yes {
        /// The paths there are.
        paths: Vec<PathKind>,
        /// Further ones that there may be.
        possible: Vec<PathKind>,
    },
    /// They cannot without a relay.
    No,
    /// It depends.
    Maybe {
        /// On what: the paths exist only if all of these turn out well.
        doubts: Vec<Doubt>,
        /// The paths there may be.
        paths: Vec<PathKind>,
    },
}

impl Verdict {
    /// Whether it is [`Verdict::Yes`].
    #[must_use]
    pub const fn is_yes(&self) -> bool {
        matches!(self, Self::Yes { .. })
    }

    /// Whether it is [`Verdict::No`].
    #[must_use]
    pub const fn is_no(&self) -> bool {
        matches!(self, Self::No)
    }

    /// The best of the paths that there are whatever the timing, as [`PathKind::rank`] tells. `None` if there is none.
    ///
    /// ```
    /// use floe_netsim::{Firewall, NatType, Network, Site};
    ///
    /// let mut net = Network::new(1);
    /// net.add_stun_server("stun", &Site::public())?;
    /// let site = Site::behind(NatType::FULL_CONE).ipv6(Firewall::stateful());
    /// let a = net.add_peer("a", &site)?;
    /// let b = net.add_peer("b", &site)?;
    /// let best = net.direct_path(a.host, b.host).best().map(|path| path.to_string());
    /// assert_eq!(best.as_deref(), Some("host-host over IPv6"));
    /// # Ok::<(), floe_netsim::TopologyError>(())
    /// ```
    #[must_use]
    pub fn best(&self) -> Option<PathKind> {
        match self {
            Self::Yes { paths, .. } => paths.iter().copied().max_by_key(|path| path.rank()),
            Self::No | Self::Maybe { .. } => None,
        }
    }

    /// Whether a path of this kind is among those that there are or may be, but for when an address was learned.
    #[must_use]
    pub fn allows(&self, path: PathKind) -> bool {
        let among = |paths: &[PathKind]| paths.iter().any(|known| known.is_like(path));
        match self {
            Self::Yes { paths, possible } => among(paths) || among(possible),
            Self::Maybe { paths, .. } => among(paths),
            Self::No => false,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, items: &[String]| f.write_str(&items.join(", "));
        let texts = |paths: &[PathKind]| paths.iter().map(ToString::to_string).collect::<Vec<_>>();
        match self {
            Self::Yes { paths, .. } => {
                f.write_str("yes: ")?;
                list(f, &texts(paths))
            }
            Self::No => f.write_str("no"),
            Self::Maybe { doubts, paths } => {
                f.write_str("maybe: ")?;
                list(f, &texts(paths))?;
                f.write_str(", if not for: ")?;
                list(f, &doubts.iter().map(ToString::to_string).collect::<Vec<_>>())
            }
        }
    }
}

/// The candidates at the two ends of a path, as the first host would name them once checks have succeeded. An address that
/// a check shows before a server does is the same address, but an agent calls it peer-reflexive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct PathKind {
    /// Whether it is over IPv4; else over IPv6.
    pub ipv4: bool,
    /// The first host's own candidate: the address under which the other sees it.
    pub local: Kind,
    /// The other host's candidate: the address that the first one sends to.
    pub remote: Kind,
}

impl PathKind {
    /// A path between candidates of these kinds.
    #[must_use]
    pub const fn new(ipv4: bool, local: Kind, remote: Kind) -> Self {
        Self { ipv4, local, remote }
    }

    /// Whether two are the same but for when an address was learned: one that a check shows before a server does is
    /// peer-reflexive, and the same path.
    ///
    /// ```
    /// use floe_netsim::{Kind, PathKind};
    ///
    /// let early = PathKind::new(true, Kind::Host, Kind::PeerReflexive);
    /// let late = PathKind::new(true, Kind::Host, Kind::ServerReflexive);
    /// assert!(early.is_like(late));
    /// assert!(!early.is_like(PathKind::new(true, Kind::Host, Kind::Host)));
    /// ```
    #[must_use]
    pub fn is_like(self, other: Self) -> bool {
        let of = |kind| if kind == Kind::ServerReflexive { Kind::PeerReflexive } else { kind };
        let like = |a, b| of(a) == of(b);
        self.ipv4 == other.ipv4 && like(self.local, other.local) && like(self.remote, other.remote)
    }

    /// Whether it leads through a TURN server.
    ///
    /// ```
    /// use floe_netsim::{Kind, PathKind};
    ///
    /// assert!(PathKind::new(true, Kind::ServerReflexive, Kind::Relayed).is_relayed());
    /// ```
    #[must_use]
    pub fn is_relayed(self) -> bool {
        [self.local, self.remote].contains(&Kind::Relayed)
    }

    /// How good it is: the greater, the better. That is the order of the priorities of pairs (RFC 8445 §6.1.2.3) of
    /// candidates with the recommended type preferences (§5.1.2.2), the two reflexive ones taken for one; and IPv6 before
    /// IPv4 where the types are the same (RFC 8421 §4). Every direct path comes before any with a relay; of those the
    /// preferences of the relays' addresses decide, which no type tells, and they rank alike.
    ///
    /// ```
    /// use floe_netsim::{Kind, PathKind};
    ///
    /// let direct = PathKind::new(true, Kind::Host, Kind::Host);
    /// let across = PathKind::new(false, Kind::Host, Kind::ServerReflexive);
    /// assert!(direct.rank() > across.rank());
    /// ```
    #[must_use]
    pub fn rank(self) -> (u8, u8, bool) {
        let preference = |kind| if kind == Kind::Host { 126 } else { 110 };
        if self.is_relayed() {
            return (0, 0, false);
        }
        let [local, remote] = [self.local, self.remote].map(preference);
        (local.min(remote), local.max(remote), !self.ipv4)
    }
}

impl fmt::Display for PathKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = if self.ipv4 { "IPv4" } else { "IPv6" };
        write!(f, "{}-{} over {family}", self.local, self.remote)
    }
}

/// A type of candidate, RFC 8445 §5.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// An address of an interface.
    Host,
    /// An address that a STUN server saw.
    ServerReflexive,
    /// An address that only the other side saw.
    PeerReflexive,
    /// An address of a TURN server.
    Relayed,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relayed => "relay",
        })
    }
}

/// Why a path may or may not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Doubt {
    /// The NAT's mappings depend on the destination, and its ports preserve or follow each other: an agent that predicts
    /// them may be lucky, one that does not cannot.
    Prediction(RouterId),
    /// The NAT chooses among several external addresses, and a filter cares which.
    Pooling(RouterId),
    /// The NAT or firewall forgets within 10 seconds, which may be before the other side has tried.
    Expiry(RouterId),
    /// The NAT has fewer than 256 ports.
    FewPorts(RouterId),
    /// A link loses more than 3 of 10 packets, without a limit to losses in a row.
    Loss,
    /// A link has an MTU too small for checks of full size.
    Mtu,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prediction(id) => write!(f, "the ports of {id:?} can only be guessed"),
            Self::Pooling(id) => write!(f, "{id:?} has several external addresses"),
            Self::Expiry(id) => write!(f, "{id:?} forgets soon"),
            Self::FewPorts(id) => write!(f, "{id:?} has few ports"),
            Self::Loss => f.write_str("a link loses much"),
            Self::Mtu => f.write_str("a link has a small MTU"),
        }
    }
}

impl Network {
    /// Whether two hosts can reach each other directly, and how, as things are now: links, interfaces and configurations
    /// count, the present state of NATs and firewalls does not. [`Verdict::No`] if one is not of this network.
    #[must_use]
    pub fn direct_path(&self, a: HostId, b: HostId) -> Verdict {
        self.path(a, b, [None; 2])
    }

    /// As [`Network::direct_path`], and through relays: one of each of the two on its TURN server, if it has one
    /// (RFC 8656). A relay has an address of each family that its server has, and its client asks for a permission with every
    /// candidate of the other side.
    ///
    /// ```
    /// use floe_netsim::{NatType, Network, Site};
    ///
    /// let mut net = Network::new(1);
    /// net.add_stun_server("stun", &Site::public())?;
    /// let turn = net.add_peer("turn", &Site::public())?;
    /// let [a, b] = ["a", "b"].map(|name| net.add_peer(name, &Site::behind(NatType::SYMMETRIC)));
    /// let (a, b) = (a?, b?);
    /// assert!(net.direct_path(a.host, b.host).is_no());
    /// let verdict = net.path(a.host, b.host, [Some(turn.host), None]);
    /// assert_eq!(verdict.to_string(), "yes: relay-prflx over IPv4");
    /// # Ok::<(), floe_netsim::TopologyError>(())
    /// ```
    #[must_use]
    pub fn path(&self, a: HostId, b: HostId, relays: [Option<HostId>; 2]) -> Verdict {
        let topology = self.topology();
        let relays = [(a, relays[0]), (b, relays[1])]
            .map(|(host, server)| server.filter(|&server| search::reaches(topology, host, server)));
        let ends = [(a, relays[0]), (b, relays[1])]
            .map(|(host, relay)| [Some(From::Host(host)), relay.map(From::Relay)].into_iter().flatten());
        let [sober, addresses, ports] = [Luck::None, Luck::Addresses, Luck::Ports].map(|luck| {
            let [ours, theirs] = ends.clone();
            let pairs = ours.flat_map(|one| theirs.clone().map(move |other| [one, other]));
            pairs.flat_map(|ends| search::paths(topology, ends, luck)).collect::<Vec<_>>()
        });
        let (clean, doubtful): (Vec<_>, Vec<_>) = sober.into_iter().partition(|path| path.doubts.is_empty());
        let paths = kinds(&clean);
        // More luck is a doubt only where nothing goes with less.
        let all = [&doubtful, &addresses, &ports];
        let Some(uncertain) = all.iter().find(|paths| !paths.is_empty()) else {
            return Verdict::No;
        };
        let mut doubts: Vec<_> = uncertain.iter().flat_map(|path| path.doubts.iter().copied()).collect();
        doubts.sort_unstable();
        doubts.dedup();
        let mut possible = kinds(all.into_iter().flatten());
        possible.retain(|kind| !paths.contains(kind));
        if paths.is_empty() {
            Verdict::Maybe { doubts, paths: possible }
        } else {
            Verdict::Yes { paths, possible }
        }
    }
}

fn kinds<'a>(paths: impl IntoIterator<Item = &'a search::Path>) -> Vec<PathKind> {
    let mut kinds: Vec<_> = paths.into_iter().map(|path| path.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}
