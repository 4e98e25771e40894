//! The pages of nodes and the claim page, in a browser without a screen.

use protocol::collection::{Collection, Version};

use super::*;
use crate::auth::guard::Caller;
use crate::web::testing::Browser;

const PASSWORD: &str = "correct horse battery";

#[tokio::test]
async fn a_claim_is_shown_once_and_a_box_joins_with_it() {
    let hq = Hq::new().await;
    let mut browser = Browser::signed_in(&hq.app, "one@example.org", PASSWORD).await;
    assert!(browser.get("/nodes").await.text.contains("No box has joined yet"));
    let shop = browser.get(&format!("/shops/{}", hq.shop)).await;
    let path = format!("/shops/{}/claims", hq.shop);
    assert_eq!(browser.post(&path, &[]).await.status, 403, "no token");
    let page = browser.post(&path, &[("csrf", &shop.hidden("csrf"))]).await;
    assert!(page.status == 200 && page.text.contains("this once"), "{}", page.text);
    assert_eq!(page.headers["cache-control"], "no-store");
    assert!(page.text.contains("provision enroll --hq https://127.0.0.1:443 --claim "), "{}", page.text);
    let code = page.text.split(" --claim ").nth(1).unwrap().split(' ').next().unwrap().parse::<ClaimCode>().unwrap();
    let device = Device::new();
    let reply = hq.enrol(&device.request(code)).await.unwrap();
    let list = browser.get("/nodes").await;
    assert!(
        list.text.contains("till-1") && list.text.contains("Corner shop") && list.text.contains("new"),
        "{}",
        list.text
    );

    let who = service::admit(&hq.app, &leaf(&reply)).await.unwrap();
    let report = NodeReport {
        agent_version: "<b>0.1</b>".into(),
        clock: NOW,
        boot_nonce: vec![7; 16],
        carrier: Carrier::Quic,
        address: "192.0.2.1:5".into(),
        connected: true,
    };
    service::seen(&hq.app, &who, report).await.unwrap();
    let checkpoint =
        CheckpointV1 { term: who.term, stream: Stream::Fiscal, seq: Seq(1_204), head_hash: [9; 32], at: NOW };
    service::record_checkpoint(&hq.app, &who, device.swear(who.node, checkpoint)).await.unwrap();
    let mut tx = TenantTx::begin(&hq.app.db, hq.tenant).await.unwrap();
    service::holds(&mut tx, who.node, Collection::Catalogue, Version(3), NOW).await.unwrap();
    tx.save().await.unwrap();
    let list = browser.get("/nodes").await;
    assert!(list.text.contains(">online<") && list.text.contains("1,204 / 0") && list.text.contains("1,204 to come"));
    assert!(!list.text.contains("<b>0.1</b>") && list.text.contains("v3"), "{}", list.text);
    let node = format!("/nodes/{}", who.node);
    let detail = browser.get(&node).await;
    assert!(
        detail.status == 200 && detail.text.contains("fiscal") && detail.text.contains("192.0.2.1:5"),
        "{}",
        detail.text
    );
    hq.app.clock.advance_millis(5 * 60_000);
    assert!(browser.get("/nodes").await.text.contains(">late<"));
    let shop = browser.get(&format!("/shops/{}", hq.shop)).await;
    assert!(shop.text.contains("1204 records are still in the shop; last contact 5 min ago."), "{}", shop.text);
    hq.app.clock.advance_millis(80 * DAY_MILLIS);
    let mut browser = Browser::signed_in(&hq.app, "one@example.org", PASSWORD).await;
    let detail = browser.get(&node).await;
    assert!(
        detail.text.contains(">silent<") && detail.text.contains("The certificate ends in 9 days"),
        "{}",
        detail.text
    );

    tenant(&hq.app, "two").await;
    let mut foreign = Browser::signed_in(&hq.app, "two@example.org", PASSWORD).await;
    assert_eq!(foreign.get(&node).await.status, 404);
    assert_eq!(foreign.get(&format!("/nodes?shop={}", hq.shop)).await.status, 404);
    assert!(!foreign.get("/nodes").await.text.contains("till-1"));
}

#[tokio::test]
async fn a_price_is_told_to_be_where_the_nodes_say_it_is() {
    use crate::domain::{catalog, pricing};
    let hq = Hq::new().await;
    let (_, _, who) = hq.node().await;
    let person = protocol::id::PersonId::from_uuid(uuid::Uuid::nil());
    let file = bytes::Bytes::from_static(b"code,description,unit_price\nA,a,1\n");
    catalog::service::import(&hq.app, &Caller::member(hq.tenant, person, uuid::Uuid::nil()), file).await.unwrap();
    let there = async || {
        let mut tx = TenantTx::begin(&hq.app.db, hq.tenant).await.unwrap();
        let reach = pricing::service::reach(&mut tx, 1).await.unwrap();
        (reach.there, reach.nodes, reach.behind.len())
    };
    let asked = async |have| {
        pricing::service::downlink(&hq.app, &who, Collection::Catalogue, Version(have)).await.unwrap().is_some()
    };
    assert_eq!(there().await, (0, 1, 1));
    assert!(asked(0).await, "the node has nothing and is sent the whole");
    assert_eq!(there().await, (0, 1, 1));
    assert!(!asked(1).await, "the node says that it holds version 1");
    assert_eq!(there().await, (1, 1, 0));
}
