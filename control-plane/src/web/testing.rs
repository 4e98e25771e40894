//! A browser for tests of pages: keeps its cookies, follows nothing by itself, asks the real router without a socket.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::Response;
use tower::ServiceExt;

use super::respond::encoded;
use crate::app::App;
use crate::http::docs;

/// A browser.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) router: Router,
    pub(crate) cookies: BTreeMap<String, String>,
    /// What it says about where a form comes from.
    pub(crate) site: &'static str,
}

/// What it shows.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Page {
    /// Where it leads.
    pub(crate) fn location(&self) -> &str {
        self.headers.get(header::LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The value of a hidden field.
    pub(crate) fn hidden(&self, name: &str) -> String {
        let mark = format!("name=\"{name}\" value=\"");
        let (_, rest) = self.text.split_once(&mark).unwrap_or_else(|| panic!("no field {name} in {}", self.text));
        rest.split('"').next().unwrap().to_owned()
    }
}

impl Browser {
    pub(crate) fn new(app: &App) -> Self {
        Self { router: docs::router(app.clone()), cookies: BTreeMap::new(), site: "same-origin" }
    }

    /// A browser of somebody who has signed in.
    pub(crate) async fn signed_in(app: &App, email: &str, password: &str) -> Self {
        let mut browser = Self::new(app);
        let page = browser.post("/sign-in", &[("email", email), ("password", password)]).await;
        assert_eq!((page.status, page.location()), (StatusCode::SEE_OTHER, "/"), "{page:?}");
        browser
    }

    pub(crate) async fn get(&mut self, path: &str) -> Page {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        self.show(request).await
    }

    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let request = Request::builder().method("POST").uri(path).header("sec-fetch-site", self.site);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.show(request.body(Body::from(pairs.join("&"))).unwrap()).await
    }

    async fn show(&mut self, request: Request<Body>) -> Page {
        let response = self.ask(request).await;
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 26).await.unwrap();
        Page { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    /// The answer as it begins, such as a stream.
    pub(crate) async fn ask(&mut self, mut request: Request<Body>) -> Response {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        request.headers_mut().entry(header::ACCEPT).or_insert("text/html,*/*;q=0.8".parse().unwrap());
        request.headers_mut().insert(header::COOKIE, cookies.join("; ").parse().unwrap());
        let response = self.router.clone().oneshot(request).await.unwrap();
        for line in response.headers().get_all(header::SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            if line.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        response
    }
}
