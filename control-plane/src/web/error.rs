//! Refusals as pages. The same taxonomy as the API's, in words for people, and never an inner detail.

use askama::Template;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::respond;
use crate::http::ApiError;
use crate::http::error::Code;

/// What a page's handler answers.
pub type PageResult = Result<Response, PageError>;

/// A refusal that is shown as a page; `?` makes it of an [`ApiError`] and of all that become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageError(pub ApiError);

impl<E: Into<ApiError>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

#[derive(Template)]
#[template(path = "web/templates/error.html")]
struct ErrorPage<'a> {
    status: u16,
    icon: &'static str,
    title: &'static str,
    message: &'a str,
}

/// Title, picture and, where the inner message is no help to a person, other words.
fn words(status: StatusCode) -> (&'static str, &'static str, Option<&'static str>) {
    match status.as_u16() {
        404 => (
            "This page is not here",
            "search",
            Some("The address may be mistyped, or what it named belongs to another company or was removed."),
        ),
        403 => ("You may not do this", "lock", None),
        405 => ("This address is not opened like that", "warn", Some("Go back and use the buttons of the page.")),
        413 => ("That is too large", "upload", None),
        429 => ("A little slower, please", "clock", None),
        500 => (
            "Something went wrong at head office",
            "warn",
            Some("It was noted. Shops go on selling; nothing that was sold is lost. Try again in a moment."),
        ),
        503 => ("Head office is busy", "clock", None),
        _ => ("That did not work", "warn", None),
    }
}

/// A refusal as a page.
pub fn page(error: &ApiError) -> Response {
    let (title, icon, instead) = words(error.status);
    let message = instead.unwrap_or(&error.message);
    let page = ErrorPage { status: error.status.as_u16(), icon, title, message };
    let mut response = match respond::html(error.status, &page) {
        Ok(response) => response,
        Err(plain) => return plain.into_response(),
    };
    if let Some(seconds) = error.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response.extensions_mut().insert(error.code);
    response
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        if self.0.code == Code::Authn {
            return respond::see_other("/sign-in");
        }
        page(&self.0)
    }
}

/// Whether a refusal of this address is better told as a page: a browser asks for HTML, and it is none of the API.
pub fn wants_page(path: &str, headers: &HeaderMap) -> bool {
    let api = ["/v1/", "/docs", "/health", "/readyz", "/assets/"].iter().any(|door| path.starts_with(door));
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    !api && accepts.contains("text/html")
}

/// A refusal that was made for the API (by the router, a limit, a time-out), as a page for whoever asked for one.
pub fn as_page(response: Response) -> Response {
    let json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let Some(code) = response.extensions().get::<Code>().copied().filter(|_| json) else { return response };
    let retry = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = retry.and_then(|text| text.parse().ok());
    let message = match code {
        Code::RateLimit => "Too many requests came from here. Wait a few seconds, then load the page again.",
        Code::Internal => "Head office cannot answer right now. Shops go on selling. Try again in a moment.",
        Code::Authz => "You may not open this.",
        Code::Validation | Code::Authn | Code::NotFound | Code::Conflict => "The request could not be understood.",
    };
    let mut next = page(&ApiError { retry_after, ..ApiError::new(response.status(), code, message) });
    if let Some(allow) = response.headers().get(header::ALLOW) {
        next.headers_mut().insert(header::ALLOW, allow.clone());
    }
    next
}
