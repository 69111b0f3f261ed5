//! What an answer to a check means: RFC 8445 §7.2.5, top to bottom; RFC 7675 §5.1 for consent checks.

use core::net::SocketAddr;

use floe_stun::{Time, TransactionId};

use crate::checklist::ValidPair;
use crate::consent::STALE;
use crate::effects::Effects;
use crate::event::ConsentLoss;
use crate::ids::{LocalId, PairId};
use crate::message::Answer;
use crate::stats::PairState;
use crate::transaction::{Purpose, Transaction};

use super::Session;

/// How often a check is repeated because of errors 5xx (RFC 8489 §6.3.4).
const MAX_SERVER_ERRORS: u8 = 4;

/// An authenticated answer to one of our transactions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckAnswer {
    pub(crate) id: TransactionId,
    pub(crate) answer: Answer,
    /// It came from where the request went, to where the request left (§7.2.5.2.1).
    pub(crate) symmetric: bool,
}

impl Session {
    /// The open transaction an answer belongs to.
    pub(crate) fn transaction(&self, id: &TransactionId) -> Option<&Transaction> {
        self.transactions.get(id)
    }

    /// §7.2.5.
    pub(crate) fn on_answer(&mut self, answer: &CheckAnswer, now: Time, fx: &mut Effects) {
        let Some(transaction) = self.transactions.remove(&answer.id) else { return };
        let id = transaction.purpose.pair();
        let Some(pair) = self.checklists.get_mut(id) else { return };
        let stats = pair.stats_mut();
        stats.responses_received = stats.responses_received.saturating_add(1);
        stats.last_response = Some(now);
        if transaction.was_sent_once() {
            let rtt = now.saturating_since(transaction.sent_at);
            stats.current_round_trip_time = rtt;
            stats.total_round_trip_time = stats.total_round_trip_time.saturating_add(rtt);
        }
        let was_current = pair.check == Some(answer.id);
        if was_current {
            pair.check = None;
        }
        match (transaction.purpose, answer.answer) {
            // §7.2.5.2.1: an answer that takes another way fails the pair.
            (Purpose::Check { .. }, _) if !answer.symmetric => self.pair_failed(id, now, fx),
            (Purpose::Check { nominates, .. }, Answer::Success(mapped)) => {
                self.check_succeeded(id, mapped, nominates, &transaction, now, fx);
            }
            (Purpose::Check { nominates, .. }, Answer::Error(code)) => {
                self.check_refused(id, code, nominates && was_current, &transaction, now, fx);
            }
            (Purpose::Consent { .. }, _) if !answer.symmetric => {}
            (Purpose::Consent { .. }, Answer::Success(_)) => self.consent_confirmed(id, now),
            // RFC 7675 §5.2: only an authenticated 403 revokes; every other error says nothing of consent.
            (Purpose::Consent { .. }, Answer::Error(403)) => {
                self.consent_lost(id, ConsentLoss::Revoked, now, fx)
            }
            (Purpose::Consent { .. }, Answer::Error(_)) => {}
        }
    }

    /// §7.2.5.3.
    fn check_succeeded(
        &mut self,
        id: PairId,
        mapped: SocketAddr,
        nominates: bool,
        transaction: &Transaction,
        now: Time,
        fx: &mut Effects,
    ) {
        let Some(local) = self.discover_local(id, mapped) else { return };
        let Some(pair) = self.checklists.get(id) else { return };
        let (foundation, component, remote) = (pair.foundation, pair.component, pair.remote);
        let local_priority = self.locals.get(local).map_or(1, |l| l.candidate.priority());
        let remote_priority = self.remotes.get(remote).map_or(1, |r| r.candidate.priority());
        let priority = self.priority(local_priority, remote_priority);
        // A later check on the same pair has nothing left to find out.
        if let Some(current) = self.checklists.get(id).and_then(|p| p.check)
            && !self.checklists.get(id).is_some_and(|p| p.nominating)
        {
            self.transactions.cancel(&current);
        }
        let controlling = self.role.is_controlling();
        let Some(pair) = self.checklists.get_mut(id) else { return };
        // §7.2.5.3.2 and §7.2.5.3.3.
        pair.state = PairState::Succeeded;
        pair.valid = Some(ValidPair { local, priority });
        pair.server_errors = 0;
        // §7.2.5.3.4: the nomination is ours, or one that the peer made while our check was on its way (§7.3.1.5).
        let nominated = if controlling {
            nominates && transaction.role == crate::Role::Controlling
        } else {
            pair.nominate_when_valid
        };
        if !pair.nominating {
            self.checklists.untrigger(id);
        }
        self.checklists.unfreeze(foundation);
        if let Some(component) = self.component_mut(component) {
            component.first_valid.get_or_insert(now);
        }
        self.consent_confirmed(id, now);
        if nominated {
            self.nominated(id, now, fx);
        }
    }

    /// §7.2.5.3.1: the local candidate that the answer names, learned if it is none of ours.
    fn discover_local(&mut self, id: PairId, mapped: SocketAddr) -> Option<LocalId> {
        let pair = self.checklists.get(id)?;
        let (base, remote) = (pair.base, pair.remote);
        if let Some(known) = self.locals.find_mapped(base, mapped) {
            return Some(known);
        }
        let peer = self.remotes.get(remote)?.candidate.address().ip();
        let learned = self.locals.add_peer_reflexive(base, mapped, peer);
        // Without room for another candidate the base stands in: the path works all the same.
        learned.or_else(|| self.checklists.get(id).map(|p| p.local))
    }

    /// §7.2.5.1 and §7.2.5.2.4: an error response.
    fn check_refused(
        &mut self,
        id: PairId,
        code: u16,
        nominates: bool,
        transaction: &Transaction,
        now: Time,
        fx: &mut Effects,
    ) {
        match code {
            487 => {
                fx.counters.role_conflicts = fx.counters.role_conflicts.saturating_add(1);
                let tie_breaker = fx.random.u64();
                if self.role.rejected(transaction.role, tie_breaker) {
                    self.announce_role(fx);
                }
                self.check_again(id);
            }
            500..=599 if self.count_server_error(id) => self.check_again(id),
            _ if nominates => self.nomination_failed(id, now, fx),
            _ => self.pair_failed(id, now, fx),
        }
    }

    /// The pair is Waiting and on the triggered-check queue. A valid pair stays valid.
    fn check_again(&mut self, id: PairId) {
        let Some(pair) = self.checklists.get_mut(id) else { return };
        if let Some(current) = pair.check.take() {
            self.transactions.cancel(&current);
        }
        if !pair.nominating {
            pair.state = PairState::Waiting;
        }
        self.checklists.trigger(id);
    }

    fn count_server_error(&mut self, id: PairId) -> bool {
        let Some(pair) = self.checklists.get_mut(id) else { return false };
        pair.server_errors = pair.server_errors.saturating_add(1);
        pair.server_errors <= MAX_SERVER_ERRORS
    }

    /// No answer came (§7.2.5.2.3).
    pub(super) fn check_expired(
        &mut self,
        id: &TransactionId,
        transaction: &Transaction,
        now: Time,
        fx: &mut Effects,
    ) {
        let Purpose::Check { pair, nominates } = transaction.purpose else { return };
        let Some(p) = self.checklists.get_mut(pair) else { return };
        // §7.3.1.4: the silence of a cancelled check is no failure.
        if p.check != Some(*id) {
            self.remove_if_done(pair);
            return;
        }
        p.check = None;
        if nominates && p.nominating {
            self.nomination_failed(pair, now, fx);
        } else if p.state == PairState::InProgress {
            self.pair_failed(pair, now, fx);
        }
    }

    /// The last check of a pair that was cancelled is over. When the component has been concluded, nothing more is expected
    /// of the pair (§8.1.2) and it goes; when the component has lost its path meanwhile, the pair is checked again.
    fn remove_if_done(&mut self, id: PairId) {
        let Some(pair) = self.checklists.get(id) else { return };
        let idle = pair.valid.is_none() && !pair.queued && pair.check.is_none();
        let was_cancelled = pair.state == PairState::InProgress;
        if !idle || self.transactions.is_open_for(id) {
            return;
        }
        if self.component(pair.component).is_some_and(|c| c.selected.is_some()) {
            self.checklists.remove(id);
        } else if was_cancelled {
            self.checklists.set_state(id, PairState::Waiting);
        }
    }

    /// An authenticated answer with attributes that must be understood and are not: the transaction fails (RFC 8489
    /// §6.3.3, §6.3.4).
    pub(crate) fn on_unusable_answer(&mut self, id: &TransactionId, now: Time, fx: &mut Effects) {
        if let Some(transaction) = self.transactions.remove(id) {
            self.check_expired(id, &transaction, now, fx);
        }
    }

    /// §7.2.5.2: the pair is Failed. Changes no other pair.
    pub(super) fn pair_failed(&mut self, id: PairId, now: Time, fx: &mut Effects) {
        let Some(pair) = self.checklists.get_mut(id) else { return };
        // A pair that is valid by another check, and lives, is not undone by one that got lost.
        let alive = pair.valid.is_some()
            && pair
                .stats
                .as_ref()
                .and_then(|s| s.last_response)
                .is_some_and(|t| now.saturating_since(t) < STALE);
        if alive && !pair.nominating {
            pair.state = PairState::Succeeded;
            return;
        }
        self.path_died(id, now, fx);
    }

    /// A pair is over, valid or not.
    pub(super) fn path_died(&mut self, id: PairId, now: Time, fx: &mut Effects) {
        let Some(pair) = self.checklists.get_mut(id) else { return };
        pair.state = PairState::Failed;
        pair.valid = None;
        pair.nominated = false;
        pair.nominating = false;
        pair.nominate_when_valid = false;
        let component = pair.component;
        if let Some(check) = pair.check.take() {
            self.transactions.cancel(&check);
        }
        self.checklists.untrigger(id);
        self.deselect(component, id, now, fx);
        // The settle window begins anew with the next valid pair.
        if self.best_valid(component).is_none()
            && let Some(state) = self.component_mut(component)
        {
            state.first_valid = None;
        }
    }
}
