//! One allocation, and the packets that wait for it.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::net::{IpAddr, SocketAddr};

use floe_stun::Time;
use floe_turn::client::{
    Allocated, Config, Credentials, Event, Failure, Received, Rejection as TurnRejection, RelayPath, Relayed,
};
use floe_turn::{Client, MAX_PREFIX};

use crate::config::RelayServer;
use crate::effects::Effects;
use crate::ids::{RelayId, RequestId, SocketId};
use crate::io::{Command, Rejection, Transmit};
use crate::keys::Keyring;
use crate::message::Outgoing;

use super::backoff::Backoff;
use super::{Allocation, News, Unwrapped};

/// Packets that may wait for permissions (our own rule); of more, the oldest goes. A check is repeated, and an answer asked for
/// again, so that none is worth more than that.
const MAX_WAITING: usize = 32;
/// Packets that may be ready and not yet polled (our own rule); of more, the newest go.
const MAX_READY: usize = 256;

/// How far a relay is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// The client asks for an allocation.
    Asking,
    /// The server wants another port, which the driver is to be asked for.
    NeedsPort,
    /// The driver was asked.
    Opening { request: RequestId, deadline: Time },
    /// There is an allocation.
    Allocated,
    /// It was lost, and is asked for again at this time.
    Lost(Time),
    /// Nothing more comes of it.
    Over,
}

/// A relay: the client of one allocation.
pub(crate) struct Relay {
    pub(crate) id: RelayId,
    /// What was asked for.
    pub(crate) wanted: Allocation,
    pub(super) stage: Stage,
    client: Box<Client>,
    /// The socket that reaches the server, where it is not that of the base (`port.rs`).
    own: Option<SocketId>,
    /// There was an allocation, so that one is asked for again when it is lost.
    was_allocated: bool,
    backoff: Backoff,
    /// Their peers have no permission yet.
    waiting: VecDeque<Outgoing>,
    /// Ready to be sent.
    ready: VecDeque<Outgoing>,
}

impl Relay {
    /// `None` for credentials that the configuration should not have had.
    pub(super) fn new(
        id: RelayId,
        wanted: &Allocation,
        server: &RelayServer,
        seed: [u8; 32],
    ) -> Option<Self> {
        let credentials = Credentials::new(server.username.clone(), server.password.clone()).ok()?;
        let config = Config {
            relayed: Relayed::Both { even_port: false },
            ..Config::new(wanted.to, Some(credentials), seed)
        };
        Some(Self {
            id,
            wanted: *wanted,
            stage: Stage::Asking,
            client: Box::new(Client::new(config).ok()?),
            own: None,
            was_allocated: false,
            backoff: Backoff::default(),
            waiting: VecDeque::new(),
            ready: VecDeque::new(),
        })
    }

    pub(super) fn ask(&mut self, now: Time) {
        self.stage = Stage::Asking;
        // Busy, too soon or refused: its own events say what comes of it.
        let _ = self.client.allocate(now);
    }

    /// The socket that reaches the server.
    pub(crate) fn socket(&self) -> SocketId {
        self.own.unwrap_or(self.wanted.socket)
    }

    /// The socket that was opened for this relay alone.
    pub(super) fn own_socket(&self) -> Option<SocketId> {
        self.own
    }

    pub(super) fn is_from(&self, socket: SocketId, source: SocketAddr) -> bool {
        self.socket() == socket && self.wanted.to == source
    }

    /// What the server granted, while it does.
    pub(crate) fn allocated(&self) -> Option<&Allocated> {
        self.client.allocation()
    }

    /// The relayed address of a peer's family.
    pub(super) fn relayed(&self, peer: SocketAddr) -> Option<SocketAddr> {
        self.allocated()?.addresses().find(|a| a.is_ipv4() == peer.is_ipv4())
    }

    // --- the client's life --------------------------------------------------------------------------------------

    pub(super) fn receive(&mut self, source: SocketAddr, contents: &[u8], now: Time) -> Received {
        self.client.handle_datagram(source, contents, now)
    }

    pub(super) fn handle_timeout(&mut self, now: Time) {
        if matches!(self.stage, Stage::Lost(retry) if retry <= now) {
            self.ask(now);
        }
        if self.client.poll_timeout().is_some_and(|due| due <= now) {
            self.client.handle_timeout(now);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        let own = match self.stage {
            Stage::Lost(retry) => Some(retry),
            Stage::Opening { deadline, .. } => Some(deadline),
            Stage::Over => return None,
            _ => None,
        };
        self.client.poll_timeout().into_iter().chain(own).min()
    }

    /// What the client tells, as far as it is of interest here.
    pub(super) fn take_events(&mut self, now: Time, news: &mut VecDeque<News>) {
        while let Some(event) = self.client.poll_event() {
            match event {
                Event::Allocated(_) => {
                    self.backoff.reset();
                    (self.stage, self.was_allocated) = (Stage::Allocated, true);
                    news.push_back(News::Allocated(self.id));
                }
                Event::PermissionCreated { peer } => self.release(peer),
                Event::PermissionFailed { peer, .. } => {
                    self.waiting.retain(|p| p.destination.ip().to_canonical() != peer);
                    news.push_back(News::Forbidden(self.id, peer));
                }
                Event::ChannelBound { peer, .. }
                | Event::ChannelFailed { peer, .. }
                | Event::ChannelLapsed { peer } => news.push_back(News::Reframed(self.id, peer)),
                Event::NeedNewPort => self.stage = Stage::NeedsPort,
                Event::Failed { reason, retry_at } => self.failed(reason, retry_at, now, news),
                Event::Lost { reason, retry_at } => {
                    self.waiting.clear();
                    self.ready.clear();
                    self.pause(retry_at, now);
                    news.push_back(News::Lost(self.id, self.wanted, reason));
                }
                Event::Closed => self.stage = Stage::Over,
                _ => {}
            }
        }
    }

    /// One that was there once is asked for until it is there again, or refused for good.
    fn failed(&mut self, reason: Failure, retry_at: Option<Time>, now: Time, news: &mut VecDeque<News>) {
        self.pause(retry_at.filter(|_| self.was_allocated), now);
        if self.stage == Stage::Over {
            news.push_back(News::Failed(self.wanted, reason));
        }
    }

    fn pause(&mut self, retry_at: Option<Time>, now: Time) {
        self.stage = match retry_at {
            Some(earliest) => Stage::Lost(self.backoff.after_failure(earliest, now)),
            None => Stage::Over,
        };
    }

    pub(super) fn opening(&self) -> Option<(RequestId, Time)> {
        match self.stage {
            Stage::Opening { request, deadline } => Some((request, deadline)),
            _ => None,
        }
    }

    /// From now on the server is reached through this socket.
    pub(super) fn move_to(&mut self, socket: SocketId, now: Time, fx: &mut Effects) {
        if let Some(socket) = self.own.replace(socket) {
            fx.command(Command::CloseSocket { socket });
        }
        self.stage = Stage::Asking;
        // It is what the client asked for.
        let _ = self.client.new_port(now);
    }

    /// There is no other port.
    pub(super) fn stay_without_port(&mut self, news: &mut VecDeque<News>) {
        self.stage = Stage::Over;
        news.push_back(News::Failed(self.wanted, Failure::AllocationMismatch));
    }

    /// Deletes the allocation; the packet for that can still be polled.
    pub(super) fn close(&mut self, now: Time) {
        self.waiting.clear();
        self.ready.clear();
        self.client.close(now);
        self.stage = Stage::Over;
    }

    // --- packets ------------------------------------------------------------------------------------------------

    /// RFC 8656 §10: never without a permission.
    pub(super) fn queue(&mut self, packet: Outgoing, now: Time) {
        let peer = packet.destination.ip();
        if self.client.is_permitted(peer) {
            self.client.record_sent(packet.destination, now);
            self.make_ready(packet);
            return;
        }
        // No permission can be had for such an address: the packet is lost as it might be in the network.
        if self.client.permit(peer, now).is_err() {
            return;
        }
        if self.waiting.len() >= MAX_WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(packet);
    }

    fn make_ready(&mut self, packet: Outgoing) {
        if self.ready.len() < MAX_READY {
            self.ready.push_back(packet);
        }
    }

    /// A peer may be sent to.
    fn release(&mut self, peer: IpAddr) {
        for packet in core::mem::take(&mut self.waiting) {
            if packet.destination.ip().to_canonical() == peer {
                self.make_ready(packet);
            } else {
                self.waiting.push_back(packet);
            }
        }
    }

    pub(super) fn poll_transmit<'a>(
        &mut self,
        keys: &impl Fn(&Outgoing) -> Option<&'a Keyring>,
        out: &mut [u8],
    ) -> Option<Transmit> {
        if let Some(len) = self.client.poll_transmit(out) {
            return Some(self.transmit(len));
        }
        while let Some(packet) = self.ready.pop_front() {
            if let Some(len) = self.encode(&packet, keys(&packet), out) {
                return Some(self.transmit(len));
            }
        }
        None
    }

    /// The packet in a Send indication or a channel; `None` when it cannot be sent any more.
    fn encode(&self, packet: &Outgoing, keys: Option<&Keyring>, out: &mut [u8]) -> Option<usize> {
        let len = packet.encode(keys?, out.get_mut(MAX_PREFIX..)?)?;
        let framed = self.path(packet.destination)?.frame(out, MAX_PREFIX..MAX_PREFIX + len).ok()?;
        let len = framed.len();
        out.copy_within(framed, 0);
        Some(len)
    }

    fn transmit(&self, len: usize) -> Transmit {
        let Allocation { base, to, .. } = self.wanted;
        Transmit { socket: self.socket(), src_ip: Some(base.ip()), destination: to, len }
    }

    pub(super) fn path(&self, peer: SocketAddr) -> Option<RelayPath> {
        self.client.relay_path(peer)
    }

    pub(super) fn carry(&mut self, peer: SocketAddr, now: Time) {
        // Without a channel it goes on in Send indications.
        let _ = self.client.bind(peer, now);
    }

    pub(super) fn record_sent(&mut self, peer: SocketAddr, now: Time) {
        self.client.record_sent(peer, now);
    }

    pub(super) fn check_invariants(&self) {
        self.client.check_invariants();
        assert!(self.waiting.len() <= MAX_WAITING, "packets that wait for a permission are bounded");
        assert!(self.ready.len() <= MAX_READY, "and so are those that wait for a poll");
        let allocated = self.stage == Stage::Allocated;
        assert!(!allocated || self.allocated().is_some(), "an allocation is one of the client's, too");
    }
}

/// What the client's reason is in the terms of the agent.
pub(super) fn rejection(reason: TurnRejection) -> Unwrapped {
    match reason {
        TurnRejection::UnknownTransaction | TurnRejection::UnexpectedMessage => Unwrapped::Foreign,
        TurnRejection::BadIntegrity | TurnRejection::BidDown => Unwrapped::Rejected(Rejection::BadIntegrity),
        TurnRejection::UnknownAttribute => Unwrapped::Rejected(Rejection::UnknownAttribute),
        TurnRejection::MissingAttribute => Unwrapped::Rejected(Rejection::MissingAttribute),
        TurnRejection::UnknownChannel | TurnRejection::NoPermission | TurnRejection::NoAllocation => {
            Unwrapped::Rejected(Rejection::UnknownSource)
        }
        _ => Unwrapped::Rejected(Rejection::Malformed),
    }
}
