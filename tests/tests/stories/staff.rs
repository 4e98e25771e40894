//! A shop that keeps its people, without internet for a day: the cashier sells, the manager's PIN lets money go back,
//! the node restarts, and head office reads later who sold and who approved. Who has left is out within a second.

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use tillway_tests::hq::Hq;
use tillway_tests::lane::{Lane, LaneError};
use tillway_tests::world::{World, until};

use crate::street::{CATALOGUE, sell};

async fn hq(hq: &Hq, method: reqwest::Method, path: &str, body: Value) -> Value {
    hq.call(method, path, Some(("application/json", body.to_string()))).await.unwrap()
}

async fn add(office: &Hq, new: Value, pin: &str) -> String {
    let made = hq(office, reqwest::Method::POST, "/v1/staff", new).await;
    let id = made["id"].as_str().unwrap().to_owned();
    hq(office, reqwest::Method::PUT, &format!("/v1/staff/{id}/pin"), json!({ "pin": pin })).await;
    id
}

async fn people_at(world: &World, count: usize) {
    until("the people of the shop", || async {
        let staff = world.stores[0].agent()?.snapshots.staff();
        Ok(staff.is_some_and(|staff| {
            staff.policy.cashier_required && staff.people.iter().filter(|member| member.pin.is_some()).count() == count
        }))
    })
    .await
    .unwrap();
}

async fn sign_in(lane: &mut Lane, key: &str, id: &str, pin: &str) -> Result<Value, LaneError> {
    lane.write(Method::POST, "/v1/staff/sign-in", key, &json!({ "staff_id": id, "pin": pin })).await
}

fn reason(error: LaneError) -> String {
    match error {
        LaneError::Refused(refusal) => refusal.message,
        other => panic!("refused expected, {other:?} came"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_approves_offline_and_head_office_reads_it_later() {
    let mut world = World::open("staff", 1, CATALOGUE).await.unwrap();
    let shop = world.stores[0].shop.clone();
    let nora = add(&world.hq, json!({ "name": "Nora Manager", "role": "manager", "all_shops": true }), "4711").await;
    let ben = add(&world.hq, json!({ "name": "Ben Cashier", "shop_ids": [shop] }), "9052").await;
    let rules = json!({ "cashier_required": true, "idle_minutes": 0, "refund_above_minor": 0, "no_sale": true });
    hq(&world.hq, reqwest::Method::PUT, &format!("/v1/shops/{shop}/staff-rules"), rules).await;
    people_at(&world, 2).await;

    world.stores[0].uplink.cut();
    let mut lane = world.stores[0].lane("Till 1").await.unwrap();
    let refused = lane.open("o", "sale", None, None).await.map(|ticket| ticket.id).unwrap_err();
    assert!(reason(refused).contains("signed in"), "a lane alone sells nothing");
    sign_in(&mut lane, "in", &ben, "9052").await.unwrap();
    let sold = sell(&mut lane, "a", "MUG", 2).await;
    world.advance(Duration::from_secs(24 * 3_600));

    let back = lane.open("r", "return", None, None).await.unwrap();
    let original = json!({ "original": { "term": sold.term, "seq": sold.seq, "line_no": 1 }, "quantity": "1" });
    let rung = lane.ring("r1", &back.id, &original).await.unwrap();
    let mut close = json!({ "tenders": [{ "kind": "cash", "amount_minor": rung.totals.total_minor }] });
    let path = format!("/v1/tickets/{}/close", back.id);
    let refused = lane.write::<Value>(Method::POST, &path, "rc1", &close).await.unwrap_err();
    assert!(reason(refused).contains("PIN"), "Ben may not give money back");
    close["approval"] = json!({ "staff_id": nora, "pin": "4711", "reason": "handle broken" });
    let given: Value = lane.write(Method::POST, &path, "rc2", &close).await.unwrap();
    let (node, term, seq) = {
        let receipt = &given["receipt"];
        (receipt["node_id"].as_str().unwrap().to_owned(), receipt["term"].clone(), receipt["seq"].clone())
    };
    world.stores[0].stop().await;
    world.stores[0].start().await.unwrap();
    // Ben is still at the lane.
    sell(&mut lane, "b", "MUG", 1).await;
    let read: Value = lane.get(&format!("/v1/receipts/{term}/{seq}")).await.unwrap();
    assert_eq!(read["receipt"]["approvals"][0]["approver"]["name"], "Nora", "{read}");

    world.stores[0].uplink.restore();
    world.settle().await.unwrap();
    let ticket: Value =
        world.hq.call(reqwest::Method::GET, &format!("/v1/sales/tickets/{node}/{term}/{seq}"), None).await.unwrap();
    assert_eq!(ticket["cashier"], "Ben", "{ticket}");
    let approval = &ticket["approvals"][0];
    assert_eq!((approval["action"].as_str(), approval["approver"].as_str()), (Some("refund"), Some("Nora")));
    assert_eq!((approval["reason"].as_str(), approval["cashier"].as_str()), (Some("handle broken"), Some("Ben")));

    // Ben leaves: the node hears of it at once, and he is out.
    hq(&world.hq, reqwest::Method::POST, &format!("/v1/staff/{ben}/end"), json!({})).await;
    people_at(&world, 1).await;
    let refused = lane.open("x", "sale", None, None).await.map(|ticket| ticket.id).unwrap_err();
    assert!(reason(refused).contains("signed in"));
    sign_in(&mut lane, "again", &ben, "9052").await.unwrap_err();
    world.close().await.unwrap();
}
