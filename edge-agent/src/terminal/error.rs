//! How a "no" looks on HTTP: `{error: {code, message, details?}}` with its status. Every rejection of the
//! terminal API goes through here, also those of the framework.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::core::refusal::{Refusal, Why};

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// `VALIDATION`, `AUTHN`, `AUTHZ`, `NOT_FOUND`, `CONFLICT`, `RATE_LIMIT` or `INTERNAL`.
    pub code: &'static str,
    /// What is wrong and what to do about it.
    pub message: String,
    /// Facts a program can use.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub details: Option<Value>,
}

/// The envelope of every error.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorEnvelope {
    /// What went wrong.
    pub error: ErrorBody,
}

/// An error on its way to a terminal.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    retry_after: Option<u16>,
    body: ErrorBody,
}

/// What a handler answers.
pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// An error of a status that no [`Why`] has.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, retry_after: None, body: ErrorBody { code, message: message.into(), details: None } }
    }

    /// A request that cannot be read.
    pub fn malformed(message: impl Into<String>) -> Self {
        Refusal::new(Why::Malformed, message).into()
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let (status, code, retry_after) = match refusal.why {
            Why::Malformed => (StatusCode::BAD_REQUEST, "VALIDATION", None),
            Why::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION", None),
            Why::Unauthenticated => (StatusCode::UNAUTHORIZED, "AUTHN", None),
            Why::NotAllowed => (StatusCode::FORBIDDEN, "AUTHZ", None),
            Why::NotFound => (StatusCode::NOT_FOUND, "NOT_FOUND", None),
            Why::Conflict => (StatusCode::CONFLICT, "CONFLICT", None),
            Why::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "VALIDATION", None),
            Why::TooOften => (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMIT", Some(60)),
            Why::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "INTERNAL", Some(1)),
        };
        let told = refusal.details.as_ref().and_then(|details| details.get("retry_after")?.as_u64());
        let retry_after = told.and_then(|seconds| u16::try_from(seconds).ok()).or(retry_after);
        Self { status, retry_after, body: ErrorBody { code, message: refusal.message, details: refusal.details } }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        metrics::counter!("tillway_terminal_errors_total", "code" => self.body.code).increment(1);
        let (status, code, reason) = (self.status.as_u16(), self.body.code, self.body.message.as_str());
        tracing::info!(status, code, reason, "a request was refused");
        let mut response = (self.status, axum::Json(ErrorEnvelope { error: self.body })).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
