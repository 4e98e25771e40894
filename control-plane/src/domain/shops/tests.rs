//! Shops on a real database: made, changed, found, and nobody else's.

use axum::http::{Method, StatusCode};
use protocol::collection::{Collection, Version};
use protocol::id::ShopId;
use protocol::timestamp::Timestamp;
use serde_json::{Value, json};

use super::service;
use crate::app::Hint;
use crate::clock::Clock;
use crate::db::TenantTx;
use crate::db::testing::TestDb;
use crate::http::docs;
use crate::http::testing::{call, signed_in};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

#[tokio::test]
async fn a_shop_is_made_changed_and_delivered() {
    let test = TestDb::new().await;
    let app = test.app(Clock::manual(NOW)).await;
    let router = docs::router(app.clone());
    let (tenant, token, _) = signed_in(&app, &router, "one").await;
    let (_, foreign, _) = signed_in(&app, &router, "two").await;
    let new = json!({ "name": " High Street ", "timezone": "Europe/London", "currency": "GBP", "day_starts": "04:00",
                      "tax_mode": "exclusive", "tax_basis": "per_line", "cash_step": 5 });
    let made = call(&router, Method::POST, "/v1/shops", Some(&token), &new).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    assert_eq!(made.body["data"]["name"], "High Street");
    assert_eq!(made.body["data"]["version"], 1);
    let path = format!("/v1/shops/{}", made.body["data"]["id"].as_str().unwrap());
    let got = call(&router, Method::GET, &path, Some(&token), &Value::Null).await;
    assert_eq!(got.body, made.body);

    // Another tenant's: not there, by any verb, and not in the list.
    for (method, body) in [(Method::GET, Value::Null), (Method::PATCH, json!({ "name": "Mine now" }))] {
        let answer = call(&router, method, &path, Some(&foreign), &body).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "NOT_FOUND"));
    }
    let list = call(&router, Method::GET, "/v1/shops", Some(&foreign), &Value::Null).await;
    assert_eq!(list.body, json!({ "data": [] }));

    let mut hints = app.hints.subscribe();
    let patch = json!({ "day_starts": "05:30", "late_entry": false });
    let changed = call(&router, Method::PATCH, &path, Some(&token), &patch).await;
    assert_eq!(changed.body["data"]["version"], 2, "{changed:?}");
    assert_eq!(hints.try_recv().unwrap(), Hint { tenant, collection: Collection::Shop });
    let bad = call(&router, Method::PATCH, &path, Some(&token), &json!({ "timezone": "Nowhere" })).await;
    assert_eq!((bad.status.as_u16(), bad.body["error"]["details"]["field"].as_str()), (422, Some("timezone")));

    let shop: ShopId = made.body["data"]["id"].as_str().unwrap().parse().unwrap();
    let mut tx = TenantTx::begin(&app.db, tenant).await.unwrap();
    let settings = service::settings(&mut tx, shop).await.unwrap().unwrap();
    assert_eq!((settings.version, settings.day_starts_minutes, settings.late_entry), (Version(2), 330, false));
    assert_eq!(
        (settings.zone.as_str(), settings.cash_step, settings.name.as_str()),
        ("Europe/London", 5, "High Street")
    );
    assert!(service::settings(&mut tx, ShopId::from_uuid(uuid::Uuid::nil())).await.unwrap().is_none());
}
