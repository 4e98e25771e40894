//! Making, changing and finding shops, and their settings as nodes get them.

use protocol::business_day::DayRule;
use protocol::collection::{ShopSettings, Version};
use protocol::id::ShopId;
use protocol::tax::{TaxBasis, TaxMode, TaxRate};
use protocol::timestamp::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::rules::{self, BadSetting};
use super::store::{self, Columns, ShopRow};
use super::types::{NewShop, Shop, ShopPatch};
use crate::db::{DbError, TenantTx};
use crate::domain::audit::{self, Actor, Entry};
use crate::domain::tenants;
use crate::http::{ApiError, ApiResult, IfMatch};
use crate::rng;

impl From<BadSetting> for ApiError {
    fn from(bad: BadSetting) -> Self {
        Self::field(bad.field, bad.why)
    }
}

/// Writes a shop's settings into the record of what was done: what is different.
async fn record(
    tx: &mut TenantTx,
    actor: Actor,
    action: &'static str,
    before: Option<&Shop>,
    after: &Shop,
    now: Timestamp,
) -> ApiResult<()> {
    let (old, new) = (json!(before), json!(after));
    let fields = new.as_object().into_iter().flatten();
    let changed = fields.filter(|(name, value)| *name != "version" && *name != "id" && old.get(name) != Some(value));
    let diff: Map<String, Value> = changed
        .map(|(name, value)| (name.clone(), old.get(name).map_or_else(|| value.clone(), |old| json!([old, value]))))
        .collect();
    let entry = Entry::new(action, "shop", after.id).diff(Value::Object(diff));
    Ok(audit::service::record(tx, actor, &entry, now).await?)
}

/// Whether a shop could be made like this.
///
/// # Errors
/// VALIDATION naming the setting.
pub fn check(new: &NewShop) -> ApiResult<()> {
    Ok(rules::check(new).map(drop)?)
}

/// Makes a shop of the transaction's tenant.
///
/// # Errors
/// VALIDATION naming the setting; NOT_FOUND if there is no such tenant.
pub async fn create(tx: &mut TenantTx, actor: impl Into<Actor>, new: &NewShop, now: Timestamp) -> ApiResult<Shop> {
    rules::check(new)?;
    if tenants::service::name(tx).await?.is_none() {
        return Err(ApiError::not_found("tenant"));
    }
    let id = ShopId::from_uuid(rng::id(now));
    store::insert(tx, id, &columns(new)?, now).await?;
    let shop = get(tx, id).await?;
    record(tx, actor.into(), "shops.created", None, &shop, now).await?;
    Ok(shop)
}

/// Changes a shop that is still as it was `seen`; its version rises. The caller hints the collection `Shop` after
/// the commit.
///
/// # Errors
/// VALIDATION naming the setting; NOT_FOUND; CONFLICT (412) when somebody else changed it.
pub async fn update(
    tx: &mut TenantTx,
    actor: impl Into<Actor>,
    shop: ShopId,
    seen: &IfMatch,
    patch: ShopPatch,
    now: Timestamp,
) -> ApiResult<Shop> {
    let row = store::get(tx, shop, true).await?.ok_or_else(|| ApiError::not_found("shop"))?;
    seen.check(row.version)?;
    let before = read(row)?;
    let next = rules::patched(&before, patch);
    rules::check(&next)?;
    if !store::update(tx, shop, &columns(&next)?, now).await? {
        return Err(ApiError::not_found("shop"));
    }
    let after = get(tx, shop).await?;
    record(tx, actor.into(), "shops.changed", Some(&before), &after, now).await?;
    Ok(after)
}

/// The tenant's shops, by name.
///
/// # Errors
/// Whatever the statement met.
pub async fn list(tx: &mut TenantTx) -> ApiResult<Vec<Shop>> {
    store::list(tx).await?.into_iter().map(|row| read(row).map_err(ApiError::from)).collect()
}

/// The tenant's shops behind a name and id, by name, at most so many.
///
/// # Errors
/// Whatever the statement met.
pub async fn page(tx: &mut TenantTx, after: Option<&(String, Uuid)>, limit: i64) -> ApiResult<Vec<Shop>> {
    store::page(tx, after, limit).await?.into_iter().map(|row| read(row).map_err(ApiError::from)).collect()
}

/// One shop.
///
/// # Errors
/// NOT_FOUND, also for another tenant's.
pub async fn get(tx: &mut TenantTx, shop: ShopId) -> ApiResult<Shop> {
    let row = store::get(tx, shop, false).await?.ok_or_else(|| ApiError::not_found("shop"))?;
    Ok(read(row)?)
}

/// The settings that the shop's nodes trade by; none if there is no such shop.
///
/// # Errors
/// Whatever the statement met.
pub async fn settings(tx: &mut TenantTx, shop: ShopId) -> Result<Option<ShopSettings>, DbError> {
    let Some(row) = store::get(tx, shop, false).await? else { return Ok(None) };
    let minutes = u16::try_from(row.day_starts_minutes).unwrap_or(0);
    let shop = read(row)?;
    Ok(Some(ShopSettings {
        version: Version(shop.version),
        shop: shop.id,
        name: shop.name,
        zone: shop.timezone,
        day_starts_minutes: minutes,
        currency: shop.currency,
        tax_mode: shop.tax_mode,
        tax_basis: shop.tax_basis,
        cash_step: shop.cash_step,
        late_entry: shop.late_entry,
        open_line_tax_rate: TaxRate::from_ppm(shop.open_line_tax_rate_ppm).unwrap_or(TaxRate::ZERO),
    }))
}

/// The trading day that a shop is in. A rule that cannot be read is taken for midnight in UTC.
pub fn today(shop: &Shop, now: Timestamp) -> time::Date {
    let day = DayRule::new(&shop.timezone, &shop.day_starts).ok().and_then(|rule| rule.date_of(now).ok());
    let date = day.and_then(|day| {
        let civil = day.date();
        let month = u8::try_from(civil.month()).ok().and_then(|month| time::Month::try_from(month).ok())?;
        time::Date::from_calendar_date(i32::from(civil.year()), month, u8::try_from(civil.day()).ok()?).ok()
    });
    date.unwrap_or_else(|| crate::clock::utc(now).date())
}

fn columns(new: &NewShop) -> ApiResult<Columns<'_>> {
    let rule = DayRule::new(&new.timezone, &new.day_starts).map_err(|e| ApiError::field("timezone", e))?;
    Ok(Columns {
        new,
        day_starts_minutes: i16::try_from(rule.starts_minutes()).unwrap_or(0),
        tax_mode: match new.tax_mode {
            TaxMode::Inclusive => "inclusive",
            TaxMode::Exclusive => "exclusive",
        },
        tax_basis: match new.tax_basis {
            TaxBasis::PerReceipt => "per_receipt",
            TaxBasis::PerLine => "per_line",
        },
    })
}

fn read(row: ShopRow) -> Result<Shop, DbError> {
    let currency = row.currency.parse().map_err(|_| DbError::Unfit(format!("currency {:?}", row.currency)))?;
    Ok(Shop {
        id: ShopId::from_uuid(row.shop_id),
        name: row.name,
        timezone: row.time_zone,
        day_starts: rules::day_starts_text(u16::try_from(row.day_starts_minutes).unwrap_or(0)),
        currency,
        tax_mode: if row.tax_mode == "exclusive" { TaxMode::Exclusive } else { TaxMode::Inclusive },
        tax_basis: if row.tax_basis == "per_line" { TaxBasis::PerLine } else { TaxBasis::PerReceipt },
        cash_step: u16::try_from(row.cash_step).unwrap_or(0),
        late_entry: row.late_entry,
        open_line_tax_rate_ppm: u32::try_from(row.open_line_tax_rate_ppm).unwrap_or(0),
        version: u64::try_from(row.version).unwrap_or(0),
    })
}
