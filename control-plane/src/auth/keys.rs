//! The hook for keys of programs: what a bearer token that begins with `twk_` means. The keys themselves belong to the noun
//! `keys`; nothing is one yet.

use uuid::Uuid;

use super::guard::Standing;
use super::policy::Grant;
use crate::app::App;
use crate::db::{DbError, TenantTx};
use crate::http::ApiResult;

/// How such a token begins.
pub const PREFIX: &str = "twk_";

/// Whose key it is, if it stands.
///
/// # Errors
/// Whatever the database met.
#[allow(clippy::unused_async, reason = "the noun keys will ask the database")]
pub async fn standing(_app: &App, _token: &str) -> ApiResult<Option<Standing>> {
    Ok(None)
}

/// What was given to a key.
///
/// # Errors
/// Whatever the database met.
#[allow(clippy::unused_async, reason = "the noun keys will ask the database")]
pub async fn given(_tx: &mut TenantTx, _key: Uuid) -> Result<Vec<Grant>, DbError> {
    Ok(Vec::new())
}
