//! Binding transactions of the agent: checks and consent checks, their retransmission and their end (RFC 8489 §6.2.1).

use alloc::vec::Vec;
use core::time::Duration;

use floe_stun::{RetransmissionSchedule, RetransmissionStep, Time, TransactionId};

use crate::event::Role;
use crate::ids::PairId;
use crate::message::PeerRole;
use crate::nanos::Nanos;

/// A transaction is known by its id: 96 random bits, never used twice.
pub(crate) type TransactionKey = TransactionId;

/// What a transaction is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// A connectivity check (RFC 8445 §7.2).
    Check {
        /// It carries USE-CANDIDATE.
        nominates: bool,
    },
    /// A consent check (RFC 7675): sent once.
    Consent,
}

/// An open transaction. Its request is what [`Session::request`](crate::session::Session::request) makes of it, any number of
/// times the same; kept here it would be most of the memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transaction {
    pub(crate) pair: PairId,
    pub(crate) purpose: Purpose,
    /// The role that its request names, and the tie-breaker beside it.
    role: Role,
    tie_breaker: u64,
    pub(crate) sent_at: Time,
    /// Requests sent so far.
    sent: u8,
    /// With the number of transmissions all there is to know of the schedule.
    rto: Nanos,
    /// Whether it is still retransmitted (RFC 8445 §7.3.1.4 stops that).
    resend: bool,
    /// Next retransmission or end.
    due: Time,
    /// When no answer is waited for any longer.
    expires: Time,
}

/// What is due on a transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Due {
    Retransmit(TransactionId, PairId),
    Expired(TransactionId, Transaction),
}

impl Transaction {
    /// No answer can tell which of several requests it answers, so only one sent once gives a round-trip time.
    pub(crate) fn was_sent_once(&self) -> bool {
        self.sent == 1
    }

    /// The role its request names.
    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// What its request says of our role.
    pub(crate) fn attribute(&self) -> PeerRole {
        PeerRole::new(self.role, self.tie_breaker)
    }

    /// Whether its request carries USE-CANDIDATE.
    pub(crate) fn nominates(&self) -> bool {
        self.purpose == Purpose::Check { nominates: true }
    }

    /// How long to wait after the transmission that was made just now; whether another one follows.
    fn wait(&self) -> (Duration, bool) {
        let offset = |step| match step {
            RetransmissionStep::Transmit(at) => (at, true),
            RetransmissionStep::Fail(at) => (at, false),
        };
        let schedule = RetransmissionSchedule::new(self.rto.get());
        let (this, _) = offset(schedule.after(u32::from(self.sent.saturating_sub(1))));
        let (next, again) = offset(schedule.after(u32::from(self.sent)));
        (next.saturating_sub(this), again)
    }
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    id: TransactionId,
    transaction: Transaction,
}

/// The open transactions of an agent. A connected one has one or two, one that connects a dozen, so that looking through all of them
/// is quicker than a table, and takes less room; their number is bounded, whoever sends us answers to nothing.
#[derive(Clone, Debug)]
pub(crate) struct Transactions {
    slots: Vec<Option<Slot>>,
    open: usize,
    limit: usize,
}

impl Transactions {
    pub(crate) fn new(limit: usize) -> Self {
        Self { slots: Vec::new(), open: 0, limit: limit.min(usize::from(u16::MAX)) }
    }

    /// None, for an ICE restart (RFC 8445 §9).
    pub(crate) fn successor(&self) -> Self {
        Self::new(self.limit)
    }

    /// Gives back what the checks needed that are over, but for so many places. Consent checks need one, as no second one is open as
    /// long as they are answered.
    pub(crate) fn shrink(&mut self, places: usize) {
        let used = self.slots.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        self.slots.truncate(used);
        self.slots.shrink_to(places);
    }

    fn find(&self, id: &TransactionId) -> Option<usize> {
        self.slots.iter().position(|s| s.as_ref().is_some_and(|s| s.id == *id))
    }

    pub(crate) fn get(&self, id: &TransactionId) -> Option<&Transaction> {
        self.slots.get(self.find(id)?)?.as_ref().map(|s| &s.transaction)
    }

    /// A check, sent now for the first time.
    pub(crate) fn check(&mut self, id: TransactionId, nominates: bool, request: Request) {
        let schedule = RetransmissionSchedule::new(request.rto);
        let due = request.now.saturating_add(request.rto);
        let expires = request.now.saturating_add(schedule.timeout());
        self.insert(id, request.open(Purpose::Check { nominates }, true, due, expires));
    }

    /// A consent check, sent now and never again; an answer is waited for during `patience`.
    pub(crate) fn consent(&mut self, id: TransactionId, request: Request, patience: Duration) {
        let expires = request.now.saturating_add(patience);
        self.insert(id, request.open(Purpose::Consent, false, expires, expires));
    }

    fn insert(&mut self, id: TransactionId, transaction: Transaction) {
        if self.open >= self.limit {
            self.evict();
        }
        let at = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        if at == self.slots.len() {
            // By two, and not by four: most agents have one or two open at a time.
            if at == self.slots.capacity() {
                self.slots.reserve_exact(at.max(2));
            }
            self.slots.push(None);
        }
        self.slots[at] = Some(Slot { id, transaction });
        self.open += 1;
    }

    /// Room for one more: the transaction goes that ends first of those nobody waits for, or of all.
    fn evict(&mut self) {
        let open = || self.slots.iter().flatten();
        let idle = open().filter(|s| !s.transaction.resend).min_by_key(|s| s.transaction.expires);
        let victim = idle.or_else(|| open().min_by_key(|s| s.transaction.expires)).map(|s| s.id);
        if let Some(id) = victim {
            self.remove(&id);
        }
    }

    pub(crate) fn remove(&mut self, id: &TransactionId) -> Option<Transaction> {
        let at = self.find(id)?;
        let slot = self.slots.get_mut(at)?.take()?;
        self.open -= 1;
        Some(slot.transaction)
    }

    /// RFC 8445 §7.3.1.4: no retransmission any more; a late answer still counts until the transaction's end.
    pub(crate) fn cancel(&mut self, id: &TransactionId) {
        let Some(at) = self.find(id) else { return };
        if let Some(Some(slot)) = self.slots.get_mut(at) {
            slot.transaction.resend = false;
            slot.transaction.due = slot.transaction.expires;
        }
    }

    /// The same for every transaction of a pair.
    pub(crate) fn cancel_of(&mut self, pair: PairId) {
        for slot in self.slots.iter_mut().flatten().filter(|s| s.transaction.pair == pair) {
            slot.transaction.resend = false;
            slot.transaction.due = slot.transaction.expires;
        }
    }

    /// Whether an answer to some check of this pair may still come.
    pub(crate) fn is_open_for(&self, pair: PairId) -> bool {
        self.slots.iter().flatten().any(|s| s.transaction.pair == pair)
    }

    /// Only what belongs to pairs that `keep` says are there.
    pub(crate) fn retain(&mut self, keep: impl Fn(PairId) -> bool) {
        for at in 0..self.slots.len() {
            if let Some(slot) = self.slots[at]
                && !keep(slot.transaction.pair)
            {
                self.remove(&slot.id);
            }
        }
    }

    /// The next thing that is due by `now`, in the order of the slots; `None` when there is nothing left.
    pub(crate) fn next_due(&mut self, now: Time) -> Option<Due> {
        let at = self.slots.iter().position(|s| s.as_ref().is_some_and(|s| s.transaction.due <= now))?;
        let slot = self.slots[at].as_mut()?;
        let t = &mut slot.transaction;
        if t.resend && t.wait().1 {
            t.sent += 1;
            // The interval is counted from when the request was really sent, so that a late caller causes no burst and a
            // clock that jumped does not fail a check unheard.
            let (wait, _) = t.wait();
            t.due = now.saturating_add(wait);
            t.expires = t.expires.max(t.due);
            return Some(Due::Retransmit(slot.id, t.pair));
        }
        let (id, transaction) = (slot.id, slot.transaction);
        self.remove(&id);
        Some(Due::Expired(id, transaction))
    }

    /// When [`Transactions::next_due`] has something next.
    pub(crate) fn next_timeout(&self) -> Option<Time> {
        self.slots.iter().flatten().map(|s| s.transaction.due).min()
    }

    /// The open ids, for tests of what is remembered.
    pub(crate) fn check_invariants(&self) {
        let open = || self.slots.iter().flatten();
        assert_eq!(open().count(), self.open, "the open transactions are counted");
        assert!(
            open().all(|s| self.slots.iter().flatten().filter(|o| o.id == s.id).count() == 1),
            "no id is used twice"
        );
        assert!(self.open <= self.limit, "transactions are bounded");
    }
}

/// What a transaction begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) pair: PairId,
    pub(crate) role: PeerRole,
    pub(crate) rto: Duration,
    pub(crate) now: Time,
}

impl Request {
    fn open(self, purpose: Purpose, resend: bool, due: Time, expires: Time) -> Transaction {
        let Self { pair, role, rto, now } = self;
        let (role, tie_breaker) = role.parts();
        Transaction {
            pair,
            purpose,
            role,
            tie_breaker,
            sent_at: now,
            sent: 1,
            rto: rto.into(),
            resend,
            due,
            expires,
        }
    }
}

#[cfg(test)]
mod tests;
