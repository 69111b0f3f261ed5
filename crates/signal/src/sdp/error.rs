//! What can be wrong with an SDP.

use std::fmt;

use floe_ice::candidate::{CredentialsError, DescriptionFault};

use super::Sdp;

/// Why a text is no [`Sdp`], or cannot be changed as asked.
///
/// ```
/// use floe_signal::sdp::Sdp;
///
/// let error = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio\r\n".parse::<Sdp>().err();
/// assert_eq!(error.map(|e| e.to_string()).as_deref(), Some("SDP line 5: m= is not well-formed"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SdpError {
    line: Option<usize>,
    fault: SdpFault,
}

impl SdpError {
    pub(crate) const fn at(line: usize, fault: SdpFault) -> Self {
        Self { line: Some(line), fault }
    }

    pub(crate) const fn whole(fault: SdpFault) -> Self {
        Self { line: None, fault }
    }

    /// The line at fault, counted from 1; `None` when it is the whole, or something is not there.
    #[must_use]
    pub const fn line(&self) -> Option<usize> {
        self.line
    }

    /// What is wrong.
    #[must_use]
    pub const fn fault(&self) -> &SdpFault {
        &self.fault
    }
}

/// What is wrong with an SDP.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SdpFault {
    /// More bytes than [`Sdp::MAX_LEN`].
    TooLong,
    /// More bytes in a line than [`Sdp::MAX_LINE`].
    LineTooLong,
    /// More lines than [`Sdp::MAX_LINES`].
    TooManyLines,
    /// More media sections than [`Sdp::MAX_SECTIONS`].
    TooManySections,
    /// The line is not a lower-case letter with `=` after it.
    NotALine,
    /// A character below U+0020 inside a line.
    ControlCharacter,
    /// The line stands where RFC 4566 §5 does not have it.
    Misplaced,
    /// What must be there is not: a line or an attribute.
    Missing(&'static str),
    /// The value of this line or attribute breaks its grammar.
    Malformed(&'static str),
    /// Two media sections have the same identification tag (RFC 5888 §4).
    DuplicateMid,
    /// Two media sections have the same `ice-ufrag` and not the same `ice-pwd` (RFC 8839 §5.4).
    TwoPasswords,
    /// `ice-ufrag` or `ice-pwd` is not valid.
    Credentials(CredentialsError),
    /// Another attribute of ICE is not valid.
    Ice(DescriptionFault),
    /// There is no media section of that number.
    NoSuchSection,
    /// The offer has no media section for a data channel that could be accepted.
    NoDataChannel,
    /// An answer has other media sections than its offer (RFC 8829 §5.8.3).
    NotTheOfferedSections,
}

impl fmt::Display for SdpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "SDP line {line}: ")?,
            None => f.write_str("SDP: ")?,
        }
        match &self.fault {
            SdpFault::TooLong => write!(f, "more than {} bytes", Sdp::MAX_LEN),
            SdpFault::LineTooLong => write!(f, "more than {} bytes in a line", Sdp::MAX_LINE),
            SdpFault::TooManyLines => write!(f, "more than {} lines", Sdp::MAX_LINES),
            SdpFault::TooManySections => write!(f, "more than {} media sections", Sdp::MAX_SECTIONS),
            SdpFault::NotALine => f.write_str("not a letter and \"=\""),
            SdpFault::ControlCharacter => f.write_str("a control character"),
            SdpFault::Misplaced => f.write_str("a line of this type does not belong here"),
            SdpFault::Missing(what) => write!(f, "{what} is missing"),
            SdpFault::Malformed(what) => write!(f, "{what} is not well-formed"),
            SdpFault::DuplicateMid => f.write_str("another media section has this mid"),
            SdpFault::TwoPasswords => f.write_str("another section has this ice-ufrag and another ice-pwd"),
            SdpFault::Credentials(error) => error.fmt(f),
            // Says what is wrong and, alone, no line.
            SdpFault::Ice(fault) => write!(f, "{}", IceFault(fault)),
            SdpFault::NoSuchSection => f.write_str("there is no media section of that number"),
            SdpFault::NoDataChannel => f.write_str("no media section for a data channel is offered"),
            SdpFault::NotTheOfferedSections => f.write_str("not the media sections of the offer"),
        }
    }
}

impl std::error::Error for SdpError {}

/// A fault of ICE's part in words.
struct IceFault<'a>(&'a DescriptionFault);

impl fmt::Display for IceFault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            DescriptionFault::Candidate(error) => error.fmt(f),
            DescriptionFault::Credentials(error) => error.fmt(f),
            DescriptionFault::TooManyCandidates => f.write_str("too many candidates"),
            DescriptionFault::MissingCredential(_) => {
                f.write_str("of ice-ufrag and ice-pwd only one is there")
            }
            DescriptionFault::Pacing => f.write_str("ice-pacing is not well-formed"),
            DescriptionFault::RemoteCandidates => f.write_str("remote-candidates is not well-formed"),
            _ => f.write_str("an attribute of ICE is not well-formed"),
        }
    }
}
