//! Figures out of the roll-ups, always in one currency.

use protocol::id::ShopId;
use protocol::limits;

use super::rules::{Range, RangeError, one_currency};
use super::store;
use super::types::{DayFigures, HourFigures, Overview, ProductFigures, Series};
use crate::db::{DbError, TenantTx};
use crate::domain::shops;
use crate::http::ApiError;

/// Why figures were not given.
#[derive(Debug, thiserror::Error)]
pub enum AnalyticsError {
    /// The database refused or could not be reached.
    #[error(transparent)]
    Db(#[from] DbError),
    /// They cannot be given for this range.
    #[error(transparent)]
    Range(#[from] RangeError),
    /// The shop is none of the tenant's.
    #[error("there is no such shop")]
    NoShop,
    /// What the noun of shops refused.
    #[error("the shops cannot be read: {}", .0.message)]
    Shops(ApiError),
}

/// Currencies of the shops asked for; a foreign shop is none.
async fn shop_currencies(tx: &mut TenantTx, range: &Range) -> Result<Vec<String>, AnalyticsError> {
    let shops = match range.shop {
        Some(shop) => {
            let shop = shops::service::settings(tx, ShopId::from_uuid(shop)).await?;
            vec![shop.ok_or(AnalyticsError::NoShop)?.currency]
        }
        None => shops::service::list(tx)
            .await
            .map_err(AnalyticsError::Shops)?
            .into_iter()
            .map(|shop| shop.currency)
            .collect(),
    };
    let mut codes: Vec<String> = shops.iter().map(ToString::to_string).collect();
    codes.sort();
    codes.dedup();
    Ok(codes)
}

/// The overview of a range.
///
/// # Errors
/// [`AnalyticsError::NoShop`], or [`RangeError::Currencies`] when the figures cannot be added.
pub async fn overview(tx: &mut TenantTx, range: &Range) -> Result<Overview, AnalyticsError> {
    let of_shops = shop_currencies(tx, range).await?;
    let tenant = tx.tenant().as_uuid();
    let (overview, found) = store::overview(tx.conn(), tenant, range).await.map_err(DbError::from)?;
    Ok(Overview { currency: one_currency(&found, &of_shops)?, ..overview })
}

/// The trading days of a range that have figures, newest first, at most [`limits::PAGE_ROWS`].
///
/// # Errors
/// As [`overview`].
pub async fn by_day(tx: &mut TenantTx, range: &Range) -> Result<Series<DayFigures>, AnalyticsError> {
    let of_shops = shop_currencies(tx, range).await?;
    let tenant = tx.tenant().as_uuid();
    let days = store::by_day(tx.conn(), tenant, range, i64::from(limits::PAGE_ROWS)).await;
    let (rows, found) = days.map_err(DbError::from)?;
    Ok(Series { currency: one_currency(&found, &of_shops)?, rows })
}

/// All 24 hours of the wall's clock, summed over a range.
///
/// # Errors
/// As [`overview`].
pub async fn by_hour(tx: &mut TenantTx, range: &Range) -> Result<Series<HourFigures>, AnalyticsError> {
    let of_shops = shop_currencies(tx, range).await?;
    let tenant = tx.tenant().as_uuid();
    let (found, currencies) = store::by_hour(tx.conn(), tenant, range).await.map_err(DbError::from)?;
    let hour = |hour: i16| {
        let known = found.iter().find(|row| row.hour == hour).cloned();
        known.unwrap_or(HourFigures { hour, ..HourFigures::default() })
    };
    Ok(Series { currency: one_currency(&currencies, &of_shops)?, rows: (0..24).map(hour).collect() })
}

/// The first products of a range by what they came to, or by how many went.
///
/// # Errors
/// As [`overview`].
pub async fn products(
    tx: &mut TenantTx,
    range: &Range,
    by_quantity: bool,
    limit: u32,
) -> Result<Series<ProductFigures>, AnalyticsError> {
    let of_shops = shop_currencies(tx, range).await?;
    let tenant = tx.tenant().as_uuid();
    let limit = i64::from(limit.clamp(1, limits::PAGE_ROWS));
    let first = store::products(tx.conn(), tenant, range, by_quantity, limit).await;
    let (rows, found) = first.map_err(DbError::from)?;
    Ok(Series { currency: one_currency(&found, &of_shops)?, rows })
}
