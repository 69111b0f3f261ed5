//! What the tests of this package share.
//!
//! The package holds everything that has two parties or two crates in it, one `[[test]]` target for each topic.

#![forbid(unsafe_code)]

pub mod load;
pub mod rules;
pub mod scene;

use std::path::Path;

/// The root of the workspace.
///
/// ```
/// assert!(floe_tests::workspace_root().join("Cargo.lock").exists());
/// ```
#[must_use]
pub fn workspace_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// How often to repeat: `usually`, or `whole` when `FLOE_FULL=1` asks for the long suites.
///
/// ```
/// let rounds = floe_tests::repetitions(20, 100);
/// assert!(rounds == 20 || rounds == 100);
/// ```
#[must_use]
pub fn repetitions(usually: usize, whole: usize) -> usize {
    match std::env::var("FLOE_FULL") {
        Ok(value) if !matches!(value.as_str(), "" | "0") => whole,
        _ => usually,
    }
}

/// The examples of the README, compiled and run as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
