//! The table of attacks (`tests/attacks.md`): each has a bound and a test that exists, and each test of `tests/hostile`
//! is in it.
//!
//! A row is `| attack | what bounds it | tests |`, with the names of tests in backticks in the last cell.

use std::collections::BTreeSet;

use crate::conformance::Tests;
use crate::sources::{SourceFile, read, rust_files};

const DOCUMENT: &str = "tests/attacks.md";
const SUITE: &str = "tests/hostile/";

/// What is wrong with the table of this workspace.
pub(crate) fn findings() -> Vec<String> {
    let (suite, others): (Vec<_>, Vec<_>) =
        rust_files().into_iter().partition(|file| file.path.starts_with(SUITE));
    check(&read(DOCUMENT), &suite, &others)
}

fn check(text: &str, suite: &[SourceFile], others: &[SourceFile]) -> Vec<String> {
    let (suite, others) = (Tests::of(suite), Tests::of(others));
    let mut found = Vec::new();
    let mut named = BTreeSet::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| is_row(line)) {
        let place = format!("{DOCUMENT}:{}", at + 1);
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [attack, bound, tests] = cells[..] else {
            found.push(format!("{place}: {} cells instead of 3", cells.len()));
            continue;
        };
        if attack.is_empty() || bound.is_empty() {
            found.push(format!("{place}: an attack, and what bounds it"));
        }
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            found.push(format!("{place}: no test measures it"));
        }
        for name in names {
            named.insert(name.rsplit("::").next().unwrap_or(name).to_owned());
            let problems = [suite.problem(name), others.problem(name)];
            if let [Some(problem), Some(_)] = problems {
                found.push(format!("{place}: {problem}"));
            }
        }
    }
    let missing = suite.names().filter(|name| !named.contains(*name));
    found.extend(missing.map(|name| format!("{SUITE}: `{name}` is in no table of {DOCUMENT}")));
    found
}

/// Whether a line is a row with an attack: neither a heading nor the line below one.
fn is_row(line: &str) -> bool {
    line.starts_with('|') && !line.starts_with("|--") && !line.starts_with("| Attack |")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rows: &str) -> Vec<String> {
        let suite = [SourceFile::new("tests/hostile/a.rs", "#[test] fn held() {} fn helper() {}")];
        let others = [SourceFile::new("crates/ice/src/b.rs", "#[test] fn elsewhere() {}")];
        check(&format!("| Attack | Bound | Tests |\n|---|---|---|\n{rows}"), &suite, &others)
    }

    #[test]
    fn attacks_with_bounds_and_tests_pass() {
        assert_eq!(found("| all | nothing | `held`, `elsewhere` |"), [] as [&str; 0]);
    }

    #[test]
    fn an_attack_without_a_test_or_with_one_that_does_not_exist_is_caught() {
        let both = found("| all | nothing | by design |\n| more | less | `held`, `helper` |");
        let expected =
            ["tests/attacks.md:3: no test measures it", "tests/attacks.md:4: no test is called `helper`"];
        assert_eq!(both, expected);
        assert_eq!(found("| all | `held` |")[0], "tests/attacks.md:3: 2 cells instead of 3");
        assert_eq!(found("| all |  | `held` |"), ["tests/attacks.md:3: an attack, and what bounds it"]);
    }

    #[test]
    fn a_test_of_the_suite_that_no_row_names_is_caught() {
        let missing = found("| all | nothing | `elsewhere` |");
        assert_eq!(missing, ["tests/hostile/: `held` is in no table of tests/attacks.md"]);
    }
}
