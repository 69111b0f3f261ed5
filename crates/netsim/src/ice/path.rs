//! The kind of path that an agent selected, in the words of the oracle.

use floe_ice::Component;
use floe_ice::candidate::CandidateKind;

use super::IcePeer;
use crate::oracle::{Kind, PathKind};

impl IcePeer {
    /// The kind of the selected pair of a component. `None` if there is no pair.
    #[must_use]
    pub fn selected_path(&self, component: Component) -> Option<PathKind> {
        let pair = self.agent().selected_pair(component)?;
        let (local, remote) = (kind_of(pair.local.kind())?, kind_of(pair.remote.kind())?);
        Some(PathKind::new(pair.local.address().is_ipv4(), local, remote))
    }
}

fn kind_of(kind: CandidateKind) -> Option<Kind> {
    match kind {
        CandidateKind::Host => Some(Kind::Host),
        CandidateKind::ServerReflexive => Some(Kind::ServerReflexive),
        CandidateKind::PeerReflexive => Some(Kind::PeerReflexive),
        CandidateKind::Relayed => Some(Kind::Relayed),
        _ => None,
    }
}
