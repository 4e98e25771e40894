//! docs/alerts.yml: rules for Prometheus whose expressions name only metrics that exist, with labels that those have.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::metrics::{Written, written};
use crate::project;

/// Words of the language of Prometheus that the rules use.
const WORDS: &[&str] = &[
    "abs",
    "absent",
    "and",
    "by",
    "clamp_min",
    "histogram_quantile",
    "increase",
    "le",
    "max",
    "min",
    "on",
    "or",
    "rate",
    "sum",
    "time",
    "unless",
    "without",
    "bool",
    "ignoring",
    "count",
    "avg",
    "predict_linear",
    "max_over_time",
];

struct Rule {
    name: String,
    expr: String,
    text: String,
}

fn rules() -> Vec<Rule> {
    let text = fs::read_to_string(project("docs/alerts.yml")).unwrap();
    let parts = text.split("\n      - alert: ").skip(1);
    parts
        .map(|part| {
            let expr = part.lines().find_map(|line| line.trim().strip_prefix("expr: ")).expect("a rule has one expr");
            Rule { name: part.lines().next().unwrap().to_owned(), expr: expr.to_owned(), text: part.to_owned() }
        })
        .collect()
}

/// The identifiers of an expression that are not in quotes.
fn identifiers(expr: &str) -> Vec<String> {
    let unquoted: String = expr.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let words = unquoted.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    words.filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic())).map(str::to_owned).collect()
}

fn metric<'w>(known: &'w BTreeMap<String, Written>, word: &str) -> Option<&'w Written> {
    let base = ["_bucket", "_sum", "_count"].into_iter().find_map(|end| word.strip_suffix(end));
    known.get(word).or_else(|| base.and_then(|base| known.get(base)).filter(|written| written.kind == "histogram"))
}

#[test]
fn every_rule_speaks_of_what_there_is() {
    let mut known = written("Node");
    known.extend(written("Head office"));
    let (rules, mut names) = (rules(), BTreeSet::new());
    assert!(rules.len() >= 8, "only {} rules", rules.len());
    for Rule { name, expr, text } in &rules {
        assert!(names.insert(name.clone()), "{name} stands there twice");
        for needed in ["severity: ", "summary: ", "description: ", "for: "] {
            assert!(text.contains(needed), "{name} has no {needed}");
        }
        let words = identifiers(expr);
        let metrics: Vec<&Written> = words.iter().filter_map(|word| metric(&known, word)).collect();
        assert!(!metrics.is_empty(), "{name} watches nothing: {expr}");
        for word in &words {
            let is_label = metrics.iter().any(|metric| metric.labels.contains(word))
                || ["job", "instance"].contains(&word.as_str());
            let is_word = WORDS.contains(&word.as_str());
            assert!(
                metric(&known, word).is_some() || is_label || is_word,
                "{name}: {word} is neither a metric of docs/metrics.md, nor a label of one, nor a word of PromQL: {expr}"
            );
        }
    }
}

#[test]
fn an_expression_is_taken_apart() {
    let words = identifiers("rate(a_total{route=\"b_total\"}[5m]) > 0.5 and on (node) c:d == 1e3");
    assert_eq!(words, ["rate", "a_total", "route", "and", "on", "node", "c:d"]);
}
