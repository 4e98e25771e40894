//! `edge-agent doctor`, as a technician calls it: on a node that is well, on a stopped one, and on each kind of trouble.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use edge_agent::identity::TerminalIdentity;
use firmware_config::layout::Layout;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ED25519, SanType};
use serde_json::{Value, json};

use crate::doors::shop_ca;
use crate::fixture::Node;

const URN: &str = "urn:tillway:tenant:00000000-0000-0000-0000-000000000001:shop:00000000-0000-0000-0000-000000000002:\
                   node:00000000-0000-0000-0000-000000000003:term:1";

/// Keys and certificates as enrolment leaves them; good for so many days from so many days ago.
fn enrolled(layout: &Layout, from: i64, days: i64) {
    shop_ca(layout);
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let ca_key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&ca_key).unwrap();
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let mut leaf = CertificateParams::default();
    leaf.subject_alt_names = vec![SanType::URI(URN.try_into().unwrap())];
    let (now, day) = (std::time::SystemTime::now(), 24 * 3_600);
    let at = |days: i64| {
        let span = std::time::Duration::from_secs(days.unsigned_abs() * day);
        if days < 0 { now - span } else { now + span }
    };
    leaf.not_before = at(-from).into();
    leaf.not_after = at(days - from).into();
    let issuer = Issuer::from_params(&params, &ca_key);
    fs::write(layout.device_ca(), ca.pem()).unwrap();
    fs::write(layout.device_certificate(), leaf.signed_by(&key, &issuer).unwrap().pem()).unwrap();
    fs::write(layout.device_key(), key.serialize_pem()).unwrap();
    fs::set_permissions(layout.device_key(), fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(layout.identity(), fs::Permissions::from_mode(0o700)).unwrap();
}

async fn doctor(config: &Path, words: &[&str]) -> (i32, String, String) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_edge-agent"));
    let output = command.arg("doctor").arg("--config").arg(config).args(words).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

async fn checks(config: &Path, words: &[&str]) -> (i32, Vec<Value>) {
    let (code, out, err) = doctor(config, &[words, &["--json"]].concat()).await;
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
    assert_eq!(err, "", "no stack traces, no log lines");
    let worst = ["ok", "warn", "fail"].get(usize::try_from(code).unwrap()).copied();
    let said = report["outcome"].as_str().map(|said| if said == "skip" { "ok" } else { said });
    assert_eq!(said, worst, "{report}");
    (code, report["checks"].as_array().unwrap().clone())
}

#[track_caller]
fn one<'a>(checks: &'a [Value], check: &str, outcome: &str) -> &'a str {
    let found = checks.iter().find(|c| c["check"] == check && c["outcome"] == outcome);
    found.unwrap_or_else(|| panic!("no {outcome} {check} in {checks:#?}"))["says"].as_str().unwrap()
}

#[tokio::test]
async fn a_running_and_a_stopped_node_are_looked_over_and_only_what_is_wrong_is_found() {
    let mut node = Node::start().await;
    node.stop().await;
    enrolled(&node.layout(), 1, 90);
    node.go().await;
    let config = node.write_config();
    let lane = node.lane("Counter").await;
    let ticket = lane.sale().await;
    lane.line(&ticket, json!({ "code": "85123A", "quantity": "1" })).await;
    lane.close(&ticket, 255).await;

    // Nobody is at the address of head office in this test: a warning, and the only kind there is.
    let (code, running) = checks(&config, &["--full"]).await;
    assert_eq!(code, 1, "{running:#?}");
    assert!(one(&running, "node", "ok").contains("Selling."));
    assert!(one(&running, "head office", "warn").contains("no answer by QUIC"));
    assert!(one(&running, "logs", "ok").contains("records are whole; fiscal position 1"));
    let fingerprint = TerminalIdentity::load(&node.layout()).unwrap().ca_fingerprint();
    assert!(running.iter().any(|check| check["says"].as_str().unwrap().contains(&fingerprint)));
    for check in ["config", "identity", "certificate", "disk", "index", "ports"] {
        one(&running, check, "ok");
    }
    one(&running, "printers", "skip");
    let failed: Vec<_> = running.iter().filter(|check| check["outcome"] == "fail").collect();
    assert!(failed.is_empty(), "{failed:#?}");

    node.stop().await;
    let (code, stopped) = checks(&config, &[]).await;
    assert_eq!(code, 1, "{stopped:#?}");
    assert_eq!(one(&stopped, "node", "warn"), "it is not running");
    assert!(one(&stopped, "logs", "ok").contains("fiscal position 1"));
    assert!(!node.layout().data().join(".doctor-probe").exists(), "it leaves nothing behind");

    // For people: a line each, what to do below it, a sum at the end.
    let (_, text, _) = doctor(&config, &[]).await;
    assert!(
        text.contains("warn  node         it is not running") && text.contains("-> start it: sudo systemctl"),
        "{text}"
    );
    assert!(text.contains("\n0 failed, "), "{text}");
    let (code, help, _) = doctor(&config, &["--help"]).await;
    assert!(code == 0 && help.contains("Exit codes: 0 all is well   1 warnings   2 failures"), "{help}");
}

#[tokio::test]
async fn each_trouble_is_named_with_its_cure() {
    let mut node = Node::start().await;
    node.stop().await;
    let (layout, config) = (node.layout(), node.write_config());
    enrolled(&layout, 1, 90);
    // No internet: the name of head office is not to be had.
    let text = fs::read_to_string(&config).unwrap().replace("quic = \"127.0.0.1:1\"", "quic = \"hq.invalid:4433\"");
    fs::write(&config, text).unwrap();
    let (code, found) = checks(&config, &[]).await;
    assert!(code == 1 && one(&found, "head office", "warn").starts_with("the name hq.invalid"), "{found:#?}");

    // A key that others may read.
    fs::set_permissions(layout.device_key(), fs::Permissions::from_mode(0o644)).unwrap();
    let (code, found) = checks(&config, &[]).await;
    assert_eq!(code, 2, "{found:#?}");
    assert!(one(&found, "identity", "fail").contains("others may open"), "{found:#?}");
    let cure = found.iter().find(|check| check["outcome"] == "fail").unwrap()["cure"].as_str().unwrap();
    assert_eq!(cure, format!("chmod 600 {}", layout.device_key().display()));
    fs::set_permissions(layout.device_key(), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(checks(&config, &[]).await.0, 1);

    // Certificates: past half life, past their date.
    enrolled(&layout, 60, 90);
    let (code, found) = checks(&config, &[]).await;
    assert!(code == 1 && one(&found, "certificate", "warn").contains("the one for head office ends on"), "{found:#?}");
    enrolled(&layout, 91, 90);
    let (code, found) = checks(&config, &[]).await;
    assert!(code == 2 && one(&found, "certificate", "fail").contains("the shop sells on"), "{found:#?}");
    enrolled(&layout, 1, 90);

    // A damaged segment.
    node.go().await;
    let lane = node.lane("Counter").await;
    for _ in 0..2 {
        let ticket = lane.sale().await;
        lane.line(&ticket, json!({ "code": "85123A", "quantity": "1" })).await;
        lane.close(&ticket, 255).await;
    }
    node.stop().await;
    let segment = layout.logs().join("fiscal/t0000000001/00000000000000000001.seg");
    let whole = fs::read(&segment).unwrap();
    let mut bytes = whole.clone();
    bytes[4096 + 40] ^= 1;
    fs::write(&segment, bytes).unwrap();
    for words in [&[][..], &["--full"]] {
        let (code, found) = checks(&config, words).await;
        assert!(code == 2 && one(&found, "logs", "fail").contains("record 1 cannot be read"), "{found:#?}");
    }
    fs::write(&segment, whole).unwrap();

    // A port that somebody else has.
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let text =
        fs::read_to_string(&config).unwrap().replace("http = \"127.0.0.1:0\"", &format!("http = \"127.0.0.1:{port}\""));
    fs::write(&config, text).unwrap();
    let (code, found) = checks(&config, &[]).await;
    assert!(code == 2 && one(&found, "ports", "fail").contains("taken by another program"), "{found:#?}");
    drop(taken);

    // No identity at all, and a configuration that is none: all its mistakes at once.
    fs::remove_dir_all(layout.identity()).unwrap();
    let (code, found) = checks(&config, &[]).await;
    assert!(code == 2 && one(&found, "identity", "fail").contains("there is no"), "{found:#?}");
    fs::write(&config, "[node]\nname = 7\nsurprise = 1\n").unwrap();
    let (code, found) = checks(&config, &[]).await;
    assert!(code == 2 && found.len() > 2 && found.iter().all(|check| check["check"] == "config"), "{found:#?}");
    let (code, found) = checks(Path::new("/nowhere/node.toml"), &[]).await;
    assert!(code == 2 && one(&found, "config", "fail").contains("cannot be read"), "{found:#?}");
}
