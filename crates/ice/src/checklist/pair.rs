//! One candidate pair, and the table that owns all of them.

use alloc::boxed::Box;
use alloc::vec::Vec;

use floe_stun::Time;

use crate::ids::{Component, LocalId, PairId, RemoteId};
use crate::locals::BaseId;
use crate::stats::{PairState, PairStats};
use crate::transaction::TransactionKey;

/// The foundation of a pair: both candidates' (RFC 8445 §6.1.2.6), as interned numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PairFoundation {
    pub(crate) local: u16,
    pub(crate) remote: u16,
}

impl PairFoundation {
    /// Both numbers as one, to search by: compared one after the other they take five times as long. A remote candidate is paired
    /// with all local ones in turn, so in this order new foundations mostly come last.
    pub(super) fn key(self) -> u32 {
        u32::from(self.remote) << 16 | u32::from(self.local)
    }
}

/// A candidate pair of a checklist (RFC 8445 §6.1.2). Its local end is a base: a server-reflexive or peer-reflexive local
/// candidate has been replaced (§6.1.2.4).
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) component: Component,
    pub(crate) base: BaseId,
    pub(crate) local: LocalId,
    pub(crate) remote: RemoteId,
    pub(super) foundation: PairFoundation,
    pub(super) priority: u64,
    /// Changed by [`super::Checklists::set_state`] only, which keeps count.
    pub(super) state: PairState,
    /// On the triggered-check queue.
    pub(crate) queued: bool,
    /// The next check from the queue carries USE-CANDIDATE (§8.1.1, regular nomination).
    pub(crate) nominating: bool,
    /// Controlled: the peer nominated the pair before our own check succeeded (§7.3.1.5).
    pub(crate) nominate_when_valid: bool,
    /// Consent to send on it ended: these credentials are not used on it again (RFC 7675 §5.1).
    pub(crate) barred: bool,
    /// Its nomination succeeded.
    pub(crate) nominated: bool,
    /// When the peer last checked it.
    pub(crate) heard: Time,
    /// How often its check was repeated because of an error response, since the last success.
    pub(crate) repeats: u8,
    /// The check on its way.
    pub(crate) check: Option<TransactionKey>,
    /// On the valid list: what the check found. It comes and goes by [`super::Checklists::set_valid`] and
    /// [`super::Checklists::clear_valid`] only, which keep count.
    pub(crate) valid: Option<ValidPair>,
    /// Allocated with the first packet.
    pub(crate) stats: Option<Box<PairStats>>,
}

/// What makes a pair valid (§7.2.5.3.2): the local candidate with the mapped address, and the priority of *that* pair.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ValidPair {
    pub(crate) local: LocalId,
    pub(crate) priority: u64,
    /// When the latest success came, to a check or a consent check: the peer's consent counts from here (RFC 7675 §5).
    pub(crate) confirmed: Time,
}

impl Pair {
    pub(crate) fn state(&self) -> PairState {
        self.state
    }

    pub(crate) fn priority(&self) -> u64 {
        self.priority
    }

    pub(crate) fn foundation(&self) -> PairFoundation {
        self.foundation
    }

    pub(crate) fn stats_mut(&mut self) -> &mut PairStats {
        self.stats.get_or_insert_with(Box::default)
    }

    /// Never discarded to make room ([D], beside RFC 8445 §6.1.2.5): it works, it is being checked, the peer asked for its
    /// check, or nobody may check it again.
    pub(crate) fn is_protected(&self) -> bool {
        let in_use = self.nominated || self.nominating || self.valid.is_some();
        in_use || self.queued || self.barred || self.state == PairState::InProgress
    }
}

/// The pairs of an agent, by generational id.
#[derive(Clone, Debug, Default)]
pub(crate) struct PairTable {
    slots: Vec<Slot>,
    /// Places that no pair has, the one to be taken next last.
    free: Vec<u16>,
    len: usize,
    /// The generation of a place that is new, or was given back.
    fresh: u16,
}

#[derive(Clone, Debug)]
struct Slot {
    /// How often the place was used before.
    generation: u16,
    pair: Option<Pair>,
}

impl Slot {
    /// The pair goes, and its id with it.
    fn clear(&mut self) -> Option<Pair> {
        let pair = self.pair.take()?;
        self.generation = self.generation.wrapping_add(1);
        Some(pair)
    }
}

impl PairTable {
    /// An empty table that gives no id again which this one has given.
    pub(super) fn successor(&self) -> Self {
        let used = self.slots.iter().map(|s| s.generation.wrapping_add(1)).max();
        Self { fresh: self.fresh.max(used.unwrap_or(0)), ..Self::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, id: PairId) -> Option<&Pair> {
        let slot = self.slots.get(index(id))?;
        if slot.generation == generation(id) { slot.pair.as_ref() } else { None }
    }

    pub(crate) fn get_mut(&mut self, id: PairId) -> Option<&mut Pair> {
        let slot = self.slots.get_mut(index(id))?;
        if slot.generation == generation(id) { slot.pair.as_mut() } else { None }
    }

    /// Makes room for so many more.
    pub(crate) fn reserve(&mut self, more: usize) {
        self.slots.reserve_exact(more.saturating_sub(self.free.len()));
    }

    /// `None` only with 65 536 pairs, which no limit allows.
    pub(crate) fn insert(&mut self, pair: Pair) -> Option<PairId> {
        let at = match self.free.pop() {
            Some(at) => {
                self.slots.get_mut(usize::from(at))?.pair = Some(pair);
                at
            }
            None => {
                let at = u16::try_from(self.slots.len()).ok()?;
                self.slots.push(Slot { generation: self.fresh, pair: Some(pair) });
                at
            }
        };
        self.len += 1;
        let generation = self.slots.get(usize::from(at))?.generation;
        Some(pair_id(at, generation))
    }

    pub(crate) fn remove(&mut self, id: PairId) -> Option<Pair> {
        self.get(id)?;
        let pair = self.slots.get_mut(index(id))?.clear()?;
        self.free.push((id.0 & 0xffff) as u16);
        self.len -= 1;
        Some(pair)
    }

    /// Keeps the pairs for which this holds; true if others have gone. Most sessions are concluded on one pair of a hundred, so what
    /// they took is given back.
    pub(super) fn retain(&mut self, keep: impl Fn(PairId, &Pair) -> bool) -> bool {
        let before = self.len;
        for (at, slot) in (0..).zip(&mut self.slots) {
            if slot.pair.as_ref().is_some_and(|pair| !keep(pair_id(at, slot.generation), pair)) {
                slot.clear();
                self.len -= 1;
            }
        }
        if self.len == before {
            return false;
        }
        let used = self.slots.iter().rposition(|s| s.pair.is_some()).map_or(0, |last| last + 1);
        for gone in self.slots.drain(used..) {
            self.fresh = self.fresh.max(gone.generation);
        }
        self.slots.shrink_to_fit();
        // The lowest place is taken next.
        self.free = (0..used as u16).rev().filter(|&at| self.slots[usize::from(at)].pair.is_none()).collect();
        true
    }

    /// Every pair, in the order of the table.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (PairId, &Pair)> {
        let slots = (0..).zip(&self.slots);
        slots.filter_map(|(at, slot)| Some((pair_id(at, slot.generation), slot.pair.as_ref()?)))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Pair> {
        self.slots.iter_mut().filter_map(|slot| slot.pair.as_mut())
    }
}

fn pair_id(at: u16, generation: u16) -> PairId {
    PairId(u32::from(generation) << 16 | u32::from(at))
}

fn index(id: PairId) -> usize {
    (id.0 & 0xffff) as usize
}

fn generation(id: PairId) -> u16 {
    (id.0 >> 16) as u16
}
