//! What a server tells its operator.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use floe_turn::server::{AllocationId, EndReason, Event, Link, Rejection, Stats, Traffic};

use super::listen::Transport;

/// Where a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ClientAddress {
    /// What it talks over.
    pub transport: Transport,
    /// Its address, as the server sees it.
    pub address: SocketAddr,
}

impl std::fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.transport, self.address)
    }
}

/// Something the operator may want to know: from [`TurnServer::next_event`](super::TurnServer::next_event).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// A client has an allocation.
    AllocationBegun {
        /// The allocation.
        allocation: AllocationId,
        /// The user name of the client.
        user: Arc<str>,
        /// The client.
        client: ClientAddress,
        /// The relayed transport addresses, one or two.
        relays: [Option<SocketAddr>; 2],
        /// How long it lives if it is not refreshed.
        lifetime: Duration,
    },
    /// A client refreshed its allocation.
    AllocationRefreshed {
        /// The allocation.
        allocation: AllocationId,
        /// The user name of the client.
        user: Arc<str>,
        /// The client.
        client: ClientAddress,
        /// How long it lives from now on if it is not refreshed again.
        lifetime: Duration,
    },
    /// A client took its allocation along to another address (RFC 8016).
    AllocationMoved {
        /// The allocation.
        allocation: AllocationId,
        /// The user name of the client.
        user: Arc<str>,
        /// Where the client is now.
        client: ClientAddress,
    },
    /// An allocation has ended.
    AllocationEnded {
        /// The allocation.
        allocation: AllocationId,
        /// The user name of the client.
        user: Arc<str>,
        /// The client.
        client: ClientAddress,
        /// The relayed transport addresses, which are free again.
        relays: [Option<SocketAddr>; 2],
        /// Why.
        reason: EndReason,
        /// How long it lived.
        lived: Duration,
        /// What the client sent to peers.
        to_peers: Traffic,
        /// What peers sent to the client.
        to_client: Traffic,
    },
    /// A client was refused an allocation.
    AllocationRefused {
        /// The client.
        client: ClientAddress,
        /// The user name of the client. It is only claimed where the reason is [`Rejection::BadCredentials`]: then it is
        /// anything up to 508 bytes long, control characters included.
        user: Option<Arc<str>>,
        /// Why.
        reason: Rejection,
    },
}

/// What is known of an allocation until it ends.
struct Known {
    user: Arc<str>,
    link: Link,
    client: ClientAddress,
    relays: [Option<SocketAddr>; 2],
}

/// The allocations that there are, for what their events do not repeat.
#[derive(Default)]
pub(super) struct Ledger {
    known: HashMap<AllocationId, Known>,
}

impl Ledger {
    /// The core's event in full. `has` learns which links have an allocation from now on, and which have it no more.
    pub(super) fn enter(
        &mut self,
        event: Event,
        transport: impl Fn(&Link) -> Transport,
        mut has: impl FnMut(&Link, bool),
    ) -> Option<ServerEvent> {
        let client_on = |link: &Link| ClientAddress {
            transport: transport(link),
            address: SocketAddr::new(link.client.ip().to_canonical(), link.client.port()),
        };
        Some(match event {
            Event::AllocationBegun { allocation, user, link, relays, lifetime } => {
                let client = client_on(&link);
                self.known.insert(allocation, Known { user: user.clone(), link, client, relays });
                has(&link, true);
                ServerEvent::AllocationBegun { allocation, user, client, relays, lifetime }
            }
            Event::AllocationRefreshed { allocation, lifetime } => {
                let Known { user, client, .. } = self.known.get(&allocation)?;
                let (user, client) = (user.clone(), *client);
                ServerEvent::AllocationRefreshed { allocation, user, client, lifetime }
            }
            Event::AllocationMoved { allocation, link } => {
                let known = self.known.get_mut(&allocation)?;
                has(&std::mem::replace(&mut known.link, link), false);
                has(&link, true);
                known.client = client_on(&link);
                let (user, client) = (known.user.clone(), known.client);
                ServerEvent::AllocationMoved { allocation, user, client }
            }
            Event::AllocationEnded { allocation, user, reason, lived, to_peers, to_client } => {
                let Known { link, client, relays, .. } = self.known.remove(&allocation)?;
                has(&link, false);
                #[rustfmt::skip]
                let ended = ServerEvent::AllocationEnded {
                    allocation, user, client, relays, reason, lived, to_peers, to_client,
                };
                ended
            }
            Event::AllocationRefused { link, user, reason } => {
                ServerEvent::AllocationRefused { client: client_on(&link), user, reason }
            }
            // One that this front is too old for.
            _ => return None,
        })
    }
}

/// What a server has done so far, and what there is now: from [`TurnServer::stats`](super::TurnServer::stats).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TurnStats {
    /// Allocations that there are now.
    pub allocations: usize,
    /// What was asked for, relayed and refused, and why.
    pub turn: Stats,
    /// Connections of clients that there are now.
    pub connections: usize,
    /// Connections that were accepted.
    pub accepted: u64,
    /// Connections that were closed at once, because there were too many.
    pub refused: u64,
    /// Connections that were closed because they were without an allocation for too long.
    pub timed_out: u64,
    /// Connections that were closed because what came was not TURN.
    pub broken: u64,
    /// Frames that were dropped because a client read too slowly.
    pub slow_clients: u64,
    /// Datagrams that the system did not take: its buffer was full, or it knows no way there.
    pub not_sent: u64,
}

/// What the core does not count.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) accepted: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) timed_out: AtomicU64,
    pub(super) broken: AtomicU64,
    pub(super) slow_clients: AtomicU64,
    pub(super) not_sent: AtomicU64,
}

/// One more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    pub(super) fn stats(&self, allocations: usize, turn: Stats, connections: usize) -> TurnStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TurnStats {
            allocations,
            turn,
            connections,
            accepted: read(&self.accepted),
            refused: read(&self.refused),
            timed_out: read(&self.timed_out),
            broken: read(&self.broken),
            slow_clients: read(&self.slow_clients),
            not_sent: read(&self.not_sent),
        }
    }
}
