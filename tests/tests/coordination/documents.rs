//! The documents in `docs/` are those the code makes, and the node serves them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use edge_agent::core::coordination::document;
use serde_json::Value;

/// Where the repository keeps its documents.
fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// Set to write the documents instead of comparing them.
const WRITE: &str = "TILLWAY_WRITE_DOCS";

#[test]
fn the_committed_documents_are_what_the_code_makes() {
    let mut made = vec![("asyncapi.json".to_owned(), document::asyncapi())];
    made.extend(document::schemas().into_iter().map(|(name, schema)| (format!("schemas/{name}.json"), schema)));
    for (name, document) in made {
        let (path, text) = (docs().join(&name), serde_json::to_string_pretty(&document).unwrap() + "\n");
        if std::env::var_os(WRITE).is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == text,
            "docs/{name} is not what the code makes: {WRITE}=1 cargo test -p tillway-tests --test coordination documents"
        );
    }
}

/// Judges messages by the committed schemas, strictly: a field that no schema names is a fault too.
pub fn judge(messages: &[(String, Value)]) {
    assert!(!messages.is_empty(), "nothing to judge");
    let mut judge = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/coordination/judge.py"))
        .arg(docs().join("schemas"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // All is written before anything is read: the judge answers at the end only.
    judge.stdin.take().unwrap().write_all(&serde_json::to_vec(messages).unwrap()).unwrap();
    let verdict = judge.wait_with_output().unwrap();
    let (said, faults) = (String::from_utf8_lossy(&verdict.stdout), String::from_utf8_lossy(&verdict.stderr));
    assert!(verdict.status.success(), "{said}{faults}");
    assert_eq!(said.trim(), format!("{} messages", messages.len()));
}

#[test]
fn the_judge_knows_a_fault_when_it_sees_one() {
    let good = serde_json::json!({ "v": 1, "state": "idle" });
    let topic = "tw/s/lane/l/state".to_owned();
    judge(&[(topic.clone(), good.clone())]);
    for (key, value) in [("v", serde_json::json!(2)), ("state", serde_json::json!(7)), ("colour", "red".into())] {
        let mut bad = good.clone();
        bad[key] = value;
        let message = (topic.clone(), bad);
        let found = std::panic::catch_unwind(|| judge(std::slice::from_ref(&message)));
        assert!(found.is_err(), "{key}");
    }
}
