//! What a till sells.

use serde_json::json;

use crate::fixture::{Lane, Node, catalogue, product, settings};
use protocol::collection::{CatalogueDelta, Delivery, Version};

#[tokio::test]
async fn a_sale_is_rung_changed_paid_and_shown_again() {
    let node = Node::start().await;
    let lane = node.lane("till 1").await;
    let ticket = lane.sale().await;
    let first = lane.line(&ticket, json!({ "code": "85123A", "quantity": "6" })).await;
    assert_eq!(first["line"]["net_minor"], 1530);
    assert_eq!(first["totals"]["total_minor"], 1530);
    lane.line(&ticket, json!({ "code": "5071053", "quantity": 2 })).await;
    let open = lane
        .line(&ticket, json!({ "open": { "description": "POSTAGE", "unit_price": "18.00" }, "quantity": "1" }))
        .await;
    assert_eq!((&open["line"]["pricing"], &open["line"]["tax_rate_ppm"]), (&json!("open"), &json!(200_000)));
    let changed = lane
        .patch(&format!("{ticket}/lines/1"), json!({ "quantity": "1.5", "discount": { "percent": "10" } }))
        .await
        .data();
    // 2.55 x 1.5 = 3.825 -> 3.83, less 10 % (0.383 -> 0.38)
    assert_eq!(changed["line"]["net_minor"], 345);
    let cleared = lane.patch(&format!("{ticket}/lines/1"), json!({ "discount": null })).await.data();
    assert_eq!(cleared["line"]["net_minor"], 383);
    let voided = lane.post(&format!("{ticket}/lines/2/void"), json!({ "reason": "broken" })).await.data();
    assert_eq!((&voided["line"]["voided"], &voided["totals"]["total_minor"]), (&json!(true), &json!(2183)));
    let discounted =
        lane.put(&format!("{ticket}/discount"), json!({ "discount": { "amount_minor": 183 } })).await.data();
    assert_eq!(discounted["totals"]["due_minor"], 2000);
    let tender = json!({ "kind": "card_recorded", "amount_minor": 500, "reference": "slip 7" });
    let part_paid = lane.post(&format!("{ticket}/tenders"), tender).await.data();
    assert_eq!(part_paid["totals"]["due_minor"], 1500);
    let receipt = lane.close(&ticket, 2000).await;
    assert_eq!(receipt["settlement"], json!({ "rounding_minor": 0, "paid_minor": 2000, "change_minor": 500 }));
    assert_eq!(
        (&receipt["term"], &receipt["seq"], &receipt["business_date"]),
        (&json!(1), &json!(1), &json!("2026-11-20"))
    );
    assert_eq!(receipt["lines"].as_array().unwrap().len(), 2);
    assert_eq!(receipt["totals"]["tax_minor"], 333);
    let again = lane.get("/v1/receipts/1/1").await.data();
    assert_eq!(again["receipt"], receipt);
    lane.get(&ticket).await.error(409, "CONFLICT");
    assert!(lane.get("/v1/tickets").await.data().as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_ticket_of_nothing_closes_without_a_tender() {
    let node = Node::start().await;
    let lane = node.lane("till 1").await;
    let receipt = lane.sell(&[("FREE", "3")], 0).await;
    assert_eq!(receipt["totals"]["total_minor"], 0);
    let empty = lane.sale().await;
    lane.post(&format!("{empty}/close"), json!({})).await.error(422, "VALIDATION");
    let void = lane.post(&format!("{empty}/void"), json!({ "reason": "customer left" })).await.data();
    assert_eq!(void["state"], "voided");
    lane.get(&empty).await.error(409, "CONFLICT");
}

#[tokio::test]
async fn a_price_against_the_book_is_marked_and_the_book_is_remembered() {
    let node = Node::start().await;
    let lane = node.lane("till 1").await;
    let ticket = lane.sale().await;
    let body = json!({ "code": "22423", "quantity": "1", "unit_price": "10.95", "override_reason": "display model" });
    let rung = lane.line(&ticket, body).await;
    assert_eq!((&rung["line"]["pricing"], &rung["line"]["book_price"]), (&json!("override"), &json!("12.75")));
    let same = lane.line(&ticket, json!({ "code": "22423", "quantity": "1", "unit_price": "12.75" })).await;
    assert_eq!(same["line"]["pricing"], "book");
    let third = lane.line(&ticket, json!({ "code": "THIRD", "quantity": "3" })).await;
    assert_eq!(third["line"]["net_minor"], 100);
    assert_eq!(third["line"]["unit_price"], "0.3333");
}

#[tokio::test]
async fn a_parked_ticket_is_taken_up_by_another_lane() {
    let node = Node::start().await;
    let (one, two) = (node.lane("till 1").await, node.lane("till 2").await);
    let ticket = one.sale().await;
    one.line(&ticket, json!({ "code": "85123A", "quantity": "1" })).await;
    two.post(&format!("{ticket}/lines"), json!({ "code": "71053", "quantity": "1" })).await.error(409, "CONFLICT");
    two.post(&format!("{ticket}/recall"), json!({})).await.error(409, "CONFLICT");
    let parked = one.post(&format!("{ticket}/park"), json!({ "note": "fetching a card" })).await.data();
    assert_eq!((&parked["state"], &parked["note"]), (&json!("parked"), &json!("fetching a card")));
    one.post(&format!("{ticket}/close"), json!({})).await.error(409, "CONFLICT");
    let listed = two.get("/v1/tickets?state=parked").await.data();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    let recalled = two.post(&format!("{ticket}/recall"), json!({})).await.data();
    assert_eq!((&recalled["state"], &recalled["lane_id"]), (&json!("open"), &json!(two.id)));
    let receipt = two.close(&ticket, 255).await;
    assert_eq!(receipt["lane_id"], json!(two.id));
}

#[tokio::test]
async fn paper_receipts_are_rung_on_their_own_day_beside_todays_sales() {
    let node = Node::start().await;
    let (one, two) = (node.lane("till 1").await, node.lane("till 2").await);
    let paper = one.open(json!({ "kind": "sale", "reference": "536365", "at": "2010-12-01T03:59" })).await;
    let today = two.sale().await;
    for (lane, ticket) in [(&one, &paper), (&two, &today)] {
        lane.line(ticket, json!({ "code": "85123A", "quantity": "1" })).await;
    }
    let late = one.close(&paper, 255).await;
    let receipt = two.close(&today, 255).await;
    // Before four in the morning it is still the trading day before.
    assert_eq!((&late["business_date"], &late["late_entry"]), (&json!("2010-11-30"), &json!(true)));
    assert_eq!((&late["reference"], &late["at"]), (&json!("536365"), &json!("2010-12-01T03:59:00.000Z")));
    assert_eq!((&receipt["business_date"], &receipt["late_entry"]), (&json!("2026-11-20"), &json!(false)));
    let future = json!({ "kind": "sale", "at": "2031-01-01T10:00" });
    one.post("/v1/tickets", future).await.error(422, "VALIDATION");
}

#[tokio::test]
async fn a_shop_may_forbid_late_entries() {
    let node = Node::with(protocol::collection::ShopSettings { late_entry: false, ..settings() }, None).await;
    let lane = node.lane("till 1").await;
    lane.post("/v1/tickets", json!({ "kind": "sale", "at": "2010-12-01T08:26" })).await.error(403, "AUTHZ");
}

#[tokio::test]
async fn without_a_catalogue_a_node_still_sells_at_open_prices_and_rounds_cash() {
    let node = Node::with(protocol::collection::ShopSettings { cash_step: 5, ..settings() }, None).await;
    let lane = node.lane("till 1").await;
    let ticket = lane.sale().await;
    let line =
        json!({ "open": { "description": "something", "unit_price": "1.02", "tax_rate_ppm": 0 }, "quantity": "1" });
    let rung = lane.line(&ticket, line).await;
    assert_eq!((&rung["totals"]["due_minor"], &rung["totals"]["cash_due_minor"]), (&json!(102), &json!(100)));
    let receipt = lane.close(&ticket, 100).await;
    assert_eq!(receipt["settlement"]["rounding_minor"], -2);
}

#[tokio::test]
async fn stock_is_written_off_without_a_ticket() {
    let node = Node::start().await;
    let lane = node.lane("till 1").await;
    let body = json!({ "reason": "smashed", "reference": "536589", "at": "2010-12-01T16:50", "lines": [
        { "code": "85123A", "quantity": "10" }, { "code": "21777", "quantity": "1", "description": "RECIPE BOX" },
        { "code": "37509", "quantity": "95" } ] });
    let off = lane.post("/v1/write-offs", body).await.data();
    assert_eq!((&off["seq"], &off["business_date"]), (&json!(1), &json!("2010-12-01")));
    assert_eq!(off["lines"][0]["value_minor"], 2550);
    assert_eq!(off["lines"][1]["description"], "RECIPE BOX");
    assert_eq!(off["lines"][2], json!({ "code": "37509", "description": "37509", "quantity": "95" }));
    let wrong = json!({ "reason": "smashed", "lines": [{ "code": "85123A", "quantity": "-1" }] });
    lane.post("/v1/write-offs", wrong).await.error(422, "VALIDATION");
    lane.post("/v1/write-offs", json!({ "reason": "smashed", "lines": [] })).await.error(422, "VALIDATION");
}

#[tokio::test]
async fn products_are_found_by_code_barcode_and_words() {
    let node = Node::start().await;
    let lane = node.lane("till 1").await;
    assert_eq!(lane.get("/v1/products/85123A").await.data()["unit_price"], "2.55");
    assert_eq!(lane.get("/v1/products?code=5071053").await.data()[0]["code"], "71053");
    let found = lane.get("/v1/products?q=white&limit=10").await.data();
    assert_eq!(found.as_array().unwrap().len(), 2);
    lane.get("/v1/products/85123a").await.error(404, "NOT_FOUND");
    assert_eq!(lane.get("/v1/shop").await.data()["catalogue_version"], 1);
}

#[tokio::test]
async fn a_new_price_reaches_the_next_line_and_an_open_ticket_keeps_its_own() {
    let node = Node::start().await;
    let lane = node.lane("till 1").await;
    let ticket = lane.sale().await;
    lane.line(&ticket, json!({ "code": "85123A", "quantity": "1" })).await;
    let delta = CatalogueDelta {
        from: Version(1),
        to: Version(2),
        upserts: vec![product("85123A", "WHITE HANGING HEART T-LIGHT HOLDER", "2.95")],
        removals: vec!["71053".into()],
    };
    let snapshots = node.running().snapshots.clone();
    snapshots.apply(Delivery::CatalogueDelta(delta).to_bytes().unwrap()).unwrap();
    let second = lane.line(&ticket, json!({ "code": "85123A", "quantity": "1" })).await;
    assert_eq!(second["totals"]["total_minor"], 255 + 295);
    lane.post(&format!("{ticket}/lines"), json!({ "code": "71053", "quantity": "1" })).await.error(404, "NOT_FOUND");
    snapshots.apply(Delivery::Catalogue(catalogue(3)).to_bytes().unwrap()).unwrap();
    assert_eq!(lane.get("/v1/shop").await.data()["catalogue_version"], 3);
}

#[tokio::test]
async fn many_lanes_sell_at_once_and_every_receipt_has_its_own_number() {
    let node = Node::start().await;
    let mut lanes = Vec::new();
    for n in 0..8 {
        lanes.push(node.lane(&format!("till {n}")).await);
    }
    let sell = async |lane: Lane| {
        let mut seqs = Vec::new();
        for _ in 0..10 {
            seqs.push(lane.sell(&[("85123A", "1"), ("71053", "2")], 933).await["seq"].as_u64().unwrap());
        }
        seqs
    };
    let mut all = Vec::new();
    let mut tasks = tokio::task::JoinSet::new();
    for lane in lanes {
        tasks.spawn(sell(lane));
    }
    while let Some(seqs) = tasks.join_next().await {
        all.extend(seqs.unwrap());
    }
    all.sort_unstable();
    assert_eq!(all, (1..=80).collect::<Vec<_>>());
}
