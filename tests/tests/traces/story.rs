//! The story: head office and a node with JSON logs and a collector; a sign-in that fails and one that does not, an
//! address that is none, a sale that reaches its row, an orderly end.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tillway_tests::hq::Hq;
use tillway_tests::lane::{Lane, Ticket};
use tillway_tests::process::passing_folder;
use tillway_tests::town::{Node, SignIn, Town};

use crate::collector::{Collector, Seen};

/// The trace that the terminal is in, as it tells the node.
pub const TERMINAL: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const SOON: Duration = Duration::from_secs(60);

/// Everything the story left behind.
pub struct Told {
    pub spans: Vec<Seen>,
    pub hq_log: String,
    pub node_log: String,
    pub hq_metrics: String,
    pub node_metrics: String,
    pub secrets: Vec<(&'static str, String)>,
    pub tenant: String,
    pub node_id: String,
    pub ticket: String,
    pub seq: u64,
}

pub async fn run() -> Told {
    tillway_tests::trust::install();
    let folder = passing_folder("tillway-told-").unwrap();
    let (collector, otlp) = Collector::start().await;
    let town = Town::start_with(folder.path(), &["--log-format", "json", "--otlp", &otlp]).await.unwrap();
    let owner = SignIn { email: "owner@planted-mail.example".to_owned(), password: "planted password 7".to_owned() };
    let tenant = town.tenant("Tellers Ltd", &owner).unwrap();
    let shop = town.shop(&tenant, "Told street").unwrap();
    let claim = town.claim(&tenant, &shop).unwrap();
    let mut node = town.enrol_by(&claim, &shop, "told").unwrap();
    for (section, key, value) in
        [("trace", "otlp", otlp.as_str()), ("log", "format", "json"), ("log", "filter", "info,sale=debug")]
    {
        node.configure(section, key, value).unwrap();
    }
    node.start().await.unwrap();
    let refused = town.sign_in(&SignIn { password: "planted wrong 9".to_owned(), ..owner.clone() }).await;
    assert!(refused.is_err(), "a wrong password signs nobody in");
    let hq = town.sign_in(&owner).await.unwrap();
    let nothing = reqwest::get(format!("{}/v1/nothing/planted-path", town.url())).await.unwrap();
    assert_eq!(nothing.status(), 404);
    hq.import("code,description,unit_price\nTEA,planted description,2.50\n".to_owned()).await.unwrap();
    let pairing = node.pairing(1).unwrap();
    let target = tillway_tests::wire::Target::parse(&node.url(), None).unwrap();
    let mut lane = Lane::pair(target, &pairing.code, "planted till").await.unwrap();
    let (ticket, seq, node_id) = sell(&node, &mut lane).await;
    arrived(&hq, &shop).await;
    let names = ["sale", "lane.decide", "ledger.append", "lane.answer", "uplink.batch", "gateway.batch"];
    collector.wait_for(&[&names[..], &["ingest.transaction", "ingest.commit", "http.request", "job"]].concat()).await;
    let (hq_metrics, node_metrics) = (town.metrics().await.unwrap(), node.metrics().await.unwrap());
    node.stop().unwrap();
    let (hq_log, node_log) = (town.log().unwrap(), node.log().unwrap());
    let secrets = vec![
        ("the password", owner.password.clone()),
        ("a wrong password", "planted wrong".to_owned()),
        ("the e-mail", "planted-mail".to_owned()),
        ("the access token", hq.token()),
        ("the lane's token", lane.token().to_owned()),
        ("the pairing code", pairing.code.clone()),
        ("the path that was asked for", "planted-path".to_owned()),
        ("the name of a product", "planted description".to_owned()),
        ("the name of a till", "planted till".to_owned()),
        ("the claim code", claim),
    ];
    town.stop().unwrap();
    Told { spans: collector.spans(), hq_log, node_log, hq_metrics, node_metrics, secrets, tenant, node_id, ticket, seq }
}

async fn sell(node: &Node, lane: &mut Lane) -> (String, u64, String) {
    let began = Instant::now();
    while lane.product("TEA").await.is_err() {
        assert!(began.elapsed() < SOON, "the catalogue has not come");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let Ticket { id, .. } = lane.open("told-open", "sale", None, None).await.unwrap();
    let rung = lane.ring("told-ring", &id, &json!({"code": "TEA", "quantity": "2"})).await.unwrap();
    let body = json!({
        "tenders": [{"kind": "cash", "amount_minor": rung.totals.total_minor}], "revision": rung.revision,
    });
    let close = |key: &'static str| {
        let url = format!("{}/v1/tickets/{id}/close", node.url());
        let request = reqwest::Client::new().request(Method::POST, url).bearer_auth(lane.token());
        request.header("idempotency-key", key).header("traceparent", TERMINAL).json(&body).send()
    };
    let closed: Value = close("told-close").await.unwrap().error_for_status().unwrap().json().await.unwrap();
    // The answer was lost, says the terminal; it is given again and is no second sale.
    close("told-close").await.unwrap().error_for_status().unwrap();
    let receipt = &closed["data"]["receipt"];
    (id.clone(), receipt["seq"].as_u64().unwrap(), receipt["node_id"].as_str().unwrap().to_owned())
}

async fn arrived(hq: &Hq, shop: &str) {
    let began = Instant::now();
    loop {
        let nodes = hq.completeness(shop).await.unwrap();
        if nodes.iter().any(|node| node.received == 1) {
            return;
        }
        assert!(began.elapsed() < SOON, "the sale has not arrived: {nodes:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
