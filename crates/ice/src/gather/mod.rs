//! Gathering (RFC 8445 §5.1.1): host and server-reflexive candidates from the machine's interfaces and STUN servers.
//!
//! | file | section |
//! |---|---|
//! | `filter.rs` | §5.1.1.1, RFC 8828 §5.2: which addresses are used, and how they rank |
//! | `host.rs` | §5.1.1.1: a socket for every address and component |
//! | `mapping.rs` | 1:1 NATs that are known |
//! | `server.rs` | §5.1.1.2: where the servers are, and who asks which |
//! | `reflexive.rs` | §5.1.1.2, §14: asking them, at the pace of Ta |
//! | `answer.rs` | §5.1.1.2, RFC 8489 §6.3.3, §6.3.4: what they say |
//! | `allocation.rs` | §5.1.1.2: relayed candidates |
//! | `keepalive.rs` | §5.1.1.4: keeping what they gave |
//!
//! ```text
//! start ─┬─ Command::Resolve ── resolved ─┐
//!        └─ Command::OpenUdp ── opened ───┴─ a query per (base, server) ── Found::Reflexive ── Complete
//! ```
//!
//! Everything that is waited for has a deadline of its own, so whatever does not answer delays no other: gathering ends at the
//! latest one `driver_deadline`, the turns of the queries at the pace of Ta and one `server_deadline` after it began. A server's
//! late answer still counts until then; a late driver's does not, since it would begin everything anew.
//!
//! Relayed candidates come from a machine of their own, `relays`; here is decided when each is asked for, and how long it is waited for.
//! An ICE restart (RFC 8445 §9) begins a new
//! [`Work`]: what was asked before is known by its request and transaction ids and cannot get mixed up with it
//! (`restart.rs`).

mod allocation;
mod answer;
mod filter;
mod host;
mod interface;
mod keepalive;
mod mapping;
mod reflexive;
mod restart;
mod server;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

use floe_stun::Time;

use crate::config::GatherConfig;
use crate::effects::Effects;
use crate::event::{Event, GatheringFailure, GatheringState};
use crate::ids::{Component, RequestId, SocketId};
use crate::io::Command;
use crate::locals::Reflexive;
use crate::relays::Allocation;

use host::Openings;
use reflexive::Queries;
use server::Servers;

pub use interface::InterfaceAddress;
pub(crate) use reflexive::Pace;

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

/// The gathering machine of an agent. One that never gathers keeps nothing on the heap.
#[derive(Clone, Debug)]
pub(crate) struct Gatherer {
    /// None stands for the defaults, which is what an embedder with sockets of its own has.
    config: Option<Box<GatherConfig>>,
    state: GatheringState,
    /// Sockets that were opened for the agent and are to be closed. They outlive what was gathered with them.
    sockets: Vec<OwnSocket>,
    next_request: u32,
    /// There while anything is under way.
    work: Option<Box<Work>>,
}

/// A socket that was opened for the agent.
#[derive(Clone, Copy, Debug)]
struct OwnSocket {
    id: SocketId,
    /// No candidate needs it any more, but maybe a path from before a restart.
    leaving: bool,
}

/// One gathering: from the first question to the last answer.
#[derive(Clone, Debug, Default)]
struct Work {
    /// Found and not yet taken.
    found: VecDeque<Found>,
    openings: Openings,
    servers: Servers,
    bases: Vec<Base>,
    queries: Queries,
    /// Allocations whose turn it is, for the relay table.
    allocations: VecDeque<Allocation>,
    /// Allocations that were waited for in vain.
    given_up: Vec<Allocation>,
    /// No further base will come but from the openings.
    ended: bool,
    /// ICE has completed: nothing is kept alive any more.
    concluded: bool,
}

/// A socket and the address that packets leave it from.
#[derive(Clone, Copy, Debug)]
struct Base {
    component: Component,
    socket: SocketId,
    /// Canonical.
    address: SocketAddr,
    rank: u8,
    /// The socket is gone.
    dead: bool,
    /// Candidates it has beside one of each server: every one needs a local preference of its own (RFC 8445 §5.1.2.1).
    extra: u8,
}

/// The configuration of an agent that was told nothing about gathering.
static DEFAULTS: GatherConfig = GatherConfig::new();

impl Gatherer {
    pub(crate) fn new(config: GatherConfig) -> Self {
        let config = (config != DEFAULTS).then(|| Box::new(config));
        Self { config, state: GatheringState::New, sockets: Vec::new(), next_request: 0, work: None }
    }

    pub(crate) fn state(&self) -> GatheringState {
        self.state
    }

    /// Whether anything is under way.
    pub(crate) fn is_working(&self) -> bool {
        self.work.is_some()
    }

    /// Nothing is under way, and no socket is left to be closed.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.work.is_none() && self.sockets.is_empty()
    }

    /// Whether there is anybody to ask.
    fn has_servers(&self) -> bool {
        let config = self.config();
        !config.relays.is_empty() || (!config.servers.is_empty() && !self.is_relay_only())
    }

    fn config(&self) -> &GatherConfig {
        self.config.as_deref().unwrap_or(&DEFAULTS)
    }

    /// Begins with these interfaces: asks the driver for sockets, where there is none from before a restart, and for the addresses
    /// of servers. Gives the sockets that no address is left for: the session is to do without them.
    pub(crate) fn start(
        &mut self,
        interfaces: &[InterfaceAddress],
        components: &[Component],
        now: Time,
        fx: &mut Effects,
    ) -> Vec<SocketId> {
        self.state = GatheringState::Gathering;
        let chosen = filter::choose(interfaces, self.config());
        let gone = self.leave_all_but(&chosen);
        self.work.get_or_insert_default().ended = true;
        if chosen.is_empty() {
            report(fx, None, None, GatheringFailure::NoInterface);
            return gone;
        }
        // A name takes longest, so it is asked for first.
        self.find_servers(now, fx);
        for local in &chosen {
            for &component in components {
                if !self.has_socket_for(component, local) {
                    self.open(component, *local, now, fx);
                }
            }
        }
        gone
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
        let (asks, mapped) = (self.has_servers(), self.is_mapped(address));
        if !asks && !mapped {
            return;
        }
        if asks {
            self.state = GatheringState::Gathering;
            self.find_servers(now, fx);
        }
        let work = self.work.get_or_insert_default();
        // Only whose query comes first depends on it; the candidate's own rank is found where the candidate is made.
        let rank = u8::try_from(work.bases.iter().filter(|b| b.component == component).count());
        let rank = rank.unwrap_or(u8::MAX);
        self.use_base(Base { component, socket, address, rank, dead: false, extra: 0 });
    }

    /// The embedder brings no further base.
    pub(crate) fn end(&mut self) {
        match (self.state, &mut self.work) {
            (GatheringState::Gathering, Some(work)) => work.ended = true,
            _ => self.state = GatheringState::Complete,
        }
    }

    /// Whatever is due, and the end of gathering when nothing is left to wait for.
    pub(crate) fn handle_timeout(&mut self, now: Time, fx: &mut Effects) {
        if self.work.is_none() {
            return;
        }
        self.expire_openings(now, fx);
        self.expire_resolutions(now, fx);
        self.expire_queries(now, fx);
        self.conclude_gathering(fx);
    }

    pub(crate) fn next_timeout(&self) -> Option<Time> {
        let work = self.work.as_ref()?;
        let next =
            work.openings.next_timeout().min(work.servers.next_timeout()).min(work.queries.next_timeout());
        (next < Time::MAX).then_some(next)
    }

    pub(crate) fn poll_found(&mut self) -> Option<Found> {
        let work = self.work.as_mut()?;
        let found = work.found.pop_front();
        if found.is_none() && self.state == GatheringState::Complete && work.is_over() {
            self.work = None;
        }
        found
    }

    /// The driver lost a socket.
    pub(crate) fn socket_failed(&mut self, socket: SocketId, fx: &mut Effects) {
        self.release(socket, fx);
        let Some(work) = &mut self.work else { return };
        let gathering = self.state == GatheringState::Gathering;
        for (at, base) in work.bases.iter_mut().enumerate() {
            if base.socket != socket || base.dead {
                continue;
            }
            base.dead = true;
            if work.queries.abandon(at) && gathering {
                report(fx, None, Some(base.address), GatheringFailure::SocketFailed);
            }
        }
    }

    /// Asks the driver to close what it opened, and ends.
    pub(crate) fn close(&mut self, fx: &mut Effects) {
        fx.discard_requests();
        for socket in core::mem::take(&mut self.sockets) {
            fx.command(Command::CloseSocket { socket: socket.id });
        }
        self.state = GatheringState::Complete;
        // What the driver opens late, it is to close again.
        if let Some(work) = self.work.take().filter(|w| !w.openings.is_empty()) {
            let openings = work.openings.into_late();
            self.work = Some(Box::new(Work { openings, ..Work::default() }));
        }
    }

    /// The driver is to close a socket, if it opened it for the agent.
    fn release(&mut self, socket: SocketId, fx: &mut Effects) {
        if let Some(at) = self.sockets.iter().position(|s| s.id == socket) {
            self.sockets.remove(at);
            fx.command(Command::CloseSocket { socket });
        }
    }

    fn request_id(&mut self) -> RequestId {
        let id = RequestId(self.next_request);
        self.next_request = self.next_request.wrapping_add(1);
        id
    }

    /// RFC 8838 §13: nothing more can come. Every failure was reported when it happened, but for the servers that no base
    /// could ask.
    fn conclude_gathering(&mut self, fx: &mut Effects) {
        let Some(work) = self.work.as_mut().filter(|w| w.ended) else { return };
        if self.state != GatheringState::Gathering || work.openings.is_waiting() {
            return;
        }
        let has_base = work.bases.iter().any(|b| !b.dead);
        if has_base {
            work.servers.report_unasked(fx);
        }
        // Without a base it does not matter where the servers are.
        if work.queries.is_pending() || (has_base && work.servers.is_resolving()) {
            return;
        }
        self.state = GatheringState::Complete;
        work.queries.end_gathering();
        work.servers = Servers::default();
    }

    pub(crate) fn check_invariants(&self) {
        let Some(work) = &self.work else {
            assert_ne!(self.state, GatheringState::Gathering, "gathering is work");
            return;
        };
        let leaves = |b: &Base| !b.dead && self.sockets.iter().any(|s| s.leaving && s.id == b.socket);
        assert!(!work.bases.iter().any(leaves), "a socket that leaves is no base");
        assert!(work.found.is_empty(), "the session takes what is found before an input returns");
        work.queries.check_invariants(work.bases.len());
        if self.state == GatheringState::Complete {
            assert!(!work.queries.is_pending() && !work.openings.is_waiting(), "complete means complete");
        }
    }
}

impl Base {
    /// The source rank of one more candidate that is not a server's first.
    fn next_extra(&mut self, servers: usize) -> usize {
        let rank = servers + usize::from(self.extra);
        self.extra = self.extra.saturating_add(1);
        rank
    }
}

impl Work {
    /// Nothing is under way and nothing is kept.
    fn is_over(&self) -> bool {
        let handed_over = self.found.is_empty() && self.given_up.is_empty();
        handed_over && self.openings.is_empty() && self.queries.is_empty()
    }
}

/// One source of candidates failed.
fn report(fx: &mut Effects, server: Option<u16>, address: Option<SocketAddr>, failure: GatheringFailure) {
    fx.event(Event::GatheringProblem { server, address, failure });
}
