//! The TURN client: one allocation on one server (RFC 8656).
//!
//! [`Client`] is a state machine without sockets. Whoever drives it hands in datagrams and the time, and polls for what to
//! send, what happened and when to come back:
//!
//! - [`Client::handle_datagram`] takes what came from the server and returns where in it data from a peer are;
//! - [`Client::handle_timeout`] does what is due, [`Client::poll_timeout`] says when that is;
//! - [`Client::poll_transmit`] encodes one packet for the server, [`Client::poll_event`] tells what happened.
//!
//! Inputs do the work, polls only pop: when a call returns, all of its consequences are queued. Poll until there is
//! nothing left after each call.
//!
//! # The life of an allocation
//!
//! The driver here has no sockets: it hands each packet to a [`Server`](crate::Server) of this crate.
//!
//! ```
//! use floe_stun::Time;
//! use floe_turn::client::{self, Event, Received};
//! use floe_turn::server::{self, Command, Link, RelayAddress, SocketId};
//! use floe_turn::{Client, MAX_PADDING, MAX_PREFIX, Server};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut users = server::Credentials::new("example.org")?;
//! # users.add_user("alice", "correct horse")?;
//! # let mut config = server::Config::new([1; 32], users);
//! # config.relay_ipv4 = Some(RelayAddress::direct("192.0.2.1".parse()?));
//! # let mut server = Server::new(config)?;
//! # let link = Link::datagram(SocketId(0), "198.51.100.9:50000".parse()?);
//! let address = "192.0.2.1:3478".parse()?;
//! let credentials = client::Credentials::new("alice", "correct horse")?;
//! let seed = [2; 32]; // 32 bytes from the operating system
//! let mut client = Client::new(client::Config::new(address, Some(credentials), seed))?;
//! let now = Time::ZERO; // floe_stun::Clock makes it from a real clock
//!
//! let peer: std::net::SocketAddr = "1.1.1.1:4000".parse()?;
//! client.allocate(now)?;
//! client.bind(peer, now)?; // a permission and a channel, as soon as there is an allocation
//!
//! // The driver's loop: send what there is, hand in what comes.
//! let mut out = [0; client::MAX_TRANSMIT];
//! while let Some(len) = client.poll_transmit(&mut out) {
//!     let _ = server.handle_datagram(link, &out[..len], now);
//!     while let Some(Command::OpenRelay { relay, .. }) = server.poll_command() {
//!         server.relay_opened(relay, now);
//!     }
//!     while let Some(transmit) = server.poll_transmit(&mut out) {
//!         assert_eq!(client.handle_datagram(address, &out[..transmit.len], now), Received::Turn);
//!     }
//! }
//! let Some(Event::Allocated(allocated)) = client.poll_event() else { panic!("no allocation") };
//! assert_eq!(allocated.mapped, link.client);
//!
//! // Data go past the client: the path says what to write in front of them.
//! let mut path = client.relay_path(peer).ok_or("the peer has a permission")?;
//! let mut buffer = [0; MAX_PREFIX + 5 + MAX_PADDING];
//! let place = MAX_PREFIX..MAX_PREFIX + 5;
//! buffer[place.clone()].copy_from_slice(b"hello");
//! let framed = path.frame(&mut buffer, place)?; // in a channel 4 bytes longer than the payload
//! let packet = &buffer[framed];
//! let server::Received::ToPeer { payload, .. } = server.handle_datagram(link, packet, now) else {
//!     panic!("not relayed")
//! };
//! assert_eq!(&packet[payload], b"hello");
//!
//! client.close(now); // deletes the allocation; Event::Closed tells when that is done
//! # Ok(())
//! # }
//! ```
//!
//! # Use keeps alive
//!
//! The allocation is refreshed until it is closed. A permission (five minutes) or channel (ten) is renewed only if it was
//! *used* since it was last asked for: somebody called [`Client::permit`] or [`Client::bind`] for it, or
//! [`Client::record_sent`], or data came from the peer. What nobody uses for a whole lifetime lapses, with an event.
//!
//! # Data
//!
//! What comes in is a range of the datagram it came in. What goes out does not pass the client: [`RelayPath`] says what to
//! write in front of a payload. It is a Send indication first and a channel once [`Client::bind`] has succeeded; data never
//! wait for that.
//!
//! # What an outer layer has to do
//!
//! To find the server (RFC 8656 §7.1), to follow [`Event::AlternateServer`] and to choose another server or transport are
//! its business, and so is pacing: each call queues the packets it needs, at most ten transactions are open at a time.

mod allocate;
mod allocation;
mod answer;
mod auth;
mod bind;
mod channel;
mod config;
mod error;
mod event;
mod path;
mod permission;
mod permit;
mod receive;
mod redirect;
mod refresh;
mod request;
mod settle;
mod stream;
mod transaction;

#[cfg(test)]
mod tests;

use core::net::{IpAddr, SocketAddr};

use floe_stun::Time;

use crate::random::Random;
use allocate::Attempt;
use allocation::Allocation;
use auth::Auth;
use channel::Channels;
use event::Events;
use permission::Permissions;
use transaction::Transactions;

pub use config::{Config, ConfigError, Credentials, Limits, PortRequest, Relayed};
pub use error::{ClientError, Failure, Rejection};
pub use event::{Allocated, Alternate, Event, Received};
pub use path::{FrameError, RelayPath};
pub use stream::{StreamDeframer, StreamError};

/// Bytes that always suffice for one packet of [`Client::poll_transmit`]: a Refresh with the longest names and ticket.
pub const MAX_TRANSMIT: usize = 2560;

/// Where the client is in the life of its allocation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Idle,
    /// An Allocate request is on its way.
    Allocating,
    /// The driver was asked for another port.
    NeedsPort,
    Active,
    /// Our address has changed, and the server does not know yet (RFC 8016).
    Moving,
    /// A Refresh with a lifetime of zero is on its way.
    Deleting(Then),
    /// There is no allocation, and none may be asked for before the time, if ever.
    Failed(Option<Time>),
    Closed,
}

/// What follows when an allocation is deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Then {
    Close,
    Fail(Option<Time>),
    Allocate,
}

/// One allocation on one TURN server. The [module](self) says how to drive it.
pub struct Client {
    config: Config,
    random: Random,
    auth: Auth,
    state: State,
    attempt: Attempt,
    /// While there is one: in `Active` and `Moving`, and in `Deleting` what is being deleted.
    allocation: Option<Allocation>,
    /// The address of ours that the server is to delete the allocation of is not the one it knows.
    deletes_by_ticket: bool,
    permissions: Permissions,
    channels: Channels,
    transactions: Transactions,
    events: Events,
    rejected: [u64; Rejection::COUNT],
    /// Counts what changes a [`RelayPath`].
    epoch: u32,
    /// The answer to `poll_timeout`.
    timeout: Option<Time>,
}

impl Client {
    /// A client that does nothing yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            random: Random::new(config.seed),
            auth: Auth::new(config.credentials.clone()),
            state: State::Idle,
            attempt: Attempt::default(),
            allocation: None,
            deletes_by_ticket: false,
            permissions: Permissions::new(config.limits.permissions),
            channels: Channels::new(config.limits.channels),
            transactions: Transactions::default(),
            events: Events::new(config.limits.events),
            rejected: [0; Rejection::COUNT],
            epoch: 0,
            timeout: None,
            config,
        })
    }

    /// Does everything that is due. Call it at [`poll_timeout`](Self::poll_timeout); earlier or repeated calls do no harm.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some(transaction) = self.transactions.next_failed(now) {
            self.on_failed(transaction, now);
        }
        self.settle(now);
    }

    /// Encodes the next packet for the server at the start of `out` and returns its length; `None` when there is nothing to
    /// send. [`MAX_TRANSMIT`] bytes always suffice.
    #[must_use]
    pub fn poll_transmit(&mut self, out: &mut [u8]) -> Option<usize> {
        self.transactions.pop(out)
    }

    /// What happened next, if anything.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if there is anything to wait for.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Time> {
        self.timeout
    }

    /// The server, where every packet goes.
    #[must_use]
    pub const fn server(&self) -> SocketAddr {
        self.config.server
    }

    /// The allocation, while there is one that can be used.
    #[must_use]
    pub fn allocation(&self) -> Option<&Allocated> {
        let live = matches!(self.state, State::Active | State::Moving);
        self.allocation.as_ref().filter(|_| live).map(|allocation| &allocation.granted)
    }

    /// Whether the client is closed and has nothing left to do.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// How many datagrams were dropped for this reason.
    #[must_use]
    pub const fn rejected(&self, reason: Rejection) -> u64 {
        self.rejected[reason as usize]
    }

    /// How many events were lost because nobody polled for them.
    #[must_use]
    pub const fn events_lost(&self) -> u64 {
        self.events.lost()
    }

    /// Changes whenever some [`RelayPath`] does. A path whose [`epoch`](RelayPath::epoch) equals it is good.
    #[must_use]
    pub const fn path_epoch(&self) -> u32 {
        self.epoch
    }

    /// How to send to `peer`; `None` while there is no permission, or no allocation, or it is moving.
    #[must_use]
    pub fn relay_path(&self, peer: SocketAddr) -> Option<RelayPath> {
        let peer = canonical(peer);
        let allocation = self.allocation.as_ref().filter(|_| self.state == State::Active)?;
        // RFC 8656 §11.1: never without a permission.
        let id = self.permissions.installed(peer.ip())?;
        let (carrier, dont_fragment) = (self.config.carrier, allocation.granted.dont_fragment);
        Some(match self.channels.bound(peer) {
            Some(channel) => RelayPath::channel(peer, channel, carrier, self.epoch),
            None => RelayPath::indication(peer, id, dont_fragment, carrier, self.epoch),
        })
    }

    /// Whether data may be sent to the peer, whatever its port, and come from it.
    #[must_use]
    pub fn is_permitted(&self, peer: IpAddr) -> bool {
        self.state == State::Active && self.permissions.installed(peer.to_canonical()).is_some()
    }

    /// Says that data went to a peer along a [`RelayPath`], which keeps its permission and channel alive. Once in a few
    /// minutes is enough, and none is needed while data come back.
    pub fn record_sent(&mut self, peer: SocketAddr, now: Time) {
        self.used(canonical(peer), now);
    }

    /// Notes that a permission and a channel are in use, and renews what is due because of it.
    fn used(&mut self, peer: SocketAddr, now: Time) {
        let permission = self.permissions.touch(peer.ip(), now);
        if self.channels.touch(peer, now) || permission {
            self.settle(now);
        }
    }

    fn paths_changed(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
    }

    /// Checks what must always be so. For tests and fuzzing.
    ///
    /// # Panics
    ///
    /// When it is not.
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        self.transactions.check_invariants();
        self.permissions.check_invariants();
        self.channels.check_invariants();
        let has = matches!(self.state, State::Active | State::Moving);
        assert!(!has || self.allocation.is_some(), "an active client has an allocation");
        if matches!(self.state, State::Idle | State::NeedsPort | State::Failed(_) | State::Closed) {
            assert_eq!(self.transactions.len(), 0, "{:?} waits for no answer", self.state);
        }
    }
}

impl core::fmt::Debug for Client {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Client")
            .field("server", &self.config.server)
            .field("state", &self.state)
            .field("allocation", &self.allocation())
            .finish_non_exhaustive()
    }
}

/// A peer by its one name: IPv4-mapped IPv6 is IPv4, and the wire knows neither scope nor flow.
fn canonical(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}
