//! What can be asked of a session, and whether it is in order.

use crate::checklist::ChecklistState;
use crate::config::Limits;
use crate::ids::{Component, PairId};
use crate::keys::Keyring;
use crate::stats::{PairInfo, PairStats};

use super::Session;

impl Session {
    /// A pair with its candidates.
    pub(crate) fn pair_info(&self, id: PairId) -> Option<PairInfo<'_>> {
        let pair = self.checklists.get(id)?;
        let local_id = pair.valid.map_or(pair.local, |v| v.local);
        let selected = self.component(pair.component).is_some_and(|c| c.selected == Some(id));
        Some(PairInfo {
            id,
            component: pair.component,
            local_id,
            local: &self.locals.get(local_id)?.candidate,
            remote_id: pair.remote,
            remote: &self.remotes.get(pair.remote)?.candidate,
            state: pair.state(),
            priority: pair.valid.map_or(pair.priority(), |v| v.priority),
            valid: pair.valid.is_some(),
            nominated: pair.nominated,
            selected,
        })
    }

    /// The statistics of a pair, with the traffic of the path in use.
    pub(crate) fn pair_stats(&self, id: PairId) -> Option<PairStats> {
        let pair = self.checklists.get(id)?;
        let mut stats = pair.stats.as_deref().copied().unwrap_or_default();
        if let Some(state) = self.component(pair.component)
            && state.path == Some(id)
        {
            state.traffic.add_to(&mut stats);
        }
        Some(stats)
    }

    pub(crate) fn selected(&self, component: Component) -> Option<PairId> {
        self.component(component)?.selected
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.config.limits
    }

    /// The keys, when the rest is not needed any more.
    pub(crate) fn into_keys(self) -> Keyring {
        self.keys
    }

    /// Panics, in tests and fuzzers, when the session contradicts itself.
    pub(crate) fn check_invariants(&self) {
        self.checklists.check_invariants();
        self.transactions.check_invariants();
        assert!(self.early.len() <= usize::from(self.config.limits.early_checks), "early checks are bounded");
        assert!(self.remotes.signalled() <= self.config.limits.remote_candidates, "candidates are bounded");
        assert!(self.remotes.peer_reflexive() <= self.config.limits.peer_reflexive, "learned ones too");
        for component in self.components() {
            let Some(state) = self.component(component) else { continue };
            for id in [state.selected, state.path, state.nominating].into_iter().flatten() {
                let pair = self.checklists.get(id).expect("a pair in use exists");
                assert_eq!(pair.component, component, "a component uses its own pairs");
                assert!(pair.valid.is_some(), "data and nomination need a valid pair");
            }
            if let Some(selected) = state.selected {
                let pair = self.checklists.get(selected).expect("the selected pair exists");
                assert!(pair.nominated, "a selected pair was nominated");
                let failed =
                    self.checklists.list(component.stream).is_none_or(|l| l.state == ChecklistState::Failed);
                let path = (!failed).then_some(selected);
                assert_eq!(
                    state.path, path,
                    "data goes on the selected pair, and nowhere when the stream failed"
                );
            }
        }
    }
}
