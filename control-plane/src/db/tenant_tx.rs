//! A transaction of one tenant: the tenant is set in the same round trip that begins it, and row-level security
//! does the rest. Dropping it rolls back; only [`TenantTx::save`] keeps what was done.

use protocol::id::{PersonId, TenantId};
use protocol::timestamp::Timestamp;
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Transaction};
use uuid::Uuid;

use super::{Db, DbError};
use crate::clock::utc;

/// A transaction in which only one tenant's rows exist.
#[derive(Debug)]
pub struct TenantTx {
    tx: Transaction<'static, Postgres>,
    tenant: TenantId,
}

impl TenantTx {
    /// Begins a transaction of `tenant`.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when no connection is to be had in time.
    #[allow(clippy::disallowed_methods, reason = "this is the door")]
    pub async fn begin(db: &Db, tenant: TenantId) -> Result<Self, DbError> {
        // One round trip. A UUID prints as hex and hyphens only, so nothing can be injected.
        let begin = format!("BEGIN; SET LOCAL app.tenant_id = '{tenant}'");
        let tx = db.app().begin_with(AssertSqlSafe(begin)).await?;
        Ok(Self { tx, tenant })
    }

    /// The connection, for the statements of a `store`.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Whose transaction it is.
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Commits. An error means that it is unknown whether the commit happened only when it is
    /// [`DbError::Unavailable`]; otherwise nothing was kept.
    ///
    /// # Errors
    /// Whatever the commit met.
    pub async fn save(self) -> Result<(), DbError> {
        Ok(self.tx.commit().await?)
    }
}

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

impl Db {
    /// Whose session it is, if it stands: not ended, not expired, membership and tenant in order. One round
    /// trip outside any transaction, asked on every request, so that an ended session is refused at once.
    ///
    /// # Errors
    /// Whatever the statement met.
    pub async fn session_standing(
        &self,
        tenant: TenantId,
        session: Uuid,
        now: Timestamp,
    ) -> Result<Option<PersonId>, DbError> {
        let person: Option<Uuid> = sqlx::query_scalar("SELECT app.session_standing($1, $2, $3)")
            .bind(tenant.as_uuid())
            .bind(session)
            .bind(utc(now))
            .fetch_one(self.app())
            .await?;
        Ok(person.map(PersonId::from_uuid))
    }

    /// Whose page session a cookie's hash names, if it stands: session, person, name of the tenant. As
    /// [`Db::session_standing`].
    ///
    /// # Errors
    /// Whatever the statement met.
    pub async fn page_standing(
        &self,
        tenant: TenantId,
        hash: &[u8; 32],
        times: PageTimes,
    ) -> Result<Option<(Uuid, PersonId, String)>, DbError> {
        let found: Option<(Uuid, Uuid, String)> =
            sqlx::query_as("SELECT session_id, person_id, tenant_name FROM app.page_standing($1, $2, $3, $4, $5, $6)")
                .bind(tenant.as_uuid())
                .bind(hash)
                .bind(utc(times.now))
                .bind(utc(times.idle_since))
                .bind(utc(times.note_since.unwrap_or(times.now)))
                .bind(times.note_since.is_some())
                .fetch_optional(self.app())
                .await?;
        Ok(found.map(|(session, person, name)| (session, PersonId::from_uuid(person), name)))
    }
}
