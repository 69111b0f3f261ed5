//! The peer's candidates, by generation (RFC 8829 §3.5.2.1, RFC 8838 §15).

use std::collections::VecDeque;

use floe_ice::candidate::CandidateInit;

use crate::sdp::{Sdp, Section};

/// The most candidates that wait for their description; then the oldest goes.
pub(super) const MAX_HELD: usize = 256;
/// How many generations that are over are remembered.
const MAX_PAST: usize = 16;
/// The most ends of candidates that are remembered, one for each section and generation.
const MAX_ENDED: usize = 1024;

/// What the last description of the peer's was, for candidates that do not name their generation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Latest {
    None,
    Holds,
    Ignored,
}

/// What becomes of a candidate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Its description holds.
    Deliver,
    /// Its description may follow.
    Hold,
    /// Its generation is over, or ended, or its description was ignored.
    Drop,
    /// Its description holds and has no such section.
    NoSuchSection,
}

/// What is known of the generations of the peer's candidates.
pub(super) struct RemoteCandidates {
    held: VecDeque<CandidateInit>,
    past: VecDeque<Box<str>>,
    ended: Vec<End>,
    latest: Latest,
}

/// No more candidates come.
struct End {
    /// Of this generation; `None` for the latest.
    ufrag: Option<Box<str>>,
    /// For this section; `None` for all.
    mid: Option<Box<str>>,
}

impl RemoteCandidates {
    pub(super) const fn new() -> Self {
        Self { held: VecDeque::new(), past: VecDeque::new(), ended: Vec::new(), latest: Latest::None }
    }

    /// A description of the peer's holds now.
    pub(super) fn described(&mut self) {
        self.latest = Latest::Holds;
        self.ended.retain(|end| end.ufrag.is_some());
    }

    /// A description of the peer's was ignored or refused, or taken back.
    pub(super) fn ignored(&mut self) {
        self.latest = Latest::Ignored;
    }

    /// The generations of `old` that are not in `new` are over, and none of `new` is.
    pub(super) fn replaced(&mut self, old: Option<&Sdp>, new: &Sdp) {
        self.past.retain(|ufrag| !has_generation(new, ufrag));
        for ufrag in old.into_iter().flat_map(Sdp::sections).filter_map(Section::ufrag) {
            if !has_generation(new, ufrag) && !self.past.iter().any(|past| **past == *ufrag) {
                self.past.push_back(ufrag.into());
            }
        }
        while self.past.len() > MAX_PAST {
            self.past.pop_front();
        }
        let past = &self.past;
        self.ended.retain(|end| end.ufrag.as_ref().is_none_or(|ufrag| !past.contains(ufrag)));
    }

    /// What to do with a candidate. `holding` are the descriptions that hold, the pending one first.
    pub(super) fn judge(&self, candidate: &CandidateInit, holding: &[&Sdp]) -> Verdict {
        let ufrag = generation(candidate);
        let described = match ufrag {
            Some(ufrag) => holding.iter().find(|sdp| has_generation(sdp, ufrag)).copied(),
            // RFC 8829 §3.5.2.1: the most recently received description.
            None => match self.latest {
                Latest::Ignored => return Verdict::Drop,
                Latest::None | Latest::Holds => holding.first().copied(),
            },
        };
        let Some(sdp) = described else {
            let is_past = ufrag.is_some_and(|ufrag| self.past.iter().any(|past| **past == *ufrag));
            return if is_past { Verdict::Drop } else { Verdict::Hold };
        };
        if !has_section(sdp, candidate) {
            return Verdict::NoSuchSection;
        }
        let mid = candidate.sdp_mid.as_deref();
        // RFC 8838 §14: nothing follows the end.
        let covers =
            |end: &End| end.ufrag.as_deref() == ufrag && (end.mid.is_none() || end.mid.as_deref() == mid);
        let is_ended = self.ended.iter().any(covers);
        if is_ended { Verdict::Drop } else { Verdict::Deliver }
    }

    /// Keeps a candidate for its description. `true` when an older one had to go.
    pub(super) fn hold(&mut self, candidate: CandidateInit) -> bool {
        let full = self.held.len() == MAX_HELD;
        if full {
            self.held.pop_front();
        }
        self.held.push_back(candidate);
        full
    }

    /// An end of candidates was delivered. `false` when there is no room to remember it.
    pub(super) fn end(&mut self, candidate: &CandidateInit) -> bool {
        if self.ended.len() == MAX_ENDED {
            return false;
        }
        let ufrag = generation(candidate).map(Into::into);
        self.ended.push(End { ufrag, mid: candidate.sdp_mid.as_deref().map(Into::into) });
        true
    }

    /// All that wait, to be judged again.
    pub(super) fn take_held(&mut self) -> VecDeque<CandidateInit> {
        std::mem::take(&mut self.held)
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.held.len()
    }
}

/// The username fragment that a candidate names, in its member or, as Chromium does too, in its line.
pub(super) fn generation(candidate: &CandidateInit) -> Option<&str> {
    if let Some(ufrag) = candidate.username_fragment.as_deref().filter(|ufrag| !ufrag.is_empty()) {
        return Some(ufrag);
    }
    // RFC 8839 §5.1: eight fields, then names with values.
    let mut extensions = candidate.candidate.split(' ').skip(8);
    extensions.find(|word| word.eq_ignore_ascii_case("ufrag"))?;
    extensions.next()
}

fn has_generation(sdp: &Sdp, ufrag: &str) -> bool {
    sdp.sections().any(|section| section.ufrag() == Some(ufrag))
}

/// RFC 8829 §3.5.2.1: the identification tag counts, and the index where there is none. Neither means any.
fn has_section(sdp: &Sdp, candidate: &CandidateInit) -> bool {
    match (&candidate.sdp_mid, candidate.sdp_m_line_index) {
        (Some(mid), _) => sdp.section_by_mid(mid).is_some(),
        (None, Some(index)) => sdp.section(usize::from(index)).is_some(),
        (None, None) => true,
    }
}
