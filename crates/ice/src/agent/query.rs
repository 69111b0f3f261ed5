//! What can be asked of an agent. Nothing here changes anything.

use crate::candidate::Candidate;
use crate::ids::{Component, LocalId, PairId, RemoteId, SocketId, StreamId};
use crate::stats::{Counters, PairInfo, PairStats};

use super::Agent;

impl Agent {
    /// A local candidate, to be signalled or shown.
    #[must_use]
    pub fn local_candidate(&self, id: LocalId) -> Option<&Candidate> {
        self.session.locals.get(id).map(|l| &l.candidate)
    }

    /// The component a local candidate is for.
    #[must_use]
    pub fn local_component(&self, id: LocalId) -> Option<Component> {
        let local = self.session.locals.get(id)?;
        self.session.locals.base(local.base).map(|b| b.component)
    }

    /// The component that a socket serves: the first that a candidate was made for. `None` if the socket is not in use.
    #[must_use]
    pub fn socket_component(&self, socket: SocketId) -> Option<Component> {
        let base = self.session.locals.find_base(socket, None)?;
        self.session.locals.base(base).map(|b| b.component)
    }

    /// The local candidates that are, or were, to be signalled, of all streams, in the order they were found. A description
    /// sent after gathering (RFC 8838 §5 calls it half trickle) has them all.
    pub fn local_candidates(&self) -> impl Iterator<Item = (LocalId, StreamId, &Candidate)> {
        self.session.locals.iter().filter(|(_, l)| l.signalled).filter_map(|(id, l)| {
            let base = self.session.locals.base(l.base)?;
            Some((id, base.component.stream, &l.candidate))
        })
    }

    /// A remote candidate.
    #[must_use]
    pub fn remote_candidate(&self, id: RemoteId) -> Option<&Candidate> {
        self.session.remotes.get(id).map(|r| &r.candidate)
    }

    /// The remote candidates, signalled or learned, in the order they came.
    pub fn remote_candidates(&self) -> impl Iterator<Item = (RemoteId, StreamId, &Candidate)> {
        self.session.remotes.iter().map(|(id, r)| (id, r.component.stream, &r.candidate))
    }

    /// A candidate pair; `None` once it was removed.
    #[must_use]
    pub fn pair(&self, id: PairId) -> Option<PairInfo<'_>> {
        self.session.pair_info(id)
    }

    /// Every candidate pair: stream by stream, highest priority first.
    pub fn pairs(&self) -> impl Iterator<Item = PairInfo<'_>> {
        self.session.checklists.all().filter_map(|(id, _)| self.session.pair_info(id))
    }

    /// The selected pair of a component (RFC 8445 §8.1.1).
    #[must_use]
    pub fn selected_pair(&self, component: Component) -> Option<PairInfo<'_>> {
        self.session.selected(component).and_then(|id| self.session.pair_info(id))
    }

    /// What happened on a pair.
    #[must_use]
    pub fn pair_stats(&self, id: PairId) -> Option<PairStats> {
        self.session.pair_stats(id)
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.fx.counters
    }

    /// Panics when parts of the agent contradict each other: the oracle of tests and fuzzers, not for production.
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        self.session.check_invariants();
        self.gatherer.check_invariants();
        self.fx.check_invariants();
        assert!(self.due.is_none_or(|due| due > self.now), "the next timeout is later than now");
    }
}
