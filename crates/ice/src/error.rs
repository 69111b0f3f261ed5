//! The caller's mistakes. What the network does wrong is a [`Rejection`](crate::Rejection).

use core::fmt;

/// A call that cannot be carried out as it stands; the agent is as it was before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum AgentError {
    /// The stream or component is not one of [`Config::streams`](crate::Config::streams).
    UnknownComponent,
    /// The agent is closed: make a new one.
    Closed,
    /// Gathering was begun already: it happens once in a session, and again after a restart.
    AlreadyGathering,
    /// Every local candidate was announced already: add candidates before calling `end_of_local_candidates`.
    AlreadyComplete,
    /// These are credentials that the peer had before an ICE restart: signalling delivered them late or twice. There is nothing to do
    /// but to wait for those that belong to [`Agent::local_credentials`](crate::Agent::local_credentials).
    OutdatedCredentials,
    /// Only the peer's ufrag or only its pwd is another one. An ICE restart changes both (RFC 8839 §4.4.1.1.1): reject the
    /// description.
    HalfChangedCredentials,
    /// No candidate can have this address: it is unspecified, multicast, or has port 0.
    UnusableAddress,
    /// That socket and address are a candidate already.
    DuplicateCandidate,
    /// More local candidates than the agent can tell apart: 256 addresses for a component, as many as there are local
    /// preferences (RFC 8445 §5.1.2.1), and 65 535 candidates in all.
    TooManyCandidates,
}

impl fmt::Display for AgentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownComponent => "no such stream or component: see Config::streams",
            Self::Closed => "the agent is closed: make a new one",
            Self::AlreadyGathering => "gathering was begun already: it happens once in a session",
            Self::AlreadyComplete => {
                "end of local candidates was announced already: add candidates before it"
            }
            Self::OutdatedCredentials => {
                "the peer's credentials are from before an ICE restart: wait for its new ones"
            }
            Self::HalfChangedCredentials => {
                "an ICE restart changes both ufrag and pwd: reject this description"
            }
            Self::UnusableAddress => "a candidate's address must be specified, unicast and have a port",
            Self::DuplicateCandidate => "this socket and address are a candidate already",
            Self::TooManyCandidates => "too many local candidates",
        })
    }
}

impl core::error::Error for AgentError {}

/// Why data cannot be sent now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SendError {
    /// The component does not exist.
    UnknownComponent,
    /// There is no valid pair for every component yet (RFC 8445 §12.1): wait for
    /// [`Event::PathChanged`](crate::Event::PathChanged).
    NotConnected,
    /// Consent ended (RFC 7675 §5.1): an ICE restart is needed.
    NoConsent,
    /// The payload looks like a STUN message and the peer could not tell it apart (RFC 7983).
    LooksLikeStun,
    /// The agent is closed.
    Closed,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownComponent => "no such stream or component: see Config::streams",
            Self::NotConnected => "not connected yet: wait for Event::PathChanged",
            Self::NoConsent => "the peer's consent to receive expired: restart ICE",
            Self::LooksLikeStun => "the payload looks like a STUN message: frame it differently",
            Self::Closed => "the agent is closed",
        })
    }
}

impl core::error::Error for SendError {}

/// What became of a remote candidate. All of it is the peer's doing, so nothing here is an error of the caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum AddedCandidate {
    /// It is new, and paired.
    Added(crate::RemoteId),
    /// It is known already under this id: signalled before, or learned from a check and now complete.
    Known(crate::RemoteId),
    /// Its ufrag is none that the peer has or had, and so belongs to credentials that are still to come: it waits for them.
    Held,
    /// It is not used.
    Ignored(IgnoredCandidate),
}

/// Why a remote candidate is not used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum IgnoredCandidate {
    /// The peer had announced the end of its candidates (RFC 8838 §14).
    AfterEndOfCandidates,
    /// The component is not one we have.
    UnknownComponent,
    /// A transport that we do not speak.
    UnsupportedTransport,
    /// The address is unspecified, multicast, or has port 0.
    UnusableAddress,
    /// Its ufrag is one that the peer had before an ICE restart, or turned out not to be the peer's (RFC 8838 §11).
    OtherGeneration,
    /// [`Limits::remote_candidates`](crate::Limits::remote_candidates) is reached.
    LimitReached,
}

impl fmt::Display for IgnoredCandidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AfterEndOfCandidates => "it came after the peer's end of candidates",
            Self::UnknownComponent => "its component is unknown",
            Self::UnsupportedTransport => "its transport is not supported",
            Self::UnusableAddress => "its address cannot be used",
            Self::OtherGeneration => "its ufrag belongs to another ICE session",
            Self::LimitReached => "there are too many candidates",
        })
    }
}
