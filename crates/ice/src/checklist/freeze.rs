//! Pair states: RFC 8445 §6.1.2.6 and §7.2.5.3.3, and RFC 8838 §12 for pairs that come later.

use core::cmp::Ordering;

use crate::ids::{ComponentId, PairId};
use crate::sorted::Sorted;
use crate::stats::PairState;

use super::{Checklist, Checklists, Pair, PairFoundation};

/// How many pairs are in which state, over all checklists and of each foundation: what the rules of freezing ask.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    all: [u16; STATES],
    /// By the key of the foundation.
    of: Sorted<u32, [u16; STATES]>,
}

const STATES: usize = 5;

impl Tally {
    pub(super) fn add(&mut self, foundation: PairFoundation, state: PairState) {
        self.add_new(foundation, |_| state);
    }

    /// A new pair, whose state follows from those of the others of its foundation. The state.
    fn add_new(
        &mut self,
        foundation: PairFoundation,
        state: impl Fn(&[u16; STATES]) -> PairState,
    ) -> PairState {
        let counts = self.of.get_or_default(foundation.key());
        let state = state(counts);
        counts[state as usize] += 1;
        self.all[state as usize] += 1;
        state
    }

    /// A pair of this foundation goes from one state to another.
    pub(super) fn shift(&mut self, foundation: PairFoundation, from: PairState, to: PairState) {
        self.all[from as usize] -= 1;
        self.all[to as usize] += 1;
        if let Some(counts) = self.of.get_mut(&foundation.key()) {
            counts[from as usize] -= 1;
            counts[to as usize] += 1;
        }
    }

    pub(super) fn take(&mut self, foundation: PairFoundation, state: PairState) {
        let at = state as usize;
        self.all[at] -= 1;
        let Some(counts) = self.of.get_mut(&foundation.key()) else { return };
        counts[at] -= 1;
        if *counts == [0; STATES] {
            self.of.remove(&foundation.key());
        }
    }

    /// Makes room for so many foundations more.
    pub(super) fn reserve(&mut self, more: usize) {
        self.of.reserve(more);
    }

    /// Pairs in this state.
    pub(super) fn count(&self, state: PairState) -> usize {
        usize::from(self.all[state as usize])
    }

    fn count_of(&self, foundation: PairFoundation, state: PairState) -> u16 {
        self.of.get(&foundation.key()).map_or(0, |counts| counts[state as usize])
    }

    /// §6.1.4.2, step 2: some pair of the foundation is Waiting or In-Progress, in any checklist.
    pub(super) fn is_busy(&self, foundation: PairFoundation) -> bool {
        self.of
            .get(&foundation.key())
            .is_some_and(|c| c[PairState::Waiting as usize] + c[PairState::InProgress as usize] > 0)
    }
}

impl Checklists {
    /// §6.1.2.6: of each foundation one pair becomes Waiting, in the first checklist that has the foundation: the one
    /// with the lowest component, and of these with the highest priority.
    pub(crate) fn start(&mut self) {
        if self.started {
            return;
        }
        self.started = true;
        for list in 0..self.lists.len() {
            let mut component = Some(ComponentId::FIRST);
            while let Some(current) = component {
                self.start_component(list, current);
                component = self.component_after(list, current);
            }
        }
    }

    fn start_component(&mut self, list: usize, component: ComponentId) {
        for at in 0..self.lists.get(list).map_or(0, |l| l.order.len()) {
            let id = self.lists[list].order[at].id;
            if self
                .pairs
                .get(id)
                .is_some_and(|p| p.component.id == component && !self.tally.is_busy(p.foundation))
            {
                self.set_state(id, PairState::Waiting);
            }
        }
    }

    /// The lowest component above this one that a list has pairs of.
    fn component_after(&self, list: usize, component: ComponentId) -> Option<ComponentId> {
        let order = self.lists.get(list).map_or(&[][..], |l: &Checklist| l.order.as_slice());
        order
            .iter()
            .filter_map(|listed| Some(self.pairs.get(listed.id)?.component.id))
            .filter(|&id| id > component)
            .min()
    }

    pub(crate) fn is_started(&self) -> bool {
        self.started
    }

    /// RFC 8838 §12: a pair formed while checks run is Waiting if it is the topmost of its foundation or if one of the
    /// foundation succeeded, otherwise Frozen. Before checks run all are Frozen (RFC 8445 §6.1.2.6). Counts the pair, and gives the
    /// state that can be told before it is in its place; then [`Checklists::thaw_new`] has a look.
    pub(super) fn state_of_new(&mut self, foundation: PairFoundation) -> PairState {
        let started = self.started;
        self.tally.add_new(foundation, |others| {
            let leads = others[PairState::Succeeded as usize] > 0 || *others == [0; STATES];
            if started && leads { PairState::Waiting } else { PairState::Frozen }
        })
    }

    /// A new pair is in its place: it may be the topmost of its foundation.
    pub(super) fn thaw_new(&mut self, id: PairId, state: PairState) {
        if self.started && state == PairState::Frozen && self.is_topmost(id) {
            self.set_state(id, PairState::Waiting);
        }
    }

    /// Whether no other pair of the foundation is in an earlier checklist, or in the same one with a lower component, or
    /// there with the same component and before it.
    fn is_topmost(&self, id: PairId) -> bool {
        let Some(this) = self.pairs.get(id) else { return false };
        let place = |p: &Pair| (p.component.stream, p.component.id);
        let mut passed = false;
        let above = |(other, p): (PairId, &Pair)| {
            passed |= other == id;
            p.foundation == this.foundation
                && match place(p).cmp(&place(this)) {
                    Ordering::Less => true,
                    // In the order of the checklist: what comes before this pair is above it.
                    Ordering::Equal => !passed,
                    Ordering::Greater => false,
                }
        };
        !self.all().any(above)
    }

    /// §7.2.5.3.3: every Frozen pair of the foundation becomes Waiting, in all checklists.
    pub(crate) fn unfreeze(&mut self, foundation: PairFoundation) {
        if self.tally.count_of(foundation, PairState::Frozen) == 0 {
            return;
        }
        for list in 0..self.lists.len() {
            for at in 0..self.lists[list].order.len() {
                let id = self.lists[list].order[at].id;
                if self
                    .pairs
                    .get(id)
                    .is_some_and(|p| p.foundation == foundation && p.state == PairState::Frozen)
                {
                    self.set_state(id, PairState::Waiting);
                }
            }
        }
    }

    /// §6.1.4.2, step 2: a checklist without Waiting pairs thaws those whose foundation nobody is Waiting or In-Progress
    /// for, in any checklist.
    pub(super) fn thaw(&mut self, list: usize) {
        let len = self.lists.get(list).map_or(0, |l| l.order.len());
        for at in 0..len {
            let id = self.lists[list].order[at].id;
            if self.can_thaw(id) {
                self.set_state(id, PairState::Waiting);
            }
        }
    }

    /// Whether a pair is Frozen and nothing of its foundation will unfreeze it.
    pub(super) fn can_thaw(&self, id: PairId) -> bool {
        self.pairs.get(id).is_some_and(|p| p.state == PairState::Frozen && !self.tally.is_busy(p.foundation))
    }

    pub(crate) fn set_state(&mut self, id: PairId, state: PairState) {
        let Some(pair) = self.pairs.get_mut(id).filter(|p| p.state != state) else { return };
        self.tally.shift(pair.foundation, pair.state, state);
        pair.state = state;
    }

    /// A pair is Succeeded already with this foundation.
    pub(crate) fn has_succeeded(&self, foundation: PairFoundation) -> bool {
        self.tally.count_of(foundation, PairState::Succeeded) > 0
    }

    /// Panics, in tests and fuzzers, when the counts are not those of the pairs.
    pub(super) fn check_tally(&self) {
        let mut recount = Tally::default();
        for (_, pair) in self.pairs.iter() {
            recount.add(pair.foundation, pair.state);
        }
        assert_eq!(recount.all, self.tally.all, "the states are counted");
        assert_eq!(recount.of.len(), self.tally.of.len(), "and no foundation is left over");
        for (_, pair) in self.pairs.iter() {
            let counts = (recount.of.get(&pair.foundation.key()), self.tally.of.get(&pair.foundation.key()));
            assert_eq!(counts.0, counts.1, "for each foundation");
        }
    }
}
