//! Figures out of the roll-ups, always in one currency.

use std::collections::HashMap;

use protocol::id::{ShopId, TenantId};
use protocol::limits;
use time::{Date, Duration};
use uuid::Uuid;

use super::parts::{self, Parts};
use super::rules::{self, Range, RangeError, one_currency};
use super::store;
use super::types::{
    DayFigures, Figures, HourFigures, Looks, Overview, ProductFigures, Series, ShopDay, ShopReport, Step,
};
use crate::app::App;
use crate::clock::utc;
use crate::db::{DbError, TenantTx};
use crate::domain::{sales, shops};
use crate::http::ApiError;

/// Products that the page of a shop names.
const TOP: i64 = 10;

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

/// The trading days of every shop between two days, newest first; at most [`limits::SHOP_DAYS`].
///
/// # Errors
/// Whatever the database met.
pub async fn shop_days(tx: &mut TenantTx, from: Date, to: Date) -> Result<Vec<ShopDay>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(store::shop_days(tx.conn(), tenant, from, to, limits::SHOP_DAYS).await?)
}

/// The last trading day of a shop that has any figures.
///
/// # Errors
/// Whatever the database met.
pub async fn last_day(tx: &mut TenantTx, shop: ShopId) -> Result<Option<Date>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(store::last_day(tx.conn(), tenant, shop.as_uuid()).await?)
}

/// Everything the page of a shop shows of the days `from..=to`. The caller has seen that the shop is the tenant's.
///
/// # Errors
/// [`AnalyticsError::Db`]; figures in several currencies are no error here, they are left out and none is named.
pub async fn shop_report(tx: &mut TenantTx, shop: ShopId, from: Date, to: Date) -> Result<ShopReport, AnalyticsError> {
    let tenant = tx.tenant().as_uuid();
    let range = |from, to| Range { shop: Some(shop.as_uuid()), from: Some(from), to: Some(to) };
    let (now, earlier) = (range(from, to), rules::before(from, to));
    let then = range(earlier.0, earlier.1);
    let (overview, mut currencies) = store::overview(tx.conn(), tenant, &now).await.map_err(DbError::from)?;
    let limit = i64::from(limits::RANGE_DAYS);
    let (before, steps, of_before) = if from == to {
        let (hours, _) = store::by_hour(tx.conn(), tenant, &now).await.map_err(DbError::from)?;
        let (hours_before, of_before) = store::by_hour(tx.conn(), tenant, &then).await.map_err(DbError::from)?;
        let at = |found: &[HourFigures], hour| {
            found.iter().find(|row| row.hour == hour).map(|row| row.figures.clone()).unwrap_or_default()
        };
        let step =
            |hour: i16| Step { label: format!("{hour:02}:00"), now: at(&hours, hour), before: at(&hours_before, hour) };
        (sum(hours_before.iter().map(|row| &row.figures)), (0..24).map(step).collect::<Vec<_>>(), of_before)
    } else {
        let (days, _) = store::by_day(tx.conn(), tenant, &now, limit).await.map_err(DbError::from)?;
        let (days_before, of_before) = store::by_day(tx.conn(), tenant, &then, limit).await.map_err(DbError::from)?;
        let by_date = |found: Vec<DayFigures>| -> HashMap<String, Figures> {
            found.into_iter().map(|row| (row.business_date, row.figures)).collect()
        };
        let before = sum(days_before.iter().map(|row| &row.figures));
        let (days, days_before) = (by_date(days), by_date(days_before));
        let at =
            |found: &HashMap<String, Figures>, date: Date| found.get(&date.to_string()).cloned().unwrap_or_default();
        let both = rules::days(from, to).zip(rules::days(earlier.0, earlier.1));
        let step = |(day, other): (Date, Date)| Step {
            label: day.to_string(),
            now: at(&days, day),
            before: at(&days_before, other),
        };
        (before, both.map(step).collect(), of_before)
    };
    currencies.extend(of_before);
    currencies.sort();
    currencies.dedup();
    if currencies.len() > 1 {
        return Ok(ShopReport::default());
    }
    let currency = currencies.pop();
    let top = match &currency {
        Some(currency) => top(tx, shop, currency, from, to).await?,
        None => Vec::new(),
    };
    Ok(ShopReport { currency, overview, before, steps, top })
}

/// The products of a shop that came to most. A long range is put together from sums over a year so far that hold.
async fn top(
    tx: &mut TenantTx,
    shop: ShopId,
    currency: &str,
    from: Date,
    to: Date,
) -> Result<Vec<ProductFigures>, DbError> {
    let parts = if (to - from).whole_days() < parts::PLAIN_DAYS {
        Parts::plain(from, to)
    } else {
        // A sum that ends within a month after the range may be nearer than any inside.
        let month = Duration::days(31);
        let (first, last) = (from.checked_sub(month).unwrap_or(from), to.checked_add(month).unwrap_or(to));
        Parts::of(from, to, &sales::service::sums_so_far(tx, shop, first, last).await?)
    };
    let asked = store::Top { shop: shop.as_uuid(), currency, from, to, parts: &parts, limit: TOP };
    let tenant = tx.tenant().as_uuid();
    Ok(store::top(tx.conn(), tenant, &asked).await?)
}

/// Makes all that is read of the transaction be of one moment: the parts of a page's figures belong together. Comes first.
///
/// # Errors
/// Whatever the database met.
pub async fn one_moment(tx: &mut TenantTx) -> Result<(), DbError> {
    sales::service::one_snapshot(tx).await
}

/// What people know of the days `from..=to` of a shop, or of all. The page that shows them ends with [`see`].
///
/// # Errors
/// Whatever the database met.
pub async fn looks(
    tx: &mut TenantTx,
    shop: Option<ShopId>,
    (from, to): (Date, Date),
    today: Date,
) -> Result<Looks, DbError> {
    let (tenant, shop) = (tx.tenant().as_uuid(), shop.map(|shop| shop.as_uuid()));
    let seen = store::seen(tx.conn(), tenant, shop, (from, to), limits::SHOP_DAYS).await?;
    let moved = store::moved(tx.conn(), tenant, shop, (from, to), limits::SHOP_DAYS).await?;
    Ok(rules::looks(&seen, &moved, today))
}

/// Notes that a person has seen these days: what arrives for them later changes figures that somebody knows, and is told.
/// In a transaction of its own, after the page's has ended; usually there is nothing to write.
///
/// # Errors
/// Whatever the database met.
pub async fn see(app: &App, tenant: TenantId, days: &[(Uuid, Date)]) -> Result<(), DbError> {
    if days.is_empty() {
        return Ok(());
    }
    let mut tx = TenantTx::begin(&app.db, tenant).await?;
    store::see(tx.conn(), tenant.as_uuid(), days, utc(app.clock.now())).await?;
    tx.save().await
}

fn sum<'a>(all: impl Iterator<Item = &'a Figures>) -> Figures {
    all.fold(Figures::default(), |sum, next| Figures {
        sales: sum.sales.saturating_add(next.sales),
        returns: sum.returns.saturating_add(next.returns),
        lines: sum.lines.saturating_add(next.lines),
        gross_sales_minor: sum.gross_sales_minor.saturating_add(next.gross_sales_minor),
        returns_minor: sum.returns_minor.saturating_add(next.returns_minor),
        net_sales_minor: sum.net_sales_minor.saturating_add(next.net_sales_minor),
        tax_minor: sum.tax_minor.saturating_add(next.tax_minor),
    })
}
