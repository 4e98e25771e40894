//! What holds for every operation there is, whoever wrote it: read from the router's own list.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method};
use protocol::timestamp::Timestamp;
use serde_json::Value;

use super::testing::{Answer, ask, signed_in};
use super::{docs, openapi};
use crate::app::App;
use crate::clock::Clock;
use crate::db::testing::TestDb;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
/// Words that only our inside knows.
const INSIDE: &[&str] = &[
    "sqlx",
    "postgres",
    "panic",
    "struct ",
    "expected enum",
    "src/",
    ".rs:",
    "constraint",
    "relation ",
    "app.",
    "platform.",
    "tw_",
    "serde",
    "deserialize",
    "axum",
    "hyper",
    "tokio",
    "RUST",
    "::",
];
const NOWHERE: &str = "00000000-0000-4000-8000-000000000000";

async fn hq() -> (TestDb, App, Router) {
    let test = TestDb::new().await;
    let app = test.app(Clock::manual(NOW)).await;
    let router = docs::router(app.clone());
    (test, app, router)
}

/// An address of the route: ids that name nothing, numbers, and `text` for the rest.
fn address(path: &str, text: &str) -> String {
    let part = |part: &str| match part {
        _ if !part.starts_with('{') => part.to_owned(),
        "{term}" | "{seq}" | "{version}" => "1".to_owned(),
        _ if part.contains("id") => NOWHERE.to_owned(),
        _ => text.to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// A refusal in our shape that tells nothing of the inside; or a success.
fn sound(answer: &Answer, what: &str) {
    let status = answer.status.as_u16();
    // Nothing here serves nodes: there is no device CA to make claims with.
    let no_ca = answer.body.to_string().contains("device CA");
    assert!(status < 500 || no_ca, "{what}: {answer:?}");
    assert!(answer.headers.contains_key("x-request-id"), "{what}");
    if status < 400 || no_ca {
        return;
    }
    let code = match status {
        400 | 405 | 413 | 415 | 422 | 428 => "VALIDATION",
        401 => "AUTHN",
        403 => "AUTHZ",
        404 => "NOT_FOUND",
        409 | 412 => "CONFLICT",
        429 => "RATE_LIMIT",
        other => panic!("{what}: nobody said anything about {other}"),
    };
    assert_eq!(answer.code(), code, "{what}: {answer:?}");
    let message = answer.body["error"]["message"].as_str().unwrap_or_default();
    assert!(message.len() > 5, "{what}: {answer:?}");
    // The name of a permission is no table's.
    let permission = answer.body["error"]["details"]["permission"].as_str().unwrap_or("no permission");
    let said = answer.body.to_string().replace(permission, "");
    for word in INSIDE {
        assert!(!said.contains(word), "{what} tells {word:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bad_input_of_any_route_is_our_fault_or_tells_of_the_inside() {
    let (_test, app, router) = hq().await;
    let mut tried = 0;
    let mut bearer = String::new();
    for (number, (method, path)) in docs::routes_of_all().into_iter().enumerate() {
        // Some routes end the session, or more: then somebody else goes on.
        let me = ask(&router, Method::GET, "/v1/auth/me", &[("authorization", &bearer)], Body::empty()).await;
        if me.status != 200 {
            let (_, token, _) = signed_in(&app, &router, &format!("t{number}")).await;
            bearer = format!("Bearer {token}");
        }
        let method: Method = method.parse().unwrap();
        let json_type = ("content-type", "application/json");
        let good = [("authorization", bearer.as_str()), json_type, ("if-match", "*")];
        let bodies: [(&str, &[u8]); 14] = [
            ("nothing", b""),
            ("half", b"{\"a\":"),
            ("null", b"null"),
            ("a list", b"[]"),
            ("a text", b"\"x\""),
            ("a number", b"1e999"),
            ("an empty object", b"{}"),
            ("an unknown field", b"{\"tenant_id\":\"x\",\"is_admin\":true}"),
            ("a NUL", b"{\"name\":\"a\\u0000b\",\"email\":\"a\\u0000@b.example\",\"password\":\"\\u0000\"}"),
            ("half a pair", b"{\"name\":\"\\ud800\"}"),
            ("no UTF-8", b"{\"name\":\"\xff\xfe\"}"),
            ("wrong kinds", b"{\"name\":1,\"email\":[],\"code\":{},\"role\":7,\"unit_price\":1.5,\"limit\":-1}"),
            ("twice", b"{\"name\":\"a\",\"name\":\"b\"}"),
            ("deep", b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["),
        ];
        for (what, body) in bodies {
            let what = format!("{method} {path} with {what}");
            let answer = ask(&router, method.clone(), &address(&path, "x"), &good, Body::from(body)).await;
            sound(&answer, &what);
            tried += 1;
        }
        for (what, place) in [
            ("a NUL", address(&path, "%00")),
            ("no UTF-8", address(&path, "%ff%fe")),
            ("a long part", address(&path, &"x".repeat(3_000))),
            (
                "another kind",
                path.split('/')
                    .map(|part| if part.starts_with('{') { "x" } else { part })
                    .collect::<Vec<_>>()
                    .join("/"),
            ),
            (
                "a huge number",
                path.split('/')
                    .map(|part| if part.starts_with('{') { "99999999999999999999" } else { part })
                    .collect::<Vec<_>>()
                    .join("/"),
            ),
            ("an unknown query", format!("{}?nothing=1", address(&path, "x"))),
            ("an odd query", format!("{}?limit=x&cursor=%00&shop_id=7&from=x&q=%00", address(&path, "x"))),
            ("a bad cursor", format!("{}?cursor=00", address(&path, "x"))),
            ("a bad limit", format!("{}?limit=0", address(&path, "x"))),
        ] {
            let answer = ask(&router, method.clone(), &place, &good, Body::from("{}")).await;
            sound(&answer, &format!("{method} {path} with {what}"));
            tried += 1;
        }
        for (what, headers) in [
            ("no token", vec![json_type]),
            ("alg none", vec![("authorization", "Bearer eyJhbGciOiJub25lIn0.e30."), json_type]),
            ("no type", vec![("authorization", bearer.as_str()), ("if-match", "*")]),
            ("xml", vec![("authorization", bearer.as_str()), ("content-type", "text/xml"), ("if-match", "*")]),
            ("an odd tag", vec![("authorization", bearer.as_str()), json_type, ("if-match", "7")]),
            ("an odd key", vec![("authorization", bearer.as_str()), json_type, ("idempotency-key", "")]),
            ("a key of two words", vec![("authorization", bearer.as_str()), json_type, ("idempotency-key", "a b")]),
        ] {
            let answer = ask(&router, method.clone(), &address(&path, "x"), &headers, Body::from("{}")).await;
            sound(&answer, &format!("{method} {path} with {what}"));
            tried += 1;
        }
    }
    assert!(tried > 500, "{tried}");
}

/// Clients are made from the document: that it changes is seen in the change that does it.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: std::collections::BTreeMap<String, Value> = fields.into_iter().collect();
            Value::Object(fields.into_iter().map(|(name, value)| (name, sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain,
    }
}

#[test]
fn the_document_in_the_repository_is_the_one_that_is_served() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/hq-openapi.json");
    // Sorted: whether a map keeps its order depends on what else is built beside this crate.
    let served = serde_json::to_string_pretty(&sorted(docs::document())).unwrap() + "\n";
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(path, &served).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    let differs = kept.lines().zip(served.lines()).enumerate().find(|(_, (kept, served))| kept != served);
    assert!(
        kept == served,
        "docs/hq-openapi.json is not what is served (first at {differs:?}). If the change is meant, renew it and look at \
         the difference: UPDATE_SNAPSHOTS=1 cargo test -p control-plane --lib http::tests_of_all::the_document"
    );
}

#[tokio::test]
async fn every_operation_is_described_in_full() {
    let document = docs::document();
    let mut names = std::collections::BTreeSet::new();
    let single = ["login", "logout", "refresh", "enroll"];
    let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    for (method, path) in docs::routes_of_all() {
        let operation = &document["paths"][&path][method.to_ascii_lowercase()];
        let what = format!("{method} {path}");
        let name = operation["operationId"].as_str().unwrap_or_default();
        let two_words = name.split('_').filter(|word| !word.is_empty()).count() >= 2;
        assert!(
            plain(name) && (two_words || single.contains(&name)),
            "{what}: operation_id is verb_resource, not {name:?}"
        );
        assert!(names.insert(name.to_owned()), "{what}: {name} is there twice");
        assert!(operation["summary"].as_str().is_some_and(|text| text.len() > 5), "{what}: a summary");
        assert!(operation["tags"][0].as_str().is_some_and(|tag| tag != "crate"), "{what}: a tag");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2') || status.starts_with('3')), "{what}: a success");
        let mut wanted = vec!["429", "500", "503"];
        if !openapi::is_open(operation) {
            wanted.extend(["401", "403"]);
        }
        if operation.get("requestBody").is_some() {
            wanted.extend(["400", "413", "415", "422"]);
        }
        for status in wanted {
            assert!(responses.contains_key(status), "{what}: {status}");
        }
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let has = |name: &str| parameters.iter().any(|one| one["name"] == name);
        let made = responses.contains_key("201") && method == "POST" && !openapi::is_open(operation);
        assert!(!made || has("Idempotency-Key"), "{what} makes something: take an Idempotency-Key");
        assert!(!has("cursor") || has("limit"), "{what}: a list pages by cursor and limit (http::Paging)");
        for parameter in &parameters {
            let kind = &parameter["schema"]["type"];
            assert!(
                !kind.is_null()
                    || parameter["schema"].get("$ref").is_some()
                    || parameter["schema"].get("oneOf").is_some(),
                "{what}: {parameter} has no type"
            );
        }
    }
}

#[tokio::test]
async fn pages_of_others_read_what_they_were_allowed_and_never_with_cookies() {
    let test = TestDb::new().await;
    let mut app = test.app(Clock::manual(NOW)).await;
    let preflight = [("access-control-request-method", "PATCH"), ("access-control-request-headers", "if-match")];
    let told = |headers: &HeaderMap| {
        headers.keys().filter(|name| name.as_str().starts_with("access-control-allow-origin")).count()
    };
    let app_page = ("origin", "https://app.example.com");
    // By default nobody.
    let closed = docs::router(app.clone());
    let answer = ask(&closed, Method::GET, "/v1/shops", &[app_page], Body::empty()).await;
    assert_eq!(told(&answer.headers), 0);
    app.cors_origins = vec!["https://app.example.com".parse().unwrap()].into();
    let router = docs::router(app);
    let asked = |origin, path| {
        let headers = [("origin", origin), preflight[0], preflight[1]];
        let router = router.clone();
        async move { ask(&router, Method::OPTIONS, path, &headers, Body::empty()).await }
    };
    let answer = asked("https://app.example.com", "/v1/shops/1").await;
    assert_eq!(answer.headers["access-control-allow-origin"], "https://app.example.com");
    assert!(answer.headers["access-control-allow-methods"].to_str().unwrap().contains("PATCH"));
    assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    assert!(answer.headers.contains_key("x-request-id"));
    for (origin, path) in
        [("https://evil.example", "/v1/shops"), ("null", "/v1/shops"), ("https://app.example.com", "/sign-in")]
    {
        assert_eq!(told(&asked(origin, path).await.headers), 0, "{origin} {path}");
    }
    // A refusal can be read as well as a success.
    let answer = ask(&router, Method::GET, "/v1/shops", &[app_page], Body::empty()).await;
    assert_eq!((answer.status.as_u16(), told(&answer.headers)), (401, 1));
    let exposed = answer.headers["access-control-expose-headers"].to_str().unwrap().to_ascii_lowercase();
    for name in ["etag", "retry-after", "x-request-id", "ratelimit"] {
        assert!(exposed.contains(name), "{exposed}");
    }
    assert!(answer.headers["vary"].to_str().unwrap().contains("origin"));
}

#[tokio::test]
async fn every_answer_keeps_browsers_in_bounds_and_no_script_is_in_a_page() {
    let (_test, _, router) = hq().await;
    for path in
        ["/v1/shops", "/v1/openapi.json", "/docs/", "/docs/swagger-initializer.js", "/sign-in", "/nothing", "/healthz"]
    {
        let answer = ask(&router, Method::GET, path, &[("accept", "text/html")], Body::empty()).await;
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        for (name, value) in [("x-content-type-options", "nosniff"), ("x-frame-options", "DENY")] {
            assert_eq!(answer.headers[name], value, "{path}");
        }
        assert!(answer.headers["strict-transport-security"].to_str().unwrap().contains("max-age=31536000"), "{path}");
        assert!(answer.headers.contains_key("cache-control"), "{path}");
    }
    let request = axum::http::Request::builder().uri("/docs/").body(Body::empty()).unwrap();
    let page = tower::ServiceExt::oneshot(router, request).await.unwrap();
    let page = axum::body::to_bytes(page.into_body(), 1 << 20).await.unwrap();
    let page = String::from_utf8_lossy(&page).into_owned();
    for script in page.split("<script").skip(1) {
        assert!(script.trim_start().starts_with("src=\"./"), "{script}");
    }
    assert!(!page.contains("<style") && !page.contains("style=\""), "{page}");
}

#[tokio::test]
async fn methods_answer_and_limits_are_told() {
    let (_test, app, router) = hq().await;
    let (_, token, _) = signed_in(&app, &router, "one").await;
    let bearer = format!("Bearer {token}");
    let auth = [("authorization", bearer.as_str())];
    let got = ask(&router, Method::GET, "/v1/shops", &auth, Body::empty()).await;
    let head = ask(&router, Method::HEAD, "/v1/shops", &auth, Body::empty()).await;
    assert_eq!((head.status, &head.body), (got.status, &Value::Null));
    assert_eq!(head.headers["content-length"], got.headers["content-length"]);
    assert_eq!(got.headers["cache-control"], "no-store");
    let options = ask(&router, Method::OPTIONS, "/v1/shops", &[], Body::empty()).await;
    assert_eq!(options.status.as_u16(), 204);
    assert!(options.headers["allow"].to_str().unwrap().contains("POST"));
    assert_eq!(ask(&router, Method::TRACE, "/v1/shops", &auth, Body::empty()).await.status.as_u16(), 405);
    let policy = got.headers["ratelimit-policy"].to_str().unwrap();
    assert!(policy.contains("\"address\";q=") && policy.contains("\"tenant\";q="), "{policy}");
    let left = |answer: &Answer| {
        let text = answer.headers["ratelimit"].to_str().unwrap().to_owned();
        let part = text.split(", ").find(|part| part.starts_with("\"tenant\"")).unwrap().to_owned();
        part.split(";r=").nth(1).unwrap().split(';').next().unwrap().parse::<i64>().unwrap()
    };
    assert!(left(&got) > 1_000 && left(&head) <= left(&got) + 10, "{got:?}");
    for odd in ["?nothing=1", "?limit=1&limit=2", "?Limit=1"] {
        let answer = ask(&router, Method::GET, &format!("/v1/shops{odd}"), &auth, Body::empty()).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "VALIDATION"), "{odd}");
    }
}
