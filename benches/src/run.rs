//! The `main` of a bench target.

use std::path::Path;
use std::process::ExitCode;

use criterion::Criterion;

use crate::meter::{self, Case};
use crate::report::Report;

/// Counts the cases if the command line says `--meter`, writes the report to a directory if it says `--report`, and
/// otherwise times the cases by criterion.
pub fn main(group: &str, cases: &[Case], report: fn(&mut Report)) -> ExitCode {
    if let Some(code) = meter::main(cases) {
        return code;
    }
    let mut arguments = std::env::args().skip_while(|argument| argument != "--report");
    if arguments.next().is_some() {
        let Some(directory) = arguments.next() else {
            eprintln!("--report needs a directory");
            return ExitCode::FAILURE;
        };
        return write(group, report, Path::new(&directory));
    }
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group(group);
    for case in cases {
        group.bench_function(case.name, |bencher| {
            bencher.iter_custom(|repetitions| (case.run)(u32::try_from(repetitions).unwrap_or(u32::MAX)));
        });
    }
    group.finish();
    criterion.final_summary();
    ExitCode::SUCCESS
}

fn write(name: &str, report: fn(&mut Report), directory: &Path) -> ExitCode {
    let mut gathered = Report::default();
    report(&mut gathered);
    match gathered.write(directory, name) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", directory.display());
            ExitCode::FAILURE
        }
    }
}
