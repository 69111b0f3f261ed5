//! The handle of an agent.

use std::sync::Arc;

use floe_ice::{
    AddedCandidate, AgentError, Candidate, Component, ConnectionState, Counters, Credentials, GatheringState,
    RemoteParameters, Role, StreamId,
};

use crate::asked_server::AskedServer;
use crate::builder::Builder;
use crate::connection::Connection;
use crate::engine::{Engine, Handle, is_over};
use crate::error::ConnectError;
use crate::event::{Event, Pair, of_session};

/// An ICE agent that runs on sockets of this machine. Cheap to clone; all clones are the same agent.
///
/// [`Agent::builder`] starts one, and gathering with it. Signal [`Agent::local_credentials`] and the candidates among
/// the [events](Agent::next_event) to the peer, pass on what comes from there, and wait until [`Agent::connected`].
///
/// The agent works in a task of its own until [`Agent::close`] is called or the last handle and the last
/// [`Connection`] are dropped; both close every socket at once.
#[derive(Clone)]
pub struct Agent {
    handle: Arc<Handle>,
}

impl Agent {
    /// Settings for a new agent.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { handle: Arc::new(Handle(engine)) }
    }

    fn engine(&self) -> &Engine {
        &self.handle.0
    }

    // --- our description ------------------------------------------------------------------------------------------

    /// What to signal to the peer first: our ufrag and pwd, the same for all streams. A restart changes them.
    #[must_use]
    pub fn local_credentials(&self) -> Credentials {
        self.engine().agent().local_credentials().clone()
    }

    /// The local candidates of this session found so far. Each is announced by [`Event::LocalCandidate`] as well.
    #[must_use]
    pub fn local_candidates(&self) -> Vec<(StreamId, Candidate)> {
        let agent = self.engine().agent();
        agent
            .local_candidates()
            .map(|(_, stream, candidate)| (stream, of_session(&agent, candidate)))
            .collect()
    }

    /// The servers that are asked about our candidates, as events name them: those of STUN first, then those of TURN.
    #[must_use]
    pub fn servers(&self) -> &[AskedServer] {
        self.engine().servers()
    }

    // --- restart --------------------------------------------------------------------------------------------------

    /// Restarts ICE (RFC 8445 §9), with the addresses that the machine has now: when it has moved to another network, when the
    /// agent has [failed](ConnectionState::Failed), or when the application wants another path. In any state, and as often as
    /// needed.
    ///
    /// Nothing is torn down: data goes on where it went until the new session has selected a path, and connections follow by
    /// themselves. [`Event::Restarted`] has the new credentials; signal them and the candidates that follow, as at the
    /// beginning. The peer restarts by itself when it gets them, and its new credentials come back.
    ///
    /// # Errors
    /// The agent is closed.
    pub fn restart(&self) -> Result<(), AgentError> {
        self.engine().input(floe_ice::Agent::restart)
    }

    // --- the peer's description -----------------------------------------------------------------------------------

    /// The peer's ufrag and pwd, for all streams. Saying the same again changes nothing. Other ones than before are the peer's
    /// answer to [`Agent::restart`], or mean that the peer has restarted ICE; then this side does so too, and
    /// [`Event::Restarted`] has what to signal back.
    ///
    /// # Errors
    /// They are from before a restart, only one of ufrag and pwd is another one, or the agent is closed.
    pub fn set_remote_credentials(&self, credentials: Credentials) -> Result<(), AgentError> {
        self.set_remote_parameters(&credentials.into())
    }

    /// The peer's credentials and options, for all streams.
    ///
    /// # Errors
    /// As [`Agent::set_remote_credentials`].
    pub fn set_remote_parameters(&self, parameters: &RemoteParameters) -> Result<(), AgentError> {
        self.engine().input(|agent, now| agent.set_remote_parameters(parameters, now))
    }

    /// The peer's credentials and options for one stream, where the description has them at media level (RFC 8839
    /// §5.4).
    ///
    /// # Errors
    /// The stream does not exist, or as [`Agent::set_remote_credentials`].
    pub fn set_stream_remote_parameters(
        &self,
        stream: StreamId,
        parameters: &RemoteParameters,
    ) -> Result<(), AgentError> {
        self.engine().input(|agent, now| agent.set_stream_remote_parameters(stream, parameters, now))
    }

    /// A candidate of the peer for the first stream, before or after its credentials. A line as it was signalled is
    /// made one by [`str::parse`].
    ///
    /// # Errors
    /// The agent is closed. What the peer did wrong is [`AddedCandidate::Ignored`], not an error.
    pub fn add_remote_candidate(&self, candidate: &Candidate) -> Result<AddedCandidate, AgentError> {
        self.add_stream_remote_candidate(StreamId::FIRST, candidate)
    }

    /// A candidate of the peer for a stream.
    ///
    /// # Errors
    /// The stream does not exist, or the agent is closed.
    pub fn add_stream_remote_candidate(
        &self,
        stream: StreamId,
        candidate: &Candidate,
    ) -> Result<AddedCandidate, AgentError> {
        self.engine().input(|agent, now| agent.add_remote_candidate(stream, candidate, now))
    }

    /// The peer has no further candidates for any stream (RFC 8838 §14). Later ones are ignored. Without it, a
    /// failure is noticed only when the time for connecting is over.
    ///
    /// # Errors
    /// The agent is closed.
    pub fn end_of_remote_candidates(&self) -> Result<(), AgentError> {
        let last = self.engine().lanes().last().map_or(0, |lane| lane.component.stream.0);
        (0..=last).try_for_each(|stream| self.end_of_stream_remote_candidates(StreamId(stream)))
    }

    /// As [`Agent::end_of_remote_candidates`], of the session in which the peer has this ufrag (RFC 8838 §13): what is on its way
    /// while ICE restarts is not taken for the end of the new session's candidates.
    ///
    /// # Errors
    /// The agent is closed.
    pub fn end_of_remote_candidates_of(&self, ufrag: &str) -> Result<(), AgentError> {
        let last = self.engine().lanes().last().map_or(0, |lane| lane.component.stream.0);
        let end = |stream| {
            self.engine().input(|agent, now| agent.end_of_remote_candidates_of(StreamId(stream), ufrag, now))
        };
        (0..=last).try_for_each(end)
    }

    /// The peer has no further candidates for one stream.
    ///
    /// # Errors
    /// The stream does not exist, or the agent is closed.
    pub fn end_of_stream_remote_candidates(&self, stream: StreamId) -> Result<(), AgentError> {
        self.engine().input(|agent, now| agent.end_of_remote_candidates(stream, now))
    }

    // --- what happens ---------------------------------------------------------------------------------------------

    /// The next event; `None` when the agent is closed and all were delivered. Each event goes to one caller. Up to
    /// 1024 are kept, then the oldest are forgotten; an application that does not care need not ask. Dropping the
    /// future loses none.
    pub async fn next_event(&self) -> Option<Event> {
        // The state tells it, and not that closing has begun: its own events are out before it.
        let is_over = || self.engine().state() == ConnectionState::Closed;
        self.engine().events.next(is_over).await
    }

    /// The next event if there is one now.
    #[must_use]
    pub fn try_next_event(&self) -> Option<Event> {
        self.engine().events.pop()
    }

    /// Waits until gathering is complete: [`Agent::local_candidates`] are all there will be. Only needed where signalling
    /// carries one message each way; with trickling, follow [`Event::LocalCandidate`]. Returns at once when the agent is
    /// closed.
    pub async fn gathered(&self) {
        let mut gathering = self.engine().watch_gathering();
        tokio::select! {
            // The sender lives as long as the engine does.
            _ = gathering.wait_for(|state| *state == GatheringState::Complete) => {}
            () = self.engine().closed() => {}
        }
    }

    /// Waits until every component has a path, and gives the connection of the first component of the first stream;
    /// the others are had from [`Agent::connection`]. Can be called at any time and more than once.
    ///
    /// Of several streams, those that [failed](Event::StreamFailed) do not count; sending on them says so.
    ///
    /// It waits as long as signalling takes. Once the peer's credentials are known, an answer comes within the time
    /// for checks, 39.5 s by default (RFC 8863).
    ///
    /// # Errors
    /// No path was found, the path in use is dead, or the agent was closed.
    pub async fn connected(&self) -> Result<Connection, ConnectError> {
        self.reached(&[ConnectionState::Connected, ConnectionState::Completed]).await
    }

    /// As [`Agent::connected`], and waits until every component has its selected pair: until nomination is over and
    /// the path stays the same. Data need not wait for it.
    ///
    /// # Errors
    /// As [`Agent::connected`].
    pub async fn completed(&self) -> Result<Connection, ConnectError> {
        self.reached(&[ConnectionState::Completed]).await
    }

    async fn reached(&self, states: &[ConnectionState]) -> Result<Connection, ConnectError> {
        let mut watch = self.engine().watch_state();
        let state = watch.wait_for(|state| is_over(*state) || states.contains(state)).await;
        // The sender lives as long as the engine does.
        match state.map_or(ConnectionState::Closed, |state| *state) {
            ConnectionState::Failed => Err(self.failure()),
            ConnectionState::Closed => Err(ConnectError::Closed),
            _ => Ok(Connection::new(self.handle.clone(), 0)),
        }
    }

    fn failure(&self) -> ConnectError {
        let agent = self.engine().agent();
        ConnectError::Failed {
            local_candidates: agent.local_candidates().count(),
            remote_candidates: agent.remote_candidates().count(),
            pairs: agent.pairs().count(),
        }
    }

    /// The connection of a component, connected or not yet.
    ///
    /// # Errors
    /// [`AgentError::UnknownComponent`].
    pub fn connection(&self, component: Component) -> Result<Connection, AgentError> {
        let lane = self.engine().find_lane(component).ok_or(AgentError::UnknownComponent)?;
        Ok(Connection::new(self.handle.clone(), lane))
    }

    /// The state of the whole.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.engine().state()
    }

    /// How far gathering is.
    #[must_use]
    pub fn gathering_state(&self) -> GatheringState {
        self.engine().agent().gathering_state()
    }

    /// Our role now.
    #[must_use]
    pub fn role(&self) -> Role {
        self.engine().agent().role()
    }

    /// Every candidate pair with its statistics: stream by stream, highest priority first.
    #[must_use]
    pub fn pairs(&self) -> Vec<Pair> {
        let agent = self.engine().agent_with_traffic();
        agent.pairs().map(|info| Pair::new(&agent, &info)).collect()
    }

    /// What the agent counted since its start.
    #[must_use]
    pub fn counters(&self) -> Counters {
        *self.engine().agent().counters()
    }

    /// Ends everything at once, whatever is going on: sockets are closed when it returns, connections get errors,
    /// waiting calls return. Calling it again does nothing.
    pub fn close(&self) {
        self.engine().close();
    }
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent")
            .field("state", &self.state())
            .field("role", &self.role())
            .field("gathering", &self.gathering_state())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_go_from_thread_to_thread() {
        fn shared<T: Send + Sync + Clone>() {}
        shared::<Agent>();
        shared::<Connection>();
        shared::<Event>();
    }
}
