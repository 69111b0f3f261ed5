//! A session that an ICE restart has replaced, reduced to what carries data (RFC 8445 §9, RFC 8839 §4.4.3.1.1).
//!
//! It schedules consent checks (RFC 7675 §5.1) or keepalives on the pairs that still carry data, and nothing else. It answers the
//! peer's requests, which renews the peer's consent, and takes data in. For each component it is the new session's turn once that
//! has selected a pair; after the last one, or after a time if there was none, the retired session is over.

use core::time::Duration;

use floe_stun::Time;

use crate::effects::Effects;
use crate::event::ConsentLoss;
use crate::ids::{Component, PairId};
use crate::io::Rejection;
use crate::message::Answer;

use super::check_request::CheckRequest;
use super::check_response::CheckAnswer;
use super::seen::Verdict;
use super::{Session, wake_up};

/// How long a session that carries nothing any more answers requests and takes data in (our own rule).
///
/// The peer may select its new pair later than we do: when our answer to its nomination got lost, with the last retransmission of
/// the request, which RFC 8489 §6.2.1 puts 39.5 s behind the first at the outside. Until then it sends on the old path.
pub(crate) const GRACE: Duration = Duration::from_millis(39_500);

/// See the module.
pub(crate) struct Retired {
    pub(super) session: Session,
    /// Some component was carried at some time.
    carried: bool,
    /// Some component was handed over to a newer session.
    handed_over: bool,
    /// When it is over, once it carries nothing.
    ends: Option<Time>,
}

impl Retired {
    pub(crate) fn new(mut session: Session) -> Self {
        session.strip();
        Self { session, carried: false, handed_over: false, ends: None }
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Whether data of a component goes, or may soon go, on it.
    pub(crate) fn carries(&self, component: Component) -> bool {
        self.session.component(component).is_some_and(|c| c.consent.is_some())
    }

    pub(crate) fn carries_any(&self) -> bool {
        self.session.streams.iter().flat_map(|s| &s.components).any(|c| c.consent.is_some())
    }

    /// A newer session carries the component.
    pub(crate) fn release(&mut self, component: Component) {
        if self.carries(component) {
            self.handed_over = true;
            self.session.let_go(component);
        }
    }

    /// Consent, keepalives, and the end.
    pub(crate) fn settle(&mut self, now: Time, fx: &mut Effects) {
        self.session.expire(now, fx);
        self.session.maintain_paths(now, fx);
        if self.carries_any() {
            self.carried = true;
        } else if self.ends.is_none() {
            // What died has nothing under way. What was handed over, or never had a path on our side, may have.
            let grace = if self.handed_over || !self.carried { GRACE } else { Duration::ZERO };
            self.ends = Some(now.saturating_add(grace));
        }
    }

    pub(crate) fn is_over(&self, now: Time) -> bool {
        self.ends.is_some_and(|end| now >= end)
    }

    pub(crate) fn next_timeout(&self, now: Time) -> Option<Time> {
        let transactions = self.session.transactions.next_timeout().unwrap_or(Time::MAX);
        let paths = self.session.next_path_timeout(now).unwrap_or(Time::MAX);
        wake_up(transactions.min(paths).min(self.ends.unwrap_or(Time::MAX)), now)
    }

    /// RFC 7675 §5.2: a check on an old pair is the peer asking for consent. Nothing else follows from it: roles and nominations are
    /// matters of the new session.
    ///
    /// # Errors
    /// It is not from the peer of this session. §7.3 lets a current session answer it; but success on a path that is on its way
    /// out would prove a wrong thing to somebody who mixes up two of our sessions.
    pub(crate) fn on_request(
        &mut self,
        request: &CheckRequest,
        sender: &[u8],
        now: Time,
        fx: &mut Effects,
    ) -> Result<(), Rejection> {
        let session = &mut self.session;
        let component = session.locals.base(request.base).map(|b| b.component);
        let component = component.ok_or(Rejection::UnknownSocket)?;
        if let Some(verdict) = session.seen.verdict(request, now) {
            session.count_repeated(component, request);
            session.answer(request, verdict, fx);
            return Ok(());
        }
        if !session.is_from_peer(component, sender) {
            return Err(Rejection::WrongUsername);
        }
        let barred = session.is_barred(session.pair_of(component, request));
        let verdict = if barred { Verdict::Error(403) } else { Verdict::Success };
        session.remember_and_answer(request, verdict, now, fx);
        Ok(())
    }

    /// RFC 7675 §5.1: an answer to a consent check, or to a check from before the restart, which proves as much.
    pub(crate) fn on_answer(&mut self, answer: &CheckAnswer, now: Time, fx: &mut Effects) {
        let Some((id, _, _)) = self.session.note_answer(answer, now) else { return };
        match answer.answer {
            Answer::Success(_) if answer.symmetric => self.session.consent_confirmed(id, now),
            Answer::Error(403) if answer.symmetric => {
                self.session.consent_lost(id, ConsentLoss::Revoked, now, fx);
            }
            _ => {}
        }
    }

    /// The pair that carries a component.
    pub(crate) fn path_of(&self, component: Component) -> Option<PairId> {
        self.session.path_of(component)
    }

    pub(crate) fn check_invariants(&self) {
        self.session.check_invariants();
        assert!(!self.session.has_checks_to_send(), "a retired session begins no checks");
        for (id, _) in self.session.checklists.all().filter(|(_, p)| p.valid.is_some()) {
            let in_use = self.session.streams.iter().flat_map(|s| &s.components);
            let mut in_use = in_use.filter_map(|c| c.consent).map(|c| c.pair);
            assert!(in_use.any(|pair| pair == id), "of its pairs only those that carry data are left");
        }
    }
}
