//! What the peer signals: parameters (RFC 8445 §5.3), candidates (RFC 8838 §11), their end (§14).

use core::ops::Range;
use core::time::Duration;

use floe_stun::{RetransmissionSchedule, Time};

use crate::candidate::{Candidate, Credentials, Transport, is_usable};
use crate::config::DEFAULT_TA;
use crate::effects::Effects;
use crate::error::{AddedCandidate, AgentError, IgnoredCandidate};
use crate::event::ConnectionState;
use crate::ids::{Component, StreamId};
use crate::parameters::RemoteParameters;
use crate::remotes::Remote;

use super::Session;

/// No peer slows us down to less than one check in this time.
const MAX_TA: Duration = Duration::from_secs(1);

impl Session {
    /// The streams that a call is about: one, or all.
    pub(crate) fn streams_of(&self, stream: Option<StreamId>) -> Result<Range<u16>, AgentError> {
        let Some(stream) = stream else {
            return Ok(0..u16::try_from(self.streams.len()).unwrap_or(u16::MAX));
        };
        self.stream(stream).ok_or(AgentError::UnknownComponent)?;
        Ok(stream.0..stream.0 + 1)
    }

    /// The peer's parameters for these streams. Whether they are those of this session, the agent has found out.
    pub(crate) fn set_remote_parameters(
        &mut self,
        streams: Range<u16>,
        parameters: &RemoteParameters,
        now: Time,
        fx: &mut Effects,
    ) {
        // RFC 8839 §5.5: the larger of both values; absent means 50 ms.
        let pacing = parameters.pacing.unwrap_or(DEFAULT_TA);
        self.pacer.slow_down_to(pacing.min(MAX_TA));
        if parameters.lite && self.role.peer_is_lite() {
            self.announce_role(fx);
        }
        // RFC 8863 §4: our credentials are out, the peer's are in.
        let patience_ends = now.saturating_add(RetransmissionSchedule::new(self.config.rto.get()).timeout());
        // Whoever had waited in vain for the peer's answer to a restart has it now.
        if self.state == ConnectionState::Failed && !self.has_any_peer() {
            self.state = ConnectionState::New;
        }
        for s in streams.map(StreamId) {
            let Some(stream) = self.stream_mut(s).filter(|s| !s.has_peer()) else { continue };
            stream.patience_ends = Some(patience_ends);
            self.keys.set_peer(s, &parameters.credentials);
            self.pair_stream(s, parameters.credentials.ufrag(), fx);
        }
        self.start_checklists();
        self.replay_early(now, fx);
    }

    /// The candidates that came before the credentials: those of another generation go (RFC 8838 §11), the others are paired.
    fn pair_stream(&mut self, stream: StreamId, ufrag: &str, fx: &mut Effects) {
        let of_stream = self.remotes.iter().filter(|(_, r)| r.component.stream == stream).count();
        self.checklists.reserve(stream, of_stream.saturating_mul(self.locals.bases().count()));
        for id in self.remotes.ids() {
            let of_stream = |r: &&Remote| r.component.stream == stream && !r.is_forgotten();
            let Some(remote) = self.remotes.get(id).filter(of_stream) else { continue };
            if remote.candidate.ufrag().is_some_and(|other| other != ufrag) {
                self.remotes.forget(id);
            } else {
                self.pair_remote(id, fx);
            }
        }
    }

    /// §6.1.2.6: once there are pairs, they get their initial states.
    pub(super) fn start_checklists(&mut self) {
        if !self.checklists.is_started() && self.checklists.pairs.len() > 0 {
            self.checklists.start();
        }
    }

    /// A signalled candidate.
    pub(crate) fn add_remote_candidate(
        &mut self,
        stream: StreamId,
        candidate: &Candidate,
        fx: &mut Effects,
    ) -> Result<AddedCandidate, AgentError> {
        let state = self.stream(stream).ok_or(AgentError::UnknownComponent)?;
        let component = Component::new(stream, candidate.component());
        if let Some(reason) = self.unusable(state.remote_ended, component, candidate) {
            return Ok(AddedCandidate::Ignored(reason));
        }
        // RFC 8838 §11: the same candidate again is no new one. RFC 8445 §5.1.3 has one candidate for an address.
        if let Some(id) = self.remotes.find(component, candidate.address())
            && self.remotes.get(id).is_some_and(|r| r.signalled)
        {
            return Ok(AddedCandidate::Known(id));
        }
        if self.remotes.signalled() >= self.config.limits.remote_candidates {
            return Ok(AddedCandidate::Ignored(IgnoredCandidate::LimitReached));
        }
        let (id, was_learned) = self.remotes.signal(component, candidate);
        if was_learned {
            self.update_pairs_of(id);
            // Of several nominated pairs another one may be the best now. Both sides know the same priorities when all is
            // signalled, and so end on the same pair.
            self.select(component, fx);
        }
        self.pair_remote(id, fx);
        Ok(if was_learned { AddedCandidate::Known(id) } else { AddedCandidate::Added(id) })
    }

    fn unusable(&self, ended: bool, component: Component, candidate: &Candidate) -> Option<IgnoredCandidate> {
        if ended {
            return Some(IgnoredCandidate::AfterEndOfCandidates);
        }
        if self.component(component).is_none() {
            return Some(IgnoredCandidate::UnknownComponent);
        }
        if candidate.transport() != Transport::Udp {
            return Some(IgnoredCandidate::UnsupportedTransport);
        }
        if !is_usable(candidate.address()) {
            return Some(IgnoredCandidate::UnusableAddress);
        }
        // RFC 8838 §11: a candidate of another generation of the session. Without the peer's credentials it has to wait
        // until they tell.
        let peer = self.keys.peer(component.stream);
        let other = |ufrag: &str| peer.is_some_and(|p| p.credentials.ufrag() != ufrag);
        candidate.ufrag().is_some_and(other).then_some(IgnoredCandidate::OtherGeneration)
    }

    /// RFC 8838 §14. After a restart, what comes before the peer's new credentials is about the session before (§13 wants the
    /// indication to name its generation; this one did not).
    pub(crate) fn end_of_remote_candidates(&mut self, stream: StreamId) -> Result<(), AgentError> {
        let follows_another = self.follows_another();
        let state = self.stream_mut(stream).ok_or(AgentError::UnknownComponent)?;
        state.remote_ended |= state.has_peer() || !follows_another;
        Ok(())
    }

    /// Whether candidates with this ufrag are those of this session. `None` if that is not known yet.
    pub(crate) fn is_peers_ufrag(&self, stream: StreamId, ufrag: &str) -> Option<bool> {
        self.keys.peer(stream).map(|p| p.credentials.ufrag() == ufrag)
    }

    /// Whether the streams have these credentials of the peer, others, or none yet.
    pub(crate) fn has_other_peer(&self, streams: Range<u16>, credentials: &Credentials) -> bool {
        streams.map(StreamId).filter_map(|s| self.keys.peer(s)).any(|p| p.credentials != *credentials)
    }
}
