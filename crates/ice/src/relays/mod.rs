//! The relay table: allocations on TURN servers (RFC 8656), and the edge where packets are wrapped and unwrapped.
//!
//! ```text
//! gatherer ── Allocation ──> relays ── Client ──> packets for the server
//!                              │
//!                              └── News ──> gatherer (done or failed), session (a base, a path that died)
//! ```
//!
//! Behind this edge a relay is a socket like any other: it has a [`SocketId`] of the agent's own, and its relayed addresses are
//! bases. The session sends from them and hears what comes to them, and never sees TURN. What the edge adds:
//!
//! - a packet for a peer without permission asks for one and waits for it (RFC 8445 §7.2.1, RFC 8656 §10), a few packets for each
//!   relay, since a check is repeated and an answer asked for again; what waits is lost when its session is gone;
//! - data of a selected path get a channel (RFC 8656 §12); checks and whatever goes before it are Send indications;
//! - an allocation that is lost takes its bases with it, and is asked for again, ever more seldom.
//!
//! | file | what it is |
//! |---|---|
//! | `relay.rs` | one allocation, and the packets that wait for it |
//! | `connecting.rs` | a connection to a server over TCP or TLS |
//! | `redirect.rs` | servers that send us on to others |
//! | `port.rs` | another client port, where the server wants one |
//! | `backoff.rs` | when to ask again for one that was lost |

mod backoff;
mod connecting;
mod port;
mod redirect;
mod relay;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use floe_stun::Time;
use floe_turn::client::{Failure, Received as TurnReceived, RelayPath};

use crate::config::RelayServer;
use crate::effects::Effects;
use crate::event::RelayLoss;
use crate::ids::{Component, RelayId, RequestId, SocketId};
use crate::io::{Command, DriverError, Rejection, Transmit};
use crate::keys::Keyring;
use crate::message::Outgoing;
use crate::rare::Empty;

use relay::{Relay, Stage};

/// What an allocation is asked for: a base of ours, and a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Allocation {
    pub(crate) component: Component,
    /// The socket that reaches the server, and the address it leaves from.
    pub(crate) socket: SocketId,
    pub(crate) base: SocketAddr,
    /// Number of the server in the configuration.
    pub(crate) server: u16,
    /// Where it is; the first of its addresses, where several are tried. Canonical.
    pub(crate) to: SocketAddr,
}

impl Allocation {
    /// Whether both are the same but for which of the server's addresses comes first, which the name service shuffles.
    fn is_same_line(&self, other: &Self) -> bool {
        Self { to: other.to, ..*self } == *other
    }
}

/// What happened to a relay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum News {
    /// There is an allocation.
    Allocated(RelayId),
    /// There is none, and none is asked for any more.
    Failed(Allocation, RelayLoss),
    /// There is none any more.
    Lost(RelayId, Allocation, RelayLoss),
    /// The server does not let a peer be sent to.
    Forbidden(RelayId, IpAddr),
    /// What has to stand around the data to a peer is different from now on.
    Reframed(RelayId, SocketAddr),
}

/// What a datagram from a server was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Unwrapped {
    /// A matter between us and the server.
    Turn,
    /// A packet that a peer sent to the relayed address.
    Packet { socket: SocketId, relayed: SocketAddr, peer: SocketAddr, payload: core::ops::Range<usize> },
    /// It came from a server of ours and is not TURN; perhaps it is an answer to a Binding request.
    Foreign,
    /// It was dropped.
    Rejected(Rejection),
}

/// The relays of an agent.
#[derive(Default)]
pub(crate) struct Relays {
    list: Vec<Relay>,
    news: VecDeque<News>,
    next: u32,
    /// Sockets that nobody waits for any more, but that the driver may still open.
    late: Vec<RequestId>,
}

impl Empty for Relays {
    fn empty() -> &'static Self {
        static EMPTY: Relays = Relays { list: Vec::new(), news: VecDeque::new(), next: 0, late: Vec::new() };
        &EMPTY
    }
}

impl Relays {
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Nothing is there, and nothing is to come.
    pub(crate) fn is_idle(&self) -> bool {
        self.list.is_empty() && self.news.is_empty() && self.late.is_empty()
    }

    /// Asks for an allocation. One that there is already, as after a restart, is told of again when the server has confirmed it:
    /// what is restarted is often a path that broke because the server did. A server that is reached over
    /// connections is tried at these addresses.
    pub(crate) fn allocate(
        &mut self,
        wanted: &Allocation,
        server: &RelayServer,
        addresses: &[SocketAddr],
        now: Time,
        fx: &mut Effects,
    ) {
        let is_known = |r: &Relay| r.wanted == *wanted || (r.line.is_some() && r.wanted.is_same_line(wanted));
        if let Some(known) = self.list.iter_mut().find(|r| is_known(r) && r.stage != Stage::Over) {
            known.wanted.to = wanted.to;
            known.hurry(now, fx);
            known.confirm(now);
            return;
        }
        let id = RelayId(self.next);
        self.next = self.next.wrapping_add(1);
        let Some(mut relay) = Relay::new(id, wanted, (server, addresses), fx) else { return };
        relay.begin(now);
        self.list.push(relay);
    }

    /// What happened since the last time.
    pub(crate) fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    pub(crate) fn get(&self, id: RelayId) -> Option<&Relay> {
        self.list.iter().find(|r| r.id == id)
    }

    fn of_socket(&mut self, socket: SocketId) -> Option<&mut Relay> {
        let id = socket.as_relay()?;
        self.list.iter_mut().find(|r| r.id == id)
    }

    // --- in -----------------------------------------------------------------------------------------------------

    /// A datagram came on a socket of ours; `None` if it is from no server of these.
    pub(crate) fn unwrap(
        &mut self,
        socket: SocketId,
        source: SocketAddr,
        contents: &[u8],
        now: Time,
    ) -> Option<Unwrapped> {
        let relay = self.list.iter_mut().find(|r| r.is_from(socket, source))?;
        Some(match relay.receive(source, contents, now) {
            TurnReceived::Data { peer, payload } => match relay.relayed(peer) {
                Some(relayed) => Unwrapped::Packet { socket: relay.id.socket(), relayed, peer, payload },
                None => Unwrapped::Rejected(Rejection::UnknownSource),
            },
            TurnReceived::Rejected(reason) => relay::rejection(reason),
            // What ICMP says is no proof: the pair's own checks tell (RFC 8445 §7.2.5.2.2).
            _ => Unwrapped::Turn,
        })
    }

    /// Whatever is due.
    pub(crate) fn handle_timeout(&mut self, now: Time, fx: &mut Effects) {
        self.expire_openings(now);
        self.expire_attempts(now);
        for relay in &mut self.list {
            relay.handle_timeout(now, fx);
        }
        self.take_events(now, fx);
    }

    pub(crate) fn next_timeout(&self) -> Option<Time> {
        self.list.iter().filter_map(Relay::next_timeout).min()
    }

    fn take_events(&mut self, now: Time, fx: &mut Effects) {
        for relay in &mut self.list {
            relay.take_events(now, &mut self.news, fx);
        }
        self.forget_over(fx);
    }

    fn forget_over(&mut self, fx: &mut Effects) {
        for socket in self.list.iter().filter(|r| r.stage == Stage::Over).filter_map(Relay::own_socket) {
            fx.command(Command::CloseSocket { socket });
        }
        self.list.retain(|r| r.stage != Stage::Over);
    }

    /// A socket is gone, and with it every allocation that was reached through it.
    pub(crate) fn socket_failed(&mut self, socket: SocketId, now: Time, fx: &mut Effects) {
        self.disconnected(socket, DriverError::Other, now, fx);
        for relay in self.list.iter_mut().filter(|r| r.socket() == Some(socket)) {
            let failure = RelayLoss::Server(Failure::Disconnected);
            let news = if relay.stage == Stage::Allocated {
                News::Lost(relay.id, relay.wanted, failure)
            } else {
                News::Failed(relay.wanted, failure)
            };
            self.news.push_back(news);
            relay.stage = Stage::Over;
        }
        self.forget_over(fx);
    }

    /// The address of ours that these relays were for is gone: nobody asks for them any more.
    pub(crate) fn base_gone(&mut self, base: SocketId, now: Time, fx: &mut Effects) {
        for relay in self.list.iter_mut().filter(|r| r.wanted.socket == base) {
            if relay.stage == Stage::Allocated {
                let failure = RelayLoss::Server(Failure::AddressChanged);
                self.news.push_back(News::Lost(relay.id, relay.wanted, failure));
            }
            self.late.extend(relay.questions());
            relay.close(now);
        }
        self.forget_over(fx);
    }

    /// Whether a base is needed by a relay that somebody needs.
    pub(crate) fn need(&self, base: SocketId, is_needed: impl Fn(SocketId) -> bool) -> bool {
        self.list.iter().any(|r| r.wanted.socket == base && is_needed(r.id.socket()))
    }

    /// Gathering waits no longer for this one.
    pub(crate) fn give_up(&mut self, wanted: &Allocation, now: Time, fx: &mut Effects) {
        let waits = |r: &Relay| r.wanted == *wanted && r.stage != Stage::Allocated;
        if let Some(at) = self.list.iter().position(waits) {
            self.late.extend(self.list[at].questions());
            self.list[at].close(now);
            self.forget_over(fx);
        }
    }

    // --- out ----------------------------------------------------------------------------------------------------

    /// Takes over the packets that leave through a relay, and asks for the permissions they need.
    pub(crate) fn take_packets(&mut self, now: Time, fx: &mut Effects) {
        if self.list.is_empty() {
            return;
        }
        while let Some(packet) = fx.take_relayed() {
            if let Some(relay) = self.of_socket(packet.socket) {
                relay.queue(packet, now);
            }
        }
        self.take_events(now, fx);
    }

    /// The next packet for a server, encoded into `out`.
    pub(crate) fn poll_transmit<'a>(
        &mut self,
        keys: impl Fn(&Outgoing) -> Option<&'a Keyring>,
        out: &mut [u8],
    ) -> Option<Transmit> {
        self.list.iter_mut().find_map(|relay| relay.poll_transmit(&keys, out))
    }

    /// How data go to a peer, and through which relay.
    pub(crate) fn path(&self, socket: SocketId, peer: SocketAddr) -> Option<(&Relay, RelayPath)> {
        let relay = self.get(socket.as_relay()?)?;
        Some((relay, relay.path(peer)?))
    }

    /// Data of a component go to this peer: they get a channel (RFC 8656 §12).
    pub(crate) fn carry(&mut self, socket: SocketId, peer: SocketAddr, now: Time, fx: &mut Effects) {
        if let Some(relay) = self.of_socket(socket) {
            relay.carry(peer, now);
            self.take_events(now, fx);
        }
    }

    /// Data went to this peer.
    pub(crate) fn record_sent(&mut self, socket: SocketId, peer: SocketAddr, now: Time) {
        if let Some(relay) = self.of_socket(socket) {
            relay.record_sent(peer, now);
        }
    }

    /// Deletes every allocation (RFC 8656 §8). The packets for that can still be polled; sockets that are to be closed live long enough
    /// for a driver that sends before it closes.
    pub(crate) fn close(&mut self, now: Time, fx: &mut Effects) {
        for relay in &mut self.list {
            self.late.extend(relay.questions());
            relay.close(now);
            if let Some(socket) = relay.own_socket() {
                fx.command(Command::CloseSocket { socket });
            }
        }
        self.news.clear();
    }

    pub(crate) fn check_invariants(&self) {
        self.list.iter().for_each(Relay::check_invariants);
        assert!(self.news.is_empty(), "what happened is taken before an input returns");
    }
}
