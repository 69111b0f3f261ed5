//! Words with a meaning: why a call ends, and what was wrong with a message.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest word of someone else's that is kept.
const MAX_WORD: usize = 64;

/// At most `max` bytes of the beginning of `text`, in whole characters.
pub(super) fn cut(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or_default()]
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$word_doc])* $variant,)*
            /// Another word, as it came; cut after 64 bytes.
            Other(Box<str>),
        }

        impl $name {
            /// The word in a message.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)*
                    other => Self::Other(cut(other, MAX_WORD).into()),
                }
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                Self::from(word.as_str())
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                word.as_str().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// Why a call ended.
    EndReason {
        /// Someone hung up.
        HangUp = "hang-up",
        /// The called side does not want to.
        Declined = "declined",
        /// The called side is in another call.
        Busy = "busy",
        /// An offer was not answered in time.
        Timeout = "timeout",
        /// The peer began another call: it called again, or its page was loaded again.
        Replaced = "replaced",
        /// The peer knows nothing of this call any more.
        Unknown = "unknown-call",
        /// The peer left the room.
        Left = "left",
        /// Nothing that was sent is acknowledged any more.
        Unreachable = "unreachable",
        /// The way to the signalling server was lost for too long.
        TransportLost = "transport-lost",
        /// Something on this side failed.
        Failed = "failed",
    }
}

words! {
    /// What was wrong with a message.
    ErrorCode {
        /// It is no JSON, or not of the form that its type has.
        Malformed = "malformed",
        /// It is longer, deeper or has more in it than is taken.
        TooLarge = "too-large",
        /// Its version is not spoken here.
        Version = "version",
        /// Its type is not known here.
        UnknownType = "unknown-type",
        /// A description that the signalling state does not have a transition for (RFC 8829 §3.2).
        WrongState = "wrong-state",
        /// A description whose SDP is not valid, or that does not answer the offer.
        InvalidDescription = "invalid-description",
        /// A candidate that is none.
        InvalidCandidate = "invalid-candidate",
        /// There is no such call here.
        UnknownCall = "unknown-call",
        /// There is no such participant.
        UnknownParticipant = "unknown-participant",
        /// The token is not accepted.
        Unauthorized = "unauthorized",
        /// Someone in the room has the name.
        NameTaken = "name-taken",
        /// The room takes no more participants.
        RoomFull = "room-full",
        /// Too many messages.
        RateLimited = "rate-limited",
        /// Something failed where the message was handled.
        Internal = "internal",
    }
}
