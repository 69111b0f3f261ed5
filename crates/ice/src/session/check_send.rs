//! Beginning checks: RFC 8445 §6.1.4.2 (whose turn it is), §7.2.4 (what goes into one), §14 (how fast).

use core::time::Duration;

use floe_stun::{Time, TransactionId};

use crate::config::Nomination;
use crate::effects::Effects;
use crate::gather::{Gatherer, Pace};
use crate::ids::PairId;
use crate::message::{Outgoing, PeerRole, Wire};
use crate::stats::PairState;
use crate::transaction::{Due, Request};

use super::{Session, turn_waits};

impl Session {
    /// Retransmissions that are due, transactions and consent that are over.
    pub(super) fn expire(&mut self, now: Time, fx: &mut Effects) {
        while let Some(due) = self.transactions.next_due(now) {
            match due {
                Due::Retransmit(id, pair) => self.retransmit(&id, pair, fx),
                Due::Expired(id, transaction) => self.check_expired(&id, &transaction, now, fx),
            }
        }
        self.expire_consent(now, fx);
    }

    fn retransmit(&mut self, id: &TransactionId, pair: PairId, fx: &mut Effects) {
        let Some(packet) = self.request(id).filter(|_| self.may_check(pair)) else { return };
        self.count_check(pair);
        if let Some(pair) = self.checklists.get_mut(pair) {
            let stats = pair.stats_mut();
            stats.retransmissions_sent = stats.retransmissions_sent.saturating_add(1);
        }
        fx.counters.retransmissions = fx.counters.retransmissions.saturating_add(1);
        fx.send(packet);
    }

    /// §6.1.4.2: one transaction for each tick of Ta, gathering and checks taking turns when both have something.
    pub(super) fn schedule(&mut self, gatherer: &mut Gatherer, now: Time, fx: &mut Effects) {
        while fx.has_room() && turn_waits(self, gatherer) && self.pacer.is_ready(now) {
            let checks_first = self.gathering_had_turn || !gatherer.has_work();
            let sent_check = checks_first && self.begin_next_check(now, fx);
            if sent_check {
                self.gathering_had_turn = false;
            } else if gatherer.has_work() {
                gatherer.begin(Pace { ta: self.pacer.ta(), rto: self.config.rto.get() }, now, fx);
                self.gathering_had_turn = true;
            } else {
                return;
            }
            self.pacer.take(now);
        }
    }

    /// Whether a check waits for its turn.
    pub(super) fn has_checks_to_send(&self) -> bool {
        self.checklists.has_work()
    }

    /// The next pair's check, if there is one.
    fn begin_next_check(&mut self, now: Time, fx: &mut Effects) -> bool {
        loop {
            let Some(id) = self.checklists.next() else { return false };
            if self.may_check(id) {
                self.begin_check(id, now, fx);
                return true;
            }
            // The peer does not get more checks than its address may cost (our own rule beside §19.5.1).
            self.pair_failed(id, now, fx);
        }
    }

    /// §7.2.4: forms the request and opens its transaction.
    fn begin_check(&mut self, id: PairId, now: Time, fx: &mut Effects) {
        let controlling = self.role.is_controlling();
        let rto = self.rto();
        let Some(pair) = self.checklists.get(id) else { return };
        let nominates =
            controlling && (pair.nominating || matches!(self.config.nomination, Nomination::Immediate));
        let (transaction, role) = (fx.random.transaction_id(), self.role.attribute());
        let Some(packet) = self.check_packet(id, transaction, nominates, role) else { return };
        self.transactions.check(transaction, nominates, Request { pair: id, role, rto, now });
        self.count_check(id);
        fx.counters.checks_sent = fx.counters.checks_sent.saturating_add(1);
        fx.send(packet);
        if let Some(pair) = self.checklists.get_mut(id) {
            if let Some(previous) = pair.check.replace(transaction) {
                self.transactions.cancel(&previous);
            }
            let stats = pair.stats_mut();
            stats.requests_sent = stats.requests_sent.saturating_add(1);
        }
        // A nomination repeats the check of a valid pair, which stays Succeeded meanwhile (§8.1.1).
        if self.checklists.get(id).is_some_and(|p| p.state() != PairState::Succeeded) {
            self.checklists.set_state(id, PairState::InProgress);
        }
    }

    /// The request of an open transaction: the same whenever it is asked for, as nothing that it is made of changes.
    pub(crate) fn request(&self, id: &TransactionId) -> Option<Outgoing> {
        let transaction = self.transactions.get(id)?;
        self.check_packet(transaction.pair, *id, transaction.nominates(), transaction.attribute())
    }

    /// A check on this pair.
    pub(super) fn check_packet(
        &self,
        pair: PairId,
        id: TransactionId,
        nominates: bool,
        role: PeerRole,
    ) -> Option<Outgoing> {
        let pair = self.checklists.get(pair)?;
        let base = self.locals.base(pair.base)?;
        let remote = self.remotes.get(pair.remote)?;
        let (role, tie_breaker) = role.parts();
        // §7.1.1: PRIORITY is what a peer-reflexive candidate from this base would have.
        let priority = self.locals.check_priority(pair.base);
        Some(Outgoing {
            socket: base.socket,
            src_ip: Some(base.address.ip()),
            destination: remote.destination(base.address),
            wire: Wire::Check {
                id,
                keys: self.keys.generation(),
                stream: pair.component.stream,
                priority,
                nominates,
                role,
                tie_breaker,
            },
        })
    }

    /// §14.3, cut to the configured maximum.
    fn rto(&self) -> Duration {
        let (busy, all) = self.checklists.load();
        let factor = u32::try_from(all.saturating_mul(busy)).unwrap_or(u32::MAX);
        self.pacer.ta().saturating_mul(factor).clamp(self.config.rto.get(), self.config.max_rto.get())
    }

    fn may_check(&self, pair: PairId) -> bool {
        let Some(pair) = self.checklists.get(pair) else { return false };
        let remote = self.remotes.get(pair.remote);
        // Nominating a path that works is no flood.
        pair.nominating || remote.is_some_and(|r| r.checks_sent < self.config.limits.checks_per_remote)
    }

    fn count_check(&mut self, pair: PairId) {
        let Some(remote) = self.checklists.get(pair).map(|p| p.remote) else { return };
        if let Some(remote) = self.remotes.get_mut(remote) {
            remote.checks_sent = remote.checks_sent.saturating_add(1);
        }
    }
}
