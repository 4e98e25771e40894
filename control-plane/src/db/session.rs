//! What a session proves, asked on every request: one round trip outside any transaction, so that an ended session is
//! refused at once and a change of rights is seen with its commit. Knows no rights.

use protocol::id::{PersonId, TenantId};
use protocol::timestamp::Timestamp;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Db, DbError};
use crate::clock::{timestamp, utc};

/// Against which a page session is held.
#[derive(Clone, Copy, Debug)]
pub struct PageTimes {
    /// Now.
    pub now: Timestamp,
    /// One that was last used before this has ended.
    pub idle_since: Timestamp,
    /// A use is noted unless one was noted after this; none when nobody uses it.
    pub note_since: Option<Timestamp>,
}

/// A session that stands: not ended, not expired, membership (or permission to look in) and tenant in order.
#[derive(Clone, Copy, Debug)]
pub struct SessionState {
    /// Whose.
    pub person: PersonId,
    /// The version of what people may do in the tenant.
    pub policy_version: i64,
    /// Whether the tenant is suspended.
    pub suspended: bool,
    /// When a second factor proved it.
    pub mfa_at: Option<Timestamp>,
    /// When the person last proved themselves.
    pub stepped_up_at: Option<Timestamp>,
    /// By which permission an operator is here as a guest.
    pub impersonation: Option<Uuid>,
    /// Whether that guest may change things.
    pub guest_writes: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    person_id: Uuid,
    policy_version: i64,
    suspended: bool,
    mfa_at: Option<OffsetDateTime>,
    stepped_up_at: Option<OffsetDateTime>,
    impersonation_id: Option<Uuid>,
    guest_writes: bool,
}

#[derive(sqlx::FromRow)]
struct PageRow {
    session_id: Uuid,
    tenant_name: String,
    #[sqlx(flatten)]
    state: Row,
}

impl From<Row> for SessionState {
    fn from(row: Row) -> Self {
        Self {
            person: PersonId::from_uuid(row.person_id),
            policy_version: row.policy_version,
            suspended: row.suspended,
            mfa_at: row.mfa_at.map(timestamp),
            stepped_up_at: row.stepped_up_at.map(timestamp),
            impersonation: row.impersonation_id,
            guest_writes: row.guest_writes,
        }
    }
}

impl Db {
    /// What a session proves, if it stands.
    ///
    /// # Errors
    /// Whatever the statement met.
    pub async fn session_state(
        &self,
        tenant: TenantId,
        session: Uuid,
        now: Timestamp,
    ) -> Result<Option<SessionState>, DbError> {
        let found: Option<Row> = sqlx::query_as("SELECT * FROM app.session_state($1, $2, $3)")
            .bind(tenant.as_uuid())
            .bind(session)
            .bind(utc(now))
            .fetch_optional(self.app())
            .await?;
        Ok(found.map(SessionState::from))
    }

    /// The page session that a cookie's hash names, if it stands: its id, the name of the tenant, what it proves.
    ///
    /// # Errors
    /// Whatever the statement met.
    pub async fn page_state(
        &self,
        tenant: TenantId,
        hash: &[u8; 32],
        times: PageTimes,
    ) -> Result<Option<(Uuid, String, SessionState)>, DbError> {
        let found: Option<PageRow> = sqlx::query_as("SELECT * FROM app.page_state($1, $2, $3, $4, $5, $6)")
            .bind(tenant.as_uuid())
            .bind(hash)
            .bind(utc(times.now))
            .bind(utc(times.idle_since))
            .bind(utc(times.note_since.unwrap_or(times.now)))
            .bind(times.note_since.is_some())
            .fetch_optional(self.app())
            .await?;
        Ok(found.map(|row| (row.session_id, row.tenant_name, row.state.into())))
    }
}
