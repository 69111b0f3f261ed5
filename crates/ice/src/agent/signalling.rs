//! Signalling and restarts (RFC 8445 §9, RFC 8838 §9, §13): which session what the peer signals belongs to.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use floe_stun::Time;

use crate::candidate::{Candidate, Credentials};
use crate::ids::StreamId;
use crate::rare::Empty;

/// Credentials the peer had before: so many are recognised when they, or candidates of theirs, come late (our own rule).
const MAX_PAST: usize = 8;
/// Pieces that may wait for credentials to come, for each candidate that a session takes (our own rule).
const MAX_ENDS: usize = 8;

/// How long answers to restarts that were replaced may come (our own rule): as long as a session is given for its own.
const PATIENCE: Duration = Duration::from_millis(39_500);

/// What came before the credentials it belongs to.
#[derive(Clone, Debug)]
pub(super) enum Upcoming {
    Candidate(Box<Candidate>),
    End(Box<str>),
}

impl Upcoming {
    fn ufrag(&self) -> Option<&str> {
        match self {
            Self::Candidate(candidate) => candidate.ufrag(),
            Self::End(ufrag) => Some(ufrag),
        }
    }
}

/// What is wrong with credentials.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Objection {
    /// The peer had them before.
    Outdated,
    /// They share ufrag or pwd with others of the peer, and not both (RFC 8839 §4.4.1.1.1).
    HalfChanged,
}

/// What is remembered across sessions.
#[derive(Clone, Debug, Default)]
pub(super) struct Signalling {
    /// Of the peer's earlier sessions, the latest last.
    past: VecDeque<Credentials>,
    upcoming: Vec<(StreamId, Upcoming)>,
    /// How many of the peer's credentials may still come as answers to ones of ours that a further restart has replaced.
    ///
    /// An answer does not name what it answers. RFC 8838 §9 has signalling deliver everything once and in order, so that of two
    /// restarts in a row the first answer is the first one's. It is taken all the same, since the first restart may never have been
    /// signalled; but until a check of the peer has named our ufrag beside it, the next credentials take its place. Without that,
    /// each side would take the other's correction for another restart, and answer it with one, for ever.
    unanswered: u16,
    /// When such answers are not to be expected any more.
    answers_until: Time,
}

impl Empty for Signalling {
    fn empty() -> &'static Self {
        static EMPTY: Signalling = Signalling {
            past: VecDeque::new(),
            upcoming: Vec::new(),
            unanswered: 0,
            answers_until: Time::ZERO,
        };
        &EMPTY
    }
}

impl Signalling {
    /// Judges credentials that are not those of the current session.
    pub(super) fn object<'a>(
        &'a self,
        new: &Credentials,
        current: impl Iterator<Item = &'a Credentials>,
    ) -> Result<(), Objection> {
        let known = || self.past.iter();
        if known().any(|past| past == new) {
            return Err(Objection::Outdated);
        }
        let half = |other: &Credentials| (other.ufrag() == new.ufrag()) != (other.pwd() == new.pwd());
        if known().chain(current).any(half) { Err(Objection::HalfChanged) } else { Ok(()) }
    }

    /// These are no longer the peer's.
    pub(super) fn forget_peer(&mut self, credentials: &Credentials) {
        if self.past.contains(credentials) {
            return;
        }
        if self.past.len() >= MAX_PAST {
            self.past.pop_front();
        }
        self.past.push_back(credentials.clone());
    }

    pub(super) fn is_past(&self, ufrag: &str) -> bool {
        self.past.iter().any(|past| past.ufrag() == ufrag)
    }

    /// We restarted a session whose credentials the peer has answered (`answered`), or answered for sure (`confirmed`).
    pub(super) fn restarted(&mut self, answered: bool, confirmed: bool, now: Time) {
        if confirmed || now > self.answers_until {
            self.unanswered = 0;
        }
        if !answered && !confirmed {
            self.unanswered = self.unanswered.saturating_add(1);
        }
        self.answers_until = now.saturating_add(PATIENCE);
    }

    /// Other credentials than those that the current session has: whether they correct an answer to a session of ours before it.
    pub(super) fn corrects(&mut self, confirmed: bool, now: Time) -> bool {
        if confirmed || self.unanswered == 0 || now > self.answers_until {
            self.unanswered = 0;
            return false;
        }
        self.unanswered -= 1;
        true
    }

    /// Keeps what is of credentials to come; false if there are `limit` already.
    pub(super) fn keep(&mut self, stream: StreamId, upcoming: Upcoming, limit: usize) -> bool {
        if self.upcoming.len() >= limit.saturating_add(MAX_ENDS) {
            return false;
        }
        self.upcoming.push((stream, upcoming));
        true
    }

    /// The credentials of this ufrag have come: what waited for them, in order. What waited for others is forgotten.
    pub(super) fn take_upcoming(&mut self, ufrag: &str) -> Vec<(StreamId, Upcoming)> {
        let mut all = core::mem::take(&mut self.upcoming);
        all.retain(|(_, upcoming)| upcoming.ufrag() == Some(ufrag));
        all
    }

    pub(super) fn check_invariants(&self, limit: usize) {
        assert!(self.past.len() <= MAX_PAST, "past credentials are bounded");
        assert!(self.upcoming.len() <= limit + MAX_ENDS, "and what waits for those to come");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(n: u8) -> Credentials {
        Credentials::from_random(&[n; Credentials::RANDOM_LEN])
    }

    #[test]
    fn the_last_few_credentials_of_the_peer_are_known_again() {
        let mut signalling = Signalling::default();
        for n in 0..20 {
            signalling.forget_peer(&credentials(n));
            signalling.forget_peer(&credentials(n));
            signalling.check_invariants(0);
        }
        let objection = |n| signalling.object(&credentials(n), core::iter::empty());
        assert_eq!(objection(19), Err(Objection::Outdated));
        assert_eq!(objection(12), Err(Objection::Outdated));
        assert_eq!(objection(11), Ok(()), "it is long ago");
        assert!(signalling.is_past(credentials(15).ufrag()) && !signalling.is_past(credentials(3).ufrag()));
    }

    #[test]
    fn a_restart_changes_both_ufrag_and_pwd() {
        let (old, new) = (credentials(1), credentials(2));
        let mut signalling = Signalling::default();
        for half in [(old.ufrag(), new.pwd()), (new.ufrag(), old.pwd())] {
            let half = Credentials::new(half.0, half.1).expect("valid");
            assert_eq!(signalling.object(&half, core::iter::once(&old)), Err(Objection::HalfChanged));
        }
        assert_eq!(signalling.object(&new, core::iter::once(&old)), Ok(()));
        signalling.forget_peer(&old);
        let half = Credentials::new(old.ufrag(), new.pwd()).expect("valid");
        assert_eq!(signalling.object(&half, core::iter::empty()), Err(Objection::HalfChanged));
    }

    #[test]
    fn so_many_answers_are_corrected_as_restarts_went_unanswered() {
        let mut signalling = Signalling::default();
        let now = Time::from_secs(100);
        signalling.restarted(true, true, now);
        assert!(!signalling.corrects(false, now), "one restart, one answer");
        for answered in [true, false, false] {
            signalling.restarted(answered, false, now);
        }
        let corrections = [0; 3].map(|_| signalling.corrects(false, now));
        assert_eq!(corrections, [true, true, false]);
        signalling.restarted(false, false, now);
        assert!(!signalling.corrects(true, now), "a check has said whose answer it was");
        assert!(!signalling.corrects(false, now));
        signalling.restarted(false, false, now);
        assert!(!signalling.corrects(false, Time::from_millis(139_501)), "it would have come");
    }

    #[test]
    fn what_waits_is_taken_by_its_own_credentials_and_forgotten_by_others() {
        let mut signalling = Signalling::default();
        let end = |ufrag: &str| Upcoming::End(ufrag.into());
        assert!(signalling.keep(StreamId(1), end("aaaa"), 0));
        assert!(signalling.keep(StreamId(0), end("bbbb"), 0));
        assert!(signalling.keep(StreamId(2), end("aaaa"), 0));
        let streams: Vec<_> = signalling.take_upcoming("aaaa").into_iter().map(|(s, _)| s.0).collect();
        assert_eq!(streams, [1, 2]);
        assert!(signalling.take_upcoming("bbbb").is_empty());
        let kept = (0..100).filter(|_| signalling.keep(StreamId(0), end("cccc"), 3)).count();
        assert_eq!(kept, 3 + MAX_ENDS);
    }
}
