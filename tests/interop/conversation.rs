//! What one program has said, held against the protocol of `floe agent` line by line.

use std::net::SocketAddr;

use serde_json::{Map, Value};

use crate::candidate_line::{CandidateLine, is_ice_text};

/// One line that a program printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    Credentials { ufrag: String, pwd: String },
    Candidate(String),
    EndOfCandidates { ufrag: Option<String> },
    State(String),
    SelectedPair { local: String, remote: String },
    Data(String),
}

impl Message {
    /// Reads a line: a JSON object with the members of its type and no others.
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        let mut members: Map<String, Value> =
            serde_json::from_str(line).map_err(|error| format!("no JSON object ({error}): {line}"))?;
        let mut take = |name: &str| match members.remove(name) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(format!("no text {name:?}: {line}")),
        };
        let message = match take("type")?.as_str() {
            "credentials" => Self::Credentials { ufrag: take("ufrag")?, pwd: take("pwd")? },
            "candidate" => Self::Candidate(take("candidate")?),
            // Whoever cannot restart need not say whose candidates these were.
            "end-of-candidates" => Self::EndOfCandidates { ufrag: take("ufrag").ok() },
            "state" => Self::State(take("state")?),
            "selected-pair" => Self::SelectedPair { local: take("local")?, remote: take("remote")? },
            "data" => Self::Data(take("data")?),
            "error" => return Err(format!("it reports an error: {line}")),
            _ => return Err(format!("unknown type: {line}")),
        };
        if members.is_empty() { Ok(message) } else { Err(format!("unknown members: {line}")) }
    }
}

/// The states that may follow `state`: "gathering" once at the start, then those of the W3C's ICE transport.
fn followers(state: Option<&str>) -> &'static [&'static str] {
    match state {
        None => &["gathering"],
        Some("gathering") => &["checking", "failed", "closed"],
        Some("checking") => &["connected", "completed", "disconnected", "failed", "closed"],
        Some("connected") => &["completed", "disconnected", "checking", "failed", "closed"],
        Some("completed") => &["connected", "disconnected", "checking", "failed", "closed"],
        Some("disconnected") => &["connected", "completed", "checking", "failed", "closed"],
        Some("failed") => &["closed"],
        Some(_) => &[],
    }
}

/// One program's side of the protocol so far.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    /// The ufrag of each session of ICE.
    sessions: Vec<String>,
    may_restart: bool,
    candidates: Vec<CandidateLine>,
    /// Those of sessions before a restart, whose paths may still be in use.
    former: Vec<CandidateLine>,
    has_ended: bool,
    state: Option<String>,
    path: Option<(SocketAddr, SocketAddr)>,
    received: Vec<String>,
}

impl Conversation {
    /// Takes the next message, or says how it breaks the protocol.
    pub(crate) fn take(&mut self, message: &Message) -> Result<(), String> {
        if self.state() == Some("closed") {
            return Err(format!("it goes on after it closed: {message:?}"));
        }
        match message {
            Message::Credentials { ufrag, pwd } => self.take_credentials(ufrag, pwd),
            Message::Candidate(line) => self.take_candidate(CandidateLine::parse(line)?),
            Message::EndOfCandidates { .. } if self.has_ended => Err("candidates ended twice".to_owned()),
            Message::EndOfCandidates { ufrag } => {
                if ufrag.is_some() && ufrag.as_ref() != self.sessions.last() {
                    return Err(format!("an end of candidates of another session: {ufrag:?}"));
                }
                self.has_ended = true;
                Ok(())
            }
            Message::State(state) => self.take_state(state),
            Message::SelectedPair { local, remote } => {
                self.take_pair(&CandidateLine::parse(local)?, &CandidateLine::parse(remote)?)
            }
            Message::Data(data) => {
                self.received.push(data.clone());
                Ok(())
            }
        }
    }

    /// Lengths: RFC 8839 §5.4.
    fn take_credentials(&mut self, ufrag: &str, pwd: &str) -> Result<(), String> {
        let fits = (4..=256).contains(&ufrag.len()) && (22..=256).contains(&pwd.len());
        if !fits || !is_ice_text(ufrag) || !is_ice_text(pwd) {
            return Err(format!("credentials that RFC 8839 does not allow: {ufrag:?} {pwd:?}"));
        }
        if !self.sessions.is_empty() && !std::mem::take(&mut self.may_restart) {
            return Err("credentials came twice".to_owned());
        }
        if self.sessions.iter().any(|known| known == ufrag) {
            return Err("a restart that did not change the ufrag".to_owned());
        }
        self.sessions.push(ufrag.to_owned());
        self.former.append(&mut self.candidates);
        self.has_ended = false;
        self.path = None;
        Ok(())
    }

    /// ICE is being restarted: credentials may come once more.
    pub(crate) fn expect_restart(&mut self) {
        self.may_restart = true;
    }

    /// How many sessions of ICE there were.
    pub(crate) fn sessions(&self) -> usize {
        self.sessions.len()
    }

    fn take_candidate(&mut self, candidate: CandidateLine) -> Result<(), String> {
        if self.sessions.is_empty() || self.has_ended {
            return Err("a candidate before the credentials or after the end of candidates".to_owned());
        }
        if candidate.kind == "prflx" || self.candidates.contains(&candidate) {
            return Err(format!("a candidate that is not to be signalled, or not again: {candidate:?}"));
        }
        self.candidates.push(candidate);
        Ok(())
    }

    fn take_state(&mut self, state: &str) -> Result<(), String> {
        if !followers(self.state()).contains(&state) {
            return Err(format!("state {state:?} after {:?}", self.state().unwrap_or("none")));
        }
        self.state = Some(state.to_owned());
        Ok(())
    }

    fn take_pair(&mut self, local: &CandidateLine, remote: &CandidateLine) -> Result<(), String> {
        let mut signalled = self.candidates.iter().chain(&self.former);
        let known = signalled.any(|candidate| candidate.address == local.address);
        if !known && local.kind != "prflx" {
            return Err(format!("it selected a local candidate that it did not signal: {local:?}"));
        }
        self.path = Some((local.address, remote.address));
        Ok(())
    }

    /// The last state it announced.
    pub(crate) fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// Whether its candidates are all known.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// The local and the remote address it uses, once it is connected.
    pub(crate) fn path(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.path.filter(|_| matches!(self.state(), Some("connected" | "completed")))
    }

    /// The data it received, in the order of arrival.
    pub(crate) fn received(&self) -> &[String] {
        &self.received
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIALS: &str = r#"{"type":"credentials","ufrag":"abcd","pwd":"abcdefghijklmnopqrstuv"}"#;
    const CANDIDATE: &str = r#"{"type":"candidate","candidate":"candidate:1 1 udp 5 127.0.0.1 7 typ host"}"#;
    const END: &str = r#"{"type":"end-of-candidates"}"#;

    fn state(name: &str) -> String {
        format!(r#"{{"type":"state","state":"{name}"}}"#)
    }

    fn pair(local_port: u16) -> String {
        let candidate = |port| format!("candidate:1 1 udp 5 127.0.0.1 {port} typ host");
        format!(
            r#"{{"type":"selected-pair","local":"{}","remote":"{}"}}"#,
            candidate(local_port),
            candidate(8)
        )
    }

    fn talk(lines: &[&str]) -> Result<Conversation, String> {
        let mut conversation = Conversation::default();
        for line in lines {
            conversation.take(&Message::parse(line)?)?;
        }
        Ok(conversation)
    }

    #[test]
    fn a_whole_conversation_passes() {
        let (gathering, checking, up, closed) =
            (state("gathering"), state("checking"), state("connected"), state("closed"));
        let data = r#"{"type":"data","data":"é\n"}"#;
        let said = talk(&[CREDENTIALS, &gathering, CANDIDATE, END, &checking, &up, &pair(7), data]).unwrap();
        assert_eq!(said.path().map(|(local, remote)| (local.port(), remote.port())), Some((7, 8)));
        assert_eq!(said.received(), ["é\n"]);
        let over = talk(&[&gathering, CREDENTIALS, &closed]).unwrap();
        assert!(over.path().is_none());
    }

    #[test]
    fn lines_that_are_no_messages_are_refused() {
        for line in [
            "hello",
            "[]",
            r#"{"type":"state"}"#,
            r#"{"type":"state","state":5}"#,
            r#"{"type":"state","state":"gathering","at":"noon"}"#,
            r#"{"type":"greeting"}"#,
            r#"{"type":"error","message":"no"}"#,
        ] {
            assert!(Message::parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_restart_begins_with_new_credentials() {
        let again = CREDENTIALS.replace("abcd\"", "efgh\"");
        let end_of = |ufrag: &str| format!(r#"{{"type":"end-of-candidates","ufrag":"{ufrag}"}}"#);
        let begin = || talk(&[CREDENTIALS, &state("gathering"), CANDIDATE, &end_of("abcd")]).unwrap();
        let take = |said: &mut Conversation, line: &str| said.take(&Message::parse(line)?);
        let mut said = begin();
        assert!(take(&mut said, &again).is_err(), "nobody asked for one");
        let mut said = begin();
        said.expect_restart();
        for line in [&*again, CANDIDATE, &end_of("efgh")] {
            take(&mut said, line).unwrap();
        }
        assert_eq!((said.sessions(), said.has_ended()), (2, true));
        for wrong in [CREDENTIALS, &end_of("abcd")] {
            let mut said = begin();
            said.expect_restart();
            let result = take(&mut said, wrong);
            assert!(result.is_err(), "{wrong}");
        }
    }

    #[test]
    fn messages_out_of_order_are_refused() {
        let (gathering, checking, closed) = (state("gathering"), state("checking"), state("closed"));
        let short = r#"{"type":"credentials","ufrag":"abc","pwd":"abcdefghijklmnopqrstuv"}"#;
        let wrong: [&[&str]; 9] = [
            &[CANDIDATE],
            &[short],
            &[CREDENTIALS, CREDENTIALS],
            &[CREDENTIALS, CANDIDATE, CANDIDATE],
            &[CREDENTIALS, END, CANDIDATE],
            &[END, END],
            &[&checking],
            &[&gathering, &gathering],
            &[&gathering, &closed, END],
        ];
        for lines in wrong {
            assert!(talk(lines).is_err(), "{lines:?}");
        }
        assert!(talk(&[CREDENTIALS, CANDIDATE, &pair(9)]).is_err());
    }
}
