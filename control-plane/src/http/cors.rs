//! Which foreign pages a browser lets read the API: those that `serve --cors-origin` names, and by default none.
//! Never with cookies: the API knows tokens alone, and pages are nobody else's to read.

use std::str::FromStr;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may remember what it was allowed.
const REMEMBERED: Duration = Duration::from_secs(600);

/// The origin of a page: scheme, host and, unless it is the usual one, port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// Why a text is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no origin; give one such as https://app.example.com, without a path, and no wildcard")]
pub struct BadOrigin(String);

impl FromStr for Origin {
    type Err = BadOrigin;

    fn from_str(text: &str) -> Result<Self, BadOrigin> {
        let bad = || BadOrigin(text.to_owned());
        let url = url::Url::parse(text).map_err(|_| bad())?;
        let plain = ["http", "https"].contains(&url.scheme()) && url.has_host() && !text.contains('*');
        // What a browser sends is the serialized origin: anything else would never match, or too much.
        if !plain || url.origin().ascii_serialization() != text {
            return Err(bad());
        }
        HeaderValue::from_str(text).map(Self).map_err(|_| bad())
    }
}

/// The layer that tells browsers so, for at least one origin. It answers every OPTIONS itself.
pub fn layer(origins: &[Origin]) -> CorsLayer {
    let origins: Vec<HeaderValue> = origins.iter().map(|origin| origin.0.clone()).collect();
    let allowed = AllowOrigin::predicate(move |origin, request| {
        request.uri.path().starts_with("/v1/") && origins.contains(origin)
    });
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            HeaderName::from_static(super::idempotency::HEADER),
        ])
        .expose_headers([
            header::ETAG,
            header::RETRY_AFTER,
            HeaderName::from_static(super::idempotency::REPLAYED),
            HeaderName::from_static(super::layers::REQUEST_ID),
            HeaderName::from_static(super::rate::LEFT),
            HeaderName::from_static(super::rate::POLICY),
        ])
        .max_age(REMEMBERED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_one_page_and_never_all() {
        for good in ["https://app.example.com", "http://localhost:5173", "https://[::1]:8443"] {
            assert!(good.parse::<Origin>().is_ok(), "{good}");
        }
        for bad in [
            "*",
            "null",
            "https://*.example.com",
            "https://app.example.com/",
            "https://app.example.com/x",
            "https://u:p@app.example.com",
            "https://app.example.com:443",
            "https://APP.example.com",
            "app.example.com",
            "file:///etc",
            "",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }
}
