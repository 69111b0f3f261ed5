//! The steps as a reader sees them.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::duration::short;
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::style::Style;

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grade {
    Works,
    /// It works, and something about it may surprise.
    Doubtful,
    Fails,
    /// There was no use in trying.
    Skipped,
}

impl Grade {
    fn word(self) -> &'static str {
        match self {
            Self::Works => "ok",
            Self::Doubtful => "look",
            Self::Fails => "FAILS",
            Self::Skipped => "-",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Works => "ok",
            Self::Doubtful => "doubtful",
            Self::Fails => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// Prints steps as they end, and counts.
#[derive(Debug)]
pub(crate) struct Report {
    json: bool,
    style: Style,
    last: Instant,
    counts: [usize; 4],
    first_failure: Option<&'static str>,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, style: Style::of_stdout(), last: Instant::now(), counts: [0; 4], first_failure: None }
    }

    /// A step ended like this. `what` is a sentence, or several lines of which the first says what happened and the others
    /// what to look at.
    pub(crate) fn tell(&mut self, step: &'static str, grade: Grade, what: &str) -> Outcome {
        let took = self.last.elapsed();
        self.last = Instant::now();
        self.counts[grade as usize] += 1;
        if grade == Grade::Fails {
            self.first_failure.get_or_insert(step);
        }
        if self.json {
            let milliseconds = took.as_micros() as f64 / 1e3;
            let object = json!({
                "type": "step", "step": step, "result": grade.name(), "message": what, "milliseconds": milliseconds,
            });
            return output::print(&format!("{object}\n"));
        }
        output::print(&line(step, grade, took, what, self.style))
    }

    /// There was no use in trying these steps.
    pub(crate) fn skip(&mut self, steps: &[&'static str], why: &str) -> Outcome {
        self.counts[Grade::Skipped as usize] += steps.len();
        if !self.json {
            let word = Grade::Skipped.word();
            return output::print(&format!("{word:<5} not tried, as {why}: {}\n", steps.join(", ")));
        }
        steps.iter().try_for_each(|step| {
            let object =
                json!({ "type": "step", "step": step, "result": Grade::Skipped.name(), "message": why });
            output::print(&format!("{object}\n"))
        })
    }

    /// The last line.
    pub(crate) fn conclude(&self) -> Outcome {
        let [works, doubtful, fails, skipped] = self.counts;
        if self.json {
            let object = json!({
                "type": "done", "ok": works, "doubtful": doubtful, "failed": fails, "skipped": skipped,
            });
            output::print(&format!("{object}\n"))?;
        }
        match self.first_failure {
            None if self.json => Ok(()),
            None if doubtful > 0 => output::print("The server works, but look at what is marked.\n"),
            None => output::print("The server works.\n"),
            Some(step) => {
                let others = if fails > 1 { format!(" and {} more", fails - 1) } else { String::new() };
                Err(Failure::Failed(format!(
                    "the TURN server does not work as it should: {step}{others} failed"
                )))
            }
        }
    }
}

fn line(step: &str, grade: Grade, took: Duration, what: &str, style: Style) -> String {
    let word = format!("{:<5}", grade.word());
    let word = match grade {
        Grade::Works => style.good(&word),
        Grade::Fails => style.bad(&word),
        Grade::Doubtful => style.strong(&word),
        Grade::Skipped => word,
    };
    let took = short(took);
    let what = what.replace('\n', "\n                           ");
    format!("{word} {step:<11} {took:>7}  {what}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_a_line_and_what_to_look_at_is_below_it() {
        let took = Duration::from_millis(12);
        assert_eq!(
            line("allocate", Grade::Works, took, "203.0.113.5:50000", Style::PLAIN),
            "ok    allocate    12.0 ms  203.0.113.5:50000\n"
        );
        assert_eq!(
            line("echo", Grade::Fails, took, "nothing came\nLook at the firewall.", Style::PLAIN),
            "FAILS echo        12.0 ms  nothing came\n                           Look at the firewall.\n"
        );
    }

    #[test]
    fn the_first_failure_is_what_it_ends_with() {
        let mut report = Report::new(true);
        assert!(report.conclude().is_ok());
        report.counts[Grade::Fails as usize] = 2;
        report.first_failure = Some("allocate");
        let Err(Failure::Failed(why)) = report.conclude() else { panic!("a failure") };
        assert_eq!(why, "the TURN server does not work as it should: allocate and 1 more failed");
    }
}
