//! The README shows what `benches/RESULTS.md` says.

use crate::sources::read;

const BEGIN: &str = "<!-- written by benches/run -->\n";
const END: &str = "<!-- until here -->\n";

/// Rows of the README that are not among the results, or what makes them hard to find.
pub(crate) fn findings() -> Vec<String> {
    check(&read("README.md"), &read("benches/RESULTS.md"))
}

fn check(readme: &str, results: &str) -> Vec<String> {
    let marked = readme.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END));
    let Some((table, _)) = marked else { return vec!["README.md has no marks of benches/run".to_owned()] };
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ")).collect();
    if rows.len() < 2 {
        return vec!["README.md shows no result of benches/run".to_owned()];
    }
    let known: Vec<&str> = results.lines().collect();
    let strange = rows.into_iter().filter(|row| !known.contains(row));
    strange.map(|row| format!("README.md shows what benches/RESULTS.md does not: {row}")).collect()
}

#[test]
fn a_figure_that_was_not_measured_is_caught() {
    let readme = |rows: &str| format!("# floe\n{BEGIN}{rows}{END}## Licence\n");
    let results = "# Results\n| what | floe |\n|---|---|\n| a | 1 |\n| b | 2 |\n";
    assert_eq!(check(&readme("| what | floe |\n|---|---|\n| b | 2 |\n"), results), [] as [&str; 0]);
    let found = check(&readme("| what | floe |\n|---|---|\n| b | 1 |\n"), results);
    assert_eq!(found, ["README.md shows what benches/RESULTS.md does not: | b | 1 |"]);
    assert_eq!(check(&readme(""), results).len(), 1);
    assert_eq!(check("# floe\n", results).len(), 1);
}
