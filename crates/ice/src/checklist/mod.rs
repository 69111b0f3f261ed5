//! The checklist set (RFC 8445 §6.1.2): one checklist for each stream, and what goes across all of them: the cap, the
//! foundations, and the turn on each tick of Ta.
//!
//! | file | section |
//! |---|---|
//! | `pair.rs` | §6.1.2.2, a pair |
//! | `form.rs` | §6.1.2.2–§6.1.2.5, forming, pruning, the cap; RFC 8838 §12 |
//! | `freeze.rs` | §6.1.2.6, §7.2.5.3.3, the states |
//! | `schedule.rs` | §6.1.4, which pair is checked next |

mod form;
mod freeze;
pub(crate) mod pair;
mod schedule;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::ids::{Component, PairId, RemoteId, StreamId};
use crate::locals::BaseId;
use crate::sorted::Sorted;

use freeze::Tally;

pub(crate) use form::{Formed, NewPair};
pub(crate) use pair::{Pair, PairFoundation, PairTable, ValidPair};

/// RFC 8445 §6.1.2.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ChecklistState {
    Running,
    Completed,
    Failed,
}

/// The checklist of one stream.
#[derive(Clone, Debug)]
pub(crate) struct Checklist {
    pub(crate) state: ChecklistState,
    /// Pairs by descending priority; equal ones by ascending component, then in order of arrival.
    order: Vec<Listed>,
    /// The triggered-check queue (§6.1.4.1), first in, first out.
    triggered: VecDeque<PairId>,
    /// Checks from it since the last ordinary one.
    triggered_in_a_row: u8,
    /// How many of the pairs are valid.
    valid: u16,
}

/// A pair in its place on a checklist.
#[derive(Clone, Copy, Debug)]
struct Listed {
    rank: Rank,
    id: PairId,
}

/// Ascending sort key: descending priority, then ascending component (RFC 8445 §6.1.2.3). Kept beside the id, it is found without
/// looking the pair up, which made inserting a pair five times as slow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Rank(u64, u16);

impl Rank {
    fn of(pair: &Pair) -> Self {
        Self(!pair.priority, pair.component.id.get())
    }
}

/// All checklists of an agent.
#[derive(Clone, Debug)]
pub(crate) struct Checklists {
    pub(crate) pairs: PairTable,
    lists: Vec<Checklist>,
    /// By [`path_key`].
    by_path: Sorted<u64, PairId>,
    tally: Tally,
    /// RFC 8445 §6.1.2.5.
    cap: usize,
    /// The list whose turn it is.
    turn: usize,
    /// Initial states have been assigned (§6.1.2.6).
    started: bool,
}

impl Checklists {
    pub(crate) fn new(streams: usize, cap: u16) -> Self {
        let (order, triggered) = (Vec::new(), VecDeque::new());
        let (state, triggered_in_a_row) = (ChecklistState::Running, 0);
        let list = Checklist { state, order, triggered, triggered_in_a_row, valid: 0 };
        Self {
            pairs: PairTable::default(),
            lists: alloc::vec![list; streams],
            by_path: Sorted::default(),
            tally: Tally::default(),
            cap: usize::from(cap),
            turn: 0,
            started: false,
        }
    }

    /// Empty checklists for an ICE restart (RFC 8445 §9), in which no pair has the id of one of these.
    pub(crate) fn successor(&self) -> Self {
        let cap = u16::try_from(self.cap).unwrap_or(u16::MAX);
        Self { pairs: self.pairs.successor(), ..Self::new(self.lists.len(), cap) }
    }

    pub(crate) fn list(&self, stream: StreamId) -> Option<&Checklist> {
        self.lists.get(usize::from(stream.0))
    }

    pub(crate) fn list_mut(&mut self, stream: StreamId) -> Option<&mut Checklist> {
        self.lists.get_mut(usize::from(stream.0))
    }

    pub(crate) fn get(&self, id: PairId) -> Option<&Pair> {
        self.pairs.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: PairId) -> Option<&mut Pair> {
        self.pairs.get_mut(id)
    }

    /// Makes room for pairs of a stream that are about to be formed.
    pub(crate) fn reserve(&mut self, stream: StreamId, more: usize) {
        let more = more.min(self.cap.saturating_sub(self.pairs.len()));
        self.pairs.reserve(more);
        self.by_path.reserve(more);
        self.tally.reserve(more);
        if let Some(list) = self.list_mut(stream) {
            list.order.reserve_exact(more);
        }
    }

    /// The pair from this base to this remote candidate.
    pub(crate) fn find(&self, base: BaseId, remote: RemoteId) -> Option<PairId> {
        self.by_path.get(&path_key(base, remote)).copied()
    }

    /// The pairs of a stream, highest priority first.
    pub(crate) fn in_order(&self, stream: StreamId) -> impl Iterator<Item = (PairId, &Pair)> {
        let order = self.list(stream).map(|l| l.order.as_slice()).unwrap_or_default();
        order.iter().filter_map(|listed| Some((listed.id, self.pairs.get(listed.id)?)))
    }

    /// Every pair: stream by stream, highest priority first.
    pub(crate) fn all(&self) -> impl Iterator<Item = (PairId, &Pair)> {
        let listed = self.lists.iter().flat_map(|l| l.order.iter());
        listed.filter_map(|listed| Some((listed.id, self.pairs.get(listed.id)?)))
    }

    /// Whether a stream has a valid pair.
    pub(crate) fn has_valid(&self, stream: StreamId) -> bool {
        self.list(stream).is_some_and(|list| list.valid > 0)
    }

    /// The valid pairs of a stream (§7.2.5.3.2), in the order of its checklist. Looks no further than the last of them.
    pub(crate) fn valid(&self, stream: StreamId) -> impl Iterator<Item = (PairId, &Pair)> {
        let count = self.list(stream).map_or(0, |l| l.valid);
        self.in_order(stream).filter(|(_, p)| p.valid.is_some()).take(usize::from(count))
    }

    /// §7.2.5.3.2: a pair is on the valid list, or there with other findings.
    pub(crate) fn set_valid(&mut self, id: PairId, valid: ValidPair) {
        let Some(pair) = self.pairs.get_mut(id) else { return };
        let stream = pair.component.stream;
        if pair.valid.replace(valid).is_none()
            && let Some(list) = self.list_mut(stream)
        {
            list.valid += 1;
        }
    }

    /// A pair is not valid any more. True if it was.
    pub(crate) fn clear_valid(&mut self, id: PairId) -> bool {
        let Some(pair) = self.pairs.get_mut(id) else { return false };
        let stream = pair.component.stream;
        let was_valid = pair.valid.take().is_some();
        if was_valid && let Some(list) = self.list_mut(stream) {
            list.valid -= 1;
        }
        was_valid
    }

    /// Takes a pair off everything.
    pub(crate) fn remove(&mut self, id: PairId) -> Option<Pair> {
        self.clear_valid(id);
        self.untrigger(id);
        self.take_out_of_order(id);
        let pair = self.pairs.remove(id)?;
        self.tally.take(pair.foundation, pair.state);
        self.by_path.remove(&path_key(pair.base, pair.remote));
        Some(pair)
    }

    /// Takes every pair of a component for which `is_done` holds off everything.
    pub(crate) fn remove_of(&mut self, component: Component, is_done: impl Fn(PairId, &Pair) -> bool) {
        if !self.pairs.retain(|id, p| p.component != component || !is_done(id, p)) {
            return;
        }
        let pairs = &self.pairs;
        let is_left = |id: PairId| pairs.get(id).is_some();
        self.by_path.retain(|_, &id| is_left(id));
        self.by_path.shrink();
        if let Some(list) = self.lists.get_mut(usize::from(component.stream.0)) {
            list.order.retain(|listed| is_left(listed.id));
            list.order.shrink_to_fit();
            list.triggered.retain(|&id| is_left(id));
            list.triggered.shrink_to_fit();
            let valid = |listed: &&Listed| pairs.get(listed.id).is_some_and(|p| p.valid.is_some());
            list.valid = list.order.iter().filter(valid).count() as u16;
        }
        // Few are left as a rule, and sooner counted than all the others are taken off.
        self.tally = Tally::default();
        for (_, pair) in self.pairs.iter() {
            self.tally.add(pair.foundation, pair.state);
        }
    }

    /// Another foundation and priority: the pair moves to where it belongs, whatever its state.
    pub(crate) fn change(&mut self, id: PairId, foundation: PairFoundation, priority: u64) {
        self.take_out_of_order(id);
        let Some(pair) = self.pairs.get_mut(id) else { return };
        self.tally.take(pair.foundation, pair.state);
        self.tally.add(foundation, pair.state);
        (pair.foundation, pair.priority) = (foundation, priority);
        self.insert_in_order(id);
    }

    /// Every pair has a new priority: RFC 8445 §7.3.1.1 after a role switch.
    pub(crate) fn reprioritise(&mut self, mut priorities: impl FnMut(&Pair) -> (u64, Option<u64>)) {
        for pair in self.pairs.iter_mut() {
            let (priority, valid_priority) = priorities(pair);
            pair.priority = priority;
            if let (Some(valid), Some(priority)) = (&mut pair.valid, valid_priority) {
                valid.priority = priority;
            }
        }
        let pairs = &self.pairs;
        for list in &mut self.lists {
            for listed in &mut list.order {
                listed.rank = pairs.get(listed.id).map_or(listed.rank, Rank::of);
            }
            list.order.sort_by_key(|listed| listed.rank);
        }
    }

    fn take_out_of_order(&mut self, id: PairId) {
        let Some(pair) = self.pairs.get(id) else { return };
        let Some(list) = self.lists.get_mut(usize::from(pair.component.stream.0)) else { return };
        let rank = Rank::of(pair);
        let first = list.order.partition_point(|other| other.rank < rank);
        if let Some(after) = list.order.iter().skip(first).position(|other| other.id == id) {
            list.order.remove(first + after);
        }
    }

    fn insert_in_order(&mut self, id: PairId) {
        let Some(pair) = self.pairs.get(id) else { return };
        let Some(list) = self.lists.get_mut(usize::from(pair.component.stream.0)) else { return };
        let rank = Rank::of(pair);
        let at = list.order.partition_point(|other| other.rank <= rank);
        list.order.insert(at, Listed { rank, id });
    }

    /// Panics, in tests and fuzzers, when the parts do not agree with each other.
    pub(crate) fn check_invariants(&self) {
        let listed: usize = self.lists.iter().map(|l| l.order.len()).sum();
        assert_eq!(listed, self.pairs.len(), "every pair is on one checklist");
        assert_eq!(self.by_path.len(), self.pairs.len(), "every path has one pair");
        assert!(self.pairs.len() <= self.cap.max(1), "RFC 8445 §6.1.2.5: the cap holds");
        self.check_tally();
        for (i, list) in self.lists.iter().enumerate() {
            let is_valid = |l: &&Listed| self.pairs.get(l.id).is_some_and(|p| p.valid.is_some());
            let valid = list.order.iter().filter(is_valid).count();
            assert_eq!(valid, usize::from(list.valid), "the valid pairs are counted");
            for window in list.order.windows(2) {
                assert!(window[0].rank <= window[1].rank, "a checklist is sorted");
            }
            for &Listed { rank, id } in &list.order {
                let pair = self.pairs.get(id).expect("a listed pair exists");
                assert_eq!(rank, Rank::of(pair), "it is listed by its priority");
                assert_eq!(usize::from(pair.component.stream.0), i, "a pair is on its stream's checklist");
                assert_eq!(self.find(pair.base, pair.remote), Some(id), "a pair is found by its path");
                assert_eq!(pair.queued, list.triggered.contains(&id), "the queue flag tells the truth");
                assert!(!pair.nominated || pair.valid.is_some(), "a nominated pair is valid");
                assert!(
                    !pair.barred || (pair.valid.is_none() && !pair.queued),
                    "a barred pair is out of use"
                );
            }
            for &id in &list.triggered {
                assert!(list.order.iter().any(|l| l.id == id), "a queued pair is on the checklist");
            }
        }
    }
}

/// What a pair from this base to this remote candidate is found by.
fn path_key(base: BaseId, remote: RemoteId) -> u64 {
    u64::from(remote.0) << 16 | u64::from(base.0)
}
