//! Forming, pruning and capping (RFC 8445 §6.1.2.2–§6.1.2.5) and adding to a running checklist (RFC 8838 §12).

use floe_stun::Time;

use crate::ids::{Component, LocalId, PairId, RemoteId, StreamId};
use crate::locals::BaseId;
use crate::stats::PairState;

use super::{Checklists, Pair, PairFoundation, path_key};

/// What a pair is formed of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewPair {
    pub(crate) component: Component,
    pub(crate) base: BaseId,
    pub(crate) local: LocalId,
    pub(crate) remote: RemoteId,
    pub(crate) foundation: PairFoundation,
    pub(crate) priority: u64,
    /// The peer's own check came this way (RFC 8445 §7.3.1.4).
    pub(crate) triggered: bool,
}

/// What became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Formed {
    /// It is on its checklist, in the place of another one if the cap was reached.
    New { id: PairId, evicted: Option<PairId> },
    /// There is such a pair.
    Known(PairId),
    /// The cap leaves no room for its priority.
    NoRoom,
}

impl Checklists {
    /// Adds a pair, unless it is redundant with one that is there (§6.1.2.4) or the cap leaves no room for its priority
    /// (§6.1.2.5). A pair has a base as its local end, so two pairs are redundant exactly when base and remote
    /// candidate agree.
    pub(crate) fn form(&mut self, new: &NewPair) -> Formed {
        if let Some(known) = self.find(new.base, new.remote) {
            self.raise(known, new);
            return Formed::Known(known);
        }
        let mut evicted = None;
        if self.pairs.len() >= self.cap {
            let Some(victim) = self.victim(new) else { return Formed::NoRoom };
            self.remove(victim);
            evicted = Some(victim);
        }
        let state = self.state_of_new(new.foundation);
        let id = self.pairs.insert(Pair {
            component: new.component,
            base: new.base,
            local: new.local,
            remote: new.remote,
            foundation: new.foundation,
            priority: new.priority,
            state,
            queued: false,
            nominating: false,
            nominate_when_valid: false,
            barred: false,
            nominated: false,
            heard: Time::ZERO,
            repeats: 0,
            check: None,
            valid: None,
            stats: None,
        });
        let Some(id) = id else {
            self.tally.take(new.foundation, state);
            return Formed::NoRoom;
        };
        self.by_path.insert(path_key(new.base, new.remote), id);
        self.insert_in_order(id);
        self.thaw_new(id, state);
        Formed::New { id, evicted }
    }

    /// §6.1.2.4: of redundant pairs the one with the higher priority stays. Only a pair whose check has not begun is
    /// compared (RFC 8838 §12), so the one that is there takes over what makes the other one better.
    fn raise(&mut self, known: PairId, new: &NewPair) {
        let Some(pair) = self.pairs.get_mut(known) else { return };
        let comparable = matches!(pair.state, PairState::Waiting | PairState::Frozen);
        if comparable && new.priority > pair.priority {
            pair.local = new.local;
            self.change(known, new.foundation, new.priority);
        }
    }

    /// §6.1.2.5, RFC 8838 §10: the pair that goes in favour of `new`, if there is one that should. Failed pairs go first,
    /// then the lowest priority: from the new pair's own checklist if that has its share already, otherwise from the
    /// longest one, so that all are reduced evenly. A pair that the peer's own check asks for has proved more than any
    /// priority says ([D]).
    fn victim(&self, new: &NewPair) -> Option<PairId> {
        let own = usize::from(new.component.stream.0);
        if self.tally.count(PairState::Failed) > 0
            && let Some(failed) = self.failed_victim(own)
        {
            return Some(failed);
        }
        // The first of the longest, so that the choice does not depend on anything but the lists.
        if self.has_less_than_its_share(own) {
            let longest = self.longest();
            let from = self.lists.iter().position(|l| l.order.len() == longest);
            if let Some(victim) = from.and_then(|from| self.lowest(from, |p| !p.is_protected())) {
                return Some(victim);
            }
        }
        let worse = |p: &Pair| new.triggered || p.priority < new.priority;
        if !self.lists.get(own)?.order.last().and_then(|l| self.pairs.get(l.id)).is_some_and(worse) {
            return None;
        }
        self.lowest(own, |p| !p.is_protected() && worse(p))
    }

    /// False if a pair of this priority would certainly not find room, unless it is triggered. Of the thousands of pairs that a
    /// hundred candidates on each side could make, this turns down most before anything else is looked at.
    pub(crate) fn may_have_room(&self, stream: StreamId, priority: u64) -> bool {
        let own = usize::from(stream.0);
        let lowest = self.lists.get(own).and_then(|l| l.order.last());
        self.pairs.len() < self.cap
            || lowest.is_some_and(|l| l.rank.0 > !priority)
            || self.tally.count(PairState::Failed) > 0
            || self.has_less_than_its_share(own)
    }

    fn has_less_than_its_share(&self, list: usize) -> bool {
        let share = (self.cap / self.lists.len().max(1)).max(1);
        let len = self.lists.get(list).map_or(0, |l| l.order.len());
        len < share && len < self.longest()
    }

    fn longest(&self) -> usize {
        self.lists.iter().map(|l| l.order.len()).max().unwrap_or(0)
    }

    /// A Failed pair of this list, or of any.
    fn failed_victim(&self, own: usize) -> Option<PairId> {
        let failed = |p: &Pair| p.state == PairState::Failed && !p.is_protected();
        core::iter::once(own).chain(0..self.lists.len()).find_map(|list| self.lowest(list, failed))
    }

    /// The lowest pair of a list for which this holds.
    fn lowest(&self, list: usize, holds: impl Fn(&Pair) -> bool) -> Option<PairId> {
        let order = &self.lists.get(list)?.order;
        order.iter().rev().map(|l| l.id).find(|&id| self.pairs.get(id).is_some_and(&holds))
    }
}
