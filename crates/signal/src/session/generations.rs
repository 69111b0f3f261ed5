//! Generations of ICE: which media sections of a description have other credentials than before.

use std::collections::BTreeMap;

use crate::sdp::{Sdp, Section};

/// What a media section says of its generation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// It has no credentials, or had none: those of a bundled section stand in another.
    Unknown,
    /// The same credentials. At which level they stand does not count (RFC 8839 §4.4.1.1.1).
    None,
    /// Only one of username fragment and password is another.
    Half,
    /// Both are others: ICE restarts.
    Restart,
}

impl Change {
    /// RFC 8829 §5.10: one of both is enough to mean a restart.
    pub(super) const fn restarts(self) -> bool {
        matches!(self, Self::Half | Self::Restart)
    }
}

/// For each section of `new`, what changed since `old`.
pub(super) fn changes(old: Option<&Sdp>, new: &Sdp) -> Vec<Change> {
    let Some(old) = old else { return vec![Change::Unknown; new.section_count()] };
    let by_mid: BTreeMap<&str, Section<'_>> =
        old.sections().filter_map(|section| Some((section.mid()?, section))).collect();
    let before = |section: Section<'_>| match section.mid() {
        Some(mid) => by_mid.get(mid).copied(),
        None => old.section(section.index()),
    };
    new.sections()
        .map(|section| before(section).map_or(Change::Unknown, |old| change(old, section)))
        .collect()
}

fn change(old: Section<'_>, new: Section<'_>) -> Change {
    if old.is_rejected() || new.is_rejected() {
        return Change::Unknown;
    }
    let (Some(old_ufrag), Some(new_ufrag)) = (old.ufrag(), new.ufrag()) else { return Change::Unknown };
    match (old_ufrag == new_ufrag, old.pwd() == new.pwd()) {
        (true, true) => Change::None,
        (false, false) => Change::Restart,
        _ => Change::Half,
    }
}

/// Whether offer and answer restart the same sections (RFC 8829 §5.10), as far as both say so.
pub(super) fn agree(asked: &[Change], given: &[Change]) -> bool {
    let known = |change: &Change| *change != Change::Unknown;
    let both = asked.iter().zip(given).filter(|(asked, given)| known(asked) && known(given));
    both.into_iter().all(|(asked, given)| asked.restarts() == given.restarts())
}
