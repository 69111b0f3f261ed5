//! Who may import whom.

use std::collections::{BTreeMap, BTreeSet};

use crate::imports::{Import, imports};
use crate::sources::SourceFile;

/// What each published crate may depend on. Tests, benches and fuzz targets may use anything; nothing uses them.
pub(crate) const CRATE_IMPORTS: &[(&str, &[&str])] = &[
    ("floe-cli", &["floe", "floe-netsim", "floe-signal"]),
    ("floe", &["floe-ice", "floe-turn", "floe-stun"]),
    ("floe-netsim", &["floe-ice", "floe-turn", "floe-stun"]),
    ("floe-signal", &["floe-ice"]),
    ("floe-ice", &["floe-turn", "floe-stun"]),
    ("floe-turn", &["floe-stun"]),
    ("floe-stun", &[]),
];

/// The modules of `floe-ice` from the top down. A module imports from its own layer or from lower ones, and
/// inside a layer the imports have no cycle. The crate root stands above all: it only re-exports.
pub(crate) const ICE_LAYERS: &[&[&str]] = &[
    // The public door.
    &["agent"],
    // The machines: each is driven by the agent and emits effects.
    &["gather", "relays", "session"],
    // The nouns: they own state, and know nothing of the procedures.
    &["checklist", "consent", "locals", "pacer", "remotes", "role", "transaction"],
    // The vocabulary: what goes in and out.
    &["config", "effects", "error", "event", "io", "keys", "message", "parameters", "path", "stats"],
    // Values that stand alone.
    &["candidate", "ids", "nanos", "pace", "random", "rare", "sorted", "tight"],
];

/// The modules of `floe-signal` from the top down: a session speaks in messages, and messages carry descriptions.
pub(crate) const SIGNAL_LAYERS: &[&[&str]] = &[&["session"], &["message"], &["sdp"]];

/// Whether package `from` may use package `to`.
pub(crate) fn crate_may_use(from: &str, to: &str) -> bool {
    match CRATE_IMPORTS.iter().find(|(name, _)| *name == from) {
        Some((_, allowed)) => from == to || allowed.contains(&to),
        None => true,
    }
}

/// Imports of other crates of the workspace that point upwards.
pub(crate) fn crate_edges(file: &SourceFile) -> Vec<String> {
    let from = file.package();
    let ours = |import: &Import| {
        let name = import.path.first()?.replace('_', "-");
        (name == "floe" || name.starts_with("floe-")).then_some(name)
    };
    let upward = imports(file).into_iter().filter_map(|import| {
        let to = ours(&import)?;
        (!crate_may_use(&from, &to)).then(|| format!("{}:{}: {from} uses {to}", file.path, import.line))
    });
    upward.collect()
}

/// What the simulator's oracle takes from the code it judges.
pub(crate) fn oracle_edges(file: &SourceFile) -> Vec<String> {
    if file.package() != "floe-netsim" || file.module().first().is_none_or(|module| module != "oracle") {
        return Vec::new();
    }
    let shared = imports(file).into_iter().filter(|import| {
        import
            .path
            .first()
            .is_some_and(|root| matches!(root.as_str(), "floe_ice" | "floe_turn" | "floe_stun"))
    });
    shared.map(|import| format!("{}:{}: uses {}", file.path, import.line, import.path.join("::"))).collect()
}

/// What is wrong with the imports between the modules of one crate.
pub(crate) fn module_edges(files: &[SourceFile], layers: &[&[&str]]) -> Vec<String> {
    let modules: BTreeSet<String> =
        files.iter().filter_map(|file| file.module().into_iter().next()).collect();
    let exports = root_exports(files, &modules);
    let mut findings = unplaced(&modules, layers);
    let mut sideways: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files {
        // The root only re-exports; it is above everything.
        let Some(from) = file.module().into_iter().next() else { continue };
        for import in imports(file).iter().filter(|import| import.path[0] == "crate") {
            let at = format!("{}:{}", file.path, import.line);
            let Some(to) = target_module(import, &modules, &exports) else {
                findings
                    .push(format!("{at}: {from} uses {}, which the root defines", import.path.join("::")));
                continue;
            };
            match (layer_of(&from, layers), layer_of(&to, layers)) {
                (Some(lower), Some(upper)) if upper < lower => {
                    findings.push(format!("{at}: {from} uses {to}, which is above it"));
                }
                (Some(a), Some(b)) if a == b && from != to => {
                    sideways.entry(from.clone()).or_default().insert(to);
                }
                _ => {}
            }
        }
    }
    findings.extend(cycle(&sideways));
    findings
}

fn unplaced(modules: &BTreeSet<String>, layers: &[&[&str]]) -> Vec<String> {
    let without_layer = modules.iter().filter(|module| layer_of(module, layers).is_none());
    without_layer
        .map(|module| format!("module {module} is in no layer: give it its place in the table"))
        .collect()
}

fn layer_of(module: &str, layers: &[&[&str]]) -> Option<usize> {
    layers.iter().position(|layer| layer.contains(&module))
}

/// The modules behind the names that the crate root re-exports: `pub use agent::Agent` gives `Agent → agent`.
fn root_exports(files: &[SourceFile], modules: &BTreeSet<String>) -> BTreeMap<String, String> {
    let root = files.iter().filter(|file| file.module().is_empty());
    root.flat_map(imports)
        .filter_map(|import| {
            let owner = import.path.iter().find(|part| *part != "crate")?;
            modules.contains(owner).then(|| (import.name, owner.clone()))
        })
        .collect()
}

/// The module that an import reaches, looking through re-exports of the root.
fn target_module(
    import: &Import,
    modules: &BTreeSet<String>,
    exports: &BTreeMap<String, String>,
) -> Option<String> {
    let first = import.path.get(1)?;
    if modules.contains(first) { Some(first.clone()) } else { exports.get(first).cloned() }
}

/// The first cycle found, as one line.
fn cycle(edges: &BTreeMap<String, BTreeSet<String>>) -> Option<String> {
    edges.keys().find_map(|start| {
        let mut trail = vec![start.clone()];
        follow(edges, start, &mut trail, &mut BTreeSet::new())
            .then(|| format!("modules import each other: {}", trail.join(" → ")))
    })
}

fn follow(
    edges: &BTreeMap<String, BTreeSet<String>>,
    goal: &str,
    trail: &mut Vec<String>,
    seen: &mut BTreeSet<String>,
) -> bool {
    let here = trail.last().cloned().unwrap_or_default();
    for next in edges.get(&here).into_iter().flatten() {
        if next == goal || seen.insert(next.clone()) {
            trail.push(next.clone());
            if next == goal || follow(edges, goal, trail, seen) {
                return true;
            }
            trail.pop();
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYERS: &[&[&str]] = &[&["agent"], &["session", "gather"], &["role", "checklist"]];

    fn edges(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<SourceFile> = files
            .iter()
            .map(|(module, text)| SourceFile::new(&format!("crates/ice/src/{module}.rs"), text))
            .collect();
        module_edges(&files, LAYERS)
    }

    #[test]
    fn downward_and_sideways_imports_pass() {
        let found = edges(&[
            ("agent", "use crate::session::Session; use crate::role::Role;"),
            ("session/mod", "use crate::gather::Gatherer; use self::check::Check;"),
            ("session/check", "use super::Session; use crate::checklist::Checklist;"),
            ("gather", "use crate::role::Role;"),
            ("role", ""),
            ("checklist", "use crate::role::Role;"),
        ]);
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn an_upward_use_line_is_caught() {
        let found = edges(&[("agent", ""), ("role", "use core::fmt;\nuse crate::agent::Agent;")]);
        assert_eq!(found, ["crates/ice/src/role.rs:2: role uses agent, which is above it"]);
    }

    #[test]
    fn an_upward_path_in_code_is_caught() {
        let found = edges(&[("session/mod", ""), ("role", "fn f() { let _ = super::session::now(); }")]);
        assert_eq!(found, ["crates/ice/src/role.rs:1: role uses session, which is above it"]);
    }

    #[test]
    fn an_upward_import_through_a_re_export_is_caught() {
        let found = edges(&[
            ("lib", "mod agent; mod role; pub use agent::Agent as IceAgent;"),
            ("agent", ""),
            ("role", "use crate::IceAgent;"),
        ]);
        assert_eq!(found, ["crates/ice/src/role.rs:1: role uses agent, which is above it"]);
    }

    #[test]
    fn an_item_of_the_root_is_caught() {
        let found = edges(&[("lib", "pub struct Loose;"), ("role", "use crate::Loose;")]);
        assert_eq!(found, ["crates/ice/src/role.rs:1: role uses crate::Loose, which the root defines"]);
    }

    #[test]
    fn a_cycle_inside_a_layer_is_caught() {
        let found = edges(&[("session/mod", "use crate::gather::G;"), ("gather", "use crate::session::S;")]);
        assert_eq!(found, ["modules import each other: gather → session → gather"]);
    }

    #[test]
    fn a_module_without_a_layer_is_caught() {
        let found = edges(&[("helpers", "")]);
        assert_eq!(found, ["module helpers is in no layer: give it its place in the table"]);
    }

    #[test]
    fn crates_look_down_only() {
        let upward = SourceFile::new("crates/stun/src/lib.rs", "fn f() -> floe_ice::Agent {}");
        assert_eq!(crate_edges(&upward), ["crates/stun/src/lib.rs:1: floe-stun uses floe-ice"]);
        let skipping = SourceFile::new("crates/cli/src/main.rs", "use floe::ice; use floe_ice::Agent;");
        assert_eq!(crate_edges(&skipping), ["crates/cli/src/main.rs:1: floe-cli uses floe-ice"]);
        let free = SourceFile::new("tests/interop/main.rs", "use floe_ice::Agent; use floe_netsim::World;");
        assert!(crate_edges(&free).is_empty());
    }

    #[test]
    fn an_oracle_that_asks_the_agent_is_caught() {
        let text = "use floe_ice::candidate::priority;";
        assert_eq!(oracle_edges(&SourceFile::new("crates/netsim/src/oracle.rs", text)).len(), 1);
        assert!(oracle_edges(&SourceFile::new("crates/netsim/src/world.rs", text)).is_empty());
    }
}
