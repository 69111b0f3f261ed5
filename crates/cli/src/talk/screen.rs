//! What the user sees.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use floe::Pair;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::output;
use crate::style::Style;

/// Something to be told.
#[derive(Debug)]
pub(crate) enum Said<'a> {
    /// The channel is there.
    Open,
    /// A line of the peer's.
    Chat(&'a str),
    /// A file is here, this long.
    Received(&'a Path, u64),
    /// A file did not come.
    NotReceived(&'a str, &'a str),
    /// The peer has a file.
    Sent(&'a str),
    /// The peer has not got a file.
    NotSent(&'a str, &'a str),
    /// How the connection is.
    State(&'a str),
    /// The candidate pairs.
    Pairs(&'a [Pair]),
    /// Something was not as it should be, and it goes on.
    Problem(&'a str),
}

/// How far a file is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress<'a> {
    pub(super) name: &'a str,
    pub(super) done: u64,
    pub(super) size: u64,
    pub(super) receiving: bool,
}

/// The output: for people, or JSON lines.
pub(crate) struct Screen {
    json: bool,
    style: Style,
    /// When the bar was drawn last, if it is there.
    bar: RefCell<Option<Instant>>,
    has_bars: bool,
}

/// A bar is drawn again after this long.
const REDRAW: Duration = Duration::from_millis(100);
const BAR: u64 = 30;

impl Screen {
    pub(crate) fn new(json: bool) -> Self {
        let has_bars = !json && io::stderr().is_terminal();
        Self { json, style: Style::of_stdout(), bar: RefCell::new(None), has_bars }
    }

    pub(crate) fn say(&self, said: &Said<'_>) -> Result<(), Failure> {
        self.clear_bar();
        if self.json {
            return output::print(&format!("{}\n", as_json(said)));
        }
        output::print(&self.as_text(said))
    }

    /// The bar of a file, or none.
    pub(super) fn show_progress(&self, progress: Option<Progress<'_>>) {
        let Some(progress) = progress.filter(|_| self.has_bars) else { return self.clear_bar() };
        let now = Instant::now();
        if self.bar.borrow().is_some_and(|drawn| now - drawn < REDRAW) {
            return;
        }
        *self.bar.borrow_mut() = Some(now);
        // A terminal that is gone is found out by what matters.
        let _ = write!(io::stderr(), "\r\x1b[K{}", bar(progress));
        let _ = io::stderr().flush();
    }

    fn clear_bar(&self) {
        if self.bar.borrow_mut().take().is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    fn as_text(&self, said: &Said<'_>) -> String {
        let style = self.style;
        match said {
            Said::Open => format!("{}\n", style.good("The channel is open. Type a line, or /send FILE.")),
            Said::Chat(text) => text.lines().map(|line| format!("> {}\n", printable(line))).collect(),
            Said::Received(path, size) => format!("received {} ({size} bytes)\n", path.display()),
            Said::NotReceived(name, reason) => {
                style.bad(&format!("did not receive {}: {}", printable(name), printable(reason))) + "\n"
            }
            Said::Sent(name) => format!("sent {}\n", printable(name)),
            Said::NotSent(name, reason) => {
                style.bad(&format!("did not send {}: {}", printable(name), printable(reason))) + "\n"
            }
            Said::State(state) => format!("{}\n", style.strong(state)),
            Said::Pairs(pairs) => pairs.iter().map(|pair| pair_line(pair) + "\n").collect(),
            Said::Problem(text) => style.bad(&printable(text)) + "\n",
        }
    }
}

fn as_json(said: &Said<'_>) -> Value {
    match said {
        Said::Open => json!({"type": "open"}),
        Said::Chat(text) => json!({"type": "chat", "text": text}),
        Said::Received(path, size) => {
            json!({"type": "received", "path": path.to_string_lossy(), "size": size})
        }
        Said::NotReceived(name, reason) => json!({"type": "not-received", "name": name, "reason": reason}),
        Said::Sent(name) => json!({"type": "sent", "name": name}),
        Said::NotSent(name, reason) => json!({"type": "not-sent", "name": name, "reason": reason}),
        Said::State(state) => json!({"type": "state", "state": state}),
        Said::Pairs(pairs) => {
            let lines: Vec<String> = pairs.iter().map(pair_line).collect();
            json!({"type": "pairs", "pairs": lines})
        }
        Said::Problem(text) => json!({"type": "problem", "text": text}),
    }
}

fn pair_line(pair: &Pair) -> String {
    let (local, remote) = (&pair.local, &pair.remote);
    let side = |candidate: &floe::Candidate| format!("{} {}", candidate.kind().as_str(), candidate.address());
    format!("{} <-> {}  {:?}", side(local), side(remote), pair.state)
}

/// What a stranger wrote, without what a terminal would obey.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

fn bar(progress: Progress<'_>) -> String {
    let Progress { name, done, size, receiving } = progress;
    let whole = size.max(1);
    let filled = (u128::from(done) * u128::from(BAR) / u128::from(whole)).try_into().unwrap_or(BAR).min(BAR);
    let (full, empty) = ("#".repeat(filled as usize), ".".repeat((BAR - filled) as usize));
    let percent = u128::from(done) * 100 / u128::from(whole);
    let way = if receiving { "receiving" } else { "sending" };
    format!("[{full}{empty}] {percent:>3} % {way} {}", printable(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_says_how_far_it_is() {
        let at = |done, size| bar(Progress { name: "a", done, size, receiving: true });
        assert_eq!(at(0, 0), "[..............................]   0 % receiving a");
        assert_eq!(at(u64::MAX, u64::MAX), format!("[{}] 100 % receiving a", "#".repeat(30)));
        assert!(at(1, 2).starts_with("[###############...............]  50 %"));
    }

    #[test]
    fn a_stranger_does_not_command_the_terminal() {
        assert_eq!(printable("\x1b[2Jhi\u{9b}"), "\u{fffd}[2Jhi\u{fffd}");
    }
}
