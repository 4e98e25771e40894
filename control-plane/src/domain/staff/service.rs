//! Adding, changing and ending staff. Whoever holds the permission for some shops changes those who work in these alone.

use protocol::id::{ShopId, StaffId};
use protocol::limits;
use protocol::staff::Rights;
use protocol::timestamp::Timestamp;
use serde_json::json;
use uuid::Uuid;

pub use super::of_shop::{collection, rules_of, set_rules};
use super::rules::{self, Bad};
use super::store::{self, Columns, Row};
use super::types::{LaneRole, Member, NewStaff, StaffPatch};
use crate::auth::policy::Scope;
use crate::db::{DbError, TenantTx};
use crate::domain::audit::{self, Actor, Entry};
use crate::domain::shops;
use crate::http::{ApiError, ApiResult, IfMatch};
use crate::rng;

/// Staff of one tenant.
const MOST: i64 = 20_000;

impl From<Bad> for ApiError {
    fn from(bad: Bad) -> Self {
        Self::field(bad.field, bad.why)
    }
}

/// The shops of a scope as the statements take them; none: all.
pub(super) fn bare(scope: &Scope) -> Option<Vec<Uuid>> {
    match scope {
        Scope::Everywhere => None,
        Scope::Shops(shops) => Some(shops.iter().map(ShopId::as_uuid).collect()),
    }
}

/// The staff that a scope may see, by name.
///
/// # Errors
/// Whatever the statement met.
pub async fn page(
    tx: &mut TenantTx,
    scope: &Scope,
    with_ended: bool,
    after: Option<&(String, Uuid)>,
    limit: i64,
) -> ApiResult<Vec<Member>> {
    let after = after.map_or(("", Uuid::nil()), |(name, id)| (name.as_str(), *id));
    let rows = store::page(tx, with_ended, after, bare(scope).as_deref(), limit).await?;
    rows.into_iter().map(|row| Ok(read(row, scope)?)).collect()
}

/// One of them.
///
/// # Errors
/// NOT_FOUND, also for somebody the scope does not reach.
pub async fn get(tx: &mut TenantTx, scope: &Scope, id: StaffId) -> ApiResult<Member> {
    let row = found(store::get(tx, id, false).await?, scope)?;
    Ok(read(row, scope)?)
}

fn found(row: Option<Row>, scope: &Scope) -> ApiResult<Row> {
    let sees = |row: &Row| match scope {
        Scope::Everywhere => true,
        Scope::Shops(_) => row.all_shops || row.shop_ids.iter().any(|shop| scope.includes(ShopId::from_uuid(*shop))),
    };
    row.filter(sees).ok_or_else(|| ApiError::not_found("staff member"))
}

/// The row, locked, of somebody who may be changed.
pub(super) async fn mine(tx: &mut TenantTx, scope: &Scope, id: StaffId) -> ApiResult<Row> {
    let row = found(store::get(tx, id, true).await?, scope)?;
    let seen = usize::try_from(row.shop_count).unwrap_or(usize::MAX) == row.shop_ids.len();
    let within = row.shop_ids.iter().all(|shop| scope.includes(ShopId::from_uuid(*shop)));
    if *scope != Scope::Everywhere && (row.all_shops || !seen || !within) {
        return Err(ApiError::authz("they work in other shops too; ask somebody who looks after those"));
    }
    if row.ended_at.is_some() {
        return Err(ApiError::conflict("they work here no more; add them anew"));
    }
    Ok(row)
}

/// Somebody as they are to be.
struct Wish {
    name: String,
    short_name: String,
    person_id: Option<Uuid>,
    role: LaneRole,
    added: Rights,
    removed: Rights,
    discount_ppm: Option<u32>,
    discount_minor: Option<i64>,
    all_shops: bool,
    shops: Vec<Uuid>,
}

impl Wish {
    fn columns(&self) -> Columns<'_> {
        Columns {
            name: &self.name,
            short_name: &self.short_name,
            person_id: self.person_id,
            role: self.role.name(),
            rights_added: i32::try_from(self.added.0).unwrap_or(0),
            rights_removed: i32::try_from(self.removed.0).unwrap_or(0),
            discount_ppm: self.discount_ppm.and_then(|ppm| i32::try_from(ppm).ok()),
            discount_minor: self.discount_minor,
            all_shops: self.all_shops,
            shops: &self.shops,
        }
    }

    /// Where they work, for the versions.
    fn shops(&self) -> Option<&[Uuid]> {
        (!self.all_shops).then_some(&self.shops)
    }

    async fn check(&mut self, tx: &mut TenantTx, scope: &Scope) -> ApiResult<()> {
        rules::limit(("discount_ppm", "discount_minor"), self.discount_ppm, self.discount_minor)?;
        self.shops.sort_unstable();
        self.shops.dedup();
        if self.all_shops {
            self.shops.clear();
            if *scope != Scope::Everywhere {
                return Err(ApiError::field("all_shops", "you look after some shops only; name those"));
            }
        } else if self.shops.is_empty() {
            return Err(ApiError::field("shop_ids", "name the shops they work in, or say all_shops"));
        }
        let known: Vec<Uuid> = shops::service::list(tx).await?.iter().map(|shop| shop.id.as_uuid()).collect();
        let there = |shop: &Uuid| known.contains(shop) && scope.includes(ShopId::from_uuid(*shop));
        if !self.shops.iter().all(there) {
            return Err(ApiError::field("shop_ids", "one of them is no shop of yours"));
        }
        Ok(())
    }

    /// After the change: nobody may be lost on the way to a node.
    async fn fits(&self, tx: &mut TenantTx) -> ApiResult<()> {
        let most = i64::try_from(limits::STAFF_OF_SHOP).unwrap_or(i64::MAX);
        if store::fullest(tx, self.shops()).await? > most {
            return Err(ApiError::field("shop_ids", format!("a shop has at most {most} people at its lanes")));
        }
        if store::count(tx).await? > MOST {
            return Err(ApiError::validation(format!("a company has at most {MOST} people at its lanes")));
        }
        Ok(())
    }
}

fn not_a_person(error: DbError) -> ApiError {
    if matches!(error, DbError::Refused { .. }) {
        return ApiError::field("person_id", "nobody of your company at head office has this id");
    }
    error.into()
}

/// Adds somebody. The caller hints the collection `Staff` after the commit.
///
/// # Errors
/// VALIDATION naming the field.
pub async fn create(tx: &mut TenantTx, scope: &Scope, by: Actor, new: NewStaff, now: Timestamp) -> ApiResult<Member> {
    let name = rules::name("name", &new.name, limits::STAFF_NAME_BYTES)?;
    let mut wish = Wish {
        short_name: rules::short_name(new.short_name.as_deref(), &name)?,
        name,
        person_id: new.person_id,
        role: new.role,
        added: rules::bits(&new.rights_added),
        removed: rules::bits(&new.rights_removed),
        discount_ppm: new.discount_ppm,
        discount_minor: new.discount_minor,
        all_shops: new.all_shops,
        shops: new.shop_ids,
    };
    wish.check(tx, scope).await?;
    let id = StaffId::from_uuid(rng::id(now));
    store::insert(tx, id, &wish.columns(), now).await.map_err(not_a_person)?;
    wish.fits(tx).await?;
    store::bump(tx, wish.shops(), now).await?;
    let member = get(tx, scope, id).await?;
    record(tx, by, "staff.added", &member, now).await?;
    Ok(member)
}

/// Changes somebody who is still as they were `seen`. The caller hints the collection `Staff` after the commit.
///
/// # Errors
/// VALIDATION, NOT_FOUND, AUTHZ for somebody of other shops, CONFLICT (412) when somebody else changed them.
pub async fn update(
    tx: &mut TenantTx,
    scope: &Scope,
    by: Actor,
    (id, seen): (StaffId, &IfMatch),
    patch: StaffPatch,
    now: Timestamp,
) -> ApiResult<Member> {
    let row = mine(tx, scope, id).await?;
    seen.check(row.version)?;
    let before = bare_shops(&row);
    let (added, removed) = bits_of(&row);
    let name = match patch.name {
        Some(name) => rules::name("name", &name, limits::STAFF_NAME_BYTES)?,
        None => row.name.clone(),
    };
    let mut wish = Wish {
        short_name: match patch.short_name {
            Some(short) => rules::short_name(Some(&short), &name)?,
            None => row.short_name.clone(),
        },
        name,
        person_id: patch.person_id.unwrap_or(row.person_id),
        role: patch.role.unwrap_or_else(|| role_of(&row)),
        added: patch.rights_added.map_or(added, |rights| rules::bits(&rights)),
        removed: patch.rights_removed.map_or(removed, |rights| rules::bits(&rights)),
        discount_ppm: patch.discount_ppm.unwrap_or_else(|| row.discount_ppm.and_then(|ppm| u32::try_from(ppm).ok())),
        discount_minor: patch.discount_minor.unwrap_or(row.discount_minor),
        all_shops: patch.all_shops.unwrap_or(row.all_shops),
        shops: patch.shop_ids.unwrap_or_else(|| row.shop_ids.clone()),
    };
    wish.check(tx, scope).await?;
    store::update(tx, id, &wish.columns(), now).await.map_err(not_a_person)?;
    wish.fits(tx).await?;
    // Where they were and where they are.
    let touched = match (before, wish.shops()) {
        (Some(mut before), Some(after)) => {
            before.extend(after);
            Some(before)
        }
        (None, _) | (_, None) => None,
    };
    store::bump(tx, touched.as_deref(), now).await?;
    let member = get(tx, scope, id).await?;
    record(tx, by, "staff.changed", &member, now).await?;
    Ok(member)
}

/// Ends somebody's time: they lose every right at the next sync of their shops, and their PIN is forgotten.
///
/// # Errors
/// NOT_FOUND, AUTHZ for somebody of other shops, CONFLICT when it ended before.
pub async fn end(tx: &mut TenantTx, scope: &Scope, by: Actor, id: StaffId, now: Timestamp) -> ApiResult<Member> {
    let row = mine(tx, scope, id).await?;
    store::end(tx, id, now).await?;
    store::bump(tx, bare_shops(&row).as_deref(), now).await?;
    let member = get(tx, scope, id).await?;
    record(tx, by, "staff.ended", &member, now).await?;
    Ok(member)
}

async fn record(tx: &mut TenantTx, by: Actor, what: &'static str, member: &Member, now: Timestamp) -> ApiResult<()> {
    let diff = json!({ "role": member.role, "rights": member.rights, "all_shops": member.all_shops,
                       "shops": member.shop_ids.len(), "discount_ppm": member.discount_ppm,
                       "discount_minor": member.discount_minor, "version": member.version });
    audit::service::record(tx, by, &Entry::new(what, "staff", member.id).diff(diff), now).await?;
    Ok(())
}

/// Notes that somebody has a new PIN. Nothing of the PIN.
pub(super) async fn record_pin(tx: &mut TenantTx, by: Actor, id: StaffId, now: Timestamp) -> ApiResult<()> {
    audit::service::record(tx, by, &Entry::new("staff.pin_set", "staff", id), now).await?;
    Ok(())
}

/// Somebody chose a PIN that another has.
pub(super) async fn record_taken(tx: &mut TenantTx, by: Actor, id: StaffId, now: Timestamp) -> ApiResult<()> {
    audit::service::record(tx, by, &Entry::new("staff.pin_taken", "staff", id), now).await?;
    Ok(())
}

/// The shops of somebody for the versions; none: all.
pub(super) fn bare_shops(row: &Row) -> Option<Vec<Uuid>> {
    (!row.all_shops).then(|| row.shop_ids.clone())
}

pub(super) fn role_of(row: &Row) -> LaneRole {
    LaneRole::of_name(&row.role).unwrap_or_default()
}

pub(super) fn bits_of(row: &Row) -> (Rights, Rights) {
    (Rights(u32::try_from(row.rights_added).unwrap_or(0)), Rights(u32::try_from(row.rights_removed).unwrap_or(0)))
}

fn read(row: Row, scope: &Scope) -> Result<Member, DbError> {
    let role = LaneRole::of_name(&row.role).ok_or_else(|| DbError::Unfit(format!("role {:?}", row.role)))?;
    let (added, removed) = bits_of(&row);
    Ok(Member {
        id: StaffId::from_uuid(row.staff_id),
        role,
        rights: rules::names(rules::effective(role, added, removed)),
        rights_added: rules::names(added),
        rights_removed: rules::names(removed),
        discount_ppm: row.discount_ppm.and_then(|ppm| u32::try_from(ppm).ok()),
        discount_minor: row.discount_minor,
        all_shops: row.all_shops,
        shop_ids: row.shop_ids.into_iter().map(ShopId::from_uuid).filter(|shop| scope.includes(*shop)).collect(),
        has_pin: row.pin_salt.is_some(),
        ended: row.ended_at.is_some(),
        version: u64::try_from(row.version).unwrap_or(0),
        name: row.name,
        short_name: row.short_name,
        person_id: row.person_id,
    })
}
