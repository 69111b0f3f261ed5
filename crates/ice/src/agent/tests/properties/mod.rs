//! Properties of agents under random inputs: what may never happen, whatever does.
//!
//! The workspace fixes the seed (`.cargo/config.toml`), so that a run tells the same every time; `FLOE_FULL=1` runs many
//! more cases, `PROPTEST_RNG_SEED` others.

mod inputs;
mod lines;
mod pairs;
mod single;

use proptest::test_runner::Config;

/// The configuration of a property: `usually` cases, or fifty times as many.
fn cases(usually: u32) -> Config {
    let full = std::env::var_os("FLOE_FULL").is_some_and(|v| v == "1");
    Config {
        cases: if full { usually * 50 } else { usually },
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    }
}
