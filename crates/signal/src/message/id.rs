//! Names for participants that the server gives.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The id of a participant: 1 to 64 letters, digits, `-` and `_`, given by the server, and unique in it.
///
/// Two participants may have the same name, and never the same id. Ids are compared as text, which for these characters
/// gives the same order in Rust and in JavaScript: who is polite hangs on that.
///
/// ```
/// use floe_signal::message::ParticipantId;
///
/// let id = ParticipantId::new("p-7").ok_or("an id")?;
/// assert_eq!(id.as_str(), "p-7");
/// assert!(ParticipantId::new("no spaces").is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ParticipantId(Box<str>);

/// The longest id.
const MAX_LEN: usize = 64;

impl ParticipantId {
    /// An id, or `None` when the text has a wrong length or another character.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=MAX_LEN).contains(&text.len());
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (fits && text.bytes().all(allowed)).then(|| Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ParticipantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ParticipantId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text).ok_or("an id is 1 to 64 letters, digits, \"-\" and \"_\"")
    }
}

impl From<ParticipantId> for String {
    fn from(id: ParticipantId) -> Self {
        id.0.into()
    }
}
