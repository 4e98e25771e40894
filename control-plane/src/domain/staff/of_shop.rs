//! What needs a second person in a shop, and its people as its nodes get them.

use protocol::collection::Version;
use protocol::id::{ShopId, StaffId};
use protocol::limits;
use protocol::money::Amount;
use protocol::staff::{DiscountLimit, PinVerifier, Staff, StaffMember, StaffPolicy};
use protocol::timestamp::Timestamp;
use serde_json::json;

use super::pins;
use super::rules;
use super::service::{bits_of, role_of};
use super::store::{self, Row, RulesRow};
use super::types::{RulesOfShop, ShopRules};
use crate::auth::seal::Sealer;
use crate::db::{DbError, TenantTx};
use crate::domain::audit::{self, Actor, Entry};
use crate::domain::shops;
use crate::http::{ApiError, ApiResult, IfMatch};

/// The rules of a shop.
///
/// # Errors
/// NOT_FOUND.
pub async fn rules_of(tx: &mut TenantTx, shop: ShopId) -> ApiResult<RulesOfShop> {
    shops::service::get(tx, shop).await?;
    let row = store::rules(tx, shop).await?;
    Ok(RulesOfShop {
        shop_id: shop,
        version: row.as_ref().map_or(0, |row| u64::try_from(row.rules_version).unwrap_or(0)),
        rules: row.map(|row| rules_from(&row)).unwrap_or_default(),
    })
}

/// Sets the rules of a shop that are still as they were `seen`. The caller hints the collection `Staff` after the
/// commit.
///
/// # Errors
/// VALIDATION, NOT_FOUND, CONFLICT (412).
pub async fn set_rules(
    tx: &mut TenantTx,
    by: Actor,
    shop: ShopId,
    seen: &IfMatch,
    rules: &ShopRules,
    now: Timestamp,
) -> ApiResult<RulesOfShop> {
    rules::check(rules)?;
    let before = rules_of(tx, shop).await?;
    seen.check(i128::from(before.version))?;
    if !store::set_rules(tx, shop, before.version, rules, now).await? {
        return Err(ApiError::conflict("somebody changed these rules at the same moment; read them again"));
    }
    let diff = json!({ "before": before.rules, "after": rules });
    audit::service::record(tx, by, &Entry::new("staff.rules_set", "shop", shop).diff(diff), now).await?;
    rules_of(tx, shop).await
}

/// The people of a shop as its nodes get them; none while the shop has neither people nor rules, and when the node
/// has them.
///
/// # Errors
/// Whatever the statements met.
pub async fn collection(
    tx: &mut TenantTx,
    sealer: &Sealer,
    shop: ShopId,
    have: Version,
) -> Result<Option<Staff>, DbError> {
    let rules = store::rules(tx, shop).await?;
    let version = match &rules {
        Some(rules) => u64::try_from(rules.version).unwrap_or(0),
        // A shop that was made after people came who work in all of them.
        None => u64::from(store::anybody_everywhere(tx).await?),
    };
    if version == 0 || Version(version) == have {
        return Ok(None);
    }
    let most = i64::try_from(limits::STAFF_OF_SHOP).unwrap_or(i64::MAX);
    let people = store::of_shop(tx, shop, most).await?.iter().map(|row| delivered(row, sealer)).collect();
    let policy = rules.map_or_else(StaffPolicy::default, |row| policy(&rules_from(&row)));
    Ok(Some(Staff { version: Version(version), people, policy }))
}

fn delivered(row: &Row, sealer: &Sealer) -> StaffMember {
    let (added, removed) = bits_of(row);
    StaffMember {
        id: StaffId::from_uuid(row.staff_id),
        name: row.name.clone(),
        short_name: row.short_name.clone(),
        rights: rules::effective(role_of(row), added, removed),
        discount: DiscountLimit {
            ppm: row.discount_ppm.and_then(|ppm| u32::try_from(ppm).ok()),
            amount: row.discount_minor.and_then(|minor| Amount::from_minor(minor).ok()),
        },
        pin: verifier(row, sealer),
    }
}

/// Opens what a PIN is checked against.
pub(super) fn verifier(row: &Row, sealer: &Sealer) -> Option<PinVerifier> {
    let (salt, sealed) = (row.pin_salt.as_ref()?, row.pin_sealed.as_ref()?);
    let opened = pins::open(sealer, row.staff_id, salt, sealed);
    if opened.is_none() {
        tracing::error!(staff = %row.staff_id, "a PIN cannot be unsealed: was the key of head office lost? Set it anew");
    }
    opened
}

fn policy(rules: &ShopRules) -> StaffPolicy {
    let amount = |minor: Option<i64>| minor.and_then(|minor| Amount::from_minor(minor).ok());
    StaffPolicy {
        cashier_required: rules.cashier_required,
        idle_minutes: rules.idle_minutes,
        void_line_above: amount(rules.void_line_above_minor),
        void_ticket_above: amount(rules.void_ticket_above_minor),
        refund_above: amount(rules.refund_above_minor),
        no_sale: rules.no_sale,
        discount_above: DiscountLimit { ppm: rules.discount_above_ppm, amount: amount(rules.discount_above_minor) },
    }
}

fn rules_from(row: &RulesRow) -> ShopRules {
    ShopRules {
        cashier_required: row.cashier_required,
        idle_minutes: u16::try_from(row.idle_minutes).unwrap_or(0),
        void_line_above_minor: row.void_line_above_minor,
        void_ticket_above_minor: row.void_ticket_above_minor,
        refund_above_minor: row.refund_above_minor,
        no_sale: row.no_sale,
        discount_above_ppm: row.discount_above_ppm.and_then(|ppm| u32::try_from(ppm).ok()),
        discount_above_minor: row.discount_above_minor,
    }
}
