//! The NAT matrix: every pair of classes of NAT, in every arrangement, with and without relays, connects if and only if the oracle
//! says so.
//!
//! # What is enumerated
//!
//! A *scenario* is all that the oracle looks at (`scenario.rs`): the shape (`shape.rs`: 0, 1 or 2 NATs before each side, what
//! the sides have in common, the address families), the class of every router, how ports are chosen, and whether the NATs that
//! both sides are behind turn packets round. A shape's scenarios are the whole product of what it has:
//!
//! - the mapping × filtering class of each side's own router, 9 × 9 (3 × 3 filters where there is only IPv6);
//! - the class of the outer routers, 9, where there are any; with an outer router for each side both are of the same class;
//! - the port allocation, 3: the same for all NATs, but 3 × 3 for the shape of one NAT before each side;
//! - hairpinning, 3 (none, external source, internal source: RFC 4787 §6), where a NAT is common. Where only the outer one is,
//!   only that one does it. Elsewhere no packet can meet it, and the seed chooses.
//!
//! All of them are played again with a relay on a TURN server for one side, for the other and for both, and so are a side with
//! IPv4 alone and one with IPv6 alone, whom nothing but a relay connects.
//!
//! Nothing of the product is left out: `every_shape_has_the_whole_product_of_what_varies` counts it.
//!
//! A *seed* decides the rest (`conditions.rs`): roles × weather, 12 combinations, take turns from seed to seed; ports, delays,
//! tie-breakers and the kind of signalling are drawn. The quick run plays each scenario with 5 seeds, so that the roles and the
//! weather rotate over the scenarios; with `FLOE_FULL=1` it is 200, and each scenario meets each of the 12 combinations at least
//! 16 times; with relays it is one seed, and 12 in the full run. Two seeds of different scenarios have nothing in common. A run takes 0.15 ms of a 3.7 GHz core in the test profile:
//! the quick run 18 seconds, the full one, of 4.8 million, 12 minutes; all cores are used.
//!
//! # What is checked
//!
//! Of every run (`run.rs`): both sides complete, or both fail, as the oracle says; where it has a doubt (ports that could be
//! predicted), both do the same. They have selected the same pair, of a kind that the oracle names, the best one unless losses
//! may have hidden it; one side controls; data passes both ways; and it takes no longer than the timers of the RFCs allow
//! (`bounds.rs`).
//!
//! # One run alone
//!
//! `FLOE_SCENARIO=name FLOE_SEED=number cargo test -p floe-tests --test nat_matrix -- every_scenario --nocapture` plays one run
//! and shows its chart; a failure prints that line. The beginning of a name selects all that begin so; without a seed all
//! seeds are played.

mod bounds;
mod conditions;
mod report;
mod run;
mod scenario;
mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use floe_netsim::Verdict;

use conditions::{Conditions, ROLES, WEATHERS};
use report::{Failure, Selection, Tally};
use run::Run;
use scenario::Scenario;

/// Plays all seeds of all scenarios on all processors.
fn play(scenarios: &[Scenario], seeds: &[u64]) -> Tally {
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
    let next = AtomicUsize::new(0);
    let total = Mutex::new(Tally::default());
    let work = || {
        let mut tally = Tally::default();
        while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
            for &seed in seeds {
                let conditions = Conditions::of(scenario, seed);
                match Run::new(scenario, conditions, false).play_to_the_end() {
                    Ok(ending) => tally.add(scenario, ending),
                    Err(why) => tally.failures.push(Failure { scenario: *scenario, seed, why }),
                }
            }
        }
        total.lock().expect("no worker panics while it adds").merge(tally);
    };
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    total.into_inner().expect("no worker panics while it adds")
}

#[test]
fn every_scenario_ends_as_the_oracle_says() {
    play_and_check("NAT matrix", Selection::from_env(scenario::direct(), 5, 200));
}

#[test]
fn every_scenario_with_relays_ends_as_the_oracle_says() {
    play_and_check("NAT matrix with relays", Selection::from_env(scenario::relayed(), 1, 12));
}

fn play_and_check(what: &str, selection: Option<Selection>) {
    let Some(selection) = selection else { return };
    let begun = std::time::Instant::now();
    let tally = play(&selection.scenarios, &selection.seeds);
    print!("\n{tally}");
    if let ([scenario], [seed]) = (&selection.scenarios[..], &selection.seeds[..]) {
        println!("{}", report::replay(scenario, *seed));
    }
    assert!(tally.failures.is_empty(), "{}", report::failures(&tally.failures));
    let (scenarios, seeds) = (selection.scenarios.len(), selection.seeds.len());
    println!(
        "evidence: {what}: {scenarios} scenarios x {seeds} seeds = {} connects, all as the oracle says ({} s)",
        tally.runs(),
        begun.elapsed().as_secs()
    );
    assert_eq!(tally.runs(), scenarios * seeds, "each was played");
}

#[test]
fn every_shape_has_the_whole_product_of_what_varies() {
    let all = scenario::direct();
    let names: BTreeSet<String> = all.iter().map(ToString::to_string).collect();
    assert_eq!(names.len(), all.len(), "each scenario has a name of its own");
    let mut counts = BTreeMap::new();
    for scenario in &all {
        *counts.entry(scenario.shape.name).or_insert(0) += 1;
    }
    // Classes of the first side's own router × of the second's × of the outer ones × ports × hairpinning.
    let expected = BTreeMap::from([
        ("open-open", 1),
        ("nat-open", 9 * 3),
        ("open-nat", 9 * 3),
        ("nat-nat", 9 * 9 * 9),
        ("cgn-open", 9 * 9 * 3),
        ("open-cgn", 9 * 9 * 3),
        ("cgn-nat", 9 * 9 * 9 * 3),
        ("nat-cgn", 9 * 9 * 9 * 3),
        ("cgn-cgn", 9 * 9 * 9 * 3),
        ("same-lan", 9 * 3 * 3),
        ("same-lan-in-cgn", 9 * 9 * 3 * 3),
        ("same-cgn", 9 * 9 * 9 * 3 * 3),
        ("same-cgn-open", 9 * 9 * 3 * 3),
        ("open-same-cgn", 9 * 9 * 3 * 3),
        ("dual-open-open", 1),
        ("dual-nat-open", 9 * 3),
        ("dual-nat-nat", 9 * 9 * 3),
        ("dual-same-lan", 9 * 3 * 3),
        ("dual-same-cgn", 9 * 9 * 9 * 3 * 3),
        ("dual-v4", 9 * 9 * 3),
        ("v4-dual", 9 * 9 * 3),
        ("dual-v6", 9 * 3 * 3),
        ("v6-fw-open", 3),
        ("v6-fw-fw", 3 * 3),
        ("v6-nested-nested", 3 * 3 * 3),
        ("v6-same-outer", 3 * 3 * 3),
    ]);
    assert_eq!(counts, expected);
}

#[test]
fn with_relays_every_scenario_is_there_three_times_and_some_where_nothing_else_connects() {
    let relayed = scenario::relayed();
    let names: BTreeSet<String> = relayed.iter().map(ToString::to_string).collect();
    assert_eq!(names.len(), relayed.len(), "each scenario has a name of its own");
    assert_eq!(relayed.len(), 3 * (scenario::direct().len() + 9 * 3 * 3));
    for scenario in relayed.iter().filter(|scenario| scenario.shape.name == "v4-v6").step_by(7) {
        let without = Scenario { relays: [false; 2], ..*scenario };
        let verdict = Run::new(&without, Conditions::of(&without, 0), false).verdict();
        assert!(verdict.is_no(), "{scenario}: {verdict}");
    }
}

#[test]
fn whoever_has_a_relay_that_both_can_reach_connects() {
    for scenario in scenario::relayed().iter().step_by(11) {
        let verdict = Run::new(scenario, Conditions::of(scenario, 0), false).verdict();
        assert!(verdict.is_yes(), "{scenario}: {verdict}");
    }
}

#[test]
fn twelve_seeds_in_a_row_have_all_roles_in_all_weathers() {
    for scenario in scenario::direct().iter().step_by(97) {
        for first in [0, 5, 188] {
            let twelve: Vec<_> = (first..first + 12).map(|seed| Conditions::of(scenario, seed)).collect();
            for roles in ROLES {
                for weather in WEATHERS {
                    let is = |c: &&Conditions| c.roles == roles && c.weather == weather;
                    assert_eq!(twelve.iter().filter(is).count(), 1, "{roles:?} {weather:?}");
                }
            }
        }
    }
}

#[test]
fn what_the_seed_decides_is_nothing_to_the_oracle() {
    for scenario in scenario::direct().iter().step_by(13) {
        let verdicts =
            (0..12).map(|seed| Run::new(scenario, Conditions::of(scenario, seed), false).verdict());
        let verdicts: Vec<_> = verdicts.collect();
        assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "{scenario}: {verdicts:?}");
    }
}

#[test]
fn the_oracle_often_says_yes_and_no_and_is_often_in_doubt() {
    let mut counts = [0; 3];
    for scenario in scenario::direct().iter().step_by(5) {
        let verdict = Run::new(scenario, Conditions::of(scenario, 0), false).verdict();
        let kind = match verdict {
            Verdict::Yes { .. } => 0,
            Verdict::No => 1,
            Verdict::Maybe { .. } => 2,
        };
        counts[kind] += 1;
    }
    assert!(counts.iter().all(|&count| count > 500), "yes, no, in doubt: {counts:?}");
}
