//! Notices in the app: told, listed, read, and by mail too for those who want that.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{START, ground, owner, tell};
use crate::domain::notifications::types::{Kind, Notice};
use crate::http::docs;
use crate::http::testing::call;
use crate::jobs;
use crate::web::testing::Browser;

fn notice(number: usize) -> Notice {
    Notice::new(Kind::People, format!("News {number}"), "Somebody <b>joined</b>.").at("/shops")
}

#[tokio::test]
async fn a_person_reads_their_own_page_by_page_and_nobody_else_does() {
    let (_test, app, tenant, olga) = ground().await;
    owner(&app, "brewers").await;
    let router = docs::router(app.clone());
    let login = |email: &str| json!({ "email": email, "password": "a quiet horse battery" });
    let sign_in = async |email: &str| {
        let answer = call(&router, Method::POST, "/v1/auth/login", None, &login(email)).await;
        answer.body["data"]["access_token"].as_str().unwrap().to_owned()
    };
    let (ours, theirs) = (sign_in("owner@bakers.example").await, sign_in("owner@brewers.example").await);
    for number in 1..=5 {
        tell(&app, tenant, olga, &notice(number)).await;
        app.clock.advance_millis(1);
    }
    let get = async |path: &str, token: &str| call(&router, Method::GET, path, Some(token), &Value::Null).await.body;
    let mut titles: Vec<String> = Vec::new();
    let mut path = "/v1/notifications?limit=2".to_owned();
    let first = loop {
        let page = get(&path, &ours).await;
        titles.extend(page["data"].as_array().unwrap().iter().map(|told| told["title"].as_str().unwrap().to_owned()));
        match page["pagination"]["next_cursor"].as_str() {
            Some(next) => path = format!("/v1/notifications?limit=2&cursor={next}"),
            None => break page["data"][0]["id"].as_str().unwrap().to_owned(),
        }
    };
    assert_eq!(titles, ["News 5", "News 4", "News 3", "News 2", "News 1"]);
    assert_eq!(get("/v1/notifications/unread", &ours).await["data"]["unread"], 5);
    assert_eq!(get("/v1/notifications", &theirs).await["data"], json!([]), "another's are not theirs");

    let read = format!("/v1/notifications/{first}/read");
    let post = async |path: &str, token: &str| call(&router, Method::POST, path, Some(token), &json!({})).await;
    assert_eq!(post(&read, &theirs).await.status, StatusCode::NOT_FOUND);
    for _ in 0..2 {
        assert_eq!(post(&read, &ours).await.body["data"]["unread"], 4, "the second time changes nothing");
    }
    assert_eq!(post("/v1/notifications/read", &ours).await.body["data"]["unread"], 0);
    assert_eq!(get("/v1/notifications/unread", &ours).await["data"]["unread"], 0);
}

#[tokio::test]
async fn a_kind_comes_by_mail_too_for_whoever_chose_so_unless_they_have_read_it() {
    let (_test, app, tenant, olga) = ground().await;
    let router = docs::router(app.clone());
    let login = json!({ "email": "owner@bakers.example", "password": "a quiet horse battery" });
    let answer = call(&router, Method::POST, "/v1/auth/login", None, &login).await;
    let token = answer.body["data"]["access_token"].as_str().unwrap().to_owned();
    tell(&app, tenant, olga, &notice(1)).await;
    jobs::drain(&app).await.unwrap();
    assert_eq!(app.outbox.captured(), [], "this kind is not mailed unless chosen");

    let path = "/v1/notifications/preferences";
    let put = async |body: Value| call(&router, Method::PUT, path, Some(&token), &body).await;
    let silence = put(json!({ "people": true, "security": false })).await;
    assert_eq!((silence.status, silence.code()), (StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION"));
    tell(&app, tenant, olga, &notice(2)).await;
    jobs::drain(&app).await.unwrap();
    assert_eq!(app.outbox.captured(), [], "what was refused changed nothing");

    let chosen = put(json!({ "people": true })).await;
    assert_eq!(chosen.status, StatusCode::OK, "{chosen:?}");
    let people = chosen.body["data"].as_array().unwrap().iter().find(|choice| choice["kind"] == "people").unwrap();
    assert_eq!(people["by_mail"], true);
    tell(&app, tenant, olga, &notice(3)).await;
    jobs::drain(&app).await.unwrap();
    let sent = app.outbox.captured();
    assert_eq!((sent.len(), sent[0].subject.as_str()), (1, "bakers: News 3"));
    assert!(sent[0].text.contains("http://127.0.0.1:8080/shops"), "{}", sent[0].text);

    tell(&app, tenant, olga, &notice(4)).await;
    call(&router, Method::POST, "/v1/notifications/read", Some(&token), &json!({})).await;
    jobs::drain(&app).await.unwrap();
    assert_eq!(app.outbox.captured().len(), 1, "they have read it: no mail");
}

#[tokio::test]
async fn the_bell_counts_and_the_page_leads_on() {
    let (_test, app, tenant, olga) = ground().await;
    let mut browser = Browser::signed_in(&app, "owner@bakers.example", "a quiet horse battery").await;
    let page = browser.get("/notifications").await;
    assert!(page.status == StatusCode::OK && page.text.contains("Nothing yet"), "{page:?}");
    assert!(page.text.contains("aria-label=\"Notifications\""), "no number at the bell");
    for number in 1..=3 {
        tell(&app, tenant, olga, &notice(number)).await;
        app.clock.advance_millis(1);
    }
    assert!(browser.get("/shops").await.text.contains("aria-label=\"Notifications, 3 unread\""));
    let page = browser.get("/notifications").await;
    assert!(page.text.contains("Somebody &#60;b&#62;joined"), "{}", page.text);
    let csrf = page.hidden("csrf");
    let (_, rest) =
        page.text.split_once("action=\"/notifications/").filter(|(_, rest)| rest.starts_with("read\"")).unwrap();
    let (_, rest) = rest.split_once("action=\"/notifications/").unwrap();
    let read = format!("/notifications/{}", rest.split('"').next().unwrap());
    let opened = browser.post(&read, &[("csrf", &csrf)]).await;
    assert_eq!((opened.status, opened.location()), (StatusCode::SEE_OTHER, "/shops"));
    assert!(browser.get("/shops").await.text.contains("Notifications, 2 unread"));
    browser.post("/notifications/read", &[("csrf", &csrf)]).await;
    assert!(!browser.get("/shops").await.text.contains("unread\""));

    let saved = browser.post("/notifications/preferences", &[("csrf", &csrf), ("people", "on")]).await;
    assert_eq!(saved.location(), "/notifications");
    let page = browser.get("/notifications").await.text;
    assert!(
        page.contains("name=\"people\" checked>") && page.contains("name=\"security\" checked disabled>"),
        "{page}"
    );
    assert!(page.contains("name=\"tenant\">"), "what is not ticked is off: {page}");
}

#[tokio::test]
async fn notices_are_cut_to_their_bounds_and_go_when_their_time_is_over() {
    let (_test, app, tenant, olga) = ground().await;
    let long = Notice::new(Kind::Shops, "é".repeat(9_999), "x\r\n\0y".repeat(9_999)).at("//evil.example");
    tell(&app, tenant, olga, &long).await;
    tell(&app, tenant, olga, &Notice::new(Kind::Shops, "\0", "")).await;
    let mut tx = crate::db::TenantTx::begin(&app.db, tenant).await.unwrap();
    let service = crate::domain::notifications::service::list(&mut tx, olga, None, 10).await.unwrap();
    assert_eq!(service.notices.len(), 2);
    assert!(service.notices.iter().all(|told| told.href.is_none() && !told.title.is_empty()));
    const DAY: i64 = 24 * 3_600 * 1_000;
    let prune = crate::domain::notifications::service::prune;
    crate::domain::notifications::service::read_all(&mut tx, olga, START).await.unwrap();
    assert_eq!(prune(&mut tx, START.plus_millis(89 * DAY)).await.unwrap(), 0);
    assert_eq!(prune(&mut tx, START.plus_millis(91 * DAY)).await.unwrap(), 2);
}
