//! The SQL of upkeep: what is removed when its time is over.

use protocol::timestamp::Timestamp;

use crate::clock::utc;
use crate::db::{DbError, SystemTx, TenantTx};

/// Idempotent answers of a tenant older than `before`.
pub(super) async fn prune_idempotency(tx: &mut TenantTx, before: Timestamp) -> Result<u64, DbError> {
    let tenant = tx.tenant().as_uuid();
    let done = sqlx::query("DELETE FROM app.idempotency WHERE tenant_id = $1 AND created_at < $2")
        .bind(tenant)
        .bind(utc(before))
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected())
}

/// Tries of sign-ins whose window began before `before`.
pub(super) async fn prune_tries(tx: &mut SystemTx, before: Timestamp) -> Result<u64, DbError> {
    let done = sqlx::query("DELETE FROM platform.sign_in_tries WHERE window_starts < $1")
        .bind(utc(before))
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected())
}

/// Records of system access before `before`.
pub(super) async fn prune_access(tx: &mut SystemTx, before: Timestamp) -> Result<u64, DbError> {
    let done =
        sqlx::query("DELETE FROM platform.system_access WHERE at < $1").bind(utc(before)).execute(tx.conn()).await?;
    Ok(done.rows_affected())
}
