//! The hook for keys of programs: what a bearer token that begins with `twk_` means. The keys themselves belong to the noun
//! `keys`.

use uuid::Uuid;

use super::guard::Standing;
use super::policy::Grant;
use crate::app::App;
use crate::db::{DbError, TenantTx};
use crate::domain::keys;
use crate::http::ApiResult;

/// How such a token begins.
pub const PREFIX: &str = "twk_";

/// Whose key it is, if it stands.
///
/// # Errors
/// Whatever the database met.
pub async fn standing(app: &App, token: &str) -> ApiResult<Option<Standing>> {
    keys::service::standing(app, token).await
}

/// What was given to a key.
///
/// # Errors
/// Whatever the database met.
pub async fn given(tx: &mut TenantTx, key: Uuid) -> Result<Vec<Grant>, DbError> {
    keys::service::given(tx, key).await
}
