//! The node goes and comes back: its lanes learn both by themselves, ask, and have the whole picture again.

use serde_json::{Value, json};

use crate::documents::judge;
use crate::ears::{Ears, Login};
use crate::street::Street;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_says_so_and_one_that_restarts_tells_everything_again() {
    let mut street = Street::open("coord-restart").await;
    let mut lane = street.lane("Till 1").await;
    let login = Login::of(&street.node, &lane);
    let reply = format!("lane/{}/reply", lane.id);
    let mut ears = login.listen("mqttv311", &["ticket/+/changed", &reply], &[]).await;
    let open = lane.open("a:open", "sale", None, None).await.unwrap();
    lane.ring("a:1", &open.id, &json!({"code": "MUG", "quantity": "1"})).await.unwrap();
    let topic = format!("/ticket/{}/changed", open.id);
    ears.until("the ticket", |at, body| at.ends_with(&topic) && body["revision"] == 2).await;
    let first = ears.heard[0].1["boot"].clone();

    // In order: its own word, before the connection ends.
    street.node.stop().unwrap();
    ears.until("the good-bye", |at, body| at.contains("/node/") && body["state"] == "offline").await;

    // The broker has forgotten everything; the client connects again by itself and sees another start.
    street.node.start().await.unwrap();
    let second = again(&mut ears, &first).await;
    holds(&mut ears, &login, &open.id, &second, 255).await;

    // And after a power cut, which says nothing.
    street.node.kill().unwrap();
    street.node.start().await.unwrap();
    let third = again(&mut ears, &second).await;
    holds(&mut ears, &login, &open.id, &third, 255).await;
    judge(&ears.heard);

    let ticket = lane.ticket(&open.id).await.unwrap();
    lane.close("a:close", &open.id, "cash", ticket.totals.total_minor, ticket.revision).await.unwrap();
    let sold = ears.until("the sale", |at, body| at.ends_with(&topic) && body["state"] == "closed").await;
    assert_eq!(sold["boot"], third);
    street.settle(1, 255).await;
    street.close().await;
}

/// The name of the next start, as the node's presence tells it.
async fn again(ears: &mut Ears, before: &Value) -> Value {
    let online = |at: &str, body: &Value| at.contains("/node/") && body["state"] == "online" && body["boot"] != *before;
    ears.until("the node", online).await["boot"].clone()
}

/// Asks, and finds the open ticket in the answer.
async fn holds(ears: &mut Ears, login: &Login, ticket: &str, boot: &Value, total_minor: i64) {
    let ask = json!({"v": 1, "what": "tickets", "request_id": format!("of {boot}")});
    login.say(&format!("lane/{}/ask", login.lane), &ask, false).await;
    let answer = ears.until("the answer", |at, body| at.ends_with("/reply") && body["boot"] == *boot).await;
    let found = &answer["content"]["tickets"][0];
    assert_eq!((&found["ticket_id"], &found["total_minor"]), (&json!(ticket), &json!(total_minor)), "{answer}");
    assert_eq!((&found["state"], &found["revision"]), (&json!("open"), &json!(2)));
}
