//! What a node refuses, and how it says so. After each of these it still sells.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fixture::{Answer, Lane, Node};

async fn raw(node: &Node, request: &[u8]) -> String {
    let mut stream = tokio::net::TcpStream::connect(node.running().addresses.terminal_http).await.unwrap();
    // The node may close before it has read everything.
    drop(stream.write_all(request).await);
    let mut answer = Vec::new();
    let read = tokio::time::timeout(std::time::Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    assert!(
        read.is_ok(),
        "still open after {:?}: {:?}",
        String::from_utf8_lossy(&request[..40]),
        String::from_utf8_lossy(&answer)
    );
    String::from_utf8_lossy(&answer).into_owned()
}

async fn text(lane: &Lane, kind: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = lane.http.post(format!("{}/v1/tickets", lane.base)).bearer_auth(&lane.token);
    let request = request.header("Idempotency-Key", "x").header("content-type", kind).body(body);
    let response = request.send().await.unwrap();
    Answer { status: response.status(), bytes: response.bytes().await.unwrap().to_vec() }
}

#[tokio::test]
async fn every_rejection_has_the_shape_of_an_error() {
    let node = Node::start().await;
    let lane = node.lane("till 1").await;
    lane.get("/v1/nothing").await.error(404, "NOT_FOUND");
    lane.ask(Method::DELETE, "/v1/tickets", Some("k"), None).await.error(405, "VALIDATION");
    lane.ask(Method::POST, "/v1/tickets", None, Some(json!({ "kind": "sale" }))).await.error(400, "VALIDATION");
    lane.keyed(&"k".repeat(129), "/v1/tickets", json!({ "kind": "sale" })).await.error(400, "VALIDATION");
    lane.post("/v1/tickets", json!({ "kind": "gift" })).await.error(400, "VALIDATION");
    lane.post("/v1/tickets", json!({ "kind": "sale", "discuont": 1 })).await.error(400, "VALIDATION");
    lane.post("/v1/tickets", json!({ "kind": "sale", "at": "yesterday" })).await.error(400, "VALIDATION");
    lane.get("/v1/tickets?state=shut").await.error(400, "VALIDATION");
    lane.get("/v1/tickets/not-an-id").await.error(400, "VALIDATION");
    lane.get("/v1/tickets/00000000-0000-0000-0000-000000000009").await.error(404, "NOT_FOUND");
    lane.get("/v1/receipts/1/99").await.error(404, "NOT_FOUND");
    text(&lane, "application/json", "{\"kind\": ").await.error(400, "VALIDATION");
    text(&lane, "application/json", vec![0xff, 0xfe, 0x00]).await.error(400, "VALIDATION");
    text(&lane, "text/plain", "{\"kind\":\"sale\"}").await.error(415, "VALIDATION");
    text(&lane, "application/json", vec![b' '; (1 << 20) + 1]).await.error(413, "VALIDATION");
    lane.sell(&[("85123A", "1")], 255).await;
}

#[tokio::test]
async fn a_stranger_learns_nothing() {
    let node = Node::start().await;
    let lane = node.lane("till 1").await;
    let ticket = lane.sale().await;
    let stranger = Lane { token: "0".repeat(64), ..lane.clone() };
    for path in [ticket.as_str(), "/v1/tickets", "/v1/shop", "/v1/products?q=", "/v1/receipts/1/1"] {
        stranger.get(path).await.error(401, "AUTHN");
        let bare = lane.http.get(format!("{}{path}", lane.base)).send().await.unwrap();
        assert_eq!(bare.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    stranger.post(&format!("{ticket}/lines"), json!({ "code": "85123A", "quantity": "1" })).await.error(401, "AUTHN");
    let listener = lane.http.get(format!("{}/v1/ws", lane.base)).header("connection", "upgrade");
    let listener = listener.header("upgrade", "websocket").header("sec-websocket-version", "13");
    let refused = listener.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn wrong_codes_are_refused_and_slowed() {
    let node = Node::start().await;
    let lane = node.lane("till 1").await;
    let guess = async || {
        let body = json!({ "code": "AAAAA-AAAAA", "name": "thief" });
        let response = lane.http.post(format!("{}/v1/pair", lane.base)).json(&body).send().await.unwrap();
        Answer { status: response.status(), bytes: response.bytes().await.unwrap().to_vec() }
    };
    for _ in 0..10 {
        guess().await.error(401, "AUTHN");
    }
    guess().await.error(429, "RATE_LIMIT");
    node.clock.advance_millis(61_000);
    node.lane("till 2").await;
    let code = node.running().desk.make_code(1).await.unwrap().code;
    node.clock.advance_millis(10 * 60_000);
    let late = json!({ "code": code, "name": "late" });
    let response = lane.http.post(format!("{}/v1/pair", lane.base)).json(&late).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn lines_that_make_no_sense_change_nothing() {
    let node = Node::start().await;
    let lane = node.lane("till 1").await;
    let ticket = lane.sale().await;
    let lines = format!("{ticket}/lines");
    let price = lane.post(&lines, json!({ "code": "85123A", "quantity": "1", "unit_price": "2.55555" })).await;
    assert!(price.error(400, "VALIDATION").contains("4 digits"), "{:?}", price.json());
    lane.post(&lines, json!({ "code": "85123A", "quantity": "1", "unit_price": 2.5 })).await.error(400, "VALIDATION");
    lane.post(&lines, json!({ "code": "NOPE", "quantity": "1" })).await.error(404, "NOT_FOUND");
    let wrong: &[Value] = &[
        json!({ "code": "85123A", "quantity": "0" }),
        json!({ "code": "85123A", "quantity": "1000000" , "unit_price": "10000000" }),
        json!({ "code": "85123A", "quantity": "1", "discount": { "amount_minor": 256 } }),
        json!({ "open": { "description": " ", "unit_price": "1" }, "quantity": "1" }),
        json!({ "open": { "description": "x".repeat(513), "unit_price": "1" }, "quantity": "1" }),
    ];
    for body in wrong {
        lane.post(&lines, body.clone()).await.error(422, "VALIDATION");
    }
    let unreadable: &[Value] = &[
        json!({ "code": "85123A", "quantity": "1.0001" }),
        json!({ "code": "85123A", "quantity": "1e3" }),
        json!({ "quantity": "1" }),
        json!({ "code": "85123A", "open": { "description": "a", "unit_price": "1" }, "quantity": "1" }),
        json!({ "code": "85123A", "quantity": "1", "discount": { "percent": "100.1" } }),
        json!({ "code": "85123A", "quantity": "1", "discount": { "percent": "10", "amount_minor": 1 } }),
        json!({ "code": "85123A", "quantity": "1", "discount": { "amount_minor": -1 } }),
        json!({ "open": { "description": "a", "unit_price": "-1" }, "quantity": "1" }),
    ];
    for body in unreadable {
        lane.post(&lines, body.clone()).await.error(400, "VALIDATION");
    }
    lane.patch(&format!("{ticket}/lines/1"), json!({ "quantity": "1" })).await.error(404, "NOT_FOUND");
    let shown = lane.get(&ticket).await.data();
    assert_eq!((&shown["lines"], &shown["revision"]), (&json!([]), &json!(1)));
}

#[tokio::test]
async fn a_ticket_is_paid_exactly_or_not_closed() {
    let node = Node::start().await;
    let lane = node.lane("till 1").await;
    let ticket = lane.sale().await;
    lane.line(&ticket, json!({ "code": "85123A", "quantity": "1" })).await;
    let pay = async |tenders: Value| lane.post(&format!("{ticket}/close"), json!({ "tenders": tenders })).await;
    let unpaid = pay(json!([{ "kind": "cash", "amount_minor": 200 }])).await;
    assert_eq!(unpaid.json()["error"]["details"]["missing_minor"], 55);
    unpaid.error(422, "VALIDATION");
    pay(json!([{ "kind": "card_recorded", "amount_minor": 300 }])).await.error(422, "VALIDATION");
    pay(json!([{ "kind": "cash", "amount_minor": -255 }])).await.error(422, "VALIDATION");
    pay(json!([{ "kind": "barter", "amount_minor": 255 }])).await.error(400, "VALIDATION");
    lane.post(&format!("{ticket}/tenders"), json!({ "kind": "cash", "amount_minor": 255 })).await.data();
    lane.post(&format!("{ticket}/void"), json!({})).await.error(409, "CONFLICT");
    let removed = lane.post(&format!("{ticket}/tenders/1/remove"), json!({})).await.data();
    assert_eq!(removed["tenders"], json!([]));
    lane.post(&format!("{ticket}/tenders/1/remove"), json!({})).await.error(404, "NOT_FOUND");
    lane.close(&ticket, 255).await;
}

#[tokio::test]
async fn garbage_on_the_wire_is_answered_and_survived() {
    let node = Node::start().await;
    let lane = node.lane("till 1").await;
    let garbage: Vec<u8> = (0..4_096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    assert!(raw(&node, &garbage).await.starts_with("HTTP/1.1 400"));
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(100_000));
    assert!(raw(&node, long.as_bytes()).await.starts_with("HTTP/1.1 4"));
    let huge =
        b"POST /v1/tickets HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 104857600\r\n\r\n{";
    assert!(raw(&node, huge).await.starts_with("HTTP/1.1 401"));
    let token = &lane.token;
    let huge = format!(
        "POST /v1/tickets HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nidempotency-key: a\r\n\
         content-type: application/json\r\ncontent-length: 104857600\r\n\r\n{{"
    );
    let answer = raw(&node, huge.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("VALIDATION"), "{answer}");
    lane.sell(&[("85123A", "1")], 255).await;
}

#[tokio::test]
async fn health_and_the_description_need_no_token() {
    let node = Node::start().await;
    let http = reqwest::Client::new();
    for path in ["/healthz", "/health", "/readyz"] {
        let response = http.get(format!("{}{path}", node.base())).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
    }
    let document: Value =
        http.get(format!("{}/v1/openapi.json", node.base())).send().await.unwrap().json().await.unwrap();
    for path in ["/v1/tickets/{id}/close", "/v1/pair", "/v1/write-offs", "/v1/receipts/{term}/{seq}"] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    let metrics = node.running().addresses.metrics.unwrap();
    let text = http.get(format!("http://{metrics}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("tillway_terminal_requests_total"), "{text}");
}
