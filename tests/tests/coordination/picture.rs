//! A lane that lost messages asks, and gets the whole picture; one that asks without end is told to wait.

use serde_json::{Value, json};

use crate::documents::judge;
use crate::ears::Login;
use crate::street::Street;

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_lost_messages_asks_and_gets_the_whole_picture() {
    let street = Street::open("coord-picture").await;
    let (mut first, second) = (street.lane("Till 1").await, street.lane("Till 2").await);
    let two = Login::of(&street.node, &second);

    // All this happens while the second lane hears nothing.
    let parked = first.open("a:open", "sale", None, None).await.unwrap();
    first.ring("a:1", &parked.id, &json!({"code": "MUG", "quantity": "2"})).await.unwrap();
    let path = format!("/v1/tickets/{}/park", parked.id);
    let note = json!({"note": "blue coat"});
    let _: Value = first.write(hyper::Method::POST, &path, "a:park", &note).await.unwrap();
    let open = first.open("b:open", "sale", None, None).await.unwrap();

    let reply = format!("lane/{}/reply", second.id);
    let mut ears = two.listen("mqttv311", &[&reply], &[]).await;
    let ask = json!({"v": 1, "what": "all", "request_id": "r-1"});
    two.say(&format!("lane/{}/ask", second.id), &ask, false).await;
    let last =
        ears.until("the last part", |topic, body| topic.ends_with("/reply") && body["part"] == body["parts"]).await;
    assert_eq!((&last["request_id"], &last["parts"]), (&json!("r-1"), &json!(4)));

    let content = |what: &str| {
        let is = |(topic, body): &&(String, Value)| topic.ends_with("/reply") && body["content"]["what"] == what;
        ears.heard.iter().find(is).map(|(_, body)| body["content"].clone()).unwrap()
    };
    let tickets = content("tickets");
    let find = |id: &str| {
        let mut all = tickets["tickets"].as_array().unwrap().iter();
        all.find(|ticket| ticket["ticket_id"] == id).unwrap_or_else(|| panic!("{id} is not in {tickets}")).clone()
    };
    let (found, other) = (find(&parked.id), find(&open.id));
    assert_eq!(
        (&found["state"], &found["total_minor"], &found["note"]),
        (&json!("parked"), &json!(510), &note["note"])
    );
    assert_eq!((&found["lane_id"], &other["state"]), (&json!(first.id), &json!("open")));
    assert!(tickets["change"].as_u64().unwrap() >= 4, "{tickets}");
    let catalogue = first.product("MUG").await.unwrap();
    assert_eq!(catalogue.code, "MUG");
    assert!(content("prices")["collections"][0]["version"].as_u64().unwrap() > 0);
    assert_eq!(content("devices")["devices"], json!([]));
    let lanes = content("lanes");
    assert!(lanes["lanes"].as_array().unwrap().iter().any(|lane| lane["name"] == "Till 1"), "{lanes}");

    // Asking without end is answered a few times, then refused once, and nobody is cut off for it.
    for n in 0..8 {
        let ask = json!({"v": 1, "what": "prices", "request_id": format!("again-{n}")});
        two.say(&format!("lane/{}/ask", second.id), &ask, false).await;
    }
    let refused = ears.until("a refusal", |_, body| body["content"]["what"] == "refused").await;
    assert!(refused["content"]["retry_after_ms"].as_u64().unwrap() > 0, "{refused}");
    judge(&ears.heard);

    for (key, id) in [("a", &parked.id), ("b", &open.id)] {
        let path = format!("/v1/tickets/{id}/void");
        let _: Value = first
            .write(hyper::Method::POST, &path, &format!("{key}:void"), &json!({"reason": "a story"}))
            .await
            .unwrap();
    }
    street.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_serves_the_description_of_its_messages() {
    let street = Street::open("coord-description").await;
    let url = format!("{}/v1/asyncapi.json", street.node.url());
    let served: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    assert_eq!(served, edge_agent::core::coordination::document::asyncapi());
    street.close().await;
}
