//! The lines: each fits docs/log-schema.json by the word of a validator that is not ours, none holds a planted secret,
//! and the lines of a request, a sale, an ingest and a job say what they must.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::project;

/// Validates every line of standard input; says the first few that do not fit.
const VALIDATE: &str = r#"
import json, sys
import jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
wrong = 0
for number, line in enumerate(sys.stdin, 1):
    try:
        errors = [error.message for error in validator.iter_errors(json.loads(line))]
    except ValueError as error:
        errors = [str(error)]
    if errors:
        wrong += 1
        if wrong < 6:
            print(f"line {number}: {line.strip()}\n    " + "\n    ".join(errors))
sys.exit(1 if wrong else 0)
"#;

fn lines(log: &str) -> Vec<Value> {
    log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Whether every line fits the schema, and what the validator says of those that do not.
fn validate(log: &str) -> Result<(), String> {
    let schema = project("docs/log-schema.json");
    let mut python = Command::new("python3")
        .args(["-W", "ignore", "-c", VALIDATE, schema.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, text) = (python.stdin.take().unwrap(), log.to_owned());
    let feed = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = python.wait_with_output().unwrap();
    drop(feed.join().unwrap());
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(()) } else { Err(said) }
}

/// Every line fits and tells no secret.
pub fn hold(whose: &str, log: &str, secrets: &[(&str, String)]) {
    assert!(log.lines().count() > 3, "{whose} says hardly anything: {log}");
    validate(log).unwrap_or_else(|said| panic!("lines of {whose} do not fit docs/log-schema.json:\n{said}"));
    for (what, secret) in secrets {
        assert!(secret.len() > 5, "{what} is no secret: {secret:?}");
        let told = log.lines().find(|line| line.contains(secret.as_str()));
        assert!(told.is_none(), "{whose} tells {what}: {told:?}");
    }
}

fn with<'l>(found: &'l [Value], target: &str, key: &str, value: &str) -> &'l Value {
    let mut of = found.iter().filter(|line| line["target"] == target);
    of.find(|line| line[key] == value).unwrap_or_else(|| panic!("no line of {target} has {key} {value}: {found:#?}"))
}

pub fn tell_a_request(log: &str) {
    let found = lines(log);
    let import = with(&found, "access", "route", "/v1/catalog/imports");
    for key in ["tenant", "user", "request_id"] {
        assert!(import[key].is_string(), "{key} of {import}");
    }
    assert_eq!((&import["module"], &import["action"]), (&"catalog".into(), &"imports.create".into()));
    assert_eq!((&import["method"], &import["status"]), (&"POST".into(), &200.into()));
    let refused = found.iter().find(|line| line["route"] == "/v1/auth/login" && line["status"] == 401);
    let refused = refused.expect("a sign-in that failed is told");
    assert!(refused["tenant"].is_null() && refused["user"].is_null(), "{refused}");
    assert_eq!(with(&found, "access", "route", "unknown")["status"], 404);
}

pub fn tell_an_ingest_and_a_job(log: &str) {
    let found = lines(log);
    let ingest = with(&found, "ingest", "stream", "fiscal");
    assert_eq!(ingest["events"], 1, "{ingest}");
    let job = with(&found, "job", "job", "housekeeping");
    assert_eq!(job["outcome"], "done", "{job}");
    let session = found.iter().find(|line| line["message"] == "node connected").expect("a node connected");
    for key in ["tenant", "shop", "node"] {
        assert!(session[key].is_string(), "{key} of {session}");
    }
}

pub fn tell_a_sale(log: &str, ticket: &str) {
    let found = lines(log);
    let sale = with(&found, "sale", "ticket", ticket);
    assert_eq!((&sale["seq"], &sale["level"]), (&1.into(), &"DEBUG".into()));
}

#[test]
fn the_validator_finds_what_does_not_fit() {
    let good = r#"{"timestamp":"2026-11-21T03:33:02.123456Z","level":"INFO","target":"x","message":"m","count":3}"#;
    validate(&format!("{good}\n")).unwrap();
    let access = r#""target":"access""#;
    for (from, to) in [
        ("INFO", "LOUD"),
        ("02.123456Z", "02+01:00"),
        (r#","message":"m""#, ""),
        (r#""count":3"#, r#""count":{"nested":3}"#),
        (r#""count":3"#, r#""password":"x""#),
        (r#""target":"x""#, access),
        (r#""count":3"#, r#""tenant":"Acme""#),
        ("}", ""),
    ] {
        assert!(validate(&format!("{}\n", good.replace(from, to))).is_err(), "{from} -> {to} fits");
    }
}
