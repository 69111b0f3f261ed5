//! What an agent is told when it is made. Every default is here, with where it comes from.

mod relay_server;
mod server_address;

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use crate::candidate::{is_unicast, is_usable};
use crate::event::Role;
use crate::nanos::Nanos;
use crate::pace::SharedPace;

pub use relay_server::{RelayServer, RelayTransport, TransportPolicy};
pub use server_address::{DEFAULT_STUN_PORT, ServerAddress, ServerAddressError};

/// Ta, the pace of new transactions: RFC 8445 §14.2.
pub const DEFAULT_TA: Duration = Duration::from_millis(50);
/// The smallest Ta: RFC 8445 §14.2.
pub const MIN_TA: Duration = Duration::from_millis(5);
/// The smallest, and initial, retransmission timeout: RFC 8445 §14.3.
pub const MIN_RTO: Duration = Duration::from_millis(500);
/// Tr, the keepalive interval, and its minimum: RFC 8445 §11.
pub const MIN_KEEPALIVE: Duration = Duration::from_secs(15);
/// The most components a stream can have: RFC 8839 §5.1.
pub const MAX_COMPONENTS: u16 = 256;
/// The most STUN and TURN servers an agent asks (our own rule): each costs a transaction for every address of its family.
pub const MAX_SERVERS: usize = 64;

/// How the controlling side nominates (RFC 8445 §8.1.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Nomination {
    /// Regular nomination: check without USE-CANDIDATE, then repeat the check of the best valid pair with it, at once
    /// if nothing better can come, and otherwise some time after the first valid pair of the component. Data may be sent
    /// meanwhile.
    Regular {
        /// How long a better pair is waited for: 250 ms by default.
        settle: Duration,
        /// How long if the best pair so far has a relayed candidate, and `settle` is shorter: 2 s by default. A check that finds
        /// a NAT closed is sent again after half a second or more (RFC 8445 §14.3), when a relay has long worked.
        settle_relayed: Duration,
    },
    /// USE-CANDIDATE on every check: the first pair that works is selected, better ones replace it. One round trip
    /// faster and known from RFC 5245; for networks and peers one controls.
    Immediate,
}

impl Default for Nomination {
    fn default() -> Self {
        Self::Regular { settle: Duration::from_millis(250), settle_relayed: Duration::from_secs(2) }
    }
}

/// What happens to requests that are not authenticated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Unauthenticated {
    /// Nothing: they are counted. Does not help a stranger to find out that somebody is here. A deliberate deviation
    /// from RFC 8489 §9.1.3, and the default.
    #[default]
    Silent,
    /// Error 400 or 401 as in RFC 8489 §9.1.3, unsigned, at most ten a second.
    Answer,
}

/// Bounds on what a peer can make the agent hold or send. All of them are always on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Remote candidates that were signalled, over all streams. Further ones are ignored. Default 100.
    pub remote_candidates: u16,
    /// Peer-reflexive remote candidates. Default 32.
    pub peer_reflexive: u16,
    /// Candidate pairs over all checklists (RFC 8445 §6.1.2.5). Default 100.
    pub pairs: u16,
    /// Checks kept from before the peer's credentials are known (RFC 8445 §7.3). Default 16.
    pub early_checks: u16,
    /// Checks sent for one remote address, retransmissions included, before its pairs are given up (our own rule, beside
    /// the total of RFC 8445 §19.5.1). Consent checks do not count. Default 100.
    pub checks_per_remote: u16,
    /// Packets queued and not yet polled; responses beyond it are dropped and counted. Default 256.
    pub queued_packets: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            remote_candidates: 100,
            peer_reflexive: 32,
            pairs: 100,
            early_checks: 16,
            checks_per_remote: 100,
            queued_packets: 256,
        }
    }
}

/// Which local addresses become host candidates (RFC 8828 §5.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum AddressPolicy {
    /// Mode 1: every interface. For applications whose user agreed, and for servers. The default of this crate, whose
    /// user is the application and not a web page.
    #[default]
    All,
    /// Mode 2: the default route and the local addresses that belong to it.
    DefaultRouteAndLocal,
    /// Mode 3: the default route only; no host candidate is signalled, only what a server saw.
    DefaultRouteOnly,
}

/// What a 1:1 NAT in front of the machine (a cloud's floating address) does to a host candidate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddressMapping {
    /// The address of the interface.
    pub local: IpAddr,
    /// What the world sees instead, with the same port.
    pub external: IpAddr,
    /// Replace the host candidate, or add a server-reflexive one beside it.
    pub replace: bool,
}

/// How candidates are gathered from the interfaces the driver lists (RFC 8445 §5.1.1).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct GatherConfig {
    /// STUN servers for server-reflexive candidates, at most [`MAX_SERVERS`]. All are asked side by side, each from every
    /// address of its family and scope: a name at the first address of each, as its others are likely the same service.
    pub servers: Vec<ServerAddress>,
    /// TURN servers for relayed candidates, at most [`MAX_SERVERS`] together with the STUN servers. What an allocation shows of us is a
    /// server-reflexive candidate, too. In events they are numbered behind the STUN servers.
    pub relays: Vec<RelayServer>,
    /// Which candidates are used. With [`TransportPolicy::Relay`] the STUN servers are not asked.
    pub transport_policy: TransportPolicy,
    /// Which addresses are used.
    pub policy: AddressPolicy,
    /// Use loopback addresses too, which RFC 8445 §5.1.1.1 forbids: for tests and machines without a network.
    pub loopback: bool,
    /// Most addresses used of one interface. Default 8.
    pub addresses_per_interface: u8,
    /// How long the driver has to resolve a name, open a socket or connect, not zero. Default 5 s.
    pub driver_deadline: Duration,
    /// How long a server has to answer, retransmissions included, not zero. Default 10 s; RFC 8489 §6.2.1 would wait 39.5 s.
    pub server_deadline: Duration,
    /// 1:1 NATs that are known.
    pub mappings: Vec<AddressMapping>,
    /// Tell the peer which local address a server-reflexive candidate comes from (RFC 8839 §5.1 raddr). Default true.
    pub reveal_related: bool,
}

impl GatherConfig {
    /// The defaults: no server, every address.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            servers: Vec::new(),
            relays: Vec::new(),
            transport_policy: TransportPolicy::All,
            policy: AddressPolicy::All,
            loopback: false,
            addresses_per_interface: 8,
            driver_deadline: Duration::from_secs(5),
            server_deadline: Duration::from_secs(10),
            mappings: Vec::new(),
            reveal_related: true,
        }
    }

    /// STUN and TURN servers together.
    pub(crate) fn server_count(&self) -> usize {
        self.servers.len() + self.relays.len()
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let is_reachable = |server: &ServerAddress| match server {
            ServerAddress::Name { host, port } => server_address::is_name(host) && *port != 0,
            ServerAddress::Address(address) => is_usable(*address),
        };
        let mut all = self.servers.iter().chain(self.relays.iter().map(|relay| &relay.address));
        if self.server_count() > MAX_SERVERS || !all.all(is_reachable) {
            return Err(ConfigError::Servers);
        }
        if !self.relays.iter().all(RelayServer::has_valid_credentials) {
            return Err(ConfigError::RelayCredentials);
        }
        if !self.relays.iter().all(RelayServer::has_valid_name) {
            return Err(ConfigError::RelayName);
        }
        if self.driver_deadline.is_zero() || self.server_deadline.is_zero() {
            return Err(ConfigError::GatherDeadline);
        }
        let is_possible = |m: &AddressMapping| {
            is_unicast(m.external) && is_unicast(m.local) && m.local.is_ipv4() == m.external.is_ipv4()
        };
        if self.mappings.iter().all(is_possible) { Ok(()) } else { Err(ConfigError::Mappings) }
    }
}

impl Default for GatherConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// The configuration of an [`Agent`](crate::Agent): make it with [`Config::new`] and set what differs.
///
/// ```
/// use floe_ice::{Config, Nomination, Role};
///
/// let mut config = Config::new([7; 32]); // in earnest: from the operating system's generator
/// config.role = Role::Controlling;
/// config.nomination = Nomination::Immediate;
/// assert_eq!(config.streams, [1]);
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Seed of the agent's cryptographic generator (ChaCha12): credentials, tie-breaker, transaction ids and jitter come
    /// from it. Fill it from the operating system; a test takes a constant. Same seed and inputs, same bytes out.
    pub seed: [u8; 32],
    /// The role to begin with (RFC 8445 §6.1.1): the offerer is controlling. A conflict is resolved by itself.
    /// Default [`Role::Controlled`].
    pub role: Role,
    /// The number of components of each stream, 1..=256. Default one stream with one component.
    pub streams: Vec<u16>,
    /// How to nominate when controlling.
    pub nomination: Nomination,
    /// Ta, at least 5 ms. Default 50 ms. The larger of both sides counts (RFC 8839 §5.5).
    pub ta: Duration,
    /// The pace that the agents of this process keep together (RFC 8445 §14.2); `None` for an agent that is alone.
    pub pace: Option<SharedPace>,
    /// First retransmission timeout of checks and gathering, at least 500 ms. Default 500 ms.
    pub rto: Duration,
    /// What the formula of RFC 8445 §14.3 is cut to, as it gives 500 s for 100 pairs. Default 1 s, never below `rto`.
    pub max_rto: Duration,
    /// Check for consent every 5 seconds (RFC 7675). Off, keepalives (RFC 8445 §11) are sent instead, and a dead path
    /// is never noticed. Default on.
    pub consent: bool,
    /// Tr, at least 15 s, where consent is off. Default 15 s.
    pub keepalive: Duration,
    /// What to say to strangers.
    pub unauthenticated: Unauthenticated,
    /// Bounds.
    pub limits: Limits,
    /// Gathering.
    pub gather: GatherConfig,
}

impl Config {
    /// The defaults, with this seed.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            role: Role::Controlled,
            streams: alloc::vec![1],
            nomination: Nomination::default(),
            ta: DEFAULT_TA,
            pace: None,
            rto: MIN_RTO,
            max_rto: Duration::from_secs(1),
            consent: true,
            keepalive: MIN_KEEPALIVE,
            unauthenticated: Unauthenticated::default(),
            limits: Limits::default(),
            gather: GatherConfig::default(),
        }
    }

    /// Whether the values are in their ranges.
    ///
    /// # Errors
    /// The first value that is not.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.streams.is_empty() || self.streams.len() > usize::from(u16::MAX) {
            return Err(ConfigError::Streams);
        }
        if self.streams.iter().any(|&n| n == 0 || n > MAX_COMPONENTS) {
            return Err(ConfigError::Components);
        }
        // RFC 8445 §14.2: Ta is never below 5 ms.
        if self.ta < MIN_TA || self.ta > Duration::from_secs(60) {
            return Err(ConfigError::Ta);
        }
        // RFC 8445 §14.3: RTO is never below 500 ms.
        if self.rto < MIN_RTO || self.max_rto < self.rto {
            return Err(ConfigError::Rto);
        }
        // RFC 8445 §11: Tr is never below 15 s.
        if self.keepalive < MIN_KEEPALIVE {
            return Err(ConfigError::Keepalive);
        }
        if self.limits.pairs == 0 || self.limits.remote_candidates == 0 || self.limits.queued_packets < 16 {
            return Err(ConfigError::Limits);
        }
        self.gather.validate()
    }
}

/// What a session keeps of its configuration: neither the seed, which is used once, nor what others have taken over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) nomination: Nomination,
    pub(crate) ta: Nanos,
    pub(crate) rto: Nanos,
    pub(crate) max_rto: Nanos,
    pub(crate) consent: bool,
    pub(crate) keepalive: Nanos,
    pub(crate) unauthenticated: Unauthenticated,
    pub(crate) limits: Limits,
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        Self {
            nomination: config.nomination,
            ta: config.ta.into(),
            rto: config.rto.into(),
            max_rto: config.max_rto.into(),
            consent: config.consent,
            keepalive: config.keepalive.into(),
            unauthenticated: config.unauthenticated,
            limits: config.limits,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("seed", &"..")
            .field("role", &self.role)
            .field("streams", &self.streams)
            .field("nomination", &self.nomination)
            .field("ta", &self.ta)
            .field("pace", &self.pace)
            .field("rto", &self.rto)
            .field("max_rto", &self.max_rto)
            .field("consent", &self.consent)
            .field("keepalive", &self.keepalive)
            .field("unauthenticated", &self.unauthenticated)
            .field("limits", &self.limits)
            .field("gather", &self.gather)
            .finish()
    }
}

/// A value of a [`Config`] that is out of range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// No stream, or more than 65 535.
    Streams,
    /// A stream without components, or with more than 256.
    Components,
    /// Ta outside 5 ms to 60 s.
    Ta,
    /// An RTO below 500 ms, or above `max_rto`.
    Rto,
    /// A keepalive interval below 15 s.
    Keepalive,
    /// A limit that leaves nothing to work with.
    Limits,
    /// More than [`MAX_SERVERS`] servers, or one without a usable address or name.
    Servers,
    /// The user name of a TURN server is longer than 508 bytes.
    RelayCredentials,
    /// A TURN server over TLS without a host name that its certificate can be for: [`RelayServer::tls_name`].
    RelayName,
    /// A deadline of gathering that is over before it begins.
    GatherDeadline,
    /// A 1:1 NAT between two families, or with an address that no machine can have.
    Mappings,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Streams => "the configuration needs 1 to 65535 streams",
            Self::Components => "each stream needs 1 to 256 components",
            Self::Ta => "ta has to be 5 ms to 60 s (RFC 8445 §14.2)",
            Self::Rto => "rto has to be at least 500 ms and at most max_rto (RFC 8445 §14.3)",
            Self::Keepalive => "keepalive has to be at least 15 s (RFC 8445 §11)",
            Self::Limits => "limits need at least 1 pair, 1 remote candidate and 16 queued packets",
            Self::Servers => "at most 64 servers, each with a host name or unicast address and a port",
            Self::RelayCredentials => "the user name of a TURN server has at most 508 bytes",
            Self::RelayName => "a TURN server over TLS needs a host name, which its certificate is for",
            Self::GatherDeadline => "driver_deadline and server_deadline must not be zero",
            Self::Mappings => "a mapping needs two unicast addresses of one family",
        })
    }
}

impl core::error::Error for ConfigError {}
