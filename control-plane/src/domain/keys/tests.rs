//! What a key may, and what never.

use axum::http::{Method, StatusCode};
use protocol::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::db::testing::TestDb;
use crate::http::docs;
use crate::http::testing::{call, signed_in};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const DAY: i64 = 24 * 3_600 * 1_000;

#[tokio::test]
async fn a_key_may_what_was_given_until_it_is_revoked_or_its_time_is_over() {
    let test = TestDb::new().await;
    let app = test.app(Clock::manual(NOW)).await;
    let router = docs::router(app.clone());
    let (_, owner, _) = signed_in(&app, &router, "one").await;
    let ask = async |method: Method, path: &str, token: &str, body: Value| {
        call(&router, method, path, Some(token), &body).await
    };
    for (what, bad) in [
        ("sensitive", json!({ "name": "k", "permissions": ["roles.write"] })),
        ("nothing", json!({ "name": "k", "permissions": [] })),
        ("unknown", json!({ "name": "k", "permissions": ["everything"] })),
        ("for ever", json!({ "name": "k", "permissions": ["shops.read"], "days": 366 })),
        ("no such shop", json!({ "name": "k", "permissions": ["shops.read"], "shop_ids": [uuid::Uuid::nil()] })),
        ("the platform's", json!({ "name": "k", "permissions": ["platform.tenants.read"] })),
        ("more fields", json!({ "name": "k", "permissions": ["shops.read"], "tenant_id": "x" })),
    ] {
        let refused = ask(Method::POST, "/v1/keys", &owner, bad).await;
        assert!(matches!(refused.status.as_u16(), 403 | 422), "{what}: {refused:?}");
    }
    let new = json!({ "name": "Import", "permissions": ["shops.read"], "days": 30 });
    let made = ask(Method::POST, "/v1/keys", &owner, new).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let secret = made.body["data"]["secret"].as_str().unwrap().to_owned();
    let id = made.body["data"]["id"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("twk_"));
    let list = ask(Method::GET, "/v1/keys", &owner, Value::Null).await;
    assert!(!list.body.to_string().contains(&secret[40..]), "shown once: {list:?}");
    assert_eq!(ask(Method::GET, "/v1/shops", &secret, Value::Null).await.status, StatusCode::OK);
    let list = ask(Method::GET, "/v1/keys", &owner, Value::Null).await;
    assert!(list.body["data"][0]["used_at"].is_string(), "{list:?}");
    let shop = json!({ "name": "S", "timezone": "Europe/London", "currency": "GBP" });
    assert_eq!(ask(Method::POST, "/v1/shops", &secret, shop).await.status, StatusCode::FORBIDDEN);
    // A person's own things and power over others are out of reach.
    for (method, path) in [
        (Method::GET, "/v1/me"),
        (Method::GET, "/v1/auth/me"),
        (Method::GET, "/v1/me/sessions"),
        (Method::POST, "/v1/auth/logout"),
        (Method::GET, "/v1/keys"),
        (Method::GET, "/v1/people"),
    ] {
        let refused = ask(method.clone(), path, &secret, Value::Null).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{method} {path}: {refused:?}");
    }
    let bent = format!("{}{}", &secret[..secret.len() - 1], if secret.ends_with('0') { '1' } else { '0' });
    assert_eq!(ask(Method::GET, "/v1/shops", &bent, Value::Null).await.status, StatusCode::UNAUTHORIZED);
    app.clock.advance_millis(30 * DAY);
    assert_eq!(ask(Method::GET, "/v1/shops", &secret, Value::Null).await.status, StatusCode::UNAUTHORIZED, "its end");
    app.clock.advance_millis(-DAY);
    assert_eq!(ask(Method::GET, "/v1/shops", &secret, Value::Null).await.status, StatusCode::OK);
    app.clock.advance_millis(-29 * DAY);
    let gone = ask(Method::DELETE, &format!("/v1/keys/{id}"), &owner, Value::Null).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{gone:?}");
    assert_eq!(ask(Method::GET, "/v1/shops", &secret, Value::Null).await.status, StatusCode::UNAUTHORIZED);
}
