//! The state of the live page, read in one transaction.

use protocol::limits;
use protocol::timestamp::Timestamp;
use uuid::Uuid;

use super::rules::{LiveShop, LiveState, today};
use super::store;
use crate::db::{DbError, TenantTx};
use crate::domain::shops;
use crate::http::ApiResult;

/// The tenant's shops, by name, each with its trading day now.
///
/// # Errors
/// Whatever the database met.
pub async fn shops(tx: &mut TenantTx, now: Timestamp) -> ApiResult<Vec<LiveShop>> {
    let shops = shops::service::list(tx).await?;
    let live = |shop: shops::types::Shop| LiveShop {
        id: shop.id.as_uuid(),
        today: today(&shop.timezone, &shop.day_starts, now),
        name: shop.name,
        zone: shop.timezone,
        currency: shop.currency.to_string(),
    };
    Ok(shops.into_iter().map(live).collect())
}

/// What the live page shows of one shop, or of all of `shops`. The figures are those of each shop's running trading
/// day; while nothing was sold on it anywhere, of the last day that has a ticket.
///
/// # Errors
/// Whatever the database met.
pub async fn state(tx: &mut TenantTx, shops: &[LiveShop], only: Option<Uuid>) -> ApiResult<LiveState> {
    let tenant = tx.tenant().as_uuid();
    let limit = i64::try_from(limits::LIVE_TICKETS).unwrap_or(i64::MAX);
    let tickets = store::last(tx.conn(), tenant, only, limit).await.map_err(DbError::from)?;
    let chosen: Vec<&LiveShop> = shops.iter().filter(|shop| only.is_none_or(|only| only == shop.id)).collect();
    let ids: Vec<Uuid> = chosen.iter().map(|shop| shop.id).collect();
    let mut days: Vec<time::Date> = chosen.iter().map(|shop| shop.today).collect();
    let Some(newest) = days.iter().max().copied() else {
        return Ok(LiveState { tickets, figures: Vec::new(), day: None, running: true });
    };
    let figures = store::figures(tx.conn(), tenant, &ids, &days).await.map_err(DbError::from)?;
    if !figures.is_empty() {
        return Ok(LiveState { tickets, figures, day: Some(newest), running: true });
    }
    let last = store::last_day(tx.conn(), tenant, only, newest).await.map_err(DbError::from)?;
    let Some(last) = last else { return Ok(LiveState { tickets, figures, day: Some(newest), running: true }) };
    days.fill(last);
    let figures = store::figures(tx.conn(), tenant, &ids, &days).await.map_err(DbError::from)?;
    Ok(LiveState { tickets, figures, day: Some(last), running: false })
}
