//! Counts what an operation costs: instructions under callgrind, and allocations.
//!
//! The meter starts its own binary under valgrind, once for the repetitions of a case and once for twice as many, and
//! divides the difference: start-up and preparation cancel out, and no symbol needs a name. Counts repeat exactly on one
//! machine. Valgrind knows no SHA-NI, so SHA-1 is counted as software: compare these counts with each other only.

use std::env;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::heap;

/// One operation to measure.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What the case is called, in tables and on the command line.
    pub name: &'static str,
    /// Repetitions of the shorter of the two runs that are counted.
    pub repetitions: u32,
    /// The most instructions one repetition may take under callgrind, if there is a limit.
    pub instructions: Option<u64>,
    /// The most allocations one repetition may make on average, if there is a limit.
    pub allocations: Option<f64>,
    /// Prepares, and then repeats the operation so many times; how long the repetitions took.
    pub run: fn(u32) -> Duration,
}

/// What one repetition of a case costs.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Instructions under callgrind.
    pub instructions: u64,
    /// Allocations, on average.
    pub allocations: f64,
}

/// What one repetition of each case costs. Callgrind runs on all processors, as it disturbs nothing that is counted.
///
/// # Panics
/// When valgrind cannot be run.
#[must_use]
pub fn costs(cases: &[&Case]) -> Vec<Cost> {
    let allocations: Vec<f64> = cases.iter().map(|case| case.allocations()).collect();
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut done = Vec::new();
        while let Some((at, case)) =
            Some(next.fetch_add(1, Relaxed)).and_then(|at| Some((at, cases.get(at)?)))
        {
            done.push((at, case.instructions()));
        }
        done
    };
    let mut instructions = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect::<Vec<_>>()
    });
    instructions.sort_by_key(|(at, _)| *at);
    let cost = |((_, count), allocations): ((usize, Result<u64, String>), f64)| match count {
        Ok(instructions) => Cost { instructions, allocations },
        Err(error) => panic!("the instructions could not be counted: {error}"),
    };
    instructions.into_iter().zip(allocations).map(cost).collect()
}

impl Case {
    fn allocations(&self) -> f64 {
        let count = |repetitions| heap::allocations_of(|| (self.run)(repetitions)).0;
        count(self.repetitions); // Whatever is set up once per process.
        (count(2 * self.repetitions) - count(self.repetitions)) as f64 / f64::from(self.repetitions)
    }

    fn instructions(&self) -> Result<u64, String> {
        let nowhere = Path::new("/dev/null");
        let short = callgrind(self, self.repetitions, nowhere)?;
        let long = callgrind(self, 2 * self.repetitions, nowhere)?;
        let repetitions = u64::from(self.repetitions);
        Ok((long.saturating_sub(short) + repetitions / 2) / repetitions)
    }
}

/// Runs the meter if the command line asks for it; `None` if it does not.
///
/// The exit code is a failure when a case exceeds its limits, or when valgrind could not be run.
pub fn main(cases: &[Case]) -> Option<ExitCode> {
    let arguments: Vec<String> = env::args().collect();
    let after = |word: &str| {
        let at = arguments.iter().position(|argument| argument == word)?;
        Some(arguments.get(at + 1..).unwrap_or_default())
    };
    if let Some(rest) = after(CASE) {
        return Some(run_case(cases, rest.first(), rest.get(1)));
    }
    if let Some(rest) = after("--profile") {
        return Some(profile(cases, rest.first()));
    }
    let wanted = after("--meter")?.first().filter(|word| !word.starts_with("--"));
    println!("{:<24} {:>12} {:>12} {:>12}", "per operation", "instructions", "budget", "allocations");
    let chosen = cases.iter().filter(|case| wanted.is_none_or(|word| case.name.contains(word.as_str())));
    let passed: Vec<bool> = chosen.map(report).collect();
    let all = !passed.is_empty() && passed.into_iter().all(|passed| passed);
    Some(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How the meter calls itself under valgrind: followed by the name of a case and a number of repetitions.
const CASE: &str = "--meter-case";

fn run_case(cases: &[Case], name: Option<&String>, repetitions: Option<&String>) -> ExitCode {
    match (find(cases, name), repetitions.and_then(|text| text.parse().ok())) {
        (Some(case), Some(repetitions)) => {
            (case.run)(repetitions);
            ExitCode::SUCCESS
        }
        _ => ExitCode::FAILURE,
    }
}

fn find<'a>(cases: &'a [Case], name: Option<&String>) -> Option<&'a Case> {
    cases.iter().find(|case| Some(case.name) == name.map(String::as_str))
}

/// Measures one case and prints its line; whether it stayed within its limits.
fn report(case: &Case) -> bool {
    let (allocations, instructions) = (case.allocations(), case.instructions());
    let shown = instructions.as_ref().map_or_else(|_| "-".to_owned(), u64::to_string);
    let budget = case.instructions.map_or_else(|| "-".to_owned(), |budget| budget.to_string());
    println!("{:<24} {shown:>12} {budget:>12} {allocations:>12}", case.name);
    let allocates_too_often = case.allocations.is_some_and(|limit| allocations > limit);
    if allocates_too_often {
        println!("{:<24} allocates too often", "");
    }
    match (instructions, case.instructions) {
        (Ok(count), Some(budget)) if count > budget => {
            println!("{:<24} exceeds its budget by {} instructions", "", count - budget);
            false
        }
        (Err(error), _) => {
            println!("{:<24} {error}", "");
            false
        }
        _ => !allocates_too_often,
    }
}

/// Leaves a profile for `callgrind_annotate`, and says where.
fn profile(cases: &[Case], name: Option<&String>) -> ExitCode {
    let Some(case) = find(cases, name) else {
        let names: Vec<&str> = cases.iter().map(|case| case.name).collect();
        eprintln!("--profile needs the name of a case: {}", names.join("; "));
        return ExitCode::FAILURE;
    };
    let file = env::temp_dir().join(format!("floe-{}.callgrind", std::process::id()));
    match callgrind(case, case.repetitions, &file) {
        Ok(_) => {
            println!("callgrind_annotate --inclusive=yes {}", file.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The instructions of a whole run. The profile goes to `out`.
fn callgrind(case: &Case, repetitions: u32, out: &Path) -> Result<u64, String> {
    let binary = env::current_exe().map_err(|error| format!("cannot find this binary: {error}"))?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", &format!("--callgrind-out-file={}", out.display())])
        .arg(binary)
        .args([CASE, case.name, &repetitions.to_string()])
        .output()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => "valgrind is not installed: apt-get install valgrind".to_owned(),
            _ => format!("cannot run valgrind: {error}"),
        })?;
    let log = String::from_utf8_lossy(&output.stderr);
    let collected = log.lines().find_map(|line| line.split_once("Collected : "));
    let count = collected.and_then(|(_, count)| count.trim().parse().ok());
    count.filter(|_| output.status.success()).ok_or_else(|| format!("valgrind failed:\n{log}"))
}
