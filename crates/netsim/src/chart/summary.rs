//! A packet in a few words.

use std::fmt;

use floe_stun::attributes::{
    ErrorCode, IceControlled, IceControlling, Nomination, Priority, UseCandidate, XorMappedAddress,
};
use floe_stun::{Class, DecodeError, Message, Method, PacketKind, classify};

/// Bytes of text shown at most.
const MAX_TEXT: usize = 90;

/// What a UDP payload is, in a few words: for a STUN message its method, class, the last digits of its transaction id, and
/// what ICE put into it.
///
/// ```
/// use floe_netsim::Summary;
///
/// assert_eq!(Summary(b"\x80hello").to_string(), "RTP or RTCP, 6 B");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a>(pub &'a [u8]);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.0.len();
        match classify(self.0) {
            PacketKind::Stun => match Message::parse(self.0) {
                Ok(message) => stun(f, &message).unwrap_or_else(|error| write!(f, "(bad STUN: {error})")),
                Err(_) => write!(f, "{len} B"),
            },
            PacketKind::TurnChannel => write!(f, "TURN channel, {len} B"),
            PacketKind::Dtls => write!(f, "DTLS, {len} B"),
            PacketKind::Rtp => write!(f, "RTP or RTCP, {len} B"),
            _ if self.0.is_empty() => f.write_str("0 B"),
            _ if self.0.iter().all(|byte| (0x20..0x7F).contains(byte)) => {
                write!(f, "{} B {}", len, Text(self.0))
            }
            _ => write!(f, "{len} B"),
        }
    }
}

/// The outer error is the writer's, the inner one the message's.
fn stun(f: &mut fmt::Formatter<'_>, message: &Message<'_>) -> Result<fmt::Result, DecodeError> {
    let [.., high, low] = *message.transaction_id().as_bytes();
    let class = match message.class() {
        Class::Request => "request",
        Class::Indication => "indication",
        Class::Success => "success",
        _ => "error",
    };
    let error = message.get::<ErrorCode<'_>>()?;
    let role = match (message.get::<IceControlling>()?, message.get::<IceControlled>()?) {
        (Some(_), _) => " controlling",
        (None, Some(_)) => " controlled",
        (None, None) => "",
    };
    let nominate = if message.get::<UseCandidate>()?.is_some() { " USE-CANDIDATE" } else { "" };
    let nomination = message.get::<Nomination>()?;
    let priority = message.get::<Priority>()?;
    let mapped = message.get::<XorMappedAddress>()?;
    let mut write = || {
        match message.method() {
            Method::BINDING => write!(f, "Binding {class}")?,
            method => write!(f, "{method} {class}")?,
        }
        if let Some(error) = error {
            write!(f, " {}", error.code())?;
        }
        write!(f, " #{high:02x}{low:02x}{role}{nominate}")?;
        if let Some(nomination) = nomination {
            write!(f, " NOMINATION {}", nomination.value())?;
        }
        if let Some(priority) = priority {
            write!(f, " prio {}", priority.0)?;
        }
        if let Some(mapped) = mapped {
            write!(f, " mapped {}", mapped.0)?;
        }
        Ok(())
    };
    Ok(write())
}

/// Text for one line of a terminal: what cannot be printed is a dot, and there is an end to it.
pub(super) struct Text<'a>(pub(super) &'a [u8]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(self.0);
        let mut rest = text.chars();
        for c in rest.by_ref().take(MAX_TEXT) {
            let c = if c.is_control() || c == char::REPLACEMENT_CHARACTER { '.' } else { c };
            write!(f, "{c}")?;
        }
        match rest.next() {
            Some(_) => f.write_str("..."),
            None => Ok(()),
        }
    }
}
