//! What a node remembers: answers under their keys, open tickets, tokens; after a restart and without its index.

use edge_agent::telemetry::{INDEX_REBUILT, IndexRebuiltV1};
use protocol::id::{Seq, Stream};
use serde_json::json;

use crate::fixture::Node;

#[tokio::test]
async fn a_repeated_request_gets_the_very_same_bytes_and_does_nothing_again() {
    let node = Node::start().await;
    let lane = node.lane("till 1").await;
    let opened = lane.keyed("open", "/v1/tickets", json!({ "kind": "sale" })).await;
    assert_eq!(lane.keyed("open", "/v1/tickets", json!({ "kind": "sale" })).await.bytes, opened.bytes);
    let ticket = format!("/v1/tickets/{}", opened.data()["id"].as_str().unwrap());
    let line = json!({ "code": "85123A", "quantity": "1" });
    let first = lane.keyed("line", &format!("{ticket}/lines"), line.clone()).await;
    let second = lane.keyed("line", &format!("{ticket}/lines"), line.clone()).await;
    assert_eq!((second.status, &second.bytes), (first.status, &first.bytes));
    let other = json!({ "code": "85123A", "quantity": "2" });
    lane.keyed("line", &format!("{ticket}/lines"), other).await.error(409, "CONFLICT");
    // The same body under the same key elsewhere is another request.
    lane.keyed("line", "/v1/tickets/00000000-0000-0000-0000-000000000009/lines", line).await.error(409, "CONFLICT");
    let pay = json!({ "tenders": [{ "kind": "cash", "amount_minor": 255 }] });
    let closed = lane.keyed("close", &format!("{ticket}/close"), pay.clone()).await;
    assert_eq!(closed.data()["receipt"]["seq"], 1);
    assert_eq!(lane.keyed("close", &format!("{ticket}/close"), pay.clone()).await.bytes, closed.bytes);
    lane.keyed("close", &format!("{ticket}/close"), json!({})).await.error(409, "CONFLICT");
    lane.keyed("close again", &format!("{ticket}/close"), pay).await.error(409, "CONFLICT");
    assert_eq!(node.running().logs.head(Stream::Fiscal).durable, Seq(1));
}

#[tokio::test]
async fn the_same_close_sent_many_times_at_once_is_one_sale() {
    let node = Node::start().await;
    let lane = node.lane("till 1").await;
    let ticket = lane.sale().await;
    lane.line(&ticket, json!({ "code": "85123A", "quantity": "1" })).await;
    let pay = json!({ "tenders": [{ "kind": "cash", "amount_minor": 255 }] });
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let (lane, path, pay) = (lane.clone(), format!("{ticket}/close"), pay.clone());
        tasks.spawn(async move { lane.keyed("once", &path, pay).await.bytes });
    }
    let answers = tasks.join_all().await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(node.running().logs.head(Stream::Fiscal).durable, Seq(1));
}

#[tokio::test]
async fn keys_belong_to_lanes() {
    let node = Node::start().await;
    let (one, two) = (node.lane("till 1").await, node.lane("till 2").await);
    let body = json!({ "kind": "sale" });
    let first = one.keyed("k", "/v1/tickets", body.clone()).await.data();
    let second = two.keyed("k", "/v1/tickets", body).await.data();
    assert_ne!(first["id"], second["id"]);
}

#[tokio::test]
async fn answers_tickets_and_tokens_outlive_a_restart_and_the_loss_of_the_index() {
    let mut node = Node::start().await;
    let (one, two) = (node.lane("till 1").await, node.lane("till 2").await);
    let sold = one.sale().await;
    one.line(&sold, json!({ "code": "85123A", "quantity": "2" })).await;
    let pay = json!({ "tenders": [{ "kind": "cash", "amount_minor": 1000 }] });
    let closed = one.keyed("close", &format!("{sold}/close"), pay.clone()).await;
    closed.data();
    let off = json!({ "reason": "smashed", "lines": [{ "code": "85123A", "quantity": "1" }] });
    let written_off = one.keyed("off", "/v1/write-offs", off.clone()).await;
    written_off.data();
    let parked = two.sale().await;
    let line = json!({ "code": "71053", "quantity": "4" });
    let rung = two.keyed("line", &format!("{parked}/lines"), line.clone()).await;
    two.post(&format!("{parked}/park"), json!({ "note": "back at five" })).await.data();
    let before = two.get(&parked).await.bytes;
    for lost in [false, true, false] {
        if lost {
            node.lose_index().await
        } else {
            node.restart().await
        }
        let (one, two) = (node.again(&one), node.again(&two));
        assert_eq!(one.keyed("close", &format!("{sold}/close"), pay.clone()).await.bytes, closed.bytes, "lost: {lost}");
        assert_eq!(one.keyed("off", "/v1/write-offs", off.clone()).await.bytes, written_off.bytes, "lost: {lost}");
        assert_eq!(two.keyed("line", &format!("{parked}/lines"), line.clone()).await.bytes, rung.bytes, "lost: {lost}");
        one.keyed("close", &format!("{sold}/close"), json!({})).await.error(409, "CONFLICT");
        one.get(&sold).await.error(409, "CONFLICT");
        assert_eq!(two.get(&parked).await.bytes, before, "lost: {lost}");
    }
    let one = node.again(&one);
    one.post(&format!("{parked}/recall"), json!({})).await.data();
    assert_eq!(one.close(&parked, 1356).await["seq"], 3);
}

#[tokio::test]
async fn losing_the_index_is_told_to_head_office() {
    let mut node = Node::start().await;
    let lane = node.lane("till 1").await;
    lane.sell(&[("85123A", "1")], 255).await;
    node.lose_index().await;
    node.again(&lane).sell(&[("85123A", "1")], 255).await;
    node.restart().await;
    let records = node.running().logs.read(Stream::Telemetry, Seq(1), 10, 1 << 20).unwrap();
    let told: Vec<IndexRebuiltV1> =
        records.iter().filter(|r| r.event.kind == INDEX_REBUILT).map(|r| r.event.decode().unwrap()).collect();
    assert_eq!(told.iter().map(|event| event.records).collect::<Vec<_>>(), [0, 1]);
}

#[tokio::test]
async fn a_revoked_lane_is_a_stranger_and_its_open_ticket_can_be_taken_up() {
    let node = Node::start().await;
    let (one, two) = (node.lane("till 1").await, node.lane("till 2").await);
    let ticket = one.sale().await;
    one.line(&ticket, json!({ "code": "85123A", "quantity": "1" })).await;
    node.running().desk.revoke(one.id.parse().unwrap()).await.unwrap();
    one.get(&ticket).await.error(401, "AUTHN");
    two.post(&format!("{ticket}/recall"), json!({})).await.data();
    two.close(&ticket, 255).await;
}

#[tokio::test]
async fn a_close_that_names_the_revision_sells_nothing_unseen() {
    let node = Node::start().await;
    let lane = node.lane("till 1").await;
    let ticket = lane.sale().await;
    let seen = lane.line(&ticket, json!({ "code": "FREE", "quantity": "1" })).await["revision"].clone();
    lane.line(&ticket, json!({ "code": "FREE", "quantity": "1" })).await;
    let stale = lane.post(&format!("{ticket}/close"), json!({ "revision": seen })).await;
    assert_eq!(stale.json()["error"]["details"]["revision"], 3);
    stale.error(409, "CONFLICT");
    lane.post(&format!("{ticket}/close"), json!({ "revision": 3 })).await.data();
}

#[tokio::test]
async fn answers_are_forgotten_after_a_week_but_a_sale_never_counts_twice() {
    let mut node = Node::start().await;
    let lane = node.lane("till 1").await;
    let first = lane.keyed("k", "/v1/tickets", json!({ "kind": "sale" })).await.data();
    node.clock.advance_millis(protocol::limits::IDEMPOTENCY_MILLIS + 1_000);
    // The first look after a start drops what is too old.
    node.restart().await;
    let lane = node.again(&lane);
    let mut second = lane.keyed("k", "/v1/tickets", json!({ "kind": "sale" })).await.data();
    for _ in 0..50 {
        if second["id"] != first["id"] {
            break;
        }
        tokio::task::yield_now().await;
        second = lane.keyed("k", "/v1/tickets", json!({ "kind": "sale" })).await.data();
    }
    assert_ne!(first["id"], second["id"]);
    // The ticket itself is still open.
    lane.get(&format!("/v1/tickets/{}", first["id"].as_str().unwrap())).await.data();
}
