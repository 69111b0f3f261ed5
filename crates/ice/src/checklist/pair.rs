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
    pairs: Vec<Option<Pair>>,
    /// How often each place was used: kept when the place itself is given back.
    generations: Vec<u16>,
    free: Vec<u16>,
    len: usize,
}

impl PairTable {
    /// An empty table that gives no id again which this one has given.
    pub(super) fn successor(&self) -> Self {
        let generations: Vec<u16> = self.generations.iter().map(|g| g.wrapping_add(1)).collect();
        let free = (0..u16::try_from(generations.len()).unwrap_or(u16::MAX)).rev().collect();
        Self { pairs: Vec::new(), generations, free, len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, id: PairId) -> Option<&Pair> {
        let pair = self.pairs.get(index(id))?.as_ref()?;
        if self.generations.get(index(id)) == Some(&generation(id)) { Some(pair) } else { None }
    }

    pub(crate) fn get_mut(&mut self, id: PairId) -> Option<&mut Pair> {
        let pair = self.pairs.get_mut(index(id))?.as_mut()?;
        if self.generations.get(index(id)) == Some(&generation(id)) { Some(pair) } else { None }
    }

    /// Makes room for so many more.
    pub(crate) fn reserve(&mut self, more: usize) {
        self.pairs.reserve_exact(more);
        self.generations.reserve_exact(more.saturating_sub(self.free.len()));
    }

    /// `None` only with 65 536 pairs, which no limit allows.
    pub(crate) fn insert(&mut self, pair: Pair) -> Option<PairId> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                let index = u16::try_from(self.generations.len()).ok()?;
                self.generations.push(0);
                index
            }
        };
        let at = usize::from(index);
        if at >= self.pairs.len() {
            self.pairs.resize_with(at + 1, || None);
        }
        *self.pairs.get_mut(at)? = Some(pair);
        self.len += 1;
        let generation = *self.generations.get(at)?;
        Some(PairId(u32::from(generation) << 16 | u32::from(index)))
    }

    pub(crate) fn remove(&mut self, id: PairId) -> Option<Pair> {
        self.get(id)?;
        let pair = self.pairs.get_mut(index(id))?.take()?;
        if let Some(generation) = self.generations.get_mut(index(id)) {
            *generation = generation.wrapping_add(1);
        }
        self.free.push((id.0 & 0xffff) as u16);
        self.len -= 1;
        Some(pair)
    }

    /// Gives memory back after many pairs have gone: most sessions are concluded on one of a hundred.
    pub(crate) fn shrink(&mut self) {
        let used = self.pairs.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        self.pairs.truncate(used);
        self.pairs.shrink_to_fit();
        // The lowest place is taken next.
        let is_free = |&at: &usize| self.pairs.get(at).is_none_or(Option::is_none);
        let places = (0..self.generations.len()).rev().filter(is_free);
        self.free = places.filter_map(|at| u16::try_from(at).ok()).collect();
    }

    /// Every pair, in the order of the table.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (PairId, &Pair)> {
        self.pairs.iter().zip(&self.generations).enumerate().filter_map(|(i, (pair, generation))| {
            let index = u32::try_from(i).ok()?;
            Some((PairId(u32::from(*generation) << 16 | index), pair.as_ref()?))
        })
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Pair> {
        self.pairs.iter_mut().filter_map(Option::as_mut)
    }
}

fn index(id: PairId) -> usize {
    (id.0 & 0xffff) as usize
}

fn generation(id: PairId) -> u16 {
    (id.0 >> 16) as u16
}
