//! The `main` of a bench target.

use std::process::ExitCode;
use std::time::Instant;

use criterion::Criterion;

use crate::meter::{self, Case};

/// Counts the cases if the command line says `--meter`, and times them by criterion if it does not.
pub fn main(group: &str, cases: &[Case]) -> ExitCode {
    if let Some(code) = meter::main(cases) {
        return code;
    }
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group(group);
    for case in cases {
        group.bench_function(case.name, |bencher| {
            bencher.iter_custom(|repetitions| {
                let start = Instant::now();
                (case.run)(u32::try_from(repetitions).unwrap_or(u32::MAX));
                start.elapsed()
            });
        });
    }
    group.finish();
    criterion.final_summary();
    ExitCode::SUCCESS
}
