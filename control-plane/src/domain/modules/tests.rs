//! The registry in the database and the one in the code are the same; what is switched off nobody may.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use protocol::timestamp::Timestamp;
use serde_json::Value;

use crate::auth::policy::{self, Module};
use crate::clock::Clock;
use crate::db::TenantTx;
use crate::db::testing::TestDb;
use crate::http::docs;
use crate::http::testing::{call, signed_in};

#[tokio::test]
async fn a_module_that_is_switched_off_is_gone_for_everybody_at_once() {
    let test = TestDb::new().await;
    let app = test.app(Clock::manual(Timestamp(1_800_000_000_000))).await;
    let router = docs::router(app.clone());
    let (tenant, token, _) = signed_in(&app, &router, "one").await;
    let registry = call(&router, Method::GET, "/v1/module-registry", Some(&token), &Value::Null).await;
    let names: BTreeSet<&str> =
        registry.body["data"].as_array().unwrap().iter().map(|module| module["name"].as_str().unwrap()).collect();
    let known: BTreeSet<&str> =
        Module::ALL.iter().map(|module| module.name()).filter(|name| *name != "platform").collect();
    assert_eq!(names, known, "the rows and the code");

    let overview = "/v1/analytics/overview?from=2026-01-01&to=2026-01-02";
    assert_eq!(call(&router, Method::GET, overview, Some(&token), &Value::Null).await.status, StatusCode::OK);
    let mut tx = TenantTx::begin(&app.db, tenant).await.unwrap();
    sqlx::query("INSERT INTO app.tenant_modules (tenant_id, module, enabled, changed_at) VALUES ($1, 'analytics', false, now())")
        .bind(tenant.as_uuid())
        .execute(tx.conn())
        .await
        .unwrap();
    policy::bump(&mut tx).await.unwrap();
    tx.save().await.unwrap();
    let refused = call(&router, Method::GET, overview, Some(&token), &Value::Null).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::FORBIDDEN, "AUTHZ"), "{refused:?}");
    let has = call(&router, Method::GET, "/v1/company/modules", Some(&token), &Value::Null).await;
    let analytics =
        has.body["data"]["modules"].as_array().unwrap().iter().find(|one| one["name"] == "analytics").unwrap();
    assert_eq!((analytics["enabled"].as_bool(), analytics["chosen"].as_bool()), (Some(false), Some(true)));
}
