//! Lines with their ends, and attributes in them.

use std::fmt;

use super::{Sdp, SdpError, SdpFault};

/// One line.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Without its end.
    pub(super) text: Box<str>,
    end: &'static str,
}

impl Line {
    /// A line of ours, which ends as RFC 8866 §5 has it.
    pub(super) fn new(text: impl Into<Box<str>>) -> Self {
        Self { text: text.into(), end: CRLF }
    }

    /// `m` of `m=audio 9 …`.
    pub(super) fn kind(&self) -> char {
        self.text.chars().next().unwrap_or_default()
    }

    /// What stands behind the `=`.
    pub(super) fn value(&self) -> &str {
        self.text.get(2..).unwrap_or_default()
    }

    /// With this text instead of its own.
    pub(super) fn set(&mut self, text: String) {
        self.text = text.into();
    }

    /// A last line may have come without an end, and another follows it now.
    pub(super) fn terminate(&mut self) {
        if self.end.is_empty() {
            self.end = CRLF;
        }
    }
}

const CRLF: &str = "\r\n";

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        f.write_str(self.end)
    }
}

/// Takes a text apart, within the limits. Each line is a letter and `=`, except for empty ones at the end, which
/// text that went through a form or a file often has.
pub(super) fn split(text: &str) -> Result<Vec<Line>, SdpError> {
    if text.len() > Sdp::MAX_LEN {
        return Err(SdpError::whole(SdpFault::TooLong));
    }
    let mut lines = Vec::new();
    for (number, raw) in (1..).zip(text.split_inclusive('\n')) {
        if number > Sdp::MAX_LINES {
            return Err(SdpError::at(number, SdpFault::TooManyLines));
        }
        let (content, end) = if let Some(content) = raw.strip_suffix(CRLF) {
            (content, CRLF)
        } else if let Some(content) = raw.strip_suffix('\n') {
            (content, "\n")
        } else {
            (raw, "")
        };
        check(content).map_err(|fault| SdpError::at(number, fault))?;
        lines.push(Line { text: content.into(), end });
    }
    let used = lines.iter().rposition(|line| !line.text.is_empty()).map_or(0, |last| last + 1);
    match lines.iter().take(used).position(|line| line.text.is_empty()) {
        Some(empty) => Err(SdpError::at(empty + 1, SdpFault::NotALine)),
        None => Ok(lines),
    }
}

fn check(line: &str) -> Result<(), SdpFault> {
    if line.len() > Sdp::MAX_LINE {
        return Err(SdpFault::LineTooLong);
    }
    if line.bytes().any(|byte| byte < 0x20 && byte != b'\t') {
        return Err(SdpFault::ControlCharacter);
    }
    match line.as_bytes() {
        [] => Ok(()),
        [b'a'..=b'z', b'=', ..] => Ok(()),
        _ => Err(SdpFault::NotALine),
    }
}

/// The value of the attribute `name`, empty for a flag. Names are compared without case, as RFC 8840 §9.2 asks.
pub(super) fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (found, value) = split_attribute(line)?;
    found.eq_ignore_ascii_case(name).then_some(value)
}

/// Name and value of an attribute.
pub(super) fn split_attribute(line: &str) -> Option<(&str, &str)> {
    let attribute = line.strip_prefix("a=")?;
    Some(attribute.split_once(':').map_or((attribute, ""), |(name, value)| (name, value.trim_matches(' '))))
}
