//! The house keeps itself tidy: HOUSE's import rules, lengths and top level, read from the crate graph and the
//! sources. Each rule is also shown a planted violation, so that a rule which can no longer fail is noticed.

mod checklist;
mod graph;
mod rules;
mod source;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use source::Source;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn collect(folder: &Path, root: &Path, out: &mut Vec<Source>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" {
                collect(&path, root, out)?;
            }
        } else if name.ends_with(".rs") {
            let inside = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
            out.push(Source::new(&inside, &std::fs::read_to_string(&path)?));
        }
    }
    Ok(())
}

fn all_sources() -> anyhow::Result<Vec<Source>> {
    let root = root().canonicalize()?;
    let mut out = Vec::new();
    for krate in ["protocol", "firmware-config", "edge-agent", "control-plane", "provisioning", "tests"] {
        collect(&root.join(krate), &root, &mut out)?;
    }
    Source::mark_tests(&mut out);
    Ok(out)
}

#[test]
fn the_sources_keep_every_rule() {
    let sources = all_sources().unwrap();
    assert!(sources.len() > 20, "only {} files were found: the reader looks in the wrong place", sources.len());
    let mut broken = Vec::new();
    for (name, rule) in rules::RULES {
        broken.extend(rule(&sources).into_iter().map(|what| format!("[{name}] {what}")));
    }
    assert!(broken.is_empty(), "{} violations:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn the_crates_keep_the_floor_plan() {
    let graph = graph::read(&root()).unwrap();
    assert_eq!(graph.len(), 6, "{graph:?}");
    let broken = [graph::floor_plan(&graph), graph::pure_crates(&graph)].concat();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn nothing_unknown_lies_at_the_top() {
    let root = root();
    let entries = std::fs::read_dir(&root).unwrap();
    let entries: Vec<String> = entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    let ignored = std::fs::read_to_string(root.join(".gitignore")).unwrap();
    let ignored: Vec<String> = ignored.lines().filter_map(|l| l.strip_prefix('/')).map(str::to_owned).collect();
    let broken = graph::top_level(&entries, &ignored);
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// A file that breaks exactly the rule it is planted for, and one beside it that does not.
const PLANTED: &[(&str, &str, &str, &str)] = &[
    ("opens_with_purpose", "protocol/src/a.rs", "pub fn a() {}", "//! Owns a.\npub fn a() {}"),
    ("pure_rooms", "protocol/src/a.rs", "//! a\nuse tokio::time::sleep;", "//! a\nuse std::time::Duration;"),
    ("pure_rooms", "edge-agent/src/core/a.rs", "//! a\nfn a() { std::fs::read(p); }", "//! a\nuse std::fmt;"),
    ("pure_rooms", "protocol/src/a.rs", "//! a\nuse std::{fmt, time::{Duration, Instant}};", "//! a // Instant::now"),
    ("pure_rooms", "protocol/src/a.rs", "//! a\nuse std::net::{IpAddr, UdpSocket};", "//! a\nuse std::net::IpAddr;"),
    (
        "core_alone",
        "edge-agent/src/core/lane.rs",
        "//! a\nuse crate::{core::x, ledger::Logs};",
        "//! a\nuse crate::core::x;",
    ),
    (
        "core_alone",
        "edge-agent/src/core/mod.rs",
        "//! a\nfn f() { crate::store::open() }",
        "//! a\nconst A: &str = \"crate::store\";",
    ),
    ("pure_rooms", "edge-agent/src/receipt/a.rs", "//! a\nuse tokio::net::TcpStream;", "//! a\nuse std::fmt;"),
    ("core_alone", "edge-agent/src/receipt/a.rs", "//! a\nuse crate::ledger::Logs;", "//! a\nuse crate::core::x;"),
    (
        "shells_apart",
        "edge-agent/src/terminal/http.rs",
        "//! a\nuse crate::uplink::Link;",
        "//! a\nuse crate::{core::lane, ledger, store};",
    ),
    (
        "shells_apart",
        "edge-agent/src/uplink/mod.rs",
        "//! a\nuse crate::agent::Agent;",
        "//! a\nuse crate::uplink::fallback;",
    ),
    ("protocol_one_way", "protocol/src/money.rs", "//! a\nuse crate::ticket::Line;", "//! a\nuse crate::limits;"),
    (
        "protocol_one_way",
        "protocol/src/event.rs",
        "//! a\nuse crate::session::edge::Edge;",
        "//! a\nuse crate::ticket::Line;",
    ),
    (
        "decisions_pure",
        "control-plane/src/domain/sales/rules.rs",
        "//! a\nuse sqlx::PgPool;",
        "//! a\nuse protocol::money::Amount;",
    ),
    (
        "decisions_pure",
        "control-plane/src/domain/sales/types.rs",
        "//! a\nuse axum::Json;",
        "//! a\nuse serde::Serialize;",
    ),
    (
        "sql_in_stores",
        "control-plane/src/domain/sales/routes.rs",
        "//! a\nconst Q: &str = \"SELECT 1 FROM app.t\";",
        "//! a\n// SELECT 1 FROM app.t",
    ),
    (
        "sql_in_stores",
        "control-plane/src/domain/sales/ingest.rs",
        "//! a\nfn f() { sqlx::query_scalar(X); }",
        "//! a\nuse sqlx::PgConnection;",
    ),
    (
        "sql_in_stores",
        "control-plane/src/gateway/mod.rs",
        "//! a\nconst Q: &str = r#\"\n  UPDATE app.t SET a = 1\"#;",
        "//! a\n#[cfg(test)]\nmod tests { const Q: &str = \"SELECT 1 FROM t\"; }",
    ),
    (
        "nouns_by_service",
        "control-plane/src/domain/sales/service.rs",
        "//! a\nuse crate::domain::fleet::store;",
        "//! a\nuse crate::domain::{fleet::service, sales::store};",
    ),
    (
        "nouns_by_service",
        "control-plane/src/gateway/link.rs",
        "//! a\nuse crate::domain::sales::ingest::run;",
        "//! a\nuse crate::domain::sales::service::ingest;",
    ),
    (
        "bounded",
        "edge-agent/src/uplink/mod.rs",
        "//! a\nuse tokio::sync::mpsc::unbounded_channel;",
        "//! a\nuse tokio::sync::mpsc::channel;",
    ),
    (
        "bounded",
        "control-plane/src/app.rs",
        "//! a\nfn f() { std::sync::mpsc::channel() }",
        "//! a\nfn f() { tokio::sync::mpsc::channel(8) }",
    ),
    (
        "limits_have_reasons",
        "protocol/src/limits.rs",
        "//! a\npub const A: u8 = 1;",
        "//! a\n/// Because.\npub const A: u8 = 1;",
    ),
];

#[test]
fn each_rule_catches_its_planted_violation() {
    let mut tried: BTreeSet<&str> = BTreeSet::new();
    for (name, path, bad, good) in PLANTED {
        let rule = rules::RULES.iter().find(|(known, _)| known == name).unwrap().1;
        let found = rule(&[Source::new(path, bad)]);
        assert_eq!(found.len(), 1, "{name} on {path}: {bad:?} gave {found:?}");
        assert_eq!(rule(&[Source::new(path, good)]), Vec::<String>::new(), "{name} on {path}: {good:?}");
        tried.insert(name);
    }
    let long = "//! a\n".to_owned() + &"\n".repeat(600);
    assert_eq!(rules::length_budget(&[Source::new("protocol/src/a.rs", &long)]).len(), 2);
    let usual: Vec<Source> = (0..9).map(|n| Source::new(&format!("protocol/src/{n}.rs"), "//! a")).collect();
    let mut files = usual;
    files.push(Source::new("protocol/src/a.rs", &"//! a\n".repeat(350)));
    assert_eq!(rules::length_budget(&files), Vec::<String>::new(), "one of ten may be longer");
    files.push(Source::new("protocol/src/b.rs", &"//! a\n".repeat(350)));
    assert_eq!(rules::length_budget(&files).len(), 1, "two of eleven may not");
    let main = |lines: usize| Source::new("edge-agent/src/main.rs", &"//! a\n".repeat(lines));
    assert_eq!((rules::short_edge_main(&[main(60)]).len(), rules::short_edge_main(&[main(59)]).len()), (1, 0));
    tried.extend(["length_budget", "short_edge_main"]);
    let named: BTreeSet<&str> = rules::RULES.iter().map(|(name, _)| *name).collect();
    assert_eq!(tried, named, "every rule has a planted violation");
}

#[test]
fn the_graph_rules_catch_theirs() {
    let graph = |name: &str, on: &[&str]| {
        graph::Graph::from([(name.to_owned(), on.iter().map(|d| (*d).to_owned()).collect::<BTreeSet<_>>())])
    };
    assert_eq!(graph::floor_plan(&graph("edge-agent", &["control-plane", "tokio"])).len(), 1);
    assert_eq!(graph::floor_plan(&graph("control-plane", &["edge-agent"])).len(), 1);
    assert_eq!(graph::floor_plan(&graph("protocol", &["firmware-config"])).len(), 1);
    assert_eq!(graph::floor_plan(&graph("provisioning", &["tillway-tests"])).len(), 1);
    assert_eq!(graph::floor_plan(&graph("annex", &[])).len(), 1);
    assert_eq!(graph::floor_plan(&graph("edge-agent", &["protocol", "firmware-config", "tokio"])).len(), 0);
    assert_eq!(graph::pure_crates(&graph("protocol", &["tokio", "serde"])).len(), 1);
    assert_eq!(graph::pure_crates(&graph("firmware-config", &["sqlx"])).len(), 1);
    let entries = ["Cargo.toml", "target", ".git", "notes.txt"].map(str::to_owned);
    assert_eq!(graph::top_level(&entries, &["target".to_owned()]).len(), 1);
}

#[test]
fn the_reader_sees_paths_and_not_comments() {
    let text = "//! a\nuse a::{b, c::{d as e, f::*}};\n/* use x::y; */\nfn g<'a>(c: char) -> bool { c == '\"' || h::<u8>::i('\\'') }\n\
                #[cfg(test)]\nmod tests { use tokio::test; }\nuse z::last;";
    let source = Source::new("protocol/src/a.rs", text);
    let found: Vec<String> = source.names.iter().map(|(line, path)| format!("{line} {}", path.join("::"))).collect();
    assert_eq!(found, ["2 a::b", "2 a::c::d", "2 a::c::f", "7 z::last"]);
}

#[test]
fn a_module_for_tests_is_test_code_wherever_it_stands() {
    let mut sources = [
        Source::new("protocol/src/frame.rs", "//! a\n#[cfg(test)]\nmod golden;\nmod reader;"),
        Source::new("protocol/src/frame/golden.rs", "//! a\nuse std::fs::read;"),
        Source::new("protocol/src/frame/reader.rs", "//! a\nuse std::fs::read;"),
        Source::new("control-plane/src/db/testing/mod.rs", "//! a"),
    ];
    Source::mark_tests(&mut sources);
    assert_eq!(sources.each_ref().map(Source::is_test), [false, true, false, true]);
    assert_eq!(rules::pure_rooms(&sources).len(), 1);
}

#[test]
fn the_checklist_of_asvs_is_whole_and_its_evidence_is_there() {
    let root = root();
    let text = std::fs::read_to_string(root.join("docs/asvs.md")).unwrap();
    let broken = checklist::broken(&root, &text);
    assert!(broken.is_empty(), "docs/asvs.md:\n{}", broken.join("\n"));
    // A rule that can no longer fail is noticed.
    let row = text.lines().find(|line| line.starts_with("| 8.4.1 ")).unwrap();
    let planted = text.replace(row, "| 8.4.1 | 1 | holds | `tests/tests/isolation/hq.rs::nothing_like_it` |");
    assert_eq!(checklist::broken(&root, &planted).len(), 1);
    assert_eq!(checklist::broken(&root, &text.replace(row, "")).len(), 1);
}
