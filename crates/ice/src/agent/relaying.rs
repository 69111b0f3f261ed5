//! Relays (RFC 8656) between the gatherer, who asks for them, the session, which uses them like sockets, and the sockets that reach
//! the servers.

use core::net::SocketAddr;

use floe_stun::Time;

use crate::candidate::canonical;
use crate::error::SendError;
use crate::event::{Event, RelayLoss};
use crate::ids::{Component, RelayId, RequestId, SocketId};
use crate::io::{Datagram, DriverError, Received};
use crate::locals::Relayed;
use crate::path::SendPath;
use crate::relays::{Allocation, News, Relays, Unwrapped};

use super::Agent;

impl Agent {
    /// The answer to [`Command::Connect`](crate::Command::Connect): the driver's number for the stream, and the address it is bound
    /// to. Streams and sockets are numbered together. When it comes after the deadline or after [`Agent::close`], the agent asks for
    /// the stream to be closed.
    pub fn connected(
        &mut self,
        request: RequestId,
        answer: Result<(SocketId, SocketAddr), DriverError>,
        now: Time,
    ) {
        let now = self.tick(now);
        if let Some(relays) = self.relays.if_any() {
            relays.connected(request, answer, now, &mut self.fx);
        }
        if !self.closed {
            self.settle(now);
        }
    }

    /// A stream that [`Command::Connect`](crate::Command::Connect) asked for is over: the server closed or reset it, or what came is
    /// not TURN. What was allocated over it is lost (RFC 8656 §3.1) and asked for again over another one.
    pub fn disconnected(&mut self, stream: SocketId, reason: DriverError, now: Time) {
        if self.closed {
            return;
        }
        let now = self.tick(now);
        if let Some(relays) = self.relays.if_any() {
            relays.disconnected(stream, reason, now, &mut self.fx);
        }
        self.settle(now);
    }

    /// A datagram that came from a TURN server, or through one; `None` if it is any other.
    pub(super) fn route_relayed(&mut self, datagram: &Datagram<'_>, now: Time) -> Option<Received> {
        let source = canonical(datagram.source);
        match self.relays.if_any()?.unwrap(datagram.socket, source, datagram.contents, now)? {
            Unwrapped::Turn => Some(Received::Ice),
            Unwrapped::Rejected(reason) => Some(Received::Rejected(reason)),
            Unwrapped::Foreign => None,
            Unwrapped::Packet { socket, relayed, peer, payload } => {
                let contents = datagram.contents.get(payload.clone()).unwrap_or_default();
                let inner = Datagram { socket, local_ip: Some(relayed.ip()), source: peer, contents };
                Some(match self.route_packet(&inner, now).0 {
                    Received::Data { component, payload: within } => {
                        let start = payload.start;
                        Received::Data { component, payload: start + within.start..start + within.end }
                    }
                    other => other,
                })
            }
        }
    }

    /// What relays have to do, and what they tell, before the session looks at it.
    pub(super) fn settle_relays(&mut self, now: Time) {
        if let Some(relays) = self.relays.if_any() {
            relays.handle_timeout(now, &mut self.fx);
        }
        self.take_news(now);
    }

    /// What the session wants of relays, after it has settled.
    pub(super) fn use_relays(&mut self, now: Time) {
        while let Some(allocation) = self.gatherer.poll_given_up() {
            self.relays.make().give_up(&allocation, now, &mut self.fx);
        }
        while let Some(allocation) = self.gatherer.poll_allocation() {
            let addresses = self.gatherer.server_addresses(&allocation);
            if let Some(server) = self.gatherer.relay_server(allocation.server) {
                self.relays.make().allocate(&allocation, server, &addresses, now, &mut self.fx);
            }
        }
        while let Some(address) = self.relays.needs_port() {
            let (request, deadline) = self.gatherer.question(now);
            self.relays.make().open(request, address, deadline, &mut self.fx);
        }
        while self.relays.needs_connection(now) {
            let (request, deadline) = self.gatherer.question(now);
            self.relays.make().connect(request, deadline, now, &mut self.fx);
        }
        self.carry_data(now);
        if let Some(relays) = self.relays.if_any() {
            relays.take_packets(now, &mut self.fx);
        }
    }

    /// RFC 8656 §12: data have a channel, nothing else has. Of each component one, however many relays and peers there are.
    fn carry_data(&mut self, now: Time) {
        if self.relays.is_empty() {
            return;
        }
        for stream in 0..self.session.stream_count() {
            for component in self.session.components_of(stream) {
                let carrier = self.session.carrier(component, &self.retirees);
                if let Ok(path) = carrier.send_path(component, 0)
                    && carrier.is_concluded(component)
                {
                    self.relays.make().carry(path.socket, path.destination, now, &mut self.fx);
                }
            }
        }
    }

    /// What happened to relays; whether anything did.
    pub(super) fn take_news(&mut self, now: Time) -> bool {
        let mut any = false;
        while let Some(news) = self.relays.if_any().and_then(Relays::poll_news) {
            any = true;
            match news {
                News::Allocated(id) => self.relay_allocated(id),
                News::Failed(origin, failure) => {
                    self.gatherer.allocation_failed(&origin, failure, &mut self.fx);
                }
                News::Lost(id, origin, failure) => self.relay_lost(id, &origin, failure, now),
                News::Forbidden(id, peer) => {
                    self.session.peer_forbidden(id.socket(), peer, now, &mut self.fx);
                }
                News::Reframed(id, peer) => self.relay_reframed(id, peer),
            }
        }
        any
    }

    fn relay_allocated(&mut self, id: RelayId) {
        let Some(relay) = self.relays.get(id) else { return };
        let Some(granted) = relay.allocated() else { return };
        let (origin, server) = (relay.wanted, relay.server.ip());
        let transport = self.gatherer.relay_server(origin.server).map(|s| s.transport).unwrap_or_default();
        let gathering = self.gatherer.state() == crate::event::GatheringState::Gathering;
        self.gatherer.allocated(&origin, relay.local, granted.mapped, &mut self.fx);
        // RFC 8838 §13: nothing comes after the end of candidates but in another session.
        if !gathering {
            return;
        }
        for relayed in granted.addresses() {
            let found = Relayed {
                socket: id.socket(),
                relayed,
                mapped: granted.mapped,
                server,
                transport,
                source_rank: usize::from(origin.server),
                reveal_related: self.gatherer.reveals_related() && !self.gatherer.is_relay_only(),
            };
            self.session.relay_found(origin.component, &found, &mut self.fx);
        }
    }

    fn relay_lost(&mut self, id: RelayId, origin: &Allocation, failure: RelayLoss, now: Time) {
        let Allocation { server, base: address, .. } = *origin;
        self.fx.event(Event::RelayLost { server, address, failure });
        self.session.socket_failed(id.socket(), now, &mut self.fx);
        if let Some(retirees) = self.retirees.if_any() {
            retirees.socket_failed(id.socket(), now, &mut self.fx);
        }
    }

    /// Data to this peer are framed differently.
    fn relay_reframed(&mut self, id: RelayId, peer: SocketAddr) {
        for stream in 0..self.session.stream_count() {
            for component in self.session.components_of(stream) {
                let carrier = self.session.carrier(component, &self.retirees);
                let uses = |path: SendPath| path.socket == id.socket() && path.destination == peer;
                if carrier.send_path(component, 0).is_ok_and(uses) {
                    self.session.path_changed(component, &mut self.fx);
                }
            }
        }
    }

    /// The path as the driver needs it: through the socket that reaches the server, with what has to stand around the payload.
    pub(super) fn outer_path(&self, path: SendPath) -> Result<SendPath, SendError> {
        if !path.socket.is_relay() {
            return Ok(path);
        }
        let (relay, framing) =
            self.relays.path(path.socket, path.destination).ok_or(SendError::NotConnected)?;
        Ok(SendPath {
            socket: relay.socket().ok_or(SendError::NotConnected)?,
            src_ip: Some(relay.wanted.base.ip()),
            destination: relay.server,
            relay: Some(framing),
            ..path
        })
    }

    /// Data of a component went out: what carries it through a relay is in use.
    pub(super) fn relay_used(&mut self, component: Component, now: Time) {
        if self.relays.is_empty() {
            return;
        }
        let carrier = self.session.carrier(component, &self.retirees);
        if let Ok(path) = carrier.send_path(component, 0) {
            self.relays.make().record_sent(path.socket, path.destination, now);
        }
    }
}
