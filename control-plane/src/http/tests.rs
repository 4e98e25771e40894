//! Every rejection has one shape; every answer its headers; a write happens once.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, StatusCode};
use axum::routing::get;
use protocol::timestamp::Timestamp;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::openapi::Known;
use super::testing::{ask, call, signed_in};
use super::{docs, layers, openapi};
use crate::app::App;
use crate::clock::Clock;
use crate::db::testing::TestDb;
use crate::db::{Db, Limits, TenantTx, Urls};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

async fn hq() -> (TestDb, App, Router) {
    let test = TestDb::new().await;
    let app = test.app(Clock::manual(NOW)).await;
    let router = docs::router(app.clone());
    (test, app, router)
}

#[tokio::test]
async fn every_rejection_has_the_same_shape() {
    let (_test, app, router) = hq().await;
    let (_, token, _) = signed_in(&app, &router, "one").await;
    let bearer = format!("Bearer {token}");
    let auth = ("authorization", bearer.as_str());
    let json_type = ("content-type", "application/json");
    let long = "x".repeat(129);
    let shop = r#"{"name":"A","timezone":"Europe/London","currency":"GBP"}"#;
    type Case<'a> = (&'a str, Method, &'a str, Vec<(&'a str, &'a str)>, Body, u16, &'a str);
    let cases: Vec<Case<'_>> = vec![
        ("unknown route", Method::GET, "/v1/nothing", vec![auth], Body::empty(), 404, "NOT_FOUND"),
        ("outside the API", Method::GET, "/wp-admin.php", vec![], Body::empty(), 404, "NOT_FOUND"),
        ("method", Method::DELETE, "/v1/shops", vec![auth], Body::empty(), 405, "VALIDATION"),
        ("nobody", Method::GET, "/v1/shops", vec![], Body::empty(), 401, "AUTHN"),
        ("not bearer", Method::GET, "/v1/shops", vec![("authorization", "Basic abc")], Body::empty(), 401, "AUTHN"),
        ("garbage", Method::GET, "/v1/shops", vec![("authorization", "Bearer a.b.c")], Body::empty(), 401, "AUTHN"),
        ("no JSON", Method::POST, "/v1/shops", vec![auth, json_type], Body::from("{"), 400, "VALIDATION"),
        ("empty", Method::POST, "/v1/shops", vec![auth, json_type], Body::empty(), 400, "VALIDATION"),
        ("random", Method::POST, "/v1/shops", vec![auth, json_type], Body::from(vec![0xff; 999]), 400, "VALIDATION"),
        ("other shape", Method::POST, "/v1/shops", vec![auth, json_type], Body::from("[]"), 422, "VALIDATION"),
        (
            "wrong type",
            Method::POST,
            "/v1/shops",
            vec![auth, json_type],
            Body::from(r#"{"name":1}"#),
            422,
            "VALIDATION",
        ),
        (
            "unknown field",
            Method::POST,
            "/v1/shops",
            vec![auth, json_type],
            Body::from(r#"{"tenant_id":1}"#),
            422,
            "VALIDATION",
        ),
        ("no type", Method::POST, "/v1/shops", vec![auth], Body::from(shop), 415, "VALIDATION"),
        (
            "key",
            Method::POST,
            "/v1/shops",
            vec![auth, json_type, ("idempotency-key", &long)],
            Body::from(shop),
            400,
            "VALIDATION",
        ),
        (
            "empty key",
            Method::POST,
            "/v1/shops",
            vec![auth, json_type, ("idempotency-key", "")],
            Body::from(shop),
            400,
            "VALIDATION",
        ),
        ("bad id", Method::GET, "/v1/shops/7", vec![auth], Body::empty(), 404, "NOT_FOUND"),
        (
            "no such id",
            Method::GET,
            "/v1/shops/00000000-0000-4000-8000-000000000000",
            vec![auth],
            Body::empty(),
            404,
            "NOT_FOUND",
        ),
        ("2 MB", Method::POST, "/v1/shops", vec![auth, json_type], Body::from(vec![b'1'; 2 << 20]), 413, "VALIDATION"),
    ];
    for (what, method, path, headers, body, status, code) in cases {
        let answer = ask(&router, method, path, &headers, body).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{what}: {answer:?}");
        let message = answer.body["error"]["message"].as_str().unwrap();
        assert!(!message.is_empty() && !message.contains("sqlx"), "{what}: {message}");
        assert!(answer.headers.contains_key("x-request-id"), "{what}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{what}");
        assert_eq!(answer.headers["content-security-policy"], "default-src 'none'; frame-ancestors 'none'", "{what}");
        if status == 401 {
            assert_eq!(answer.headers["www-authenticate"], "Bearer", "{what}");
        }
        if status == 405 {
            assert!(answer.headers.contains_key("allow"), "{what}");
        }
    }
}

#[tokio::test]
async fn a_hundred_megabytes_are_read_to_the_end_and_refused() {
    let (_test, app, router) = hq().await;
    let (_, token, _) = signed_in(&app, &router, "one").await;
    let chunk = bytes::Bytes::from(vec![b' '; 1 << 20]);
    let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&sent);
    let stream = futures_util::stream::iter((0..100).map(move |_| {
        counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Ok::<_, std::io::Error>(chunk.clone())
    }));
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let answer = ask(&router, Method::POST, "/v1/shops", &headers, Body::from_stream(stream)).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (413, "VALIDATION"));
    assert_eq!(sent.load(std::sync::atomic::Ordering::SeqCst), 100, "the client could send all of it");
}

#[tokio::test]
async fn a_panic_in_a_handler_is_caught_and_says_nothing() {
    let (_test, app, _) = hq().await;
    async fn trip() -> &'static str {
        panic!("a secret of the inside")
    }
    let router = Router::new().route("/trip", get(trip));
    let router = layers::wrap(router, &app, Known::default()).with_state(app);
    let answer = ask(&router, Method::GET, "/trip", &[], Body::empty()).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (500, "INTERNAL"));
    assert!(!answer.body.to_string().contains("secret"), "{answer:?}");
}

#[tokio::test]
async fn without_a_database_the_answer_is_come_back_later() {
    let (test, _, _) = hq().await;
    let nowhere = test.urls().app.socket("/nonexistent");
    let mut app = test.app(Clock::System).await;
    app.db = Db::open(&Urls { app: nowhere.clone(), platform: nowhere }, Limits::default());
    let router = docs::router(app);
    let login = json!({ "email": "a@b.c", "password": "correct horse" });
    for (method, path, body) in [(Method::GET, "/readyz", Value::Null), (Method::POST, "/v1/auth/login", login)] {
        let answer = call(&router, method, path, None, &body).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (503, "INTERNAL"), "{path}");
        assert!(answer.headers.contains_key("retry-after"), "{path}");
    }
    let answer = ask(&router, Method::GET, "/healthz", &[], Body::empty()).await;
    assert_eq!(answer.status, StatusCode::OK, "the process lives all the same");
}

#[tokio::test]
async fn a_write_under_a_key_happens_once() {
    let (_test, app, router) = hq().await;
    let (tenant, token, _) = signed_in(&app, &router, "one").await;
    let (_, other, _) = signed_in(&app, &router, "two").await;
    let post = async |token: &str, key: &str, name: &str| {
        let bearer = format!("Bearer {token}");
        let headers =
            [("authorization", bearer.as_str()), ("content-type", "application/json"), ("idempotency-key", key)];
        let body = json!({ "name": name, "timezone": "Europe/London", "currency": "GBP" });
        ask(&router, Method::POST, "/v1/shops", &headers, Body::from(body.to_string())).await
    };
    let first = post(&token, "k1", "A").await;
    assert_eq!(first.status, StatusCode::CREATED);
    let again = post(&token, "k1", "A").await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    // A kept answer may hold what is shown once: in the table it is sealed.
    let mut tx = TenantTx::begin(&app.db, tenant).await.unwrap();
    let kept: String =
        sqlx::query_scalar("SELECT reply::text FROM app.idempotency").fetch_one(tx.conn()).await.unwrap();
    assert!(kept.len() > 200 && !kept.contains("Europe/London"), "{kept}");
    drop(tx);
    let changed = post(&token, "k1", "B").await;
    assert_eq!((changed.status.as_u16(), changed.code()), (409, "CONFLICT"));
    // The key of one tenant says nothing to another.
    assert_eq!(post(&other, "k1", "A").await.status, StatusCode::CREATED);
    // A refusal keeps nothing: the same key may be used once the request is right.
    assert_eq!(post(&token, "k2", "").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(post(&token, "k2", "C").await.status, StatusCode::CREATED);
    // Many at once make one.
    let all = futures_util::future::join_all((0..6).map(|_| post(&token, "k3", "D"))).await;
    assert!(all.iter().all(|answer| answer.status == StatusCode::CREATED && answer.body == all[0].body), "{all:?}");
    let list = call(&router, Method::GET, "/v1/shops", Some(&token), &Value::Null).await;
    assert_eq!(list.body["data"].as_array().unwrap().len(), 3, "{list:?}");
}

#[tokio::test]
async fn the_document_lists_the_routes_and_the_page_shows_it() {
    let (_test, _, router) = hq().await;
    let answer = ask(&router, Method::GET, "/v1/openapi.json", &[], Body::empty()).await;
    assert!(answer.body["paths"]["/v1/auth/login"]["post"].is_object());
    assert!(answer.body["components"]["securitySchemes"]["bearer"].is_object());
    for (method, path) in docs::routes_of_all() {
        assert!(answer.body["paths"][&path][method.to_ascii_lowercase()].is_object(), "{method} {path}");
    }
    let request = axum::http::Request::builder().uri("/docs/").body(Body::empty()).unwrap();
    let page = router.clone().oneshot(request).await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let bytes = axum::body::to_bytes(page.into_body(), 1 << 20).await.unwrap();
    assert!(String::from_utf8_lossy(&bytes).contains("swagger-ui"));
}

#[tokio::test]
async fn every_route_but_the_public_ones_asks_who_you_are() {
    let (_test, _, router) = hq().await;
    // Which are open is in the document, and so in its snapshot; the isolation suite wants a reason for each.
    let document = docs::document();
    let mut guarded = 0;
    for (method, path) in docs::routes_of_all() {
        if openapi::is_open(&document["paths"][&path][method.to_ascii_lowercase()]) {
            continue;
        }
        let id = "00000000-0000-4000-8000-000000000000";
        let address: Vec<&str> = path
            .split('/')
            .map(|part| if part.starts_with('{') { if part.contains("id") { id } else { "1" } } else { part })
            .collect();
        let method: Method = method.parse().unwrap();
        let answer = call(&router, method.clone(), &address.join("/"), None, &json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (401, "AUTHN"), "{method} {path}");
        guarded += 1;
    }
    assert!(guarded >= 6, "{guarded}");
}

#[tokio::test]
async fn an_address_that_storms_is_slowed_down() {
    let (_test, _, router) = hq().await;
    let mut slowed = None;
    for _ in 0..3_000 {
        let answer = ask(&router, Method::GET, "/healthz", &[], Body::empty()).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            slowed = Some(answer);
            break;
        }
    }
    let answer = slowed.unwrap();
    assert_eq!(answer.code(), "RATE_LIMIT");
    assert!(answer.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn invented_methods_are_one_row_in_the_graphs() {
    let (_test, _app, router) = hq().await;
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _here = metrics::set_default_local_recorder(&recorder);
    for number in 0..50 {
        let method = Method::from_bytes(format!("INVENTED{number}").as_bytes()).unwrap();
        let answer = ask(&router, method, "/healthz", &[], Body::empty()).await;
        assert_eq!(answer.status, 405);
    }
    let told = metrics.render();
    assert!(told.contains("method=\"other\",route=\"/healthz\",status=\"405\"} 50"), "{told}");
    assert!(!told.contains("INVENTED"), "{told}");
}
