//! Relayed candidates (RFC 8445 §5.1.1.2): when an allocation is asked for, and what came of it. The asking is the relay table's.

use alloc::vec::Vec;
use core::net::SocketAddr;

use floe_stun::Time;
use floe_turn::client::Failure;

use crate::config::{RelayServer, TransportPolicy};
use crate::effects::Effects;
use crate::event::{Event, RelayLoss};
use crate::ids::{RequestId, SocketId};
use crate::locals::Reflexive;
use crate::relays::Allocation;

use super::reflexive::{Phase, Query};
use super::{Base, Found, Gatherer};

impl Gatherer {
    /// No candidate but relayed ones may be used.
    pub(crate) fn is_relay_only(&self) -> bool {
        self.config().transport_policy == TransportPolicy::Relay
    }

    /// Related addresses tell of this machine.
    pub(crate) fn reveals_related(&self) -> bool {
        self.config().reveal_related && !self.is_hidden()
    }

    /// The TURN server of this number.
    pub(crate) fn relay_server(&self, number: u16) -> Option<&RelayServer> {
        let config = self.config();
        config.relays.get(usize::from(number).checked_sub(config.servers.len())?)
    }

    /// The addresses of its server that an allocation can be asked for at.
    pub(crate) fn server_addresses(&self, allocation: &Allocation) -> Vec<SocketAddr> {
        let Some(work) = &self.work else { return Vec::new() };
        work.servers.addresses_from(allocation.base, usize::from(allocation.server)).collect()
    }

    /// A question to the driver, and until when it has to be answered.
    pub(crate) fn question(&mut self, now: Time) -> (RequestId, Time) {
        (self.request_id(), now.saturating_add(self.config().driver_deadline))
    }

    /// An allocation whose turn it is (RFC 8445 §14.2).
    pub(crate) fn poll_allocation(&mut self) -> Option<Allocation> {
        self.work.as_mut()?.allocations.pop_front()
    }

    /// An allocation that gathering waited for in vain.
    pub(crate) fn poll_given_up(&mut self) -> Option<Allocation> {
        self.work.as_mut()?.given_up.pop()
    }

    /// There is an allocation. The server told at the same time what it sees us as, which makes a server-reflexive candidate, unless it
    /// sees a connection: to that nobody else can send.
    pub(crate) fn allocated(
        &mut self,
        allocation: &Allocation,
        local: SocketAddr,
        mapped: SocketAddr,
        fx: &mut Effects,
    ) {
        let (reveal_related, relay_only) = (self.reveals_related(), self.is_relay_only());
        let is_stream = self.relay_server(allocation.server).is_some_and(|s| s.transport.is_stream());
        let Some(work) = &mut self.work else { return };
        let Some(at) = work.queries.allocating(&work.bases, allocation) else { return };
        let Allocation { socket, base, server, to, .. } = *allocation;
        fx.event(Event::ServerAnswered { server, address: local, mapped });
        if !relay_only && !is_stream && mapped.is_ipv4() == base.is_ipv4() {
            let server = Some(to.ip());
            let source_rank = usize::from(allocation.server);
            let reflexive = Reflexive { mapped, server, source_rank, reveal_related };
            work.found.push_back(Found::Reflexive { socket, address: base, reflexive });
        }
        work.queries.list.remove(at);
    }

    /// There is none. Of a server that has no room a server-reflexive candidate is still to be had (§5.1.1.2).
    pub(crate) fn allocation_failed(
        &mut self,
        allocation: &Allocation,
        failure: RelayLoss,
        fx: &mut Effects,
    ) {
        let is_stream = self.relay_server(allocation.server).is_some_and(|s| s.transport.is_stream());
        let asks_anyway = !self.is_relay_only() && !is_stream;
        let Some(work) = &mut self.work else { return };
        let Some(at) = work.queries.allocating(&work.bases, allocation) else { return };
        let Some(query) = work.queries.list.get_mut(at) else { return };
        let was = core::mem::replace(&mut query.failure, failure.into());
        query.report(fx, work.bases.get(query.base));
        if asks_anyway && failure == RelayLoss::Server(Failure::InsufficientCapacity) {
            (query.failure, query.allocates, query.phase) = (was, false, Phase::Queued);
        } else {
            work.queries.list.remove(at);
        }
    }
}

impl super::reflexive::Queries {
    /// The query that an allocation answers.
    fn allocating(&self, bases: &[Base], allocation: &Allocation) -> Option<usize> {
        let asks = |q: &Query| {
            let base = bases.get(q.base);
            matches!(q.phase, Phase::Allocating)
                && q.to == allocation.to
                && base.is_some_and(|b| is_base(b, allocation.socket, allocation.base))
        };
        self.list.iter().position(asks)
    }
}

fn is_base(base: &Base, socket: SocketId, address: SocketAddr) -> bool {
    base.socket == socket && base.address == address
}
