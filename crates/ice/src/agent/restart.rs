//! ICE restarts: RFC 8445 §9, RFC 8839 §4.4.1.1.1 and §4.4.3.1.1.

use alloc::boxed::Box;
use core::ops::Range;

use floe_stun::Time;

use crate::candidate::{Candidate, Credentials};
use crate::error::{AddedCandidate, AgentError, IgnoredCandidate};
use crate::event::{Event, RestartCause};
use crate::ids::StreamId;
use crate::parameters::RemoteParameters;

use super::Agent;
use super::signalling::{Objection, Upcoming};

impl Agent {
    /// Restarts ICE (RFC 8445 §9): new credentials, new candidates, new checks, while data goes on where it went. For a host that
    /// moved, a path that died, or a peer that asks for it; in any state and as often as needed.
    ///
    /// [`Event::Restarted`] says that it happened. What is to be done then is the same as at the beginning: signal
    /// [`Agent::local_credentials`], the candidates as they are announced, and their end. The sockets that there are stay, and are
    /// announced again; say with [`Agent::gather`] which interfaces there are now, or with [`Agent::add_host`] and
    /// [`Agent::end_of_local_candidates`] what else there is. The peer restarts by itself when it gets our credentials, and its new
    /// ones come as an answer.
    ///
    /// Each component's data stays on the old path, under consent (RFC 7675 §5.1), until a pair is selected for it in the new
    /// session; if the old path is dead, it takes the best valid pair of the new one as soon as there is one (§12.1).
    ///
    /// # Errors
    /// The agent is closed.
    pub fn restart(&mut self, now: Time) -> Result<(), AgentError> {
        self.check_open()?;
        let now = self.tick(now);
        let (answered, confirmed) = (self.session.has_any_peer(), self.session.has_heard_peer());
        self.signalling.make().restarted(answered, confirmed, now);
        self.begin_session(RestartCause::Requested, now);
        self.settle(now);
        Ok(())
    }

    /// A new session in the place of the current one.
    fn begin_session(&mut self, cause: RestartCause, now: Time) {
        self.forget_peer();
        let next = self.session.restarted(now, &mut self.fx);
        let before = core::mem::replace(&mut self.session, next);
        self.fx.event(Event::Restarted(cause));
        self.fx.counters.restarts = self.fx.counters.restarts.saturating_add(1);
        self.session.begin_anew(&mut self.fx);
        self.begin_candidates(&before, now);
        self.retirees.make().add(before, &self.fx);
    }

    /// The peer's latest credentials take the place of earlier ones that were no answer to ours. Data may be on a path of that
    /// session already, as the peer answers checks by whomever (§7.3).
    fn repair_session(&mut self, now: Time) {
        self.forget_peer();
        let next = self.session.repaired(now);
        let before = core::mem::replace(&mut self.session, next);
        self.retirees.make().add(before, &self.fx);
    }

    fn begin_candidates(&mut self, before: &crate::session::Session, now: Time) {
        self.session.take_bases(before, &mut self.fx);
        self.gathering_begun = false;
        let bases = self.session.locals.bases().map(|(_, b)| (b.component, b.socket, b.address, b.rank));
        self.gatherer.restart(bases, now, &mut self.fx);
    }

    fn forget_peer(&mut self) {
        for peer in self.session.keys().peers() {
            self.signalling.make().forget_peer(&peer.credentials);
        }
    }

    // --- what the peer signals ----------------------------------------------------------------------------------

    /// RFC 8839 §4.4.1.1.1: other credentials than those of the current session are the peer's restart, and then we restart too
    /// (RFC 8445 §9).
    pub(super) fn take_parameters(
        &mut self,
        streams: Range<u16>,
        parameters: &RemoteParameters,
        now: Time,
    ) -> Result<(), AgentError> {
        let new = &parameters.credentials;
        let current = self.session.keys().peers().map(|p| &p.credentials);
        self.signalling.object(new, current).map_err(|objection| match objection {
            Objection::Outdated => AgentError::OutdatedCredentials,
            Objection::HalfChanged => AgentError::HalfChangedCredentials,
        })?;
        if self.session.has_other_peer(streams.clone(), new) {
            if self.signalling.make().corrects(self.session.has_heard_peer(), now) {
                self.repair_session(now);
            } else {
                self.begin_session(RestartCause::Peer, now);
            }
        }
        self.session.set_remote_parameters(streams, parameters, now, &mut self.fx);
        self.take_upcoming(new);
        Ok(())
    }

    /// What came before these credentials.
    fn take_upcoming(&mut self, credentials: &Credentials) {
        let Some(signalling) = self.signalling.if_any() else { return };
        for (stream, upcoming) in signalling.take_upcoming(credentials.ufrag()) {
            // The stream was looked at when it came.
            let _ = match upcoming {
                Upcoming::Candidate(candidate) => {
                    self.session.add_remote_candidate(stream, &candidate, &mut self.fx).map(|_| ())
                }
                Upcoming::End(_) => self.session.end_of_remote_candidates(stream),
            };
        }
    }

    /// RFC 8838 §9, §11: a candidate belongs to the session whose ufrag it names, and without one to the current session.
    pub(super) fn take_candidate(
        &mut self,
        stream: StreamId,
        candidate: &Candidate,
    ) -> Result<AddedCandidate, AgentError> {
        let Some(ufrag) = candidate.ufrag() else {
            return self.session.add_remote_candidate(stream, candidate, &mut self.fx);
        };
        self.session.stream(stream).ok_or(AgentError::UnknownComponent)?;
        if self.signalling.is_past(ufrag) {
            return Ok(AddedCandidate::Ignored(IgnoredCandidate::OtherGeneration));
        }
        if self.session.is_peers_ufrag(stream, ufrag) == Some(false) {
            return Ok(self.hold(stream, Upcoming::Candidate(Box::new(candidate.clone()))));
        }
        self.session.add_remote_candidate(stream, candidate, &mut self.fx)
    }

    /// RFC 8838 §13: the end of the candidates of one generation.
    pub(super) fn take_end(&mut self, stream: StreamId, ufrag: &str) -> Result<(), AgentError> {
        self.session.stream(stream).ok_or(AgentError::UnknownComponent)?;
        if self.signalling.is_past(ufrag) {
            return Ok(());
        }
        if self.session.is_peers_ufrag(stream, ufrag) == Some(true) {
            return self.session.end_of_remote_candidates(stream);
        }
        let _ = self.hold(stream, Upcoming::End(ufrag.into()));
        Ok(())
    }

    fn hold(&mut self, stream: StreamId, upcoming: Upcoming) -> AddedCandidate {
        let limit = usize::from(self.session.limits().remote_candidates);
        if self.signalling.make().keep(stream, upcoming, limit) {
            AddedCandidate::Held
        } else {
            AddedCandidate::Ignored(IgnoredCandidate::LimitReached)
        }
    }
}
