//! One allocation, and the packets that wait for it.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use floe_stun::Time;
use floe_turn::client::{
    Allocated, Alternate, Config, Credentials, Event, Failure, Received, Rejection as TurnRejection,
    RelayPath, Relayed,
};
use floe_turn::{Carrier, Client, MAX_PREFIX};

use crate::config::RelayServer;
use crate::effects::Effects;
use crate::event::RelayLoss;
use crate::ids::{RelayId, RequestId, SocketId};
use crate::io::{Command, DriverError, Rejection, Transmit};
use crate::keys::Keyring;
use crate::message::Outgoing;

use super::backoff::Backoff;
use super::connecting::{Connecting, Line};
use super::redirect::Asked;
use super::{Allocation, News, Unwrapped};

/// Packets that may wait for permissions (our own rule); of more, the oldest goes. A check is repeated, and an answer asked for
/// again, so that none is worth more than that.
const MAX_WAITING: usize = 32;
/// Packets that may be ready and not yet polled (our own rule); of more, the newest go.
const MAX_READY: usize = 256;

/// How far a relay is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// The driver connects to the server.
    Connecting,
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
    pub(super) credentials: Credentials,
    pub(super) client: Box<Client>,
    /// The server that is asked: the one that is wanted, or another that it named.
    pub(crate) server: SocketAddr,
    pub(super) asked: Asked,
    /// Where the server wants us to go.
    pub(super) alternate: Option<Alternate>,
    /// Of a server that is reached over connections.
    pub(super) line: Option<Box<Line>>,
    /// The connection to the server; of one over UDP its socket, where that is not that of the base (`port.rs`).
    pub(super) own: Option<SocketId>,
    /// Our address, which the server was asked from: that of the base, or of the connection.
    pub(crate) local: SocketAddr,
    /// Why there is no connection any more.
    pub(super) cut: Option<DriverError>,
    /// The server wants another port of ours: the client stays.
    pub(super) moves: bool,
    /// There was an allocation, so that one is asked for again when it is lost.
    was_allocated: bool,
    backoff: Backoff,
    /// The server wants to be left alone until then.
    not_before: Time,
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
        (server, addresses): (&RelayServer, &[SocketAddr]),
        fx: &mut Effects,
    ) -> Option<Self> {
        let credentials = Credentials::new(server.username.clone(), server.password.clone()).ok()?;
        let line = server.transport.is_stream().then(|| Line::new(addresses, server.certificate_name()));
        let client = client_of(wanted.to, &credentials, line.is_some(), fx)?;
        Some(Self {
            id,
            wanted: *wanted,
            stage: Stage::Asking,
            credentials,
            client,
            server: wanted.to,
            asked: Asked::default(),
            alternate: None,
            line: line.map(Box::new),
            own: None,
            local: wanted.base,
            cut: None,
            moves: false,
            was_allocated: false,
            backoff: Backoff::default(),
            not_before: Time::ZERO,
            waiting: VecDeque::new(),
            ready: VecDeque::new(),
        })
    }

    /// Asks for the first time.
    pub(super) fn begin(&mut self, now: Time) {
        match &mut self.line {
            Some(line) => {
                line.connecting = Connecting::to(&line.addresses);
                self.stage = Stage::Connecting;
            }
            None => self.ask(now),
        }
    }

    pub(super) fn ask(&mut self, now: Time) {
        self.stage = Stage::Asking;
        self.asked.note(self.server, now);
        // Busy, too soon or refused: its own events say what comes of it.
        let _ = self.client.allocate(now);
    }

    /// The socket that reaches the server; none while there is no connection.
    pub(crate) fn socket(&self) -> Option<SocketId> {
        self.own.or_else(|| self.line.is_none().then_some(self.wanted.socket))
    }

    /// The socket that was opened for this relay alone.
    pub(super) fn own_socket(&self) -> Option<SocketId> {
        self.own
    }

    pub(super) fn is_from(&self, socket: SocketId, source: SocketAddr) -> bool {
        self.socket() == Some(socket) && self.server == source
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

    pub(super) fn handle_timeout(&mut self, now: Time, fx: &mut Effects) {
        if matches!(self.stage, Stage::Lost(retry) if retry <= now) {
            self.retry(now, fx);
        }
        if self.client.poll_timeout().is_some_and(|due| due <= now) {
            self.client.handle_timeout(now);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        let own = match self.stage {
            Stage::Lost(retry) => Some(retry),
            Stage::Opening { deadline, .. } => Some(deadline),
            Stage::Connecting => self.line.as_ref().and_then(|line| line.connecting.next_timeout()),
            Stage::Over => return None,
            _ => None,
        };
        self.client.poll_timeout().into_iter().chain(own).min()
    }

    /// What the client tells, as far as it is of interest here.
    pub(super) fn take_events(&mut self, now: Time, news: &mut VecDeque<News>, fx: &mut Effects) {
        while let Some(event) = self.client.poll_event() {
            match event {
                Event::Allocated(_) => {
                    self.backoff.reset();
                    (self.stage, self.was_allocated) = (Stage::Allocated, true);
                    news.push_back(News::Allocated(self.id));
                }
                Event::Confirmed => news.push_back(News::Allocated(self.id)),
                Event::PermissionCreated { peer } => self.release(peer),
                Event::PermissionFailed { peer, .. } => {
                    self.waiting.retain(|p| p.destination.ip().to_canonical() != peer);
                    news.push_back(News::Forbidden(self.id, peer));
                }
                Event::ChannelBound { peer, .. }
                | Event::ChannelFailed { peer, .. }
                | Event::ChannelLapsed { peer } => news.push_back(News::Reframed(self.id, peer)),
                Event::NeedNewPort => self.needs_port(fx),
                Event::AlternateServer(alternate) => self.alternate = Some(alternate),
                Event::Failed { reason: Failure::Redirected, .. } => self.redirected(now, news, fx),
                Event::Failed { reason, retry_at } => self.failed(reason, retry_at, now, (news, fx)),
                Event::Lost { reason, retry_at } => {
                    self.waiting.clear();
                    self.ready.clear();
                    self.pause(retry_at, now);
                    news.push_back(News::Lost(self.id, self.wanted, self.loss(reason)));
                }
                Event::Closed => self.stage = Stage::Over,
                _ => {}
            }
        }
    }

    /// One that was there once is asked for until it is there again, or refused for good.
    pub(super) fn failed(
        &mut self,
        reason: Failure,
        retry_at: Option<Time>,
        now: Time,
        (news, fx): (&mut VecDeque<News>, &mut Effects),
    ) {
        let failure = self.loss(reason);
        self.drop_connection(fx);
        self.give_up(failure, retry_at, now, news);
    }

    pub(super) fn give_up(
        &mut self,
        failure: RelayLoss,
        retry_at: Option<Time>,
        now: Time,
        news: &mut VecDeque<News>,
    ) {
        self.pause(retry_at.filter(|_| self.was_allocated), now);
        self.go_home();
        if self.stage == Stage::Over {
            news.push_back(News::Failed(self.wanted, failure));
        }
    }

    fn pause(&mut self, retry_at: Option<Time>, now: Time) {
        self.not_before = retry_at.unwrap_or(Time::MAX);
        self.stage = match retry_at {
            Some(earliest) => Stage::Lost(self.backoff.after_failure(earliest, now)),
            None => Stage::Over,
        };
    }

    /// What is told of a failure that the client gives this reason for.
    fn loss(&mut self, reason: Failure) -> RelayLoss {
        match self.cut.take() {
            Some(cut) if reason == Failure::Disconnected => RelayLoss::Connection(cut),
            _ => RelayLoss::Server(reason),
        }
    }

    /// Asks the server whether it still holds the allocation.
    pub(super) fn confirm(&mut self, now: Time) {
        self.client.confirm(now);
    }

    /// Somebody asks for it who does not know that it was lost: our own pause is over.
    pub(super) fn hurry(&mut self, now: Time, fx: &mut Effects) {
        if matches!(self.stage, Stage::Lost(_)) && self.not_before <= now {
            self.backoff.reset();
            self.retry(now, fx);
        }
    }

    /// An allocation that was lost is asked for where it was, over the connection that may still be there.
    fn retry(&mut self, now: Time, fx: &mut Effects) {
        match &mut self.line {
            Some(line) if self.own.is_none() => {
                let is_configured = line.alternate_name.is_none() && line.addresses.contains(&self.server);
                let here = core::slice::from_ref(&self.server);
                line.connecting = Connecting::to(if is_configured { &line.addresses } else { here });
                self.stage = Stage::Connecting;
            }
            _ => {
                self.renew_client(fx);
                self.ask(now);
            }
        }
    }

    pub(super) fn opening(&self) -> Option<(RequestId, Time)> {
        match self.stage {
            Stage::Opening { request, deadline } => Some((request, deadline)),
            _ => None,
        }
    }

    /// What the driver was asked for and may still open.
    pub(super) fn questions(&self) -> Vec<RequestId> {
        let attempts = self.line.iter().flat_map(|line| line.connecting.requests());
        attempts.chain(self.opening().map(|(request, _)| request)).collect()
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
        news.push_back(News::Failed(self.wanted, RelayLoss::Server(Failure::AllocationMismatch)));
    }

    /// Deletes the allocation; the packet for that can still be polled.
    pub(super) fn close(&mut self, now: Time) {
        self.waiting.clear();
        self.ready.clear();
        if let Some(line) = &mut self.line {
            line.connecting = Connecting::default();
        }
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
        // Without a connection there is nothing that could be sent, but the farewell of an allocation that is gone with it.
        let socket = self.socket()?;
        if let Some(len) = self.client.poll_transmit(out) {
            return Some(self.transmit(socket, len));
        }
        while let Some(packet) = self.ready.pop_front() {
            if let Some(len) = self.encode(&packet, keys(&packet), out) {
                return Some(self.transmit(socket, len));
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

    fn transmit(&self, socket: SocketId, len: usize) -> Transmit {
        Transmit { socket, src_ip: Some(self.wanted.base.ip()), destination: self.server, len }
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

/// A client that asks for addresses of both families. `None` for a configuration that cannot be.
pub(super) fn client_of(
    server: SocketAddr,
    credentials: &Credentials,
    is_stream: bool,
    fx: &mut Effects,
) -> Option<Box<Client>> {
    let config = Config {
        carrier: if is_stream { Carrier::Stream } else { Carrier::Datagram },
        relayed: Relayed::Both { even_port: false },
        ..Config::new(server, Some(credentials.clone()), fx.random.bytes())
    };
    Some(Box::new(Client::new(config).ok()?))
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
