//! What a session says.

use std::fmt;

use floe_ice::candidate::CandidateInit;

use crate::message::{EndReason, ErrorCode, SessionDescription};
use crate::sdp::SdpError;

/// Where the offer/answer exchange stands (RFC 8829 §3.2): `RTCPeerConnection.signalingState`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignalingState {
    /// No exchange is under way.
    Stable,
    /// Our offer is unanswered.
    HaveLocalOffer,
    /// The peer's offer is unanswered.
    HaveRemoteOffer,
    /// The peer's offer has a provisional answer of ours.
    HaveLocalPranswer,
    /// Our offer has a provisional answer of the peer's.
    HaveRemotePranswer,
    /// There is no call.
    Closed,
}

impl fmt::Display for SignalingState {
    /// The name in JavaScript.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stable => "stable",
            Self::HaveLocalOffer => "have-local-offer",
            Self::HaveRemoteOffer => "have-remote-offer",
            Self::HaveLocalPranswer => "have-local-pranswer",
            Self::HaveRemotePranswer => "have-remote-pranswer",
            Self::Closed => "closed",
        })
    }
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Both sides are in the call.
    Started {
        /// The peer began it, and nobody asked for it here: [`Session::hang_up`](super::Session::hang_up) declines.
        incoming: bool,
    },
    /// The peer's next offer or answer begins a new generation of ICE: what `restartIce` does. Comes right before the description.
    RestartedByPeer,
    /// The peer's offer or answer holds now: what `setRemoteDescription` takes. An offer is to be answered.
    RemoteDescription(SessionDescription),
    /// Our offer met an offer of the peer's and gave way (what `setRemoteDescription` does by itself in a browser). What it asked
    /// for is to be offered again when the state is stable.
    RolledBack,
    /// The peer refused our offer. What held before it holds on.
    OfferRejected,
    /// The peer took its offer back.
    OfferWithdrawn,
    /// A candidate of a description that holds: what `addIceCandidate` takes.
    Candidate(CandidateInit),
    /// No more candidates of this generation.
    EndOfCandidates {
        /// The generation, where the peer names it.
        ufrag: Option<String>,
        /// The media section; `None` for all.
        mid: Option<String>,
    },
    /// The peer could not use a message.
    PeerError {
        /// What was wrong.
        code: ErrorCode,
        /// In words.
        text: String,
    },
    /// The call is over, and not by [`Session::hang_up`](super::Session::hang_up). Another can begin.
    Ended(EndReason),
}

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
#[non_exhaustive]
pub enum Received {
    /// It was new and in its turn: it has had its effect.
    Taken,
    /// It came before its turn, and waits for what is missing.
    Early,
    /// It was known already, or belongs to a call that is over.
    Old,
    /// It does not fit; the sender is told, except where that could go back and forth without end.
    Refused,
    /// It is not for this session: from another participant, to another, or of the server.
    NotOurs,
    /// There is no room for it now. The peer repeats it.
    NoRoom,
}

/// What a caller did that cannot be done.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SessionError {
    /// Both ids are the same.
    SameParticipant,
    /// The number of the first call is 0 or above 2⁵².
    FirstCall,
    /// There is no call: [`Session::start`](super::Session::start) begins one.
    NoCall,
    /// There is a call already.
    InCall,
    /// The state has no transition for it (RFC 8829 §3.2). To offer, wait until it is stable.
    WrongState(SignalingState),
    /// The SDP is not valid, or does not answer the offer.
    Sdp(SdpError),
    /// Of username fragment and password only one is another than before (RFC 8839 §4.4.1.1.1).
    HalfRestart,
    /// The answer begins a new generation of ICE and its offer does not, or the other way round (RFC 8829 §5.10).
    RestartMismatch,
    /// A rollback is no description to set: see [`Session::reject_offer`](super::Session::reject_offer).
    Rollback,
    /// Too much is not acknowledged yet: wait, or hang up.
    Backlog,
    /// This member of a candidate is longer than may be sent.
    TooLong(&'static str),
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameParticipant => f.write_str("a participant does not call itself"),
            Self::FirstCall => f.write_str("the number of the first call is 1 to 2^52"),
            Self::NoCall => f.write_str("there is no call"),
            Self::InCall => f.write_str("there is a call already"),
            Self::WrongState(state) => write!(f, "not in the state {state}"),
            Self::Sdp(error) => error.fmt(f),
            Self::HalfRestart => f.write_str("a restart has another ufrag and another pwd"),
            Self::RestartMismatch => f.write_str("offer and answer restart ICE together, or not"),
            Self::Rollback => f.write_str("a rollback is not set but sent by reject_offer"),
            Self::TooLong(member) => write!(f, "{member} is longer than it may be"),
            Self::Backlog => f.write_str("too much is not acknowledged yet"),
        }
    }
}

impl std::error::Error for SessionError {}

impl From<SdpError> for SessionError {
    fn from(error: SdpError) -> Self {
        Self::Sdp(error)
    }
}

/// What a session counted.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// Messages sent, repetitions and acknowledgements included.
    pub sent: u64,
    /// Repetitions among them.
    pub repeated: u64,
    /// Messages that came again, or belonged to a call that is over.
    pub old: u64,
    /// Messages that came before their turn.
    pub early: u64,
    /// Messages that did not fit.
    pub refused: u64,
    /// Messages for which there was no room.
    pub no_room: u64,
    /// Offers of the peer's that met one of ours and were ignored.
    pub ignored_offers: u64,
    /// Candidates kept because their description is not there yet.
    pub held_candidates: u64,
    /// Candidates dropped: of an earlier generation, behind the end of theirs, or too many.
    pub dropped_candidates: u64,
}
