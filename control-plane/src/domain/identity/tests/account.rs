//! One's own account: password, e-mail, sessions, links by mail.

use axum::http::{Method, StatusCode};
use protocol::id::TenantId;
use serde_json::{Value, json};

use super::{Hq, text};
use crate::auth::throttle::TRIES;
use crate::db::TenantTx;
use crate::domain::tenants;
use crate::http::testing::{Answer, call, signed_in};
use crate::jobs;
use crate::web::testing::Browser;

const EMAIL: &str = "owner@one.example";
const MINUTE: i64 = 60_000;

impl Hq {
    async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Answer {
        call(&self.router, Method::POST, path, token, &body).await
    }

    async fn sessions(&self, token: &str) -> Vec<Value> {
        let list = call(&self.router, Method::GET, "/v1/me/sessions", Some(token), &Value::Null).await;
        list.body["data"].as_array().unwrap_or_else(|| panic!("{list:?}")).clone()
    }

    /// The last mail to an address, after everything that waits was done: its words.
    async fn mail_to(&self, address: &str) -> Option<String> {
        jobs::drain(&self.app).await.unwrap();
        let mails = self.app.outbox.captured();
        mails.into_iter().rev().find(|mail| mail.to == address).map(|mail| mail.text)
    }

    async fn mails_to(&self, address: &str) -> usize {
        jobs::drain(&self.app).await.unwrap();
        self.app.outbox.captured().iter().filter(|mail| mail.to == address).count()
    }

    /// What stands in a tenant's record, by action.
    async fn record(&self, tenant: TenantId) -> Vec<(String, Value)> {
        let mut tx = TenantTx::begin(&self.app.db, tenant).await.unwrap();
        let all = "SELECT action, diff FROM app.audit ORDER BY audit_id";
        sqlx::query_as(all).fetch_all(tx.conn()).await.unwrap()
    }
}

/// The end of the link that a mail carries behind `door`.
fn link(mail: &str, door: &str) -> String {
    let rest = mail.split(&format!("/{door}/")).nth(1).unwrap_or_else(|| panic!("no link in {mail}"));
    rest.split_whitespace().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_password_is_changed_by_whoever_knows_it_and_ends_the_other_sessions() {
    let hq = Hq::new().await;
    let (tenant, token, _) = signed_in(&hq.app, &hq.router, "one").await;
    let other = text(&hq.login(EMAIL, "correct horse").await, "access_token");
    let change = |current: &str, new: &str| json!({ "current": current, "new": new });
    for (what, body, field) in [
        ("the wrong present one", change("wrong horse", "battery staple"), "current"),
        ("one that is too short", change("correct horse", "staple"), "new"),
        ("one that everybody has", change("correct horse", "password1"), "new"),
        ("the company's name", change("correct horse", "owner-2026!"), "new"),
        ("the same", change("correct horse", "correct horse"), "new"),
        ("a megabyte", change("correct horse", &"x".repeat(900_000)), "new"),
    ] {
        let refused = hq.post("/v1/me/password", Some(&token), body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{what}: {refused:?}");
        assert_eq!(refused.body["error"]["details"]["field"], field, "{what}: {refused:?}");
    }
    assert_eq!(hq.me(&other).await.status, StatusCode::OK, "nothing of that ended a session");
    let done = hq.post("/v1/me/password", Some(&token), change("correct horse", "battery staple")).await;
    assert_eq!(done.status, StatusCode::NO_CONTENT, "{done:?}");
    assert_eq!(hq.me(&token).await.status, StatusCode::OK, "the session that asked goes on");
    assert_eq!(hq.me(&other).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(hq.login(EMAIL, "correct horse").await.status, StatusCode::UNAUTHORIZED);
    hq.app.clock.advance_millis(1);
    let new = text(&hq.login(EMAIL, "battery staple").await, "access_token");
    let mail = hq.mail_to(EMAIL).await.unwrap();
    assert!(mail.contains("password") && !mail.contains("staple"), "{mail}");
    // The job that stands behind it ends nothing that began later.
    assert_eq!(hq.me(&new).await.status, StatusCode::OK);
    let record = hq.record(tenant).await;
    let changed: Vec<_> = record.iter().filter(|(action, _)| action == "account.password_changed").collect();
    assert_eq!(changed.len(), 1, "{record:?}");
    assert_eq!(changed[0].1, json!({ "sessions_ended": 1 }));
}

#[tokio::test]
async fn guessing_the_present_password_in_an_open_session_is_throttled() {
    let hq = Hq::new().await;
    let (_, token, _) = signed_in(&hq.app, &hq.router, "one").await;
    let guess = json!({ "current": "wrong horse", "new": "battery staple" });
    for _ in 0..TRIES {
        let refused = hq.post("/v1/me/password", Some(&token), guess.clone()).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let right = json!({ "current": "correct horse", "new": "battery staple" });
    let refused = hq.post("/v1/me/password", Some(&token), right).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (429, "RATE_LIMIT"));
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(hq.login(EMAIL, "correct horse").await.status, StatusCode::OK, "signing in is another count");
}

#[tokio::test]
async fn a_link_by_mail_sets_a_password_once_and_signs_nobody_in() {
    let hq = Hq::new().await;
    let (tenant, token, refresh) = signed_in(&hq.app, &hq.router, "one").await;
    let known = hq.post("/v1/auth/forgot", None, json!({ "email": " OWNER@one.example" })).await;
    let unknown = hq.post("/v1/auth/forgot", None, json!({ "email": "nobody@one.example" })).await;
    assert_eq!((known.status, &known.body), (StatusCode::ACCEPTED, &unknown.body));
    assert_eq!(hq.mails_to("nobody@one.example").await, 0);
    let secret = link(&hq.mail_to(EMAIL).await.unwrap(), "reset");
    // A second link makes the first one worthless.
    hq.post("/v1/auth/forgot", None, json!({ "email": EMAIL })).await;
    let newer = link(&hq.mail_to(EMAIL).await.unwrap(), "reset");
    let set = |token: &str, password: &str| json!({ "token": token, "password": password });
    let stale = hq.post("/v1/auth/reset", None, set(&secret, "battery staple")).await;
    assert_eq!(stale.body["error"]["details"]["field"], "token", "{stale:?}");
    // A password that may not be chosen does not use the link up.
    let weak = hq.post("/v1/auth/reset", None, set(&newer, "iloveyou1")).await;
    assert_eq!(weak.body["error"]["details"]["field"], "password", "{weak:?}");
    let done = hq.post("/v1/auth/reset", None, set(&newer, "battery staple")).await;
    assert_eq!((done.status, &done.body), (StatusCode::NO_CONTENT, &Value::Null), "{done:?}");
    assert!(!done.headers.contains_key("set-cookie"));
    let again = hq.post("/v1/auth/reset", None, set(&newer, "another staple")).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(hq.me(&token).await.status, StatusCode::UNAUTHORIZED, "all sessions ended");
    assert_eq!(hq.refresh(&refresh).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(hq.login(EMAIL, "battery staple").await.status, StatusCode::OK);
    assert!(hq.mail_to(EMAIL).await.unwrap().contains("was changed"));
    assert!(hq.record(tenant).await.iter().any(|(action, _)| action == "account.password_reset"));
}

#[tokio::test]
async fn a_link_dies_after_half_an_hour_and_mails_have_an_end() {
    let hq = Hq::new().await;
    signed_in(&hq.app, &hq.router, "one").await;
    for _ in 0..10 {
        let answer = hq.post("/v1/auth/forgot", None, json!({ "email": EMAIL })).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
    }
    assert_eq!(hq.mails_to(EMAIL).await, 3, "nobody's letter box is filled by asking often");
    let secret = link(&hq.mail_to(EMAIL).await.unwrap(), "reset");
    hq.app.clock.advance_millis(30 * MINUTE);
    let late = hq.post("/v1/auth/reset", None, json!({ "token": secret, "password": "battery staple" })).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(hq.login(EMAIL, "correct horse").await.status, StatusCode::OK);
    for garbage in ["", "twl_", "x", "twl_00"] {
        let answer = hq.post("/v1/auth/reset", None, json!({ "token": garbage, "password": "battery staple" })).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{garbage}");
    }
}

#[tokio::test]
async fn sessions_are_listed_and_end_at_once_and_only_ones_own() {
    let hq = Hq::new().await;
    let (tenant, token, _) = signed_in(&hq.app, &hq.router, "one").await;
    let (_, foreign, _) = signed_in(&hq.app, &hq.router, "two").await;
    let mut browser = Browser::signed_in(&hq.app, EMAIL, "correct horse").await;
    hq.app.clock.advance_millis(MINUTE);
    let third = hq.login(EMAIL, "correct horse").await;
    let (third, third_refresh) = (text(&third, "access_token"), text(&third, "refresh_token"));
    let list = hq.sessions(&token).await;
    let browsers = list.iter().filter(|session| session["kind"] == "browser").count();
    assert_eq!((list.len(), browsers), (3, 1), "{list:?}");
    assert_eq!(list.iter().filter(|session| session["this"] == true).count(), 1);
    let id = |session: &Value| session["id"].as_str().unwrap().to_owned();
    let strangers = hq.sessions(&foreign).await;
    for other in [id(&strangers[0]), uuid::Uuid::nil().to_string()] {
        let path = format!("/v1/me/sessions/{other}");
        let answer = call(&hq.router, Method::DELETE, &path, Some(&token), &Value::Null).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{answer:?}");
    }
    assert_eq!(hq.me(&foreign).await.status, StatusCode::OK);
    // The one that began last ends, with its refresh tokens.
    let path = format!("/v1/me/sessions/{}", id(&list[0]));
    let ended = call(&hq.router, Method::DELETE, &path, Some(&token), &Value::Null).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    assert_eq!(hq.me(&third).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(hq.refresh(&third_refresh).await.status, StatusCode::UNAUTHORIZED);
    let again = call(&hq.router, Method::DELETE, &path, Some(&token), &Value::Null).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    let page = browser.get("/me").await;
    assert!(page.status == StatusCode::OK && page.text.contains("this one"), "{}", page.text);
    let rest = hq.post("/v1/me/sessions/end-others", Some(&token), Value::Null).await;
    assert_eq!(rest.body["data"]["ended"], 1, "{rest:?}");
    assert_eq!(browser.get("/me").await.status, StatusCode::SEE_OTHER, "the browser's session is over");
    assert_eq!(hq.record(tenant).await.iter().filter(|(action, _)| action == "sessions.ended").count(), 2);
}

#[tokio::test]
async fn another_email_wants_the_password_and_both_letter_boxes() {
    let hq = Hq::new().await;
    let (tenant, token, _) = signed_in(&hq.app, &hq.router, "one").await;
    signed_in(&hq.app, &hq.router, "two").await;
    let ask = |email: &str, password: &str| json!({ "email": email, "password": password });
    for (body, field) in [
        (ask("new@one.example", "wrong horse"), "password"),
        (ask("no address", "correct horse"), "email"),
        (ask("Owner@ONE.example", "correct horse"), "email"),
    ] {
        let refused = hq.post("/v1/me/email", Some(&token), body).await;
        assert_eq!(refused.body["error"]["details"]["field"], field, "{refused:?}");
    }
    // Whether an address is somebody's is not told to whoever asks.
    let taken = hq.post("/v1/me/email", Some(&token), ask("owner@two.example", "correct horse")).await;
    let free = hq.post("/v1/me/email", Some(&token), ask("new@one.example", "correct horse")).await;
    assert_eq!((taken.status, &taken.body), (StatusCode::ACCEPTED, &free.body));
    let to_taken = link(&hq.mail_to("owner@two.example").await.unwrap(), "email/confirm");
    let stale = hq.post("/v1/auth/email/confirm", None, json!({ "token": to_taken })).await;
    assert_eq!(stale.status, StatusCode::UNPROCESSABLE_ENTITY, "the newer request replaced it: {stale:?}");
    // The old address says no.
    let yes = link(&hq.mail_to("new@one.example").await.unwrap(), "email/confirm");
    let no = link(&hq.mail_to(EMAIL).await.unwrap(), "email/stop");
    assert_eq!(hq.post("/v1/auth/email/stop", None, json!({ "token": no })).await.status, StatusCode::NO_CONTENT);
    let stopped = hq.post("/v1/auth/email/confirm", None, json!({ "token": yes })).await;
    assert_eq!(stopped.status, StatusCode::UNPROCESSABLE_ENTITY);
    // Asked again, and confirmed.
    hq.post("/v1/me/email", Some(&token), ask("New@one.example", "correct horse")).await;
    let yes = link(&hq.mail_to("New@one.example").await.unwrap(), "email/confirm");
    let done = hq.post("/v1/auth/email/confirm", None, json!({ "token": yes })).await;
    assert_eq!(done.body["data"]["email"], "New@one.example", "{done:?}");
    assert_eq!(hq.login(EMAIL, "correct horse").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(hq.login("new@one.example", "correct horse").await.status, StatusCode::OK);
    assert!(hq.mail_to(EMAIL).await.unwrap().contains("New@one.example"), "the old address is told");
    let actions: Vec<String> = hq.record(tenant).await.into_iter().map(|(action, _)| action).collect();
    for action in ["account.email_change_asked", "account.email_change_stopped", "account.email_changed"] {
        assert!(actions.iter().any(|done| done == action), "{actions:?}");
    }
    // An address that became somebody's in the meantime: only its owner, who has the link, hears of it.
    hq.app.clock.advance_millis(16 * MINUTE);
    let token = text(&hq.login("new@one.example", "correct horse").await, "access_token");
    hq.post("/v1/me/email", Some(&token), ask("owner@two.example", "correct horse")).await;
    let yes = link(&hq.mail_to("owner@two.example").await.unwrap(), "email/confirm");
    let conflict = hq.post("/v1/auth/email/confirm", None, json!({ "token": yes })).await;
    assert_eq!((conflict.status.as_u16(), conflict.code()), (409, "CONFLICT"));
}

#[tokio::test]
async fn a_name_is_kept_and_shown_and_a_strange_one_refused() {
    let hq = Hq::new().await;
    let (_, token, _) = signed_in(&hq.app, &hq.router, "one").await;
    let rename = |name: Value| json!({ "name": name });
    let patch = async |body: Value| call(&hq.router, Method::PATCH, "/v1/me", Some(&token), &body).await;
    assert_eq!(patch(rename(json!("  María José "))).await.body["data"]["name"], "María José");
    assert_eq!(patch(rename(Value::Null)).await.body["data"]["name"], Value::Null);
    for strange in ["a\nb", &"x".repeat(121)] {
        assert_eq!(patch(rename(json!(strange))).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let over = patch(json!({ "name": "x", "email": "thief@x.example", "person_id": "0" })).await;
    assert_eq!(over.status, StatusCode::UNPROCESSABLE_ENTITY, "what is not ours to set is refused: {over:?}");
}

#[tokio::test]
async fn the_pages_of_an_account_lead_through_all_of_it() {
    let hq = Hq::new().await;
    tenants::service::create(&hq.app, "One", EMAIL, "correct horse").await.unwrap();
    let mut browser = Browser::signed_in(&hq.app, EMAIL, "correct horse").await;
    let csrf = browser.get("/me").await.hidden("csrf");
    let wrong = [("csrf", csrf.as_str()), ("current", "wrong"), ("new", "battery staple"), ("end_others", "1")];
    let page = browser.post("/me/password", &wrong).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.text.contains("This is not your present password"), "{}", page.text);
    assert!(!page.text.contains("battery staple"), "a password is never sent back");
    let right = [("csrf", csrf.as_str()), ("current", "correct horse"), ("new", "battery staple"), ("end_others", "1")];
    let page = browser.post("/me/password", &right).await;
    assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, "/me"));
    assert!(browser.get("/me").await.text.contains("Your password is changed"));
    let foreign = browser.post("/me/name", &[("csrf", "0"), ("name", "Thief")]).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    // Somebody who forgot it, in another browser.
    let mut other = Browser::new(&hq.app);
    let page = other.post("/forgot", &[("email", EMAIL)]).await;
    assert!(page.status == StatusCode::OK && page.text.contains("30 minutes"), "{}", page.text);
    let path = format!("/reset/{}", link(&hq.mail_to(EMAIL).await.unwrap(), "reset"));
    assert!(other.get(&path).await.text.contains("Set a new password"));
    assert!(other.get(&path).await.text.contains("Set a new password"), "looking does not use it up");
    let page = other.post(&path, &[("password", "qwertyuiop")]).await;
    assert!(page.text.contains("tried first"), "{}", page.text);
    let page = other.post(&path, &[("password", "another staple")]).await;
    assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, "/sign-in"));
    assert!(!other.cookies.contains_key("tillway"), "nobody is signed in by a link");
    assert_eq!(browser.get("/me").await.status, StatusCode::SEE_OTHER, "and everybody is out");
    assert!(other.get(&path).await.text.contains("no longer good"));
    Browser::signed_in(&hq.app, EMAIL, "another staple").await;
}
