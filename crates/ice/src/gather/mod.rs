//! Gathering (RFC 8445 §5.1.1): host and server-reflexive candidates from the machine's interfaces and STUN servers.

mod interface;

use alloc::collections::VecDeque;
use core::net::SocketAddr;

use floe_stun::{Time, TransactionId};

use crate::config::GatherConfig;
use crate::effects::Effects;
use crate::event::GatheringState;
use crate::ids::{Component, RequestId, SocketId};
use crate::io::DriverError;
use crate::io::Rejection;
use crate::locals::Reflexive;
use crate::message::Answer;

pub use interface::InterfaceAddress;

/// What gathering found; the session makes candidates of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    /// A socket, and so a base. Always before the reflexive candidates of that base.
    Base {
        component: Component,
        socket: SocketId,
        address: SocketAddr,
        /// Rank of the address among the local ones (RFC 8421 §4).
        rank: u8,
        host: HostCandidate,
    },
    /// A server's view of a base.
    Reflexive { socket: SocketId, address: SocketAddr, reflexive: Reflexive },
    /// No further candidate will come.
    Complete,
}

/// What becomes of a base's own address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HostCandidate {
    /// It is a host candidate.
    Plain,
    /// A 1:1 NAT replaces it by this address.
    Mapped(SocketAddr),
    /// It is not signalled (RFC 8828 §5.2, mode 3).
    Hidden,
}

/// The gathering machine of a session.
#[derive(Clone, Debug)]
pub(crate) struct Gatherer {
    config: GatherConfig,
    state: GatheringState,
    found: VecDeque<Found>,
}

impl Gatherer {
    pub(crate) fn new(config: GatherConfig) -> Self {
        Self { config, state: GatheringState::New, found: VecDeque::new() }
    }

    pub(crate) fn state(&self) -> GatheringState {
        self.state
    }

    /// Begins with these interfaces: asks the driver for sockets and addresses of servers.
    pub(crate) fn start(
        &mut self,
        interfaces: &[InterfaceAddress],
        components: &[Component],
        now: Time,
        fx: &mut Effects,
    ) {
        let _ = (interfaces, components, now, fx, &self.config);
    }

    /// The embedder brought a base of its own: it is asked about at the servers like the others.
    pub(crate) fn add_base(
        &mut self,
        component: Component,
        socket: SocketId,
        address: SocketAddr,
        now: Time,
        fx: &mut Effects,
    ) {
        let _ = (component, socket, address, now, fx);
    }

    /// The embedder brings no further base.
    pub(crate) fn end(&mut self, now: Time, fx: &mut Effects) {
        let _ = (now, fx);
    }

    pub(crate) fn resolved(
        &mut self,
        request: RequestId,
        answer: Result<&[SocketAddr], DriverError>,
        now: Time,
        fx: &mut Effects,
    ) {
        let _ = (request, answer, now, fx);
    }

    pub(crate) fn opened(
        &mut self,
        request: RequestId,
        answer: Result<(SocketId, SocketAddr), DriverError>,
        now: Time,
        fx: &mut Effects,
    ) {
        let _ = (request, answer, now, fx);
    }

    /// The driver lost a socket.
    pub(crate) fn socket_failed(&mut self, socket: SocketId, now: Time, fx: &mut Effects) {
        let _ = (socket, now, fx);
    }

    /// Whether a new transaction waits for its turn at the pace of Ta.
    pub(crate) fn has_work(&self) -> bool {
        false
    }

    /// Begins one new transaction. `rto` is what RFC 8445 §14.3 says for gathering.
    pub(crate) fn begin(&mut self, ta: core::time::Duration, now: Time, fx: &mut Effects) {
        let _ = (ta, now, fx);
    }

    /// A Binding response. False if the transaction is not gathering's.
    pub(crate) fn on_response(
        &mut self,
        id: &TransactionId,
        from: (SocketId, SocketAddr),
        answer: Result<Answer, Rejection>,
        now: Time,
        fx: &mut Effects,
    ) -> bool {
        let _ = (id, from, answer, now, fx);
        false
    }

    /// ICE completed: server-reflexive bindings need not be kept alive any longer.
    pub(crate) fn conclude(&mut self) {}

    /// Retransmissions and deadlines.
    pub(crate) fn handle_timeout(&mut self, now: Time, fx: &mut Effects) {
        let _ = (now, fx);
    }

    pub(crate) fn next_timeout(&self) -> Option<Time> {
        None
    }

    pub(crate) fn poll_found(&mut self) -> Option<Found> {
        self.found.pop_front()
    }

    /// Asks the driver to close what it opened, and ends.
    pub(crate) fn close(&mut self, fx: &mut Effects) {
        let _ = fx;
    }

    pub(crate) fn check_invariants(&self) {}
}
