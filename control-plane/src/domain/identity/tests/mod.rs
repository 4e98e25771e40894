//! Signing in and out, on a real database.

mod account;
mod attack;
mod tokens;

use axum::Router;
use axum::http::{Method, StatusCode};
use protocol::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::throttle;
use crate::auth::token::ACCESS_SECONDS;
use crate::clock::Clock;
use crate::db::testing::TestDb;
use crate::domain::tenants;
use crate::http::docs;
use crate::http::testing::{Answer, call, signed_in};
use crate::jobs::housekeeping;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const DAY: i64 = 24 * 3_600 * 1_000;

struct Hq {
    _test: TestDb,
    app: App,
    router: Router,
}

impl Hq {
    async fn new() -> Self {
        let test = TestDb::new().await;
        let app = test.app(Clock::manual(NOW)).await;
        let router = docs::router(app.clone());
        Self { _test: test, app, router }
    }

    async fn login(&self, email: &str, password: &str) -> Answer {
        let body = json!({ "email": email, "password": password });
        call(&self.router, Method::POST, "/v1/auth/login", None, &body).await
    }

    async fn me(&self, token: &str) -> Answer {
        call(&self.router, Method::GET, "/v1/auth/me", Some(token), &Value::Null).await
    }

    async fn refresh(&self, token: &str) -> Answer {
        let body = json!({ "refresh_token": token });
        call(&self.router, Method::POST, "/v1/auth/refresh", None, &body).await
    }
}

fn text(answer: &Answer, field: &str) -> String {
    answer.body["data"][field].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_person_signs_in_and_out() {
    let hq = Hq::new().await;
    let (tenant, token, refresh) = signed_in(&hq.app, &hq.router, "one").await;
    let me = hq.me(&token).await;
    assert_eq!(me.status, StatusCode::OK, "{me:?}");
    assert_eq!(me.body["data"]["email"], "owner@one.example");
    assert_eq!(me.body["data"]["tenant"], json!({ "id": tenant, "name": "one" }));
    let out = call(&hq.router, Method::POST, "/v1/auth/logout", Some(&token), &Value::Null).await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    // At once, though the token has not expired.
    let me = hq.me(&token).await;
    assert_eq!((me.status.as_u16(), me.code()), (401, "AUTHN"));
    assert_eq!(hq.refresh(&refresh).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn every_wrong_sign_in_says_the_same() {
    let hq = Hq::new().await;
    signed_in(&hq.app, &hq.router, "one").await;
    let (other, _, _) = signed_in(&hq.app, &hq.router, "two").await;
    let unknown = hq.login("nobody@one.example", "correct horse").await;
    let wrong = hq.login("owner@one.example", "wrong horse").await;
    let body = json!({ "email": "OWNER@one.example ", "password": "correct horse", "tenant": other });
    let foreign = call(&hq.router, Method::POST, "/v1/auth/login", None, &body).await;
    assert_eq!((unknown.status.as_u16(), unknown.code()), (401, "AUTHN"));
    assert_eq!(unknown.body, wrong.body);
    assert_eq!(unknown.body, foreign.body);
    assert_eq!(hq.login("no address", "correct horse").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn the_sixth_try_in_fifteen_minutes_is_refused_even_if_it_is_right() {
    let hq = Hq::new().await;
    signed_in(&hq.app, &hq.router, "one").await;
    for _ in 0..throttle::TRIES {
        assert_eq!(hq.login("owner@one.example", "wrong horse").await.status, StatusCode::UNAUTHORIZED);
    }
    let sixth = hq.login("owner@one.example", "correct horse").await;
    assert_eq!((sixth.status.as_u16(), sixth.code()), (429, "RATE_LIMIT"));
    let wait: i64 = sixth.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((890..=901).contains(&wait), "{wait}");
    // Somebody else is not held up, and neither is the same person later.
    signed_in(&hq.app, &hq.router, "two").await;
    hq.app.clock.advance_millis(throttle::WINDOW_MILLIS);
    assert_eq!(hq.login("owner@one.example", "correct horse").await.status, StatusCode::OK);
    // Success forgets the tries.
    for _ in 0..throttle::TRIES {
        assert_eq!(hq.login("owner@one.example", "wrong horse").await.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn tries_at_once_count_as_many() {
    let hq = Hq::new().await;
    signed_in(&hq.app, &hq.router, "one").await;
    let all = futures_util::future::join_all((0..12).map(|_| hq.login("owner@one.example", "wrong horse"))).await;
    let tried = all.iter().filter(|answer| answer.status == StatusCode::UNAUTHORIZED).count();
    assert_eq!(tried, usize::try_from(throttle::TRIES).unwrap(), "{all:?}");
}

#[tokio::test]
async fn somebody_of_several_tenants_is_asked_which() {
    let hq = Hq::new().await;
    let one = tenants::service::create(&hq.app, "Alpha", "both@x.example", "correct horse").await.unwrap();
    let wrong = tenants::service::create(&hq.app, "Beta", "both@x.example", "another horse").await.unwrap_err();
    assert_eq!(wrong.status, StatusCode::CONFLICT);
    let two = tenants::service::create(&hq.app, "Beta", " BOTH@x.example", "correct horse").await.unwrap();
    assert_eq!(one.owner, two.owner);
    let which = hq.login("both@x.example", "correct horse").await;
    let tenants = json!([{ "id": one.tenant, "name": "Alpha" }, { "id": two.tenant, "name": "Beta" }]);
    assert_eq!(which.body, json!({ "data": { "tenants": tenants } }));
    let body = json!({ "email": "both@x.example", "password": "correct horse", "tenant": two.tenant });
    let chosen = call(&hq.router, Method::POST, "/v1/auth/login", None, &body).await;
    assert_eq!(chosen.body["data"]["tenant_id"], json!(two.tenant));
}

#[tokio::test]
async fn an_access_token_expires_and_a_forged_one_never_counts() {
    let hq = Hq::new().await;
    let (_, token, refresh) = signed_in(&hq.app, &hq.router, "one").await;
    let forged = {
        let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
        parts[2] = parts[2].chars().rev().collect();
        parts.join(".")
    };
    assert_eq!(hq.me(&forged).await.status, StatusCode::UNAUTHORIZED);
    // {"alg":"none"} with the same claims.
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", token.split('.').nth(1).unwrap());
    assert_eq!(hq.me(&unsigned).await.status, StatusCode::UNAUTHORIZED);
    hq.app.clock.advance_millis((ACCESS_SECONDS - 1) * 1_000);
    assert_eq!(hq.me(&token).await.status, StatusCode::OK);
    hq.app.clock.advance_millis(1_000);
    let expired = hq.me(&token).await;
    assert_eq!((expired.status.as_u16(), expired.code()), (401, "AUTHN"));
    let next = hq.refresh(&refresh).await;
    assert_eq!(hq.me(&text(&next, "access_token")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_refresh_token_that_comes_twice_ends_its_family() {
    let hq = Hq::new().await;
    let (_, _, first) = signed_in(&hq.app, &hq.router, "one").await;
    let (_, bystander, _) = signed_in(&hq.app, &hq.router, "two").await;
    let second = hq.refresh(&first).await;
    let (access, third) = (text(&second, "access_token"), text(&second, "refresh_token"));
    assert_ne!(first, third);
    assert_eq!(hq.me(&access).await.status, StatusCode::OK);
    let stolen = hq.refresh(&first).await;
    assert_eq!((stolen.status.as_u16(), stolen.code()), (401, "AUTHN"));
    assert_eq!(hq.refresh(&third).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(hq.me(&access).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(hq.me(&bystander).await.status, StatusCode::OK);
    for garbage in ["", "twr_", "twr_00_00", &first.replace("twr_0", "twr_1")] {
        assert_eq!(hq.refresh(garbage).await.status, StatusCode::UNAUTHORIZED, "{garbage}");
    }
}

#[tokio::test]
async fn of_two_refreshes_at_once_one_wins_and_the_family_ends() {
    let hq = Hq::new().await;
    let (_, token, refresh) = signed_in(&hq.app, &hq.router, "one").await;
    let (a, b) = tokio::join!(hq.refresh(&refresh), hq.refresh(&refresh));
    let won = [&a, &b].iter().filter(|answer| answer.status == StatusCode::OK).count();
    assert_eq!(won, 1, "{a:?} {b:?}");
    assert_eq!(hq.me(&token).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn sessions_end_by_age_and_are_removed_later() {
    let hq = Hq::new().await;
    let (_, _, idle) = signed_in(&hq.app, &hq.router, "one").await;
    let (_, _, mut busy) = signed_in(&hq.app, &hq.router, "two").await;
    for _ in 0..2 {
        hq.app.clock.advance_millis(10 * DAY);
        busy = text(&hq.refresh(&busy).await, "refresh_token");
        assert!(!busy.is_empty());
    }
    assert_eq!(hq.refresh(&idle).await.status, StatusCode::UNAUTHORIZED, "unused for 20 days");
    hq.app.clock.advance_millis(11 * DAY);
    assert_eq!(hq.refresh(&busy).await.status, StatusCode::UNAUTHORIZED, "older than 30 days");
    assert_eq!(housekeeping::once(&hq.app, hq.app.clock.now()).await.unwrap().sessions, 0);
    hq.app.clock.advance_millis(91 * DAY);
    assert_eq!(housekeeping::once(&hq.app, hq.app.clock.now()).await.unwrap().sessions, 2);
}

#[tokio::test]
async fn a_second_replica_believes_the_tokens_of_the_first() {
    let hq = Hq::new().await;
    let (_, token, _) = signed_in(&hq.app, &hq.router, "one").await;
    let replica = App::new(hq._test.another(), hq.app.clock.clone()).await.unwrap();
    let router = docs::router(replica);
    let me = call(&router, Method::GET, "/v1/auth/me", Some(&token), &Value::Null).await;
    assert_eq!(me.status, StatusCode::OK, "{me:?}");
}
