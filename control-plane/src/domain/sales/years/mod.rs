//! Sums of products from the first day of a year to the end of one of its months (app.product_years): made by upkeep out
//! of app.product_days, month after month, so that a page over a year reads a few thousand rows instead of every
//! product of every day. Ingest knows nothing of them; a reader sees by the number of tickets whether one still holds.

pub mod store;
#[cfg(test)]
mod tests;

use protocol::id::TenantId;
use protocol::timestamp::Timestamp;
use time::{Date, Duration};

use crate::clock::utc;
use crate::db::{Db, DbError, TenantTx};

/// Months of one tenant that one round makes; the next round goes on. A new tenant with ten years of ten shops is through
/// in five rounds, and no round keeps others waiting.
pub const MONTHS_A_ROUND: i64 = 240;

/// Makes the sums of every month that has ended and whose tickets are others than those summed before, oldest first.
/// Answers how many it made. A page that is opened meanwhile adds the days, as before.
///
/// # Errors
/// Whatever the database met; months made before stay.
pub async fn roll(db: &Db, tenant: TenantId, now: Timestamp) -> Result<u64, DbError> {
    // A day of the earliest shop may last two days longer than UTC's. A month that still grows would only be made in vain.
    let today = utc(now).date();
    let ended = today.checked_sub(Duration::days(2)).unwrap_or(today);
    let mut tx = TenantTx::begin(db, tenant).await?;
    let stale = store::stale(tx.conn(), tenant.as_uuid(), ended, MONTHS_A_ROUND).await?;
    drop(tx);
    let mut made = 0;
    for (shop, through) in stale {
        let mut tx = TenantTx::begin(db, tenant).await?;
        // The sum and the number of its tickets are of one moment.
        store::one_snapshot(tx.conn()).await?;
        let first = Date::from_calendar_date(through.year(), time::Month::January, 1).unwrap_or(through);
        let fresh = store::fresh(tx.conn(), tenant.as_uuid(), shop, first, through).await?;
        let base = fresh.into_iter().rfind(|head| *head < through);
        let from = base.and_then(Date::next_day).unwrap_or(first);
        store::make(tx.conn(), tenant.as_uuid(), shop, (base, from, through), utc(now)).await?;
        tx.save().await?;
        made += 1;
    }
    Ok(made)
}
