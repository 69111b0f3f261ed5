//! How large a file and a function may be.

use proc_macro2::{Delimiter, TokenTree};

use crate::sources::{SourceFile, all_files, for_each_group, ident, is_punct, read};

/// Lines of a file, its tests included.
const FILE_LINES: usize = 600;

/// Lines of a function, from `fn` to its closing brace.
const FUNCTION_LINES: usize = 60;

/// How many of the first lines may hold the reason.
const FIRST_LINES: usize = 15;

/// What the reason begins with, in a comment: `// Longer than 600 lines because …`.
const REASON: &str = "longer than";

/// Sources in the other languages of the project.
const OTHER_SOURCES: [&str; 7] = [".py", ".c", ".h", "tests/evidence", "tests/run", "fuzz/run", ".ci/run"];

/// Files that are longer than the limit and do not say why.
pub(crate) fn long_files() -> Vec<String> {
    let is_source =
        |path: &String| path.ends_with(".rs") || OTHER_SOURCES.iter().any(|end| path.ends_with(end));
    all_files().into_iter().filter(is_source).filter_map(|path| long_file(&path, &read(&path))).collect()
}

fn long_file(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > FILE_LINES && !says_why(text)).then(|| format!("{path}: {lines} lines, limit {FILE_LINES}"))
}

/// Functions that are longer than the limit in a file that does not say why.
pub(crate) fn long_functions(file: &SourceFile) -> Vec<String> {
    let mut found = Vec::new();
    if says_why(&file.text) {
        return found;
    }
    for_each_group(&file.tokens, false, &mut |tokens, _| {
        for at in 0..tokens.len() {
            let Some((name, lines, first)) = function(tokens, at) else { continue };
            if lines > FUNCTION_LINES {
                found
                    .push(format!("{}:{first}: {name} has {lines} lines, limit {FUNCTION_LINES}", file.path));
            }
        }
    });
    found
}

/// Name, number of lines and first line of the function that begins at `at`.
fn function(tokens: &[TokenTree], at: usize) -> Option<(String, usize, usize)> {
    if ident(tokens, at)? != "fn" {
        return None;
    }
    let name = ident(tokens, at + 1)?;
    let rest = (at..tokens.len()).take_while(|&next| !is_punct(tokens, next, ';'));
    let body = rest.filter_map(|next| match &tokens[next] {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group),
        _ => None,
    });
    let last = body.map(|group| group.span_close().end().line).next()?;
    let first = tokens[at].span().start().line;
    Some((name, last + 1 - first, first))
}

fn says_why(text: &str) -> bool {
    let comments =
        text.lines().take(FIRST_LINES).filter(|line| line.starts_with("//") || line.starts_with('#'));
    comments.map(str::to_lowercase).any(|line| line.contains(REASON) && line.contains("because"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_with_function_of(lines: usize, head: &str) -> SourceFile {
        let body = "    work();\n".repeat(lines - 2);
        SourceFile::new(
            "crates/x/src/x.rs",
            &format!("{head}impl X {{\nfn long(&self) -> u8 {{\n{body}}}\n}}\n"),
        )
    }

    #[test]
    fn a_function_at_the_limit_passes_and_one_above_is_caught() {
        assert!(long_functions(&file_with_function_of(FUNCTION_LINES, "")).is_empty());
        let found = long_functions(&file_with_function_of(FUNCTION_LINES + 1, ""));
        assert_eq!(found, ["crates/x/src/x.rs:2: long has 61 lines, limit 60"]);
    }

    #[test]
    fn a_reason_in_the_first_lines_lifts_the_limit() {
        let head = "//! A table.\n// Functions longer than 60 lines because the table is one.\n";
        assert!(long_functions(&file_with_function_of(FUNCTION_LINES + 1, head)).is_empty());
        let without_reason = "// Functions longer than 60 lines.\n";
        assert_eq!(long_functions(&file_with_function_of(FUNCTION_LINES + 1, without_reason)).len(), 1);
    }

    #[test]
    fn declarations_and_function_types_are_no_functions() {
        let declaration =
            format!("trait T {{ fn f(); }}\ntype F = fn(u8);\nstruct S {{\n{}}}", "\n".repeat(90));
        assert!(long_functions(&SourceFile::new("x.rs", &declaration)).is_empty());
    }

    #[test]
    fn a_long_file_is_caught() {
        assert_eq!(long_file("x.rs", &"\n".repeat(FILE_LINES)), None);
        let found = long_file("x.rs", &"\n".repeat(FILE_LINES + 1));
        assert_eq!(found.as_deref(), Some("x.rs: 601 lines, limit 600"));
    }
}
