//! What an answer to a check means: RFC 8445 §7.2.5, top to bottom; RFC 7675 §5.1 for consent checks.

use core::net::SocketAddr;

use floe_stun::{Time, TransactionId};

use crate::checklist::ValidPair;
use crate::consent::STALE;
use crate::effects::Effects;
use crate::event::{ConsentLoss, Role};
use crate::ids::{LocalId, PairId};
use crate::message::Answer;
use crate::stats::PairState;
use crate::transaction::{Purpose, Transaction};

use super::Session;

/// How often a check is repeated because of errors 5xx (RFC 8489 §6.3.4).
const MAX_SERVER_ERRORS: u8 = 4;
/// How often because of role conflicts (our own rule): two agents that behave settle one with one or two answers.
const MAX_ROLE_CONFLICTS: u8 = 8;

/// An authenticated answer to one of our transactions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckAnswer {
    pub(crate) id: TransactionId,
    pub(crate) answer: Answer,
    /// It came from where the request went, to where the request left (§7.2.5.2.1).
    pub(crate) symmetric: bool,
}

impl Session {
    /// What an answer says whatever it says: the transaction it ends, of which pair, and whether that was the pair's current check.
    pub(super) fn note_answer(
        &mut self,
        answer: &CheckAnswer,
        now: Time,
    ) -> Option<(PairId, Transaction, bool)> {
        // RFC 7675 §5.1: an answer to a consent check comes from where that went. Whoever overhears it may send it on from elsewhere,
        // and be faster; the one that counts may still come.
        let is_consent = |t: &Transaction| t.purpose == Purpose::Consent;
        if !answer.symmetric && self.transactions.get(&answer.id).is_some_and(is_consent) {
            return None;
        }
        let transaction = self.transactions.remove(&answer.id)?;
        let id = transaction.pair;
        let pair = self.checklists.get_mut(id)?;
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
        Some((id, transaction, was_current))
    }

    /// §7.2.5.
    pub(crate) fn on_answer(&mut self, answer: &CheckAnswer, now: Time, fx: &mut Effects) {
        let Some((id, transaction, was_current)) = self.note_answer(answer, now) else { return };
        // RFC 7675 §5.2: an authenticated 403 revokes consent, whatever it answers.
        if answer.symmetric && answer.answer == Answer::Error(403) {
            self.consent_lost(id, ConsentLoss::Revoked, now, fx);
            return;
        }
        match (transaction.purpose, answer.answer) {
            // §7.2.5.1 is before §7.2.5.2.1: a conflict of roles is settled whatever way its answer takes. Through a NAT whose
            // mapping depends on the destination it takes another one, and no other check of ours may reach the peer.
            (Purpose::Check { nominates, .. }, Answer::Error(487)) => {
                self.check_refused(id, 487, nominates && was_current, &transaction, now, fx);
            }
            // §7.2.5.2.1: an answer that takes another way fails the check.
            (Purpose::Check { nominates }, _) if !answer.symmetric => {
                self.check_failed(id, nominates && was_current, now, fx);
            }
            (Purpose::Check { nominates }, Answer::Success(mapped)) => {
                self.check_succeeded(id, mapped, nominates, &transaction, now, fx);
            }
            (Purpose::Check { nominates }, Answer::Error(code)) => {
                self.check_refused(id, code, nominates && was_current, &transaction, now, fx);
            }
            // RFC 7675 §5.1: the answer comes from where the request went; every other error says nothing of consent.
            (Purpose::Consent, Answer::Success(_)) if answer.symmetric => {
                self.consent_confirmed(id, now);
            }
            (Purpose::Consent, _) => {}
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
        let (foundation, component, remote) = (pair.foundation(), pair.component, pair.remote);
        let local_priority = self.locals.get(local).map_or(1, |l| l.candidate.priority());
        let remote_priority = self.remotes.get(remote).map_or(1, |r| r.candidate.priority());
        let priority = self.priority(local_priority, remote_priority);
        let controlling = self.role.is_controlling();
        // §7.2.5.3.2 and §7.2.5.3.3.
        self.checklists.set_state(id, PairState::Succeeded);
        self.checklists.set_valid(id, ValidPair { local, priority, confirmed: now });
        let Some(pair) = self.checklists.get_mut(id) else { return };
        pair.repeats = 0;
        // §7.2.5.3.4: the nomination is ours, or one that the peer made while our check was on its way (§7.3.1.5).
        let nominated = if controlling {
            nominates && transaction.role() == Role::Controlling
        } else {
            pair.nominate_when_valid
        };
        // A later check of the same pair has nothing left to find out, unless it nominates.
        if !pair.nominating {
            if let Some(current) = pair.check.take() {
                self.transactions.cancel(&current);
            }
            self.checklists.untrigger(id);
        }
        self.checklists.unfreeze(foundation);
        if let Some(component) = self.component_mut(component) {
            component.first_valid.get_or_insert(now);
        }
        self.consent_confirmed(id, now);
        if let Some(remote) = self.remotes.get_mut(remote) {
            remote.answered = true;
        }
        if nominated {
            self.nominated(id, fx);
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
        let room = self.locals.peer_reflexive() < usize::from(self.config.limits.peer_reflexive);
        let learned = if room { self.locals.add_peer_reflexive(base, mapped, peer) } else { None };
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
                if self.role.rejected(transaction.role(), tie_breaker) {
                    self.announce_role(fx);
                }
                if self.may_repeat(id, MAX_ROLE_CONFLICTS) {
                    self.check_again(id);
                } else {
                    self.check_failed(id, nominates, now, fx);
                }
            }
            500..=599 if self.may_repeat(id, MAX_SERVER_ERRORS) => self.check_again(id),
            _ => self.check_failed(id, nominates, now, fx),
        }
    }

    /// The pair is Waiting and on the triggered-check queue. A valid pair stays valid.
    fn check_again(&mut self, id: PairId) {
        let Some(pair) = self.checklists.get_mut(id) else { return };
        let (component, nominating, valid) = (pair.component, pair.nominating, pair.valid.is_some());
        // §8.1.2: nothing is checked any more for a component that is concluded.
        if self.is_concluded(component) {
            self.checklists.set_state(id, if valid { PairState::Succeeded } else { PairState::Failed });
            return;
        }
        if let Some(pair) = self.checklists.get_mut(id)
            && let Some(current) = pair.check.take()
        {
            self.transactions.cancel(&current);
        }
        if !nominating {
            self.checklists.set_state(id, PairState::Waiting);
        }
        self.checklists.trigger(id);
    }

    /// Whether the check of a pair is repeated once more after an error response.
    fn may_repeat(&mut self, id: PairId, limit: u8) -> bool {
        let Some(pair) = self.checklists.get_mut(id) else { return false };
        pair.repeats = pair.repeats.saturating_add(1);
        pair.repeats <= limit
    }

    /// §7.2.5.2: a check failed, the current one of a pair or an older one. `nominates` says that it is the current one and
    /// carried USE-CANDIDATE; it counts as a nomination (§7.2.5.3.4) if it repeated the check of a valid pair, not if every
    /// check carries it.
    fn check_failed(&mut self, id: PairId, nominates: bool, now: Time, fx: &mut Effects) {
        if nominates && self.checklists.get(id).is_some_and(|p| p.nominating) {
            self.nomination_failed(id, now, fx);
        } else {
            self.pair_failed(id, now, fx);
        }
    }

    /// No answer came (§7.2.5.2.3).
    pub(super) fn check_expired(
        &mut self,
        id: &TransactionId,
        transaction: &Transaction,
        now: Time,
        fx: &mut Effects,
    ) {
        let Purpose::Check { nominates } = transaction.purpose else { return };
        let pair = transaction.pair;
        let Some(p) = self.checklists.get_mut(pair) else { return };
        // §7.3.1.4: the silence of a cancelled check is no failure.
        if p.check != Some(*id) {
            self.remove_if_done(pair);
            return;
        }
        p.check = None;
        self.check_failed(pair, nominates, now, fx);
    }

    /// The last check of a pair that was cancelled is over. When the component has been concluded, nothing more is expected
    /// of the pair (§8.1.2) and it goes; when the component has lost its path meanwhile, the pair is checked again.
    fn remove_if_done(&mut self, id: PairId) {
        let Some(pair) = self.checklists.get(id) else { return };
        let idle = pair.valid.is_none() && !pair.queued && pair.check.is_none();
        let was_cancelled = pair.state() == PairState::InProgress;
        if !idle || self.transactions.is_open_for(id) {
            return;
        }
        if !self.is_concluded(pair.component) {
            if was_cancelled {
                self.checklists.set_state(id, PairState::Waiting);
            }
        } else if pair.nominate_when_valid {
            self.checklists.set_state(id, PairState::Failed);
        } else {
            self.checklists.remove(id);
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
        let Some(pair) = self.checklists.get(id) else { return };
        // A pair that is valid by another check, and lives, is not undone by one that got lost.
        let alive = pair.valid.is_some_and(|v| now.saturating_since(v.confirmed) < STALE);
        if alive && !pair.nominating {
            self.checklists.set_state(id, PairState::Succeeded);
            return;
        }
        self.path_died(id, now, fx);
    }

    /// A pair is over, valid or not. That the peer nominated it is remembered, in case that it comes back.
    pub(super) fn path_died(&mut self, id: PairId, now: Time, fx: &mut Effects) {
        self.checklists.set_state(id, PairState::Failed);
        let was_valid = self.checklists.clear_valid(id);
        let Some(pair) = self.checklists.get_mut(id) else { return };
        pair.nominated = false;
        pair.nominating = false;
        let component = pair.component;
        if let Some(check) = pair.check.take() {
            self.transactions.cancel(&check);
        }
        self.checklists.untrigger(id);
        let other_in_use = self.component(component).is_some_and(|c| c.selected.is_some_and(|s| s != id));
        if was_valid && !other_in_use {
            self.prove_others(component, id, now);
        }
        self.deselect(component, id, fx);
        // The settle window begins anew with the next valid pair.
        if self.best_valid(component).is_none()
            && let Some(state) = self.component_mut(component)
        {
            state.first_valid = None;
        }
    }
}
