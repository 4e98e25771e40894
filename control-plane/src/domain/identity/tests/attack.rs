//! Many tries to sign in: from everywhere against one person, from one place against many, and with far too much.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use futures_util::{StreamExt as _, stream};
use serde_json::json;

use super::{Hq, text};
use crate::auth::throttle::{TRIES, TRIES_OF_ADDRESS, TRIES_OF_EMAIL, WINDOW_MILLIS};
use crate::http::docs;
use crate::http::testing::{Answer, ask, signed_in};
use crate::web::testing::Browser;

/// Head office behind a proxy that is believed, so that a test may come from anywhere.
async fn open() -> Hq {
    let mut hq = Hq::new().await;
    hq.app.trust_forwarded = true;
    hq.router = docs::router(hq.app.clone());
    hq
}

impl Hq {
    async fn login_from(&self, address: &str, email: &str, password: &str) -> Answer {
        let headers = [("content-type", "application/json"), ("x-forwarded-for", address)];
        let body = json!({ "email": email, "password": password }).to_string();
        ask(&self.router, Method::POST, "/v1/auth/login", &headers, Body::from(body)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_tries_from_everywhere_cost_twenty_hashes_and_do_not_lock_the_owner_out() {
    let hq = open().await;
    signed_in(&hq.app, &hq.router, "one").await;
    let email = "owner@one.example";
    let home = "198.51.100.7";
    assert_eq!(hq.login_from(home, email, "correct horse").await.status, StatusCode::OK);
    let mut browser = Browser::signed_in(&hq.app, email, "correct horse").await;
    let before = hq.app.hasher.made();
    let tries = stream::iter(0..10_000_u32).map(|n| {
        let address = format!("203.{}.{}.9", n / 250, n % 250);
        let hq = &hq;
        async move { hq.login_from(&address, email, &format!("guess number {n}")).await.status }
    });
    let answers: Vec<StatusCode> = tries.buffer_unordered(16).collect().await;
    let hashed = hq.app.hasher.made() - before;
    assert_eq!(
        hashed,
        u64::try_from(TRIES_OF_EMAIL).unwrap(),
        "the others were refused before the password was looked at"
    );
    let refused = answers.iter().filter(|status| **status == StatusCode::TOO_MANY_REQUESTS).count();
    assert_eq!(refused, 10_000 - usize::try_from(TRIES_OF_EMAIL).unwrap());
    // From a place where nobody was before even the right password waits, with the time to wait.
    let strange = hq.login_from("192.0.2.200", email, "correct horse").await;
    assert_eq!((strange.status.as_u16(), strange.code()), (429, "RATE_LIMIT"));
    assert!(strange.headers.contains_key("retry-after"), "{strange:?}");
    // At home, and in the browser of before wherever it is now, the owner gets in.
    assert_eq!(hq.login_from(home, email, "correct horse").await.status, StatusCode::OK);
    browser.cookies.remove("tillway");
    let fields = [("email", email), ("password", "correct horse")];
    let page = browser.post("/sign-in", &fields).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{page:?}");
    hq.app.clock.advance_millis(WINDOW_MILLIS);
    assert_eq!(hq.login_from("192.0.2.200", email, "correct horse").await.status, StatusCode::OK);
}

#[tokio::test]
async fn one_address_that_tries_everybody_is_stopped_and_a_success_does_not_count() {
    let hq = open().await;
    signed_in(&hq.app, &hq.router, "one").await;
    let thief = "203.0.113.66";
    // Every success is taken off again: an office of many people behind one address is no attack.
    for _ in 0..3 {
        assert_eq!(hq.login_from(thief, "owner@one.example", "correct horse").await.status, StatusCode::OK);
    }
    let before = hq.app.hasher.made();
    let mut refused = 0;
    for n in 0..TRIES_OF_ADDRESS + 20 {
        // An in-process gate of requests would stop it earlier; what is counted here holds for all replicas.
        hq.app.gates.forget();
        let answer = hq.login_from(thief, &format!("somebody{n}@one.example"), "one guess each").await;
        refused += i32::from(answer.status == StatusCode::TOO_MANY_REQUESTS);
    }
    let hashed = i32::try_from(hq.app.hasher.made() - before).unwrap();
    // The first sign-in came from a place that was not known yet: taken back. The others were known, and did not count.
    assert_eq!((hashed, refused), (TRIES_OF_ADDRESS, 20));
    assert_eq!(hq.login_from("203.0.113.67", "owner@one.example", "correct horse").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_known_browser_has_tries_of_its_own_and_they_end_too() {
    let hq = open().await;
    signed_in(&hq.app, &hq.router, "one").await;
    let mut browser = Browser::signed_in(&hq.app, "owner@one.example", "correct horse").await;
    let kept = browser.cookies["tillway-browser"].clone();
    browser.cookies.remove("tillway");
    let wrong = [("email", "owner@one.example"), ("password", "wrong horse")];
    // Somebody else at the same address uses up theirs.
    let mut other = Browser::new(&hq.app);
    for _ in 0..TRIES {
        assert_eq!(other.post("/sign-in", &wrong).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(other.post("/sign-in", &wrong).await.status, StatusCode::TOO_MANY_REQUESTS);
    for _ in 0..TRIES {
        assert_eq!(browser.post("/sign-in", &wrong).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(browser.post("/sign-in", &wrong).await.status, StatusCode::TOO_MANY_REQUESTS);
    // The cookie of one person is no key to another's account.
    signed_in(&hq.app, &hq.router, "two").await;
    other.cookies.insert("tillway-browser".to_owned(), kept);
    let page = other.post("/sign-in", &[("email", "owner@two.example"), ("password", "wrong horse")]).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_password_of_a_megabyte_is_refused_at_once_and_in_words() {
    let hq = Hq::new().await;
    let (_, token, _) = signed_in(&hq.app, &hq.router, "one").await;
    let before = hq.app.hasher.made();
    let huge = "x".repeat(1_000_000);
    let answer = hq.login("owner@one.example", &huge).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (422, "VALIDATION"), "{:?}", answer.body);
    assert_eq!(answer.body["error"]["details"]["field"], "password");
    assert_eq!(hq.app.hasher.made(), before, "nothing was hashed");
    // And it counted as no try.
    for _ in 0..TRIES {
        assert_eq!(hq.login("owner@one.example", &huge).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert!(!text(&hq.login("owner@one.example", "correct horse").await, "access_token").is_empty());
    assert_eq!(hq.me(&token).await.status, StatusCode::OK);
}
