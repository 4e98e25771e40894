//! A client for tests of routes: asks the real router, without a socket.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;
use tower::ServiceExt;

use crate::app::App;
use crate::domain::tenants;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The code of a refusal.
    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }
}

/// Asks with any headers and any body.
pub(crate) async fn ask(router: &Router, method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 26).await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answer { status: parts.status, headers: parts.headers, body }
}

/// Asks with JSON, as somebody or nobody; changes whatever is there.
pub(crate) async fn call(router: &Router, method: Method, path: &str, token: Option<&str>, body: &Value) -> Answer {
    let bearer = token.map(|token| format!("Bearer {token}")).unwrap_or_default();
    let mut headers = vec![("content-type", "application/json")];
    if [Method::PUT, Method::PATCH].contains(&method) {
        headers.push(("if-match", "*"));
    }
    if token.is_some() {
        headers.push(("authorization", bearer.as_str()));
    }
    ask(router, method, path, &headers, Body::from(body.to_string())).await
}

/// Makes a tenant with an owner `owner@<name>.example` and signs the owner in: (tenant id, access token, refresh
/// token).
pub(crate) async fn signed_in(app: &App, router: &Router, name: &str) -> (protocol::id::TenantId, String, String) {
    let email = format!("owner@{name}.example");
    let made = tenants::service::create(app, name, &email, "correct horse").await.unwrap();
    let login = serde_json::json!({ "email": email, "password": "correct horse", "tenant": made.tenant });
    let answer = call(router, Method::POST, "/v1/auth/login", None, &login).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let text = |field: &str| answer.body["data"][field].as_str().unwrap().to_owned();
    (made.tenant, text("access_token"), text("refresh_token"))
}
