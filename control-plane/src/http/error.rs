//! How head office says no: one taxonomy, one JSON shape, never an inner detail. The inside story goes to the
//! log, once, here.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::db::DbError;

/// The kinds of refusal. They are API: clients decide by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// The request itself is wrong (400, 422; also 405, 408, 413, 415, 428).
    Validation,
    /// Nobody knows who asks (401).
    Authn,
    /// Known, seen, and not allowed (403).
    Authz,
    /// Not there, or not for these eyes (404).
    NotFound,
    /// It contradicts what is there (409, 412).
    Conflict,
    /// Too often (429, with Retry-After).
    RateLimit,
    /// Our fault (500), or not now (503, with Retry-After).
    Internal,
}

/// A refusal, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status.
    pub status: StatusCode,
    /// Its kind.
    pub code: Code,
    /// What is wrong and what to do, for a person.
    pub message: String,
    /// For a program, such as the offending field.
    pub details: Option<Value>,
    /// Seconds until it makes sense to come back.
    pub retry_after: Option<u32>,
}

/// What a handler answers.
pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// A refusal of any kind.
    pub fn new(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: None, retry_after: None }
    }

    /// 422: well-formed, but it breaks a rule.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, Code::Validation, message)
    }

    /// 422 about one field, which stands in the details.
    pub fn field(field: &str, message: impl std::fmt::Display) -> Self {
        Self::validation(format!("{field}: {message}")).with(serde_json::json!({ "field": field }))
    }

    /// 400: not even readable.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::Validation, message)
    }

    /// 401.
    pub fn authn(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, Code::Authn, message)
    }

    /// 403: only for what the caller may see.
    pub fn authz(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, Code::Authz, message)
    }

    /// 404: `what` is a kind of thing, such as "shop".
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, Code::NotFound, format!("there is no such {what}"))
    }

    /// 409.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, Code::Conflict, message)
    }

    /// 429.
    pub fn rate_limit(message: impl Into<String>, retry_after: u32) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(StatusCode::TOO_MANY_REQUESTS, Code::RateLimit, message) }
    }

    /// 500: logs what happened; the caller only learns that it was us.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!(error = %error, "internal error");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, "something went wrong at head office")
    }

    /// 503: not now, come back.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { retry_after: Some(2), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::Internal, message) }
    }

    /// What the database met, where a unique key that is taken has words of its own.
    pub fn or_taken(error: DbError, taken: &str) -> Self {
        if matches!(error, DbError::Taken { .. }) { Self::conflict(taken) } else { error.into() }
    }

    /// The same with details for a program.
    #[must_use]
    pub fn with(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }
}

/// The body of a refusal.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// The refusal.
    pub error: ErrorDetail,
}

/// Kind, words, details.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorDetail {
    /// Its kind.
    pub code: Code,
    /// What is wrong and what to do.
    pub message: String,
    /// For a program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorBody { error: ErrorDetail { code: self.code, message: self.message, details: self.details } };
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self.code);
        response
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::NotFound => Self::not_found("thing"),
            DbError::Taken { constraint } => {
                tracing::info!(constraint, "a unique key is taken");
                Self::conflict("it is there already")
            }
            DbError::Busy(source) => {
                tracing::warn!(error = %source, "the database was busy");
                Self::unavailable("head office is busy; try again in a moment")
            }
            DbError::Unavailable(source) => {
                tracing::warn!(error = %source, "the database cannot be reached");
                Self::unavailable("head office cannot reach its database; try again in a moment")
            }
            DbError::Refused { constraint, source } => Self::internal(format!("{constraint}: {source}")),
            DbError::Other(source) => Self::internal(source),
            DbError::Migrate(source) => Self::internal(source),
            DbError::Unfit(what) => Self::internal(what),
        }
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        DbError::from(error).into()
    }
}
