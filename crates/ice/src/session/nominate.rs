//! Nomination and selection: RFC 8445 §8.1.1, §8.1.2.

use alloc::vec::Vec;
use core::time::Duration;

use floe_stun::Time;

use crate::checklist::{ChecklistState, Pair};
use crate::config::Nomination;
use crate::effects::Effects;
use crate::event::{Event, SelectionReason};
use crate::ids::{Component, PairId};
use crate::stats::PairState;

use super::Session;

impl Session {
    /// Regular nomination: of each component that has a valid pair and whose time has come, the best one is checked
    /// again with USE-CANDIDATE.
    pub(super) fn nominate(&mut self, now: Time, fx: &mut Effects) {
        let Nomination::Regular { settle } = self.config.nomination else {
            self.nominate_leftovers(now, fx);
            return;
        };
        if !self.role.is_controlling() {
            return;
        }
        for at in 0..self.streams.len() {
            for component in self.components_of(at) {
                if let Some(pair) = self.ready_to_nominate(component, settle, now) {
                    self.begin_nomination(component, pair);
                }
            }
        }
    }

    /// Immediate nomination of pairs that became valid by a check without USE-CANDIDATE, sent before a change of role.
    fn nominate_leftovers(&mut self, now: Time, _fx: &mut Effects) {
        if !self.role.is_controlling() {
            return;
        }
        for at in 0..self.streams.len() {
            for component in self.components_of(at) {
                if let Some(pair) = self.ready_to_nominate(component, Duration::ZERO, now) {
                    self.begin_nomination(component, pair);
                }
            }
        }
    }

    /// The components of a stream, without allocating.
    pub(super) fn components_of(&self, stream: usize) -> impl Iterator<Item = Component> + use<> {
        let count = self.streams.get(stream).map_or(0, |s| s.components.len());
        let stream = crate::StreamId(u16::try_from(stream).unwrap_or(u16::MAX));
        (1..=u16::try_from(count).unwrap_or(u16::MAX))
            .filter_map(crate::ComponentId::new)
            .map(move |id| Component::new(stream, id))
    }

    fn ready_to_nominate(&self, component: Component, settle: Duration, now: Time) -> Option<PairId> {
        let state = self.component(component)?;
        if state.selected.is_some() || state.nominating.is_some() {
            return None;
        }
        let since = state.first_valid?;
        let best = self.best_valid(component)?;
        let waited = now.saturating_since(since) >= settle;
        (waited || !self.better_may_come(component, best)).then_some(best)
    }

    /// The best pair on the valid list of a component.
    pub(super) fn best_valid(&self, component: Component) -> Option<PairId> {
        let valid = |p: &Pair| p.component == component;
        let candidates = self.checklists.in_order(component.stream).filter(|(_, p)| valid(p));
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
        if !(self.local_ended() && remote_ended) && !self.is_unbeatable(best) {
            return true;
        }
        let Some(best) = self.checklists.get(best) else { return false };
        self.checklists.in_order(component.stream).take_while(|(_, p)| p.priority > best.priority).any(
            |(_, p)| {
                p.component == component
                    && matches!(p.state, PairState::Frozen | PairState::Waiting | PairState::InProgress)
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

    /// We are controlled now: what we began to nominate is the peer's to decide.
    pub(super) fn stop_nominating(&mut self) {
        for stream in &mut self.streams {
            for component in &mut stream.components {
                if let Some(pair) = component.nominating.take().and_then(|id| self.checklists.get_mut(id)) {
                    pair.nominating = false;
                }
            }
        }
    }

    /// §8.1.1: when the check of a nomination fails, pair and checklist are Failed.
    pub(super) fn nomination_failed(&mut self, id: PairId, now: Time, fx: &mut Effects) {
        let Some(component) = self.checklists.get(id).map(|p| p.component) else { return };
        self.path_died(id, now, fx);
        if let Some(list) = self.checklists.list_mut(component.stream)
            && list.state != ChecklistState::Failed
        {
            list.state = ChecklistState::Failed;
            fx.event(Event::StreamFailed(component.stream));
        }
    }

    /// A valid pair has been nominated, by either side.
    pub(super) fn nominated(&mut self, id: PairId, now: Time, fx: &mut Effects) {
        let Some(pair) = self.checklists.get_mut(id) else { return };
        pair.nominated = true;
        pair.nominating = false;
        pair.nominate_when_valid = false;
        let component = pair.component;
        if let Some(state) = self.component_mut(component) {
            state.nominating = None;
        }
        self.select(component, now, fx);
    }

    /// §8.1.1: the nominated pair, and of several the one with the highest priority (RFC 5245 peers).
    pub(super) fn select(&mut self, component: Component, _now: Time, fx: &mut Effects) {
        let best = self
            .checklists
            .in_order(component.stream)
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
            None if state.consent_lost => SelectionReason::PathLost,
            None => SelectionReason::Nominated,
            Some(_) => SelectionReason::HigherPriority,
        };
        state.selected = Some(pair);
        state.consent_lost = false;
        fx.event(Event::SelectedPairChanged { component, pair, reason });
        self.finish_component(component);
    }

    /// §8.1.2: pairs of the component whose check has not begun are removed; checks on their way are cancelled, which does
    /// not make them failures. Valid pairs stay, and so do better ones that are being nominated: RFC 5245 peers, and we when
    /// we nominate immediately, end on the best of several nominated pairs, and both sides have to find it.
    fn finish_component(&mut self, component: Component) {
        let selected =
            self.component(component).and_then(|c| c.selected).and_then(|id| self.checklists.get(id));
        let bar = selected.map_or(0, |p| p.priority);
        let immediate = self.role.is_controlling() && self.config.nomination == Nomination::Immediate;
        let is_nominated =
            |p: &Pair| p.nominate_when_valid || (immediate && p.state == PairState::InProgress);
        let done: Vec<PairId> = self
            .checklists
            .in_order(component.stream)
            .filter(|(_, p)| p.component == component && p.valid.is_none())
            .filter(|(_, p)| !(p.priority > bar && is_nominated(p)))
            .map(|(id, _)| id)
            .collect();
        for id in done {
            self.give_up(id);
        }
        let open = |id: Option<PairId>| id.is_some_and(|id| self.checklists.get(id).is_some());
        let all = self.streams.get(usize::from(component.stream.0)).map(|s| s.components.iter());
        let completed = all.is_some_and(|mut all| all.all(|c| open(c.selected)));
        if completed && let Some(list) = self.checklists.list_mut(component.stream) {
            list.state = ChecklistState::Completed;
        }
    }

    /// A pair that is not needed any more, as far as an answer to its check may still come.
    fn give_up(&mut self, id: PairId) {
        if let Some(check) = self.checklists.get_mut(id).and_then(|p| p.check.take()) {
            self.transactions.cancel(&check);
        }
        self.checklists.untrigger(id);
        let unchecked = |p: &Pair| matches!(p.state, PairState::Waiting | PairState::Frozen);
        if self.checklists.get(id).is_some_and(unchecked) && !self.has_open_check(id) {
            self.checklists.remove(id);
        }
    }

    /// A check of this pair, cancelled or not, may still be answered.
    fn has_open_check(&self, id: PairId) -> bool {
        self.transactions.is_open_for(id)
    }

    /// When the settle window of a component ends.
    pub(super) fn next_nomination(&self) -> Option<Time> {
        let Nomination::Regular { settle } = self.config.nomination else { return None };
        if !self.role.is_controlling() {
            return None;
        }
        let waiting = self
            .streams
            .iter()
            .flat_map(|s| &s.components)
            .filter(|c| c.selected.is_none() && c.nominating.is_none());
        waiting.filter_map(|c| c.first_valid).map(|t| t.saturating_add(settle)).min()
    }
}

/// A host candidate with the highest local preference (RFC 8445 §5.1.2.1), component 1.
const HIGHEST_HOST_PRIORITY: u32 = crate::candidate::candidate_priority(
    crate::candidate::CandidateKind::Host.type_preference(),
    crate::candidate::MAX_LOCAL_PREFERENCE,
    crate::ComponentId::FIRST,
);
