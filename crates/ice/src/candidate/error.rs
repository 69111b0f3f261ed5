//! What can be wrong with a candidate line.

use alloc::boxed::Box;
use core::fmt;

use super::mdns::MdnsCandidate;

/// Why a line is no [`Candidate`](super::Candidate).
///
/// Only [`Malformed`](Self::Malformed) is a fault of the peer. A line with something unknown in it must be ignored (RFC 8839
/// §5.1): [`is_ignorable`](Self::is_ignorable).
///
/// ```
/// use floe_ice::candidate::{Candidate, CandidateField, CandidateParseError, FieldProblem};
///
/// let error = "candidate:1 0 UDP 1 192.0.2.1 5000 typ host".parse::<Candidate>().err();
/// assert_eq!(
///     error,
///     Some(CandidateParseError::Malformed {
///         field: CandidateField::Component,
///         problem: FieldProblem::OutOfRange,
///     })
/// );
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CandidateParseError {
    /// The line breaks the grammar: the first field that does, and how.
    Malformed {
        /// The field.
        field: CandidateField,
        /// What is wrong with it.
        problem: FieldProblem,
    },
    /// The line may be right, but means something that is not supported here.
    Unsupported(Unsupported),
    /// The address is an mDNS name; it becomes a candidate when the name is resolved.
    Mdns(Box<MdnsCandidate>),
}

impl CandidateParseError {
    pub(super) const fn malformed(field: CandidateField, problem: FieldProblem) -> Self {
        Self::Malformed { field, problem }
    }

    /// Whether the line is to be passed over rather than reported: everything but [`Malformed`](Self::Malformed).
    #[must_use]
    pub const fn is_ignorable(&self) -> bool {
        !matches!(self, Self::Malformed { .. })
    }
}

impl fmt::Display for CandidateParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { field, problem } => {
                write!(f, "candidate line: the {} {}", field.name(), problem.describe())?;
                match (problem, field.limits()) {
                    (
                        FieldProblem::OutOfRange | FieldProblem::TooLong | FieldProblem::Syntax,
                        Some(limits),
                    ) => {
                        write!(f, " ({limits})")
                    }
                    _ => Ok(()),
                }
            }
            Self::Unsupported(what) => write!(f, "candidate line: {} is not supported", what.name()),
            Self::Mdns(candidate) => {
                write!(
                    f,
                    "candidate line: the address is the mDNS name {}, to be resolved first",
                    candidate.name()
                )
            }
        }
    }
}

impl core::error::Error for CandidateParseError {}

/// A part of a candidate line (RFC 8839 §5.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CandidateField {
    /// The whole line.
    Line,
    /// The foundation.
    Foundation,
    /// The component id.
    Component,
    /// The transport.
    Transport,
    /// The priority.
    Priority,
    /// The connection address.
    Address,
    /// The port.
    Port,
    /// The keyword `typ`.
    Typ,
    /// The candidate type.
    Kind,
    /// The value of the `tcptype` extension (RFC 6544 §4.5).
    TcpType,
    /// The name of an extension.
    ExtensionName,
    /// The value of an extension.
    ExtensionValue,
}

impl CandidateField {
    const fn name(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Foundation => "foundation",
            Self::Component => "component id",
            Self::Transport => "transport",
            Self::Priority => "priority",
            Self::Address => "address",
            Self::Port => "port",
            Self::Typ => "keyword \"typ\"",
            Self::Kind => "candidate type",
            Self::TcpType => "tcptype",
            Self::ExtensionName => "name of an extension",
            Self::ExtensionValue => "value of an extension",
        }
    }

    /// What the field may hold, where that is short to say.
    const fn limits(self) -> Option<&'static str> {
        match self {
            Self::Line => Some("at most 4096 bytes"),
            Self::Foundation => Some("1 to 32 letters, digits, \"+\" or \"/\""),
            Self::Component => Some("1 to 256"),
            Self::Priority => Some("1 to 2147483647"),
            Self::Port => Some("0 to 65535"),
            _ => None,
        }
    }
}

/// What is wrong with a part of a candidate line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FieldProblem {
    /// The line ends before it, or has two spaces where it should be.
    Missing,
    /// It has characters or a form that it may not have.
    Syntax,
    /// It is a number outside its range.
    OutOfRange,
    /// It is longer than it may be.
    TooLong,
    /// It is a name with a meaning of its own, which cannot be given to an extension.
    Reserved,
}

impl FieldProblem {
    const fn describe(self) -> &'static str {
        match self {
            Self::Missing => "is missing",
            Self::Syntax => "is not well-formed",
            Self::OutOfRange => "is out of range",
            Self::TooLong => "is too long",
            Self::Reserved => "is reserved",
        }
    }
}

/// What a candidate line has that is not supported (RFC 8839 §5.1: such a line is ignored).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Unsupported {
    /// A transport other than UDP and TCP.
    Transport,
    /// A candidate type other than host, srflx, prflx and relay.
    Kind,
    /// A `tcptype` other than active, passive and so.
    TcpType,
    /// A domain name as the address.
    DomainName,
}

impl Unsupported {
    const fn name(self) -> &'static str {
        match self {
            Self::Transport => "the transport",
            Self::Kind => "the candidate type",
            Self::TcpType => "the tcptype",
            Self::DomainName => "a domain name as address",
        }
    }
}
