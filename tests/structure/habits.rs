//! Tokens that no source may contain.

use proc_macro2::{Delimiter, Group, TokenTree};

use crate::sources::{SourceFile, all_files, for_each_group, ident, is_punct, read, rust_files};

/// Macros that stand for work not done.
const UNFINISHED: [&str; 2] = ["todo", "unimplemented"];

/// `#[ignore]`, `todo!`, `unimplemented!` and `unsafe`, in code and in macro bodies.
pub(crate) fn banned_anywhere(file: &SourceFile) -> Vec<String> {
    let mut found = Vec::new();
    for_each_group(&file.tokens, false, &mut |tokens, _| {
        for at in 0..tokens.len() {
            let Some(what) = banned_at(tokens, at) else { continue };
            found.push(format!("{}:{}: {what}", file.path, tokens[at].span().start().line));
        }
    });
    found
}

fn banned_at(tokens: &[TokenTree], at: usize) -> Option<String> {
    if is_punct(tokens, at, '#') {
        let TokenTree::Group(attribute) = tokens.get(at + 1)? else { return None };
        return ignores(attribute).then(|| "#[ignore]".to_owned());
    }
    let word = ident(tokens, at)?;
    match word.as_str() {
        "unsafe" => Some(word),
        unfinished if UNFINISHED.contains(&unfinished) && is_punct(tokens, at + 1, '!') => {
            Some(format!("{word}!"))
        }
        _ => None,
    }
}

/// Whether an attribute is `[ignore]`, with or without a reason, or `[cfg_attr(…, ignore)]`.
fn ignores(attribute: &Group) -> bool {
    let tokens: Vec<TokenTree> = attribute.stream().into_iter().collect();
    match (ident(&tokens, 0).as_deref(), tokens.get(1)) {
        (Some("ignore"), _) => true,
        (Some("cfg_attr"), Some(TokenTree::Group(inner))) => inner
            .stream()
            .into_iter()
            .any(|token| matches!(token, TokenTree::Ident(word) if word == "ignore")),
        _ => false,
    }
}

/// Calls of a function named `sleep` in test code.
pub(crate) fn sleeps_in_tests(file: &SourceFile) -> Vec<String> {
    let mut found = Vec::new();
    for_each_group(&file.tokens, file.is_test(), &mut |tokens, in_tests| {
        let calls = (0..tokens.len()).filter(|&at| in_tests && is_sleep(tokens, at));
        found.extend(calls.map(|at| format!("{}:{}: sleep", file.path, tokens[at].span().start().line)));
    });
    found
}

fn is_sleep(tokens: &[TokenTree], at: usize) -> bool {
    let called = matches!(tokens.get(at + 1), Some(TokenTree::Group(arguments))
        if arguments.delimiter() == Delimiter::Parenthesis);
    called && ident(tokens, at).is_some_and(|name| name == "sleep")
}

/// Roots of libraries and programs that do not forbid unsafe code themselves.
pub(crate) fn crate_roots_without_forbid() -> Vec<String> {
    let roots: Vec<String> = all_files().into_iter().filter(|path| is_crate_root(path)).collect();
    assert!(roots.len() >= 6, "found only {roots:?}: has the layout changed?");
    let lacking = roots.into_iter().filter(|path| !read(path).contains("#![forbid(unsafe_code)]"));
    lacking.collect()
}

fn is_crate_root(path: &str) -> bool {
    let published =
        path.starts_with("crates/") && (path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs"));
    published || matches!(path, "tests/src/lib.rs" | "benches/src/lib.rs" | "fuzz/src/lib.rs")
}

#[test]
fn the_workspace_has_sources() {
    assert!(rust_files().len() > 10);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn banned(text: &str) -> Vec<String> {
        banned_anywhere(&SourceFile::new("x.rs", text))
    }

    #[test]
    fn unfinished_ignored_and_unsafe_code_is_caught() {
        assert_eq!(banned("fn f() { todo!() }"), ["x.rs:1: todo!"]);
        assert_eq!(banned("fn f() {\n g(|| unimplemented!(\"x\")) }"), ["x.rs:2: unimplemented!"]);
        assert_eq!(banned("#[test]\n#[ignore = \"slow\"]\nfn f() {}"), ["x.rs:2: #[ignore]"]);
        assert_eq!(banned("#[cfg_attr(miri, ignore)] fn f() {}"), ["x.rs:1: #[ignore]"]);
        assert_eq!(banned("vec![unsafe { f() }];"), ["x.rs:1: unsafe"]);
    }

    #[test]
    fn words_in_strings_comments_and_names_pass() {
        let text =
            "#![forbid(unsafe_code)]\n// todo!() unsafe\nfn ignore() { let todo = \"unsafe #[ignore]\"; }";
        assert!(banned(text).is_empty());
    }

    #[test]
    fn sleeping_is_caught_in_tests_only() {
        let text = "async fn f() { tokio::time::sleep(d).await; }";
        assert_eq!(sleeps_in_tests(&SourceFile::new("tests/x.rs", text)), ["tests/x.rs:1: sleep"]);
        assert!(sleeps_in_tests(&SourceFile::new("crates/floe/src/x.rs", text)).is_empty());
        let unit = format!("#[cfg(test)] mod tests {{ {text} }}");
        assert_eq!(sleeps_in_tests(&SourceFile::new("crates/floe/src/x.rs", &unit)).len(), 1);
    }
}
