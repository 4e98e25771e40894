//! A price changes at head office while a basket is open.

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::street::{SOON, Street, price_becomes, sell};

/// The lane hears of it without asking, new baskets get the new price, the open one keeps what it was rung at.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_price_reaches_the_lane_and_an_open_ticket_keeps_its_own() {
    let mut street = Street::open("prices").await;
    let mut lane = street.lane("Till 1").await;
    let open = lane.open("a:open", "sale", None, None).await.unwrap();
    let mug = json!({"code": "MUG", "quantity": "2"});
    lane.ring("a:1", &open.id, &mug).await.unwrap();

    let url = format!("{}/v1/ws", street.node.url().replace("http://", "ws://"));
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {}", lane.token()).parse().unwrap());
    let (mut changes, _) = tokio_tungstenite::connect_async(request).await.unwrap();

    let body = json!({"unit_price": "3.00"}).to_string();
    let put: Value =
        street.hq.call(Method::PUT, "/v1/pricing/prices/MUG", Some(("application/json", body))).await.unwrap();
    assert!(put.is_object(), "{put}");
    let told = tokio::time::timeout(SOON, next_about(&mut changes, "catalog")).await;
    told.expect("the lane was not told of the new price");
    price_becomes(&mut lane, "MUG", "3.00").await;

    let kept = lane.ticket(&open.id).await.unwrap();
    assert_eq!((kept.lines[0].unit_price.to_string().as_str(), kept.totals.total_minor), ("2.55", 510));
    // What is rung from now on costs what it costs from now on, on the open ticket too.
    let changed = lane.ring("a:2", &open.id, &mug).await.unwrap();
    assert_eq!(changed.totals.total_minor, 510 + 600);
    let receipt = lane.close("a:close", &open.id, "cash", 1_110, changed.revision).await.unwrap();
    assert_eq!(receipt.totals.total_minor, 1_110);
    assert_eq!(sell(&mut lane, "b", "MUG", 1).await.totals.total_minor, 300);
    street.settle(2, 1_410).await;
    street.close().await;
}

type Changes = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// Reads until a change whose type names `about`, or prices.
async fn next_about(changes: &mut Changes, about: &str) -> Value {
    loop {
        let message = changes.next().await.unwrap().unwrap().to_string();
        let Ok(value) = serde_json::from_str::<Value>(&message) else { continue };
        let kind = value["type"].as_str().unwrap_or_default();
        if kind.contains(about) || kind.contains("price") {
            return value;
        }
    }
}
