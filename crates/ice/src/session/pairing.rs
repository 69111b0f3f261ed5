//! Which candidates are paired: RFC 8445 §6.1.2.2, and §6.1.2.3 for the priority.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use floe_stun::Time;

use crate::candidate::pair_priority;
use crate::checklist::{Formed, NewPair, Pair, PairFoundation};
use crate::effects::Effects;
use crate::ids::{Component, LocalId, PairId, RemoteId};
use crate::io::Rejection;
use crate::locals::BaseId;
use crate::stats::PairState;

use super::check_request::CheckRequest;
use super::{Session, Stream};

/// How long a candidate that was learned from a check and failed keeps its place before one that came later (our own rule).
/// Two NATs that map by destination make learned candidates for each other without end, some every Ta: that has to stop at the
/// limit on them, and not begin anew; then there has to be room for one that works, by the peer's next consent check.
const LEARNED_IN_VAIN: Duration = Duration::from_secs(5);

impl Session {
    /// A base has its first signalled candidate, or a better one: pairs with everything the peer signalled.
    pub(super) fn pair_base(&mut self, base: BaseId, fx: &mut Effects) {
        let Some(component) = self.locals.base(base).map(|b| b.component) else { return };
        if !self.may_pair(component) {
            return;
        }
        for remote in self.remotes.ids() {
            if self.remotes.get(remote).is_some_and(|r| r.is_paired_for(component)) {
                self.form(base, remote, false, fx);
            }
        }
        self.start_checklists();
    }

    /// A remote candidate was signalled: pairs with every base of its component.
    pub(super) fn pair_remote(&mut self, remote: RemoteId, fx: &mut Effects) {
        let Some(component) = self.remotes.get(remote).map(|r| r.component) else { return };
        if !self.may_pair(component) {
            return;
        }
        for base in self.locals.base_ids() {
            if self.locals.base(base).is_some_and(|b| b.is_paired_for(component)) {
                self.form(base, remote, false, fx);
            }
        }
        self.start_checklists();
    }

    /// Pairs need the peer's credentials, which also say whose a candidate is (RFC 8838 §11), and a component that is not
    /// concluded (RFC 8445 §8.1.2).
    fn may_pair(&self, component: Component) -> bool {
        self.stream(component.stream).is_some_and(Stream::has_peer) && !self.is_concluded(component)
    }

    /// Forms one pair, unless the two cannot reach each other or there is no room. Answers the pair, new or known.
    pub(super) fn form(
        &mut self,
        base: BaseId,
        remote: RemoteId,
        triggered: bool,
        fx: &mut Effects,
    ) -> Option<PairId> {
        let (b, r) = (self.locals.base(base)?, self.remotes.get(remote)?);
        // A base that only has learned candidates stands for itself.
        let local = b.representative.or_else(|| self.any_local_of(base))?;
        let l = self.locals.get(local)?;
        let priority = self.priority(l.candidate.priority(), r.candidate.priority());
        if !triggered && !self.checklists.may_have_room(b.component.stream, priority) {
            return None;
        }
        if !can_pair(b.address, r.candidate.address()) {
            return None;
        }
        let formed = self.checklists.form(&NewPair {
            component: b.component,
            base,
            local,
            remote,
            foundation: PairFoundation { local: l.foundation, remote: r.foundation },
            priority,
            triggered,
        });
        match formed {
            Formed::New { id, evicted } => {
                // Nothing may refer to a pair that is gone; answers to its checks are not waited for.
                if evicted.is_some() {
                    let checklists = &self.checklists;
                    self.transactions.retain(|pair| checklists.get(pair).is_some());
                }
                Some(id)
            }
            Formed::Known(id) => Some(id),
            Formed::NoRoom => {
                if triggered {
                    fx.counters.reject(Rejection::LimitReached);
                }
                None
            }
        }
    }

    fn any_local_of(&self, base: BaseId) -> Option<LocalId> {
        self.locals.iter().find(|(_, l)| l.base == base).map(|(id, _)| id)
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
            let Some(pair) = self.checklists.get(id) else { continue };
            let local = |id: LocalId| self.locals.get(id).map_or(1, |l| l.candidate.priority());
            let pair_priority = self.priority(local(pair.local), priority);
            let valid_priority = pair.valid.map(|v| self.priority(local(v.local), priority));
            let foundation = PairFoundation { remote: foundation, ..pair.foundation() };
            self.checklists.change(id, foundation, pair_priority);
            if let Some(pair) = self.checklists.get_mut(id)
                && let (Some(valid), Some(priority)) = (&mut pair.valid, valid_priority)
            {
                valid.priority = priority;
            }
            // §7.2.5.3.3, of a success that came before the foundation was known.
            if self.checklists.has_succeeded(foundation) {
                self.checklists.unfreeze(foundation);
            }
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

    /// The remote candidate a request came from, learned if it is new (§7.3.1.3). Without room for another one, one that
    /// failed gives way.
    pub(super) fn remote_or_learn(
        &mut self,
        component: Component,
        request: &CheckRequest,
        now: Time,
    ) -> Option<(RemoteId, bool)> {
        if let Some(known) = self.remotes.find(component, request.source) {
            return Some((known, false));
        }
        let limit = self.config.limits.peer_reflexive;
        if self.remotes.peer_reflexive() >= limit {
            // The peer was answered there and counts on it, if it nominates.
            let patience = if request.use_candidate { Duration::ZERO } else { LEARNED_IN_VAIN };
            let in_vain = self.learned_in_vain(patience, now)?;
            self.give_way(in_vain);
        }
        Some((self.remotes.learn(component, request.source, request.priority, now), true))
    }

    /// The oldest of the candidates that were learned this long ago or longer and that nothing came of.
    fn learned_in_vain(&self, patience: Duration, now: Time) -> Option<RemoteId> {
        let over = |p: &Pair| p.state() == PairState::Failed && !p.nominate_when_valid && !p.barred;
        let in_vain = |id: RemoteId| self.checklists.all().all(|(_, p)| p.remote != id || over(p));
        let learned = self.remotes.learned(self.config.limits.peer_reflexive);
        let mut old = learned.filter(|&(_, at)| now.saturating_since(at) >= patience).map(|(id, _)| id);
        old.find(|&id| in_vain(id))
    }

    fn give_way(&mut self, remote: RemoteId) {
        let pairs: Vec<PairId> =
            self.checklists.all().filter(|(_, p)| p.remote == remote).map(|(id, _)| id).collect();
        for pair in pairs {
            self.checklists.remove(pair);
        }
        self.remotes.forget(remote);
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
