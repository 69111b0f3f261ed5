//! What the user sees while it happens: a table that is redrawn in place on a terminal, and plain lines elsewhere.

use std::io::{self, IsTerminal, Write};

use crate::failure::{Failure, Outcome};
use crate::style::Style;

/// Lines of the table at most: what a terminal of 24 lines holds.
const MAX_LINES: usize = 22;

/// Where the demo is shown.
pub(crate) struct Screen<W> {
    out: W,
    live: bool,
    style: Style,
    table: Vec<String>,
    /// Lines of the table that are on the terminal now, above the cursor.
    drawn: usize,
}

impl Screen<io::Stdout> {
    /// The standard output, as what it is.
    pub(crate) fn of_stdout() -> Self {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let live = io::stdout().is_terminal() && (!is_dumb || cfg!(windows));
        Self::new(io::stdout(), live, Style::of_stdout())
    }
}

impl<W: Write> Screen<W> {
    fn new(out: W, live: bool, style: Style) -> Self {
        Self { out, live, style, table: Vec::new(), drawn: 0 }
    }

    /// Whether the table is worth making.
    pub(crate) const fn is_live(&self) -> bool {
        self.live
    }

    /// How to print words that matter.
    pub(crate) const fn style(&self) -> Style {
        self.style
    }

    /// Replaces the table.
    pub(crate) fn draw(&mut self, table: &str) -> Outcome {
        self.table = table.lines().take(MAX_LINES).map(str::to_owned).collect();
        self.refresh("")
    }

    /// A line that stays, above the table.
    pub(crate) fn tell(&mut self, line: &str) -> Outcome {
        if self.live { self.refresh(&format!("\x1b[J{line}\r\n")) } else { self.write(&format!("{line}\n")) }
    }

    /// Text that stays, below the table, which stays as it is.
    pub(crate) fn print(&mut self, text: &str) -> Outcome {
        self.table.clear();
        self.drawn = 0;
        self.write(text)
    }

    /// Writes `above` over the start of the table, and the table below it.
    fn refresh(&mut self, above: &str) -> Outcome {
        if !self.live {
            return Ok(());
        }
        let mut frame = String::from("\r");
        if self.drawn > 0 {
            frame.push_str(&format!("\x1b[{}A", self.drawn));
        }
        frame.push_str(above);
        // Lines are cut and not wrapped by the terminal while it is drawn: each takes one line, however narrow it is.
        frame.push_str("\x1b[?7l");
        for line in &self.table {
            frame.push_str("\x1b[2K");
            frame.push_str(line);
            frame.push_str("\r\n");
        }
        frame.push_str("\x1b[?7h\x1b[J");
        self.drawn = self.table.len();
        self.write(&frame)
    }

    fn write(&mut self, text: &str) -> Outcome {
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        written.map_err(|error| Failure::of_output(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(live: bool, act: impl FnOnce(&mut Screen<&mut Vec<u8>>) -> Outcome) -> String {
        let mut out = Vec::new();
        act(&mut Screen::new(&mut out, live, Style::PLAIN)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn without_a_terminal_there_are_lines_and_nothing_else() {
        let text = shown(false, |screen| {
            screen.draw("table")?;
            screen.tell("happened")?;
            screen.print("result\n")
        });
        assert_eq!(text, "happened\nresult\n");
    }

    #[test]
    fn a_table_takes_the_place_of_the_last_one_and_lines_stay_above_it() {
        let text = shown(true, |screen| {
            screen.draw("a\nb\n")?;
            screen.draw("c\n")?;
            screen.tell("happened")?;
            screen.print("result\n")?;
            screen.draw("d\n")
        });
        let table = |lines: &str| format!("\x1b[?7l{lines}\x1b[?7h\x1b[J");
        let expected = [
            "\r",
            &table("\x1b[2Ka\r\n\x1b[2Kb\r\n"),
            "\r\x1b[2A",
            &table("\x1b[2Kc\r\n"),
            "\r\x1b[1A\x1b[Jhappened\r\n",
            &table("\x1b[2Kc\r\n"),
            "result\n\r",
            &table("\x1b[2Kd\r\n"),
        ];
        assert_eq!(text, expected.concat());
    }

    #[test]
    fn a_long_table_does_not_scroll_away() {
        let text = shown(true, |screen| screen.draw(&"line\n".repeat(99)));
        assert_eq!(text.matches("line").count(), MAX_LINES);
    }
}
