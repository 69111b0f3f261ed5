//! What a client tells, and what a datagram was.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::ops::Range;
use core::time::Duration;

use floe_stun::Time;
use floe_stun::attributes::{AddressFamily, ChannelNumber, Icmp, ReservationToken};

use super::error::{Failure, Rejection};

/// Something the caller may want to know.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// There is an allocation.
    Allocated(Allocated),
    /// The peer may send to the relayed address, and data may be sent to it.
    PermissionCreated {
        /// The peer, whatever its port.
        peer: IpAddr,
    },
    /// There is no permission, or no longer one. Ask again with [`Client::permit`](crate::Client::permit).
    PermissionFailed {
        /// The peer.
        peer: IpAddr,
        /// Why.
        reason: Failure,
    },
    /// Nobody used the permission for its whole lifetime of five minutes, so it was not renewed.
    PermissionLapsed {
        /// The peer.
        peer: IpAddr,
    },
    /// Data to this peer can go in a channel from now on.
    ChannelBound {
        /// The peer.
        peer: SocketAddr,
        /// The channel.
        channel: ChannelNumber,
    },
    /// There is no channel to this peer. Send indications carry the data, if the peer has a permission.
    ChannelFailed {
        /// The peer.
        peer: SocketAddr,
        /// Why.
        reason: Failure,
    },
    /// Nobody used the channel for its whole lifetime of ten minutes, or it was released, so it was not renewed.
    ChannelLapsed {
        /// The peer.
        peer: SocketAddr,
    },
    /// The server still holds the allocation, after [`Client::confirm`](crate::Client::confirm).
    Confirmed,
    /// The allocation has come along to the new address (RFC 8016); permissions and channels with it.
    Moved,
    /// The allocation is gone, its permissions and channels with it. After [`Failure::OutOfSync`] a new one is being
    /// made already, as RFC 8656 §12.3 recommends; otherwise that is up to the caller.
    Lost {
        /// Why.
        reason: Failure,
        /// When [`Client::allocate`](crate::Client::allocate) may be called again; `None`: never.
        retry_at: Option<Time>,
    },
    /// The server wants another one to be used (RFC 8489 §10). [`Event::Failed`] follows.
    AlternateServer(Alternate),
    /// The server has an allocation of somebody else for our address (437, RFC 8656 §7.4). Open a socket with another
    /// port, then call [`Client::new_port`](crate::Client::new_port). Three ports are tried in all.
    NeedNewPort,
    /// There will be no allocation.
    Failed {
        /// Why.
        reason: Failure,
        /// When [`Client::allocate`](crate::Client::allocate) may be called again; `None`: never.
        retry_at: Option<Time>,
    },
    /// The client is closed, and the allocation deleted as far as that could be done.
    Closed,
}

/// An allocation.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Allocated {
    /// The relayed address that was asked for; of an allocation with both, the IPv4 one if there is one.
    pub relayed: SocketAddr,
    /// The second relayed address, IPv6, of an allocation with both families.
    pub relayed_ipv6: Option<SocketAddr>,
    /// Our address as the server sees it: what a server-reflexive candidate needs.
    pub mapped: SocketAddr,
    /// For how long the server holds the allocation if it is not refreshed, which the client sees to.
    pub lifetime: Duration,
    /// Names the port that was reserved.
    pub reservation: Option<ReservationToken>,
    /// The family of which the server had no address, and why; after [`Failure::FamilyNotSupported`] it is no use to ask
    /// this server for it again, after [`Failure::InsufficientCapacity`] not within a minute (RFC 8656 §7.3).
    pub missing: Option<(AddressFamily, Failure)>,
    /// The server sets DF as asked for.
    pub dont_fragment: bool,
    /// The allocation can move along.
    pub mobility: bool,
}

impl Allocated {
    /// The relayed addresses, one or two.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> + use<> {
        [Some(self.relayed), self.relayed_ipv6].into_iter().flatten()
    }
}

/// Where a server wants its clients to go (RFC 8489 §10). The answer was authentic and the addresses can be those of a
/// server, but whoever follows it has to see to the rest:
///
/// - the same transport and the same credentials are used;
/// - over TLS and DTLS the certificate has to be for `domain`, or where there is none for the name of the first server;
/// - no server is asked again within five minutes, so that servers cannot send a client in circles;
/// - the number of redirections is limited.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Alternate {
    /// The addresses, that of this server's family first. There is at least one.
    pub servers: Vec<SocketAddr>,
    /// ALTERNATE-DOMAIN.
    pub domain: Option<String>,
}

/// What a datagram was.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub enum Received {
    /// A TURN message. It is dealt with; poll for what it caused.
    Turn,
    /// Data from a peer; `payload` is its place in the datagram that was handed in.
    Data {
        /// Who sent it.
        peer: SocketAddr,
        /// Where it is.
        payload: Range<usize>,
    },
    /// A router could not deliver what was sent to a peer (RFC 8656 §11.6). Nobody vouches for it: a hint.
    Icmp {
        /// To whom. Port 0 when the server could not tell.
        peer: SocketAddr,
        /// Type, code and perhaps the MTU, of ICMPv4 or ICMPv6 as `peer` is.
        icmp: Icmp,
    },
    /// It was dropped and counted; nothing else changed.
    Rejected(Rejection),
}

/// Events that were not polled yet: bounded, the oldest goes first.
pub(super) struct Events {
    queue: VecDeque<Event>,
    limit: usize,
    lost: u64,
}

impl Events {
    pub(super) fn new(limit: u16) -> Self {
        Self { queue: VecDeque::new(), limit: usize::from(limit).max(1), lost: 0 }
    }

    pub(super) fn push(&mut self, event: Event) {
        if self.queue.len() >= self.limit {
            self.queue.pop_front();
            self.lost += 1;
        }
        self.queue.push_back(event);
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        self.queue.pop_front()
    }

    pub(super) const fn lost(&self) -> u64 {
        self.lost
    }
}
