//! What comes back.

use serde_json::{Value, json};

use crate::fixture::{Lane, Node};

async fn give_back(lane: &Lane, receipt: &Value, line_no: u16, quantity: &str) -> (String, crate::fixture::Answer) {
    let ticket = lane.open(json!({ "kind": "return" })).await;
    let original = json!({ "term": receipt["term"], "seq": receipt["seq"], "line_no": line_no });
    let answer = lane.post(&format!("{ticket}/lines"), json!({ "original": original, "quantity": quantity })).await;
    (ticket, answer)
}

#[tokio::test]
async fn a_return_without_receipt_is_a_sale_backwards() {
    let node = Node::start().await;
    let lane = node.lane("till 1").await;
    let ticket = lane.open(json!({ "kind": "return", "reference": "C536379" })).await;
    let line = lane.line(&ticket, json!({ "code": "85123A", "quantity": "2" })).await;
    assert_eq!((&line["line"]["quantity"], &line["line"]["net_minor"]), (&json!("-2"), &json!(-510)));
    let signed = lane
        .line(&ticket, json!({ "open": { "description": "Discount", "unit_price": "27.50" }, "quantity": "-1" }))
        .await;
    assert_eq!(signed["totals"]["total_minor"], -3260);
    lane.post(&format!("{ticket}/close"), json!({ "tenders": [{ "kind": "cash", "amount_minor": 3260 }] }))
        .await
        .error(422, "VALIDATION");
    let receipt = lane.close(&ticket, -3260).await;
    assert_eq!((&receipt["kind"], &receipt["totals"]["tax_minor"]), (&json!("return"), &json!(-543)));
    let sale = lane.sale().await;
    lane.post(&format!("{sale}/lines"), json!({ "code": "85123A", "quantity": "-1" })).await.error(422, "VALIDATION");
}

#[tokio::test]
async fn partial_returns_sum_to_the_receipt_to_the_penny() {
    let node = Node::start().await;
    let lane = node.lane("till 1").await;
    let ticket = lane.sale().await;
    lane.line(&ticket, json!({ "code": "THIRD", "quantity": "7", "discount": { "percent": "5" } })).await;
    lane.put(&format!("{ticket}/discount"), json!({ "discount": { "amount_minor": 1 } })).await;
    let sold = lane.get(&ticket).await.data()["totals"]["total_minor"].as_i64().unwrap();
    let receipt = lane.close(&ticket, sold).await;
    let mut back = 0;
    for quantity in ["1", "2", "1", "3"] {
        let (ticket, answer) = give_back(&lane, &receipt, 1, quantity).await;
        let total = answer.data()["totals"]["total_minor"].as_i64().unwrap();
        lane.close(&ticket, total).await;
        back += total;
    }
    assert_eq!(back, -sold);
    let (_, answer) = give_back(&lane, &receipt, 1, "1").await;
    assert_eq!(answer.json()["error"]["details"]["left"], json!("0"));
    answer.error(422, "VALIDATION");
}

#[tokio::test]
async fn goods_on_an_open_return_are_spoken_for() {
    let node = Node::start().await;
    let (one, two) = (node.lane("till 1").await, node.lane("till 2").await);
    let receipt = one.sell(&[("22423", "3")], 3825).await;
    let (first, answer) = give_back(&one, &receipt, 1, "2").await;
    assert_eq!(answer.data()["totals"]["total_minor"], -2550);
    let (second, answer) = give_back(&two, &receipt, 1, "2").await;
    answer.error(422, "VALIDATION");
    let original = json!({ "term": 1, "seq": receipt["seq"], "line_no": 1 });
    two.line(&second, json!({ "original": original, "quantity": "1" })).await;
    two.patch(&format!("{second}/lines/1"), json!({ "quantity": "2" })).await.error(422, "VALIDATION");
    one.post(&format!("{first}/void"), json!({})).await.data();
    // The first return gave the goods up; what this line was worth was told beside it.
    two.patch(&format!("{second}/lines/1"), json!({ "quantity": "3" })).await.error(409, "CONFLICT");
    two.post(&format!("{second}/lines/1/void"), json!({})).await.data();
    let all = two.line(&second, json!({ "original": original, "quantity": "3" })).await;
    assert_eq!(all["totals"]["total_minor"], -3825);
    two.close(&second, -3825).await;
}

#[tokio::test]
async fn an_exchange_takes_back_and_sells_on_one_ticket() {
    let node = Node::start().await;
    let lane = node.lane("till 1").await;
    let receipt = lane.sell(&[("85123A", "1"), ("22423", "1")], 1530).await;
    let ticket = lane.sale().await;
    let original = json!({ "term": 1, "seq": receipt["seq"], "line_no": 1 });
    lane.line(&ticket, json!({ "original": original, "quantity": "1" })).await;
    let more = lane.line(&ticket, json!({ "code": "71053", "quantity": "1" })).await;
    assert_eq!(more["totals"]["total_minor"], 339 - 255);
    let closed = lane.close(&ticket, 84).await;
    let (_, answer) = give_back(&lane, &closed, 1, "1").await;
    answer.error(422, "VALIDATION");
}

#[tokio::test]
async fn what_came_back_is_remembered_when_the_index_is_lost() {
    let mut node = Node::start().await;
    let lane = node.lane("till 1").await;
    let receipt = lane.sell(&[("22423", "2")], 2550).await;
    let (ticket, _) = give_back(&lane, &receipt, 1, "1").await;
    lane.close(&ticket, -1275).await;
    let (_, reserved) = give_back(&lane, &receipt, 1, "1").await;
    reserved.data();
    node.lose_index().await;
    let lane = node.again(&lane);
    let (_, answer) = give_back(&lane, &receipt, 1, "1").await;
    answer.error(422, "VALIDATION");
}

#[tokio::test]
async fn a_receipt_this_node_does_not_have_is_not_found() {
    let node = Node::start().await;
    let lane = node.lane("till 1").await;
    let off = json!({ "reason": "smashed", "lines": [{ "code": "85123A", "quantity": "1" }] });
    lane.post("/v1/write-offs", off).await.data();
    for (term, seq) in [(1, 1), (1, 99), (9, 1)] {
        let (_, answer) = give_back(&lane, &json!({ "term": term, "seq": seq }), 1, "1").await;
        answer.error(404, "NOT_FOUND");
    }
    let receipt = lane.sell(&[("22423", "2")], 2550).await;
    let (_, answer) = give_back(&lane, &receipt, 7, "1").await;
    answer.error(404, "NOT_FOUND");
}
