//! Reading requests: JSON bodies, paths and queries whose refusals have our shape. A body that is too large is
//! read to its end (within reason) before it is refused, so that the client hears the refusal and not a reset.

use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use protocol::limits;
use serde::de::DeserializeOwned;

use super::error::Code;
use super::{ApiError, ApiResult};

/// How much of a refused body is read and thrown away before the connection is given up.
const DRAIN_BYTES: usize = 256 << 20;

/// A JSON body of at most [`limits::HTTP_BODY_BYTES`].
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> ApiResult<Self> {
        let (parts, body) = request.into_parts();
        let bytes = read(body, limits::HTTP_BODY_BYTES).await?;
        if !is_json(&parts.headers) {
            return Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                Code::Validation,
                "send the body as JSON with the header Content-Type: application/json",
            ));
        }
        parse(&bytes).map(Self)
    }
}

/// Reads JSON with a refusal that says where it went wrong.
///
/// # Errors
/// 400 for what is no JSON, 422 for JSON of another shape.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> ApiResult<T> {
    // A list would be taken for the fields of an object in their order.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(ApiError::validation("the body does not fit: it is a list, an object is expected"));
    }
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            ApiError::validation(format!("the body does not fit: {}", plain(&error.to_string())))
        }
        serde_json::error::Category::Io | serde_json::error::Category::Syntax | serde_json::error::Category::Eof => {
            ApiError::malformed(format!("the body is not JSON: {error}"))
        }
    })
}

/// The reason without the names of our types.
fn plain(reason: &str) -> String {
    let mut words = reason.split(' ').peekable();
    let mut out: Vec<&str> = Vec::new();
    while let Some(word) = words.next() {
        let named = ["struct", "enum", "variant"].contains(&word) && out.last() == Some(&"expected");
        if named {
            out.push("an object or a name of the list");
            // The name itself goes; what follows it (`with 3 elements`, `at line 1`) stays.
            if words.peek() != Some(&"at") {
                words.next();
            }
        } else {
            out.push(word);
        }
    }
    out.join(" ")
}

/// Refuses a body of another media type than those taken.
///
/// # Errors
/// 415 naming them.
pub fn expect_type(headers: &HeaderMap, taken: &[&str]) -> ApiResult<()> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    if taken.iter().any(|taken| essence.eq_ignore_ascii_case(taken)) {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::Validation,
        format!("send the body with the header Content-Type: {}", taken.first().unwrap_or(&"application/json")),
    ))
}

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// 413 for more; 400 when the client stopped in the middle.
pub async fn read(body: Body, limit: usize) -> ApiResult<Bytes> {
    let mut stream = body.into_data_stream();
    let mut kept = BytesMut::new();
    let mut seen: usize = 0;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| ApiError::malformed("the body broke off"))?;
        seen = seen.saturating_add(chunk.len());
        if seen <= limit {
            kept.extend_from_slice(&chunk);
        } else {
            kept = BytesMut::new();
            if seen > DRAIN_BYTES {
                break;
            }
        }
    }
    if seen > limit {
        return Err(too_large(limit));
    }
    Ok(kept.freeze())
}

/// 413.
pub fn too_large(limit: usize) -> ApiError {
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        Code::Validation,
        format!("the body is larger than the {limit} bytes that are allowed here"),
    )
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json") || essence.to_ascii_lowercase().ends_with("+json")
}

/// Parts of the path. One that does not fit its type names nothing: 404.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> ApiResult<Self> {
        let found: Result<axum::extract::Path<T>, PathRejection> =
            axum::extract::Path::from_request_parts(parts, state).await;
        found.map(|path| Self(path.0)).map_err(|_| ApiError::not_found("thing"))
    }
}

/// The query string. One that does not fit is refused with the reason.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> ApiResult<Self> {
        let found: Result<axum::extract::Query<T>, QueryRejection> =
            axum::extract::Query::from_request_parts(parts, state).await;
        found.map(|query| Self(query.0)).map_err(|error| {
            let text = error.body_text();
            let reason = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
            ApiError::malformed(format!("the address does not fit: {}", plain(reason)))
        })
    }
}
