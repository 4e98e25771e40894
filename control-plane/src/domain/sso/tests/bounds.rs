//! How far a company's own provider reaches: into the company, and no further.

use axum::body::Body;
use axum::http::Method;

use super::issuer::Lie;
use super::*;
use crate::http::testing::{ask, call};
use crate::jobs;

/// Sets up an authenticator app, as far as that goes: where it leads.
async fn sets_up(browser: &mut Browser) -> String {
    let csrf = browser.get("/me/security").await.hidden("csrf");
    let page = browser.post("/me/security/totp", &[("csrf", &csrf)]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    page.location().to_owned()
}

async fn count(rig: &Rig, of: &str) -> i64 {
    let mut admin = rig.test.superuser().await;
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {of}"))).fetch_one(&mut admin).await.unwrap()
}

#[tokio::test]
async fn a_provider_s_word_changes_nothing_that_opens_other_companies() {
    let rig = Rig::new().await;
    let provider = rig.provider(&[]).await;
    rig.link(&provider).await;
    // The provider swears to everything there is: a second factor, and that the person was there just now.
    let claims = json!({ "amr": ["pwd", "mfa"], "auth_time": NOW.0 / 1_000 });
    rig.issuer.lies(Lie { claims, ..Lie::default() });
    let mut browser = Browser::new(&rig.app);
    assert_eq!(rig.visit(&mut browser, &provider).await.location(), "/shops");
    assert_eq!(browser.get("/settings/sso/new").await.status, StatusCode::OK, "in the company it is believed");
    let aside = sets_up(&mut browser).await;
    assert!(aside.starts_with("/me/confirm"), "a factor that opens every company: {aside}");
    let csrf = browser.get("/me/sso").await.hidden("csrf");
    let onward = browser.post(&format!("/me/sso/{provider}/link"), &[("csrf", &csrf)]).await;
    assert!(onward.location().starts_with("/me/confirm"), "{} {}", onward.status, onward.location());
    let confirm = |password| [("csrf", csrf.clone()), ("password", password), ("next", String::new())];
    let wrong = confirm("guessed in vain".to_owned());
    let wrong: Vec<(&str, &str)> = wrong.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(browser.post("/me/confirm", &wrong).await.status, 422);
    assert!(sets_up(&mut browser).await.starts_with("/me/confirm"));
    // The person's own password is their own word, for ten minutes.
    let right = confirm(PASSWORD.to_owned());
    let right: Vec<(&str, &str)> = right.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(browser.post("/me/confirm", &right).await.status, 303);
    assert!(sets_up(&mut browser).await.starts_with("/me/security/totp"));
    rig.app.clock.advance_millis(10 * 60_000);
    assert!(sets_up(&mut browser).await.starts_with("/me/confirm"), "and no longer");
}

#[tokio::test]
async fn the_first_password_by_mail_ends_what_a_provider_made_of_somebody_before() {
    let rig = Rig::new().await;
    let provider = rig.provider(&[("newcomer_role", "accountant")]).await;
    let claims = json!({ "amr": ["mfa"], "auth_time": NOW.0 / 1_000 });
    rig.issuer.lies(Lie { claims, ..Lie::default() });
    let mut thief = Browser::new(&rig.app);
    assert_eq!(rig.visit(&mut thief, &provider).await.location(), "/shops");
    assert!(sets_up(&mut thief).await.starts_with("/me/confirm"), "nobody has proved to be this person");
    // As if it had been added in days when that was not asked.
    rig.app_of("alice@bakers.example").await;
    assert_eq!((count(&rig, "platform.totp").await, count(&rig, "app.sso_identities").await), (1, 1));

    let router = crate::http::docs::router(rig.app.clone());
    let alice = json!({ "email": "alice@bakers.example" });
    call(&router, Method::POST, "/v1/auth/forgot", None, &alice).await;
    jobs::drain(&rig.app).await.unwrap();
    let mails = rig.app.outbox.captured();
    let mail = mails.iter().rev().find(|mail| mail.to == "alice@bakers.example").unwrap();
    let token = mail.text.split("/reset/").nth(1).unwrap().split_whitespace().next().unwrap();
    let set = json!({ "token": token, "password": "a word of her own" });
    assert_eq!(call(&router, Method::POST, "/v1/auth/reset", None, &set).await.status, StatusCode::NO_CONTENT);
    assert_eq!((count(&rig, "platform.totp").await, count(&rig, "app.sso_identities").await), (0, 0));
    assert!(!is_in(&mut thief).await, "the provider's session has ended");
    rig.app.clock.advance_millis(1);
    jobs::drain(&rig.app).await.unwrap();
    assert_eq!(rig.visit(&mut Browser::new(&rig.app), &provider).await.status, 403, "and the link is gone");
    let mut own = Browser::signed_in(&rig.app, "alice@bakers.example", "a word of her own").await;
    assert!(sets_up(&mut own).await.starts_with("/me/security/totp"));
}

#[tokio::test]
async fn whoever_may_change_providers_and_little_else_opens_no_door_to_a_bigger_role() {
    let rig = Rig::new().await;
    let provider = rig.provider(&[("newcomer_role", "manager")]).await;
    let router = crate::http::docs::router(rig.app.clone());
    let login = async |email: &str| {
        let login = json!({ "email": email, "password": PASSWORD });
        let answer = call(&router, Method::POST, "/v1/auth/login", None, &login).await;
        answer.body["data"]["access_token"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
    };
    let owner = login(&rig.owner).await;
    let sam = identity::service::ensure_person(&rig.app, "sam@bakers.example", PASSWORD).await.unwrap();
    let mut tx = TenantTx::begin(&rig.app.db, rig.tenant).await.unwrap();
    identity::service::add_member(&mut tx, sam, NOW).await.unwrap();
    tx.save().await.unwrap();
    let role = json!({ "name": "Doors", "permissions": ["sso.read", "sso.write"] });
    let role = call(&router, Method::POST, "/v1/rbac/roles", Some(&owner), &role).await;
    let given = json!({ "person_id": sam, "role": role.body["data"]["id"] });
    let given = call(&router, Method::POST, "/v1/rbac/assignments", Some(&owner), &given).await;
    assert_eq!(given.status, StatusCode::CREATED, "{given:?}");
    let sam = login("sam@bakers.example").await;
    let path = format!("/v1/sso/providers/{provider}");
    let patch = async |by: &str, body: Value| call(&router, Method::PATCH, &path, Some(by), &body).await;
    for body in [json!({ "domains": ["doors.example"] }), json!({ "client_id": "mine", "client_secret": "mine" })] {
        let refused = patch(&sam, body.clone()).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (403, "AUTHZ"), "{body}: {refused:?}");
    }
    // What lets nobody in may be set; letting them in may not.
    assert_eq!(patch(&sam, json!({ "enabled": false })).await.status, StatusCode::OK);
    let refused = patch(&sam, json!({ "enabled": true })).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{refused:?}");
    assert_eq!(patch(&owner, json!({ "enabled": true })).await.status, StatusCode::OK);
    assert_eq!(patch(&sam, json!({ "newcomer_role": "" })).await.status, StatusCode::OK, "nobody comes in unasked");
}

#[tokio::test]
async fn a_password_s_session_is_not_carried_on_where_the_provider_is_the_only_way_in() {
    let rig = Rig::new().await;
    let provider = rig.provider(&[]).await;
    let router = crate::http::docs::router(rig.app.clone());
    let login = json!({ "email": rig.owner, "password": PASSWORD });
    let login = call(&router, Method::POST, "/v1/auth/login", None, &login).await;
    let refresh = async |from: &Value| {
        let token = json!({ "refresh_token": from.body_token() });
        call(&router, Method::POST, "/v1/auth/refresh", None, &token).await
    };
    let next = refresh(&login.body).await;
    assert_eq!(next.status, StatusCode::OK, "{next:?}");
    sqlx::query("UPDATE app.sso_providers SET enforced = true WHERE provider_id = $1::uuid")
        .bind(&provider)
        .execute(&mut rig.test.superuser().await)
        .await
        .unwrap();
    let refused = refresh(&next.body).await;
    assert_eq!(refused.body["error"]["details"]["reason"], "sso_required", "{refused:?}");
}

/// The refresh token of an answer.
trait Token {
    fn body_token(&self) -> &str;
}

impl Token for Value {
    fn body_token(&self) -> &str {
        self["data"]["refresh_token"].as_str().unwrap()
    }
}

#[tokio::test]
async fn a_company_that_is_suspended_or_closed_takes_nobody_in() {
    let rig = Rig::new().await;
    let provider = rig.provider(&[("newcomer_role", "accountant")]).await;
    for column in ["suspended_at", "closed_at"] {
        let mut admin = rig.test.superuser().await;
        let set = async |to: &str, admin: &mut sqlx::PgConnection| {
            let reason = if to == "NULL" { "NULL" } else { "'unpaid'" };
            let sql =
                format!("UPDATE app.tenants SET {column} = {to}, suspended_reason = {reason} WHERE tenant_id = $1");
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(rig.tenant.as_uuid()).execute(admin).await.unwrap();
        };
        set("now()", &mut admin).await;
        let before = rig.rows().await;
        let refused = rig.visit(&mut Browser::new(&rig.app), &provider).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{column}: {}", refused.text);
        assert_eq!(rig.rows().await, before, "{column}");
        set("NULL", &mut admin).await;
        rig.app.clock.advance_millis(3_600_000);
    }
    rig.issuer.lies(Lie::default());
}

#[tokio::test]
async fn a_link_of_another_site_or_of_a_mail_sends_nobody_away_to_a_provider() {
    let rig = Rig::new().await;
    let provider = rig.provider(&[]).await;
    let router = crate::http::docs::router(rig.app.clone());
    for (site, away) in [("cross-site", false), ("same-site", false), ("none", false), ("same-origin", true)] {
        let headers = [("sec-fetch-site", site), ("accept", "text/html")];
        let answer = ask(&router, Method::GET, &rig.start(&provider), &headers, Body::empty()).await;
        assert_eq!(answer.headers.contains_key("location"), away, "{site}: {answer:?}");
        assert_eq!(answer.status, if away { StatusCode::SEE_OTHER } else { StatusCode::OK }, "{site}");
    }
}

#[tokio::test]
async fn a_provider_s_second_factor_and_a_stolen_password_change_no_factor_of_the_person() {
    let rig = Rig::new().await;
    let provider = rig.provider(&[]).await;
    rig.link(&provider).await;
    rig.app_of(&rig.owner).await;
    let claims = json!({ "amr": ["pwd", "mfa"], "auth_time": NOW.0 / 1_000 });
    rig.issuer.lies(Lie { claims, ..Lie::default() });
    let mut browser = Browser::new(&rig.app);
    assert_eq!(rig.visit(&mut browser, &provider).await.location(), "/shops");
    let csrf = browser.get("/me/security").await.hidden("csrf");
    let fields = [("csrf", csrf.as_str()), ("password", PASSWORD), ("next", "")];
    assert_eq!(browser.post("/me/confirm", &fields).await.status, 303, "the password is right");
    assert!(sets_up(&mut browser).await.starts_with("/me/confirm"), "the person's own app is asked for");
    // With it shown in this session, the way is open.
    sqlx::query("UPDATE app.sessions SET own_factor_at = now() WHERE method = 'sso'")
        .execute(&mut rig.test.superuser().await)
        .await
        .unwrap();
    let csrf = browser.get("/me/security").await.hidden("csrf");
    let through = browser.post("/me/security/totp", &[("csrf", &csrf)]).await;
    assert_eq!(through.status, StatusCode::CONFLICT, "nothing is asked but to remove the one that is there");
}

#[tokio::test]
async fn one_network_does_not_take_all_places_of_those_who_are_away_at_the_provider() {
    let rig = Rig::new().await;
    let provider = rig.provider(&[]).await;
    let mut browser = Browser::new(&rig.app);
    assert_eq!(browser.get(&rig.start(&provider)).await.status, StatusCode::SEE_OTHER);
    let mut admin = rig.test.superuser().await;
    sqlx::query(
        "INSERT INTO app.sso_flows (tenant_id, state_hash, browser_hash, provider_id, purpose, next, began_at, expires_at,
           network)
         SELECT tenant_id, sha256(n::text::bytea), browser_hash, provider_id, purpose, next, began_at, expires_at, network
         FROM app.sso_flows, generate_series(2, 300) n",
    )
    .execute(&mut admin)
    .await
    .unwrap();
    assert_eq!(browser.get(&rig.start(&provider)).await.status, StatusCode::TOO_MANY_REQUESTS);
    // The same crowd somewhere else is in nobody's way.
    sqlx::query("UPDATE app.sso_flows SET network = 'elsewhere'").execute(&mut admin).await.unwrap();
    assert_eq!(browser.get(&rig.start(&provider)).await.status, StatusCode::SEE_OTHER);
    // And whoever comes back for ever with what began in another browser fills no record.
    let away = browser.get(&rig.start(&provider)).await;
    let state = away.location().split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let refused = "app.audit WHERE action = 'sso.refused'";
    let before = count(&rig, refused).await;
    for _ in 0..5 {
        let back = format!("/sign-in/sso/callback?state={state}&code=x");
        assert_eq!(Browser::new(&rig.app).get(&back).await.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(count(&rig, refused).await, before);
}
