//! May this lane change this ticket this way, and what exactly changes? Answers with the [`Op`] that the work
//! log keeps, or with a refusal; touches nothing.

use jiff::civil::DateTime;
use protocol::id::{LaneId, TicketId};
use protocol::limits;
use protocol::money::Amount;
use protocol::quantity::Quantity;
use protocol::ticket::{GivenBack, Line, Pricing, Tender, TenderKind, TicketKind};
use protocol::timestamp::Timestamp;

use super::command::{Edit, Lookups};
use super::returns::{Sold, change_returned, line_from_receipt};
use super::ticket::{Op, OpenTicket, Parked};
use crate::core::approval::People;
use crate::core::refusal::Refusal;
use crate::core::shop::Shop;

/// What a decision takes into account besides the ticket.
pub struct Context<'a> {
    /// The time.
    pub now: Timestamp,
    /// Who asks.
    pub lane: LaneId,
    /// The shop's settings in force.
    pub shop: &'a Shop,
    /// What was looked up for the command.
    pub lookups: &'a Lookups,
    /// What came back of a receipt's line, or is spoken for by open tickets other than this one.
    pub given: &'a dyn Fn(Sold) -> Result<GivenBack, Refusal>,
    /// Whether a lane is still paired.
    pub is_paired: &'a dyn Fn(LaneId) -> bool,
    /// Who is there, and what they may do.
    pub people: People<'a>,
}

/// Opens a ticket under a fresh id.
///
/// # Errors
/// A late entry that is not allowed, or a reference that is too long.
pub fn open(
    ctx: &Context<'_>,
    fresh: TicketId,
    kind: TicketKind,
    reference: Option<&String>,
    at: Option<DateTime>,
) -> Result<OpenTicket, Refusal> {
    ctx.people.may_sell()?;
    let late = at.map(|wall| ctx.shop.late_entry(wall, ctx.now)).transpose()?;
    Ok(OpenTicket {
        id: fresh,
        kind,
        lane: ctx.lane,
        shift: None,
        opened_at: ctx.now,
        late,
        reference: note("reference", reference)?,
        terms: ctx.shop.settings.terms(),
        lines: Vec::new(),
        voided: Vec::new(),
        next_line: 1,
        discount: None,
        tenders: Vec::new(),
        next_tender: 1,
        parked: None,
        revision: 1,
    })
}

/// Decides on a change of an open ticket.
///
/// # Errors
/// Why it may not happen; the ticket is as it was.
pub fn decide(ticket: &OpenTicket, edit: &Edit, ctx: &Context<'_>) -> Result<Op, Refusal> {
    ctx.people.may_sell()?;
    may_touch(ticket, edit, ctx)?;
    let op = match edit {
        Edit::AddGoods { .. } => add_goods(ticket, edit, ctx)?,
        Edit::AddOpenPrice { .. } => add_open_price(ticket, edit, ctx)?,
        Edit::AddReturned { line_no, quantity, .. } => {
            let receipt = ctx.lookups.original.as_ref().ok_or_else(|| {
                Refusal::not_found("this node has no such receipt; ring the goods as a return without receipt")
            })?;
            let before = (ctx.given)(Sold { ticket: receipt.ticket, line_no: *line_no })?;
            let rung = (next_line(ticket)?, *quantity);
            let line = line_from_receipt(receipt, *line_no, rung, &before, &ticket.terms)?;
            Op::AddLine { line, reason: None }
        }
        Edit::ChangeLine { .. } => change_line(ticket, edit, ctx)?,
        Edit::VoidLine { line_no, reason } => {
            known_line(ticket, *line_no)?;
            Op::VoidLine { line_no: *line_no, at: ctx.now, reason: note("reason", reason.as_ref())? }
        }
        Edit::SetDiscount(discount) => Op::SetDiscount(*discount),
        Edit::AddTender(tender) => Op::AddTender(add_tender(ticket, tender)?),
        Edit::RemoveTender(number) => {
            if !ticket.tenders.iter().any(|tender| tender.number == *number) {
                return Err(Refusal::not_found(format!("the ticket has no tender {number}")));
            }
            Op::RemoveTender(*number)
        }
        Edit::Park(text) => Op::Park(Parked { at: ctx.now, note: note("note", text.as_ref())? }),
        Edit::Recall => Op::Recall(ctx.lane),
        Edit::Void(reason) => {
            if !ticket.tenders.is_empty() {
                return Err(Refusal::conflict("the ticket carries tenders; remove them before you void it"));
            }
            Op::Void { at: ctx.now, reason: note("reason", reason.as_ref())? }
        }
    };
    Ok(op)
}

/// Whose ticket it is, and whether it is put aside.
fn may_touch(ticket: &OpenTicket, edit: &Edit, ctx: &Context<'_>) -> Result<(), Refusal> {
    let recall = matches!(edit, Edit::Recall);
    if ticket.parked.is_some() {
        return if recall || matches!(edit, Edit::Void(_)) {
            Ok(())
        } else {
            Err(Refusal::conflict("the ticket is parked; recall it first"))
        };
    }
    held_by(ticket, ctx).map_or_else(
        // A lane that is no longer paired cannot park what it holds: any lane may take it up.
        |refusal| if recall && !(ctx.is_paired)(ticket.lane) { Ok(()) } else { Err(refusal) },
        |()| if recall { Err(Refusal::conflict("the ticket is not parked; this lane holds it")) } else { Ok(()) },
    )
}

/// Refuses when another lane holds the ticket.
pub(super) fn held_by(ticket: &OpenTicket, ctx: &Context<'_>) -> Result<(), Refusal> {
    if ticket.lane == ctx.lane {
        return Ok(());
    }
    Err(Refusal::conflict("another lane holds this ticket; park it there and recall it here")
        .with(serde_json::json!({ "lane_id": ticket.lane })))
}

fn add_goods(ticket: &OpenTicket, edit: &Edit, ctx: &Context<'_>) -> Result<Op, Refusal> {
    let Edit::AddGoods { code, quantity, unit_price, reason, discount } = edit else {
        return Err(Refusal::invalid("not a line of goods"));
    };
    let product = ctx
        .lookups
        .product
        .as_ref()
        .ok_or_else(|| Refusal::not_found(format!("the catalogue has no product with the code {code:?}")))?;
    let (unit_price, pricing) = match unit_price {
        Some(price) if *price != product.unit_price => (*price, Pricing::Override { book: product.unit_price }),
        Some(_) | None => (product.unit_price, Pricing::Book),
    };
    let line = Line {
        line_no: next_line(ticket)?,
        code: Some(product.code.clone()),
        description: product.description.clone(),
        quantity: signed(ticket.kind, *quantity)?,
        unit_price,
        pricing,
        discount: *discount,
        tax_rate: product.tax_rate,
        original: None,
    };
    Ok(Op::AddLine { line, reason: note("override_reason", reason.as_ref())? })
}

fn add_open_price(ticket: &OpenTicket, edit: &Edit, ctx: &Context<'_>) -> Result<Op, Refusal> {
    let Edit::AddOpenPrice { description, unit_price, tax_rate, quantity, discount } = edit else {
        return Err(Refusal::invalid("not an open-price line"));
    };
    let description = text("open.description", description, limits::DESCRIPTION_BYTES)?;
    let line = Line {
        line_no: next_line(ticket)?,
        code: None,
        description,
        quantity: signed(ticket.kind, *quantity)?,
        unit_price: *unit_price,
        pricing: Pricing::Open,
        discount: *discount,
        tax_rate: tax_rate.unwrap_or(ctx.shop.settings.open_line_tax_rate),
        original: None,
    };
    Ok(Op::AddLine { line, reason: None })
}

fn change_line(ticket: &OpenTicket, edit: &Edit, ctx: &Context<'_>) -> Result<Op, Refusal> {
    let Edit::ChangeLine { line_no, quantity, unit_price, reason, discount } = edit else {
        return Err(Refusal::invalid("not a change of a line"));
    };
    let mut line = known_line(ticket, *line_no)?.clone();
    if let Some(original) = line.original {
        if unit_price.is_some() || discount.is_some() {
            return Err(Refusal::invalid("a line given back against a receipt has the receipt's price and discount"));
        }
        if let Some(quantity) = quantity {
            let before = (ctx.given)(Sold { ticket: original.ticket, line_no: original.line_no })?;
            line = change_returned(&line, *quantity, &before)?;
        }
        return Ok(Op::ChangeLine { line, reason: None });
    }
    if let Some(quantity) = quantity {
        line.quantity = signed(ticket.kind, *quantity)?;
    }
    if let Some(price) = unit_price {
        line.pricing = match line.pricing {
            Pricing::Open => Pricing::Open,
            Pricing::Book if *price == line.unit_price => Pricing::Book,
            Pricing::Book => Pricing::Override { book: line.unit_price },
            Pricing::Override { book } if *price == book => Pricing::Book,
            Pricing::Override { book } => Pricing::Override { book },
        };
        line.unit_price = *price;
    }
    if let Some(discount) = discount {
        line.discount = *discount;
    }
    Ok(Op::ChangeLine { line, reason: note("override_reason", reason.as_ref())? })
}

fn add_tender(ticket: &OpenTicket, tender: &Tender) -> Result<Tender, Refusal> {
    // Cash of nothing is how an amount that rounds to nothing is paid; the close decides.
    if tender.amount == Amount::ZERO && tender.kind != TenderKind::Cash {
        return Err(Refusal::invalid("amount_minor: a tender of nothing pays nothing"));
    }
    if tender.amount.abs().minor() > limits::TICKET_AMOUNT_MINOR {
        return Err(Refusal::invalid("amount_minor: the number is larger than a ticket may be"));
    }
    if ticket.tenders.len() >= limits::TICKET_TENDERS {
        return Err(Refusal::invalid(format!("a ticket has at most {} tenders", limits::TICKET_TENDERS)));
    }
    let reference = note("reference", tender.reference.as_ref())?;
    Ok(Tender { reference, ..tender.clone() })
}

/// The quantity in the ticket's direction.
fn signed(kind: TicketKind, quantity: Quantity) -> Result<Quantity, Refusal> {
    match (kind, quantity.milli().signum()) {
        (_, 0) => Err(Refusal::invalid("quantity: zero of something is no line")),
        (TicketKind::Sale, -1) => {
            Err(Refusal::invalid("quantity: goods come back on a ticket of kind \"return\", or against a receipt"))
        }
        (TicketKind::Return, 1) => Ok(quantity.negated()),
        (TicketKind::Sale | TicketKind::Return, _) => Ok(quantity),
    }
}

/// The number of the next line, while there is room for one.
fn next_line(ticket: &OpenTicket) -> Result<u16, Refusal> {
    let rung = ticket.lines.len().saturating_add(ticket.voided.len());
    // The event that closes the ticket has to fit in one record, with room for the key and the settlement.
    let full = ticket.event_bytes().saturating_add(limits::DESCRIPTION_BYTES * 2) > limits::EVENT_BYTES;
    if rung >= limits::TICKET_LINES || full {
        let message = format!("the ticket is full at {rung} lines, voided ones included; close it and open another");
        return Err(Refusal::invalid(message));
    }
    Ok(ticket.next_line)
}

fn known_line(ticket: &OpenTicket, line_no: u16) -> Result<&Line, Refusal> {
    ticket.line(line_no).ok_or_else(|| {
        let voided = ticket.voided.iter().any(|voided| voided.line.line_no == line_no);
        if voided {
            Refusal::conflict(format!("line {line_no} is voided"))
        } else {
            Refusal::not_found(format!("the ticket has no line {line_no}"))
        }
    })
}

/// A note as it may be kept: not empty, not too long.
pub(super) fn note(field: &str, value: Option<&String>) -> Result<Option<String>, Refusal> {
    match value {
        Some(value) if !value.trim().is_empty() => text(field, value, limits::NOTE_BYTES).map(Some),
        Some(_) | None => Ok(None),
    }
}

/// A text that has to be there.
pub(super) fn text(field: &str, value: &str, most: usize) -> Result<String, Refusal> {
    if value.trim().is_empty() {
        return Err(Refusal::invalid(format!("{field}: must not be empty")));
    }
    if value.len() > most {
        return Err(Refusal::invalid(format!("{field}: at most {most} bytes")));
    }
    Ok(value.to_owned())
}
