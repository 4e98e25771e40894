//! From an open ticket to the event that closes it, and from a request to a stock write-off. The event
//! carries the key, the hash of the request and the hash of the answer, so that the answer can be given again
//! from the record alone.

use protocol::event::{
    Approved, NoSaleV1, StockWrittenOffV1, TicketClosedV1, TicketClosedV2, TicketVoidedV1, WriteOffLine,
};
use protocol::limits;
use protocol::ticket::{Tender, settle};

use super::command::{Command, WriteOffRequest};
use super::decide::{Context, held_by, note, text};
use super::receipt::{NoSaleBody, ReceiptBody, WriteOffBody, voided_hash};
use super::ticket::{Op, OpenTicket};
use crate::core::approval::{asked_by_change, asked_by_close};
use crate::core::refusal::Refusal;

/// Under which key and as which bytes a request came.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The lane's idempotency key.
    pub key: &'a str,
    /// BLAKE3 of the request.
    pub request_hash: [u8; 32],
}

/// Closes a ticket: counts it, settles it, writes the event.
///
/// # Errors
/// Another lane's ticket, a parked or empty one, a revision the lane has not seen, tenders that do not pay it.
pub fn close(
    ticket: &OpenTicket,
    tenders: &[Tender],
    revision: Option<u32>,
    ctx: &Context<'_>,
    asked: Asked<'_>,
) -> Result<TicketClosedV2, Refusal> {
    ctx.people.may_sell()?;
    held_by(ticket, ctx)?;
    if ticket.parked.is_some() {
        return Err(Refusal::conflict("the ticket is parked; recall it first"));
    }
    if revision.is_some_and(|seen| seen != ticket.revision) {
        let message = "the ticket is not at the revision you name; read it again before you close it";
        return Err(Refusal::conflict(message).with(serde_json::json!({ "revision": ticket.revision })));
    }
    if ticket.lines.is_empty() {
        return Err(Refusal::invalid("the ticket has no lines; void it instead"));
    }
    let mut all: Vec<Tender> = ticket.tenders.iter().map(|numbered| numbered.tender.clone()).collect();
    for tender in tenders {
        all.push(Tender { reference: note("reference", tender.reference.as_ref())?, ..tender.clone() });
    }
    let totals = ticket.totals()?;
    let settlement = settle(&ticket.terms, totals.total, &all)?;
    let given = ctx.people.settle(asked_by_close(ticket, &totals)?, ctx.now)?;
    let approvals = ctx.people.earlier.iter().cloned().chain(given).collect();
    let closed = TicketClosedV1 {
        ticket: ticket.id,
        kind: ticket.kind,
        lane: ctx.lane,
        cashier: None,
        shift: ticket.shift,
        opened_at: ticket.opened_at,
        occurred: ctx.shop.occurrence(ticket.late, ctx.now)?,
        reference: ticket.reference.clone(),
        terms: ticket.terms,
        lines: ticket.lines.clone(),
        voided: ticket.voided.clone(),
        ticket_discount: ticket.discount,
        totals,
        tenders: all,
        settlement,
        idempotency_key: asked.key.to_owned(),
        request_hash: asked.request_hash,
        reply_hash: [0; 32],
    };
    let mut event = TicketClosedV2 { closed, cashier: ctx.people.cashier_mark(), approvals };
    event.closed.reply_hash = ReceiptBody::of(&event).hash();
    Ok(event)
}

/// Gives a ticket up, in a shop that keeps its people: `op` is the decision to.
///
/// # Errors
/// Nobody who may, or figures beyond the limits.
pub fn void(ticket: &OpenTicket, op: &Op, ctx: &Context<'_>, asked: Asked<'_>) -> Result<TicketVoidedV1, Refusal> {
    let Op::Void { reason, .. } = op else { return Err(Refusal::invalid("not the end of a ticket")) };
    let given = ctx.people.settle(asked_by_change(Some(ticket), ticket, op)?, ctx.now)?;
    let mut after = ticket.clone();
    after.apply(op);
    let mut event = TicketVoidedV1 {
        ticket: ticket.id,
        kind: ticket.kind,
        lane: ctx.lane,
        cashier: ctx.people.cashier_mark(),
        approvals: ctx.people.earlier.iter().cloned().chain(given).collect(),
        opened_at: ticket.opened_at,
        occurred: ctx.shop.occurrence(ticket.late, ctx.now)?,
        reference: ticket.reference.clone(),
        terms: ticket.terms,
        lines: ticket.lines.clone(),
        voided: ticket.voided.clone(),
        ticket_discount: ticket.discount,
        reason: reason.clone(),
        revision: after.revision,
        idempotency_key: asked.key.to_owned(),
        request_hash: asked.request_hash,
        reply_hash: [0; 32],
    };
    event.reply_hash = voided_hash(&event);
    Ok(event)
}

/// Opens the drawer without a sale.
///
/// # Errors
/// No reason, or nobody who may.
pub fn no_sale(reason: &str, ctx: &Context<'_>, asked: Asked<'_>) -> Result<NoSaleV1, Refusal> {
    let given = ctx.people.settle([Approved::NoSale], ctx.now)?;
    let mut event = NoSaleV1 {
        lane: ctx.lane,
        cashier: ctx.people.cashier_mark(),
        approval: given.into_iter().next(),
        occurred: ctx.shop.occurrence(None, ctx.now)?,
        reason: text("reason", reason, limits::NOTE_BYTES)?,
        idempotency_key: asked.key.to_owned(),
        request_hash: asked.request_hash,
        reply_hash: [0; 32],
    };
    event.reply_hash = NoSaleBody::of(&event).hash();
    Ok(event)
}

/// Writes stock off.
///
/// # Errors
/// No reason, no lines, a quantity that is not positive, texts that are too long.
pub fn write_off(command: &Command, ctx: &Context<'_>, asked: Asked<'_>) -> Result<StockWrittenOffV1, Refusal> {
    let Command::WriteOff { reason, reference, at, lines } = command else {
        return Err(Refusal::invalid("not a write-off"));
    };
    ctx.people.may_sell()?;
    if lines.is_empty() || lines.len() > limits::TICKET_LINES {
        return Err(Refusal::invalid(format!("lines: between 1 and {} of them", limits::TICKET_LINES)));
    }
    let late = at.map(|wall| ctx.shop.late_entry(wall, ctx.now)).transpose()?;
    let mut event = StockWrittenOffV1 {
        lane: ctx.lane,
        person: None,
        occurred: ctx.shop.occurrence(late, ctx.now)?,
        reason: text("reason", reason, limits::NOTE_BYTES)?,
        reference: note("reference", reference.as_ref())?,
        lines: lines
            .iter()
            .enumerate()
            .map(|(index, line)| write_off_line(index, line, ctx))
            .collect::<Result<_, _>>()?,
        idempotency_key: asked.key.to_owned(),
        request_hash: asked.request_hash,
        reply_hash: [0; 32],
    };
    event.reply_hash = WriteOffBody::of(&event).hash();
    Ok(event)
}

fn write_off_line(index: usize, line: &WriteOffRequest, ctx: &Context<'_>) -> Result<WriteOffLine, Refusal> {
    let field = |name: &str| format!("lines[{index}].{name}");
    let code = text(&field("code"), &line.code, limits::CODE_BYTES)?;
    if line.quantity.milli() <= 0 {
        return Err(Refusal::invalid(format!(
            "{}: say how many leave the stock, as a positive number",
            field("quantity")
        )));
    }
    let product = ctx.lookups.products.get(index).and_then(Option::as_ref);
    let given = line.description.as_deref().filter(|given| !given.trim().is_empty());
    let description = match (given, product) {
        (Some(given), _) => text(&field("description"), given, limits::DESCRIPTION_BYTES)?,
        (None, Some(product)) => product.description.clone(),
        // Nobody knows more than the code; the record says so rather than refuse what already left the shelf.
        (None, None) => code.clone(),
    };
    let value =
        product.map(|product| product.unit_price.extend(line.quantity, ctx.shop.settings.currency)).transpose()?;
    let code = product.map_or(code, |product| product.code.clone());
    Ok(WriteOffLine { code, description, quantity: line.quantity, value })
}
