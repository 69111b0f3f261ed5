//! The tables of clauses (`tests/conformance*.md`): every clause of the RFCs that an agent keeps has one row, each row
//! has a proof or a reason, and every test that they name exists.
//!
//! A row is `| clause | what it asks | tests or reason |`. In the last cell backticks stand around names of tests and
//! around nothing else: `name`, or `module::name` where the name alone could be several. In a table whose first heading
//! is `Rule` the first cell is a rule of ours instead of a clause, and the last one names a test.

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, TokenTree};

use crate::sources::{SourceFile, all_files, ident, is_punct, opened_module, read, rust_files};

/// How many clauses each section has, one a line; 0 where a section asks something without a keyword of RFC 2119.
const CLAUSES: &str = include_str!("clauses.txt");

/// A row of a table.
struct Row<'a> {
    /// `file:line`.
    place: String,
    /// The first cell is a rule of ours, not a clause.
    is_rule: bool,
    clause: &'a str,
    asks: &'a str,
    proof: &'a str,
}

/// Every test of some sources: its name, and the paths of the modules that have one of this name.
#[derive(Default)]
pub(crate) struct Tests(BTreeMap<String, Vec<Vec<String>>>);

/// What is wrong with the tables of this workspace.
pub(crate) fn findings() -> Vec<String> {
    let documents: Vec<(String, String)> = all_files()
        .into_iter()
        .filter(|path| path.starts_with("tests/conformance") && path.ends_with(".md"))
        .map(|path| (path.clone(), read(&path)))
        .collect();
    assert!(!documents.is_empty(), "there is no tests/conformance.md");
    let files = rust_files();
    let tests = Tests::of(&files);
    assert!(tests.0.len() > 400, "found only {} tests: has the way they are written changed?", tests.0.len());
    check(&documents, CLAUSES, &tests)
}

fn check(documents: &[(String, String)], clauses: &str, tests: &Tests) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen: BTreeMap<&str, String> = BTreeMap::new();
    for (path, text) in documents {
        let rows = rows(path, text, &mut found);
        if rows.is_empty() {
            found.push(format!("{path}: has no rows"));
        }
        for row in rows {
            found.extend(row.findings(tests));
            if let Some(first) = seen.get(row.clause) {
                found.push(format!("{}: {} has a row already, {first}", row.place, row.clause));
            } else {
                seen.insert(row.clause, row.place);
            }
        }
    }
    for line in clauses.lines() {
        found.extend(missing(line, &|clause| seen.contains_key(clause)));
    }
    found
}

/// Clauses of a section, given as `8445§7.2.4 2`, that have no row, and the one after the last if that has one.
fn missing(line: &str, has_row: &dyn Fn(&str) -> bool) -> Vec<String> {
    let Some((section, Ok(count))) = line.split_once(' ').map(|(s, count)| (s, count.parse::<u32>())) else {
        return vec![format!("clauses.txt: `{line}` is no section with a number")];
    };
    let mut wanted: Vec<String> = (1..=count).map(|number| format!("{section}#{number}")).collect();
    if wanted.is_empty() {
        wanted.push(section.to_owned());
    }
    wanted.retain(|clause| !has_row(clause));
    let mut found: Vec<String> = wanted.iter().map(|clause| format!("{clause} has no row")).collect();
    let beyond = format!("{section}#{}", count + 1);
    if has_row(&beyond) {
        found.push(format!("{beyond} has a row, and {section} has {count} clauses"));
    }
    found
}

/// The rows of a document's tables, without headings; `found` gets the lines that are no row.
fn rows<'a>(path: &str, text: &'a str, found: &mut Vec<String>) -> Vec<Row<'a>> {
    let (mut rows, mut is_rule) = (Vec::new(), false);
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with('|')) {
        if is_line(line) {
            continue;
        }
        if lines.get(at + 1).is_some_and(|next| is_line(next)) {
            is_rule = line.starts_with("| Rule |");
            continue;
        }
        let place = format!("{path}:{}", at + 1);
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        match cells[..] {
            [clause, asks, proof] => rows.push(Row { place, is_rule, clause, asks, proof }),
            _ => found.push(format!("{place}: {} cells instead of 3", cells.len())),
        }
    }
    rows
}

/// Whether a line is the one below the heading of a table.
fn is_line(line: &str) -> bool {
    line.starts_with("|-") || line.starts_with("| -") || line.starts_with("|:")
}

impl Row<'_> {
    fn findings(&self, tests: &Tests) -> Vec<String> {
        let Self { place, is_rule, clause, asks, proof } = self;
        let mut found = Vec::new();
        if *is_rule && !proof.contains('`') {
            found.push(format!("{place}: no test shows that `{clause}`"));
        }
        if !is_rule && !is_clause(clause) {
            found.push(format!(
                "{place}: `{clause}` is no clause: 8445§7.3.1.4#2, or 8445§6.1.2 for a section"
            ));
        }
        if !has_words(asks) {
            found.push(format!("{place}: {clause} does not say what it asks"));
        }
        if !has_words(proof) {
            found.push(format!("{place}: {clause} has neither a test nor a reason"));
        }
        if proof.to_lowercase().contains("not yet tested") {
            found.push(format!("{place}: {clause} is not yet tested"));
        }
        if proof.matches('`').count() % 2 != 0 {
            found.push(format!("{place}: {clause} has a backtick too many"));
        }
        let problems = names(proof).filter_map(|name| tests.problem(name));
        found.extend(problems.map(|problem| format!("{place}: {clause}: {problem}")));
        found
    }
}

/// What stands between backticks.
fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

fn has_words(cell: &str) -> bool {
    cell.split(|c: char| !c.is_alphabetic()).any(|word| word.len() > 1)
}

/// `8445§7.3.1.4#2`, or without `#2` for a section as a whole.
fn is_clause(text: &str) -> bool {
    let Some((rfc, rest)) = text.split_once('§') else { return false };
    let (section, number) = rest.split_once('#').map_or((rest, None), |(section, n)| (section, Some(n)));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let part = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
    digits(rfc) && section.split('.').all(part) && number.is_none_or(digits)
}

impl Tests {
    pub(crate) fn of(files: &[SourceFile]) -> Self {
        let mut tests = Self::default();
        for file in files {
            let path = file.path.strip_suffix(".rs").unwrap_or(&file.path);
            let module: Vec<String> = path.split('/').map(str::to_owned).collect();
            tests.collect(&file.tokens, &module);
        }
        tests
    }

    fn collect(&mut self, tokens: &[TokenTree], module: &[String]) {
        for (at, token) in tokens.iter().enumerate() {
            if let TokenTree::Group(group) = token {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let inside: Vec<String> = module.iter().cloned().chain(opened_module(tokens, at)).collect();
                self.collect(&inner, &inside);
            } else if ident(tokens, at).is_some_and(|word| word == "fn") && is_test(tokens, at) {
                let name = ident(tokens, at + 1).unwrap_or_default();
                self.0.entry(name).or_default().push(module.to_vec());
            }
        }
    }

    /// Every name, once.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What is wrong with a name, if it is not that of one test.
    pub(crate) fn problem(&self, name: &str) -> Option<String> {
        let mut qualifier: Vec<&str> = name.split("::").collect();
        let function = qualifier.pop().unwrap_or_default();
        let Some(modules) = self.0.get(function) else { return Some(format!("no test is called `{name}`")) };
        match modules.iter().filter(|module| is_within(module, &qualifier)).count() {
            0 => Some(format!("the test `{function}` is not in `{}`", qualifier.join("::"))),
            1 => None,
            several => Some(format!("`{name}` could be {several} tests: say the module")),
        }
    }
}

/// Whether `module` is below the modules of `qualifier`, in their order, possibly with others between.
fn is_within(module: &[String], qualifier: &[&str]) -> bool {
    let mut rest = module.iter();
    qualifier.iter().all(|wanted| rest.any(|part| part == wanted))
}

/// Whether the `fn` at `at` has an attribute `#[test]` or `#[…::test(…)]`.
fn is_test(tokens: &[TokenTree], at: usize) -> bool {
    let mut before = at;
    while let Some(previous) = before.checked_sub(1) {
        match &tokens[previous] {
            TokenTree::Ident(word) if word == "async" => before = previous,
            TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
                let Some(hash) = previous.checked_sub(1).filter(|&hash| is_punct(tokens, hash, '#')) else {
                    return false;
                };
                let attribute: Vec<TokenTree> = group.stream().into_iter().collect();
                let path = attribute.iter().take_while(|token| !matches!(token, TokenTree::Group(_)));
                if path.last().is_some_and(|token| matches!(token, TokenTree::Ident(word) if word == "test"))
                {
                    return true;
                }
                before = hash;
            }
            _ => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCES: [(&str, &str); 3] = [
        ("crates/ice/src/role.rs", "fn plain() {} mod tests { #[test] fn both() {} #[test] fn one() {} }"),
        ("crates/floe/tests/loop.rs", "#[tokio::test(flavor = \"x\")] #[cfg(unix)] async fn waits() {}"),
        ("tests/a/b.rs", "proptest! { #![config(x)] #[test] fn always(a in b()) {} #[test] fn both() {} }"),
    ];

    fn tests_of_sources() -> Tests {
        let files: Vec<SourceFile> = SOURCES.iter().map(|(path, text)| SourceFile::new(path, text)).collect();
        Tests::of(&files)
    }

    fn found(text: &str) -> Vec<String> {
        check(&[("c.md".to_owned(), text.to_owned())], "", &tests_of_sources())
    }

    #[test]
    fn rows_with_tests_and_rows_with_reasons_pass() {
        let text = "# Clauses\n\n| Clause | Asks | Proof |\n|---|---|---|\n\
            | 8445§7#1 | do so | `one`, `role::both`, `a::b::both`, and by the way `waits` |\n\
            | 8445§7#2 | do so | `tests::a::always` |\n\
            | 8445§7.1 | do so | later: relays |\n";
        assert_eq!(found(text), [] as [&str; 0]);
    }

    #[test]
    fn a_test_that_does_not_exist_is_caught() {
        assert_eq!(found("| 1§1#1 | it | `none` |"), ["c.md:1: 1§1#1: no test is called `none`"]);
        assert_eq!(found("| 1§1#1 | it | `plain` |"), ["c.md:1: 1§1#1: no test is called `plain`"]);
        let elsewhere = found("| 1§1#1 | it | `one`, `stun::one` |");
        assert_eq!(elsewhere, ["c.md:1: 1§1#1: the test `one` is not in `stun`"]);
        let order = found("| 1§1#1 | it | `b::a::both` |");
        assert_eq!(order, ["c.md:1: 1§1#1: the test `both` is not in `b::a`"]);
        let several = found("| 1§1#1 | it | `both` |");
        assert_eq!(several, ["c.md:1: 1§1#1: `both` could be 2 tests: say the module"]);
    }

    #[test]
    fn a_clause_with_two_rows_is_caught() {
        let twice = found("| 1§1#1 | it | `one` |\n| 1§1#2 | it | `one` |\n| 1§1#1 | it | `one` |");
        assert_eq!(twice, ["c.md:3: 1§1#1 has a row already, c.md:1"]);
    }

    #[test]
    fn a_clause_without_a_row_is_caught() {
        let table = "| 1§1#1 | it | `one` |\n| 1§1#3 | it | `one` |\n| 1§2 | it | `one` |";
        let found = |clauses| check(&[("c.md".to_owned(), table.to_owned())], clauses, &tests_of_sources());
        assert_eq!(found("1§1 3"), ["1§1#2 has no row"]);
        assert_eq!(found("1§1 2"), ["1§1#2 has no row", "1§1#3 has a row, and 1§1 has 2 clauses"]);
        assert_eq!(found("1§2 0\n1§3 0"), ["1§3 has no row"]);
        assert_eq!(found("1§1"), ["clauses.txt: `1§1` is no section with a number"]);
    }

    #[test]
    fn a_rule_of_ours_names_a_test_that_exists() {
        let table = |proof| {
            found(&format!("| Rule | Settings | Tests |\n|---|---|---|\n| we do | or not | {proof} |"))
        };
        assert_eq!(table("`one`"), [] as [&str; 0]);
        assert_eq!(table("by construction"), ["c.md:3: no test shows that `we do`"]);
        assert_eq!(table("`none`"), ["c.md:3: we do: no test is called `none`"]);
    }

    #[test]
    fn a_row_without_proof_or_reason_is_caught() {
        for empty in ["", "-", "…", "``"] {
            let found = found(&format!("| 1§1#1 | it | {empty} |"));
            let expected = "c.md:1: 1§1#1 has neither a test nor a reason";
            assert_eq!(found.first().map(String::as_str), Some(expected), "{empty}");
        }
        assert_eq!(found("| 1§1#1 |  | `one` |"), ["c.md:1: 1§1#1 does not say what it asks"]);
        let later = found("| 1§1#1 | it | `one`. Not yet tested: the rest |");
        assert_eq!(later, ["c.md:1: 1§1#1 is not yet tested"]);
    }

    #[test]
    fn a_row_that_is_none_is_caught() {
        assert_eq!(found("| 1§1#1 | `one` |"), ["c.md:1: 2 cells instead of 3", "c.md: has no rows"]);
        assert_eq!(found("| 1§1#1 | it | `one |")[0], "c.md:1: 1§1#1 has a backtick too many");
        for bad in ["8445", "8445§", "§7", "8445§7..1", "8445§7#", "8445§7#1–3", "8445§7#1, 8445§7#2"]
        {
            let found = found(&format!("| {bad} | it | `one` |"));
            assert_eq!(found.len(), 1, "{bad}: {found:?}");
            assert!(found[0].contains("is no clause"), "{bad}: {found:?}");
        }
        assert_eq!(found("nothing"), ["c.md: has no rows"]);
    }
}
