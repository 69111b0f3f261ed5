//! What happens to two agents, told in the same words whether their network is real or not.

use std::fmt;
use std::time::Duration;

use floe::ice::candidate::Candidate;
use floe::ice::{ConnectionState, PairState, Role, SelectionReason};

use crate::duration::short;

/// The names of the two agents.
pub(crate) const NAMES: [&str; 2] = ["alice", "bob"];

/// Something that happened to an agent.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    /// Since the beginning.
    pub(crate) at: Duration,
    /// Index into [`NAMES`].
    pub(crate) who: usize,
    pub(crate) what: What,
}

/// What can happen to an agent.
#[derive(Debug, Clone)]
pub(crate) enum What {
    Found(Candidate),
    Problem(String),
    Learned(Candidate),
    State(ConnectionState),
    Role(Role),
    Selected { local: Candidate, remote: Candidate, reason: SelectionReason },
    Data(String),
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms {:5}  {}", millis(self.at), NAMES.get(self.who).unwrap_or(&"?"), self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found(candidate) => write!(f, "candidate {}", End(candidate)),
            Self::Problem(problem) => write!(f, "gathering: {problem}"),
            Self::Learned(candidate) => write!(f, "learned   {}", End(candidate)),
            Self::State(state) => write!(f, "state     {state}"),
            Self::Role(role) => write!(f, "role      {role}"),
            Self::Selected { local, remote, reason } => {
                write!(f, "selected  {} -> {}", End(local), End(remote))?;
                match reason {
                    SelectionReason::Nominated => Ok(()),
                    unusual => write!(f, " ({unusual})"),
                }
            }
            Self::Data(text) => f.write_str(text),
        }
    }
}

/// One end of a pair in two words.
pub(crate) struct End<'a>(pub(crate) &'a Candidate);

impl fmt::Display for End<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} {}", self.0.kind(), self.0.address()))
    }
}

/// A time since the beginning, aligned.
pub(crate) fn millis(at: Duration) -> String {
    format!("{:8.2}", at.as_secs_f64() * 1000.0)
}

/// A pair as it is now.
#[derive(Debug, Clone)]
pub(crate) struct PairRow {
    pub(crate) local: Candidate,
    pub(crate) remote: Candidate,
    pub(crate) state: PairState,
    pub(crate) nominated: bool,
    pub(crate) selected: bool,
    pub(crate) rtt: Duration,
}

/// Columns of one end of a pair: so that two, a state and a time fit into 80.
const END_WIDTH: usize = 27;

impl fmt::Display for PairRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self {
            Self { selected: true, .. } => "selected".to_owned(),
            Self { nominated: true, .. } => "nominated".to_owned(),
            Self { state, .. } => state.to_string(),
        };
        let rtt = match self.rtt {
            Duration::ZERO => String::new(),
            rtt => short(rtt),
        };
        let [local, remote] =
            [&self.local, &self.remote].map(|candidate| fit(&End(candidate).to_string(), END_WIDTH));
        write!(f, "{local:END_WIDTH$} {remote:END_WIDTH$} {state:11} {rtt:>8}")
    }
}

/// `text` in at most `width` characters: what is too long loses its middle, as the ends of an address say most.
pub(crate) fn fit(text: &str, width: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= width {
        return text.to_owned();
    }
    let tail = width * 2 / 5;
    let head = width.saturating_sub(tail + 1);
    let (head, tail) = (&characters[..head], &characters[characters.len() - tail..]);
    head.iter().chain(&['…']).chain(tail).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(address: &str) -> Candidate {
        Candidate::host(address.parse().unwrap())
    }

    #[test]
    fn a_row_fits_a_terminal_whatever_is_in_it() {
        let long = "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535";
        for address in ["192.0.2.1:5", long] {
            for state in [PairState::Frozen, PairState::InProgress] {
                let row = PairRow {
                    local: candidate(address),
                    remote: candidate(address),
                    state,
                    nominated: false,
                    selected: false,
                    rtt: Duration::from_micros(12_345),
                };
                let row = row.to_string();
                assert_eq!(row.chars().count(), 76, "{row}");
                assert!(row.ends_with("12.3 ms"), "{row}");
            }
        }
    }

    #[test]
    fn what_is_selected_says_so() {
        let mut row = PairRow {
            local: candidate("192.0.2.1:5"),
            remote: candidate("192.0.2.2:5"),
            state: PairState::Succeeded,
            nominated: true,
            selected: false,
            rtt: Duration::ZERO,
        };
        assert!(row.to_string().contains("nominated"));
        row.selected = true;
        assert!(row.to_string().contains("selected"));
    }

    #[test]
    fn long_text_keeps_both_ends() {
        assert_eq!(fit("abcdefghij", 10), "abcdefghij");
        assert_eq!(fit("abcdefghijk", 10), "abcde…hijk");
    }
}
