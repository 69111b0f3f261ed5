//! Reading and writing an envelope.

use std::borrow::Cow;

use floe_ice::candidate::CandidateInit;

use super::code::cut;
use super::wire::Wire;
use super::{
    EndReason, Envelope, Join, MAX_MESSAGE, MAX_NUMBER, MAX_TAG, MAX_TEXT, Message, MessageError,
    Participant, VERSION, Welcome, scan,
};
use crate::sdp::Sdp;

/// How much is kept of a type that is not known, and of what serde says, in bytes.
const MAX_TYPE: usize = 64;
const MAX_WORDS: usize = 200;

impl Envelope {
    /// Reads a message. Members that are not known are passed over.
    ///
    /// # Errors
    ///
    /// A [`MessageError`] that says what is wrong and where.
    pub fn from_json(json: &str) -> Result<Self, MessageError> {
        if json.len() > MAX_MESSAGE {
            return Err(MessageError::TooLong);
        }
        scan::check(json)?;
        let wire: Wire<'_> = serde_json::from_str(json).map_err(|error| MessageError::Json {
            line: error.line(),
            column: error.column(),
            what: what(&error),
        })?;
        let version = wire.v.ok_or(MessageError::Missing { of: "any", member: "v" })?;
        if version != VERSION {
            return Err(MessageError::Version(version));
        }
        check_numbers(&wire)?;
        check_lengths(&wire)?;
        message(wire)
    }

    /// Writes the message. It can be read when its SDP, texts and lists are within their limits.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut wire = members(&self.message);
        wire.v = Some(VERSION);
        wire.kind = Some(self.message.name().into());
        wire.from = self.from.as_ref().map(Cow::Borrowed);
        wire.to = self.to.as_ref().map(Cow::Borrowed);
        wire.call = self.call;
        wire.re = self.re;
        wire.seq = self.seq;
        wire.ack = self.ack;
        // Strings and numbers only: nothing here can fail to be JSON.
        serde_json::to_string(&wire).unwrap_or_default()
    }
}

/// serde's words, without the place that they end with.
fn what(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let words = text.rsplit_once(" at line ").map_or(text.as_str(), |(words, _)| words);
    cut(words, MAX_WORDS).to_owned()
}

fn check_numbers(wire: &Wire<'_>) -> Result<(), MessageError> {
    let numbers = [
        ("call", wire.call, 1),
        ("re", wire.re, 1),
        ("seq", wire.seq, 1),
        ("ack", wire.ack, 0),
        ("about", wire.about, 1),
    ];
    match numbers.iter().find(|(_, value, min)| value.is_some_and(|n| n < *min || n > MAX_NUMBER)) {
        Some((member, ..)) => Err(MessageError::OutOfRange(member)),
        None => Ok(()),
    }
}

fn check_lengths(wire: &Wire<'_>) -> Result<(), MessageError> {
    let texts = [
        ("room", &wire.room),
        ("name", &wire.name),
        ("token", &wire.token),
        ("resume", &wire.resume),
        ("text", &wire.text),
    ];
    if let Some((member, _)) =
        texts.iter().find(|(_, text)| text.as_ref().is_some_and(|t| t.len() > MAX_TEXT))
    {
        return Err(MessageError::MemberTooLong(member));
    }
    let participants = wire.participants.as_ref().map_or(0, |list| list.len());
    let servers = wire.ice_servers.as_ref().map_or(0, |list| list.len());
    if participants > Welcome::MAX_LIST {
        Err(MessageError::MemberTooLong("participants"))
    } else if servers > Welcome::MAX_LIST {
        Err(MessageError::MemberTooLong("iceServers"))
    } else if wire.description.as_ref().is_some_and(|description| description.sdp.len() > Sdp::MAX_LEN) {
        Err(MessageError::MemberTooLong("sdp"))
    } else if let Some(member) = wire.candidate.iter().flatten().find_map(|candidate| too_long(candidate)) {
        Err(MessageError::MemberTooLong(member))
    } else {
        Ok(())
    }
}

/// The member of a candidate that is longer than is read.
pub(crate) fn too_long(candidate: &CandidateInit) -> Option<&'static str> {
    let is_long = |tag: &Option<String>| tag.as_ref().is_some_and(|tag| tag.len() > MAX_TAG);
    if candidate.candidate.len() > MAX_TEXT {
        Some("candidate")
    } else if is_long(&candidate.sdp_mid) {
        Some("sdpMid")
    } else if is_long(&candidate.username_fragment) {
        Some("usernameFragment")
    } else {
        None
    }
}

fn message(wire: Wire<'_>) -> Result<Envelope, MessageError> {
    let kind = wire.kind.ok_or(MessageError::Missing { of: "any", member: "type" })?;
    let missing = |of, member| MessageError::Missing { of, member };
    let owned = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned);
    let id = |of| wire.id.clone().map(Cow::into_owned).ok_or(missing(of, "id"));
    let message = match &*kind {
        "join" => Message::Join(Join {
            room: owned(wire.room).ok_or(missing("join", "room"))?,
            name: owned(wire.name).unwrap_or_default(),
            token: owned(wire.token),
            resume: owned(wire.resume),
        }),
        "welcome" => Message::Welcome(Welcome {
            id: id("welcome")?,
            participants: wire.participants.map(Cow::into_owned).unwrap_or_default(),
            ice_servers: wire.ice_servers.map(Cow::into_owned).unwrap_or_default(),
            resume: owned(wire.resume),
        }),
        "joined" => {
            Message::Joined(Participant { id: id("joined")?, name: owned(wire.name).unwrap_or_default() })
        }
        "left" => Message::Left(id("left")?),
        "start" => Message::Start,
        "end" => Message::End(wire.reason.map_or(EndReason::HangUp, Cow::into_owned)),
        "description" => {
            let description = wire.description.ok_or(missing("description", "description"))?;
            Message::Description(description.into_owned())
        }
        "candidate" => {
            let candidate = wire.candidate.ok_or(missing("candidate", "candidate"))?;
            Message::Candidate(candidate.map(Cow::into_owned).unwrap_or_default())
        }
        "ack" => Message::Ack,
        "error" => Message::Error {
            code: wire.code.map(Cow::into_owned).ok_or(missing("error", "code"))?,
            text: owned(wire.text).unwrap_or_default(),
            about: wire.about,
        },
        "ping" => Message::Ping,
        "pong" => Message::Pong,
        other => {
            return Err(MessageError::UnknownType(cut(other, MAX_TYPE).to_owned()));
        }
    };
    let (from, to) = (wire.from.map(Cow::into_owned), wire.to.map(Cow::into_owned));
    let envelope = Envelope { from, to, call: wire.call, re: wire.re, seq: wire.seq, ack: wire.ack, message };
    addressed(&envelope)?;
    Ok(envelope)
}

/// What belongs to a call says to which, and what is numbered has its number. An error need not.
fn addressed(envelope: &Envelope) -> Result<(), MessageError> {
    let of = envelope.message.name();
    if envelope.message.is_sequenced() && envelope.call.is_none() {
        Err(MessageError::Missing { of, member: "call" })
    } else if envelope.message.is_sequenced() && envelope.seq.is_none() {
        Err(MessageError::Missing { of, member: "seq" })
    } else {
        Ok(())
    }
}

fn members(message: &Message) -> Wire<'_> {
    let text = |text: &'_ Option<String>| -> Option<Cow<'static, str>> { text.clone().map(Cow::Owned) };
    let none = Wire::default();
    match message {
        Message::Join(join) => Wire {
            room: Some(Cow::Borrowed(&join.room)),
            name: Some(Cow::Borrowed(&join.name)),
            token: text(&join.token),
            resume: text(&join.resume),
            ..none
        },
        Message::Welcome(welcome) => Wire {
            id: Some(Cow::Borrowed(&welcome.id)),
            participants: Some(Cow::Borrowed(&welcome.participants)),
            ice_servers: Some(Cow::Borrowed(&welcome.ice_servers)),
            resume: text(&welcome.resume),
            ..none
        },
        Message::Joined(participant) => Wire {
            id: Some(Cow::Borrowed(&participant.id)),
            name: Some(Cow::Borrowed(&participant.name)),
            ..none
        },
        Message::Left(id) => Wire { id: Some(Cow::Borrowed(id)), ..none },
        Message::End(reason) => Wire { reason: Some(Cow::Borrowed(reason)), ..none },
        Message::Description(description) => Wire { description: Some(Cow::Borrowed(description)), ..none },
        Message::Candidate(candidate) => Wire { candidate: Some(Some(Cow::Borrowed(candidate))), ..none },
        Message::Error { code, text, about } => {
            Wire { code: Some(Cow::Borrowed(code)), text: Some(Cow::Borrowed(text)), about: *about, ..none }
        }
        Message::Start | Message::Ack | Message::Ping | Message::Pong => none,
    }
}
