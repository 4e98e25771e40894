//! What a lane can ask for, and what the shell looked up for it beforehand.

use jiff::civil::DateTime;
use protocol::collection::Product;
use protocol::event::TicketClosedV2;
use protocol::id::{LaneId, Seq, Term, TicketId};
use protocol::price::UnitPrice;
use protocol::quantity::Quantity;
use protocol::tax::TaxRate;
use protocol::ticket::{Discount, Tender, TicketKind};

use crate::core::approval::Approver;

/// A receipt by its name in the fiscal log of this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptName {
    /// The term it was written under.
    pub term: Term,
    /// Its position.
    pub seq: Seq,
}

/// One article to write off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteOffRequest {
    /// Product code; need not be in the catalogue.
    pub code: String,
    /// What it is, when the catalogue does not say.
    pub description: Option<String>,
    /// How many (positive).
    pub quantity: Quantity,
}

/// A write that a lane asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Open a ticket.
    Open {
        /// Sale or return.
        kind: TicketKind,
        /// The number on the paper, or another reference.
        reference: Option<String>,
        /// Wall-clock time of a paper receipt: a late entry.
        at: Option<DateTime>,
    },
    /// Change an open ticket.
    Edit {
        /// The ticket.
        ticket: TicketId,
        /// How.
        edit: Edit,
    },
    /// Close a ticket.
    Close {
        /// The ticket.
        ticket: TicketId,
        /// Payments made with the close.
        tenders: Vec<Tender>,
        /// The revision the lane has seen; another one refuses the close.
        revision: Option<u32>,
    },
    /// Open the drawer without a sale.
    NoSale {
        /// Why.
        reason: String,
    },
    /// Write stock off.
    WriteOff {
        /// Why.
        reason: String,
        /// A reference of the shop.
        reference: Option<String>,
        /// Wall-clock time of a paper note: a late entry.
        at: Option<DateTime>,
        /// What.
        lines: Vec<WriteOffRequest>,
    },
}

/// A change of an open ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Ring a product.
    AddGoods {
        /// Product code or barcode.
        code: String,
        /// How many. On a return the size counts, either sign is read as "comes back".
        quantity: Quantity,
        /// A price against the book.
        unit_price: Option<UnitPrice>,
        /// Why.
        reason: Option<String>,
        /// Discount of the line.
        discount: Option<Discount>,
    },
    /// Ring something that has no code.
    AddOpenPrice {
        /// What it is.
        description: String,
        /// What one costs.
        unit_price: UnitPrice,
        /// Its rate; the shop's rate for such lines when left out.
        tax_rate: Option<TaxRate>,
        /// How many.
        quantity: Quantity,
        /// Discount of the line.
        discount: Option<Discount>,
    },
    /// Take goods of a receipt back.
    AddReturned {
        /// The receipt.
        original: ReceiptName,
        /// Its line.
        line_no: u16,
        /// How many come back (positive).
        quantity: Quantity,
    },
    /// Change a line.
    ChangeLine {
        /// The line.
        line_no: u16,
        /// How many now.
        quantity: Option<Quantity>,
        /// What one costs now.
        unit_price: Option<UnitPrice>,
        /// Why.
        reason: Option<String>,
        /// `Some(None)` clears the discount.
        discount: Option<Option<Discount>>,
    },
    /// Take a line back.
    VoidLine {
        /// The line.
        line_no: u16,
        /// Why.
        reason: Option<String>,
    },
    /// Set or clear the discount on the whole.
    SetDiscount(Option<Discount>),
    /// Record a payment.
    AddTender(Tender),
    /// Take a payment back, by its number.
    RemoveTender(u16),
    /// Put the ticket aside, with a note for whoever takes it up.
    Park(Option<String>),
    /// Take a parked ticket up on this lane.
    Recall,
    /// Give the ticket up as a whole, and why.
    Void(Option<String>),
}

/// A command with who sent it and the key that makes it count once.
#[derive(Clone, Debug)]
pub struct Request {
    /// The lane.
    pub lane: LaneId,
    /// Its idempotency key, unique per lane.
    pub key: String,
    /// BLAKE3 of the request as it came; the same key with another hash is refused.
    pub request_hash: [u8; 32],
    /// What it asks for.
    pub command: Command,
    /// Whose PIN was checked for it.
    pub approver: Option<Approver>,
    /// What was looked up for it.
    pub lookups: Lookups,
}

/// The answer to a write: kept under its key, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status a terminal sees.
    pub status: u16,
    /// The JSON body, envelope included.
    pub body: Vec<u8>,
}

/// What the shell looked up before the decision.
#[derive(Clone, Debug, Default)]
pub struct Lookups {
    /// The product of [`Edit::AddGoods`].
    pub product: Option<Product>,
    /// The receipt of [`Edit::AddReturned`].
    pub original: Option<Box<TicketClosedV2>>,
    /// The receipt was looked for, found or not.
    pub looked_up: bool,
    /// The products of [`Command::WriteOff`], line by line.
    pub products: Vec<Option<Product>>,
}
