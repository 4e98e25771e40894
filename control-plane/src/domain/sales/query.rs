//! Reading trading days and ids out of a query string, with refusals that name the field. For the routes of sales
//! and of whoever shows its figures.

use protocol::business_day::BusinessDate;
use time::Date;
use uuid::Uuid;

use super::rules;
use crate::http::{ApiError, ApiResult};

/// Reads a trading day from a query; blank is none.
///
/// # Errors
/// 400 naming the field.
pub fn read_date(field: &str, text: &str) -> ApiResult<Option<Date>> {
    if text.is_empty() {
        return Ok(None);
    }
    let date = text.parse::<BusinessDate>().map_err(|error| wrong(field, error))?;
    rules::calendar_date(date).map(Some).map_err(|error| wrong(field, error))
}

/// Reads an id from a query; blank is none.
///
/// # Errors
/// 400 naming the field.
pub fn read_id(field: &str, text: &str) -> ApiResult<Option<Uuid>> {
    if text.is_empty() {
        return Ok(None);
    }
    Uuid::parse_str(text).map(Some).map_err(|_| wrong(field, format!("{text:?} is no id")))
}

/// 400 about one field of a query.
pub fn wrong(field: &str, what: impl std::fmt::Display) -> ApiError {
    ApiError::malformed(format!("{field}: {what}")).with(serde_json::json!({ "field": field }))
}
