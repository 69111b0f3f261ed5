//! Forming, pruning and capping (RFC 8445 §6.1.2.2–§6.1.2.5) and adding to a running checklist (RFC 8838 §12).

use crate::ids::{Component, LocalId, PairId, RemoteId};
use crate::locals::BaseId;
use crate::stats::PairState;

use super::{Checklists, Pair, PairFoundation};

/// What a pair is formed of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewPair {
    pub(crate) component: Component,
    pub(crate) base: BaseId,
    pub(crate) local: LocalId,
    pub(crate) remote: RemoteId,
    pub(crate) foundation: PairFoundation,
    pub(crate) priority: u64,
}

impl Checklists {
    /// Adds a pair, unless it is redundant with one that is there (§6.1.2.4) or the cap leaves no room for its priority
    /// (§6.1.2.5). A pair has a base as its local end, so two pairs are redundant exactly when base and remote
    /// candidate agree. Returns the pair, new or not.
    pub(crate) fn form(&mut self, new: &NewPair) -> Option<PairId> {
        if let Some(known) = self.find(new.base, new.remote) {
            self.raise(known, new);
            return Some(known);
        }
        if self.pairs.len() >= self.cap && !self.make_room(new) {
            return None;
        }
        let id = self.pairs.insert(Pair {
            component: new.component,
            base: new.base,
            local: new.local,
            remote: new.remote,
            foundation: new.foundation,
            priority: new.priority,
            state: PairState::Frozen,
            queued: false,
            nominating: false,
            nominate_when_valid: false,
            nominated: false,
            server_errors: 0,
            check: None,
            valid: None,
            stats: None,
        })?;
        self.by_path.insert((new.base, new.remote), id);
        self.insert_in_order(id);
        if self.started {
            self.set_state_of_new(id);
        }
        Some(id)
    }

    /// §6.1.2.4: of redundant pairs the one with the higher priority stays. Only a pair whose check has not begun is
    /// compared (RFC 8838 §12), so the one that is there takes over what makes the other one better.
    fn raise(&mut self, known: PairId, new: &NewPair) {
        let Some(pair) = self.pairs.get_mut(known) else { return };
        let comparable = matches!(pair.state, PairState::Waiting | PairState::Frozen);
        if comparable && new.priority > pair.priority {
            pair.priority = new.priority;
            pair.local = new.local;
            pair.foundation = new.foundation;
            self.resort(known);
        }
    }

    /// §6.1.2.5: discards one pair in favour of `new`, or says no. Failed pairs go first, then the lowest priority; from
    /// the new pair's own checklist if that has its share already, otherwise from the longest one.
    fn make_room(&mut self, new: &NewPair) -> bool {
        let share = (self.cap / self.lists.len().max(1)).max(1);
        let own = usize::from(new.component.stream.0);
        let own_len = self.lists.get(own).map_or(0, |l| l.order.len());
        let from = if own_len >= share {
            own
        } else {
            // The first of the longest, so that the choice does not depend on anything but the lists.
            let longest = self.lists.iter().map(|l| l.order.len()).max().unwrap_or(0);
            self.lists.iter().position(|l| l.order.len() == longest).unwrap_or(own)
        };
        let Some(victim) = self.victim(from) else { return false };
        let Some(pair) = self.pairs.get(victim) else { return false };
        let better = pair.state == PairState::Failed || from != own || pair.priority < new.priority;
        if better {
            self.remove(victim);
        }
        better
    }

    /// The pair that list `from` can do without best.
    fn victim(&self, from: usize) -> Option<PairId> {
        let order = &self.lists.get(from)?.order;
        let expendable = |&&id: &&PairId| self.pairs.get(id).is_some_and(|p| !p.is_protected());
        let failed = |&&id: &&PairId| self.pairs.get(id).is_some_and(|p| p.state == PairState::Failed);
        let lowest_failed = order.iter().rev().find(|id| failed(id) && expendable(id));
        lowest_failed.or_else(|| order.iter().rev().find(expendable)).copied()
    }
}
