//! The shape of the project, kept true by reading its sources: who may import whom, how large a file or a
//! function may grow, what no source may contain, and what the manifests promise.
//!
//! Sources are split into tokens by `proc-macro2`, so that comments and strings never count and macro bodies do.

#![forbid(unsafe_code)]

mod attacks;
mod conformance;
mod habits;
mod imports;
mod layers;
mod manifests;
mod results;
mod sizes;
mod sources;

use sources::SourceFile;

/// Fails with one line per finding.
#[track_caller]
fn assert_none(findings: &[String], rule: &str) {
    assert!(findings.is_empty(), "{rule}\n  {}\n", findings.join("\n  "));
}

fn findings(check: impl Fn(&SourceFile) -> Vec<String>) -> Vec<String> {
    sources::rust_files().iter().flat_map(check).collect()
}

#[test]
fn crates_import_only_downwards() {
    assert_none(&findings(layers::crate_edges), "the crates' imports are a DAG (see CRATE_IMPORTS)");
}

#[test]
fn modules_of_the_ice_crate_import_only_downwards() {
    assert_none(
        &layers::module_edges(&sources::rust_files_of("crates/ice/src"), layers::ICE_LAYERS),
        "the ICE agent's modules form layers (see ICE_LAYERS)",
    );
}

#[test]
fn modules_of_the_signal_crate_import_only_downwards() {
    assert_none(
        &layers::module_edges(&sources::rust_files_of("crates/signal/src"), layers::SIGNAL_LAYERS),
        "the signalling modules form layers (see SIGNAL_LAYERS)",
    );
}

#[test]
fn the_oracle_of_the_simulator_knows_nothing_of_the_agent() {
    assert_none(
        &findings(layers::oracle_edges),
        "an oracle that shares code with what it judges agrees with its mistakes",
    );
}

#[test]
fn files_stay_small() {
    assert_none(&sizes::long_files(), "a file stays within its limit unless its first lines say why");
}

#[test]
fn functions_stay_small() {
    assert_none(
        &findings(sizes::long_functions),
        "a function stays within its limit unless the file's first lines say why",
    );
}

#[test]
fn nothing_is_ignored_unfinished_or_unsafe() {
    assert_none(&findings(habits::banned_anywhere), "not in this project");
}

#[test]
fn tests_wait_for_things_and_never_for_time() {
    assert_none(&findings(habits::sleeps_in_tests), "a test waits for what it needs, with a deadline");
}

#[test]
fn every_crate_forbids_unsafe_code() {
    assert_none(&habits::crate_roots_without_forbid(), "a crate root begins with #![forbid(unsafe_code)]");
}

#[test]
fn manifests_keep_the_layout() {
    assert_none(&manifests::layout(), "the manifests keep the layout of the workspace");
}

#[test]
fn manifests_depend_only_downwards() {
    assert_none(&manifests::dependency_edges(), "the crates' dependencies are a DAG (see CRATE_IMPORTS)");
}

#[test]
fn every_test_and_bench_file_is_a_target() {
    assert_none(&manifests::files_without_target(), "a file that is no target never runs");
}

#[test]
fn the_tables_of_clauses_name_tests_that_exist() {
    assert_none(&conformance::findings(), "every clause has one row, and a row has a proof or a reason");
}

#[test]
fn the_table_of_attacks_has_every_hostile_test_and_no_other() {
    assert_none(&attacks::findings(), "an attack has a bound and a test, and a hostile test its attack");
}

#[test]
fn the_readme_shows_what_was_measured() {
    assert_none(&results::findings(), "benches/run writes both tables");
}
