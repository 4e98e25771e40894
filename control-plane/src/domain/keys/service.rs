//! Making, listing and ending keys, and what the guard asks about one.

use protocol::id::{PersonId, ShopId};
use protocol::timestamp::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::rules::{MOST, MOST_DAYS, NAME_CHARS, NOTE_MILLIS, SHOPS, Secret};
use super::store::{self, KeyRow};
use super::types::{Key, KeyMade, NewKey};
use crate::app::App;
use crate::auth::guard::{Caller, Standing, Via};
use crate::auth::policy::{Bits, Grant, Permission, Policy, Reach, RoleRef, Weight};
use crate::clock::{timestamp, utc};
use crate::db::{DbError, TenantTx};
use crate::domain::audit::{self, Entry};
use crate::http::{ApiError, ApiResult};
use crate::rng;

const DAY_MILLIS: i64 = 24 * 3_600 * 1_000;

fn permissions_of(row: &KeyRow) -> Vec<Permission> {
    let names: Vec<String> = serde_json::from_value(row.permissions.clone()).unwrap_or_default();
    names.iter().filter_map(|name| Permission::of_name(name)).collect()
}

/// A list of shops that cannot be read is an empty one, never all of them.
fn shops_of(row: &KeyRow) -> Option<Vec<Uuid>> {
    row.shops.clone().map(|shops| serde_json::from_value(shops).unwrap_or_default())
}

fn view(row: KeyRow, now: Timestamp) -> Key {
    Key {
        id: row.key_id,
        made_by: row.person_id,
        permissions: permissions_of(&row),
        shop_ids: shops_of(&row),
        made_at: row.made_at,
        expires_at: row.expires_at,
        used_at: row.used_at,
        expired: timestamp(row.expires_at) <= now,
        name: row.name,
    }
}

/// A page of the keys, the newest first. One whose time is over stays in the list until it is revoked.
///
/// # Errors
/// Whatever the statement met.
pub async fn list(tx: &mut TenantTx, after: Option<Uuid>, limit: i64, now: Timestamp) -> Result<Vec<Key>, DbError> {
    Ok(store::keys(tx, None, after, limit).await?.into_iter().map(|row| view(row, now)).collect())
}

/// Makes a key. Its secret is in the answer and nowhere else.
///
/// # Errors
/// VALIDATION; AUTHZ for what its maker may not; CONFLICT for too many.
pub async fn create(tx: &mut TenantTx, by: &Caller, mine: &Policy, new: &NewKey, now: Timestamp) -> ApiResult<KeyMade> {
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS || name.chars().any(char::is_control) {
        return Err(ApiError::field("name", format!("give 1 to {NAME_CHARS} characters on one line")));
    }
    if new.days == 0 || new.days > MOST_DAYS {
        return Err(ApiError::field("days", format!("give 1 to {MOST_DAYS} days: a key without end is forgotten")));
    }
    let bits = Bits::of(&new.permissions);
    if bits.is_empty() {
        return Err(ApiError::field("permissions", "name one or more"));
    }
    if let Some(sensitive) = new.permissions.iter().find(|permission| permission.weight() == Weight::Sensitive) {
        let why = format!("{sensitive} is power over others, which is for people alone");
        return Err(ApiError::field("permissions", why));
    }
    within(tx, mine, bits, new.shop_ids.as_deref()).await?;
    if store::standing(tx, now).await? >= MOST {
        return Err(ApiError::conflict(format!("{MOST} keys stand: revoke some first")));
    }
    let secret = Secret::new(by.tenant, rng::bytes());
    let names: Vec<&str> = bits.iter().map(Permission::name).collect();
    let row = KeyRow {
        key_id: rng::id(now),
        person_id: by.person.as_uuid(),
        name: name.to_owned(),
        permissions: json!(names),
        shops: new.shop_ids.as_ref().map(|shops| json!(shops)),
        made_at: utc(now),
        expires_at: utc(now.plus_millis(i64::from(new.days) * DAY_MILLIS)),
        used_at: None,
    };
    store::insert(tx, &row, &secret.hash()).await?;
    let diff = json!({ "name": name, "permissions": names, "shops": new.shop_ids, "days": new.days });
    audit::service::record(tx, by, &Entry::new("keys.made", "key", row.key_id).diff(diff), now).await?;
    Ok(KeyMade { key: view(row, now), secret: Some(secret.text()) })
}

/// That a maker gives no more than they have, and only shops that there are.
async fn within(tx: &mut TenantTx, mine: &Policy, bits: Bits, shops: Option<&[Uuid]>) -> ApiResult<()> {
    let beyond = match shops {
        None => mine.beyond(bits, &Reach::Tenant),
        Some(shops) => {
            let there = store::shops(tx, shops).await?;
            let mut distinct = shops.to_vec();
            distinct.sort_unstable();
            distinct.dedup();
            if shops.is_empty() || shops.len() > SHOPS || usize::try_from(there) != Ok(distinct.len()) {
                return Err(ApiError::field("shop_ids", format!("name 1 to {SHOPS} shops that there are")));
            }
            let reach = |shop: &Uuid| Reach::Shop(ShopId::from_uuid(*shop));
            shops.iter().fold(Bits::NONE, |all, shop| all.or(mine.beyond(bits, &reach(shop))))
        }
    };
    if beyond.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = beyond.iter().map(Permission::name).collect();
    let message = format!("nobody gives more than they have: you lack {} there", names.join(", "));
    Err(ApiError::authz(message).with(json!({ "reason": "beyond", "permissions": names })))
}

/// Revokes a key; the next request with it is refused.
///
/// # Errors
/// NOT_FOUND.
pub async fn revoke(tx: &mut TenantTx, by: &Caller, id: Uuid, now: Timestamp) -> ApiResult<()> {
    if store::revoke(tx, Some(id), None, now).await? == 0 {
        return Err(ApiError::not_found("key"));
    }
    Ok(audit::service::record(tx, by, &Entry::new("keys.revoked", "key", id), now).await?)
}

/// Revokes all keys of somebody whose membership ends in this transaction; answers how many.
///
/// # Errors
/// Whatever the statement met.
pub async fn revoke_of(tx: &mut TenantTx, person: PersonId, now: Timestamp) -> Result<u64, DbError> {
    store::revoke(tx, None, Some(person), now).await
}

/// Whose key a bearer token is, if it stands: what the guard asks.
///
/// # Errors
/// Whatever the database met.
pub async fn standing(app: &App, token: &str) -> ApiResult<Option<Standing>> {
    let Some(secret) = Secret::read(token) else { return Ok(None) };
    let now = app.clock.now();
    let found = app.db.key_state(secret.tenant, &secret.hash(), now, now.plus_millis(-NOTE_MILLIS)).await?;
    let standing = found.map(|state| {
        let caller = Caller {
            via: Via::Key,
            suspended: state.suspended,
            ..Caller::member(secret.tenant, state.person, state.key)
        };
        Standing { caller, version: state.policy_version }
    });
    Ok(standing)
}

/// What was given to a key: what the guard compiles, less what its maker may not any more.
///
/// # Errors
/// Whatever the database met.
pub async fn given(tx: &mut TenantTx, key: Uuid) -> Result<Vec<Grant>, DbError> {
    let Some(row) = store::keys(tx, Some(key), None, 1).await?.pop() else { return Ok(Vec::new()) };
    let bits = Bits::of(&permissions_of(&row));
    let grant = |reach: Reach| Grant { role: RoleRef::Key, bits, reach, wants_mfa: false };
    Ok(match shops_of(&row) {
        None => vec![grant(Reach::Tenant)],
        Some(shops) => shops.into_iter().map(|shop| grant(Reach::Shop(ShopId::from_uuid(shop)))).collect(),
    })
}
