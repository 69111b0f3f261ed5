//! The server's side: STUN Binding, and TURN (RFC 8656) for clients over datagrams and streams.
//!
//! [`Server`] is a state machine without sockets, clock or entropy of its own. The driver hands it what clients and peers
//! send, and does what it asks for: it sends packets, opens and closes relay sockets.
//!
//! - [`Server::handle_datagram`] takes what clients send: a datagram, or one frame of a stream. Data for a peer come back
//!   as a part of what was handed in; everything else is dealt with inside.
//! - [`Server::handle_peer_datagram`] takes what peers send to a relay, and says what to put around it.
//! - [`Server::poll_command`], [`poll_transmit`](Server::poll_transmit) and [`poll_event`](Server::poll_event) give out
//!   what was decided; [`poll_timeout`](Server::poll_timeout) says when to call
//!   [`handle_timeout`](Server::handle_timeout).
//!
//! ```
//! use floe_stun::attributes::RequestedTransport;
//! use floe_stun::{Class, MessageBuilder, Method, Message, Time, TransactionId};
//! use floe_turn::server::{Config, Credentials, Link, MAX_TRANSMIT, Received, RelayAddress, Server, SocketId};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # fn fill_from_the_operating_system() -> [u8; 32] { [0; 32] }
//! let mut credentials = Credentials::new("example.org")?;
//! credentials.add_user("alice", "correct horse")?;
//! let mut config = Config::new(fill_from_the_operating_system(), credentials);
//! config.relay_ipv4 = Some(RelayAddress::direct("203.0.113.5".parse()?));
//! let mut server = Server::new(config)?;
//!
//! // A client asks for an allocation and shows no credentials ...
//! let mut request = [0; 64];
//! let len = MessageBuilder::new(&mut request, Class::Request, Method::ALLOCATE, TransactionId::new([7; 12]))
//!     .attribute(&RequestedTransport::UDP)
//!     .finish()?;
//! let link = Link::datagram(SocketId(1), "198.51.100.7:49152".parse()?);
//! assert!(matches!(server.handle_datagram(link, &request[..len], Time::ZERO), Received::Rejected(_)));
//!
//! // ... so it is told to: out[..len] goes back to it.
//! let mut out = [0; MAX_TRANSMIT];
//! let transmit = server.poll_transmit(&mut out).ok_or("there is an answer")?;
//! assert_eq!(transmit.link, link);
//! assert_eq!(Message::parse(&out[..transmit.len])?.class(), Class::Error);
//! # Ok(())
//! # }
//! ```
//!
//! # What the driver decides
//!
//! DSCP and ECN of what it sends: this server takes the alternate behaviour of RFC 8656 §14, a fixed DSCP and Not-ECT,
//! which is what a socket does by itself; so are TTL, flow label and fragmentation (§13). TLS, DTLS, and how much a slow
//! stream may queue are the driver's as well.
//!
//! # What an attacker can do
//!
//! Without a key: nothing but get answers, each little larger than its request, and of those only so many per source.
//! No state is kept for a request before it is authenticated, and none afterwards but the allocation itself: requests
//! can be repeated, they are idempotent. With a key: as much as [`Limits`] and [`PeerPolicy`] leave.

mod accounts;
mod allocate;
mod allocation;
mod authenticate;
mod base64;
mod binding;
mod channel_bind;
mod channels;
mod config;
mod create_permission;
mod credentials;
mod deadlines;
mod discovery;
mod effects;
mod event;
mod from_client;
mod from_peer;
mod keyed_hash;
mod lifecycle;
mod link;
mod mobility;
mod nonce;
mod opening;
mod permissions;
mod policy;
mod ports;
mod rate_limit;
mod refresh;
mod rejection;
mod relays;
mod request;
mod respond;
mod slab;
mod traffic;

use core::fmt;

use floe_stun::{Key, Time};

pub use accounts::Bandwidth;
pub use binding::{
    Answer, BindingConfig, BindingServer, BindingStats, MAX_RESPONSE, Silence, SoftwareTooLong,
};
pub use config::{Config, ConfigError, DEFAULT_LIFETIME, Limits, RelayAddress};
pub use credentials::{Credentials, CredentialsError, SharedSecret};
pub use discovery::{Discovery, DiscoveryError};
pub use effects::{MAX_TRANSMIT, Transmit};
pub use event::{Command, EndReason, Event};
pub use from_client::Received;
pub use from_peer::FromPeer;
pub use link::{AllocationId, Link, RelayId, SocketId};
pub use policy::PeerPolicy;
pub use rate_limit::RateLimit;
pub use rejection::{Rejection, Stats};
pub use traffic::Traffic;

use accounts::Accounts;
use allocation::Allocations;
use deadlines::Deadlines;
use effects::Effects;
use keyed_hash::KeyedHash;
use mobility::Tickets;
use nonce::Nonces;
use ports::Ports;
use rate_limit::Limiter;
use relays::Relays;

use crate::random::Random;

/// A TURN and STUN server. See the [module](self) for how to drive it.
pub struct Server {
    /// As it was given, but for the seed.
    config: Config,
    random: Random,
    hash: KeyedHash,
    nonces: Nonces,
    tickets: Tickets,
    /// A key that nobody has.
    decoy: Key,
    challenges: Limiter,
    binding: BindingServer,
    allocations: Allocations,
    relays: Relays,
    accounts: Accounts,
    deadlines: Deadlines,
    fx: Effects,
    phase: Phase,
    /// The latest time that was heard of.
    now: Time,
}

/// Whether allocations are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Draining,
    Closed,
}

impl Server {
    /// A server with this configuration.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] says what to change.
    pub fn new(mut config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let mut random = Random::new(core::mem::take(&mut config.seed));
        let hash = KeyedHash::new(&mut random);
        let challenges = config.challenges.unwrap_or_else(|| RateLimit::new(random.bytes()));
        let mut binding = BindingConfig::default();
        if let Some(software) = &config.software {
            binding = binding.with_software(software.clone()).map_err(ConfigError::Software)?;
        }
        if let Some(limit) = config.bindings {
            binding = binding.with_rate_limit(limit);
        }
        let addresses = [config.relay_ipv4, config.relay_ipv6];
        Ok(Self {
            hash,
            nonces: Nonces::new(config.nonce_lifetime, &mut random),
            tickets: Tickets::new(&mut random),
            decoy: Key::from_bytes(&random.bytes::<32>()),
            challenges: Limiter::new(&challenges),
            binding: BindingServer::new(binding),
            allocations: Allocations::new(hash),
            relays: Relays::new(Ports::new(&config.relay_ports), addresses, hash),
            accounts: Accounts::new(config.limits.bandwidth, hash),
            deadlines: Deadlines::default(),
            fx: Effects::new(config.software.clone(), config.limits.transmits),
            phase: Phase::Running,
            now: Time::ZERO,
            random,
            config,
        })
    }

    /// Who may use the server. Changes count from the next request on: the allocations of a user that was removed end
    /// when they are not refreshed.
    pub fn credentials_mut(&mut self) -> &mut Credentials {
        &mut self.config.credentials
    }

    /// Says what Unix time, in seconds, it is at `now`: see [`Config::unix_time_at_zero`].
    pub fn set_unix_time(&mut self, now: Time, unix_seconds: u64) {
        self.config.unix_time_at_zero = unix_seconds.saturating_sub(now.as_nanos() / 1_000_000_000);
    }

    fn unix_time(&self, now: Time) -> u64 {
        self.config.unix_time_at_zero.saturating_add(now.as_nanos() / 1_000_000_000)
    }

    /// The next packet for a client, written to the start of `out`. [`MAX_TRANSMIT`] bytes always suffice; with fewer, a
    /// packet that does not fit waits.
    #[must_use]
    pub fn poll_transmit(&mut self, out: &mut [u8]) -> Option<Transmit> {
        self.fx.pop_transmit(out)
    }

    /// The next thing that only the driver can do.
    #[must_use]
    pub fn poll_command(&mut self) -> Option<Command> {
        self.fx.pop_command()
    }

    /// The next event. At most 4096 wait; then the oldest go.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.fx.pop_event()
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.deadlines.next()
    }

    /// What the server has done so far.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.fx.stats
    }

    /// How many allocations there are, those included whose relays are being opened.
    #[must_use]
    pub fn allocations(&self) -> usize {
        self.allocations.len()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("config", &self.config)
            .field("phase", &self.phase)
            .field("allocations", &self.allocations.len())
            .field("relays", &self.relays.len())
            .field("stats", &self.fx.stats)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
