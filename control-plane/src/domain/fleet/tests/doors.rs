//! Enrolment as a box sees it: through which door, and how it is refused.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;

async fn post(app: &App, body: &Value, peer: &str, tls: bool, forwarded: bool) -> (StatusCode, Value) {
    let mut request = Request::post("/v1/enroll").header("content-type", "application/json");
    if forwarded {
        request = request.header("x-forwarded-for", "203.0.113.7");
    }
    let mut request = request.body(Body::from(body.to_string())).unwrap();
    request.extensions_mut().insert(ConnectInfo(format!("{peer}:9").parse::<SocketAddr>().unwrap()));
    if tls {
        request.extensions_mut().insert(TlsDoor);
    }
    let response = crate::http::docs::router(app.clone()).oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn the_plain_door_enrols_this_machine_only() {
    let hq = Hq::new().await;
    let body = async || serde_json::to_value(Device::new().request(hq.claim().await)).unwrap();
    for (peer, forwarded) in [("192.0.2.9", false), ("127.0.0.1", true)] {
        let (status, answer) = post(&hq.app, &body().await, peer, false, forwarded).await;
        assert_eq!((status, &answer["error"]["code"]), (StatusCode::FORBIDDEN, &json!("AUTHZ")));
    }
    for (peer, tls) in [("127.0.0.1", false), ("192.0.2.9", true)] {
        let (status, answer) = post(&hq.app, &body().await, peer, tls, false).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        assert_eq!(answer["data"]["shop_id"], json!(hq.shop));
    }
}

#[tokio::test]
async fn refusals_have_the_shape_of_head_office_and_say_nothing_of_tenants() {
    let hq = Hq::new().await;
    let code = hq.claim().await;
    let good = serde_json::to_value(Device::new().request(code)).unwrap();
    let changed = |key: &str, value: Value| {
        let mut body = good.clone();
        body[key] = value;
        body
    };
    let mut answers = Vec::new();
    let wrong = changed("secret", json!(ClaimSecret::from_bytes([9; 12]).to_string()));
    answers.push((wrong, StatusCode::UNAUTHORIZED, "AUTHN", "claim_unknown"));
    answers.push((changed("csr", json!("garbage")), StatusCode::BAD_REQUEST, "VALIDATION", "csr"));
    for (body, status, code, reason) in answers {
        let (found, answer) = post(&hq.app, &body, "127.0.0.1", false, false).await;
        assert_eq!((found, &answer["error"]["code"]), (status, &json!(code)), "{answer}");
        assert_eq!(answer["error"]["details"]["reason"], json!(reason));
        assert!(!answer.to_string().contains(&hq.tenant.to_string()));
    }
    let (status, _) = post(&hq.app, &changed("secret", json!("short")), "127.0.0.1", false, false).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, _) = post(&hq.app, &good, "127.0.0.1", false, false).await;
    assert_eq!(status, StatusCode::CREATED);
    let other = Device::new().request(code);
    let (status, answer) = post(&hq.app, &serde_json::to_value(other).unwrap(), "127.0.0.1", false, false).await;
    assert_eq!((status, &answer["error"]["code"]), (StatusCode::CONFLICT, &json!("CONFLICT")));
    // An address that has knocked until it was told to wait. On a slow machine it may be forgiven before its request comes.
    let pushy = "192.0.2.77";
    for _ in 0..50 {
        while hq.app.gates.sign_in(pushy.parse().unwrap()).is_ok() {}
        let (status, _) = post(&hq.app, &changed("csr", json!("x")), pushy, true, false).await;
        if status == StatusCode::TOO_MANY_REQUESTS {
            return;
        }
    }
    panic!("enrolment is not rate limited");
}
