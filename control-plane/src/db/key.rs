//! Whose key a program brings, if it stands: one round trip, under row-level security, outside any transaction.

use protocol::id::{PersonId, TenantId};
use protocol::timestamp::Timestamp;
use uuid::Uuid;

use super::{Db, DbError};
use crate::clock::utc;

/// A key that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyState {
    /// The key.
    pub key: Uuid,
    /// Who made it; their membership stands.
    pub person: PersonId,
    /// The tenant's policy version.
    pub policy_version: i64,
    /// Whether the tenant is suspended.
    pub suspended: bool,
}

impl Db {
    /// The key with this hash, if it stands: not revoked, not expired, its maker a member. A use after `note_since` is noted.
    ///
    /// # Errors
    /// Whatever the statement met.
    pub async fn key_state(
        &self,
        tenant: TenantId,
        hash: &[u8; 32],
        now: Timestamp,
        note_since: Timestamp,
    ) -> Result<Option<KeyState>, DbError> {
        let found: Option<(Uuid, Uuid, i64, bool)> =
            sqlx::query_as("SELECT key_id, person_id, policy_version, suspended FROM app.key_state($1, $2, $3, $4)")
                .bind(tenant.as_uuid())
                .bind(hash)
                .bind(utc(now))
                .bind(utc(note_since))
                .fetch_optional(self.app())
                .await?;
        Ok(found.map(|(key, person, policy_version, suspended)| KeyState {
            key,
            person: PersonId::from_uuid(person),
            policy_version,
            suspended,
        }))
    }
}
