//! The replay against a node made of paper: it forgets acknowledged lines when it "restarts", as a killed node
//! may, and the lane must notice and ring them again. No real node here; the stories have one.

#![allow(clippy::unwrap_used, reason = "a helper of a test that finds nothing stops the test")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use protocol::money::Currency;
use serde_json::{Value, json};
use tillway_tests::catalogue::Catalogue;
use tillway_tests::lane::Lane;
use tillway_tests::receipts::from_csv;
use tillway_tests::replay::{Planned, plan, sell};
use tillway_tests::wire::Target;

#[derive(Default)]
struct Paper {
    tickets: HashMap<String, (Vec<Value>, u32)>,
    answers: HashMap<String, (StatusCode, Value)>,
    closed: Vec<(Vec<Value>, Value)>,
    /// At which request, counted from 1, the node forgets so many lines and answers nothing.
    crash_at: HashMap<usize, usize>,
    requests: usize,
}

type Node = Arc<Mutex<Paper>>;
type Answer = Result<(StatusCode, Json<Value>), StatusCode>;

/// Counts the request; a crash loses the last lines with their keys, and the answer to this one.
fn arrive(paper: &mut Paper) -> Result<(), StatusCode> {
    paper.requests += 1;
    let Some(lines) = paper.crash_at.remove(&paper.requests) else { return Ok(()) };
    for (ticket, (rung, revision)) in &mut paper.tickets {
        for _ in 0..lines.min(rung.len()) {
            let number = rung.len();
            rung.pop();
            *revision -= 1;
            paper.answers.retain(|key, _| key != &format!("t:{}:{number}", ticket.trim_start_matches("id-")));
        }
    }
    Err(StatusCode::SERVICE_UNAVAILABLE)
}

fn total(lines: &[Value]) -> i64 {
    let amount = |line: &Value| {
        let price: protocol::price::UnitPrice = line["unit_price"].as_str().unwrap().parse().unwrap();
        let quantity: protocol::quantity::Quantity = line["quantity"].as_str().unwrap().parse().unwrap();
        price.extend(quantity, Currency::GBP).unwrap().minor()
    };
    lines.iter().map(amount).sum()
}

fn view(id: &str, lines: &[Value], revision: u32) -> Value {
    json!({"id": id, "state": "open", "lines": lines, "totals": {"total_minor": total(lines)}, "revision": revision})
}

fn key(headers: &HeaderMap) -> String {
    headers["idempotency-key"].to_str().unwrap().to_owned()
}

fn keep(paper: &mut Paper, key: String, answer: Value) -> Answer {
    let answer = (StatusCode::CREATED, json!({"data": answer}));
    paper.answers.insert(key, answer.clone());
    Ok((answer.0, Json(answer.1)))
}

async fn open(State(node): State<Node>, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let paper = &mut *node.lock().unwrap();
    arrive(paper)?;
    if let Some(known) = paper.answers.get(&key(&headers)) {
        return Ok((known.0, Json(known.1.clone())));
    }
    let id = format!("id-{}", body["reference"].as_str().unwrap());
    paper.tickets.insert(id.clone(), (Vec::new(), 1));
    keep(paper, key(&headers), view(&id, &[], 1))
}

async fn line(State(node): State<Node>, Path(id): Path<String>, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let paper = &mut *node.lock().unwrap();
    arrive(paper)?;
    if let Some(known) = paper.answers.get(&key(&headers)) {
        return Ok((known.0, Json(known.1.clone())));
    }
    let (lines, revision) = paper.tickets.get_mut(&id).unwrap();
    let price = body["unit_price"].as_str().unwrap_or("1.00");
    let number = lines.len() + 1;
    lines.push(json!({"line_no": number, "code": body["code"], "description": "x", "quantity": body["quantity"],
        "unit_price": price}));
    *revision += 1;
    let answer = view(&id, lines, *revision);
    keep(paper, key(&headers), answer)
}

async fn ticket(State(node): State<Node>, Path(id): Path<String>) -> Answer {
    let paper = &mut *node.lock().unwrap();
    arrive(paper)?;
    let (lines, revision) = &paper.tickets[&id];
    Ok((StatusCode::OK, Json(json!({"data": view(&id, lines, *revision)}))))
}

async fn close(
    State(node): State<Node>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Answer {
    let paper = &mut *node.lock().unwrap();
    arrive(paper)?;
    if let Some(known) = paper.answers.get(&key(&headers)) {
        return Ok((known.0, Json(known.1.clone())));
    }
    let (lines, revision) = paper.tickets[&id].clone();
    if body["revision"] != revision {
        let error = json!({"error": {"code": "CONFLICT", "message": "the ticket is at another revision"}});
        return Ok((StatusCode::CONFLICT, Json(error)));
    }
    let sum = total(&lines);
    paper.closed.push((lines, body));
    let receipt = json!({"node_id": "n", "term": 1, "seq": 1, "business_date": "2010-12-01",
        "totals": {"total_minor": sum}});
    keep(paper, key(&headers), json!({"receipt": receipt}))
}

async fn paper_node() -> (Node, SocketAddr) {
    let node = Node::default();
    let router = Router::new()
        .route("/v1/tickets", post(open))
        .route("/v1/tickets/{id}", get(ticket))
        .route("/v1/tickets/{id}/lines", post(line))
        .route("/v1/tickets/{id}/close", post(close))
        .with_state(Arc::clone(&node));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (node, address)
}

fn planned() -> Planned {
    let lines = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
        7,a,A,1,2010-12-01T08:26,1.00,,\n7,b,B,2,2010-12-01T08:26,1.00,,\n7,c,C,3,2010-12-01T08:26,1.00,,\n\
        7,b,B,2,2010-12-01T08:26,1.00,,\n";
    let receipts = from_csv(lines.as_bytes()).unwrap();
    plan(&receipts[0], &Catalogue::of(&receipts)).unwrap()
}

/// However the node forgets at whichever request, exactly the paper's lines are closed, once.
#[tokio::test]
async fn a_receipt_survives_a_node_that_forgets_lines() {
    for crash_at in 1..=6_usize {
        for lost in 0..=4_usize {
            let (node, address) = paper_node().await;
            node.lock().unwrap().crash_at.insert(crash_at, lost);
            let mut lane = Lane::with_token(Target::parse(&format!("http://{address}"), None).unwrap(), "t".to_owned());
            let total = sell(&mut lane, &planned(), "t").await.unwrap();
            assert_eq!(total, 800, "crash at {crash_at}, {lost} lines lost");
            let paper = node.lock().unwrap();
            assert_eq!(paper.closed.len(), 1);
            let mut codes: Vec<&str> = paper.closed[0].0.iter().map(|line| line["code"].as_str().unwrap()).collect();
            codes.sort_unstable();
            assert_eq!(codes, ["a", "b", "b", "c"], "crash at {crash_at}, {lost} lines lost");
            assert_eq!(paper.closed[0].1["tenders"][0]["amount_minor"], 800);
        }
    }
}

/// The node counts otherwise than the paper: nothing is closed, and the reason says both.
#[tokio::test]
async fn a_wrong_total_is_never_closed() {
    let (node, address) = paper_node().await;
    let mut lane = Lane::with_token(Target::parse(&format!("http://{address}"), None).unwrap(), "t".to_owned());
    let mut planned = planned();
    planned.expected_minor = 801;
    let error = sell(&mut lane, &planned, "t").await.unwrap_err();
    assert_eq!(error.to_string(), "the node counts 800, the paper says 801");
    assert!(node.lock().unwrap().closed.is_empty());
}

#[test]
fn a_terminal_trusts_strangers_on_loopback_only() {
    for safe in ["http://127.0.0.1:8080", "https://127.0.0.1:8443", "http://[::1]:1", "http://localhost:80"] {
        assert!(Target::parse(safe, None).is_ok(), "{safe}");
    }
    for unsafe_url in ["http://10.0.0.5:8080", "https://till.shop.example", "ftp://127.0.0.1", "nonsense"] {
        assert!(Target::parse(unsafe_url, None).is_err(), "{unsafe_url}");
    }
    assert!(Target::parse("https://10.0.0.5:8443", Some(&"ab".repeat(32))).is_ok());
    assert!(Target::parse("http://10.0.0.5:8080", Some(&"ab".repeat(32))).is_err(), "a pin does not help plain HTTP");
}
