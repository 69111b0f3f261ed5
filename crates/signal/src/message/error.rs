//! What can be wrong with a message.

use std::fmt;

use super::{ErrorCode, MAX_MESSAGE, MAX_NUMBER, VERSION, scan};

/// Why a text is no message.
///
/// ```
/// use floe_signal::message::{Envelope, ErrorCode};
///
/// let error = Envelope::from_json(r#"{"v":1,"type":"left"}"#).err().ok_or("no id")?;
/// assert_eq!(error.to_string(), "a message of type \"left\" has a member \"id\", and this one does not");
/// assert_eq!(error.code(), ErrorCode::Malformed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum MessageError {
    /// More bytes than [`MAX_MESSAGE`].
    TooLong,
    /// Objects and lists more than 8 deep.
    TooDeep {
        /// Where, in bytes from the beginning.
        at: usize,
    },
    /// More than 8192 values.
    TooMany {
        /// Where, in bytes from the beginning.
        at: usize,
    },
    /// The text is no JSON, or a member has a value of another type.
    Json {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        what: String,
    },
    /// Another version than [`VERSION`].
    Version(u64),
    /// A `type` that is not known, cut after 64 bytes.
    UnknownType(String),
    /// A message of this type has a member that is not there.
    Missing {
        /// The `type`.
        of: &'static str,
        /// The member.
        member: &'static str,
    },
    /// A number above [`MAX_NUMBER`], or a `call` or `seq` of 0.
    OutOfRange(&'static str),
    /// A text or list that is longer than it may be.
    MemberTooLong(&'static str),
}

impl MessageError {
    /// What the sender is told.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::TooLong | Self::TooDeep { .. } | Self::TooMany { .. } | Self::MemberTooLong(_) => {
                ErrorCode::TooLarge
            }
            Self::Version(_) => ErrorCode::Version,
            Self::UnknownType(_) => ErrorCode::UnknownType,
            Self::Json { .. } | Self::Missing { .. } | Self::OutOfRange(_) => ErrorCode::Malformed,
        }
    }
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "a message of more than {MAX_MESSAGE} bytes"),
            Self::TooDeep { at } => write!(f, "byte {at}: more than {} levels", scan::MAX_DEPTH),
            Self::TooMany { at } => write!(f, "byte {at}: more than {} values", scan::MAX_VALUES),
            Self::Json { line, column, what } => write!(f, "line {line}, column {column}: {what}"),
            Self::Version(version) => {
                write!(f, "version {version} of the protocol, where {VERSION} is spoken")
            }
            Self::UnknownType(name) => write!(f, "a message of type {name:?}, which is not known"),
            Self::Missing { of, member } => {
                write!(f, "a message of type \"{of}\" has a member \"{member}\", and this one does not")
            }
            Self::OutOfRange(member) => {
                write!(f, "\"{member}\" is 0 or not an integer that JavaScript has exactly ({MAX_NUMBER})")
            }
            Self::MemberTooLong(member) => write!(f, "\"{member}\" is longer than it may be"),
        }
    }
}

impl std::error::Error for MessageError {}
