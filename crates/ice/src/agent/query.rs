//! What can be asked of an agent. Nothing here changes anything.

use floe_stun::Time;

use crate::candidate::Candidate;
use crate::ids::{Component, LocalId, PairId, RemoteId, SocketId, StreamId};
use crate::stats::{Counters, PairInfo, PairStats};

use super::Agent;
use crate::session::{Retired, Session};

impl Agent {
    /// A local candidate of the current session, to be signalled or shown. `None` for one from before a restart, or whose address
    /// [`Agent::gather`] found to be gone.
    #[must_use]
    pub fn local_candidate(&self, id: LocalId) -> Option<&Candidate> {
        let local = self.session.locals.get(id)?;
        let withdrawn = self.session.locals.base(local.base).is_some_and(|b| b.withdrawn);
        (!withdrawn).then_some(&local.candidate)
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
        let sessions = core::iter::once(&self.session).chain(self.retirees.iter().map(Retired::session));
        let mut bases = sessions.filter_map(|s| s.locals.base(s.locals.find_base(socket, None)?));
        bases.next().map(|b| b.component)
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
        self.owner(id).pair_info(id)
    }

    /// Every candidate pair of the current session: stream by stream, highest priority first.
    pub fn pairs(&self) -> impl Iterator<Item = PairInfo<'_>> {
        self.session.checklists.all().filter_map(|(id, _)| self.session.pair_info(id))
    }

    /// The selected pair of a component (RFC 8445 §8.1.1); during a restart the one from before ("the previous selected pair", RFC
    /// 8839 §4.4.3.1.1), as long as it carries data.
    #[must_use]
    pub fn selected_pair(&self, component: Component) -> Option<PairInfo<'_>> {
        let carrier = self.session.carrier(component, &self.retirees);
        carrier.selected(component).and_then(|id| carrier.pair_info(id))
    }

    /// What happened on a pair. The statistics of a pair from before a restart end when the new session has taken over.
    #[must_use]
    pub fn pair_stats(&self, id: PairId) -> Option<PairStats> {
        self.owner(id).pair_stats(id)
    }

    /// The session that a pair is of.
    fn owner(&self, pair: PairId) -> &Session {
        self.retirees.owner(pair).unwrap_or(&self.session)
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
        self.retirees.check_invariants(self.fx.max_packets());
        self.signalling.check_invariants(usize::from(self.session.limits().remote_candidates));
        self.gatherer.check_invariants();
        self.relays.check_invariants();
        self.fx.check_invariants();
        self.check_sessions();
        assert!(self.due == Time::MAX || self.due > self.now, "the next timeout is later than now");
    }

    /// The sessions have nothing in common by which something could be taken for another one's.
    fn check_sessions(&self) {
        let sessions = || core::iter::once(&self.session).chain(self.retirees.iter().map(Retired::session));
        for (at, session) in sessions().enumerate() {
            for other in sessions().skip(at + 1) {
                let (a, b) = (session.local_credentials(), other.local_credentials());
                // One whose peer turned out to be another shares ours with its successor.
                let same = a == b;
                let changed = a.ufrag() != b.ufrag() && a.pwd() != b.pwd();
                assert!(same || changed, "a restart changes both (RFC 8445 §9)");
                assert!(session.keys().generation() != other.keys().generation(), "and the generation");
                for (pair, _) in session.checklists.all() {
                    assert!(other.checklists.get(pair).is_none(), "a pair is of one session");
                }
                for (local, _) in session.locals.iter() {
                    assert!(same || other.locals.get(local).is_none(), "and so is a local candidate");
                }
                for (remote, _) in session.remotes.iter() {
                    assert!(other.remotes.get(remote).is_none(), "and a remote one");
                }
            }
        }
        let sessions = || core::iter::once(&self.session).chain(self.retirees.iter().map(Retired::session));
        for stream in 0..self.session.stream_count() {
            for component in self.session.components_of(stream).filter(|&c| self.session.is_concluded(c)) {
                let old = sessions().skip(1).any(|s| s.path_of(component).is_some());
                assert!(!old, "once a pair is selected, no earlier session carries the component");
            }
        }
    }
}
