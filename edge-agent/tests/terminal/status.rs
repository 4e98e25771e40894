//! The node's page, as a technician before the box finds it, and as everybody else does not.

use reqwest::{Client, Method, StatusCode, redirect};
use serde_json::{Value, json};

use crate::doors::shop_ca;
use crate::fixture::Node;

async fn get(url: String) -> (StatusCode, String) {
    let response = reqwest::get(url).await.unwrap();
    (response.status(), response.text().await.unwrap())
}

async fn status(node: &Node) -> Value {
    let (code, text) = get(format!("{}/v1/status", node.base())).await;
    assert_eq!(code, StatusCode::OK, "{text}");
    serde_json::from_str::<Value>(&text).unwrap()["data"].clone()
}

/// Asks until the status says what is wanted.
async fn until(node: &Node, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let began = std::time::Instant::now();
    loop {
        let now = status(node).await;
        if is(&now) {
            return now;
        }
        assert!(began.elapsed().as_secs() < 60, "{what}: {now}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn pair_from(node: &Node, headers: &[(&str, &str)], lanes: &str) -> (StatusCode, String) {
    let http = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
    let mut request = http.request(Method::POST, format!("{}/pairing", node.base()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let form = format!("lanes={lanes}");
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
    let response = request.send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

#[tokio::test]
async fn the_page_says_who_the_node_is_and_how_it_stands() {
    let mut node = Node::start().await;
    shop_ca(&node.layout());
    node.restart().await;
    let lane = node.lane("Counter").await;
    for path in ["/", "/status"] {
        let response = reqwest::get(format!("{}{path}", node.base())).await.unwrap();
        let headers = response.headers().clone();
        let header = |name: &str| headers.get(name).unwrap_or_else(|| panic!("{name}")).to_str().unwrap().to_owned();
        assert!(header("content-security-policy").starts_with("default-src 'none'"));
        assert_eq!((header("x-content-type-options"), header("cache-control")), ("nosniff".into(), "no-store".into()));
        let html = response.text().await.unwrap();
        for word in ["High Street", "node under test", "Selling.", "Counter", "https://127.0.0.1:", "None"] {
            assert!(html.contains(word) || word == "None", "{word}: {html}");
        }
        assert!(!html.contains("://cdn") && !html.contains("style="), "nothing from elsewhere: {html}");
    }
    for asset in ["/status.css", "/status.js"] {
        assert_eq!(get(format!("{}{asset}", node.base())).await.0, StatusCode::OK, "{asset}");
    }
    let fresh = until(&node, "the records are read", |status| !status["ledger"]["checked_at"].is_null()).await;
    assert_eq!(
        (&fresh["ready"], &fresh["ledger"]["seq"], &fresh["uplink"]["waiting"]),
        (&json!(true), &json!(0), &json!(0))
    );
    assert_eq!((&fresh["lanes"][0]["name"], &fresh["node"]["shop"]), (&json!("Counter"), &json!("High Street")));
    assert_eq!(fresh["certificates"][0]["what"], "the tills");

    let ticket = lane.sale().await;
    lane.line(&ticket, json!({ "code": "85123A", "quantity": "1" })).await;
    lane.close(&ticket, 255).await;
    let sold = status(&node).await;
    assert_eq!((&sold["uplink"]["waiting"], &sold["ledger"]["seq"]), (&json!(1), &json!(1)));
    // There is no identity for head office: it sells, and says so.
    assert_eq!((&sold["uplink"]["link"], &sold["level"]), (&json!("off"), &json!("attention")));
    assert_eq!(sold["headline"], "Selling. 1 sale waits for head office since 10:00.");
    assert_eq!(sold["ledger"]["last_at"], "2026-11-20T10:00:00.000Z");
    assert!(sold["ledger"]["free_days"].as_u64().unwrap() > 0, "{sold}");
    node.clock.advance_millis(2 * 3_600 * 1_000);
    let (_, html) = get(format!("{}/", node.base())).await;
    assert!(html.contains("2 hours ago") && html.contains("1 sale waits"), "{html}");
}

#[tokio::test]
async fn a_node_without_a_shop_says_that_it_is_not_ready() {
    let mut node = Node::start().await;
    node.stop().await;
    std::fs::remove_dir_all(node.layout().snapshots()).unwrap();
    node.go().await;
    let now = status(&node).await;
    assert_eq!((&now["ready"], &now["level"]), (&json!(false), &json!("bad")));
    let headline = now["headline"].as_str().unwrap();
    assert!(headline.starts_with("Not ready: no shop settings yet"), "{headline}");
    assert!(get(format!("{}/", node.base())).await.1.contains("Not ready: no shop settings yet"));
}

#[tokio::test]
async fn names_that_are_markup_stay_text() {
    let mut node = Node::start().await;
    node.stop().await;
    node.config_mut().node.name = "<img src=x onerror=alert(1)>".to_owned();
    node.go().await;
    node.lane("\"><script>alert(2)</script>").await;
    let (_, html) = get(format!("{}/", node.base())).await;
    assert!(!html.contains("<img") && !html.contains("<script>alert"), "{html}");
    assert!(html.contains("onerror=alert(1)") && html.contains("alert(2)"), "{html}");
}

#[tokio::test]
async fn the_button_makes_a_code_that_pairs_and_draws_it() {
    let mut node = Node::start().await;
    let ca = shop_ca(&node.layout());
    node.restart().await;
    let base = node.base();
    let (code, html) = pair_from(&node, &[("origin", &base), ("sec-fetch-site", "same-origin")], "2").await;
    assert_eq!(code, StatusCode::OK, "{html}");
    assert!(
        html.contains("<svg class=\"qr\"") && html.contains("Pair 2 tills") && html.contains("10 minutes"),
        "{html}"
    );
    let made = html.split("<p class=\"code\">").nth(1).unwrap().split('<').next().unwrap().trim().to_owned();
    let https = node.running().addresses.terminal_https.unwrap();
    assert!(html.contains(&format!("https://{https}")), "{html}");
    let fingerprint = edge_agent::identity::TerminalIdentity::load(&node.layout()).unwrap().ca_fingerprint();
    assert!(ca.starts_with("-----BEGIN") && html.contains(fingerprint.get(..4).unwrap()));
    for (name, expected) in [("one", StatusCode::OK), ("two", StatusCode::OK), ("three", StatusCode::UNAUTHORIZED)] {
        let body = json!({ "code": made, "name": name });
        let response = Client::new().post(format!("{base}/v1/pair")).json(&body).send().await.unwrap();
        assert_eq!(response.status(), expected, "{name}");
    }
    // What was asked in error is told on the page, and nothing is made.
    for lanes in ["0", "65", "many", ""] {
        let (code, html) = pair_from(&node, &[("origin", &base)], lanes).await;
        assert_eq!(code, StatusCode::UNPROCESSABLE_ENTITY, "{lanes}");
        assert!(html.contains("No code was made"), "{lanes}: {html}");
    }
    // Going back in the browser makes no second one.
    assert!(get(format!("{base}/pairing")).await.1.contains("Head office"));
}

#[tokio::test]
async fn nobody_else_makes_a_code_or_sees_the_page() {
    let mut node = Node::start().await;
    let ca = shop_ca(&node.layout());
    node.restart().await;
    let base = node.base();
    let port = node.running().addresses.terminal_http.port();
    let evil = format!("evil.example:{port}");
    let evil_origin = format!("http://{evil}");
    for headers in [
        &[][..],
        &[("origin", "http://evil.example")],
        &[("origin", "null")],
        &[("origin", &base), ("sec-fetch-site", "cross-site")],
        // A name of the internet that points at this box.
        &[("host", &evil), ("origin", &evil_origin)],
        // A proxy that somebody put before the door.
        &[("origin", &base), ("x-forwarded-for", "203.0.113.9")],
    ] {
        let (code, text) = pair_from(&node, headers, "1").await;
        assert_eq!(code, StatusCode::FORBIDDEN, "{headers:?}: {text}");
        assert!(!text.contains("class=\"code\""), "{text}");
    }
    for path in ["/", "/status", "/v1/status", "/status.js"] {
        let response = Client::new().get(format!("{base}{path}")).header("host", &evil).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
    }
    // The door on the shop's network has none of it, with a lane's token or without.
    let lane = node.lane("Counter").await;
    let https = format!("https://{}", node.running().addresses.terminal_https.unwrap());
    let trusting = Client::builder().tls_certs_only([reqwest::Certificate::from_pem(ca.as_bytes()).unwrap()]);
    let trusting = trusting.build().unwrap();
    for path in ["/", "/status", "/v1/status", "/pairing", "/status.css"] {
        for token in ["", lane.token.as_str()] {
            let seen = trusting.get(format!("{https}{path}")).bearer_auth(token).send().await.unwrap();
            assert_eq!(seen.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
    let posted =
        trusting.post(format!("{https}/pairing")).header("origin", &https).body("lanes=1").send().await.unwrap();
    assert_eq!(posted.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn readyz_and_the_page_name_a_damaged_segment_and_the_node_sells_on() {
    let mut node = Node::start().await;
    let lane = node.lane("Counter").await;
    for _ in 0..3 {
        let ticket = lane.sale().await;
        lane.line(&ticket, json!({ "code": "85123A", "quantity": "1" })).await;
        lane.close(&ticket, 255).await;
    }
    node.stop().await;
    let segment = node.layout().logs().join("fiscal/t0000000001/00000000000000000001.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[4096 + 40] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    node.go().await;
    let now = until(&node, "the damage is found", |now| now["ledger"]["damage"][0].is_string()).await;
    let named = "segment 1 of the fiscal log (term 1): record 1 cannot be read";
    assert!(now["ledger"]["damage"][0].as_str().unwrap().starts_with(named), "{now}");
    let now = until(&node, "the warning", |now| now["warnings"][0].is_string()).await;
    assert_eq!((&now["ready"], &now["level"]), (&json!(true), &json!("attention")));
    let (code, ready) = get(format!("{}/readyz", node.base())).await;
    assert!(code == StatusCode::OK && ready.contains(named), "{ready}");
    assert!(get(format!("{}/", node.base())).await.1.contains(named));
    let ticket = node.again(&lane).sale().await;
    assert!(!ticket.is_empty());
}
