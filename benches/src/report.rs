//! What a benchmark contributes to `RESULTS.md`: its tables, and the budgets that it is to keep.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

/// Markdown, gathered piece by piece.
#[derive(Default, Debug)]
pub struct Report {
    body: String,
    summary: String,
    headlines: String,
}

/// A figure of ours that has a budget.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// What was measured.
    pub what: String,
    /// How much it is; `None` if there is nothing to measure yet.
    pub measured: Option<f64>,
    /// How much it may be.
    pub budget: f64,
    /// It has to be at least the budget, not at most.
    pub at_least: bool,
    /// What both count.
    pub unit: &'static str,
    /// What the alternatives need.
    pub alternatives: String,
    /// What physics and the RFCs ask.
    pub floor: String,
    /// Shown in the README as well.
    pub headline: bool,
}

impl Verdict {
    /// A figure that may be `budget` at most.
    pub fn at_most(what: impl Into<String>, measured: f64, budget: f64, unit: &'static str) -> Self {
        Self {
            what: what.into(),
            measured: Some(measured),
            budget,
            at_least: false,
            unit,
            alternatives: String::new(),
            floor: String::new(),
            headline: false,
        }
    }

    /// A figure that has to be `budget` at least.
    pub fn at_least(what: impl Into<String>, measured: f64, budget: f64, unit: &'static str) -> Self {
        Self { at_least: true, ..Self::at_most(what, measured, budget, unit) }
    }

    /// What the alternatives need, with what they leave out.
    #[must_use]
    pub fn alternatives(self, alternatives: impl Into<String>) -> Self {
        Self { alternatives: alternatives.into(), ..self }
    }

    /// What it costs at the very least.
    #[must_use]
    pub fn floor(self, floor: impl Into<String>) -> Self {
        Self { floor: floor.into(), ..self }
    }

    /// Shows it in the README too.
    #[must_use]
    pub fn headline(self) -> Self {
        Self { headline: true, ..self }
    }

    /// Whether the budget is kept.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.measured.is_some_and(|m| if self.at_least { m >= self.budget } else { m <= self.budget })
    }

    fn row(&self) -> String {
        let Self { what, unit, alternatives, floor, .. } = self;
        let measured = self.measured.map_or_else(|| "–".to_owned(), |m| format!("{} {unit}", figure(m)));
        let bound = if self.at_least { "≥" } else { "≤" };
        let met = if self.is_met() { "met" } else { "**missed**" };
        format!(
            "| {what} | {measured} | {bound} {} {unit} | {met} | {} | {} |\n",
            figure(self.budget),
            or_dash(alternatives),
            or_dash(floor)
        )
    }
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "–" } else { text }
}

impl Report {
    /// Begins a section.
    pub fn section(&mut self, title: &str, text: &str) {
        let _ = write!(self.body, "\n## {title}\n\n{}\n", text.trim());
    }

    /// A paragraph.
    pub fn text(&mut self, text: &str) {
        let _ = write!(self.body, "\n{}\n", text.trim());
    }

    /// A table.
    pub fn table(&mut self, headings: &[&str], rows: &[Vec<String>]) {
        let _ = write!(self.body, "\n| {} |\n|{}\n", headings.join(" | "), "---|".repeat(headings.len()));
        for row in rows {
            let _ = writeln!(self.body, "| {} |", row.join(" | "));
        }
    }

    /// A budget, for the summary.
    pub fn verdict(&mut self, verdict: &Verdict) {
        self.summary.push_str(&verdict.row());
        if verdict.headline {
            self.headlines.push_str(&verdict.row());
        }
    }

    /// Writes the pieces that `benches/run` puts together.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, directory: &Path, name: &str) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        let parts = [("md", &self.body), ("summary", &self.summary), ("headlines", &self.headlines)];
        parts.iter().try_for_each(|(end, text)| fs::write(directory.join(format!("{name}.{end}")), text))
    }
}

/// A number as people read it: three digits that mean something, or a whole number, in groups.
#[must_use]
pub fn figure(number: f64) -> String {
    let digits = match number.abs() {
        n if n == n.trunc() || n >= 100.0 => 0,
        n if n >= 10.0 => 1,
        n if n >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{number:.digits$}");
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), ""), |(w, f)| (w, f));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 && whole.len() > 4 {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    if fraction.is_empty() { grouped } else { format!("{grouped}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_the_digits_that_mean_something() {
        let cases = [(0.1234, "0.123"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (4882.0, "4882")];
        for (number, text) in cases {
            assert_eq!(figure(number), text);
        }
        assert_eq!(figure(1_234_567.0), "1\u{202f}234\u{202f}567");
    }

    #[test]
    fn a_missed_budget_is_shown_as_missed() {
        let missed = Verdict::at_most("x", 3.0, 2.0, "ns").alternatives("y 4");
        assert_eq!(missed.row(), "| x | 3 ns | ≤ 2 ns | **missed** | y 4 | – |\n");
        assert!(Verdict::at_least("x", 3.0, 2.0, "ns").is_met());
        assert!(!Verdict { measured: None, ..Verdict::at_most("x", 0.0, 2.0, "") }.is_met());
    }
}
