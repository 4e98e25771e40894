//! Answers in HTML: rendered whole, with the headers that keep scripts, frames and addresses where they belong.

use askama::Template;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::http::ApiError;
use crate::http::error::Code;

/// What a page may load: its own styles, scripts and pictures, and nothing of anybody else's; no script in the page.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
     connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);
/// Within head office the page before is told, so that a browser names its origin with a form; to others nothing is.
const REFERRER: HeaderValue = HeaderValue::from_static("same-origin");
/// Longest address to go on to after the sign-in, in bytes.
const NEXT_BYTES: usize = 512;

/// The headers of every page; those of all answers are set around the router.
pub(super) fn harden(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::REFERRER_POLICY, REFERRER);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// A page of any status.
///
/// # Errors
/// INTERNAL if the template fails, which only its own code can bring about.
pub fn html(status: StatusCode, template: &impl Template) -> Result<Response, ApiError> {
    let text = template.render().map_err(ApiError::internal)?;
    let mut response = (status, Html(text)).into_response();
    harden(response.headers_mut());
    if status.is_client_error() {
        // A form that is shown again with what is wrong is an answer of ours, not one of the framework's to reword.
        response.extensions_mut().insert(Code::Validation);
    }
    Ok(response)
}

/// 303: go on there with GET. Only for addresses of our own.
pub fn see_other(path: &str) -> Response {
    let to = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response();
    harden(response.headers_mut());
    response
}

/// 303 to somebody else's server: a provider that a tenant chose. It is not told from which page.
pub fn away(url: &str) -> Response {
    let mut response = see_other("/");
    if let Ok(to) = HeaderValue::from_str(url) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// An address to go on to after the sign-in, if it is one of ours: a path from the root with plain characters, and
/// neither another host nor the sign-in again.
pub fn own_path(next: &str) -> Option<&str> {
    let second = next.as_bytes().get(1).copied();
    let plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let ours = next.starts_with('/') && second != Some(b'/') && plain && next.len() <= NEXT_BYTES;
    let again = ["/sign-in", "/sign-out", "/assets", "/v1", "/sales/live/"].iter().any(|door| next.starts_with(door));
    (ours && !again).then_some(next)
}

/// Text as part of a query.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&crate::rng::hex(&[byte]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_never_leaves_the_house() {
        for ours in ["/", "/shops/1?from=2010-12-01&to=2010-12-14", "/receipts?q=a%20b"] {
            assert_eq!(own_path(ours), Some(ours));
        }
        let long = format!("/{}", "a".repeat(NEXT_BYTES));
        for other in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "shops",
            "\\\\evil",
            "/a\r\nset-cookie: x",
            "/a b",
            "/\t/evil.example",
            "/sign-in?next=/",
            "/sign-out",
            "/sales/live/events",
            &long,
        ] {
            assert_eq!(own_path(other), None, "{other:?}");
        }
        assert_eq!(encoded("/a?b=c&d é"), "/a%3fb%3dc%26d%20%c3%a9");
    }
}
