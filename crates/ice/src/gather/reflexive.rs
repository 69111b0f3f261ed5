//! Asking the servers (RFC 8445 §5.1.1.2): one Binding transaction for each base and server, begun at the pace of Ta (§14.2).

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use floe_stun::{RetransmissionSchedule, RetransmissionStep, Time, TransactionId};

use crate::effects::Effects;
use crate::event::GatheringFailure;
use crate::message::{Outgoing, Wire};
use crate::relays::Allocation;

use super::{Base, Gatherer, Work};

/// How fast transactions follow each other, and how soon they are repeated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// RFC 8445 §14.2.
    pub(crate) ta: Duration,
    /// The least RTO: RFC 8445 §14.3.
    pub(crate) rto: Duration,
}

/// What is asked from one base at one server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query {
    /// Index of the base.
    pub(super) base: usize,
    /// Number of the server in the configuration.
    pub(super) server: u16,
    /// Where the server is. Canonical.
    pub(super) to: SocketAddr,
    /// It is asked for an allocation.
    pub(super) allocates: bool,
    pub(super) phase: Phase,
    /// When this query, or one renewal of it, is given up.
    pub(super) deadline: Time,
    /// What is to be said then.
    pub(super) failure: GatheringFailure,
    /// How often the server said to come again (RFC 8489 §6.3.4).
    pub(super) refusals: u8,
    /// What the server saw. From then on further requests keep the binding alive (§5.1.1.4).
    pub(super) mapped: Option<SocketAddr>,
    pub(super) last_sent: Time,
}

/// How far a query is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Phase {
    /// It waits for its turn at the pace of Ta.
    Queued,
    /// Its next request is due then.
    Resting(Time),
    Asked(Exchange),
    /// The relay table asks for an allocation.
    Allocating,
    /// It was given up. An answer still counts as long as gathering goes on.
    Late(TransactionId),
    /// Nothing more is to be had from it.
    Over,
}

/// An open transaction (RFC 8489 §6.2.1).
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange {
    pub(super) id: TransactionId,
    schedule: RetransmissionSchedule,
    /// Requests sent so far.
    sent: u32,
    /// The next retransmission.
    due: Time,
    pub(super) rto: Duration,
}

impl Exchange {
    fn begin(id: TransactionId, rto: Duration, now: Time) -> Self {
        let schedule = RetransmissionSchedule::new(rto);
        Self { id, schedule, sent: 1, due: now.saturating_add(rto), rto }
    }

    /// A retransmission goes out now. The next one is counted from here, so that a late caller causes no burst. After the
    /// last one nothing is due before the query's deadline, which is never later than the transaction's.
    fn repeat(&mut self, now: Time) {
        let offset = |sent| match self.schedule.after(sent) {
            RetransmissionStep::Transmit(at) | RetransmissionStep::Fail(at) => at,
        };
        let wait = offset(self.sent + 1).saturating_sub(offset(self.sent));
        self.sent += 1;
        self.due = now.saturating_add(wait);
    }
}

impl Query {
    fn new(base: usize, server: u16, to: SocketAddr, allocates: bool) -> Self {
        Self {
            base,
            server,
            to,
            allocates,
            phase: Phase::Queued,
            deadline: Time::MAX,
            failure: GatheringFailure::ServerTimeout,
            refusals: 0,
            mapped: None,
            last_sent: Time::ZERO,
        }
    }

    /// Gathering waits for it.
    fn is_pending(&self) -> bool {
        self.mapped.is_none() && !matches!(self.phase, Phase::Late(_) | Phase::Over)
    }

    fn is_queued(&self) -> bool {
        matches!(self.phase, Phase::Queued)
    }

    pub(super) fn transaction(&self) -> Option<TransactionId> {
        match self.phase {
            Phase::Asked(exchange) => Some(exchange.id),
            Phase::Late(id) => Some(id),
            Phase::Queued | Phase::Resting(_) | Phase::Allocating | Phase::Over => None,
        }
    }

    fn due(&self) -> Time {
        let next = match self.phase {
            Phase::Resting(until) => until,
            Phase::Asked(exchange) => exchange.due,
            Phase::Queued | Phase::Allocating | Phase::Late(_) | Phase::Over => Time::MAX,
        };
        next.min(self.deadline)
    }

    fn allocation(&self, base: &Base) -> Allocation {
        let Base { component, socket, address, .. } = *base;
        Allocation { component, socket, base: address, server: self.server, to: self.to }
    }

    fn request(&self, id: TransactionId, base: &Base) -> Outgoing {
        let (socket, src_ip) = (base.socket, Some(base.address.ip()));
        Outgoing { socket, src_ip, destination: self.to, wire: Wire::ServerRequest { id } }
    }
}

/// The queries, in the order in which they came up.
#[derive(Clone, Debug, Default)]
pub(super) struct Queries {
    pub(super) list: Vec<Query>,
    /// How many there were in all.
    planned: u32,
}

impl Queries {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn is_pending(&self) -> bool {
        self.list.iter().any(Query::is_pending)
    }

    pub(super) fn next_timeout(&self) -> Time {
        self.list.iter().map(Query::due).min().unwrap_or(Time::MAX)
    }

    fn add(&mut self, base: usize, server: usize, to: SocketAddr, allocates: bool) {
        let Ok(server) = u16::try_from(server) else { return };
        self.list.push(Query::new(base, server, to, allocates));
        self.planned = self.planned.saturating_add(1);
    }

    /// A base is gone; whether gathering still waited for it.
    pub(super) fn abandon(&mut self, base: usize) -> bool {
        let waited = self.list.iter().any(|q| q.base == base && q.is_pending());
        self.list.retain(|q| q.base != base);
        waited
    }

    /// End-of-candidates: what is not kept alive is forgotten.
    pub(super) fn end_gathering(&mut self) {
        self.list.retain(|q| q.mapped.is_some());
    }

    /// Whose turn it is: what yields a candidate before what only keeps one, the most preferred address first, and
    /// for one address all servers in a row, so that a dead one does not hold up what the others see.
    fn next(&self, bases: &[Base]) -> Option<usize> {
        let key = |q: &Query| {
            let base = bases.get(q.base);
            (q.mapped.is_some(), base.map(|b| (b.rank, b.component)), q.server)
        };
        let queued = self.list.iter().enumerate().filter(|(_, q)| q.is_queued());
        queued.min_by_key(|(_, q)| key(q)).map(|(at, _)| at)
    }

    pub(super) fn check_invariants(&self, bases: usize) {
        assert!(self.list.iter().all(|q| q.base < bases), "a query belongs to a base");
        for (at, query) in self.list.iter().enumerate() {
            let id = query.transaction();
            let twice = self.list.iter().skip(at + 1).any(|other| id.is_some() && other.transaction() == id);
            assert!(!twice, "a transaction id is used once");
        }
    }
}

impl Work {
    /// Num-Of-Cands of RFC 8445 §14.3, as far as it is known: with the sockets that are still to come, without the servers.
    fn candidates_to_gather(&self) -> u32 {
        let coming = self.openings.awaited().map(|address| self.servers.reached_from(address).count());
        self.queries.planned.saturating_add(u32::try_from(coming.sum::<usize>()).unwrap_or(u32::MAX))
    }
}

impl Gatherer {
    /// What a new base asks.
    pub(super) fn query_servers(&mut self, at: usize) {
        let stun_servers = self.config().servers.len();
        let Some(work) = &mut self.work else { return };
        let Some(base) = work.bases.get(at) else { return };
        let reached: Vec<_> = work.servers.reached_from(base.address).collect();
        for (server, to) in reached {
            work.queries.add(at, server, to, server >= stun_servers);
            work.servers.set_asked(server);
        }
    }

    /// What the bases ask a server that was found.
    pub(super) fn query_server(&mut self, server: usize) {
        let stun_servers = self.config().servers.len();
        let Some(work) = &mut self.work else { return };
        for (at, base) in work.bases.iter().enumerate().filter(|(_, b)| !b.dead) {
            let to = work.servers.reached_from(base.address).find(|(number, _)| *number == server);
            if let Some((_, to)) = to {
                work.queries.add(at, server, to, server >= stun_servers);
            }
        }
        if work.queries.list.iter().any(|q| usize::from(q.server) == server) {
            work.servers.set_asked(server);
        }
    }

    /// Whether a new transaction waits for its turn at the pace of Ta.
    pub(crate) fn has_work(&self) -> bool {
        self.work.as_ref().is_some_and(|w| w.queries.list.iter().any(Query::is_queued))
    }

    /// Begins one new transaction.
    pub(crate) fn begin(&mut self, pace: Pace, now: Time, fx: &mut Effects) {
        let patience = self.config().server_deadline;
        let Some(work) = &mut self.work else { return };
        let rto = pace.ta.saturating_mul(work.candidates_to_gather()).max(pace.rto);
        let Some(at) = work.queries.next(&work.bases) else { return };
        let Some(query) = work.queries.list.get_mut(at) else { return };
        let Some(base) = work.bases.get(query.base) else { return };
        if query.allocates {
            query.phase = Phase::Allocating;
            query.deadline = now.saturating_add(patience);
            work.allocations.push_back(query.allocation(base));
            return;
        }
        let exchange = Exchange::begin(fx.random.transaction_id(), rto, now);
        query.phase = Phase::Asked(exchange);
        query.last_sent = now;
        // The server's time begins with the first request. Asking again after a 5xx does not prolong it.
        if query.deadline == Time::MAX {
            let patience = query.patience(patience).min(exchange.schedule.timeout());
            query.deadline = now.saturating_add(patience);
        }
        fx.send(query.request(exchange.id, base));
    }

    pub(super) fn expire_queries(&mut self, now: Time, fx: &mut Effects) {
        let Some(work) = &mut self.work else { return };
        for query in &mut work.queries.list {
            if query.deadline <= now {
                if let (Phase::Allocating, Some(base)) = (query.phase, work.bases.get(query.base)) {
                    work.given_up.push(query.allocation(base));
                }
                query.give_up(fx, work.bases.get(query.base));
            }
            if matches!(query.phase, Phase::Resting(until) if until <= now) {
                query.phase = Phase::Queued;
            }
            let Phase::Asked(exchange) = &mut query.phase else { continue };
            if exchange.due <= now {
                exchange.repeat(now);
                let id = exchange.id;
                query.last_sent = now;
                fx.counters.retransmissions = fx.counters.retransmissions.saturating_add(1);
                if let Some(base) = work.bases.get(query.base) {
                    fx.send(query.request(id, base));
                }
            }
        }
        work.queries.list.retain(|q| !q.is_over());
    }
}
