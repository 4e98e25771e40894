//! Giving and taking roles.

use protocol::id::PersonId;
use protocol::timestamp::Timestamp;

use super::store;
use super::types::Assignment;
use crate::auth::policy;
use crate::db::{DbError, TenantTx};
use crate::rng;

/// Gives somebody a role; giving it twice is giving it once. Whether the giver may is asked before.
///
/// # Errors
/// Whatever the statements met; [`DbError::Refused`] for a role, region or shop that is not of this tenant.
pub async fn assign(tx: &mut TenantTx, new: &Assignment, by: Option<PersonId>, now: Timestamp) -> Result<(), DbError> {
    store::insert(tx, rng::id(now), new, by, now).await?;
    policy::bump(tx).await
}
