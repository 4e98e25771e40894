//! The bodies that terminals send. Unknown fields are refused: a misspelt discount must not pass for none.

use jiff::civil::DateTime;
use protocol::id::{Seq, StaffId, Term};
use protocol::limits;
use protocol::money::Amount;
use protocol::price::UnitPrice;
use protocol::quantity::Quantity;
use protocol::tax::{Percent, TaxRate};
use protocol::ticket::{Discount, Tender, TenderKind, TicketKind};
use serde::{Deserialize, Deserializer, de};
use utoipa::ToSchema;

use super::error::{ApiError, ApiResult};
use crate::core::lane::{Edit, ReceiptName, WriteOffRequest};

/// Nothing.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Empty {}

/// A PIN on its way to be checked. Prints nothing.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct PinText(String);

impl std::fmt::Debug for PinText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PinText(..)")
    }
}

impl PinText {
    /// The digits.
    ///
    /// # Errors
    /// Something that is no PIN; it is not counted as a try.
    pub fn take(self) -> ApiResult<String> {
        let long = (limits::PIN_SHORTEST..=limits::PIN_LONGEST).contains(&self.0.len());
        if long && self.0.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(self.0);
        }
        let (shortest, longest) = (limits::PIN_SHORTEST, limits::PIN_LONGEST);
        Err(ApiError::malformed(format!("pin: {shortest} to {longest} digits, in quotes")))
    }
}

/// Somebody who approves what the cashier may not do alone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"staff_id": "0190a1b2-c3d4-7e5f-8a6b-000000000007", "pin": "4711", "reason": "damaged box"}))]
pub struct ApprovalBody {
    /// Who; the answer that asked for an approval names those who may.
    #[schema(value_type = String)]
    pub staff_id: StaffId,
    /// Their PIN. It is checked and kept nowhere.
    #[schema(value_type = String)]
    pub pin: PinText,
    /// Why; it stands in the record beside their name.
    pub reason: String,
}

/// A body that may carry an approval.
pub trait Approving {
    /// Takes the approval out.
    fn approval(&mut self) -> Option<ApprovalBody> {
        None
    }
}

impl Approving for Empty {}
impl Approving for NoteBody {}
impl Approving for TenderBody {}

macro_rules! approving {
    ($($body:ty),*) => {$(
        impl Approving for $body {
            fn approval(&mut self) -> Option<ApprovalBody> {
                self.approval.take()
            }
        }
    )*};
}

approving!(OpenBody, LineBody, LineChangeBody, ReasonBody, TicketDiscountBody, CloseBody, NoSaleBody);

/// The drawer is to be opened without a sale.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "change for the bus driver"}))]
pub struct NoSaleBody {
    /// Why.
    pub reason: String,
    /// Somebody who approves it, where that is needed.
    pub approval: Option<ApprovalBody>,
}

/// A pairing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"code": "H9AJN-1KQ9C", "name": "Till 1"}))]
pub struct PairBody {
    /// The code that `edge-agent pairing create` printed.
    pub code: String,
    /// What people call the lane.
    pub name: String,
}

/// A new ticket.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "sale"}))]
pub struct OpenBody {
    /// `sale` or `return`.
    #[schema(value_type = String)]
    pub kind: TicketKind,
    /// The number on the paper, or another reference of the shop; head office keeps it.
    pub reference: Option<String>,
    /// Wall-clock time of a paper receipt, such as `2010-12-01T08:26`: a late entry.
    #[serde(default, deserialize_with = "wall_clock")]
    #[schema(value_type = Option<String>)]
    pub at: Option<DateTime>,
    /// Somebody who approves it, where that is needed.
    pub approval: Option<ApprovalBody>,
}

/// A discount: `{"percent": "10"}` with up to four digits after the point, or `{"amount_minor": 150}`.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DiscountBody {
    /// Percent.
    #[schema(value_type = String)]
    Percent(PercentText),
    /// Minor units, without sign.
    #[schema(value_type = i64)]
    AmountMinor(Amount),
}

/// A percentage as a decimal string or a whole number.
#[derive(Clone, Copy, Debug)]
pub struct PercentText(Percent);

impl<'de> Deserialize<'de> for PercentText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a percentage in quotes such as \"12.5\", or a whole number")]
        enum Either {
            Text(String),
            Whole(u32),
        }
        let text = match Either::deserialize(deserializer)? {
            Either::Text(text) => text,
            Either::Whole(whole) => whole.to_string(),
        };
        text.parse().map(Self).map_err(|error| de::Error::custom(format!("percent: {error}")))
    }
}

impl DiscountBody {
    fn read(self) -> ApiResult<Discount> {
        Ok(match self {
            Self::Percent(PercentText(percent)) => Discount::Percent(percent),
            Self::AmountMinor(off) if off < Amount::ZERO => {
                return Err(ApiError::malformed("discount: amount_minor is given without sign"));
            }
            Self::AmountMinor(off) => Discount::Amount(off),
        })
    }
}

/// Something without a code.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenPriceBody {
    /// What it is.
    pub description: String,
    /// What one costs.
    #[schema(value_type = String)]
    pub unit_price: UnitPrice,
    /// Its rate in millionths; the shop's rate for such lines when left out.
    #[schema(value_type = Option<u32>)]
    pub tax_rate_ppm: Option<TaxRate>,
}

/// A line of a receipt.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OriginalBody {
    /// The receipt's term.
    #[schema(value_type = u32)]
    pub term: Term,
    /// The receipt's position.
    #[schema(value_type = u64)]
    pub seq: Seq,
    /// Its line.
    pub line_no: u16,
}

/// A line: exactly one of `code`, `open` and `original`, and how many.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"code": "5010000000028", "quantity": "2"}))]
pub struct LineBody {
    /// Product code or barcode.
    pub code: Option<String>,
    /// Something without a code.
    pub open: Option<OpenPriceBody>,
    /// Goods of a receipt that come back.
    pub original: Option<OriginalBody>,
    /// How many; positive. On a ticket of kind `return` it says how many come back.
    #[schema(value_type = String)]
    pub quantity: Quantity,
    /// A price against the book, with `code` only.
    #[schema(value_type = Option<String>)]
    pub unit_price: Option<UnitPrice>,
    /// Why.
    pub override_reason: Option<String>,
    /// Discount of the line.
    pub discount: Option<DiscountBody>,
    /// Somebody who approves it, where that is needed.
    pub approval: Option<ApprovalBody>,
}

impl LineBody {
    /// What it asks for.
    ///
    /// # Errors
    /// None or several of the three, or fields that do not go with the one.
    pub fn read(self) -> ApiResult<Edit> {
        let Self { code, open, original, quantity, unit_price, override_reason: reason, discount, approval: _ } = self;
        let discount = discount.map(DiscountBody::read).transpose()?;
        let priced = unit_price.is_some() || reason.is_some();
        match (code, open, original) {
            (Some(code), None, None) => Ok(Edit::AddGoods { code, quantity, unit_price, reason, discount }),
            (None, Some(_), None) if priced => {
                Err(ApiError::malformed("an open-price line carries its price in open.unit_price"))
            }
            (None, Some(open), None) => Ok(Edit::AddOpenPrice {
                description: open.description,
                unit_price: open.unit_price,
                tax_rate: open.tax_rate_ppm,
                quantity,
                discount,
            }),
            (None, None, Some(_)) if priced || discount.is_some() => {
                Err(ApiError::malformed("goods of a receipt come back at the receipt's price and discount"))
            }
            (None, None, Some(OriginalBody { term, seq, line_no })) => {
                Ok(Edit::AddReturned { original: ReceiptName { term, seq }, line_no, quantity })
            }
            _ => Err(ApiError::malformed("a line has exactly one of `code`, `open` and `original`")),
        }
    }
}

/// A change of a line. What is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"quantity": "3"}))]
pub struct LineChangeBody {
    /// How many now.
    #[schema(value_type = Option<String>)]
    pub quantity: Option<Quantity>,
    /// What one costs now.
    #[schema(value_type = Option<String>)]
    pub unit_price: Option<UnitPrice>,
    /// Why.
    pub override_reason: Option<String>,
    /// `null` clears it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<DiscountBody>)]
    pub discount: Option<Option<DiscountBody>>,
    /// Somebody who approves it, where that is needed.
    pub approval: Option<ApprovalBody>,
}

impl LineChangeBody {
    /// What it asks for.
    ///
    /// # Errors
    /// A discount that is none, or nothing at all.
    pub fn read(self, line_no: u16) -> ApiResult<Edit> {
        let Self { quantity, unit_price, override_reason: reason, discount, approval: _ } = self;
        if quantity.is_none() && unit_price.is_none() && discount.is_none() {
            return Err(ApiError::malformed("say what changes: quantity, unit_price or discount"));
        }
        let discount = discount.map(|given| given.map(DiscountBody::read).transpose()).transpose()?;
        Ok(Edit::ChangeLine { line_no, quantity, unit_price, reason, discount })
    }
}

/// Why something is taken back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "rung twice"}))]
pub struct ReasonBody {
    /// Why.
    pub reason: Option<String>,
    /// Somebody who approves it, where that is needed.
    pub approval: Option<ApprovalBody>,
}

/// A note for whoever takes the ticket up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"note": "blue coat, back in ten minutes"}))]
pub struct NoteBody {
    /// The note.
    pub note: Option<String>,
}

/// The discount on the whole.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"discount": {"percent": "10"}}))]
pub struct TicketDiscountBody {
    /// `null` clears it.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required)]
    pub discount: Option<DiscountBody>,
    /// Somebody who approves it, where that is needed.
    pub approval: Option<ApprovalBody>,
}

impl TicketDiscountBody {
    /// What it asks for.
    ///
    /// # Errors
    /// A discount that is none.
    pub fn read(self) -> ApiResult<Edit> {
        Ok(Edit::SetDiscount(self.discount.map(DiscountBody::read).transpose()?))
    }
}

/// A payment.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "cash", "amount_minor": 500}))]
pub struct TenderBody {
    /// `cash` or `card_recorded`.
    #[schema(value_type = String)]
    pub kind: TenderKind,
    /// Minor units; negative when money goes back.
    #[schema(value_type = i64)]
    pub amount_minor: Amount,
    /// The slip's number or the like.
    pub reference: Option<String>,
}

impl From<TenderBody> for Tender {
    fn from(body: TenderBody) -> Self {
        Self { kind: body.kind, amount: body.amount_minor, reference: body.reference }
    }
}

/// The close of a ticket.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"tenders": [{"kind": "cash", "amount_minor": 500}]}))]
pub struct CloseBody {
    /// Payments made with the close, beside those already on the ticket. Cash may exceed what is due: the receipt says
    /// the change.
    #[serde(default)]
    pub tenders: Vec<TenderBody>,
    /// The revision the lane has seen: another one refuses the close, so that nothing is sold unseen.
    pub revision: Option<u32>,
    /// Somebody who approves it, where that is needed.
    pub approval: Option<ApprovalBody>,
}

/// One article of a write-off.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteOffLineBody {
    /// Product code; need not be in the catalogue.
    pub code: String,
    /// What it is, when the catalogue does not say.
    pub description: Option<String>,
    /// How many leave the stock (positive).
    #[schema(value_type = String)]
    pub quantity: Quantity,
}

impl From<WriteOffLineBody> for WriteOffRequest {
    fn from(body: WriteOffLineBody) -> Self {
        Self { code: body.code, description: body.description, quantity: body.quantity }
    }
}

/// Stock that left without a sale.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "mouldy", "lines": [{"code": "LOAF", "quantity": "2"}]}))]
pub struct WriteOffBody {
    /// Why.
    pub reason: String,
    /// A reference of the shop.
    pub reference: Option<String>,
    /// Wall-clock time of a paper note: a late entry.
    #[serde(default, deserialize_with = "wall_clock")]
    #[schema(value_type = Option<String>)]
    pub at: Option<DateTime>,
    /// What.
    pub lines: Vec<WriteOffLineBody>,
}

/// Tells "left out" from `null`.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// The time on the shop's wall, without a zone: the paper knows no other.
fn wall_clock<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let wrong = || de::Error::custom(format!("at: {text:?} is not a wall-clock time such as 2010-12-01T08:26"));
    if !text.contains('T') || text.len() > 32 {
        return Err(wrong());
    }
    text.parse().map(Some).map_err(|_| wrong())
}
