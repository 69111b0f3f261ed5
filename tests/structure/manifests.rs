//! What the manifests promise, as `cargo metadata` reads them.

use std::process::Command;

use floe_tests::workspace_root;
use serde_json::Value;

use crate::layers::{CRATE_IMPORTS, crate_may_use};
use crate::sources::{all_files, read};

/// Fields without which a crate cannot be published well.
const PUBLISHED_FIELDS: [&str; 5] = ["description", "license", "readme", "rust_version", "edition"];

/// The members of the workspace.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(workspace_root())
        .output()
        .expect("cargo, which runs this test, can be started");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    metadata["packages"].as_array().expect("cargo metadata lists packages").clone()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

/// `publish = false` reads as an empty list of registries.
fn is_published(package: &Value) -> bool {
    !package["publish"].is_array()
}

/// Members that lack what every member or every published crate has.
pub(crate) fn layout() -> Vec<String> {
    let packages = packages();
    let mut findings: Vec<String> = packages.iter().flat_map(package_layout).collect();
    let mut published: Vec<&str> =
        packages.iter().filter(|p| is_published(p)).map(|p| text(p, "name")).collect();
    let mut expected: Vec<&str> = CRATE_IMPORTS.iter().map(|(name, _)| *name).collect();
    published.sort_unstable();
    expected.sort_unstable();
    if published != expected {
        findings.push(format!("published are {published:?}, the table of imports has {expected:?}"));
    }
    findings
}

fn package_layout(package: &Value) -> Vec<String> {
    let name = text(package, "name");
    let mut findings = Vec::new();
    let manifest = std::fs::read_to_string(text(package, "manifest_path")).unwrap_or_default();
    if !manifest.contains("[lints]\nworkspace = true") {
        findings.push(format!("{name}: takes no part in the workspace's lints"));
    }
    if is_published(package) {
        let missing = PUBLISHED_FIELDS.iter().filter(|field| text(package, field).is_empty());
        findings.extend(missing.map(|field| format!("{name}: no {field}")));
    }
    for program in list(package, "targets").iter().filter(|target| target["kind"][0] == "bin") {
        // A program's page would take the place of the library of the same name.
        if is_published(package) && program["doc"] != false {
            findings.push(format!("{name}: the program {} needs doc = false", text(program, "name")));
        }
    }
    findings
}

/// Dependencies between members, of any kind, that the table of imports does not allow.
pub(crate) fn dependency_edges() -> Vec<String> {
    let packages = packages();
    let ours: Vec<&str> = packages.iter().map(|package| text(package, "name")).collect();
    let mut findings = Vec::new();
    for package in &packages {
        let from = text(package, "name");
        let members =
            list(package, "dependencies").iter().map(|d| text(d, "name")).filter(|to| ours.contains(to));
        let upward = members.filter(|to| !crate_may_use(from, to));
        findings.extend(upward.map(|to| format!("{from} depends on {to}")));
    }
    findings
}

/// Rust files at the top of `tests/` and `benches/`, and `main.rs` below them, that no target names: those
/// packages list their targets, nothing is found by itself.
pub(crate) fn files_without_target() -> Vec<String> {
    let packages = packages();
    let targets: Vec<&str> = packages
        .iter()
        .flat_map(|package| list(package, "targets"))
        .map(|target| text(target, "src_path"))
        .collect();
    let is_target = |path: &String| targets.contains(&&*workspace_root().join(path).to_string_lossy());
    all_files().into_iter().filter(|path| needs_target(path)).filter(|path| !is_target(path)).collect()
}

fn needs_target(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        ["tests" | "benches", file] => file.ends_with(".rs"),
        ["tests" | "benches", _, "main.rs"] => true,
        ["fuzz", "fuzz_targets", file] => file.ends_with(".rs"),
        _ => false,
    }
}

#[test]
fn the_minimum_rust_version_is_the_one_that_tests_run_checks() {
    let packages = packages();
    let ice = packages.iter().find(|package| text(package, "name") == "floe-ice");
    let version = text(ice.expect("floe-ice is a member"), "rust_version").to_owned();
    assert!(read("tests/run").contains(&format!("msrv={version}\n")), "tests/run checks another version");
}

#[test]
fn only_target_files_need_a_target() {
    assert!(needs_target("tests/nat_pairs.rs"));
    assert!(needs_target("tests/structure/main.rs"));
    assert!(!needs_target("tests/structure/sizes.rs"));
    assert!(!needs_target("crates/ice/src/lib.rs"));
}
