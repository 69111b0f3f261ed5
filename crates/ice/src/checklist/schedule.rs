//! Which pair is checked next: RFC 8445 §6.1.4.

use crate::ids::PairId;
use crate::stats::PairState;

use super::{ChecklistState, Checklists, Listed};

/// [D] After so many triggered checks in a row an ordinary one has its turn. §6.1.4.2 lets it wait for all of them, but two NATs
/// that map by destination make learned candidates, and with them triggered checks, without end.
const TRIGGERED_IN_A_ROW: u8 = 4;

impl Checklists {
    /// §6.1.4.1: to the end of the triggered-check queue, unless it is on it.
    pub(crate) fn trigger(&mut self, id: PairId) {
        let Some(pair) = self.pairs.get_mut(id) else { return };
        if pair.queued {
            return;
        }
        pair.queued = true;
        let stream = pair.component.stream;
        if let Some(list) = self.list_mut(stream) {
            list.triggered.push_back(id);
        }
    }

    /// Nobody nominates anything: our role changed (§7.3.1.1).
    pub(crate) fn forget_nominations(&mut self) {
        for pair in self.pairs.iter_mut() {
            (pair.nominating, pair.nominate_when_valid, pair.nominated) = (false, false, false);
        }
    }

    /// Off the triggered-check queue.
    pub(crate) fn untrigger(&mut self, id: PairId) {
        let Some(pair) = self.pairs.get_mut(id).filter(|p| p.queued) else { return };
        pair.queued = false;
        let stream = pair.component.stream;
        if let Some(list) = self.list_mut(stream) {
            list.triggered.retain(|&other| other != id);
        }
    }

    /// §6.1.4.2: the pair whose check the next tick of Ta begins. The turn goes round the checklists; one that has nothing
    /// to do gives it on at once.
    pub(crate) fn next(&mut self) -> Option<PairId> {
        let count = self.lists.len();
        for step in 0..count {
            let at = (self.turn + step) % count;
            if let Some(id) = self.next_of(at) {
                self.turn = (at + 1) % count;
                return Some(id);
            }
        }
        None
    }

    fn next_of(&mut self, at: usize) -> Option<PairId> {
        if self.lists.get(at)?.triggered_in_a_row >= TRIGGERED_IN_A_ROW
            && let Some(id) = self.next_ordinary(at)
        {
            self.lists.get_mut(at)?.triggered_in_a_row = 0;
            return Some(id);
        }
        let triggered = self.next_triggered(at);
        let list = self.lists.get_mut(at)?;
        list.triggered_in_a_row =
            if triggered.is_some() { list.triggered_in_a_row.saturating_add(1) } else { 0 };
        triggered.or_else(|| self.next_ordinary(at))
    }

    /// Step 1, for lists in every state: a check that the peer's own check asked for is sent whatever else is concluded.
    fn next_triggered(&mut self, list: usize) -> Option<PairId> {
        loop {
            let id = self.lists.get_mut(list)?.triggered.pop_front()?;
            if let Some(pair) = self.pairs.get_mut(id) {
                pair.queued = false;
                // The original check may have succeeded while the pair was queued; it needs no other one then.
                if pair.state != PairState::Succeeded || pair.nominating {
                    return Some(id);
                }
            }
        }
    }

    /// Steps 2 and 3.
    fn next_ordinary(&mut self, list: usize) -> Option<PairId> {
        if self.lists.get(list)?.state != ChecklistState::Running {
            return None;
        }
        if let Some(id) = self.highest_waiting(list) {
            return Some(id);
        }
        self.thaw(list);
        self.highest_waiting(list)
    }

    /// Of those that do not wait for their turn as triggered ones: that turn would check them a second time.
    fn highest_waiting(&self, list: usize) -> Option<PairId> {
        let waiting =
            |&id: &PairId| self.pairs.get(id).is_some_and(|p| p.state == PairState::Waiting && !p.queued);
        self.lists.get(list)?.order.iter().map(|listed| listed.id).find(waiting)
    }

    /// Whether [`Checklists::next`] would find a pair, apart from stale entries of the queues.
    pub(crate) fn has_work(&self) -> bool {
        self.lists.iter().any(|list| {
            !list.triggered.is_empty()
                || (list.state == ChecklistState::Running && self.has_ordinary_work(&list.order))
        })
    }

    fn has_ordinary_work(&self, order: &[Listed]) -> bool {
        if self.tally.count(PairState::Waiting) + self.tally.count(PairState::Frozen) == 0 {
            return false;
        }
        let waiting = |id: PairId| self.pairs.get(id).is_some_and(|p| p.state == PairState::Waiting);
        order.iter().any(|l| waiting(l.id) || self.can_thaw(l.id))
    }

    /// Num-Waiting + Num-In-Progress and N of RFC 8445 §14.3.
    pub(crate) fn load(&self) -> (usize, usize) {
        let busy = self.tally.count(PairState::Waiting) + self.tally.count(PairState::InProgress);
        (busy, self.pairs.len())
    }
}
