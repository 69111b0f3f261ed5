//! Candidates as browsers put them into JSON: W3C `RTCIceCandidateInit`.

use alloc::string::{String, ToString};

use serde::{Deserialize, Deserializer, Serialize};

use super::{Candidate, CandidateParseError};

/// A candidate in the shape of W3C `RTCIceCandidateInit`, which is what `JSON.stringify` makes of a browser's candidates.
///
/// Members that are missing or `null` are `None`; all four are written, absent ones as `null`. An empty
/// [`candidate`](Self::candidate) says that there will be no more of them.
///
/// ```
/// use floe_ice::candidate::{Candidate, CandidateInit};
///
/// let candidate = Candidate::host("192.0.2.1:50000".parse()?).with_ufrag("8hhY")?;
/// let mut init = CandidateInit::new(&candidate);
/// init.sdp_mid = Some("0".into());
/// let json = serde_json::to_string(&init)?;
/// assert_eq!(
///     json,
///     r#"{"candidate":"candidate:1 1 UDP 2130706431 192.0.2.1 50000 typ host ufrag 8hhY","sdpMid":"0","sdpMLineIndex":null,"usernameFragment":"8hhY"}"#
/// );
/// let read: CandidateInit = serde_json::from_str(&json)?;
/// assert_eq!(read.to_candidate()?, Some(candidate));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CandidateInit {
    /// The candidate line, from `candidate:` on; empty for the end of candidates.
    #[serde(default, deserialize_with = "null_as_empty")]
    pub candidate: String,
    /// The identification tag of the media section (RFC 5888) that the candidate belongs to.
    #[serde(default)]
    pub sdp_mid: Option<String>,
    /// The index of that section in the SDP, from 0.
    #[serde(default, rename = "sdpMLineIndex")]
    pub sdp_m_line_index: Option<u16>,
    /// The username fragment of the generation that the candidate belongs to.
    #[serde(default)]
    pub username_fragment: Option<String>,
}

fn null_as_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl CandidateInit {
    /// `candidate`, of the generation that its `ufrag` extension names if it has one. Browsers want at least one of
    /// [`sdp_mid`](Self::sdp_mid) and [`sdp_m_line_index`](Self::sdp_m_line_index) to be set besides.
    #[must_use]
    pub fn new(candidate: &Candidate) -> Self {
        Self {
            candidate: candidate.to_string(),
            username_fragment: candidate.ufrag().map(Into::into),
            ..Self::default()
        }
    }

    /// The end of the candidates of the generation with this username fragment.
    #[must_use]
    pub fn end_of_candidates(ufrag: &str) -> Self {
        Self { username_fragment: Some(ufrag.into()), ..Self::default() }
    }

    /// The candidate, or `None` for the end of candidates. A username fragment becomes the candidate's `ufrag`
    /// extension and replaces one that the line has.
    ///
    /// # Errors
    ///
    /// As for parsing a [`Candidate`]; a username fragment that cannot stand in a line is a malformed value of an extension.
    pub fn to_candidate(&self) -> Result<Option<Candidate>, CandidateParseError> {
        if self.candidate.is_empty() {
            return Ok(None);
        }
        let parsed = self.candidate.parse::<Candidate>();
        let Some(ufrag) = self.username_fragment.as_deref().filter(|ufrag| !ufrag.is_empty()) else {
            return parsed.map(Some);
        };
        match parsed {
            Ok(candidate) => candidate.with_ufrag(ufrag).map(Some),
            Err(CandidateParseError::Mdns(hidden)) => {
                Err(CandidateParseError::Mdns(alloc::boxed::Box::new(hidden.with_ufrag(ufrag)?)))
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::candidate::{CandidateField, CandidateKind, FieldProblem};

    fn read(json: &str) -> CandidateInit {
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
    }

    const CHROME: &str = r#"{"candidate":"candidate:2541319158 1 udp 2122260223 192.168.1.7 51434 typ host generation 0 ufrag EsAw network-id 1 network-cost 10","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"EsAw"}"#;
    const FIREFOX: &str = r#"{"candidate":"candidate:1 1 UDP 1685987327 203.0.113.9 60310 typ srflx raddr 192.168.1.7 rport 60310","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"4b3d6e1f"}"#;

    #[test]
    fn chrome_candidates_are_read_and_written_back() {
        let init = read(CHROME);
        let candidate = init.to_candidate().expect("a good line").expect("a candidate");
        assert_eq!(candidate.ufrag(), Some("EsAw"));
        assert_eq!(candidate.extension("network-cost"), Some("10"));
        let mut again = CandidateInit::new(&candidate);
        again.sdp_mid = Some("0".into());
        again.sdp_m_line_index = Some(0);
        assert_eq!(serde_json::to_string(&again).expect("JSON"), CHROME);
    }

    #[test]
    fn firefox_candidates_get_their_generation_from_the_member() {
        let init = read(FIREFOX);
        assert_eq!((init.sdp_mid.as_deref(), init.sdp_m_line_index), (Some("0"), Some(0)));
        let candidate = init.to_candidate().expect("a good line").expect("a candidate");
        assert_eq!(candidate.kind(), CandidateKind::ServerReflexive);
        assert_eq!(candidate.ufrag(), Some("4b3d6e1f"));
        assert_eq!(serde_json::to_string(&init).expect("JSON"), FIREFOX);
    }

    #[test]
    fn an_empty_candidate_is_the_end_of_candidates() {
        let chrome = r#"{"candidate":"","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"EsAw"}"#;
        for json in [chrome, r#"{"candidate":null}"#, "{}"] {
            assert_eq!(read(json).to_candidate(), Ok(None), "{json}");
        }
        let ours = CandidateInit::end_of_candidates("EsAw");
        assert_eq!(
            serde_json::to_string(&ours).expect("JSON"),
            r#"{"candidate":"","sdpMid":null,"sdpMLineIndex":null,"usernameFragment":"EsAw"}"#
        );
        assert_eq!(read(&serde_json::to_string(&ours).expect("JSON")), ours);
    }

    #[test]
    fn members_may_be_null_missing_or_more() {
        let line = "candidate:0 1 UDP 2122252543 192.0.2.1 60310 typ host";
        let expected: Candidate = line.parse().expect("a good line");
        for rest in [
            "",
            r#","sdpMid":null,"sdpMLineIndex":null,"usernameFragment":null"#,
            r#","usernameFragment":"","foundation":"0","port":60310"#,
        ] {
            let init = read(&format!(r#"{{"candidate":"{line}"{rest}}}"#));
            assert_eq!(init.to_candidate(), Ok(Some(expected.clone())), "{rest}");
        }
    }

    #[test]
    fn the_member_wins_over_the_line() {
        let init =
            read(r#"{"candidate":"1 1 UDP 1 192.0.2.1 5 typ host ufrag old x y","usernameFragment":"new1"}"#);
        let candidate = init.to_candidate().expect("a good line").expect("a candidate");
        assert_eq!(candidate.to_string(), "candidate:1 1 UDP 1 192.0.2.1 5 typ host ufrag new1 x y");
    }

    #[test]
    fn an_mdns_candidate_keeps_its_generation() {
        let init =
            read(r#"{"candidate":"candidate:1 1 udp 1 ab.local 5 typ host","usernameFragment":"EsAw"}"#);
        let Err(CandidateParseError::Mdns(hidden)) = init.to_candidate() else { panic!("an mDNS candidate") };
        assert_eq!(hidden.to_string(), "candidate:1 1 udp 1 ab.local 5 typ host ufrag EsAw");
    }

    #[test]
    fn bad_lines_and_fragments_are_errors_and_wrong_types_are_not_json_of_ours() {
        let bad = read(r#"{"candidate":"candidate:nonsense"}"#).to_candidate();
        let missing = CandidateParseError::Malformed {
            field: CandidateField::Component,
            problem: FieldProblem::Missing,
        };
        assert_eq!(bad, Err(missing));
        let spaced = r#"{"candidate":"1 1 UDP 1 192.0.2.1 5 typ host","usernameFragment":"a b"}"#;
        let syntax = CandidateParseError::Malformed {
            field: CandidateField::ExtensionValue,
            problem: FieldProblem::Syntax,
        };
        assert_eq!(read(spaced).to_candidate(), Err(syntax));
        for json in [r#"{"candidate":5}"#, r#"{"sdpMLineIndex":-1}"#, r#"{"sdpMLineIndex":65536}"#, "[1,2]"] {
            assert!(serde_json::from_str::<CandidateInit>(json).is_err(), "{json}");
        }
    }
}
