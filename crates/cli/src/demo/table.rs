//! Both agents and their pairs as they are now.

use std::fmt::Write;

use floe::Candidate;
use floe::ice::{ConnectionState, PairState, Role};

use super::story::{End, PairRow};
use crate::style::Style;

/// Pairs shown of each agent in a table that is redrawn: two agents then fit a terminal.
pub(crate) const FEW: usize = 5;

/// Columns of a line of the table, without what it is indented by.
const WIDTH: usize = 76;

/// An agent as it is now.
#[derive(Debug, Clone)]
pub(crate) struct Side {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    pub(crate) state: ConnectionState,
    /// The candidates that it found by itself.
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) pairs: Vec<PairRow>,
}

/// The agent and its pairs, at most so many of them: those that are furthest first.
pub(crate) fn side(side: &Side, most: usize, style: Style) -> String {
    // Writing to a string cannot fail.
    let mut text = format!("{}, {}: {}\n", style.strong(side.name), side.role, side.state);
    if !side.candidates.is_empty() {
        let ends: Vec<String> = side.candidates.iter().map(|candidate| End(candidate).to_string()).collect();
        let line = format!("candidates: {}", ends.join(", "));
        let _ = writeln!(text, "  {}", cut(&line, WIDTH));
    }
    let mut pairs: Vec<&PairRow> = side.pairs.iter().collect();
    if pairs.len() > most {
        // A stable sort: pairs of a kind stay in the order of their priorities.
        pairs.sort_by_key(|pair| rank(pair));
    }
    for pair in pairs.iter().take(most) {
        let row = pair.to_string();
        let row = row.trim_end();
        let row = match pair.state {
            _ if pair.selected => style.good(row),
            PairState::Failed => style.bad(row),
            _ => row.to_owned(),
        };
        let _ = writeln!(text, "  {row}");
    }
    if let Some(rest) = pairs.get(most..).filter(|rest| !rest.is_empty()) {
        let _ = writeln!(text, "  and {} more: {}", rest.len(), counts(rest));
    }
    text
}

/// `text` in at most `width` characters.
fn cut(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        None => text.to_owned(),
        Some(_) => text.chars().take(width - 1).chain(['…']).collect(),
    }
}

const fn rank(pair: &PairRow) -> u8 {
    match pair.state {
        _ if pair.selected => 0,
        PairState::Succeeded => 1,
        PairState::InProgress => 2,
        PairState::Waiting => 3,
        PairState::Frozen => 4,
        PairState::Failed => 5,
    }
}

/// `3 waiting, 2 failed`.
fn counts(pairs: &[&PairRow]) -> String {
    let states = [
        PairState::Succeeded,
        PairState::InProgress,
        PairState::Waiting,
        PairState::Frozen,
        PairState::Failed,
    ];
    let count = |state| pairs.iter().filter(|pair| pair.state == state).count();
    let counts = states.map(|state| (count(state), state)).into_iter().filter(|(count, _)| *count > 0);
    counts.map(|(count, state)| format!("{count} {state}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn pair(port: u16, state: PairState, selected: bool) -> PairRow {
        let end = |port| Candidate::host(([192, 0, 2, 1], port).into());
        PairRow {
            local: end(port),
            remote: end(9),
            state,
            nominated: selected,
            selected,
            rtt: Duration::ZERO,
        }
    }

    #[test]
    fn the_selected_pair_is_shown_however_many_there_are() {
        let mut pairs: Vec<_> = (1..9).map(|port| pair(port, PairState::Waiting, false)).collect();
        pairs.push(pair(100, PairState::Failed, false));
        pairs.push(pair(101, PairState::Succeeded, true));
        let alice = Side {
            name: "alice",
            role: Role::Controlling,
            state: ConnectionState::Completed,
            candidates: vec![],
            pairs,
        };
        let text = side(&alice, 3, Style::PLAIN);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "alice, controlling: completed");
        assert!(lines[1].contains("192.0.2.1:101") && lines[1].contains("selected"), "{text}");
        assert_eq!(lines[4], "  and 7 more: 6 waiting, 1 failed");
        assert_eq!(side(&alice, 10, Style::PLAIN).lines().count(), 11);
    }

    #[test]
    fn many_candidates_do_not_make_a_long_line() {
        let candidates = vec![Candidate::host(([192, 0, 2, 1], 5000).into()); 9];
        let state = ConnectionState::New;
        let bob = Side { name: "bob", role: Role::Controlled, state, candidates, pairs: vec![] };
        let text = side(&bob, 3, Style::PLAIN);
        assert!(text.contains("  candidates: host 192.0.2.1:5000, host"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 78), "{text}");
    }
}
