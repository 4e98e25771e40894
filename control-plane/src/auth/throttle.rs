//! Sign-in is tried at most five times in fifteen minutes per e-mail and address, counted before the password
//! is looked at, so that many tries at once count as many.

use protocol::timestamp::Timestamp;

use super::store;
use crate::db::{DbError, SystemTx};

/// Tries per window.
pub const TRIES: i32 = 5;
/// Length of the window, in milliseconds.
pub const WINDOW_MILLIS: i64 = 15 * 60 * 1_000;

/// Counts a try. `Some(seconds)` when it is one too many: come back then.
///
/// # Errors
/// Whatever the statement met.
pub async fn count(tx: &mut SystemTx, email_key: &str, address: &str, now: Timestamp) -> Result<Option<u32>, DbError> {
    let (tries, starts) = store::count_try(tx, email_key, address, now, now.plus_millis(-WINDOW_MILLIS)).await?;
    if tries <= TRIES {
        return Ok(None);
    }
    let left = starts.plus_millis(WINDOW_MILLIS).millis_since(now).max(0) / 1_000 + 1;
    Ok(Some(u32::try_from(left).unwrap_or(u32::MAX)))
}

/// Forgets the tries after a success.
///
/// # Errors
/// Whatever the statement met.
pub async fn forget(tx: &mut SystemTx, email_key: &str, address: &str) -> Result<(), DbError> {
    store::forget_tries(tx, email_key, address).await
}
