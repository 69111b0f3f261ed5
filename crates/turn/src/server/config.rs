//! What a server is told.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::ops::RangeInclusive;
use core::time::Duration;

use super::accounts::Bandwidth;
use super::binding::{MAX_SOFTWARE, SoftwareTooLong};
use super::credentials::Credentials;
use super::discovery::Discovery;
use super::policy::PeerPolicy;
use super::rate_limit::RateLimit;

/// The lifetime of an allocation that asks for none, or for less (RFC 8656 §3.2, §7.2).
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);

/// How a [`Server`](super::Server) is set up.
///
/// ```
/// use floe_turn::server::{Config, Credentials, RelayAddress, Server};
/// # fn fill_from_the_operating_system() -> [u8; 32] { [0; 32] }
///
/// let mut credentials = Credentials::new("example.org")?;
/// credentials.add_user("alice", "correct horse")?;
/// let mut config = Config::new(fill_from_the_operating_system(), credentials);
/// config.relay_ipv4 = Some(RelayAddress::direct("203.0.113.5".parse()?));
/// config.limits.allocations_per_user = 4;
/// let server = Server::new(config)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// 32 bytes from the operating system's generator: nonces, tickets, tokens and ports come from it.
    pub seed: [u8; 32],
    /// Who may use the server.
    pub credentials: Credentials,
    /// Where peers reach the relays over IPv4. Without it requests for an IPv4 relay are answered with 440.
    pub relay_ipv4: Option<RelayAddress>,
    /// Where peers reach the relays over IPv6.
    pub relay_ipv6: Option<RelayAddress>,
    /// The ports of the relays. Default 49152 to 65535 (RFC 8656 §7.2).
    pub relay_ports: RangeInclusive<u16>,
    /// The longest lifetime that is granted: 600 s to 3600 s, what is outside is brought inside. Default 3600 s, which
    /// RFC 8656 §7.2 recommends as the most.
    pub max_lifetime: Duration,
    /// How long a nonce lives at most; half as long at least. Default one hour, which RFC 8656 §5 recommends as the most.
    pub nonce_lifetime: Duration,
    /// What is bounded.
    pub limits: Limits,
    /// Which peers are relayed to.
    pub peers: PeerPolicy,
    /// Further addresses of the machine. Those, and the relays' own, are no peers, but for the relays of this server, unless
    /// [`PeerPolicy::allow_own`] says so:
    /// two of its clients may well meet at them.
    pub own_addresses: Vec<IpAddr>,
    /// Refuses password algorithms other than SHA-256. Default false: clients of RFC 5389 know only MD5.
    pub require_sha256: bool,
    /// Asks clients to hide their names (USERHASH, RFC 8489 §14.4). Not to be had together with time-limited names.
    /// Default false.
    pub hide_usernames: bool,
    /// Lets clients take an allocation along to another address (RFC 8016). Default true.
    pub mobility: bool,
    /// The driver can set the DF bit on what a relay sends. Default false: a request with DONT-FRAGMENT is then refused
    /// (RFC 8656 §7.2).
    pub can_set_dont_fragment: bool,
    /// Where to send clients when this server is full or draining (300, RFC 8656 §7.2): the first address of the
    /// client's family is named. Default none.
    pub alternates: Vec<SocketAddr>,
    /// The SOFTWARE of responses to Binding, Allocate and Refresh, at most 64 bytes. RFC 8656 §5 wants it; it tells
    /// strangers the version and makes responses longer, so by default there is none.
    pub software: Option<String>,
    /// How often one source may be told to authenticate itself, and that it did so wrongly. The former has no limit on
    /// streams. The default has a key from [`seed`](Self::seed).
    pub challenges: Option<RateLimit>,
    /// How often one source gets an answer to a Binding request. Default without limit.
    pub bindings: Option<RateLimit>,
    /// The sockets at which NAT behaviour can be discovered (RFC 5780), for each family if at all. Default none.
    pub discovery: Vec<Discovery>,
    /// What Unix time it is, in seconds, when the driver's clock is at [`Time::ZERO`](floe_stun::Time::ZERO): for
    /// time-limited names. A driver whose clock is stepped says so with
    /// [`Server::set_unix_time`](super::Server::set_unix_time). Default 0.
    pub unix_time_at_zero: u64,
}

impl Config {
    /// The default configuration; it has no relay address yet.
    #[must_use]
    pub fn new(seed: [u8; 32], credentials: Credentials) -> Self {
        Self {
            seed,
            credentials,
            relay_ipv4: None,
            relay_ipv6: None,
            relay_ports: 49_152..=65_535,
            max_lifetime: Duration::from_secs(3600),
            nonce_lifetime: Duration::from_secs(3600),
            limits: Limits::default(),
            peers: PeerPolicy::default(),
            own_addresses: Vec::new(),
            require_sha256: false,
            hide_usernames: false,
            mobility: true,
            can_set_dont_fragment: false,
            alternates: Vec::new(),
            software: None,
            challenges: None,
            bindings: None,
            discovery: Vec::new(),
            unix_time_at_zero: 0,
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let right = |relay: &Option<RelayAddress>, ipv4| relay.is_none_or(|relay| relay.is_of(ipv4));
        if !right(&self.relay_ipv4, true) || !right(&self.relay_ipv6, false) {
            return Err(ConfigError::RelayFamily);
        }
        if self.relay_ipv4.is_none() && self.relay_ipv6.is_none() {
            return Err(ConfigError::NoRelay);
        }
        if self.relay_ports.is_empty() || *self.relay_ports.end() == 0 {
            return Err(ConfigError::NoPorts);
        }
        if self.hide_usernames && !self.credentials.can_hide_names() {
            return Err(ConfigError::HiddenTimeLimitedNames);
        }
        match &self.software {
            Some(software) if software.len() > MAX_SOFTWARE => Err(ConfigError::Software(SoftwareTooLong)),
            _ => Ok(()),
        }
    }
}

/// Everything but the seed.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("credentials", &self.credentials)
            .field("relay_ipv4", &self.relay_ipv4)
            .field("relay_ipv6", &self.relay_ipv6)
            .field("relay_ports", &self.relay_ports)
            .field("max_lifetime", &self.max_lifetime)
            .field("limits", &self.limits)
            .field("peers", &self.peers)
            .finish_non_exhaustive()
    }
}

/// Where relays of one family are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayAddress {
    /// What the driver binds relay sockets to.
    pub bind: IpAddr,
    /// What peers and clients are told: another address where a NAT stands in front of the server that maps one address
    /// to the other and keeps ports.
    pub public: IpAddr,
}

impl RelayAddress {
    /// An address that the machine has itself.
    #[must_use]
    pub const fn direct(ip: IpAddr) -> Self {
        Self { bind: ip, public: ip }
    }

    fn is_of(&self, ipv4: bool) -> bool {
        self.bind.is_ipv4() == ipv4 && self.public.is_ipv4() == ipv4
    }
}

/// What is bounded, so that no client takes everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Allocations and reserved ports in total. Default 10,000; beyond it 508, or 300 to an alternate.
    pub allocations: u32,
    /// Allocations and reserved ports of one user. Default 32; beyond it 486.
    pub allocations_per_user: u32,
    /// Permissions of one allocation. Default 128; beyond it 508.
    pub permissions: u16,
    /// Channels of one allocation, up to 4096. Default 64; beyond it 508.
    pub channels: u16,
    /// Responses and ICMP reports that wait to be polled. Default 1024; beyond it they are dropped, and clients ask again.
    pub transmits: u16,
    /// Data of one user. Default without limit.
    pub bandwidth: Option<Bandwidth>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            allocations: 10_000,
            allocations_per_user: 32,
            permissions: 128,
            channels: 64,
            transmits: 1024,
            bandwidth: None,
        }
    }
}

/// What is wrong with a [`Config`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no relay address: set `relay_ipv4` or `relay_ipv6`.
    NoRelay,
    /// `relay_ipv4` or `relay_ipv6` has an address of the other family.
    RelayFamily,
    /// The range of relay ports is empty.
    NoPorts,
    /// Names cannot be hidden while time-limited names are accepted: give up one.
    HiddenTimeLimitedNames,
    /// The text for SOFTWARE is too long.
    Software(SoftwareTooLong),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRelay => f.write_str("there is no relay address"),
            Self::RelayFamily => f.write_str("a relay address is of the other family"),
            Self::NoPorts => f.write_str("the range of relay ports is empty"),
            Self::HiddenTimeLimitedNames => {
                f.write_str("user names cannot be hidden while time-limited names are accepted")
            }
            Self::Software(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ConfigError {}
