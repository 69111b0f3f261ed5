//! Pair states: RFC 8445 §6.1.2.6 and §7.2.5.3.3, and RFC 8838 §12 for pairs that come later.

use crate::ids::PairId;
use crate::stats::PairState;

use super::{Checklists, PairFoundation};

impl Checklists {
    /// §6.1.2.6: of each foundation one pair becomes Waiting, in the first checklist that has the foundation: the one
    /// with the lowest component, and of these with the highest priority.
    pub(crate) fn start(&mut self) {
        if self.started {
            return;
        }
        self.started = true;
        for list in 0..self.lists.len() {
            for at in 0..self.lists[list].order.len() {
                let id = self.lists[list].order[at];
                if self.is_topmost(id) {
                    self.set_state(id, PairState::Waiting);
                }
            }
        }
    }

    pub(crate) fn is_started(&self) -> bool {
        self.started
    }

    /// RFC 8838 §12: a pair formed while checks run is Waiting if it is the topmost of its foundation or if one of the
    /// foundation succeeded, otherwise Frozen.
    pub(super) fn set_state_of_new(&mut self, id: PairId) {
        let Some(foundation) = self.pairs.get(id).map(|p| p.foundation) else { return };
        let succeeded =
            self.pairs.iter().any(|(_, p)| p.foundation == foundation && p.state == PairState::Succeeded);
        if succeeded || self.is_topmost(id) {
            self.set_state(id, PairState::Waiting);
        }
    }

    /// Whether no other pair of the foundation is in an earlier checklist, or in the same one with a lower component, or
    /// there with the same component and a higher priority.
    fn is_topmost(&self, id: PairId) -> bool {
        let Some(this) = self.pairs.get(id) else { return false };
        let place = |p: &super::Pair| (p.component.stream, p.component.id, !p.priority);
        !self.pairs.iter().any(|(other, p)| {
            other != id
                && p.foundation == this.foundation
                && (place(p) < place(this) || (place(p) == place(this) && self.is_before(other, id)))
        })
    }

    /// For two pairs of one checklist with the same priority and component: which one came first.
    fn is_before(&self, a: PairId, b: PairId) -> bool {
        let Some(list) = self.pairs.get(a).and_then(|p| self.list(p.component.stream)) else { return false };
        let place = |id: PairId| list.order.iter().position(|&other| other == id);
        place(a) < place(b)
    }

    /// §7.2.5.3.3: every Frozen pair of the foundation becomes Waiting, in all checklists.
    pub(crate) fn unfreeze(&mut self, foundation: PairFoundation) {
        for pair in self.pairs.iter_mut() {
            if pair.foundation == foundation && pair.state == PairState::Frozen {
                pair.state = PairState::Waiting;
            }
        }
    }

    /// §6.1.4.2, step 2: a checklist without Waiting pairs thaws those whose foundation nobody is Waiting or In-Progress
    /// for, in any checklist.
    pub(super) fn thaw(&mut self, list: usize) {
        let len = self.lists.get(list).map_or(0, |l| l.order.len());
        for at in 0..len {
            let id = self.lists[list].order[at];
            let Some(pair) = self.pairs.get(id) else { continue };
            if pair.state != PairState::Frozen {
                continue;
            }
            let foundation = pair.foundation;
            let busy = self.pairs.iter().any(|(_, p)| {
                p.foundation == foundation && matches!(p.state, PairState::Waiting | PairState::InProgress)
            });
            if !busy {
                self.set_state(id, PairState::Waiting);
            }
        }
    }

    pub(crate) fn set_state(&mut self, id: PairId, state: PairState) {
        if let Some(pair) = self.pairs.get_mut(id) {
            pair.state = state;
        }
    }
}
