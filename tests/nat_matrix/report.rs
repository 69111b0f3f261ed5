//! What is played, what came of it, and how to play it again.

use std::collections::BTreeMap;
use std::fmt;

use crate::conditions::Conditions;
use crate::run::{Ending, Run};
use crate::scenario::{self, Scenario};

/// Charts shown of failures, and names.
const CHARTS: usize = 3;
const NAMES: usize = 40;

/// A run that did not end as it should.
pub(crate) struct Failure {
    pub(crate) scenario: Scenario,
    pub(crate) seed: u64,
    pub(crate) why: String,
}

/// What is to be played.
pub(crate) struct Selection {
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) seeds: Vec<u64>,
}

impl Selection {
    /// All of these with so many seeds, unless `FLOE_SCENARIO` or `FLOE_SEED` ask for less. `None` if what they ask for is not
    /// among these.
    pub(crate) fn from_env(mut scenarios: Vec<Scenario>, usually: usize, whole: usize) -> Option<Self> {
        if let Ok(wanted) = std::env::var("FLOE_SCENARIO") {
            let exact = scenarios.iter().any(|scenario| scenario.to_string() == wanted);
            scenarios.retain(|scenario| {
                let name = scenario.to_string();
                if exact { name == wanted } else { name.starts_with(&wanted) }
            });
            if scenarios.is_empty() {
                let mut others = scenario::direct().into_iter().chain(scenario::relayed());
                let known = others.any(|scenario| scenario.to_string().starts_with(&wanted));
                assert!(known, "FLOE_SCENARIO={wanted}: no scenario's name begins so");
                return None;
            }
        }
        let count = floe_tests::repetitions(usually, whole) as u64;
        let seeds = match std::env::var("FLOE_SEED").map(|seed| seed.parse()) {
            Ok(Ok(seed)) => vec![seed],
            Ok(Err(error)) => panic!("FLOE_SEED: {error}"),
            Err(_) => (0..count).collect(),
        };
        Some(Self { scenarios, seeds })
    }
}

/// The endings of the runs of one shape.
#[derive(Default)]
struct Count {
    connected: usize,
    failed: usize,
    /// Of those, the ones in which the oracle was in doubt.
    doubtful: usize,
    /// The largest part of the time that was allowed to connect, and to fail.
    used: [f64; 2],
}

/// What came of all runs.
#[derive(Default)]
pub(crate) struct Tally {
    shapes: BTreeMap<&'static str, Count>,
    pub(crate) failures: Vec<Failure>,
}

impl Tally {
    pub(crate) fn add(&mut self, scenario: &Scenario, ending: Ending) {
        let count = self.shapes.entry(scenario.shape.name).or_default();
        let ended = if ending.connected { &mut count.connected } else { &mut count.failed };
        *ended += 1;
        count.doubtful += usize::from(ending.doubtful);
        let used = &mut count.used[usize::from(!ending.connected)];
        *used = used.max(ending.used);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (shape, more) in other.shapes {
            let count = self.shapes.entry(shape).or_default();
            count.connected += more.connected;
            count.failed += more.failed;
            count.doubtful += more.doubtful;
            count.used = [0, 1].map(|n: usize| count.used[n].max(more.used[n]));
        }
        self.failures.extend(other.failures);
    }

    /// Runs that were played, as they should be or not.
    pub(crate) fn runs(&self) -> usize {
        self.shapes.values().map(|count| count.connected + count.failed).sum::<usize>() + self.failures.len()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["shape", "connected", "failed", "in doubt", "time used of what is allowed"];
        writeln!(f, "{:18}{:>10}{:>10}{:>10}  {}", head[0], head[1], head[2], head[3], head[4])?;
        for (shape, count) in &self.shapes {
            let [connected, failed] = count.used.map(|used| (used * 100.0).round());
            writeln!(
                f,
                "{shape:18}{:>10}{:>10}{:>10}  {connected} %, {failed} %",
                count.connected, count.failed, count.doubtful
            )?;
        }
        Ok(())
    }
}

/// One run again, with its chart.
pub(crate) fn replay(scenario: &Scenario, seed: u64) -> String {
    let conditions = Conditions::of(scenario, seed);
    let mut run = Run::new(scenario, conditions, true);
    let verdict = run.verdict();
    let end = run.play_to_the_end();
    let ending = match end {
        Ok(Ending { connected: true, .. }) => "they connect, as they should",
        Ok(_) => "they fail, as they should",
        Err(ref why) => why,
    };
    format!("{scenario}, seed {seed}: {conditions}\nthe oracle says {verdict}\n{ending}\n{}", run.chart())
}

/// What went wrong, and how to see it again.
pub(crate) fn failures(failures: &[Failure]) -> String {
    let mut text = format!("{} runs did not end as they should\n", failures.len());
    for (number, failure) in failures.iter().enumerate().take(NAMES) {
        let Failure { scenario, seed, why } = failure;
        text += &format!(
            "\n{why}\nFLOE_SCENARIO={scenario} FLOE_SEED={seed} cargo test -p floe-tests --test nat_matrix -- \
             every_scenario --nocapture\n"
        );
        if number < CHARTS {
            text += &replay(scenario, *seed);
        }
    }
    text
}
