//! What the agent tells the application, and the states it names (W3C webrtc, RTCIceTransport).

use core::fmt;
use core::net::SocketAddr;

use floe_turn::client::Failure;

use crate::ids::{Component, LocalId, PairId, RemoteId, StreamId};
use crate::io::DriverError;

/// Which side nominates (RFC 8445 §6.1.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    /// Nominates the pairs that are used.
    Controlling,
    /// Uses the pairs that the peer nominates.
    Controlled,
}

impl Role {
    /// The other role.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Controlling => Self::Controlled,
            Self::Controlled => Self::Controlling,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Controlling => "controlling",
            Self::Controlled => "controlled",
        })
    }
}

/// How far gathering is (W3C `RTCIceGatheringState`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum GatheringState {
    /// Not begun.
    New,
    /// In progress.
    Gathering,
    /// Finished: no further candidate of this session will come, and it is time to signal end-of-candidates.
    Complete,
}

impl fmt::Display for GatheringState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::Gathering => "gathering",
            Self::Complete => "complete",
        })
    }
}

/// How far connecting is (W3C `RTCIceTransportState`), over all streams and components of the agent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ConnectionState {
    /// The credentials or every candidate of the peer are still missing.
    New,
    /// Checks go on and some component has no path yet.
    Checking,
    /// Every component has a valid pair: data can flow.
    Connected,
    /// Every component has its selected pair.
    Completed,
    /// Three consent checks in a row without an answer on a path in use, 15 to 19 seconds; it may recover. Also while a lost
    /// path is being replaced. See [`Event::StateChanged`].
    Disconnected,
    /// No path was found, or consent on one that was in use expired (RFC 7675 §5.1). Lasts until an ICE restart.
    Failed,
    /// [`Agent::close`](crate::Agent::close) was called.
    Closed,
}

impl fmt::Display for ConnectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::Checking => "checking",
            Self::Connected => "connected",
            Self::Completed => "completed",
            Self::Disconnected => "disconnected",
            Self::Failed => "failed",
            Self::Closed => "closed",
        })
    }
}

/// Why the pair of a component changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum SelectionReason {
    /// The pair was nominated (RFC 8445 §8).
    Nominated,
    /// Of several nominated pairs this has the highest priority (RFC 8445 §8.1.1, RFC 5245 peers).
    HigherPriority,
    /// The pair selected before is dead and this nominated one lives.
    PathLost,
    /// The peer, which is controlling, nominated this pair too, and for 12 s checked this one and not the one selected before.
    PeerMoved,
}

impl fmt::Display for SelectionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nominated => "nominated",
            Self::HigherPriority => "nominated with a higher priority",
            Self::PathLost => "the previous path is lost",
            Self::PeerMoved => "the peer moved to it",
        })
    }
}

/// Who restarted ICE (RFC 8445 §9).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RestartCause {
    /// [`Agent::restart`](crate::Agent::restart) was called.
    Requested,
    /// The peer came with other credentials.
    Peer,
}

impl fmt::Display for RestartCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requested => "requested",
            Self::Peer => "the peer restarted",
        })
    }
}

/// Why consent to send ended (RFC 7675 §5.1, §5.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ConsentLoss {
    /// No authenticated answer for 30 seconds.
    Expired,
    /// The peer revoked it with an authenticated 403.
    Revoked,
}

/// What went wrong with one source of candidates. Gathering goes on with the others.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum GatheringFailure {
    /// The driver could not do it.
    Driver(DriverError),
    /// The driver did not answer within the deadline.
    NoAnswerFromDriver,
    /// No address here can ask the server: it has none of their families, or lives on another link or on loopback.
    NoUsableAddress,
    /// The server did not answer within the deadline.
    ServerTimeout,
    /// The server answered with this error code.
    ServerError(u16),
    /// The server's answer makes no sense.
    BadAnswer,
    /// No network interface is left after the filters.
    NoInterface,
    /// The socket stopped working before the servers had answered on it.
    SocketFailed,
    /// The TURN server granted no allocation.
    Relay(Failure),
}

impl fmt::Display for GatheringFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Driver(e) => e.fmt(f),
            Self::NoAnswerFromDriver => f.write_str("no answer within the deadline"),
            Self::NoUsableAddress => f.write_str("no address here can ask this server"),
            Self::ServerTimeout => f.write_str("the server did not answer"),
            Self::ServerError(code) => write!(f, "the server answered with error {code}"),
            Self::BadAnswer => f.write_str("the server's answer is not usable"),
            Self::NoInterface => f.write_str("no usable network interface"),
            Self::SocketFailed => f.write_str("the socket stopped working"),
            Self::Relay(failure) => failure.fmt(f),
        }
    }
}

/// Why there is no allocation on a TURN server any more.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum RelayLoss {
    /// What the server said, or did not say.
    Server(Failure),
    /// There is no connection to the server.
    Connection(DriverError),
}

impl fmt::Display for RelayLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(failure) => failure.fmt(f),
            Self::Connection(error) => error.fmt(f),
        }
    }
}

impl From<RelayLoss> for GatheringFailure {
    fn from(failure: RelayLoss) -> Self {
        match failure {
            RelayLoss::Server(failure) => Self::Relay(failure),
            RelayLoss::Connection(error) => Self::Driver(error),
        }
    }
}

/// Something the application may want to know. Events are queued in the order in which things happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A local candidate to be signalled to the peer: [`Agent::local_candidate`](crate::Agent::local_candidate) has
    /// it. It is checked from now on. None is announced for a component that has its selected pair (RFC 8838 §13).
    LocalCandidate(LocalId),
    /// Gathering went on. [`GatheringState::Complete`] is the moment to signal end-of-candidates.
    GatheringStateChanged(GatheringState),
    /// A server told which address it sees one of ours as, for the first time or differently than before. A candidate for it
    /// follows if there is none yet (RFC 8445 §5.1.3).
    ServerAnswered {
        /// The number of the server: first come those of [`GatherConfig::servers`](crate::GatherConfig::servers), then those of
        /// [`GatherConfig::relays`](crate::GatherConfig::relays).
        server: u16,
        /// Our address, which the server was asked from: that of a socket, or of a connection to a TURN server.
        address: SocketAddr,
        /// What the server sees: the same address where no NAT is in between.
        mapped: SocketAddr,
    },
    /// An allocation on a TURN server is gone, and with it its relayed candidates and their pairs. It is asked for again; what comes of
    /// that is a candidate of the next session, so restart ICE if nothing else is left ([`Agent::restart`](crate::Agent::restart)).
    RelayLost {
        /// The number of the server, counted on from [`GatherConfig::servers`](crate::GatherConfig::servers).
        server: u16,
        /// Our address, which the server was reached from.
        address: SocketAddr,
        /// Why.
        failure: RelayLoss,
    },
    /// One source of candidates failed.
    GatheringProblem {
        /// The number of the server, as in [`Event::ServerAnswered`], if it is about a server.
        server: Option<u16>,
        /// The local address concerned, if it is about one.
        address: Option<SocketAddr>,
        /// What went wrong.
        failure: GatheringFailure,
    },
    /// A peer-reflexive remote candidate was learned from a check (RFC 8445 §7.3.1.3).
    RemoteCandidateDiscovered(RemoteId),
    /// The state of the whole changed. `Disconnected` needs 15 seconds without any answer on the path in use and three
    /// consent checks in a row unanswered, so that one lost packet, and even two lost consent checks in a row, never flap it;
    /// the first answer ends it.
    StateChanged(ConnectionState),
    /// The checklist of this stream failed (RFC 8445 §6.1.2.1, §8.1.2).
    StreamFailed(StreamId),
    /// The path that data of a component has to be sent on is another one, or none:
    /// [`Agent::send_path`](crate::Agent::send_path).
    PathChanged(Component),
    /// A pair was selected for a component (RFC 8445 §8.1.1).
    SelectedPairChanged {
        /// The component.
        component: Component,
        /// The pair, for [`Agent::pair`](crate::Agent::pair).
        pair: PairId,
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
    /// ICE was restarted (RFC 8445 §9), by [`Agent::restart`](crate::Agent::restart) or because the peer did. Signal the new
    /// [`Agent::local_credentials`](crate::Agent::local_credentials) to the peer, then the candidates that are announced from now
    /// on; the gathering state is [`GatheringState::New`] again. Data goes on where it went until the new session has a pair.
    Restarted(RestartCause),
}
