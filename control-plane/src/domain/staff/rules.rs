//! What may be said of somebody at the lanes, and what the roles bring. Pure.

use protocol::limits;
use protocol::staff::{Right, Rights};

use super::types::{LaneRight, LaneRole, ShopRules};

/// Characters of a short name: a line of the receipt.
pub const SHORT_NAME: usize = 40;

/// A field that cannot be taken, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// The field.
    pub field: &'static str,
    /// Why, and what to do.
    pub why: String,
}

fn bad<T>(field: &'static str, why: impl Into<String>) -> Result<T, Bad> {
    Err(Bad { field, why: why.into() })
}

/// The rights a role brings.
pub fn rights_of(role: LaneRole) -> Rights {
    let cashier = [Right::Sell, Right::Void, Right::Discount];
    match role {
        LaneRole::Cashier => cashier.into_iter().collect(),
        LaneRole::Supervisor => cashier.into_iter().chain([Right::Refund, Right::NoSale, Right::LateEntry]).collect(),
        LaneRole::Manager => Right::ALL.into_iter().collect(),
    }
}

/// The bits of a list.
pub fn bits(rights: &[LaneRight]) -> Rights {
    let right = |right: &LaneRight| match right {
        LaneRight::Sell => Right::Sell,
        LaneRight::Void => Right::Void,
        LaneRight::Refund => Right::Refund,
        LaneRight::NoSale => Right::NoSale,
        LaneRight::Discount => Right::Discount,
        LaneRight::Approve => Right::Approve,
        LaneRight::LateEntry => Right::LateEntry,
    };
    rights.iter().map(right).collect()
}

/// The names of bits.
pub fn names(rights: Rights) -> Vec<&'static str> {
    rights.list().map(Right::name).collect()
}

/// What somebody may do, all in all.
pub fn effective(role: LaneRole, added: Rights, removed: Rights) -> Rights {
    Rights((rights_of(role).0 | added.0) & !removed.0)
}

/// A name as it is kept.
///
/// # Errors
/// One that is empty, too long or not readable.
pub fn name(field: &'static str, text: &str, most: usize) -> Result<String, Bad> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > most || text.len() > limits::STAFF_NAME_BYTES {
        return bad(field, format!("write 1 to {most} characters"));
    }
    if text.chars().any(char::is_control) {
        return bad(field, "leave control characters out");
    }
    Ok(text.to_owned())
}

/// The short name: what was given, or the first word of the name.
///
/// # Errors
/// As [`name`].
pub fn short_name(given: Option<&str>, of: &str) -> Result<String, Bad> {
    match given.map(str::trim).filter(|given| !given.is_empty()) {
        Some(given) => name("short_name", given, SHORT_NAME),
        None => {
            let first: String = of.split_whitespace().next().unwrap_or(of).chars().take(SHORT_NAME).collect();
            name("short_name", &first, SHORT_NAME)
        }
    }
}

/// Whether limits are ones.
///
/// # Errors
/// A share beyond the whole, an amount below nothing or beyond any ticket.
pub fn limit(fields: (&'static str, &'static str), ppm: Option<u32>, minor: Option<i64>) -> Result<(), Bad> {
    if ppm.is_some_and(|ppm| ppm > 1_000_000) {
        return bad(fields.0, "1,000,000 millionths are everything; give no more");
    }
    amount(fields.1, minor)
}

fn amount(field: &'static str, minor: Option<i64>) -> Result<(), Bad> {
    if minor.is_some_and(|minor| !(0..=limits::TICKET_AMOUNT_MINOR).contains(&minor)) {
        return bad(field, "an amount in minor units, not below zero and no larger than a ticket may be");
    }
    Ok(())
}

/// Whether the rules of a shop are ones.
///
/// # Errors
/// The field at fault.
pub fn check(rules: &ShopRules) -> Result<(), Bad> {
    if rules.idle_minutes > 1_440 {
        return bad("idle_minutes", "at most 1440: a day");
    }
    amount("void_line_above_minor", rules.void_line_above_minor)?;
    amount("void_ticket_above_minor", rules.void_ticket_above_minor)?;
    amount("refund_above_minor", rules.refund_above_minor)?;
    limit(("discount_above_ppm", "discount_above_minor"), rules.discount_above_ppm, rules.discount_above_minor)
}
