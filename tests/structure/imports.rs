//! The paths a file mentions: its `use` trees, and paths that begin with a crate's name, `crate`, `super` or `self`.

use proc_macro2::{Delimiter, TokenTree};

use crate::sources::{SourceFile, ident, is_punct, is_test_module, opened_module};

/// One path that a file outside its unit tests mentions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Import {
    pub(crate) line: usize,
    /// Made absolute: begins with `crate` or with the name of another crate. A glob ends in `*`.
    pub(crate) path: Vec<String>,
    /// The name it gets here: the last segment, or what follows `as`.
    pub(crate) name: String,
}

/// Every import of `file`. Those of unit tests are left out: a test may look anywhere.
pub(crate) fn imports(file: &SourceFile) -> Vec<Import> {
    if file.is_test() {
        return Vec::new();
    }
    let mut found = Vec::new();
    collect(&file.tokens, &file.module(), &mut found);
    found
}

fn collect(tokens: &[TokenTree], module: &[String], found: &mut Vec<Import>) {
    let mut at = 0;
    while at < tokens.len() {
        if let TokenTree::Group(group) = &tokens[at] {
            let inner: Vec<TokenTree> = group.stream().into_iter().collect();
            match opened_module(tokens, at) {
                Some(name) if is_test_module(&name) => {}
                Some(name) => collect(&inner, &[module, &[name]].concat(), found),
                None => collect(&inner, module, found),
            }
            at += 1;
        } else if ident(tokens, at).as_deref() == Some("use") && !is_punct(tokens, at + 1, '<') {
            let end = (at..tokens.len()).find(|&end| is_punct(tokens, end, ';')).unwrap_or(tokens.len());
            use_tree(&tokens[at + 1..end], &[], module, found);
            at = end;
        } else {
            at += path_expression(tokens, at, module, found);
        }
    }
}

/// `a::b::{c, d as e, f::*}`, after `prefix`.
fn use_tree(tokens: &[TokenTree], prefix: &[String], module: &[String], found: &mut Vec<Import>) {
    let mut path = prefix.to_vec();
    let mut name = None;
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Ident(word) if word == "as" => {
                name = ident(tokens, at + 1);
                at += 1;
            }
            TokenTree::Ident(word) => path.push(word.to_string()),
            TokenTree::Punct(punct) if punct.as_char() == '*' => path.push("*".to_owned()),
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                for branch in inner.split(|token| matches!(token, TokenTree::Punct(p) if p.as_char() == ','))
                {
                    use_tree(branch, &path, module, found);
                }
                return;
            }
            _ => {}
        }
        at += 1;
    }
    // `use a::{self}` names `a` itself.
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    if let (Some(first), Some(last)) = (tokens.first(), path.last().cloned()) {
        let line = first.span().start().line;
        found.push(Import { line, path: absolute(&path, module), name: name.unwrap_or(last) });
    }
}

/// Reads `crate::a::b` at `at`, if such a path begins there; returns how many tokens it took, at least one.
fn path_expression(tokens: &[TokenTree], at: usize, module: &[String], found: &mut Vec<Import>) -> usize {
    let continues = at >= 2 && is_punct(tokens, at - 1, ':') && is_punct(tokens, at - 2, ':');
    let Some(first) = ident(tokens, at).filter(|first| !continues && is_root(first)) else { return 1 };
    let mut path = vec![first];
    let mut end = at + 1;
    while is_punct(tokens, end, ':') && is_punct(tokens, end + 1, ':') {
        let Some(segment) = ident(tokens, end + 2) else { break };
        path.push(segment);
        end += 3;
    }
    if path.len() > 1 {
        let line = tokens[at].span().start().line;
        let name = path.last().cloned().unwrap_or_default();
        found.push(Import { line, path: absolute(&path, module), name });
    }
    end - at
}

fn is_root(word: &str) -> bool {
    matches!(word, "crate" | "super" | "self" | "floe") || word.starts_with("floe_")
}

/// Replaces leading `self` and `super` by the path of `module` they stand for.
fn absolute(path: &[String], module: &[String]) -> Vec<String> {
    let relative = |ups: usize, rest: &[String]| {
        let kept = module.len().saturating_sub(ups);
        [&["crate".to_owned()], &module[..kept], rest].concat()
    };
    let supers = path.iter().skip_while(|part| *part == "self").take_while(|part| *part == "super").count();
    match path.first().map(String::as_str) {
        Some("self") => relative(supers, &path[1 + supers..]),
        Some("super") => relative(supers, &path[supers..]),
        _ => path.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(path: &str, text: &str) -> Vec<String> {
        imports(&SourceFile::new(path, text)).iter().map(|import| import.path.join("::")).collect()
    }

    #[test]
    fn use_trees_are_flattened() {
        let text = "use crate::{agent::{Agent, route as way}, role}; pub use floe_stun::message::{self, *};";
        assert_eq!(
            paths("crates/ice/src/role.rs", text),
            [
                "crate::agent::Agent",
                "crate::agent::route",
                "crate::role",
                "floe_stun::message",
                "floe_stun::message::*"
            ]
        );
    }

    #[test]
    fn super_and_self_are_resolved_also_in_inline_modules() {
        let text = "use super::role; use self::x::Y; mod inner { use super::super::agent::Agent; }";
        assert_eq!(
            paths("crates/ice/src/session/check_request.rs", text),
            ["crate::session::role", "crate::session::check_request::x::Y", "crate::session::agent::Agent"]
        );
    }

    #[test]
    fn paths_in_code_and_in_macros_count_but_strings_and_comments_do_not() {
        let text = r#"
            //! [`crate::agent`]
            // use crate::agent;
            fn f(x: &crate::session::Session) { assert!(crate::agent::up("crate::gather"), "{}", self.x); }
        "#;
        assert_eq!(paths("crates/ice/src/role.rs", text), ["crate::session::Session", "crate::agent::up"]);
    }

    #[test]
    fn unit_tests_may_look_anywhere() {
        let text = "#[cfg(test)] mod tests { use crate::agent::Agent; }";
        assert!(paths("crates/ice/src/role.rs", text).is_empty());
        assert!(paths("crates/ice/src/role/tests.rs", "use crate::agent::Agent;").is_empty());
    }

    #[test]
    fn an_alias_is_known_by_both_names() {
        let found = imports(&SourceFile::new("crates/ice/src/lib.rs", "pub use agent::Agent as IceAgent;"));
        assert_eq!((found[0].path.join("::"), found[0].name.as_str()), ("agent::Agent".into(), "IceAgent"));
    }
}
