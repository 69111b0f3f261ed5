//! The workspace's source files, as tokens.

use std::fs;
use std::path::{Path, PathBuf};

use floe_tests::workspace_root;
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Directories of a package that hold no sources of ours.
const SKIPPED: [&str; 5] = ["target", ".env", "corpus", "artifacts", "__pycache__"];

/// The directories that hold sources.
const SOURCE_ROOTS: [&str; 5] = ["crates", "fuzz", "benches", "tests", ".ci"];

/// One Rust file.
pub(crate) struct SourceFile {
    /// Relative to the workspace root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) tokens: Vec<TokenTree>,
}

impl SourceFile {
    /// # Panics
    /// If the text is no Rust.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let tokens: TokenStream =
            text.parse().unwrap_or_else(|error| panic!("{path} cannot be split into tokens: {error}"));
        Self { path: path.to_owned(), text: text.to_owned(), tokens: tokens.into_iter().collect() }
    }

    /// The package this file belongs to: `floe-stun` for `crates/stun/…`, `floe-tests` for `tests/…`.
    pub(crate) fn package(&self) -> String {
        let mut parts = self.path.split('/');
        match (parts.next(), parts.next()) {
            (Some("crates"), Some("floe")) => "floe".to_owned(),
            (Some("crates"), Some(directory)) => format!("floe-{directory}"),
            (Some(directory), _) => format!("floe-{directory}"),
            (None, _) => String::new(),
        }
    }

    /// The module path the file has inside its crate: `["session", "check_request"]`; empty for the root.
    pub(crate) fn module(&self) -> Vec<String> {
        let inside = self.path.split_once("/src/").map_or(self.path.as_str(), |(_, inside)| inside);
        let stem = inside.strip_suffix(".rs").unwrap_or(inside);
        let mut module: Vec<String> = stem.split('/').map(str::to_owned).collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
            module.pop();
        }
        module
    }

    /// Whether the whole file is test code. Unit tests live in modules called `tests`.
    pub(crate) fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || (self.path.starts_with("crates/") && self.path.split('/').nth(2) == Some("tests"))
            || self.module().iter().any(|part| is_test_module(part))
    }
}

/// Whether a module of this name holds unit tests.
pub(crate) fn is_test_module(name: &str) -> bool {
    name == "tests"
}

/// Every Rust file of the workspace, sorted by path.
pub(crate) fn rust_files() -> Vec<SourceFile> {
    let rust = all_files().into_iter().filter(|path| path.ends_with(".rs"));
    rust.map(|path| SourceFile::new(&path, &read(&path))).collect()
}

/// The Rust files below one directory of the workspace.
pub(crate) fn rust_files_of(directory: &str) -> Vec<SourceFile> {
    let prefix = format!("{directory}/");
    let files = rust_files().into_iter().filter(|file| file.path.starts_with(&prefix));
    let files: Vec<SourceFile> = files.collect();
    assert!(!files.is_empty(), "{directory} holds no Rust file: has it moved?");
    files
}

/// The text of a file of the workspace.
pub(crate) fn read(path: &str) -> String {
    let full = workspace_root().join(path);
    fs::read_to_string(&full).unwrap_or_else(|error| panic!("{}: {error}", full.display()))
}

/// Every file below the source directories, relative to the root, sorted.
pub(crate) fn all_files() -> Vec<String> {
    let mut found = Vec::new();
    for root in SOURCE_ROOTS {
        walk(&workspace_root().join(root), &mut found);
    }
    let mut relative: Vec<String> = found
        .iter()
        .filter_map(|path| path.strip_prefix(workspace_root()).ok())
        .map(|path| {
            path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
        })
        .collect();
    relative.sort();
    relative
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    for entry in entries {
        let path = entry.unwrap_or_else(|error| panic!("{}: {error}", directory.display())).path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                walk(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}

/// Calls `visit` with every list of sibling tokens, and whether it lies inside a module of unit tests.
pub(crate) fn for_each_group(
    tokens: &[TokenTree],
    in_tests: bool,
    visit: &mut impl FnMut(&[TokenTree], bool),
) {
    visit(tokens, in_tests);
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        let inner: Vec<TokenTree> = group.stream().into_iter().collect();
        let test_module = opened_module(tokens, at).is_some_and(|name| is_test_module(&name));
        for_each_group(&inner, in_tests || test_module, visit);
    }
}

/// The name of the module whose body is the group at `at`: `mod name { … }`.
pub(crate) fn opened_module(tokens: &[TokenTree], at: usize) -> Option<String> {
    let TokenTree::Group(group) = tokens.get(at)? else { return None };
    if group.delimiter() != Delimiter::Brace || ident(tokens, at.checked_sub(2)?)? != "mod" {
        return None;
    }
    ident(tokens, at - 1)
}

/// The identifier at `at`, if there is one.
pub(crate) fn ident(tokens: &[TokenTree], at: usize) -> Option<String> {
    match tokens.get(at)? {
        TokenTree::Ident(ident) => Some(ident.to_string()),
        _ => None,
    }
}

/// Whether the token at `at` is the punctuation `expected`.
pub(crate) fn is_punct(tokens: &[TokenTree], at: usize, expected: char) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == expected)
}

#[test]
fn a_file_knows_its_package_and_module() {
    let file = |path| SourceFile::new(path, "");
    assert_eq!(file("crates/ice/src/session/check_request.rs").package(), "floe-ice");
    assert_eq!(file("crates/ice/src/session/check_request.rs").module(), ["session", "check_request"]);
    assert_eq!(file("crates/ice/src/session/mod.rs").module(), ["session"]);
    assert_eq!(file("crates/floe/src/lib.rs").package(), "floe");
    assert!(file("crates/floe/src/lib.rs").module().is_empty());
    assert_eq!(file("tests/structure/main.rs").package(), "floe-tests");
    assert!(file("crates/ice/src/role/tests.rs").is_test());
    assert!(file("crates/ice/tests/embedders.rs").is_test());
    assert!(!file("crates/ice/src/role.rs").is_test());
}
