//! Who may see the node's page: a browser on this box that asks for this box. A page of the internet that has a name
//! point at 127.0.0.1, or posts a form across, is turned away. Knows no page.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// What every answer of the page carries. No `no-referrer`: with it browsers send forms with `Origin: null`.
const HEADERS: &[(header::HeaderName, &str)] = &[
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Lets in who asks this box by a name of this box, and puts the headers on.
pub async fn keep(request: Request, next: Next) -> Response {
    let mut response = if !asks_for_this_box(request.headers(), request.uri()) || came_through(request.headers()) {
        turned_away("this page is for this box alone: open it as http://127.0.0.1 or http://localhost here")
    } else if !request.method().is_safe() && !same_origin(request.headers()) {
        turned_away("this form was not sent from the node's own page")
    } else {
        next.run(request).await
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name.clone(), header::HeaderValue::from_static(value));
    }
    response
}

fn turned_away(why: &'static str) -> Response {
    tracing::warn!(reason = why, "a request for the node's page was turned away");
    (StatusCode::FORBIDDEN, why).into_response()
}

fn asks_for_this_box(headers: &HeaderMap, uri: &Uri) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.or_else(|| uri.authority().map(axum::http::uri::Authority::as_str)).is_some_and(is_this_box)
}

/// Whether a host, with or without a port, can only be this box.
fn is_this_box(host: &str) -> bool {
    let Ok(authority) = host.parse::<axum::http::uri::Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether something stands between: whoever puts a proxy before this door must not hand the page to the world.
fn came_through(headers: &HeaderMap) -> bool {
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "via"].iter().any(|name| headers.contains_key(*name))
}

/// Whether the page that sends a form is this one. A browser says so with every form; what says nothing is refused.
fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let own = text(header::HOST).map(|host| format!("http://{host}"));
    let site = headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin");
    site && text(header::ORIGIN).is_some() && text(header::ORIGIN) == own.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_box_are_let_in() {
        for good in ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080", "127.8.8.8"] {
            assert!(is_this_box(good), "{good}");
        }
        for bad in
            ["evil.example:8080", "192.168.1.7", "localhost.evil.example", "127.0.0.1.evil.example", "", "[::2]:1"]
        {
            assert!(!is_this_box(bad), "{bad}");
        }
    }

    #[test]
    fn a_form_comes_from_the_page_or_not_at_all() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect::<HeaderMap>()
        };
        let host = ("host", "127.0.0.1:8080");
        assert!(same_origin(&headers(&[host, ("origin", "http://127.0.0.1:8080")])));
        assert!(same_origin(&headers(&[host, ("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "same-origin")])));
        for origin in
            ["http://evil.example", "null", "https://127.0.0.1:8080", "http://127.0.0.1:9", "http://localhost:8080"]
        {
            assert!(!same_origin(&headers(&[host, ("origin", origin)])), "{origin}");
        }
        assert!(!same_origin(&headers(&[host])), "silence is no proof");
        assert!(!same_origin(&headers(&[host, ("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "cross-site")])));
    }
}
