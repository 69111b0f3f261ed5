//! What the operator may want to know: an event when an allocation begins, is refreshed, ends, or is refused.

use alloc::sync::Arc;
use core::net::SocketAddr;
use core::time::Duration;

use super::link::{AllocationId, Link, RelayId};
use super::rejection::Rejection;
use super::traffic::Traffic;

/// Something the operator may want to know, log or bill.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A client has an allocation.
    AllocationBegun {
        /// The allocation.
        allocation: AllocationId,
        /// The user name of the client.
        user: Arc<str>,
        /// Where the client is.
        link: Link,
        /// The relayed transport addresses, one or two.
        relays: [Option<SocketAddr>; 2],
        /// How long it lives if it is not refreshed.
        lifetime: Duration,
    },
    /// A client refreshed its allocation (RFC 8656 §8).
    AllocationRefreshed {
        /// The allocation.
        allocation: AllocationId,
        /// How long it lives from now on if it is not refreshed again.
        lifetime: Duration,
    },
    /// A client was refused an allocation. One that shows no credentials yet is not refused but asked for them, and one whose
    /// source is limited ([`Config::challenges`](super::Config::challenges)) is not reported.
    AllocationRefused {
        /// Where the client is.
        link: Link,
        /// The user name of the client, which is what it claims where the reason is [`Rejection::BadCredentials`]: anything
        /// up to 508 bytes long. `None` if it claims none, or hides it.
        user: Option<Arc<str>>,
        /// Why.
        reason: Rejection,
    },
    /// A client took its allocation along to another address (RFC 8016).
    AllocationMoved {
        /// The allocation.
        allocation: AllocationId,
        /// Where the client is now.
        link: Link,
    },
    /// An allocation has ended.
    AllocationEnded {
        /// The allocation.
        allocation: AllocationId,
        /// The user name of the client.
        user: Arc<str>,
        /// Why.
        reason: EndReason,
        /// How long it lived.
        lived: Duration,
        /// What the client sent to peers.
        to_peers: Traffic,
        /// What peers sent to the client.
        to_client: Traffic,
    },
}

/// Why an allocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// The client deleted it (RFC 8656 §8.2).
    Deleted,
    /// It was not refreshed (RFC 8656 §6).
    Expired,
    /// The client's connection was closed.
    Disconnected,
    /// The driver lost its last relay socket.
    RelayLost,
    /// The server was closed.
    Closed,
}

/// What only a driver can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Bind a UDP socket to exactly this address and answer with [`Server::relay_opened`](super::Server::relay_opened) or
    /// [`Server::relay_failed`](super::Server::relay_failed).
    OpenRelay {
        /// The server's name for the socket.
        relay: RelayId,
        /// Where to bind it.
        address: SocketAddr,
    },
    /// Close this socket. No answer.
    CloseRelay {
        /// The socket, which was opened.
        relay: RelayId,
    },
}
