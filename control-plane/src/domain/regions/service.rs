//! Making, changing and removing regions.

use std::collections::BTreeSet;

use protocol::id::ShopId;
use protocol::timestamp::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::store;
use super::types::{Region, RegionBody, SHOPS};
use crate::auth::guard::Caller;
use crate::auth::policy::{self, Policy};
use crate::db::{DbError, TenantTx};
use crate::domain::audit::{self, Entry};
use crate::domain::roles;
use crate::http::{ApiError, ApiResult, IfMatch};
use crate::rng;

/// Regions of a company.
const REGIONS: usize = 1_000;

/// All regions, by name.
///
/// # Errors
/// Whatever the statement met.
pub async fn list(tx: &mut TenantTx) -> Result<Vec<Region>, DbError> {
    store::regions(tx, None).await
}

/// One region.
///
/// # Errors
/// NOT_FOUND.
pub async fn one(tx: &mut TenantTx, id: Uuid) -> ApiResult<Region> {
    store::regions(tx, Some(id)).await?.pop().ok_or_else(|| ApiError::not_found("region"))
}

/// Makes a region.
///
/// # Errors
/// VALIDATION; CONFLICT for a name that is taken.
pub async fn create(
    tx: &mut TenantTx,
    caller: &Caller,
    mine: &Policy,
    body: &RegionBody,
    now: Timestamp,
) -> ApiResult<Region> {
    if list(tx).await?.len() >= REGIONS {
        return Err(ApiError::conflict(format!("a company has {REGIONS} regions at most")));
    }
    let id = rng::id(now);
    leaves_others(tx, mine, id, &body.shop_ids.iter().copied().collect()).await?;
    write(tx, id, body, now).await?;
    let entry = Entry::new("regions.created", "region", id).diff(json!({ "name": body.name, "shops": body.shop_ids }));
    audit::service::record(tx, caller, &entry, now).await?;
    one(tx, id).await
}

/// Makes a region what it should be: who holds a role for it may from now on act in its new shops, and no more in its old.
///
/// # Errors
/// As [`create`]; NOT_FOUND; AUTHZ when its people would get more in a new shop than the caller has there; CONFLICT (412) when it is not as it was seen.
pub async fn update(
    tx: &mut TenantTx,
    caller: &Caller,
    mine: &Policy,
    id: Uuid,
    seen: &IfMatch,
    body: &RegionBody,
    now: Timestamp,
) -> ApiResult<Region> {
    let version = store::lock(tx, id).await?.ok_or_else(|| ApiError::not_found("region"))?;
    seen.check(version)?;
    let before = one(tx, id).await?;
    let (old, new): (BTreeSet<Uuid>, BTreeSet<Uuid>) =
        (before.shop_ids.iter().copied().collect(), body.shop_ids.iter().copied().collect());
    // A shop that joins comes under every role that is held for the region, one that leaves comes out: that is giving and
    // taking, too.
    let moving: Vec<ShopId> = new.symmetric_difference(&old).map(|shop| ShopId::from_uuid(*shop)).collect();
    roles::service::may_move(tx, mine, id, moving).await?;
    leaves_others(tx, mine, id, &new).await?;
    write(tx, id, body, now).await?;
    let diff = json!({
        "name": [before.name, body.name],
        "added": new.difference(&old).collect::<Vec<_>>(), "removed": old.difference(&new).collect::<Vec<_>>(),
    });
    audit::service::record(tx, caller, &Entry::new("regions.changed", "region", id).diff(diff), now).await?;
    one(tx, id).await
}

/// That shops may leave the other regions that they are in now.
async fn leaves_others(tx: &mut TenantTx, mine: &Policy, to: Uuid, shops: &BTreeSet<Uuid>) -> ApiResult<()> {
    for other in list(tx).await?.into_iter().filter(|other| other.id != to) {
        let leaving = other.shop_ids.iter().filter(|shop| shops.contains(shop));
        roles::service::may_move(tx, mine, other.id, leaving.map(|shop| ShopId::from_uuid(*shop)).collect()).await?;
    }
    Ok(())
}

/// Removes a region for which nobody holds a role. Its shops stay, without a region.
///
/// # Errors
/// NOT_FOUND; CONFLICT while roles are held for it, or (412) when it is not as it was seen.
pub async fn remove(tx: &mut TenantTx, caller: &Caller, id: Uuid, seen: &IfMatch, now: Timestamp) -> ApiResult<()> {
    let version = store::lock(tx, id).await?.ok_or_else(|| ApiError::not_found("region"))?;
    seen.check(version)?;
    let held = store::holders(tx, id).await?;
    if held > 0 {
        return Err(ApiError::conflict(format!("{held} roles are held for this region: take them back first")));
    }
    let before = one(tx, id).await?;
    store::set_shops(tx, id, &[]).await?;
    store::remove(tx, id).await?;
    policy::bump(tx).await?;
    let entry =
        Entry::new("regions.removed", "region", id).diff(json!({ "name": before.name, "shops": before.shop_ids }));
    Ok(audit::service::record(tx, caller, &entry, now).await?)
}

async fn write(tx: &mut TenantTx, id: Uuid, body: &RegionBody, now: Timestamp) -> ApiResult<()> {
    let name = body.name.trim();
    if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        return Err(ApiError::field("name", "give 1 to 200 characters"));
    }
    let shops: BTreeSet<Uuid> = body.shop_ids.iter().copied().collect();
    if shops.len() > SHOPS {
        return Err(ApiError::field("shop_ids", format!("{SHOPS} shops at most")));
    }
    store::write(tx, id, name, now)
        .await
        .map_err(|error| ApiError::or_taken(error, "a region of this name exists; choose another name"))?;
    let shops: Vec<Uuid> = shops.into_iter().collect();
    let there = store::set_shops(tx, id, &shops).await?;
    if there != u64::try_from(shops.len()).unwrap_or(u64::MAX) {
        return Err(ApiError::field("shop_ids", "one of these is no shop of the company"));
    }
    Ok(policy::bump(tx).await?)
}
