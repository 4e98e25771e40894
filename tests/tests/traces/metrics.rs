//! docs/metrics.md against what the programs expose and what their sources name: every metric is written down with its
//! type and labels, none is written down that does not exist, and no label can grow without end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::project;

/// A metric as docs/metrics.md has it.
#[derive(Debug)]
pub struct Written {
    pub kind: String,
    pub labels: BTreeSet<String>,
}

/// The table of one side: `Node` or `Head office`.
pub fn written(side: &str) -> BTreeMap<String, Written> {
    let text = fs::read_to_string(project("docs/metrics.md")).unwrap();
    let begin = text.split(&format!("\n## {side}\n")).nth(1).unwrap_or_else(|| panic!("no section ## {side}"));
    let section = begin.split("\n## ").next().unwrap();
    let mut found = BTreeMap::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, meaning] = cells[..] else { panic!("four columns are expected: {line}") };
        assert!(meaning.len() > 10, "{name} has no meaning");
        let labels = labels.split(',').map(|label| label.trim().trim_matches('`').to_owned());
        let written = Written { kind: kind.to_owned(), labels: labels.filter(|label| label != "-").collect() };
        let before = found.insert(name.trim_matches('`').to_owned(), written);
        assert!(before.is_none(), "{name} is written down twice");
    }
    assert!(found.len() > 10, "{side}: {found:?}");
    found
}

/// Names end as Prometheus has it: counters in `_total`, everything that has a unit in its base unit.
fn well_named(name: &str, kind: &str) {
    let parts: Vec<&str> = name.split('_').collect();
    for wrong in ["ms", "millis", "mib", "kib", "mb", "kb", "micros", "minutes", "hours", "percent"] {
        assert!(!parts.contains(&wrong), "{name}: say it in seconds, bytes or a ratio");
    }
    assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
    assert!(kind != "histogram" || name.ends_with("_seconds"), "{name}: histograms here are of times");
    assert!(["counter", "gauge", "histogram"].contains(&kind), "{name}: {kind}");
}

/// What a program exposes: type and labels by name.
fn exposed(text: &str) -> BTreeMap<String, Written> {
    let mut found: BTreeMap<String, Written> = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            found.insert(name.to_owned(), Written { kind: kind.to_owned(), labels: BTreeSet::new() });
        }
    }
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let sample = line.split(['{', ' ']).next().unwrap();
        let mut ends = ["_bucket", "_sum", "_count"].into_iter().filter_map(|end| sample.strip_suffix(end));
        let name = ends.rfind(|name| found.contains_key(*name)).unwrap_or(sample).to_owned();
        let labels = line.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}')).map_or("", |(labels, _)| labels);
        for (label, value) in pairs(labels) {
            bounded(line, &value);
            if label != "le" {
                found.get_mut(&name).unwrap().labels.insert(label);
            }
        }
    }
    found
}

fn pairs(labels: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for pair in labels.split("\",") {
        if let Some((label, value)) = pair.split_once("=\"") {
            out.push((label.to_owned(), value.trim_end_matches('"').to_owned()));
        }
    }
    out
}

/// A value that names one thing of many would be a row in every graph for ever.
fn bounded(line: &str, value: &str) {
    let long = value
        .split(|c: char| !c.is_ascii_hexdigit())
        .any(|run| run.len() >= 8 && run.contains(|c: char| c.is_ascii_digit()));
    assert!(!long, "{line}: {value:?} looks like an id");
    let numbered = value.starts_with('/')
        && value.split('/').any(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()));
    assert!(!numbered, "{line}: {value:?} is a path, not the template of a route");
}

/// Everything that a program exposes is written down as it is.
pub fn are_written_down(side: &str, text: &str) {
    let (written, exposed) = (written(side), exposed(text));
    assert!(exposed.len() > 8, "{side} exposes hardly anything:\n{text}");
    for (name, found) in &exposed {
        let known = written.get(name);
        let known =
            known.unwrap_or_else(|| panic!("docs/metrics.md, ## {side}: add a row for `{name}` ({})", found.kind));
        assert_eq!(known.kind, found.kind, "the type of `{name}` in docs/metrics.md");
        let more: Vec<_> = found.labels.difference(&known.labels).collect();
        assert!(more.is_empty(), "`{name}` has labels that docs/metrics.md does not name: {more:?}");
    }
}

/// The metrics that sources name: `metrics::counter!("name", ...)`, with the labels that stand in the call.
fn named(folder: &Path, found: &mut BTreeMap<String, Written>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            named(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for kind in ["counter", "gauge", "histogram"] {
                for call in text.split(&format!("metrics::{kind}!(")).skip(1) {
                    let call = call.split(')').next().unwrap();
                    let name = call.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
                    let name =
                        name.unwrap_or_else(|| panic!("{}: a metric's name is a literal: {call}", path.display()));
                    let labels = call.split("\" =>").map(|before| before.rsplit('"').next().unwrap());
                    let count = call.matches("\" =>").count();
                    let labels: BTreeSet<String> = labels.take(count).map(str::to_owned).collect();
                    let entry = found.entry(name.to_owned());
                    let known = entry.or_insert_with(|| Written { kind: kind.to_owned(), labels: BTreeSet::new() });
                    assert_eq!(known.kind, kind, "{name} has two types");
                    known.labels.extend(labels);
                }
            }
        }
    }
}

#[test]
fn sources_and_the_inventory_agree() {
    for (side, folder) in [("Node", "edge-agent/src"), ("Head office", "control-plane/src")] {
        let (written, mut named_there) = (written(side), BTreeMap::new());
        named(&project(folder), &mut named_there);
        let mut wrong = Vec::new();
        for (name, found) in &named_there {
            match written.get(name) {
                None => wrong.push(format!("## {side}: add a row for `{name}` ({}, {:?})", found.kind, found.labels)),
                Some(known) if known.kind != found.kind => wrong.push(format!("`{name}` is a {}", found.kind)),
                Some(known) if !found.labels.is_subset(&known.labels) => {
                    wrong.push(format!("`{name}` has the labels {:?}", found.labels));
                }
                Some(_) => {}
            }
        }
        wrong.extend(
            written.keys().filter(|name| !named_there.contains_key(*name)).map(|name| format!("nobody sets `{name}`")),
        );
        assert!(wrong.is_empty(), "docs/metrics.md:\n{}", wrong.join("\n"));
        written.iter().for_each(|(name, metric)| well_named(name, &metric.kind));
    }
}

#[test]
#[should_panic(expected = "looks like an id")]
fn an_id_as_a_label_is_found() {
    exposed("# TYPE x gauge\nx{node=\"019a1fb7-5508-774e-90a4-c8adc8badf6e\"} 1\n");
}

#[test]
#[should_panic(expected = "not the template")]
fn a_path_as_a_label_is_found() {
    exposed("# TYPE x_total counter\nx_total{route=\"/v1/receipts/1/42\"} 1\n");
}
