//! The arrow between crates goes one way: what decides must not reach what touches.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::shell::{self, Context, Failure, Result, Shell};

/// Crates that no pure crate may reach by any way.
const EDGE: &[&str] = &[
    "tokio",
    "sqlx",
    "reqwest",
    "rustix",
    "libc",
    "hyper",
    "axum",
    "wasmtime",
    "rhai",
    "rand",
    "getrandom",
    "jiff",
    "chrono",
    "time",
    "notify",
    "tempfile",
    "mio",
    "async-std",
    "socket2",
];
const PURE: &[&str] = &["headend-media", "headend-model", "headend-scheduler", "headend-stb", "headend-whatif"];
/// What a pure crate may use of a library that can also touch the world: these features and no default ones. (Others
/// may switch on more; `engine/scheduler/clippy.toml` then still forbids the functions that would touch it.)
const LEAN: &[(&str, &str, &[&str])] = &[("headend-scheduler", "jiff", &["alloc"])];

/// For each of our crates, the crates of ours that it may use.
const ARROW: &[(&str, &[&str])] = &[
    ("headend-model", &[]),
    ("headend-media", &[]),
    ("headend-stb", &["headend-media"]),
    ("headend-drivers", &["headend-media"]),
    ("headend-scheduler", &["headend-model"]),
    ("headend-whatif", &["headend-model", "headend-scheduler"]),
    ("headend-wire", &["headend-model", "headend-scheduler"]),
    ("headend-plugin-host", &["headend-media", "headend-model", "headend-scheduler", "headend-wire"]),
    ("headend-files", &["headend-model", "headend-wire"]),
    ("headend-store", &["headend-model", "headend-scheduler", "headend-wire"]),
    (
        "headend-server",
        &[
            "headend-model",
            "headend-scheduler",
            "headend-wire",
            "headend-plugin-host",
            "headend-media",
            "headend-store",
            "headend-files",
            "headend-whatif",
        ],
    ),
    (
        "headend-rack",
        &[
            "headend-media",
            "headend-model",
            "headend-scheduler",
            "headend-wire",
            "headend-plugin-host",
            "headend-files",
            "headend-stb",
            "headend-drivers",
        ],
    ),
];

/// Packages by id, with the packages that each needs when it runs.
struct Graph {
    names: BTreeMap<String, String>,
    needs: BTreeMap<String, Vec<String>>,
}

/// Checks the arrow.
pub(crate) fn check(shell: &Shell) -> Result<()> {
    let text = shell::read(&mut shell.cargo(["metadata", "--format-version", "1", "--all-features", "--locked"]))?;
    let metadata = serde_json::from_str(&text).context("`cargo metadata` gave no JSON")?;
    let graph = Graph::read(&metadata).context("`cargo metadata` gave no dependency graph")?;
    let faults: Vec<String> =
        graph.edge_faults().into_iter().chain(graph.arrow_faults()).chain(fat_faults(&metadata)).collect();
    if faults.is_empty() {
        eprintln!("{} stay pure; all crates keep to the arrow", PURE.join(" and "));
        return Ok(());
    }
    Err(Failure::new(faults.join("\n")))
}

impl Graph {
    fn read(metadata: &Value) -> Option<Self> {
        let name = |package: &Value| Some((package["id"].as_str()?.to_owned(), package["name"].as_str()?.to_owned()));
        let names = metadata["packages"].as_array()?.iter().filter_map(name).collect();
        let needs = metadata["resolve"]["nodes"].as_array()?.iter().filter_map(node).collect();
        Some(Self { names, needs })
    }

    fn name(&self, id: &str) -> &str {
        self.names.get(id).map_or("", String::as_str)
    }

    fn id_of(&self, name: &str) -> Option<&String> {
        self.names.iter().find(|(_, found)| *found == name).map(|(id, _)| id)
    }

    fn edge_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for pure in PURE {
            let Some(id) = self.id_of(pure) else { continue };
            for way in self.ways_to_the_edge(id) {
                faults.push(format!("{pure} must not touch the world, but reaches it: {way}"));
            }
        }
        faults
    }

    /// For each forbidden crate within reach, one way to it.
    fn ways_to_the_edge(&self, from: &str) -> Vec<String> {
        let mut seen = BTreeSet::from([from.to_owned()]);
        let mut open = vec![vec![from.to_owned()]];
        let mut ways = Vec::new();
        while let Some(way) = open.pop() {
            let last = way.last().map_or("", String::as_str);
            let by = way.len().checked_sub(2).map_or("", |at| self.name(&way[at]));
            let lean = LEAN.iter().any(|(pure, needs, _)| (by, self.name(last)) == (*pure, *needs));
            if lean {
                continue;
            }
            if EDGE.contains(&self.name(last)) {
                ways.push(way.iter().map(|id| self.name(id)).collect::<Vec<_>>().join(" -> "));
                continue;
            }
            for next in self.needs.get(last).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    open.push(way.iter().cloned().chain([next.clone()]).collect());
                }
            }
        }
        ways
    }

    fn arrow_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, may) in ARROW {
            let needs = self.id_of(name).and_then(|id| self.needs.get(id));
            for other in needs.into_iter().flatten().map(|id| self.name(id)) {
                if other.starts_with("headend-") && !may.contains(&other) {
                    faults.push(format!("{name} must not use {other}: the arrow goes the other way"));
                }
            }
        }
        faults
    }
}

/// Pure crates that ask for more of a library than they may.
fn fat_faults(metadata: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for (pure, library, features) in LEAN {
        let packages = metadata["packages"].as_array().into_iter().flatten();
        let needs = packages
            .filter(|package| package["name"] == *pure)
            .filter_map(|package| package["dependencies"].as_array());
        let normal = needs.flatten().filter(|need| need["name"] == *library && need["kind"].is_null());
        for need in normal {
            let asked: Vec<&str> =
                need["features"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            if need["uses_default_features"] != false || asked.iter().any(|feature| !features.contains(feature)) {
                faults.push(format!("{pure} may use of {library} only {features:?} and no default features"));
            }
        }
    }
    faults
}

/// A package and what it needs to run: neither for its tests nor for its build script.
fn node(node: &Value) -> Option<(String, Vec<String>)> {
    let normal =
        |dep: &&Value| dep["dep_kinds"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()));
    let needs = node["deps"].as_array()?.iter().filter(normal).filter_map(|dep| Some(dep["pkg"].as_str()?.to_owned()));
    Some((node["id"].as_str()?.to_owned(), needs.collect()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn graph(edges: &[(&str, &[&str])]) -> Graph {
        let all = edges.iter().flat_map(|(from, to)| std::iter::once(from).chain(to.iter()));
        Graph {
            names: all.map(|name| ((*name).to_owned(), (*name).to_owned())).collect(),
            needs: edges
                .iter()
                .map(|(from, to)| ((*from).to_owned(), to.iter().map(|t| (*t).to_owned()).collect()))
                .collect(),
        }
    }

    #[test]
    fn a_hidden_way_to_the_edge_is_found_and_shown() {
        let graph = graph(&[("headend-scheduler", &["helper"]), ("helper", &["deep"]), ("deep", &["tokio"])]);
        let faults = graph.edge_faults();
        assert_eq!(faults.len(), 1);
        assert!(faults[0].ends_with("headend-scheduler -> helper -> deep -> tokio"), "{faults:?}");
    }

    #[test]
    fn a_library_that_can_touch_the_world_is_used_lean_and_directly_or_not_at_all() {
        let direct = graph(&[("headend-scheduler", &["jiff"])]);
        assert_eq!(direct.edge_faults(), [] as [String; 0]);
        let hidden = graph(&[("headend-scheduler", &["helper"]), ("helper", &["jiff"])]);
        assert_eq!(hidden.edge_faults().len(), 1);
        let metadata = |default: bool, features: &[&str]| {
            let need = json!({ "name": "jiff", "kind": null, "uses_default_features": default, "features": features });
            json!({ "packages": [{ "name": "headend-scheduler", "dependencies": [need] }] })
        };
        assert_eq!(fat_faults(&metadata(false, &["alloc"])), [] as [String; 0]);
        assert_eq!(fat_faults(&metadata(true, &["alloc"])).len(), 1);
        assert_eq!(fat_faults(&metadata(false, &["alloc", "std"])).len(), 1);
    }

    #[test]
    fn a_crate_that_points_back_is_named() {
        let graph =
            graph(&[("headend-files", &["headend-server", "headend-model"]), ("headend-model", &["thiserror"])]);
        assert_eq!(graph.arrow_faults(), ["headend-files must not use headend-server: the arrow goes the other way"]);
        assert_eq!(graph.edge_faults(), [] as [String; 0]);
    }
}
