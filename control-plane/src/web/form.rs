//! Forms, and the proof that they come from our own pages: the browser's word about the origin, and for whoever is
//! signed in the session's token, which another site cannot read.

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use protocol::limits;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq as _;

use super::{PageCaller, PageError};
use crate::app::App;
use crate::http::{ApiError, body};

/// A posted form of somebody who is signed in. Comes last in a handler's arguments.
#[derive(Clone, Copy, Debug)]
pub struct Form<T>(pub T);

/// A posted form of anybody: the sign-in.
#[derive(Clone, Copy, Debug)]
pub struct OpenForm<T>(pub T);

/// What the browser says about where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Ours,
    Foreign,
    Unsaid,
}

/// `proxied`: the proxy in front of us says which host the browser asked (`--trust-forwarded`). Without one, anybody
/// could say it.
fn origin(headers: &HeaderMap, proxied: bool) -> Origin {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return if site == "same-origin" { Origin::Ours } else { Origin::Foreign };
    }
    let Some(origin) = text("origin") else { return Origin::Unsaid };
    let forwarded = text("x-forwarded-host").filter(|_| proxied);
    let host = forwarded.or_else(|| text("host")).unwrap_or_default();
    let named = origin.split_once("://").map(|(_, named)| named);
    if named.is_some_and(|named| named.eq_ignore_ascii_case(host)) { Origin::Ours } else { Origin::Foreign }
}

fn foreign() -> PageError {
    ApiError::authz("This form was not sent by a page of head office. Open the page again and send it from there.")
        .into()
}

/// Refuses what another site had a browser send. `token` is what the form or the header `x-csrf-token` carries.
///
/// # Errors
/// AUTHZ, in words for a person.
pub fn check(caller: &PageCaller, headers: &HeaderMap, token: &str) -> Result<(), PageError> {
    let right: bool = caller.csrf.as_bytes().ct_eq(token.as_bytes()).into();
    if origin(headers, caller.proxied) == Origin::Foreign || !right {
        metrics::counter!("tillway_pages_foreign_forms_total").increment(1);
        return Err(foreign());
    }
    Ok(())
}

/// A body sent by a script of ours, such as a file: the token stands in the header `x-csrf-token`.
///
/// # Errors
/// As [`check`].
pub fn check_header(caller: &PageCaller, headers: &HeaderMap) -> Result<(), PageError> {
    let token = headers.get("x-csrf-token").and_then(|value| value.to_str().ok()).unwrap_or_default();
    check(caller, headers, token)
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    csrf: String,
}

async fn fields<T: DeserializeOwned>(headers: &HeaderMap, bytes: &bytes::Bytes) -> Result<T, PageError> {
    let mut request = Request::new(Body::from(bytes.clone()));
    *request.method_mut() = axum::http::Method::POST;
    if let Some(kind) = headers.get(header::CONTENT_TYPE) {
        request.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
    }
    let form = axum::Form::<T>::from_request(request, &()).await;
    form.map(|form| form.0).map_err(|error| ApiError::validation(format!("the form does not fit: {error}")).into())
}

impl<T: DeserializeOwned> FromRequest<App> for Form<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let (mut parts, stream) = request.into_parts();
        let caller = PageCaller::from_request_parts(&mut parts, app).await?;
        let refused = |error: PageError| error.into_response();
        let bytes = body::read(stream, limits::HTTP_BODY_BYTES).await.map_err(|error| refused(error.into()))?;
        let token = fields::<Token>(&parts.headers, &bytes).await.map_or_else(|_| String::new(), |token| token.csrf);
        check(&caller, &parts.headers, &token).map_err(refused)?;
        fields(&parts.headers, &bytes).await.map(Self).map_err(refused)
    }
}

impl<T: DeserializeOwned> FromRequest<App> for OpenForm<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let (parts, stream) = request.into_parts();
        let refused = |error: PageError| error.into_response();
        // There is no session to hold a token against: the browser must say that the form is ours. All do.
        if origin(&parts.headers, app.trust_forwarded) != Origin::Ours {
            return Err(refused(foreign()));
        }
        let bytes = body::read(stream, limits::HTTP_BODY_BYTES).await.map_err(|error| refused(error.into()))?;
        fields(&parts.headers, &bytes).await.map(Self).map_err(refused)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn the_browser_s_word_decides() {
        let said = |pairs: &[(&'static str, &'static str)], proxied| {
            let pairs =
                pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            origin(&pairs.collect(), proxied)
        };
        let of = |pairs: &[(&'static str, &'static str)]| said(pairs, false);
        assert_eq!(of(&[]), Origin::Unsaid);
        assert_eq!(of(&[("sec-fetch-site", "same-origin"), ("origin", "null")]), Origin::Ours);
        for site in ["cross-site", "same-site", "none"] {
            assert_eq!(of(&[("sec-fetch-site", site), ("origin", "http://hq:1"), ("host", "hq:1")]), Origin::Foreign);
        }
        assert_eq!(of(&[("origin", "http://hq:1"), ("host", "HQ:1")]), Origin::Ours);
        for (origin, host) in [("http://evil", "hq"), ("null", "hq"), ("http://hq:2", "hq:1"), ("http://", "hq")] {
            assert_eq!(of(&[("origin", origin), ("host", host)]), Origin::Foreign, "{origin}");
        }
        // Which host the browser asked is the proxy's word where there is one, and nobody's elsewhere.
        let forged = [("origin", "http://evil"), ("host", "hq"), ("x-forwarded-host", "evil")];
        let behind = [("origin", "https://hq.example"), ("host", "127.0.0.1:8080"), ("x-forwarded-host", "hq.example")];
        assert_eq!((said(&forged, false), said(&forged, true)), (Origin::Foreign, Origin::Ours));
        assert_eq!((said(&behind, false), said(&behind, true)), (Origin::Foreign, Origin::Ours));
        assert_eq!(said(&[("origin", "http://hq:1"), ("host", "hq:1")], true), Origin::Ours);
    }
}
