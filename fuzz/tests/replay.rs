//! Every seed of every fuzz target, on stable.

use std::fs;
use std::path::{Path, PathBuf};

use floe_fuzz::TARGETS;

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable directory").path()).collect();
    paths.sort();
    paths
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

#[test]
fn every_seed_passes() {
    for target in TARGETS {
        let seeds = entries(&corpus().join(target.name));
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        for seed in seeds {
            let data = fs::read(&seed).expect("a readable seed");
            println!("{}", seed.display());
            (target.run)(&data);
        }
    }
}

/// The shortest way off the beaten track: what is left of a seed that was cut off anywhere.
#[test]
fn every_seed_passes_cut_short() {
    for target in TARGETS {
        for seed in entries(&corpus().join(target.name)) {
            let data = fs::read(&seed).expect("a readable seed");
            println!("{}", seed.display());
            // At most 24 cuts, so that a long seed does not take quadratic time.
            for len in (0..data.len()).step_by(data.len().div_ceil(24).max(1)) {
                (target.run)(&data[..len]);
            }
        }
    }
}

#[test]
fn every_corpus_and_every_shim_has_its_target() {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    for path in entries(&corpus()) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        assert!(names.contains(&name), "{name} is the corpus of no target");
    }
    let shims = entries(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets"));
    let shims: Vec<&str> = shims.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
    assert_eq!(shims, names, "a shim for each target, both in alphabetical order");
}
