//! Which candidates are paired: RFC 8445 §6.1.2.2, and §6.1.2.3 for the priority.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use floe_stun::Time;

use crate::candidate::pair_priority;
use crate::checklist::{NewPair, Pair, PairFoundation};
use crate::effects::Effects;
use crate::ids::{Component, LocalId, PairId, RemoteId};
use crate::locals::BaseId;

use super::Session;

impl Session {
    /// A base has its first signalled candidate: pairs with everything the peer signalled.
    pub(super) fn pair_base(&mut self, base: BaseId, now: Time, fx: &mut Effects) {
        let Some(component) = self.locals.base(base).map(|b| b.component) else { return };
        let remotes: Vec<RemoteId> = self
            .remotes
            .iter()
            .filter(|(_, r)| r.signalled && r.component == component)
            .map(|(id, _)| id)
            .collect();
        for remote in remotes {
            self.form(base, remote, fx);
        }
        let _ = now;
        self.start_checklists();
    }

    /// A remote candidate was signalled: pairs with every base of its component.
    pub(super) fn pair_remote(&mut self, remote: RemoteId, now: Time, fx: &mut Effects) {
        let Some(component) = self.remotes.get(remote).map(|r| r.component) else { return };
        let bases: Vec<BaseId> = self
            .locals
            .bases()
            .filter(|(_, b)| b.component == component && b.representative.is_some() && !b.dead)
            .map(|(id, _)| id)
            .collect();
        for base in bases {
            self.form(base, remote, fx);
        }
        let _ = now;
        self.start_checklists();
    }

    /// Forms one pair, unless the two cannot reach each other or there is no room. Answers the pair, new or known.
    pub(super) fn form(&mut self, base: BaseId, remote: RemoteId, fx: &mut Effects) -> Option<PairId> {
        let b = *self.locals.base(base)?;
        let r = self.remotes.get(remote)?;
        if !can_pair(b.address, r.candidate.address()) {
            return None;
        }
        // A base that only has learned candidates stands for itself.
        let local = b.representative.or_else(|| self.any_local_of(base))?;
        let l = self.locals.get(local)?;
        let new = NewPair {
            component: b.component,
            base,
            local,
            remote,
            foundation: PairFoundation { local: l.foundation, remote: r.foundation },
            priority: self.priority(l.candidate.priority(), r.candidate.priority()),
        };
        let before = self.checklists.pairs.len();
        let id = self.checklists.form(&new);
        // A pair that had to make room took its transactions with it.
        if self.checklists.pairs.len() == before {
            self.drop_orphans(fx);
        }
        id
    }

    fn any_local_of(&self, base: BaseId) -> Option<LocalId> {
        self.locals.iter().find(|(_, l)| l.base == base).map(|(id, _)| id)
    }

    /// Nothing may refer to a pair that is gone; answers to its checks are not waited for.
    fn drop_orphans(&mut self, _fx: &mut Effects) {
        let checklists = &self.checklists;
        self.transactions.retain(|pair| checklists.get(pair).is_some());
    }

    /// §6.1.2.3.
    pub(super) fn priority(&self, local: u32, remote: u32) -> u64 {
        if self.role.is_controlling() { pair_priority(local, remote) } else { pair_priority(remote, local) }
    }

    /// A learned candidate was signalled: its pairs take its priority and foundation, whatever their state (§7.3.1.3).
    pub(super) fn update_pairs_of(&mut self, remote: RemoteId) {
        let Some(r) = self.remotes.get(remote) else { return };
        let (foundation, priority) = (r.foundation, r.candidate.priority());
        let pairs: Vec<PairId> =
            self.checklists.all().filter(|(_, p)| p.remote == remote).map(|(id, _)| id).collect();
        for id in pairs {
            let Some(local) = self.checklists.get(id).map(|p| (p.local, p.valid.map(|v| v.local))) else {
                continue;
            };
            let local_priority = |id: LocalId| self.locals.get(id).map_or(1, |l| l.candidate.priority());
            let pair_priority = self.priority(local_priority(local.0), priority);
            let valid_priority = local.1.map(|l| self.priority(local_priority(l), priority));
            if let Some(pair) = self.checklists.get_mut(id) {
                pair.foundation.remote = foundation;
                pair.priority = pair_priority;
                if let (Some(valid), Some(priority)) = (&mut pair.valid, valid_priority) {
                    valid.priority = priority;
                }
            }
            self.checklists.resort(id);
        }
    }

    /// Every priority anew, after a change of role.
    pub(super) fn reprioritise(&mut self) {
        let (locals, remotes) = (&self.locals, &self.remotes);
        let controlling = self.role.is_controlling();
        let of = |local: LocalId, remote: RemoteId| {
            let l = locals.get(local).map_or(1, |l| l.candidate.priority());
            let r = remotes.get(remote).map_or(1, |r| r.candidate.priority());
            if controlling { pair_priority(l, r) } else { pair_priority(r, l) }
        };
        let priorities = |p: &Pair| (of(p.local, p.remote), p.valid.map(|valid| of(valid.local, p.remote)));
        self.checklists.reprioritise(priorities);
    }

    /// The remote candidate a request came from, learned if it is new (§7.3.1.3).
    pub(super) fn remote_or_learn(
        &mut self,
        component: Component,
        source: SocketAddr,
        priority: u32,
    ) -> Option<(RemoteId, bool)> {
        if let Some(known) = self.remotes.find(component, source) {
            return Some((known, false));
        }
        if self.remotes.peer_reflexive() >= self.config.limits.peer_reflexive {
            return None;
        }
        Some((self.remotes.learn(component, source, priority), true))
    }
}

/// §6.1.2.2: same family, and link-local only with link-local.
fn can_pair(local: SocketAddr, remote: SocketAddr) -> bool {
    match (local.ip(), remote.ip()) {
        (IpAddr::V4(_), IpAddr::V4(_)) => true,
        (IpAddr::V6(l), IpAddr::V6(r)) => l.is_unicast_link_local() == r.is_unicast_link_local(),
        _ => false,
    }
}
