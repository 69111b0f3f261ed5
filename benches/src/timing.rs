//! How long something takes, in processor time of the thread, so that a busy machine does little harm.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::meter::Case;

/// How long the thread has been running so far.
#[must_use]
pub fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// How long `work` takes.
pub fn of(work: impl FnOnce()) -> Duration {
    let begun = now();
    work();
    now().saturating_sub(begun)
}

/// One batch of a case lasts at least so long.
const BATCH: Duration = Duration::from_millis(4);
/// How often each case has its turn, at most.
const ROUNDS: u32 = 15;
/// How long a case may take in all, roughly.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Nanoseconds that one repetition of each case takes: the fastest of several batches. The cases take turns, so that
/// what changes on the machine meanwhile changes for all of them.
#[must_use]
pub fn nanoseconds(cases: &[&Case]) -> Vec<f64> {
    let plans: Vec<(u32, u32, Duration)> = cases.iter().map(|case| plan(case)).collect();
    let mut fastest: Vec<Duration> = plans.iter().map(|plan| plan.2).collect();
    for round in 1..ROUNDS {
        for ((case, (repetitions, rounds, _)), fastest) in cases.iter().zip(&plans).zip(&mut fastest) {
            if round < *rounds {
                *fastest = (*fastest).min((case.run)(*repetitions));
            }
        }
    }
    let each =
        |(fastest, plan): (Duration, &(u32, u32, Duration))| fastest.as_nanos() as f64 / f64::from(plan.0);
    fastest.into_iter().zip(&plans).map(each).collect()
}

/// How many repetitions make a batch, how many batches are affordable, and how long the first one took.
fn plan(case: &Case) -> (u32, u32, Duration) {
    let mut repetitions = 1;
    loop {
        let whole = now();
        let taken = (case.run)(repetitions);
        let whole = now().saturating_sub(whole).max(Duration::from_micros(1));
        if taken >= BATCH || repetitions > 1 << 26 || whole > PATIENCE / 4 {
            let affordable = PATIENCE.as_nanos() / whole.as_nanos();
            return (repetitions, u32::try_from(affordable).unwrap_or(ROUNDS).clamp(1, ROUNDS), taken);
        }
        repetitions *= 2;
    }
}
