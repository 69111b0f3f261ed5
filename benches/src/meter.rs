//! Counts what an operation costs: instructions under callgrind, and allocations.
//!
//! The meter starts its own binary under valgrind, once for [`BASE`] and once for twice as many repetitions of a case,
//! and divides the difference: start-up and preparation cancel out, and no symbol needs a name. Counts repeat exactly
//! on one machine. Valgrind knows no SHA-NI, so SHA-1 is counted as software: compare these counts with each other
//! only.

use std::env;
use std::io::ErrorKind;
use std::process::{Command, ExitCode};

/// Repetitions of the shorter of two runs.
pub const BASE: u32 = 1_000;

/// One operation to measure.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What the case is called, in the table and on the command line.
    pub name: &'static str,
    /// The most instructions one repetition may take, if there is a limit.
    pub budget: Option<u64>,
    /// Prepares and then repeats the operation so many times.
    pub run: fn(u32),
}

/// Runs the meter if the command line asks for it (`--meter`); `None` if it does not.
///
/// `allocations` says how often the process has allocated so far. The exit code is a failure when a case allocates or
/// exceeds its budget, or when valgrind could not be run.
pub fn main(cases: &[Case], allocations: fn() -> usize) -> Option<ExitCode> {
    let arguments: Vec<String> = env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == CASE) {
        return Some(run_case(cases, arguments.get(at + 1), arguments.get(at + 2)));
    }
    if !arguments.iter().any(|argument| argument == "--meter") {
        return None;
    }
    println!("{:<24} {:>12} {:>12} {:>12}", "per operation", "instructions", "budget", "allocations");
    let passed: Vec<bool> = cases.iter().map(|case| report(case, allocations)).collect();
    Some(if passed.into_iter().all(|passed| passed) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How the meter calls itself under valgrind: followed by the name of a case and a number of repetitions.
const CASE: &str = "--meter-case";

fn run_case(cases: &[Case], name: Option<&String>, repetitions: Option<&String>) -> ExitCode {
    let case = cases.iter().find(|case| Some(case.name) == name.map(String::as_str));
    match (case, repetitions.and_then(|text| text.parse().ok())) {
        (Some(case), Some(repetitions)) => {
            (case.run)(repetitions);
            ExitCode::SUCCESS
        }
        _ => ExitCode::FAILURE,
    }
}

/// Measures one case and prints its line; whether it stayed within its limits.
fn report(case: &Case, allocations: fn() -> usize) -> bool {
    let count = |repetitions| {
        let before = allocations();
        (case.run)(repetitions);
        allocations() - before
    };
    count(BASE); // Whatever is set up once per process.
    let allocated = (count(2 * BASE) - count(BASE)) as f64 / f64::from(BASE);
    let instructions = instructions(case);
    let shown = match &instructions {
        Ok(count) => count.to_string(),
        Err(_) => "-".to_owned(),
    };
    let budget = case.budget.map_or_else(|| "-".to_owned(), |budget| budget.to_string());
    println!("{:<24} {shown:>12} {budget:>12} {allocated:>12}", case.name);
    match (instructions, case.budget) {
        (Ok(count), Some(budget)) if count > budget => {
            println!("{:<24} exceeds its budget by {} instructions", "", count - budget);
            false
        }
        (Err(error), _) => {
            println!("{:<24} {error}", "");
            false
        }
        _ => allocated == 0.0,
    }
}

fn instructions(case: &Case) -> Result<u64, String> {
    let (short, long) = (callgrind(case, BASE)?, callgrind(case, 2 * BASE)?);
    Ok((long.saturating_sub(short) + u64::from(BASE) / 2) / u64::from(BASE))
}

/// The instructions of a whole run.
fn callgrind(case: &Case, repetitions: u32) -> Result<u64, String> {
    let binary = env::current_exe().map_err(|error| format!("cannot find this binary: {error}"))?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
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
