//! Roles of the company's own, and giving and taking roles. Nobody gives more than they have; a company keeps an owner.

use std::collections::BTreeMap;

use protocol::id::{PersonId, ShopId};
use protocol::timestamp::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::store::{self, RoleRow};
use super::types::{
    Assignment, AssignmentView, At, Because, Explained, Held, NewAssignment, Role, RoleBody, RoleView, Wanted,
};
use crate::auth::guard::Caller;
use crate::auth::policy::{self, Bits, BuiltIn, Lack, PLATFORM_TENANT, Permission, Permissions, Policy, Reach, Scope};
use crate::db::{DbError, TenantTx};
use crate::domain::audit::{self, Entry};
use crate::http::{ApiError, ApiResult, IfMatch};
use crate::rng;

/// Roles that a company may make.
const ROLES: usize = 100;
/// Roles that one person may hold at different places.
const HELD: usize = 500;

/// Gives somebody a role; giving it twice is giving it once. Whether the giver may is asked before: see [`resolve`].
///
/// # Errors
/// Whatever the statements met; [`DbError::Refused`] for a role, region or shop that is not of this tenant.
pub async fn assign(tx: &mut TenantTx, new: &Assignment, by: Option<PersonId>, now: Timestamp) -> Result<(), DbError> {
    if store::insert(tx, rng::id(now), new, by, now).await? {
        policy::bump(tx).await?;
    }
    Ok(())
}

/// The roles that the transaction's company may use: built-in ones first.
///
/// # Errors
/// Whatever the statements met.
pub async fn list(tx: &mut TenantTx) -> Result<Vec<RoleView>, DbError> {
    let holders: BTreeMap<String, i64> = store::built_in_holders(tx).await?.into_iter().collect();
    let platform = tx.tenant() == PLATFORM_TENANT;
    let built_in = BuiltIn::ALL.into_iter().filter(|role| fits(*role, platform)).map(|role| RoleView {
        id: role.name().to_owned(),
        name: role.title().to_owned(),
        description: role.describe().to_owned(),
        built_in: true,
        wants_mfa: role.wants_mfa(),
        by_shop: role.by_shop(),
        permissions: role.permissions().iter().collect(),
        holders: holders.get(role.name()).copied().unwrap_or(0),
        version: 0,
    });
    let mut roles: Vec<RoleView> = built_in.collect();
    roles.extend(store::roles(tx, None).await?.into_iter().map(view));
    Ok(roles)
}

fn fits(role: BuiltIn, platform: bool) -> bool {
    role.of_platform() == platform
}

fn view(row: RoleRow) -> RoleView {
    let mut permissions: Vec<Permission> =
        row.permissions.iter().filter_map(|name| Permission::of_name(name)).collect();
    permissions.sort();
    RoleView {
        id: row.role_id.to_string(),
        name: row.name,
        description: row.description,
        built_in: false,
        wants_mfa: row.wants_mfa,
        by_shop: true,
        permissions,
        holders: row.holders,
        version: row.version,
    }
}

/// One role.
///
/// # Errors
/// NOT_FOUND.
pub async fn one(tx: &mut TenantTx, id: &str) -> ApiResult<RoleView> {
    let missing = || ApiError::not_found("role");
    match Role::of_id(id).ok_or_else(missing)? {
        Role::BuiltIn(_) => list(tx).await?.into_iter().find(|role| role.id == id).ok_or_else(missing),
        Role::Own(id) => store::roles(tx, Some(id)).await?.pop().map(view).ok_or_else(missing),
    }
}

/// Makes a role of the company's own.
///
/// # Errors
/// VALIDATION; AUTHZ for more than its maker has; CONFLICT for a name that is taken.
pub async fn create(
    tx: &mut TenantTx,
    caller: &Caller,
    mine: &Policy,
    role: &RoleBody,
    now: Timestamp,
) -> ApiResult<RoleView> {
    let role = checked(tx, role)?;
    if store::roles(tx, None).await?.len() >= ROLES {
        return Err(ApiError::conflict(format!("a company has {ROLES} roles of its own at most; remove one first")));
    }
    within(mine, Bits::of(&role.permissions), &Reach::Tenant)?;
    let id = rng::id(now);
    store::write(tx, id, &role, now).await.map_err(named)?;
    let entry =
        Entry::new("roles.created", "role", id).diff(json!({ "name": role.name, "permissions": role.permissions }));
    audit::service::record(tx, caller, &entry, now).await?;
    one(tx, &id.to_string()).await
}

/// Changes a role of the company's own, for everybody who holds it, at once.
///
/// # Errors
/// As [`create`]; CONFLICT (412) when it is not as it was seen.
pub async fn update(
    tx: &mut TenantTx,
    caller: &Caller,
    mine: &Policy,
    id: Uuid,
    seen: &IfMatch,
    role: &RoleBody,
    now: Timestamp,
) -> ApiResult<RoleView> {
    let role = checked(tx, role)?;
    let version = store::lock(tx, id).await?.ok_or_else(|| ApiError::not_found("role"))?;
    seen.check(version)?;
    let before = one(tx, &id.to_string()).await?;
    let (old, new) = (Bits::of(&before.permissions), Bits::of(&role.permissions));
    // Taking away needs as much as giving: or somebody small could empty the role of somebody big.
    // So does the second factor that it asks for: it protects all of the role.
    let changed = if before.wants_mfa == role.wants_mfa { new.without(old).or(old.without(new)) } else { new.or(old) };
    within(mine, changed, &Reach::Tenant)?;
    store::write(tx, id, &role, now).await.map_err(named)?;
    policy::bump(tx).await?;
    let names = |bits: Bits| bits.iter().collect::<Vec<_>>();
    let diff = json!({
        "name": [before.name, role.name], "wants_mfa": [before.wants_mfa, role.wants_mfa],
        "added": names(new.without(old)), "removed": names(old.without(new)),
    });
    audit::service::record(tx, caller, &Entry::new("roles.changed", "role", id).diff(diff), now).await?;
    one(tx, &id.to_string()).await
}

/// Removes a role that nobody holds.
///
/// # Errors
/// CONFLICT while somebody holds it, or (412) when it is not as it was seen.
pub async fn remove(tx: &mut TenantTx, caller: &Caller, id: Uuid, seen: &IfMatch, now: Timestamp) -> ApiResult<()> {
    let version = store::lock(tx, id).await?.ok_or_else(|| ApiError::not_found("role"))?;
    seen.check(version)?;
    let role = one(tx, &id.to_string()).await?;
    if role.holders > 0 {
        let people = role.holders;
        return Err(ApiError::conflict(format!("{people} people hold this role: take it from them first")));
    }
    store::remove(tx, id).await?;
    let entry = Entry::new("roles.removed", "role", id).diff(json!({ "name": role.name }));
    Ok(audit::service::record(tx, caller, &entry, now).await?)
}

fn checked(tx: &TenantTx, role: &RoleBody) -> ApiResult<RoleBody> {
    let name = role.name.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(ApiError::field("name", "give 1 to 100 characters"));
    }
    let description = role.description.trim();
    if description.chars().count() > 500 || description.contains('\0') {
        return Err(ApiError::field("description", "500 characters at most"));
    }
    if BuiltIn::ALL.into_iter().any(|known| known.title().eq_ignore_ascii_case(name) || known.name() == name) {
        return Err(ApiError::field("name", "a built-in role has this name; choose another"));
    }
    let possible = if tx.tenant() == PLATFORM_TENANT {
        Permissions::everything_of_the_platform()
    } else {
        Permissions::everything_of_a_tenant()
    };
    if !Bits::of(&role.permissions).without(possible).is_empty() {
        return Err(ApiError::field(
            "permissions",
            "some of these do not exist for a company; see /v1/module-registry",
        ));
    }
    // Whoever runs the platform has a second factor, by whichever role.
    let wants_mfa = role.wants_mfa || tx.tenant() == PLATFORM_TENANT;
    Ok(RoleBody { name: name.to_owned(), description: description.to_owned(), wants_mfa, ..role.clone() })
}

fn named(error: DbError) -> ApiError {
    ApiError::or_taken(error, "a role of this name exists; choose another name")
}

/// That somebody gives no more than they have.
fn within(mine: &Policy, bits: Bits, reach: &Reach) -> ApiResult<()> {
    let beyond: Vec<Permission> = mine.beyond(bits, reach).iter().collect();
    if beyond.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = beyond.iter().map(|permission| permission.name()).collect();
    let message = format!("nobody gives more than they have: you lack {} there", names.join(", "));
    Err(ApiError::authz(message).with(json!({ "reason": "beyond", "permissions": names })))
}

/// Checks that `mine` may give what is wanted, and makes it exact. For assignments, and for invitations that carry one.
///
/// # Errors
/// VALIDATION for a role or place that does not fit; AUTHZ for more than the giver has.
pub async fn resolve(tx: &mut TenantTx, mine: &Policy, wanted: &Wanted) -> ApiResult<(Role, At)> {
    let role = Role::of_id(&wanted.role).ok_or_else(|| ApiError::field("role", "there is no such role"))?;
    let (bits, by_shop) = match role {
        Role::BuiltIn(role) if fits(role, tx.tenant() == PLATFORM_TENANT) => (role.permissions(), role.by_shop()),
        Role::BuiltIn(_) => return Err(ApiError::field("role", "there is no such role")),
        Role::Own(id) => {
            let row = store::roles(tx, Some(id)).await?.pop();
            let row = row.ok_or_else(|| ApiError::field("role", "there is no such role"))?;
            (Bits::of(&view(row).permissions), true)
        }
    };
    let (at, reach) = place(tx, wanted).await?;
    if at != At::Tenant && !by_shop {
        return Err(ApiError::field("role", "this role is about the whole company: leave region and shop out"));
    }
    within(mine, bits, &reach)?;
    Ok((role, at))
}

async fn place(tx: &mut TenantTx, wanted: &Wanted) -> ApiResult<(At, Reach)> {
    match (wanted.region_id, wanted.shop_id) {
        (None, None) => Ok((At::Tenant, Reach::Tenant)),
        (Some(region), None) => {
            let shops = store::region_shops(tx, region).await?;
            let shops = shops.ok_or_else(|| ApiError::field("region_id", "there is no such region"))?;
            Ok((At::Region(region), Reach::Region { id: region, shops }))
        }
        (None, Some(shop)) => {
            let shop = ShopId::from_uuid(shop);
            if !store::shop_exists(tx, shop).await? {
                return Err(ApiError::field("shop_id", "there is no such shop"));
            }
            Ok((At::Shop(shop), Reach::Shop(shop)))
        }
        (Some(_), Some(_)) => Err(ApiError::field("region_id", "name a region or a shop, not both")),
    }
}

/// That somebody belongs to the company.
///
/// # Errors
/// NOT_FOUND.
pub async fn member(tx: &mut TenantTx, person: Uuid) -> ApiResult<()> {
    if store::is_member(tx, person).await? { Ok(()) } else { Err(ApiError::not_found("person")) }
}

/// Roles that people hold, in the order of their ids.
///
/// # Errors
/// Whatever the statement met.
pub async fn held(
    tx: &mut TenantTx,
    person: Option<Uuid>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<AssignmentView>, DbError> {
    let rows = store::held(tx, person, None, after, limit).await?;
    Ok(rows.into_iter().map(titled).collect())
}

fn titled(mut row: AssignmentView) -> AssignmentView {
    if let Some(role) = BuiltIn::of_name(&row.role) {
        role.title().clone_into(&mut row.role_name);
    }
    row
}

/// Gives a member a role.
///
/// # Errors
/// As [`resolve`]; VALIDATION for somebody who is no member.
pub async fn give(
    tx: &mut TenantTx,
    caller: &Caller,
    mine: &Policy,
    new: &NewAssignment,
    now: Timestamp,
) -> ApiResult<AssignmentView> {
    if !store::is_member(tx, new.person_id).await? {
        return Err(ApiError::field("person_id", "nobody of the company; invite them first"));
    }
    let (role, at) = resolve(tx, mine, &new.wanted).await?;
    if store::held(tx, Some(new.person_id), None, None, i64::try_from(HELD).unwrap_or(i64::MAX)).await?.len() >= HELD {
        return Err(ApiError::conflict("this person holds too many roles; give one for a region instead"));
    }
    let assignment = Assignment { person: PersonId::from_uuid(new.person_id), role, at };
    let id = rng::id(now);
    if !store::insert(tx, id, &assignment, Some(caller.person), now).await? {
        return Err(ApiError::conflict("they hold this role there already"));
    }
    policy::bump(tx).await?;
    let entry = Entry::new("roles.given", "person", new.person_id).diff(json!(new.wanted));
    audit::service::record(tx, caller, &entry, now).await?;
    let row = store::held(tx, None, Some(id), None, 1).await?.pop();
    row.map(titled).ok_or_else(|| ApiError::internal("a role that was just given is not there"))
}

/// Takes a role away; at once for everything that is asked from now on.
///
/// # Errors
/// NOT_FOUND; AUTHZ for a role beyond one's own; CONFLICT for the last owner's.
pub async fn take(tx: &mut TenantTx, caller: &Caller, mine: &Policy, id: Uuid, now: Timestamp) -> ApiResult<()> {
    let row = store::held(tx, None, Some(id), None, 1).await?.pop().ok_or_else(|| ApiError::not_found("assignment"))?;
    let wanted = Wanted { role: row.role.clone(), region_id: row.region_id, shop_id: row.shop_id };
    resolve(tx, mine, &wanted).await?;
    // The bump locks the company's row: of two who take the last two owners away, the second sees one left.
    policy::bump(tx).await?;
    store::delete(tx, id).await?;
    keeps_an_owner(tx).await?;
    let entry = Entry::new("roles.taken", "person", row.person_id).diff(json!(wanted));
    Ok(audit::service::record(tx, caller, &entry, now).await?)
}

/// Takes everything from somebody whose membership ends in this transaction; answers how much it was. The caller bumps the
/// policy version, and asks whether an owner is left.
///
/// # Errors
/// Whatever the statement met.
pub async fn take_all(tx: &mut TenantTx, person: PersonId) -> Result<u64, DbError> {
    store::delete_of(tx, person).await
}

/// That the company still has somebody who owns it. Ask after [`policy::bump`], which locks the company's row.
///
/// # Errors
/// CONFLICT; let the transaction go.
pub async fn keeps_an_owner(tx: &mut TenantTx) -> ApiResult<()> {
    if store::owners(tx).await? > 0 {
        return Ok(());
    }
    Err(ApiError::conflict("a company keeps an owner: make somebody else one first"))
}

/// That shops may join a region, or leave it: those who hold roles for it get, or lose, no more there than `mine` has.
///
/// # Errors
/// AUTHZ.
pub async fn may_move(tx: &mut TenantTx, mine: &Policy, region: Uuid, shops: Vec<ShopId>) -> ApiResult<()> {
    let mut bits = Bits::NONE;
    for role in store::of_region(tx, region).await? {
        bits = bits.or(match Role::of_id(&role) {
            Some(Role::BuiltIn(role)) => role.permissions(),
            Some(Role::Own(id)) => {
                store::roles(tx, Some(id)).await?.pop().map_or(Bits::NONE, |row| Bits::of(&view(row).permissions))
            }
            None => Bits::NONE,
        });
    }
    shops.into_iter().try_for_each(|shop| within(mine, bits, &Reach::Shop(shop)))
}

/// How a decision about somebody comes about.
///
/// # Errors
/// NOT_FOUND for somebody who is no member.
pub async fn explain(
    tx: &mut TenantTx,
    person: Uuid,
    permission: Permission,
    shop: Option<ShopId>,
) -> ApiResult<Explained> {
    member(tx, person).await?;
    let source = policy::load_sources(tx, PersonId::from_uuid(person)).await?;
    let found = Policy::compile(tx.tenant(), source).explain(permission, shop);
    let because = found.because.iter().map(|grant| {
        let (reach, reach_id) = match &grant.reach {
            Reach::Tenant => ("tenant", None),
            Reach::Region { id, .. } => ("region", Some(*id)),
            Reach::Shop(shop) => ("shop", Some(shop.as_uuid())),
        };
        Because { role: grant.role.title().to_owned(), reach, reach_id }
    });
    let (lack, why) = match found.lack {
        None => (None, "A role of theirs allows it."),
        Some(Lack::NoRole) => (Some("no_role"), "No role of theirs has it: give them one that does."),
        Some(Lack::OnlyForShops) => {
            (Some("only_for_shops"), "They hold it for some shops only, and it is about the whole company.")
        }
        Some(Lack::OtherShops) => (Some("other_shops"), "They hold it for other shops."),
        Some(Lack::ModuleOff) => {
            (Some("module_off"), "A role of theirs has it, and the company does not have the module.")
        }
    };
    Ok(Explained {
        allowed: found.allowed,
        permission,
        describes: permission.describe(),
        because: because.collect(),
        lack,
        says: why.to_owned(),
    })
}

/// All that a policy holds, and where.
pub fn held_by(policy: &Policy) -> Vec<Held> {
    let held = Permission::ALL.iter().filter_map(|permission| {
        let shops = match policy.scope(*permission)? {
            Scope::Everywhere => None,
            Scope::Shops(shops) => Some(shops.to_vec()),
        };
        Some(Held { permission: *permission, shops })
    });
    held.collect()
}
