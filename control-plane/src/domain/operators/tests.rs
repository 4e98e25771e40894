//! An operator switches, asks to look in, is let in, and is put out. A guest changes nothing, and leaves a trace of every page.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use serde_json::json;

use crate::auth::policy::PLATFORM_TENANT;
use crate::db::TenantTx;
use crate::domain::tenants::tests::{Ground, PASSWORD};
use crate::http::testing::signed_in;
use crate::web::testing::Browser;

const MINUTE: i64 = 60_000;

#[tokio::test]
async fn a_switch_is_felt_at_once_and_core_modules_have_none() {
    let ground = Ground::lay().await;
    let (tenant, owner, _) = signed_in(&ground.app, &ground.router, "bakers").await;
    let operator = ground.operator().await;
    let overview = "/v1/analytics/overview?from=2026-01-01&to=2026-01-02";
    assert_eq!(ground.get(overview, &owner).await.status, StatusCode::OK);
    let switch = format!("/v1/superadmin/tenants/{tenant}/modules");
    for bad in ["company", "sales", "platform", "nonsense"] {
        let refused = ground.post(&switch, Some(&operator), json!({ "module": bad, "enabled": false })).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{bad}");
    }
    let body = |enabled: Option<bool>| json!({ "module": "analytics", "enabled": enabled });
    assert_eq!(ground.post(&switch, Some(&owner), body(Some(false))).await.status, StatusCode::NOT_FOUND);
    assert_eq!(ground.post(&switch, Some(&operator), body(Some(false))).await.status, StatusCode::OK);
    assert_eq!(ground.get(overview, &owner).await.status, StatusCode::FORBIDDEN);
    assert_eq!(ground.post(&switch, Some(&operator), body(None)).await.status, StatusCode::OK);
    assert_eq!(ground.get(overview, &owner).await.status, StatusCode::OK);
    // For everybody: the registry.
    let set = json!({ "module": "analytics", "available": false, "by_default": true });
    assert_eq!(ground.post("/v1/superadmin/modules", Some(&operator), set).await.status, StatusCode::OK);
    assert_eq!(ground.get(overview, &owner).await.status, StatusCode::FORBIDDEN);
    let feature =
        json!({ "feature": "sales.forecast", "module": "sales", "description": "Tomorrow", "by_default": false });
    assert_eq!(ground.post("/v1/superadmin/features", Some(&operator), feature).await.status, StatusCode::OK);
    let on = json!({ "feature": "sales.forecast", "enabled": true });
    let path = format!("/v1/superadmin/tenants/{tenant}/features");
    assert_eq!(ground.post(&path, Some(&operator), on).await.status, StatusCode::OK);
    let none = json!({ "feature": "sales.none", "enabled": true });
    assert_eq!(ground.post(&path, Some(&operator), none).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let has = ground.get("/v1/company/modules", &owner).await;
    assert_eq!(has.body["data"]["features"][0]["enabled"], true, "{has:?}");
    let listed = ground.get("/v1/superadmin/tenants?q=bak", &operator).await;
    assert_eq!(
        (listed.body["data"].as_array().unwrap().len(), &listed.body["data"][0]["counts"]["people"]),
        (1, &json!(1))
    );
    let detail = ground.get(&format!("/v1/superadmin/tenants/{tenant}"), &operator).await;
    assert!(!detail.body.to_string().contains("owner@bakers.example"), "counts, no people: {detail:?}");
    assert_eq!(
        ground.get(&format!("/v1/superadmin/tenants/{PLATFORM_TENANT}"), &operator).await.status,
        StatusCode::NOT_FOUND
    );
    for path in ["/v1/superadmin/jobs?state=waiting", "/v1/superadmin/mails", "/v1/superadmin/modules"] {
        assert_eq!(ground.get(path, &operator).await.status, StatusCode::OK, "{path}");
        assert_eq!(ground.get(path, &owner).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn an_operator_looks_in_when_allowed_changes_nothing_and_is_put_out_at_once() {
    let ground = Ground::lay().await;
    let (tenant, owner, _) = signed_in(&ground.app, &ground.router, "bakers").await;
    let operator = ground.operator().await;
    let asks = format!("/v1/superadmin/tenants/{tenant}/visits");
    let ask = json!({ "reason": "The till prints no VAT", "minutes": 30 });
    for bad in [
        json!({ "reason": "", "minutes": 30 }),
        json!({ "reason": "x", "minutes": 4 }),
        json!({ "reason": "x", "minutes": 61 }),
    ] {
        assert_eq!(ground.post(&asks, Some(&operator), bad).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let asked = ground.post(&asks, Some(&operator), ask.clone()).await;
    assert_eq!(asked.status, StatusCode::CREATED, "{asked:?}");
    assert_eq!(ground.post(&asks, Some(&operator), ask.clone()).await.status, StatusCode::CONFLICT, "one at a time");
    let visit = asked.body["data"]["id"].as_str().unwrap().to_owned();
    let told = ground.mails().await;
    assert_eq!(told.iter().filter(|(to, _, text)| to == "owner@bakers.example" && text.contains("no VAT")).count(), 1);

    let mut browser = Browser::signed_in(&ground.app, "op@tillway.example", PASSWORD).await;
    ground.proved().await;
    let page = format!("/operator/tenants/{tenant}");
    let csrf = browser.get(&page).await.hidden("csrf");
    let open = format!("{page}/visits/{visit}/open");
    browser.post(&open, &[("csrf", &csrf)]).await;
    assert!(!browser.cookies.contains_key("tillway-guest"), "not before the company said yes");

    let answer =
        async |what: &str| ground.post(&format!("/v1/company/support/{visit}/{what}"), Some(&owner), json!({})).await;
    assert_eq!(answer("allow").await.status, StatusCode::OK);
    assert_eq!(answer("allow").await.status, StatusCode::CONFLICT);
    let opened = browser.post(&open, &[("csrf", &csrf)]).await;
    assert_eq!((opened.status, opened.location()), (StatusCode::SEE_OTHER, "/"), "{opened:?}");
    assert!(browser.cookies.contains_key("tillway-guest"));
    let shops = browser.get("/shops").await;
    assert!(shops.status == StatusCode::OK && shops.text.contains("You are a guest of this company"), "{}", shops.text);
    let guest_csrf = shops.hidden("csrf");
    assert_ne!(guest_csrf, csrf, "another session");
    let shop = [("csrf", guest_csrf.as_str()), ("name", "Mine"), ("timezone", "Europe/London"), ("currency", "GBP")];
    assert_eq!(browser.post("/shops", &shop).await.status, StatusCode::FORBIDDEN, "to look, not to change");
    let settings = [("csrf", guest_csrf.as_str()), ("name", "Mine")];
    assert_eq!(browser.post("/settings", &settings).await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.get(&page).await.status, StatusCode::OK, "their own session goes on beside it");

    assert_eq!(answer("end").await.status, StatusCode::OK);
    let after = browser.get("/shops").await;
    assert_eq!((after.status, after.location()), (StatusCode::SEE_OTHER, "/operator"), "at once");
    assert!(!browser.cookies.contains_key("tillway-guest"));
    let mut tx = TenantTx::begin(&ground.app.db, tenant).await.unwrap();
    let done: Vec<(String, String, bool)> = sqlx::query_as(
        "SELECT action, via, impersonation_id IS NOT NULL FROM app.audit WHERE action LIKE 'support.%' ORDER BY audit_id",
    )
    .fetch_all(tx.conn())
    .await
    .unwrap();
    // The clock of the test stands: all of it at one moment, in any order.
    let actions: BTreeSet<&str> = done.iter().map(|(action, ..)| action.as_str()).collect();
    let all = ["support.allowed", "support.asked", "support.ended", "support.entered", "support.looked"];
    assert_eq!(actions, BTreeSet::from(all), "{done:?}");
    assert!(
        done.contains(&("support.looked".to_owned(), "guest".to_owned(), true)),
        "who looked, by whose leave: {done:?}"
    );
}

#[tokio::test]
async fn a_visit_ends_by_the_clock_and_an_ask_lapses() {
    let ground = Ground::lay().await;
    let (tenant, _, _) = signed_in(&ground.app, &ground.router, "bakers").await;
    let operator = ground.operator().await;
    let asks = format!("/v1/superadmin/tenants/{tenant}/visits");
    let ask = json!({ "reason": "Asked", "minutes": 5 });
    let first = ground.post(&asks, Some(&operator), ask.clone()).await.body["data"]["id"].as_str().unwrap().to_owned();
    ground.app.clock.advance_millis(24 * 60 * MINUTE);
    let owner = ground.login("owner@bakers.example", "correct horse").await.body["data"]["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let operator =
        ground.login("op@tillway.example", PASSWORD).await.body["data"]["access_token"].as_str().unwrap().to_owned();
    ground.proved().await;
    let late = ground.post(&format!("/v1/company/support/{first}/allow"), Some(&owner), json!({})).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "{late:?}");
    let second = ground.post(&asks, Some(&operator), ask.clone()).await;
    assert_eq!(second.status, StatusCode::CREATED, "{second:?}");
    let second = second.body["data"]["id"].as_str().unwrap().to_owned();
    let foreign = ground.post(&format!("/v1/company/support/{second}/allow"), Some(&operator), json!({})).await;
    assert!(foreign.status.is_client_error(), "an operator does not let themselves in: {foreign:?}");
    assert_eq!(
        ground.post(&format!("/v1/company/support/{second}/allow"), Some(&owner), json!({})).await.status,
        StatusCode::OK
    );
    let mut browser = Browser::signed_in(&ground.app, "op@tillway.example", PASSWORD).await;
    ground.proved().await;
    let page = format!("/operator/tenants/{tenant}");
    let csrf = browser.get(&page).await.hidden("csrf");
    browser.post(&format!("{page}/visits/{second}/open"), &[("csrf", &csrf)]).await;
    ground.app.clock.advance_millis(5 * MINUTE - 1_000);
    assert_eq!(browser.get("/shops").await.status, StatusCode::OK);
    ground.app.clock.advance_millis(1_000);
    assert_eq!(browser.get("/shops").await.location(), "/operator", "by the clock");
    let csrf = browser.get(&page).await.hidden("csrf");
    browser.post(&format!("{page}/visits/{second}/open"), &[("csrf", &csrf)]).await;
    assert!(!browser.cookies.contains_key("tillway-guest"), "no way back in");
    assert_eq!(ground.post(&asks, Some(&operator), ask).await.status, StatusCode::CREATED);
}
