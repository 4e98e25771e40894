//! Every page asks who you are; sign-in, sign-out and forms hold against other sites; errors are pages for people.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use protocol::timestamp::Timestamp;

use super::testing::Browser;
use super::{Door, assets, page_routes};
use crate::app::App;
use crate::auth::throttle;
use crate::clock::Clock;
use crate::db::testing::TestDb;
use crate::domain::identity::rules::{PAGE_IDLE_MILLIS, PAGE_MILLIS, PAGE_NOTE_MILLIS};
use crate::domain::tenants;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const PASSWORD: &str = "correct horse";

async fn hq() -> (TestDb, App) {
    let test = TestDb::new().await;
    let app = test.app(Clock::manual(NOW)).await;
    tenants::service::create(&app, "Alpha", "owner@alpha.example", PASSWORD).await.unwrap();
    (test, app)
}

fn filled(path: &str) -> String {
    let part = |part: &str| match part {
        "{term}" | "{seq}" => "1".to_owned(),
        part if part.starts_with('{') => "00000000-0000-4000-8000-000000000000".to_owned(),
        part => part.to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_page_asks_who_you_are() {
    let (_test, app) = hq().await;
    let mut ended = Browser::signed_in(&app, "owner@alpha.example", PASSWORD).await;
    let mut leaving = ended.clone();
    let token = leaving.get("/").await.hidden("csrf");
    assert_eq!(leaving.post("/sign-out", &[("csrf", &token)]).await.location(), "/sign-in");
    let mut forged = ended.clone();
    forged.cookies.insert("tillway".to_owned(), format!("twp_{}_{}", "00".repeat(16), "11".repeat(32)));
    let mut nobody = Browser::new(&app);
    let mut guarded = 0;
    for route in page_routes().into_iter().filter(|route| route.door == Door::SignedIn) {
        let path = filled(&route.path);
        for (who, browser) in [("nobody", &mut nobody), ("ended", &mut ended), ("forged", &mut forged)] {
            let page = match route.method.as_str() {
                "GET" => browser.get(&path).await,
                _ => browser.post(&path, &[("csrf", &token)]).await,
            };
            assert_eq!(page.status, StatusCode::SEE_OTHER, "{who} {} {path}", route.method);
            assert!(page.location().starts_with("/sign-in"), "{who} {path}: {}", page.location());
        }
        guarded += 1;
    }
    assert!(guarded >= 5, "{guarded}");
    assert_eq!(nobody.get("/receipts?q=a%20b").await.location(), "/sign-in?next=/receipts%3fq%3da%2520b");
}

#[tokio::test]
async fn every_form_of_a_page_refuses_what_another_site_sends() {
    let (_test, app) = hq().await;
    let mut browser = Browser::signed_in(&app, "owner@alpha.example", PASSWORD).await;
    let token = browser.get("/").await.hidden("csrf");
    for route in page_routes().into_iter().filter(|route| route.method == "POST" && route.door == Door::SignedIn) {
        let path = filled(&route.path);
        for (site, token) in
            [("cross-site", token.as_str()), ("same-site", &token), ("same-origin", ""), ("same-origin", "f00")]
        {
            let mut browser = Browser { site, ..browser.clone() };
            let page = browser.post(&path, &[("csrf", token)]).await;
            if path.starts_with("/operator/") {
                // The platform's pages do not exist for a company's owner, wherever a form comes from.
                assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
                continue;
            }
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{path} from {site} with {token:?}");
            assert!(page.text.contains("was not sent by a page of head office"), "{path}");
        }
    }
    let mut login = Browser { site: "cross-site", ..Browser::new(&app) };
    let page = login.post("/sign-in", &[("email", "owner@alpha.example"), ("password", PASSWORD)]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(login.cookies.is_empty());
    assert_eq!(browser.get("/receipts").await.status, StatusCode::OK, "still signed in");
}

#[tokio::test]
async fn signing_in_leads_where_one_wanted_to_go_and_nowhere_else() {
    let (_test, app) = hq().await;
    let mut browser = Browser::new(&app);
    let page = browser.get("/sign-in?next=/receipts%3fdate%3d2010-12-01").await;
    assert_eq!((page.status, page.hidden("next").as_str()), (StatusCode::OK, "/receipts?date=2010-12-01"));
    for evil in
        ["//evil.example", "https://evil.example/", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)"]
    {
        let asked = format!("/sign-in?next={}", super::respond::encoded(evil));
        assert_eq!(browser.get(&asked).await.hidden("next"), "/", "{evil}");
        let fields = [("email", "owner@alpha.example"), ("password", PASSWORD), ("next", evil)];
        assert_eq!(browser.clone().post("/sign-in", &fields).await.location(), "/", "{evil}");
    }
    let fields = [("email", "owner@alpha.example"), ("password", PASSWORD), ("next", "/receipts?date=2010-12-01")];
    let page = browser.post("/sign-in", &fields).await;
    assert_eq!(page.location(), "/receipts?date=2010-12-01");
    let cookie = page.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly; SameSite=Lax; Max-Age=604800"), "{cookie}");
    let again = browser.get("/sign-in").await;
    assert_eq!(again.location(), "/", "who is in goes on");
    // Used every day, the session ends by age.
    let mut left = PAGE_MILLIS - 1;
    while left > 0 {
        let step = left.min(PAGE_IDLE_MILLIS - 1);
        app.clock.advance_millis(step);
        assert_eq!(browser.get("/").await.status, StatusCode::OK, "{left} ms before its end");
        left -= step;
    }
    app.clock.advance_millis(1);
    assert_eq!(browser.get("/").await.location(), "/sign-in");
}

#[tokio::test]
async fn a_session_that_nobody_uses_ends_though_its_page_looks_on() {
    let (_test, app) = hq().await;
    let mut used = Browser::signed_in(&app, "owner@alpha.example", PASSWORD).await;
    let mut left = Browser::signed_in(&app, "owner@alpha.example", PASSWORD).await;
    let hour = PAGE_IDLE_MILLIS / 12;
    for _ in 0..11 {
        app.clock.advance_millis(hour);
        assert_eq!(used.get("/receipts").await.status, StatusCode::OK);
        let stream = Request::builder().uri("/sales/live/events").header(header::ACCEPT, "text/event-stream");
        assert_eq!(left.ask(stream.body(Body::empty()).unwrap()).await.status(), StatusCode::OK);
    }
    app.clock.advance_millis(hour);
    assert_eq!(left.get("/receipts").await.location(), "/sign-in?next=/receipts");
    assert_eq!(used.get("/receipts").await.status, StatusCode::OK);
    // A note may be as old as PAGE_NOTE_MILLIS, and no older.
    app.clock.advance_millis(PAGE_NOTE_MILLIS + 1);
    assert_eq!(used.get("/receipts").await.status, StatusCode::OK);
    app.clock.advance_millis(PAGE_IDLE_MILLIS - 1);
    assert_eq!(used.get("/receipts").await.status, StatusCode::OK);
    app.clock.advance_millis(PAGE_IDLE_MILLIS);
    assert_eq!(used.get("/receipts").await.location(), "/sign-in?next=/receipts");
}

#[tokio::test]
async fn the_host_of_a_form_is_the_proxy_s_word_only_where_there_is_one() {
    let (_test, mut app) = hq().await;
    for (trusted, forwarded, expected) in [
        (false, "evil.example", StatusCode::FORBIDDEN),
        (true, "evil.example", StatusCode::SEE_OTHER),
        (true, "hq", StatusCode::FORBIDDEN),
    ] {
        app.trust_forwarded = trusted;
        let form = format!("email=owner%40alpha.example&password={}", PASSWORD.replace(' ', "+"));
        let request = Request::post("/sign-in").header("content-type", "application/x-www-form-urlencoded");
        let request = request.header("origin", "https://evil.example").header("host", "hq");
        let request = request.header("x-forwarded-host", forwarded).body(Body::from(form)).unwrap();
        assert_eq!(Browser::new(&app).ask(request).await.status(), expected, "{trusted} {forwarded}");
    }
}

#[tokio::test]
async fn a_wrong_password_says_so_and_the_sixth_try_waits() {
    let (_test, app) = hq().await;
    let mut browser = Browser::new(&app);
    let hostile = "\"><script>alert(1)</script>@x.example";
    let page = browser.post("/sign-in", &[("email", hostile), ("password", "x")]).await;
    assert!(page.text.contains("&#60;script&#62;") && !page.text.contains("<script>alert"), "{}", page.text);
    for _ in 0..throttle::TRIES {
        let page = browser.post("/sign-in", &[("email", "owner@alpha.example"), ("password", "wrong")]).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED);
        assert!(page.text.contains("e-mail or the password is wrong"), "{}", page.text);
    }
    let page = browser.post("/sign-in", &[("email", "owner@alpha.example"), ("password", PASSWORD)]).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(page.text.contains("Wait 15 min") || page.text.contains("Wait 16 min"), "{}", page.text);
    assert!(page.headers.contains_key(header::RETRY_AFTER) && browser.cookies.is_empty());
}

#[tokio::test]
async fn somebody_of_several_companies_chooses_one_and_only_one_of_theirs() {
    let (test, app) = hq().await;
    let beta = tenants::service::create(&app, "Beta", "owner@alpha.example", PASSWORD).await.unwrap();
    let foreign = tenants::service::create(&app, "Gamma", "other@gamma.example", PASSWORD).await.unwrap();
    let mut browser = Browser::new(&app);
    let fields = [("email", "owner@alpha.example"), ("password", PASSWORD), ("next", "/receipts")];
    let page = browser.post("/sign-in", &fields).await;
    assert!(page.text.contains("Which company?") && browser.cookies.is_empty());
    let ticket = page.hidden("ticket");
    let foreign = foreign.tenant.to_string();
    let refused = browser.post("/sign-in/company", &[("ticket", &ticket), ("tenant", &foreign)]).await;
    assert_eq!(refused.location(), "/sign-in");
    assert!(!browser.cookies.contains_key("tillway"));
    // The ticket opens nothing but the choice.
    let bearer = format!("Bearer {ticket}");
    let headers = [("authorization", bearer.as_str())];
    let method = axum::http::Method::GET;
    let api = crate::http::testing::ask(&browser.router, method, "/v1/auth/me", &headers, Body::empty());
    assert_eq!(api.await.status, StatusCode::UNAUTHORIZED);
    let tenant = beta.tenant.to_string();
    let fields = [("ticket", ticket.as_str()), ("tenant", &tenant), ("next", "/receipts")];
    let chosen = browser.post("/sign-in/company", &fields).await;
    assert_eq!(chosen.location(), "/receipts");
    assert!(browser.get("/").await.text.contains("<b>Beta</b>"));
    // Who took the account back with a new password finds nobody still choosing with the old one.
    let fields = [("email", "owner@alpha.example"), ("password", PASSWORD)];
    let mut thief = Browser::new(&app);
    let ticket = thief.post("/sign-in", &fields).await.hidden("ticket");
    sqlx::query("UPDATE platform.passwords SET phc = 'another' WHERE phc IS NOT NULL")
        .execute(&mut test.superuser().await)
        .await
        .unwrap();
    let late = thief.post("/sign-in/company", &[("ticket", &ticket), ("tenant", &tenant)]).await;
    assert_eq!(late.location(), "/sign-in");
    assert!(!thief.cookies.contains_key("tillway"));
}

#[tokio::test]
async fn a_token_of_the_api_is_no_ticket_of_the_pages() {
    let (_test, app) = hq().await;
    let foreign = tenants::service::create(&app, "Gamma", "other@gamma.example", PASSWORD).await.unwrap();
    let foreign = foreign.tenant.to_string();
    let browser = Browser::new(&app);
    let login = serde_json::json!({ "email": "other@gamma.example", "password": PASSWORD });
    let login =
        crate::http::testing::call(&browser.router, axum::http::Method::POST, "/v1/auth/login", None, &login).await;
    let token = login.body["data"]["access_token"].as_str().unwrap();
    let mut other = Browser::new(&app);
    let page = other.post("/sign-in/company", &[("ticket", token), ("tenant", &foreign)]).await;
    assert_eq!(page.location(), "/sign-in");
    assert!(!other.cookies.contains_key("tillway"));
}

#[tokio::test]
async fn pages_carry_their_headers_and_every_file_they_name_is_there() {
    let (_test, app) = hq().await;
    let mut browser = Browser::signed_in(&app, "owner@alpha.example", PASSWORD).await;
    let mut files = std::collections::BTreeSet::new();
    for path in ["/", "/receipts", "/nowhere"] {
        let page = browser.get(path).await;
        let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(page.headers[header::REFERRER_POLICY], "same-origin");
        assert_eq!(page.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(page.headers[header::CACHE_CONTROL], "no-store");
        for mark in [" style=\"", " onclick=", "<script>", "<style"] {
            assert!(!page.text.contains(mark), "{path}: {mark} would not run under the policy");
        }
        let named = page.text.split('"').filter(|text| text.starts_with("/assets/"));
        files.extend(named.map(str::to_owned));
    }
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        let answer = Browser::new(&app).get(&file).await;
        assert_eq!(answer.status, StatusCode::OK, "{file}");
        assert_eq!(answer.headers[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
    }
    let css = assets::asset("app.css");
    let old = css.replace("/assets/", "/assets/0");
    assert_eq!(browser.get(&old).await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.get("/assets/x/../../../Cargo.toml").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn errors_are_pages_for_people_and_json_for_programs() {
    let (_test, app) = hq().await;
    let mut browser = Browser::signed_in(&app, "owner@alpha.example", PASSWORD).await;
    let page = browser.get("/nowhere").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(page.text.contains("This page is not here") && page.text.contains("<!doctype html>"), "{}", page.text);
    let page = browser.get("/sign-out").await;
    assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(page.text.contains("<!doctype html>") && page.headers.contains_key(header::ALLOW));
    let page = browser.get("/v1/nowhere").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(page.text.starts_with("{\"error\":"), "{}", page.text);
    let page = browser.get("/receipts?date=tomorrow").await;
    assert!(page.status == StatusCode::OK && page.text.contains("tomorrow"), "{}", page.text);
    // An address that storms hears it as a page.
    let mut slowed = None;
    for _ in 0..3_000 {
        let page = browser.get("/healthz").await;
        if page.status == StatusCode::TOO_MANY_REQUESTS {
            // On a slow machine a place has come free again meanwhile.
            slowed = Some(browser.get("/").await).filter(|page| page.status == StatusCode::TOO_MANY_REQUESTS);
        }
        if slowed.is_some() {
            break;
        }
    }
    let page = slowed.unwrap();
    assert!(page.status == StatusCode::TOO_MANY_REQUESTS && page.text.contains("A little slower"), "{}", page.text);
}
