//! The API under somebody else's eyes: schemathesis reads the document that head office serves and sends what fits
//! it and what does not, as an owner. `TILLWAY_API_EXAMPLES` says how many examples an operation gets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use control_plane::http::docs;
use serde_json::{Value, json};
use tillway_tests::cloud::Cloud;

/// Examples of an operation where nothing else is said: a minute and a half for all of them.
const EXAMPLES: u32 = 10;
/// Words in the name of an operation that may end the session, the person or the tenant that calls it, or what they
/// may do. Each of these gets a tenant of its own.
const ENDING: &[&str] = &[
    "logout",
    "session",
    "my_password",
    "delete_assignment",
    "module",
    "reset_mfa",
    "suspend",
    "close",
    "tenant",
    "member",
    "person",
    "impersonat",
];
const CSV: &str = "code,description,unit_price\nMUG,Mug,4.50\nTEA,Tea,2.20\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn python() -> PathBuf {
    let path = root().join("target/foreign/venv/bin/python");
    assert!(path.exists(), "{} is missing: run .ci/foreign once (make test does)", path.display());
    path
}

/// A tenant with two shops and a catalogue; the token of its owner.
async fn owner(cloud: &Cloud, name: &str) -> String {
    let (hq, _) = cloud.tenant(name).await.unwrap();
    let shop = cloud.shop(&hq, "High Street").await.unwrap();
    cloud.shop(&hq, "Market").await.unwrap();
    cloud.claim(&hq, &shop).await.unwrap();
    hq.import(CSV.to_owned()).await.unwrap();
    hq.token().to_owned()
}

/// The names of all operations that change something and may end what calls them.
fn ending() -> Vec<String> {
    let document = docs::document();
    let items = document["paths"].as_object().unwrap().values();
    let operations = items.flat_map(|item| item.as_object().unwrap().iter()).filter(|(method, _)| *method != "get");
    let names = operations.filter_map(|(_, operation)| operation["operationId"].as_str());
    let ends = |name: &&str| ENDING.iter().any(|word| name.contains(word));
    names.filter(ends).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_no_operation_that_breaks_its_word() {
    let now = time::OffsetDateTime::now_utc().unix_timestamp() * 1_000;
    // The clock stands still: no token ends while thousands of requests are tried.
    let mut cloud = Cloud::start(Arc::new(AtomicI64::new(now))).await.unwrap();
    let mut alone = BTreeMap::new();
    for (number, name) in ending().into_iter().enumerate() {
        alone.insert(name, owner(&cloud, &format!("alone {number}")).await);
    }
    let folder = tempfile::tempdir().unwrap();
    let said = std::env::var("TILLWAY_API_EXAMPLES").ok();
    let examples = said.as_ref().map_or(EXAMPLES, |text| text.parse().expect("TILLWAY_API_EXAMPLES is a number"));
    let asked = json!({
        "url": format!("{}/v1/openapi.json", cloud.url()), "token": owner(&cloud, "together").await, "alone": alone,
        "examples": examples, "folder": folder.path(), "steady": said.is_none(),
    });
    let (code, told) = tokio::task::spawn_blocking(move || try_all(&asked)).await.unwrap();
    println!("{told}");
    assert_eq!(code, Some(0), "schemathesis found something; what it sent stands above");
    cloud.stop().await;
}

fn try_all(asked: &Value) -> (Option<i32>, String) {
    let mut child = Command::new(python())
        .arg(root().join("tests/foreign/hq_api.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    (done.status.code(), String::from_utf8_lossy(&done.stdout).into_owned())
}
