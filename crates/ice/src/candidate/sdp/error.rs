//! What can be wrong with a description.

use core::fmt;

use super::Description;
use crate::candidate::{CandidateParseError, CredentialsError, CredentialsField};

/// Why a text is no [`Description`].
///
/// ```
/// use floe_ice::candidate::Description;
///
/// let error = "a=ice-ufrag:8hhY\r\na=ice-pwd:short\r\n".parse::<Description>().err();
/// let text = error.map(|error| error.to_string());
/// assert_eq!(text.as_deref(), Some("line 2: ice-pwd has less than 22 characters"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DescriptionError {
    line: Option<usize>,
    fault: DescriptionFault,
}

impl DescriptionError {
    pub(super) const fn at(line: usize, fault: DescriptionFault) -> Self {
        Self { line: Some(line), fault }
    }

    pub(super) const fn missing(fault: DescriptionFault) -> Self {
        Self { line: None, fault }
    }

    /// The line at fault, counted from 1; `None` when something is not there.
    #[must_use]
    pub const fn line(&self) -> Option<usize> {
        self.line
    }

    /// What is wrong.
    #[must_use]
    pub const fn fault(&self) -> &DescriptionFault {
        &self.fault
    }
}

impl fmt::Display for DescriptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        match &self.fault {
            DescriptionFault::Candidate(error) => error.fmt(f),
            DescriptionFault::TooManyCandidates => {
                write!(f, "more than {} candidates", Description::MAX_CANDIDATES)
            }
            DescriptionFault::Credentials(error) => error.fmt(f),
            DescriptionFault::MissingCredential(CredentialsField::Ufrag) => {
                f.write_str("there is an ice-pwd but no ice-ufrag")
            }
            DescriptionFault::MissingCredential(CredentialsField::Pwd) => {
                f.write_str("there is an ice-ufrag but no ice-pwd")
            }
            DescriptionFault::Pacing => f.write_str("ice-pacing is not 1 to 10 digits"),
            DescriptionFault::RemoteCandidates => f.write_str(
                "remote-candidates is not a list of component id, IP address and port, each component once",
            ),
            DescriptionFault::NoSuchSection => f.write_str("there is no media section of that number"),
        }
    }
}

// The text already says what a source would.
impl core::error::Error for DescriptionError {}

/// What is wrong with a description.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DescriptionFault {
    /// A candidate line is malformed.
    Candidate(CandidateParseError),
    /// There are more candidates than [`Description::MAX_CANDIDATES`].
    TooManyCandidates,
    /// The username fragment or the password is not valid.
    Credentials(CredentialsError),
    /// One of username fragment and password is there, but not this one.
    MissingCredential(CredentialsField),
    /// `ice-pacing` is not a number (RFC 8839 §5.5).
    Pacing,
    /// `remote-candidates` is malformed (RFC 8839 §5.2).
    RemoteCandidates,
    /// The text has fewer media sections.
    NoSuchSection,
}
