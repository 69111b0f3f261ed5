//! What an agent tells its application. The candidates are in the events by value.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Mutex;

use floe_ice::{
    Candidate, Component, ConnectionState, ConsentLoss, Credentials, GatheringFailure, GatheringState,
    PairId, PairInfo, PairState, PairStats, RelayLoss, RestartCause, Role, SelectionReason, StreamId,
};
use tokio::sync::Notify;

use crate::asked_server::AskedServer;
use crate::engine::lock;

/// Events kept for an application that does not ask for them; beyond it the oldest is forgotten.
const MAX_EVENTS: usize = 1024;

/// Something the application may want to know: from [`Agent::next_event`](crate::Agent::next_event).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A local candidate was found: signal it to the peer.
    LocalCandidate {
        /// The stream it belongs to.
        stream: StreamId,
        /// The candidate; it says its component, and by its ufrag which session it belongs to (RFC 8838 §9).
        candidate: Candidate,
    },
    /// Gathering went on. [`GatheringState::Complete`] is the moment to signal end-of-candidates.
    GatheringStateChanged(GatheringState),
    /// A server told which address it sees one of ours as, for the first time or differently than before. A candidate for it
    /// follows if there is none yet.
    ServerAnswered {
        /// The server.
        server: AskedServer,
        /// Our address, which the server was asked from.
        address: SocketAddr,
        /// What the server sees: the same address where no NAT is in between.
        mapped: SocketAddr,
    },
    /// One source of candidates failed; the others go on.
    GatheringProblem {
        /// The server, if it is about one.
        server: Option<AskedServer>,
        /// The local address, if it is about one.
        address: Option<SocketAddr>,
        /// What went wrong.
        failure: GatheringFailure,
    },
    /// An allocation on a TURN server is gone, and with it its relayed candidates. It is asked for again; restart ICE if nothing else is
    /// left.
    RelayLost {
        /// The server.
        server: AskedServer,
        /// Our address, which the server was reached from.
        address: SocketAddr,
        /// Why.
        failure: RelayLoss,
    },
    /// A peer-reflexive candidate of the peer was learned from a check (RFC 8445 §7.3.1.3).
    RemoteCandidateDiscovered {
        /// The stream it belongs to.
        stream: StreamId,
        /// The candidate.
        candidate: Candidate,
    },
    /// The state of the whole changed.
    StateChanged(ConnectionState),
    /// The checklist of this stream failed (RFC 8445 §6.1.2.1, §8.1.2).
    StreamFailed(StreamId),
    /// Data of this component goes another way from now on, or cannot be sent any more. Connections follow by
    /// themselves.
    PathChanged(Component),
    /// A pair was selected (RFC 8445 §8.1.1).
    SelectedPairChanged {
        /// The pair.
        pair: SelectedPair,
        /// Why.
        reason: SelectionReason,
    },
    /// Data of this component must not be sent any more (RFC 7675 §5.1).
    ConsentLost {
        /// The component.
        component: Component,
        /// Why.
        loss: ConsentLoss,
    },
    /// A role conflict was resolved by changing our role (RFC 8445 §7.3.1.1, §7.2.5.1).
    RoleChanged(Role),
    /// ICE was restarted (RFC 8445 §9), by [`Agent::restart`](crate::Agent::restart) or because the peer did: signal these
    /// credentials to the peer, and then the candidates that are announced from now on. Data goes on where it went until the new
    /// session has found its path.
    Restarted {
        /// Who began.
        cause: RestartCause,
        /// Our new ufrag and pwd.
        credentials: Credentials,
    },
}

/// The pair that carries the data of a component.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SelectedPair {
    /// The component.
    pub component: Component,
    /// Our candidate, as the peer sees it (RFC 8445 §7.2.5.3.2).
    pub local: Candidate,
    /// The peer's candidate.
    pub remote: Candidate,
}

impl SelectedPair {
    pub(crate) fn new(agent: &floe_ice::Agent, info: &PairInfo<'_>) -> Self {
        let local = local_of(agent, info);
        Self { component: info.component, local, remote: info.remote.clone() }
    }
}

/// A candidate pair as it is now, with its statistics: from [`Agent::pairs`](crate::Agent::pairs).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Pair {
    /// Its id, which no other pair of this agent ever gets.
    pub id: PairId,
    /// The component it is for.
    pub component: Component,
    /// Our candidate: once the pair is valid, the one that the peer sees (RFC 8445 §7.2.5.3.2).
    pub local: Candidate,
    /// The peer's candidate.
    pub remote: Candidate,
    /// Its state (RFC 8445 §6.1.2.6).
    pub state: PairState,
    /// Its priority (RFC 8445 §6.1.2.3).
    pub priority: u64,
    /// It is on the valid list (RFC 8445 §7.2.5.3.2).
    pub valid: bool,
    /// It was nominated and the nomination succeeded.
    pub nominated: bool,
    /// It is the selected pair of its component.
    pub selected: bool,
    /// What happened on it.
    pub stats: PairStats,
}

impl Pair {
    pub(crate) fn new(agent: &floe_ice::Agent, info: &PairInfo<'_>) -> Self {
        let stats = agent.pair_stats(info.id).unwrap_or_default();
        Self {
            id: info.id,
            component: info.component,
            local: local_of(agent, info),
            remote: info.remote.clone(),
            state: info.state,
            priority: info.priority,
            valid: info.valid,
            nominated: info.nominated,
            selected: info.selected,
            stats,
        }
    }
}

/// A candidate with the ufrag of the session it belongs to (RFC 8838 §9).
pub(crate) fn of_session(agent: &floe_ice::Agent, candidate: &Candidate) -> Candidate {
    // An ufrag of our own making is one that a candidate can have.
    candidate.clone().with_ufrag(agent.local_credentials().ufrag()).unwrap_or_else(|_| candidate.clone())
}

/// The local candidate of a pair as it was signalled; one from before a restart, without its ufrag.
fn local_of(agent: &floe_ice::Agent, info: &PairInfo<'_>) -> Candidate {
    match agent.local_candidate(info.local_id) {
        Some(candidate) => of_session(agent, candidate),
        None => info.local.clone(),
    }
}

/// The agent's event with what it names; `None` if that is gone already.
pub(crate) fn translate(
    agent: &floe_ice::Agent,
    servers: &[AskedServer],
    event: floe_ice::Event,
) -> Option<Event> {
    Some(match event {
        floe_ice::Event::LocalCandidate(id) => Event::LocalCandidate {
            stream: agent.local_component(id)?.stream,
            candidate: of_session(agent, agent.local_candidate(id)?),
        },
        floe_ice::Event::GatheringStateChanged(state) => Event::GatheringStateChanged(state),
        floe_ice::Event::ServerAnswered { server, address, mapped } => {
            let server = servers.get(usize::from(server))?.clone();
            Event::ServerAnswered { server, address, mapped }
        }
        floe_ice::Event::GatheringProblem { server, address, failure } => Event::GatheringProblem {
            server: server.and_then(|index| servers.get(usize::from(index))).cloned(),
            address,
            failure,
        },
        floe_ice::Event::RelayLost { server, address, failure } => {
            let server = servers.get(usize::from(server))?.clone();
            Event::RelayLost { server, address, failure }
        }
        floe_ice::Event::RemoteCandidateDiscovered(id) => {
            let (_, stream, candidate) = agent.remote_candidates().find(|(known, ..)| *known == id)?;
            Event::RemoteCandidateDiscovered { stream, candidate: candidate.clone() }
        }
        floe_ice::Event::StateChanged(state) => Event::StateChanged(state),
        floe_ice::Event::StreamFailed(stream) => Event::StreamFailed(stream),
        floe_ice::Event::PathChanged(component) => Event::PathChanged(component),
        floe_ice::Event::SelectedPairChanged { pair, reason, .. } => {
            Event::SelectedPairChanged { pair: SelectedPair::new(agent, &agent.pair(pair)?), reason }
        }
        floe_ice::Event::ConsentLost { component, loss } => Event::ConsentLost { component, loss },
        floe_ice::Event::RoleChanged(role) => Event::RoleChanged(role),
        floe_ice::Event::Restarted(cause) => {
            Event::Restarted { cause, credentials: agent.local_credentials().clone() }
        }
        _ => return None,
    })
}

/// The events on their way to the application.
pub(crate) struct Events<T = Event> {
    queue: Mutex<VecDeque<T>>,
    arrived: Notify,
}

impl<T> Default for Events<T> {
    fn default() -> Self {
        Self { queue: Mutex::default(), arrived: Notify::new() }
    }
}

impl<T> Events<T> {
    pub(crate) fn push(&self, event: T) {
        let mut queue = lock(&self.queue);
        if queue.len() >= MAX_EVENTS {
            queue.pop_front();
        }
        queue.push_back(event);
        drop(queue);
        self.arrived.notify_waiters();
    }

    pub(crate) fn pop(&self) -> Option<T> {
        lock(&self.queue).pop_front()
    }

    /// Lets everybody who waits look whether the end has come.
    pub(crate) fn wake(&self) {
        self.arrived.notify_waiters();
    }

    /// The next event, or `None` once there is none and `ended` says that none will come.
    pub(crate) async fn next(&self, ended: impl Fn() -> bool) -> Option<T> {
        loop {
            let mut arrived = std::pin::pin!(self.arrived.notified());
            arrived.as_mut().enable();
            // The end is looked at first: what was pushed before it is still delivered.
            let ended = ended();
            match self.pop() {
                Some(event) => return Some(event),
                None if ended => return None,
                None => arrived.await,
            }
        }
    }
}
