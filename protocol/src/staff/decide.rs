//! May somebody do this at a lane, alone, with a second person, or not at all?

use serde::{Deserialize, Serialize};

use super::{Right, StaffMember, StaffPolicy};
use crate::money::Amount;

/// Something at a lane that a right is asked for. Amounts are without sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// An ordinary step of a sale.
    Sell,
    /// A line, or part of it, is taken back.
    VoidLine {
        /// What leaves the ticket.
        amount: Amount,
    },
    /// A ticket is given up.
    VoidTicket {
        /// What it came to.
        amount: Amount,
    },
    /// Goods come back for money.
    Refund {
        /// For how much.
        amount: Amount,
    },
    /// The drawer opens without a sale.
    NoSale,
    /// A price is reduced.
    Discount {
        /// By how many millionths.
        ppm: u32,
        /// By how much.
        amount: Amount,
    },
    /// A paper receipt is rung with its own time.
    LateEntry,
}

impl Action {
    /// The right it needs.
    pub const fn right(self) -> Right {
        match self {
            Self::Sell => Right::Sell,
            Self::VoidLine { .. } | Self::VoidTicket { .. } => Right::Void,
            Self::Refund { .. } => Right::Refund,
            Self::NoSale => Right::NoSale,
            Self::Discount { .. } => Right::Discount,
            Self::LateEntry => Right::LateEntry,
        }
    }

    /// Its name in messages and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sell => "sell",
            Self::VoidLine { .. } => "void_line",
            Self::VoidTicket { .. } => "void_ticket",
            Self::Refund { .. } => "refund",
            Self::NoSale => "no_sale",
            Self::Discount { .. } => "discount",
            Self::LateEntry => "late_entry",
        }
    }
}

/// Why somebody may not do it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The shop wants a cashier to be signed in.
    NobodySignedIn,
    /// The cashier has not the right.
    NoRight(Right),
    /// It is beyond what the shop lets anybody do alone.
    ShopLimit,
    /// It is beyond the cashier's own limit.
    OwnLimit,
}

impl Why {
    /// Its name in messages and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NobodySignedIn => "cashier_required",
            Self::NoRight(_) => "no_right",
            Self::ShopLimit => "shop_limit",
            Self::OwnLimit => "own_limit",
        }
    }
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Alone.
    Allowed,
    /// With the PIN of somebody who may approve it.
    NeedsApproval(Why),
    /// Not at all.
    Refused(Why),
}

/// Decides. Without a cashier, and where the shop wants none, the lane may do what the shop lets anybody do alone.
pub fn decide(action: Action, cashier: Option<&StaffMember>, policy: &StaffPolicy) -> Decision {
    let Some(cashier) = cashier else {
        if policy.cashier_required {
            return Decision::Refused(Why::NobodySignedIn);
        }
        return if shop_wants(action, policy) { Decision::NeedsApproval(Why::ShopLimit) } else { Decision::Allowed };
    };
    let right = action.right();
    if !cashier.rights.has(right) {
        // Nobody lends the right to sell: who may not, does not stand at a till.
        let why = Why::NoRight(right);
        return if right == Right::Sell { Decision::Refused(why) } else { Decision::NeedsApproval(why) };
    }
    if shop_wants(action, policy) {
        return Decision::NeedsApproval(Why::ShopLimit);
    }
    match action {
        Action::Discount { ppm, amount } if cashier.discount.is_passed(ppm, amount) => {
            Decision::NeedsApproval(Why::OwnLimit)
        }
        Action::Discount { .. }
        | Action::Sell
        | Action::VoidLine { .. }
        | Action::VoidTicket { .. }
        | Action::Refund { .. }
        | Action::NoSale
        | Action::LateEntry => Decision::Allowed,
    }
}

/// Whether the shop wants a second person for it, whoever the first is.
fn shop_wants(action: Action, policy: &StaffPolicy) -> bool {
    match action {
        Action::Sell | Action::LateEntry => false,
        Action::VoidLine { amount } => policy.void_line_above.is_some_and(|most| amount > most),
        Action::VoidTicket { amount } => policy.void_ticket_above.is_some_and(|most| amount > most),
        Action::Refund { amount } => policy.refund_above.is_some_and(|most| amount > most),
        Action::NoSale => policy.no_sale,
        Action::Discount { ppm, amount } => policy.discount_above.is_passed(ppm, amount),
    }
}

/// Whether somebody may approve it: with the right to approve, the right to the thing itself, and within their own
/// limit.
pub fn may_approve(action: Action, approver: &StaffMember) -> bool {
    let within = match action {
        Action::Discount { ppm, amount } => !approver.discount.is_passed(ppm, amount),
        Action::Sell
        | Action::VoidLine { .. }
        | Action::VoidTicket { .. }
        | Action::Refund { .. }
        | Action::NoSale
        | Action::LateEntry => true,
    };
    within && approver.rights.has(Right::Approve) && approver.rights.has(action.right())
}
