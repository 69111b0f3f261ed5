//! What travels between a participant and the signalling server, and through it to the peer: JSON, one message each.
//!
//! An [`Envelope`] says who sends to whom and carries one [`Message`]. [`Envelope::from_json`] reads what a page writes
//! by hand, [`Envelope::to_json`] writes what a page reads with `JSON.parse`; the descriptions and candidates in them are what
//! `JSON.stringify` makes of a browser's own objects. The table of messages is in the [crate documentation](crate).
//!
//! ```
//! use floe_signal::message::{Envelope, Message};
//!
//! let text = r#"{"v":1,"type":"description","from":"bob","to":"alice","call":7,"seq":2,"ack":1,
//!     "description":{"type":"rollback","sdp":""}}"#;
//! let envelope = Envelope::from_json(text)?;
//! assert_eq!(envelope.from.as_ref().map(|id| id.as_str()), Some("bob"));
//! assert!(matches!(envelope.message, Message::Description(_)));
//! assert_eq!(Envelope::from_json(&envelope.to_json())?, envelope);
//! # Ok::<(), floe_signal::message::MessageError>(())
//! ```

mod code;
mod error;
mod id;
mod read;
mod scan;
mod server;
#[cfg(test)]
mod tests;
mod wire;

use std::fmt;

use floe_ice::candidate::CandidateInit;
use serde::{Deserialize, Serialize};

pub use code::{EndReason, ErrorCode};
pub use error::MessageError;
pub use id::ParticipantId;
pub(crate) use read::too_long;
pub use server::{IceServer, Join, Participant, Welcome};

/// The version of the protocol, which every message carries as `v`.
pub const VERSION: u64 = 1;

/// The longest message that is read, in bytes: the longest SDP, in which each byte may need an escape, and some more.
pub const MAX_MESSAGE: usize = 2 * crate::sdp::Sdp::MAX_LEN + 64 * 1024;

/// The longest candidate line, name, room, token or text that is read, in bytes.
pub const MAX_TEXT: usize = 4096;

/// The longest identification tag and username fragment of a candidate that is read, in bytes (RFC 8839 §5.4 has 256 for the latter).
pub const MAX_TAG: usize = 256;

/// The largest integer that JavaScript has exactly (2⁵³ − 1): the limit of every number in a message.
pub const MAX_NUMBER: u64 = (1 << 53) - 1;

/// A message with its addresses.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Envelope {
    /// Who sends it. The server puts it there, so that nobody can speak for another.
    pub from: Option<ParticipantId>,
    /// Who is to get it; absent when it is for the server.
    pub to: Option<ParticipantId>,
    /// Which call of the sender's it belongs to: a number that grows with every call of this participant, and over reloads. The time
    /// in milliseconds does.
    pub call: Option<u64>,
    /// The receiver's call that the sender takes part in, as far as it knows one.
    pub re: Option<u64>,
    /// The number of the message within its call, from 1, for the messages that are repeated until they are acknowledged.
    pub seq: Option<u64>,
    /// The last `seq` of the other side's call that arrived with all before it; 0 or absent for none.
    pub ack: Option<u64>,
    /// The message.
    pub message: Message,
}

impl Envelope {
    /// A message without any address.
    #[must_use]
    pub const fn new(message: Message) -> Self {
        Self { from: None, to: None, call: None, re: None, seq: None, ack: None, message }
    }

    /// To a participant.
    #[must_use]
    pub fn to(mut self, to: ParticipantId) -> Self {
        self.to = Some(to);
        self
    }

    /// From a participant: what a server does with each message before it passes it on.
    #[must_use]
    pub fn from(mut self, from: ParticipantId) -> Self {
        self.from = Some(from);
        self
    }
}

/// One message.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Message {
    /// `join`, to the server: enter a room.
    Join(Join),
    /// `welcome`, from the server: you are in.
    Welcome(Welcome),
    /// `joined`, from the server: someone else is in, or is back.
    Joined(Participant),
    /// `left`, from the server: someone is out, and will not resume.
    Left(ParticipantId),
    /// `start`, to the peer: a call begins. Always the first message of one.
    Start,
    /// `end`, to the peer: hang up.
    End(EndReason),
    /// `description`, to the peer: an offer or an answer.
    Description(SessionDescription),
    /// `candidate`, to the peer: one more candidate, or with an empty line (and for `null`) no more.
    Candidate(CandidateInit),
    /// `ack`, to the peer: nothing to say but `ack`.
    Ack,
    /// `error`, to whoever sent what could not be used.
    Error {
        /// What was wrong.
        code: ErrorCode,
        /// In words, for a person who looks into it.
        text: String,
        /// The `seq` of the message at fault.
        about: Option<u64>,
    },
    /// `ping`, between participant and server: are you there?
    Ping,
    /// `pong`: the answer.
    Pong,
}

impl Message {
    /// The `type` of the message.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Join(_) => "join",
            Self::Welcome(_) => "welcome",
            Self::Joined(_) => "joined",
            Self::Left(_) => "left",
            Self::Start => "start",
            Self::End(_) => "end",
            Self::Description(_) => "description",
            Self::Candidate(_) => "candidate",
            Self::Ack => "ack",
            Self::Error { .. } => "error",
            Self::Ping => "ping",
            Self::Pong => "pong",
        }
    }

    /// Whether it has a number of its own and is repeated until it is acknowledged.
    #[must_use]
    pub const fn is_sequenced(&self) -> bool {
        matches!(self, Self::Start | Self::End(_) | Self::Description(_) | Self::Candidate(_))
    }

    /// Whether it belongs to a call, and is not the server's.
    #[must_use]
    pub const fn is_of_a_call(&self) -> bool {
        self.is_sequenced() || matches!(self, Self::Ack | Self::Error { .. })
    }
}

/// A description as browsers give and take it: `RTCSessionDescriptionInit`.
///
/// Printed for debugging, only the size of the SDP shows: there is a password in it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionDescription {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: DescriptionType,
    /// The SDP; empty for a rollback.
    #[serde(default)]
    pub sdp: String,
}

impl SessionDescription {
    /// An offer.
    #[must_use]
    pub fn offer(sdp: impl Into<String>) -> Self {
        Self { kind: DescriptionType::Offer, sdp: sdp.into() }
    }

    /// A final answer.
    #[must_use]
    pub fn answer(sdp: impl Into<String>) -> Self {
        Self { kind: DescriptionType::Answer, sdp: sdp.into() }
    }

    /// A provisional answer.
    #[must_use]
    pub fn pranswer(sdp: impl Into<String>) -> Self {
        Self { kind: DescriptionType::Pranswer, sdp: sdp.into() }
    }

    /// The refusal of an offer: both sides go back to what held before it (RFC 8829 §4.1.10.2).
    #[must_use]
    pub const fn rollback() -> Self {
        Self { kind: DescriptionType::Rollback, sdp: String::new() }
    }
}

impl fmt::Debug for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({} bytes)", self.kind, self.sdp.len())
    }
}

/// The type of a description (RFC 8829 §4.1.10).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DescriptionType {
    /// `offer`.
    Offer,
    /// `answer`: final.
    Answer,
    /// `pranswer`: provisional, a final one follows.
    Pranswer,
    /// `rollback`: the offer that is under way is void.
    Rollback,
}
