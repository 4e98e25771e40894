//! Every route of a node: without a token, with one that was revoked, with one of another shop's node; through the
//! loopback door and through the door on the shop's network. The tools' socket is none of these doors.

use std::collections::BTreeSet;

use edge_agent::terminal::openapi;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::ground::Ground;

/// Routes of a node that need no token; a new one is put here by a person, with its reason.
const EVERYBODY: &[(&str, &str, &str)] = &[
    ("GET", "/healthz", "the service manager asks"),
    ("GET", "/readyz", "the service manager asks"),
    ("POST", "/v1/pair", "its body is the credential"),
];

/// Routes that the tools on the box have, on a socket of their own.
const TOOLS: &[(&str, &str)] = &[("POST", "/v1/pairings"), ("DELETE", "/v1/lanes/{id}"), ("GET", "/metrics")];

fn routes() -> BTreeSet<(String, String)> {
    let document = serde_json::to_value(openapi()).unwrap();
    let mut found = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["get", "post", "put", "patch", "delete"] {
            if item.get(method).is_some() {
                found.insert((method.to_uppercase(), path.clone()));
            }
        }
    }
    assert!(found.len() >= 20, "the document lists only {found:?}");
    found
}

fn filled(path: &str) -> String {
    let names = [
        ("{id}", "019a1fb7-5508-774e-90a4-c8adc8badf6e"),
        ("{ticket}", "019a1fb7-5508-774e-90a4-c8adc8badf6e"),
        ("{no}", "1"),
        ("{n}", "1"),
        ("{term}", "1"),
        ("{seq}", "1"),
        ("{code}", "TEA"),
        ("{job}", "1"),
        ("{printer}", "counter"),
    ];
    let filled = names.iter().fold(path.to_owned(), |path, (name, value)| path.replace(name, value));
    assert!(!filled.contains('{'), "{path} has a parameter that edge.rs does not know: add it to `filled`");
    filled
}

async fn ask(client: &Client, base: &str, token: Option<&str>, method: &str, path: &str) -> (StatusCode, String) {
    let mut request = client.request(Method::from_bytes(method.as_bytes()).unwrap(), format!("{base}{}", filled(path)));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if path == "/v1/ws" {
        let upgrade = [("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13")];
        request = upgrade.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request = request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    }
    if method != "GET" {
        request = request.header("idempotency-key", format!("{method}{path}")).json(&json!({}));
    }
    let answer = request.send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_of_a_node_opens_without_the_token_of_a_lane_of_its_own() {
    let mut ground = Ground::lay().await;
    let agent = ground.alpha.store.agent().unwrap();
    let revoked = ground.alpha.store.lane("revoked").await.unwrap();
    let lane: protocol::id::LaneId = revoked.id.parse().unwrap();
    agent.desk.revoke(lane).await.unwrap();
    let http = format!("http://{}", agent.addresses.terminal_http);
    let https = format!("https://{}", agent.addresses.terminal_https.unwrap());
    // A WebSocket is asked for as HTTP/1.1 does it.
    let client = Client::builder().danger_accept_invalid_certs(true).http1_only().build().unwrap();
    let head = agent.logs.head(protocol::id::Stream::Fiscal).durable;
    let tokens = [
        ("no token", None),
        ("a made-up token", Some("0123456789abcdef0123456789abcdef".to_owned())),
        ("a revoked token", Some(revoked.token().to_owned())),
        ("a token of another shop", Some(ground.beta.lane.token().to_owned())),
        ("a token of head office", Some(ground.alpha.hq.token())),
    ];
    let mut cases = 0;
    for (method, path) in routes() {
        let free = EVERYBODY.iter().any(|(open, at, _)| (*open, *at) == (method.as_str(), path.as_str()));
        for base in [&http, &https] {
            for (what, token) in &tokens {
                cases += 1;
                let (status, text) = ask(&client, base, token.as_deref(), &method, &path).await;
                let said = format!("{method} {base}{path} with {what}: {status} {text}");
                assert!(free || status == StatusCode::UNAUTHORIZED, "{said}");
                assert!(!status.is_server_error() && !text.contains(ground.alpha.marker), "{said}");
                if !free {
                    let body: Value = serde_json::from_str(&text).unwrap();
                    assert_eq!(body["error"]["code"], "AUTHN", "{said}");
                }
            }
        }
    }
    for (method, path) in TOOLS {
        for base in [&http, &https] {
            let (status, text) = ask(&client, base, None, method, path).await;
            assert!(
                [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED].contains(&status),
                "{method} {base}{path}: {status} {text}"
            );
        }
    }
    crate::tally::count("nodes", cases + TOOLS.len() * 2);
    // A lane of the node gets through, so the tokens above were what was refused.
    let (status, text) = ask(&client, &https, Some(ground.alpha.lane.token()), "GET", "/v1/shop").await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert_eq!(agent.logs.head(protocol::id::Stream::Fiscal).durable, head, "nothing was written");
    ground.alpha.store.stop().await;
    ground.beta.store.stop().await;
    ground.cloud.stop().await;
}
