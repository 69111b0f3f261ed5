//! Printing candidate lines, and the extension pairs at their end (RFC 8839 §5.1, RFC 6544 §4.5).

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt::{self, Display};

use super::error::{CandidateField, CandidateParseError, FieldProblem};
use super::parse::MAX_LINE;
use super::{Candidate, Transport};

impl Display for Candidate {
    /// The line from `candidate:` on, without `a=`. Zone ids are never printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_line(f, self, &self.address.ip())
    }
}

/// The line of `candidate` with `address` in the place of its own.
pub(super) fn write_line(
    f: &mut fmt::Formatter<'_>,
    candidate: &Candidate,
    address: &dyn Display,
) -> fmt::Result {
    let protocol = candidate.transport.protocol();
    let transport =
        if candidate.lowercase_transport { protocol.as_lowercase_str() } else { protocol.as_str() };
    write!(
        f,
        "candidate:{} {} {transport} {} {address} {} typ {}",
        candidate.foundation,
        candidate.component,
        candidate.priority,
        candidate.address.port(),
        candidate.kind,
    )?;
    if let Some(related) = candidate.related_address() {
        write!(f, " raddr {} rport {}", related.ip(), related.port())?;
    }
    if let Transport::Tcp(direction) = candidate.transport {
        // RFC 6544 §4.5: before all other extensions.
        write!(f, " tcptype {direction}")?;
    }
    match candidate.raw_extensions() {
        "" => Ok(()),
        extensions => write!(f, " {extensions}"),
    }
}

/// The (name, value) pairs of `name SP value SP name SP value…`.
pub(super) fn pairs(extensions: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut tokens = extensions.split(' ');
    core::iter::from_fn(move || match (tokens.next(), tokens.next()) {
        (Some(name), Some(value)) => Some((name, value)),
        _ => None,
    })
}

/// `extensions` with `name value` in place of the pair of that name, or at the end.
pub(super) fn with_pair(extensions: &str, name: &str, value: &str) -> Result<Box<str>, CandidateParseError> {
    let malformed = |field, problem| Err(CandidateParseError::malformed(field, problem));
    if name.is_empty() {
        return malformed(CandidateField::ExtensionName, FieldProblem::Missing);
    }
    if !is_visible(name) {
        return malformed(CandidateField::ExtensionName, FieldProblem::Syntax);
    }
    if ["tcptype", "raddr", "rport"].iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
        return malformed(CandidateField::ExtensionName, FieldProblem::Reserved);
    }
    if !is_visible(value) {
        return malformed(CandidateField::ExtensionValue, FieldProblem::Syntax);
    }
    let mut out = String::with_capacity(extensions.len() + name.len() + value.len() + 2);
    let mut placed = false;
    for (known, old) in pairs(extensions) {
        let replaced = !placed && known.eq_ignore_ascii_case(name);
        placed |= replaced;
        push_pair(&mut out, known, if replaced { value } else { old });
    }
    if !placed {
        push_pair(&mut out, name, value);
    }
    if out.len() > MAX_LINE - MAX_FIXED_PART {
        return malformed(CandidateField::Line, FieldProblem::TooLong);
    }
    Ok(out.into_boxed_str())
}

/// More than the longest line without extensions: a foundation, two IPv6 addresses, numbers and keywords.
const MAX_FIXED_PART: usize = 256;

pub(super) fn push_pair(out: &mut String, name: &str, value: &str) {
    if !out.is_empty() {
        out.push(' ');
    }
    out.push_str(name);
    out.push(' ');
    out.push_str(value);
}

/// `*VCHAR`: only visible ASCII characters, possibly none (RFC 5234 B.1).
pub(super) fn is_visible(token: &str) -> bool {
    token.bytes().all(|byte| byte.is_ascii_graphic())
}
