//! Nomination and selection: RFC 8445 §8.1.1, §8.1.2.

use alloc::vec::Vec;
use core::time::Duration;

use floe_stun::Time;

use crate::candidate::CandidateKind;
use crate::checklist::{ChecklistState, Pair};
use crate::config::Nomination;
use crate::effects::Effects;
use crate::event::{Event, SelectionReason};
use crate::ids::{Component, PairId};
use crate::stats::PairState;

use super::Session;

impl Session {
    /// Of each component that has a valid pair and whose time has come, the best one is checked again with
    /// USE-CANDIDATE.
    pub(super) fn nominate(&mut self, now: Time) {
        if !self.role.is_controlling() {
            return;
        }
        for at in 0..self.streams.len() {
            for component in self.components_of(at) {
                if let Some((time, pair)) = self.next_nomination_of(component, now)
                    && time <= now
                {
                    self.begin_nomination(component, pair);
                }
            }
        }
    }

    /// How long a better pair than `best` is waited for. With immediate nomination every check nominates; what is left are pairs
    /// that became valid by a check without USE-CANDIDATE, sent before a change of role.
    fn settle_window(&self, best: PairId) -> Duration {
        match self.config.nomination {
            Nomination::Regular { settle, settle_relayed } if self.is_relayed(best) => {
                settle.max(settle_relayed)
            }
            Nomination::Regular { settle, .. } => settle,
            Nomination::Immediate => Duration::ZERO,
        }
    }

    /// Whether a pair has a candidate of a TURN server.
    fn is_relayed(&self, pair: PairId) -> bool {
        let Some(pair) = self.checklists.get(pair) else { return false };
        let local = self.locals.get(pair.local).map(|l| l.candidate.kind());
        let remote = self.remotes.get(pair.remote).map(|r| r.candidate.kind());
        [local, remote].contains(&Some(CandidateKind::Relayed))
    }

    /// The components of a stream, without allocating.
    pub(crate) fn components_of(&self, stream: usize) -> impl Iterator<Item = Component> + use<> {
        let count = self.streams.get(stream).map_or(0, |s| s.components.len() as u16);
        let stream = crate::StreamId(stream as u16);
        (0..count).map(move |at| Component::new(stream, crate::ComponentId::at(at)))
    }

    /// The pair of a component to be nominated and when, as things stand now.
    fn next_nomination_of(&self, component: Component, now: Time) -> Option<(Time, PairId)> {
        let state = self.component(component)?;
        let failed = self.checklists.list(component.stream)?.state == ChecklistState::Failed;
        if failed || state.selected.is_some() || state.nominating.is_some() {
            return None;
        }
        let since = state.first_valid?;
        let best = self.best_valid(component)?;
        let at = if self.better_may_come(component, best) {
            since.saturating_add(self.settle_window(best))
        } else {
            now
        };
        Some((at, best))
    }

    /// The best pair on the valid list of a component.
    pub(super) fn best_valid(&self, component: Component) -> Option<PairId> {
        if !self.checklists.has_valid(component.stream) {
            return None;
        }
        let candidates = self.checklists.valid(component.stream).filter(|(_, p)| p.component == component);
        let ranked = candidates.filter_map(|(id, p)| Some((p.valid?.priority, id)));
        // The first of equals: the order of the checklist decides.
        ranked
            .fold(None, |best: Option<(u64, PairId)>, new| match best {
                Some(best) if best.0 >= new.0 => Some(best),
                _ => Some(new),
            })
            .map(|(_, id)| id)
    }

    /// Whether a pair above `best` may still become valid: one on the list, or one of a candidate that is yet to come.
    fn better_may_come(&self, component: Component, best: PairId) -> bool {
        let remote_ended = self.stream(component.stream).is_some_and(|s| s.remote_ended);
        let all_known = self.local_ended() && remote_ended;
        if !all_known && !self.is_unbeatable(best) {
            return true;
        }
        let Some(best) = self.checklists.get(best) else { return false };
        self.checklists.in_order(component.stream).take_while(|(_, p)| p.priority() > best.priority()).any(
            |(_, p)| {
                p.component == component
                    && matches!(p.state(), PairState::Frozen | PairState::Waiting | PairState::InProgress)
            },
        )
    }

    /// No candidate that could still come makes a better pair than one between the highest-ranked host candidates.
    fn is_unbeatable(&self, id: PairId) -> bool {
        let Some(pair) = self.checklists.get(id) else { return false };
        let highest = |p: u32| p >> 8 == HIGHEST_HOST_PRIORITY >> 8;
        let local = self.locals.get(pair.local).map_or(0, |l| l.candidate.priority());
        let remote = self.remotes.get(pair.remote).map_or(0, |r| r.candidate.priority());
        highest(local) && highest(remote)
    }

    fn begin_nomination(&mut self, component: Component, id: PairId) {
        if let Some(pair) = self.checklists.get_mut(id) {
            pair.nominating = true;
            // It may still be on the queue as somebody's trigger; what goes out carries USE-CANDIDATE either way.
            self.checklists.trigger(id);
        }
        if let Some(state) = self.component_mut(component) {
            state.nominating = Some(id);
        }
    }

    /// Our role changed: what we nominated is the peer's to decide now, or what the peer nominated is ours. Whoever nominates
    /// now begins anew (the other side may never have taken the nomination for one); data goes on the valid pairs meanwhile.
    pub(super) fn forget_nominations(&mut self) {
        for stream in &mut self.streams {
            for component in &mut stream.components {
                (component.nominating, component.selected, component.was_selected) = (None, None, false);
            }
        }
        self.checklists.forget_nominations();
    }

    /// §7.2.5.3.4: when the check of a nomination fails, pair and checklist are Failed; the checklist not before its time
    /// (RFC 8863 §4), so that another valid pair is nominated until then.
    pub(super) fn nomination_failed(&mut self, id: PairId, now: Time, fx: &mut Effects) {
        let Some(component) = self.checklists.get(id).map(|p| p.component) else { return };
        self.path_died(id, now, fx);
        if !self.may_fail(component.stream, now) {
            return;
        }
        if let Some(list) = self.checklists.list_mut(component.stream)
            && list.state != ChecklistState::Failed
        {
            list.state = ChecklistState::Failed;
            fx.event(Event::StreamFailed(component.stream));
        }
    }

    /// A valid pair has been nominated, by either side.
    pub(super) fn nominated(&mut self, id: PairId, fx: &mut Effects) {
        let Some(pair) = self.checklists.get_mut(id) else { return };
        pair.nominated = true;
        pair.nominating = false;
        pair.nominate_when_valid = false;
        let component = pair.component;
        if let Some(state) = self.component_mut(component) {
            state.nominating = None;
        }
        self.select(component, fx);
    }

    /// §8.1.1: the nominated pair, and of several the one with the highest priority (RFC 5245 peers).
    pub(super) fn select(&mut self, component: Component, fx: &mut Effects) {
        self.select_as(component, SelectionReason::HigherPriority, fx);
    }

    /// `reason` is why one pair takes the place of another that lives.
    fn select_as(&mut self, component: Component, reason: SelectionReason, fx: &mut Effects) {
        let best = self
            .checklists
            .valid(component.stream)
            .filter(|(_, p)| p.component == component && p.nominated)
            .filter_map(|(id, p)| Some((p.valid?.priority, id)))
            .fold(None, |best: Option<(u64, PairId)>, new| match best {
                Some(best) if best.0 >= new.0 => Some(best),
                _ => Some(new),
            });
        let Some((_, pair)) = best else { return };
        let Some(state) = self.component_mut(component) else { return };
        if state.selected == Some(pair) {
            return;
        }
        let reason = match state.selected {
            None if state.was_selected => SelectionReason::PathLost,
            None => SelectionReason::Nominated,
            Some(_) => reason,
        };
        state.selected = Some(pair);
        state.was_selected = true;
        state.consent_lost = false;
        fx.event(Event::SelectedPairChanged { component, pair, reason });
        self.finish_component(component);
    }

    /// The peer checks `pair`. If it nominated it, and leaves the selected one alone, then that is the pair it uses: it moved to a
    /// worse one, or never learned that the better one had been nominated. Both sides end on the same pair.
    /// True if something came of it.
    pub(super) fn follow_peer(
        &mut self,
        component: Component,
        pair: PairId,
        now: Time,
        fx: &mut Effects,
    ) -> bool {
        let Some(selected) = self.component(component).and_then(|c| c.selected) else { return false };
        if selected == pair || self.role.is_controlling() {
            return false;
        }
        let is_left = |p: &Pair| now.saturating_since(p.heard) >= LEFT_ALONE;
        let Some(used) = self.checklists.get(pair).filter(|p| !p.barred) else { return false };
        let was_nominated = used.nominated || used.nominate_when_valid;
        if !was_nominated || !self.checklists.get(selected).is_some_and(is_left) {
            return false;
        }
        if !used.nominated || !self.has_consent(pair, now) {
            if !used.queued && used.check.is_none() {
                self.prove_again(pair);
            }
            return true;
        }
        // It takes another nomination to come back to them, or the loss of the new one.
        let left: Vec<PairId> = (self.checklists.valid(component.stream))
            .filter(|(_, p)| p.component == component && p.nominated && is_left(p))
            .map(|(id, _)| id)
            .collect();
        for id in left {
            if let Some(pair) = self.checklists.get_mut(id) {
                (pair.nominated, pair.nominate_when_valid) = (false, true);
            }
        }
        self.select_as(component, SelectionReason::PeerMoved, fx);
        true
    }

    /// §8.1.2: pairs of the component whose check has not begun are removed; checks on their way are cancelled, which does
    /// not make them failures. Valid pairs stay, and so do better ones that are being nominated: RFC 5245 peers, and we when
    /// we nominate immediately, end on the best of several nominated pairs, and both sides have to find it.
    fn finish_component(&mut self, component: Component) {
        let selected =
            self.component(component).and_then(|c| c.selected).and_then(|id| self.checklists.get(id));
        let bar = selected.map_or(0, Pair::priority);
        let immediate = self.role.is_controlling() && self.config.nomination == Nomination::Immediate;
        let transactions = &self.transactions;
        let is_open = |id: PairId| transactions.is_open_for(id);
        // The peer may know of a nomination whose answer got lost, also when its own check has cancelled ours since.
        let is_nominated = |id: PairId, p: &Pair| p.nominate_when_valid || (immediate && is_open(id));
        let stays = |id: PairId, p: &Pair| p.nominated || (p.priority() > bar && is_nominated(id, p));
        // Most have not been checked at all.
        self.checklists.remove_of(component, |id, p| {
            let unchecked = matches!(p.state(), PairState::Waiting | PairState::Frozen);
            unchecked && p.valid.is_none() && !p.nominate_when_valid && !is_open(id) && !stays(id, p)
        });
        let others = self.checklists.in_order(component.stream);
        let others: Vec<PairId> =
            others.filter(|&(id, p)| p.component == component && !stays(id, p)).map(|(id, _)| id).collect();
        for id in others {
            self.give_up(id);
        }
    }

    /// A pair that is not needed any more, but that an answer to a check may still come for, or that the peer nominated
    /// beside a better one: it is remembered in case that the better one is lost.
    fn give_up(&mut self, id: PairId) {
        self.checklists.untrigger(id);
        let is_open = self.transactions.is_open_for(id);
        let Some(pair) = self.checklists.get_mut(id) else { return };
        pair.nominating = false;
        if let Some(check) = pair.check.take() {
            self.transactions.cancel(&check);
        }
        if pair.valid.is_some() {
            // It was being checked anew.
            self.checklists.set_state(id, PairState::Succeeded);
        } else if !is_open {
            self.checklists.set_state(id, PairState::Failed);
        }
    }

    /// When the settle window of a component ends.
    pub(super) fn next_nomination(&self, now: Time) -> Option<Time> {
        if !self.role.is_controlling() {
            return None;
        }
        let components = (0..self.streams.len()).flat_map(|at| self.components_of(at));
        components.filter_map(|c| self.next_nomination_of(c, now)).map(|(at, _)| at).min()
    }
}

/// A peer that keeps its consent to a pair fresh checks it at least twice in this time (RFC 7675 §5.1: six seconds at most).
const LEFT_ALONE: Duration = Duration::from_secs(12);

/// A host candidate with the highest local preference (RFC 8445 §5.1.2.1), component 1.
const HIGHEST_HOST_PRIORITY: u32 = crate::candidate::candidate_priority(
    CandidateKind::Host.type_preference(),
    crate::candidate::MAX_LOCAL_PREFERENCE,
    crate::ComponentId::FIRST,
);
