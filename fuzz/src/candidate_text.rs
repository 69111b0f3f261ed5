//! Candidate lines and ICE's part of SDP, as a peer's signalling brings them.

use floe_ice::candidate::{Candidate, CandidateParseError, Description};

/// Reads `data` as text: each line as a candidate, and the whole as a description.
///
/// # Panics
///
/// If what was accepted does not survive printing.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for line in text.lines() {
        candidate(line);
    }
    for section in [0, 1, usize::MAX] {
        description(&text, section);
    }
}

fn candidate(line: &str) {
    match line.parse::<Candidate>() {
        Ok(candidate) => {
            survives_printing(&candidate);
            extended(&candidate, line);
        }
        Err(CandidateParseError::Mdns(hidden)) => {
            let Err(CandidateParseError::Mdns(again)) = hidden.to_string().parse::<Candidate>() else {
                panic!("{line:?} hides its address, {hidden} does not");
            };
            assert_eq!(again, hidden);
            let found = hidden.resolved([192, 0, 2, 7].into());
            assert_eq!(found.address().ip().to_string(), "192.0.2.7");
            survives_printing(&found);
        }
        // Whatever is wrong with it, it can be said.
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn survives_printing(candidate: &Candidate) {
    let printed = candidate.to_string();
    let again = printed.parse::<Candidate>();
    assert_eq!(again.as_ref(), Ok(candidate), "{printed:?}");
    assert_eq!(again.map(|again| again.to_string()).as_ref(), Ok(&printed));
}

/// With extensions made of its own words, which is where a name of ours could collide with one of theirs.
fn extended(candidate: &Candidate, line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    for pair in words.windows(2).take(40) {
        let Ok(longer) = candidate.clone().with_extension(pair[0], pair[1]) else { continue };
        assert_eq!(longer.extension(pair[0]), Some(pair[1]));
        survives_printing(&longer);
    }
}

fn description(text: &str, section: usize) {
    match Description::parse_section(text, section) {
        Ok(description) => {
            assert!(description.candidates.len() <= Description::MAX_CANDIDATES);
            let printed = description.to_string();
            let again = printed.parse::<Description>();
            assert_eq!(again.as_ref(), Ok(&sayable(description)), "{printed:?}");
            assert_eq!(again.map(|again| again.to_string()).as_ref(), Ok(&printed));
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(error.line().is_none_or(|line| (1..=text.split('\n').count()).contains(&line)));
        }
    }
}

/// Without what is not printed: no pace of a lite agent (RFC 8839 §4.3.1), nothing behind a mismatch (§4.2.5).
fn sayable(mut description: Description) -> Description {
    if description.lite {
        description.pacing = None;
    }
    if description.mismatch {
        description.candidates.clear();
        description.mdns_candidates.clear();
        description.remote_candidates.clear();
        description.end_of_candidates = false;
    }
    description
}
