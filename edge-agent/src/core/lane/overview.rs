//! An open ticket in short, as the in-store messages show it. Its lines are asked from the terminal API.

use protocol::lane_message::{Moment, TicketNow, TicketStanding};
use protocol::ticket::TicketError;

use super::ticket::OpenTicket;
use super::view::totals_of;

/// Letters of a note that a list shows.
const NOTE_LETTERS: usize = 80;

/// A ticket as it stands.
///
/// # Errors
/// A ticket that cannot be counted.
pub fn ticket_now(ticket: &OpenTicket) -> Result<TicketNow, TicketError> {
    let totals = totals_of(ticket, &ticket.totals()?)?;
    let note = ticket.parked.as_ref().and_then(|parked| parked.note.as_deref());
    Ok(TicketNow {
        ticket_id: ticket.id,
        state: if ticket.parked.is_some() { TicketStanding::Parked } else { TicketStanding::Open },
        lane_id: ticket.lane,
        revision: ticket.revision,
        lines: u32::try_from(ticket.lines.len()).unwrap_or(u32::MAX),
        total_minor: totals.total_minor,
        due_minor: totals.due_minor,
        currency: ticket.terms.currency,
        opened_at: Moment(ticket.opened_at),
        note: note.map(|note| note.chars().filter(|letter| !letter.is_control()).take(NOTE_LETTERS).collect()),
    })
}
