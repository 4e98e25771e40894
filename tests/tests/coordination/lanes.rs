//! What one lane does is seen by the others: it comes, sells, goes; and head office's prices are announced.

use reqwest::Method;
use serde_json::{Value, json};
use tillway_tests::lane::Lane;
use tillway_tests::world::until;

use crate::documents::judge;
use crate::ears::Login;
use crate::street::{Street, price_becomes, sell};

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_comes_sells_and_vanishes_and_the_others_see_it() {
    let mut street = Street::open("coord-lanes").await;
    let (mut first, mut second) = (street.lane("Till 1").await, street.lane("Till 2").await);
    let (one, two) = (Login::of(&street.node, &first), Login::of(&street.node, &second));
    let filters = ["lane/+/presence", "lane/+/state", "ticket/+/changed", "price/+/changed"];
    let mut ears = two.listen("mqttv5", &filters, &[]).await;

    // It comes, with its offline form as last will.
    let presence = |state: &str| json!({"v": 1, "state": state, "name": "Till 1", "since": "2026-03-01T09:30:00.000Z"});
    let (own, gone) = (format!("lane/{}/presence", one.lane), presence("offline").to_string());
    let topic = one.topic(&own);
    let will = ["--will-topic", &topic, "--will-payload", &gone, "--will-qos", "1", "--will-retain"];
    let till = one.listen("mqttv311", &["price/+/changed"], &will).await;
    one.say(&own, &presence("online"), true).await;
    one.say(&format!("lane/{}/state", one.lane), &json!({"v": 1, "state": "ringing"}), false).await;
    ears.until("the other lane", |topic, body| topic.contains(&one.lane) && body["state"] == "online").await;
    ears.until("what it does", |topic, body| topic.ends_with("/state") && body["state"] == "ringing").await;
    shows(&mut second, &one.lane, true).await;

    // It sells.
    let receipt = sell(&mut first, "a", "MUG", 2).await;
    assert_eq!(receipt.totals.total_minor, 510);
    let closed = ears.until("the sale", |topic, body| topic.contains("/ticket/") && body["state"] == "closed").await;
    assert_eq!(closed["lane_id"], json!(first.id));
    let changes: Vec<u64> =
        ears.heard.iter().filter(|(topic, _)| topic.contains("/ticket/")).map(|(_, body)| number(body)).collect();
    assert!(changes.len() >= 3, "opened, rung, closed: {changes:?}");
    assert!(changes.windows(2).all(|pair| pair[1] == pair[0] + 1), "no number is left out: {changes:?}");

    // A price comes from head office.
    let body = json!({"unit_price": "3.00"}).to_string();
    let put: Value =
        street.hq.call(Method::PUT, "/v1/pricing/prices/MUG", Some(("application/json", body))).await.unwrap();
    assert!(put.is_object(), "{put}");
    let price =
        ears.until("the price", |topic, body| topic.ends_with("/price/catalogue/changed") && body["codes"].is_array());
    assert_eq!(price.await["codes"], json!(["MUG"]));
    price_becomes(&mut second, "MUG", "3.00").await;

    // Its power goes: nobody says good-bye but the broker, in its name.
    let mut heard = till.dies().await;
    ears.until("the will", |topic, body| topic.contains(&one.lane) && body["state"] == "offline").await;
    shows(&mut second, &one.lane, false).await;
    heard.append(&mut ears.heard);
    judge(&heard);
    street.settle(1, 510).await;
    street.close().await;
}

fn number(body: &Value) -> u64 {
    body["change"].as_u64().unwrap()
}

/// Waits until the terminal API says so of a lane.
async fn shows(lane: &mut Lane, of: &str, online: bool) {
    let lane = tokio::sync::Mutex::new(lane);
    until("the list of lanes", || async {
        let lanes: Vec<Value> = lane.lock().await.get("/v1/lanes").await?;
        Ok(lanes.iter().any(|one| one["lane_id"] == *of && one["online"] == online))
    })
    .await
    .unwrap();
}
