//! The lines in and out: one JSON object each.

use floe::{Candidate, ConnectionState};
use serde::{Deserialize, Serialize};

/// What a script says.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(crate) enum Input {
    RemoteCredentials { ufrag: String, pwd: String },
    RemoteCandidate { candidate: String },
    RemoteEndOfCandidates { ufrag: Option<String> },
    Restart,
    Send { data: String },
    Close,
}

impl Input {
    /// Reads a line; `Err` is what is wrong with it.
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        let line = line.trim();
        // Lists are understood too, but are no part of the protocol.
        if !line.starts_with('{') {
            return Err("not a JSON object".to_owned());
        }
        serde_json::from_str(line).map_err(|error| {
            let text = error.to_string();
            // Every input is one line, so only the column says anything.
            text.replace(" at line 1 column ", " at column ")
        })
    }
}

/// What the agent says.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(crate) enum Output {
    Credentials { ufrag: String, pwd: String },
    Candidate { candidate: String },
    EndOfCandidates { ufrag: String },
    State { state: State },
    SelectedPair { local: String, remote: String },
    Data { data: String },
    Error { message: String },
}

impl Output {
    /// The line, without its end.
    pub(crate) fn to_line(&self) -> String {
        // Text in an enumeration of this kind can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(crate) fn error(message: impl std::fmt::Display) -> Self {
        Self::Error { message: message.to_string() }
    }

    pub(crate) fn candidate(candidate: &Candidate) -> Self {
        Self::Candidate { candidate: candidate.to_string() }
    }

    pub(crate) fn selected_pair(local: &Candidate, remote: &Candidate) -> Self {
        Self::SelectedPair { local: local.to_string(), remote: remote.to_string() }
    }
}

/// "gathering" once at the start, then the states of `RTCIceTransport`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    Gathering,
    Checking,
    Connected,
    Completed,
    Disconnected,
    Failed,
    Closed,
}

impl State {
    /// `None` for the state before anything is known of the peer: that is "gathering" here.
    pub(crate) const fn of(state: ConnectionState) -> Option<Self> {
        Some(match state {
            ConnectionState::New => return None,
            ConnectionState::Checking => Self::Checking,
            ConnectionState::Connected => Self::Connected,
            ConnectionState::Completed => Self::Completed,
            ConnectionState::Disconnected => Self::Disconnected,
            ConnectionState::Failed => Self::Failed,
            ConnectionState::Closed => Self::Closed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_in_is_understood() {
        for (line, expected) in [
            (
                r#"{"type":"remote-credentials","ufrag":"abcd","pwd":"efgh"}"#,
                Input::RemoteCredentials { ufrag: "abcd".to_owned(), pwd: "efgh".to_owned() },
            ),
            (
                r#"{"candidate":"candidate:1 …","type":"remote-candidate","later":[1]}"#,
                Input::RemoteCandidate { candidate: "candidate:1 …".to_owned() },
            ),
            (r#"{"type":"remote-end-of-candidates"}"#, Input::RemoteEndOfCandidates { ufrag: None }),
            (
                r#"{"type":"remote-end-of-candidates","ufrag":"abcd"}"#,
                Input::RemoteEndOfCandidates { ufrag: Some("abcd".to_owned()) },
            ),
            (r#"{"type":"restart"}"#, Input::Restart),
            (r#" {"type":"send","data":"\u00e9\n"} "#, Input::Send { data: "é\n".to_owned() }),
            (r#"{"type":"close"}"#, Input::Close),
        ] {
            assert_eq!(Input::parse(line).as_ref(), Ok(&expected), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said_in_one_line() {
        for (line, expected) in [
            ("hello", "not a JSON object"),
            (r#"["close"]"#, "not a JSON object"),
            (r#"{"type":"close""#, "EOF while parsing an object at column 15"),
            ("{\"type\":\"close\"\r\n", "EOF while parsing an object at column 15"),
            (r#"{"type":"sing"}"#, "unknown variant `sing`, expected one of `remote-credentials`"),
            (r#"{"data":"x"}"#, "missing field `type`"),
            (r#"{"type":"send"}"#, "missing field `data`"),
            (r#"{"type":"send","data":5}"#, "invalid type: integer `5`, expected a string"),
        ] {
            let said = Input::parse(line).expect_err(line);
            assert!(said.starts_with(expected) && !said.contains('\n'), "{line}: {said}");
        }
    }

    #[test]
    fn lines_out_are_those_of_the_protocol() {
        let text = |text: &str| text.to_owned();
        for (output, expected) in [
            (
                Output::Credentials { ufrag: text("abcd"), pwd: text("efgh") },
                r#"{"type":"credentials","ufrag":"abcd","pwd":"efgh"}"#,
            ),
            (
                Output::Candidate { candidate: text("candidate:1") },
                r#"{"type":"candidate","candidate":"candidate:1"}"#,
            ),
            (
                Output::EndOfCandidates { ufrag: text("abcd") },
                r#"{"type":"end-of-candidates","ufrag":"abcd"}"#,
            ),
            (Output::State { state: State::Completed }, r#"{"type":"state","state":"completed"}"#),
            (
                Output::SelectedPair { local: text("candidate:1"), remote: text("candidate:2") },
                r#"{"type":"selected-pair","local":"candidate:1","remote":"candidate:2"}"#,
            ),
            (Output::Data { data: text("é\n\"") }, r#"{"type":"data","data":"é\n\""}"#),
            (Output::error("no"), r#"{"type":"error","message":"no"}"#),
        ] {
            assert_eq!(output.to_line(), expected);
        }
    }
}
