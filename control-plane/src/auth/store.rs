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

/// When the newest key that still verifies was made.
pub(super) async fn newest_signing_key(tx: &mut SystemTx) -> Result<Option<Timestamp>, DbError> {
    let made: Option<OffsetDateTime> =
        sqlx::query_scalar("SELECT max(created_at) FROM platform.signing_keys WHERE retired_at IS NULL")
            .fetch_one(tx.conn())
            .await?;
    Ok(made.map(timestamp))
}

/// Retires the keys but the newest, where the newest was made at or before `since`; answers how many.
pub(super) async fn retire_signing_keys(tx: &mut SystemTx, since: Timestamp, now: Timestamp) -> Result<u64, DbError> {
    let done = sqlx::query(
        "UPDATE platform.signing_keys SET retired_at = $2, secret = decode(repeat('00', 32), 'hex')
         WHERE retired_at IS NULL AND EXISTS (
             SELECT FROM platform.signing_keys newer
             WHERE newer.retired_at IS NULL AND newer.created_at <= $1
               AND (newer.created_at, newer.key_id) > (signing_keys.created_at, signing_keys.key_id))",
    )
    .bind(utc(since))
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
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

/// When the window of a count began, if the count has reached `most` in it.
pub(super) async fn full(
    tx: &mut SystemTx,
    email_key: &str,
    address: &str,
    most: i32,
    oldest: Timestamp,
) -> Result<Option<Timestamp>, DbError> {
    let starts: Option<OffsetDateTime> = sqlx::query_scalar(
        "SELECT window_starts FROM platform.sign_in_tries
         WHERE email_key = $1 AND address = $2 AND tries >= $3 AND window_starts > $4",
    )
    .bind(email_key)
    .bind(address)
    .bind(most)
    .bind(utc(oldest))
    .fetch_optional(tx.conn())
    .await?;
    Ok(starts.map(timestamp))
}

/// Takes one try off a count.
pub(super) async fn take_back(tx: &mut SystemTx, email_key: &str, address: &str) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE platform.sign_in_tries SET tries = greatest(tries - 1, 0) WHERE email_key = $1 AND address = $2",
    )
    .bind(email_key)
    .bind(address)
    .execute(tx.conn())
    .await?;
    Ok(())
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

/// The id of the key that seals the database's secrets; `mine` where there was none.
pub(super) async fn settle_key(db: &Db, mine: &str, now: Timestamp) -> Result<String, DbError> {
    let mut tx = SystemTx::begin(db, SystemReason::Keys).await?;
    let noted = "INSERT INTO platform.sealing_key (key_id, since) VALUES ($1, $2) ON CONFLICT (only_one) DO NOTHING";
    sqlx::query(noted).bind(mine).bind(utc(now)).execute(tx.conn()).await?;
    let known = sqlx::query_scalar("SELECT key_id FROM platform.sealing_key").fetch_one(tx.conn()).await?;
    tx.save().await?;
    Ok(known)
}

/// Notes a newer key, unless another head office was faster.
pub(super) async fn replace_key(db: &Db, known: &str, mine: &str, now: Timestamp) -> Result<(), DbError> {
    let mut tx = SystemTx::begin(db, SystemReason::Keys).await?;
    sqlx::query("UPDATE platform.sealing_key SET key_id = $2, since = $3 WHERE key_id = $1")
        .bind(known)
        .bind(mine)
        .bind(utc(now))
        .execute(tx.conn())
        .await?;
    tx.save().await
}
