//! The rules of the house over the crate graph and the top level of the repository.
//! Reads what `cargo metadata` says; judges no source.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::Context;

/// Which crates each crate of the workspace depends on, tests and build scripts included.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// May be imported by which of ours (the floor plan of the house).
const PLAN: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("firmware-config", &["protocol"]),
    ("edge-agent", &["protocol", "firmware-config"]),
    ("control-plane", &["protocol", "firmware-config"]),
    ("provisioning", &["protocol", "firmware-config"]),
    ("tillway-tests", &["protocol", "firmware-config", "edge-agent", "control-plane", "provisioning"]),
];
/// Not even the pure crates' own dependencies may be these.
const IMPURE: &[&str] =
    &["tokio", "axum", "quinn", "sled", "sqlx", "reqwest", "rumqttc", "rumqttd", "rand", "rustix", "ring", "hyper"];
/// What may lie at the top level.
const TOP: &[&str] = &[
    ".cargo",
    ".ci",
    ".gitignore",
    "ARCHITECTURE.md",
    "BENCHMARKS.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "Makefile",
    "README.md",
    "clippy.toml",
    "control-plane",
    "deny.toml",
    "docs",
    "edge-agent",
    "firmware-config",
    "protocol",
    "provisioning",
    "rustfmt.toml",
    "systemd",
    "tests",
];

/// Asks cargo for the workspace's members and what they name.
///
/// # Errors
/// When cargo cannot be run or says something else than metadata.
pub fn read(root: &Path) -> anyhow::Result<Graph> {
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--locked"])
        .current_dir(root)
        .output()
        .context("cargo metadata")?;
    anyhow::ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let mut graph = Graph::new();
    for package in metadata["packages"].as_array().context("packages")? {
        let name = package["name"].as_str().context("name")?.to_owned();
        let dependencies = package["dependencies"].as_array().context("dependencies")?;
        let named = dependencies.iter().filter(|d| !is_own_test_help(&name, d));
        graph.insert(name.clone(), named.filter_map(|d| d["name"].as_str().map(str::to_owned)).collect());
    }
    Ok(graph)
}

/// A pure crate's tests may use what the crate may not, except our own crates.
fn is_own_test_help(name: &str, dependency: &serde_json::Value) -> bool {
    let ours = PLAN.iter().any(|(own, _)| dependency["name"] == *own);
    dependency["kind"] == "dev" && !ours && ["protocol", "firmware-config"].contains(&name)
}

/// Who depends on whom against the floor plan.
pub fn floor_plan(graph: &Graph) -> Vec<String> {
    let mut out = Vec::new();
    for (name, dependencies) in graph {
        let Some((_, allowed)) = PLAN.iter().find(|(own, _)| own == name) else {
            out.push(format!("{name} is a crate that the floor plan does not know"));
            continue;
        };
        for dependency in dependencies {
            let ours = PLAN.iter().any(|(own, _)| own == dependency);
            if ours && !allowed.contains(&dependency.as_str()) && dependency != name {
                out.push(format!("{name} depends on {dependency}"));
            }
        }
    }
    out
}

/// What makes a pure crate impure.
pub fn pure_crates(graph: &Graph) -> Vec<String> {
    let mut out = Vec::new();
    for name in ["protocol", "firmware-config"] {
        for dependency in graph.get(name).into_iter().flatten() {
            if IMPURE.contains(&dependency.as_str()) {
                out.push(format!("{name} is pure and depends on {dependency}"));
            }
        }
    }
    out
}

/// Entries at the top level that nobody agreed on. `ignored` are the rooted lines of `.gitignore`.
pub fn top_level(entries: &[String], ignored: &[String]) -> Vec<String> {
    let known = |entry: &&String| !TOP.contains(&entry.as_str()) && !ignored.contains(entry) && *entry != ".git";
    entries.iter().filter(known).map(|entry| format!("{entry} at the top level: which room is it?")).collect()
}
