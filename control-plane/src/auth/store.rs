//! The SQL of sign-in keys and throttling.

use protocol::timestamp::Timestamp;
use time::OffsetDateTime;

use super::token::StoredKey;
use crate::clock::{timestamp, utc};
use crate::db::{Db, DbError, SystemReason, SystemTx};

/// Keys that still verify, newest first.
pub(super) async fn signing_keys(db: &Db) -> Result<Vec<StoredKey>, DbError> {
    let mut tx = SystemTx::begin(db, SystemReason::Keys).await?;
    let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(
        "SELECT key_id, secret FROM platform.signing_keys WHERE retired_at IS NULL ORDER BY created_at DESC, key_id DESC",
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|(id, secret)| StoredKey { id, secret }).collect())
}

/// Adds a key; from now on it signs.
pub(super) async fn add_signing_key(db: &Db, id: &str, secret: &[u8], now: Timestamp) -> Result<(), DbError> {
    let mut tx = SystemTx::begin(db, SystemReason::Keys).await?;
    sqlx::query("INSERT INTO platform.signing_keys (key_id, secret, created_at) VALUES ($1, $2, $3)")
        .bind(id)
        .bind(secret)
        .bind(utc(now))
        .execute(tx.conn())
        .await?;
    tx.save().await
}

/// Counts one more try in its window; answers how many there were and when the window began. The window begins
/// anew when the old one began before `oldest`.
pub(super) async fn count_try(
    tx: &mut SystemTx,
    email_key: &str,
    address: &str,
    now: Timestamp,
    oldest: Timestamp,
) -> Result<(i32, Timestamp), DbError> {
    let (tries, starts): (i32, OffsetDateTime) = sqlx::query_as(
        "INSERT INTO platform.sign_in_tries AS t (email_key, address, window_starts, tries) VALUES ($1, $2, $3, 1)
         ON CONFLICT (email_key, address) DO UPDATE SET
             tries = CASE WHEN t.window_starts <= $4 THEN 1 ELSE t.tries + 1 END,
             window_starts = CASE WHEN t.window_starts <= $4 THEN excluded.window_starts ELSE t.window_starts END
         RETURNING tries, window_starts",
    )
    .bind(email_key)
    .bind(address)
    .bind(utc(now))
    .bind(utc(oldest))
    .fetch_one(tx.conn())
    .await?;
    Ok((tries, timestamp(starts)))
}

/// Forgets the tries after a success.
pub(super) async fn forget_tries(tx: &mut SystemTx, email_key: &str, address: &str) -> Result<(), DbError> {
    sqlx::query("DELETE FROM platform.sign_in_tries WHERE email_key = $1 AND address = $2")
        .bind(email_key)
        .bind(address)
        .execute(tx.conn())
        .await?;
    Ok(())
}
