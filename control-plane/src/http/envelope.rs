//! How head office says yes: `{data, pagination?}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// The body of every success.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Data<T> {
    /// What was asked for or made.
    pub data: T,
    /// Where the rest of a list is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pagination: Option<Pagination>,
}

/// Where the rest of a list is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Pagination {
    /// Give this as `cursor` to get the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// The page size that was used.
    pub limit: u32,
}

impl<T> Data<T> {
    /// One thing, or a list that is whole.
    pub const fn new(data: T) -> Self {
        Self { data, pagination: None }
    }

    /// A page of a list.
    pub const fn page(data: T, next_cursor: Option<String>, limit: u32) -> Self {
        Self { data, pagination: Some(Pagination { next_cursor, limit }) }
    }
}

impl<T: Serialize> IntoResponse for Data<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// 201 with the thing that was made.
#[derive(Clone, Debug)]
pub struct Created<T>(pub T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Data::new(self.0)).into_response()
    }
}
