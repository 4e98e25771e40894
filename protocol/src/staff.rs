//! Who works at the lanes of a shop: their rights, their PINs, and what needs a second person. The decision stands
//! here, so that node and head office read a policy alike. Knows no lane, no session and no clock.

mod decide;
mod pin;

pub use decide::{Action, Decision, Why, decide, may_approve};
pub use pin::{PinFault, PinVerifier, check_pin};

use serde::{Deserialize, Serialize};

use crate::collection::{CollectionError, Version};
use crate::id::StaffId;
use crate::limits;
use crate::money::Amount;

/// One thing that somebody may do at a lane. The discriminants are the bits of [`Rights`]: wire and disk format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Right {
    /// Open tickets, ring lines, take money.
    Sell = 0,
    /// Take lines and tickets back.
    Void = 1,
    /// Give money back.
    Refund = 2,
    /// Open the drawer without a sale.
    NoSale = 3,
    /// Reduce a price, as far as the own limit goes.
    Discount = 4,
    /// Approve what others may not do alone.
    Approve = 5,
    /// Ring paper receipts with their own time.
    LateEntry = 6,
}

impl Right {
    /// All rights.
    pub const ALL: [Self; 7] =
        [Self::Sell, Self::Void, Self::Refund, Self::NoSale, Self::Discount, Self::Approve, Self::LateEntry];

    /// The name in messages and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sell => "sell",
            Self::Void => "void",
            Self::Refund => "refund",
            Self::NoSale => "no_sale",
            Self::Discount => "discount",
            Self::Approve => "approve",
            Self::LateEntry => "late_entry",
        }
    }

    /// The right of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|right| right.name() == name)
    }

    const fn bit(self) -> u32 {
        1 << self as u8
    }
}

/// A set of rights. Bits of a newer head office are kept and mean nothing here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rights(pub u32);

impl Rights {
    /// No right.
    pub const NONE: Self = Self(0);

    /// Whether a right is among them.
    pub const fn has(self, right: Right) -> bool {
        self.0 & right.bit() != 0
    }

    /// With one more.
    #[must_use]
    pub const fn with(self, right: Right) -> Self {
        Self(self.0 | right.bit())
    }

    /// With one less.
    #[must_use]
    pub const fn without(self, right: Right) -> Self {
        Self(self.0 & !right.bit())
    }

    /// Those this build knows, in their order.
    pub fn list(self) -> impl Iterator<Item = Right> {
        Right::ALL.into_iter().filter(move |right| self.has(*right))
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        rights.into_iter().fold(Self::NONE, Self::with)
    }
}

/// How far a reduction may go. What is left out is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscountLimit {
    /// Millionths of the price: 100,000 is 10 %.
    pub ppm: Option<u32>,
    /// Of one line or ticket.
    pub amount: Option<Amount>,
}

impl DiscountLimit {
    /// Whether a reduction goes beyond it.
    pub fn is_passed(&self, ppm: u32, amount: Amount) -> bool {
        self.ppm.is_some_and(|most| ppm > most) || self.amount.is_some_and(|most| amount > most)
    }
}

/// Somebody who works at the lanes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffMember {
    /// Their id.
    pub id: StaffId,
    /// Their name, as head office writes it.
    pub name: String,
    /// What the till and the receipt call them.
    pub short_name: String,
    /// What they may do.
    pub rights: Rights,
    /// How far they may reduce a price alone.
    pub discount: DiscountLimit,
    /// What their PIN is checked against; without one they cannot sign in.
    pub pin: Option<PinVerifier>,
}

/// What needs a second person, and whether somebody has to be signed in. The default asks for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffPolicy {
    /// Nothing is sold on a lane at which nobody is signed in.
    pub cashier_required: bool,
    /// A cashier is signed out after so many minutes without a sale; 0: never.
    pub idle_minutes: u16,
    /// Taking back a line that comes to more; none: never.
    pub void_line_above: Option<Amount>,
    /// Giving up a ticket that comes to more.
    pub void_ticket_above: Option<Amount>,
    /// Giving more money back.
    pub refund_above: Option<Amount>,
    /// Every opening of the drawer without a sale.
    pub no_sale: bool,
    /// Every reduction beyond this, whatever the cashier's own limit.
    pub discount_above: DiscountLimit,
}

/// The people of a shop, always whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staff {
    /// The version of the whole.
    pub version: Version,
    /// By name.
    pub people: Vec<StaffMember>,
    /// What needs approval.
    pub policy: StaffPolicy,
}

impl Staff {
    /// Somebody of the shop.
    pub fn member(&self, id: StaffId) -> Option<&StaffMember> {
        self.people.iter().find(|member| member.id == id)
    }

    /// Who may approve something.
    pub fn approvers(&self, action: Action) -> impl Iterator<Item = &StaffMember> {
        self.people.iter().filter(move |member| member.pin.is_some() && may_approve(action, member))
    }

    /// Refuses what decodes but cannot be.
    ///
    /// # Errors
    /// [`CollectionError::TooMany`], [`CollectionError::Malformed`] for two of one id or a name without end.
    pub fn check(&self) -> Result<(), CollectionError> {
        if self.people.len() > limits::STAFF_OF_SHOP {
            return Err(CollectionError::TooMany);
        }
        let mut ids: Vec<StaffId> = self.people.iter().map(|member| member.id).collect();
        ids.sort_unstable();
        ids.dedup();
        let named = |text: &String| !text.is_empty() && text.len() <= limits::STAFF_NAME_BYTES;
        let fits = self.people.iter().all(|member| named(&member.name) && named(&member.short_name));
        if fits && ids.len() == self.people.len() { Ok(()) } else { Err(CollectionError::Malformed) }
    }
}
