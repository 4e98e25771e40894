//! An open ticket and the changes it can go through. Applying a change is mechanical: whether it may happen
//! was decided before, and is not asked again when the work log is replayed.

use protocol::business_day::BusinessDate;
use protocol::id::{LaneId, Seq, ShiftId, Term, TicketId};
use protocol::limits;
use protocol::ticket::{Discount, Line, Tender, Terms, TicketError, TicketKind, Totals, fold};
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use protocol::event::VoidedLine;

/// Rung later than it happened, from paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateEntry {
    /// When it happened.
    pub at: Timestamp,
    /// The trading day it counts on.
    pub business_date: BusinessDate,
}

/// Put aside for any lane to take up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// Since when.
    pub at: Timestamp,
    /// What the cashier wrote on it.
    pub note: Option<String>,
}

/// A tender with the number it is removed by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberedTender {
    /// From 1, never used again.
    pub number: u16,
    /// The payment.
    pub tender: Tender,
}

/// A basket, from its first line until it is closed or voided. Its prices are those it was rung at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTicket {
    /// Its id for ever.
    pub id: TicketId,
    /// Sale or return.
    pub kind: TicketKind,
    /// The lane that holds it (while parked: that parked it).
    pub lane: LaneId,
    /// The shift it belongs to, once shifts are kept.
    pub shift: Option<ShiftId>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Set when it is rung from paper.
    pub late: Option<LateEntry>,
    /// The number on the paper, or another reference.
    pub reference: Option<String>,
    /// The rules it is counted by, fixed at its opening.
    pub terms: Terms,
    /// Lines that count, numbers rising.
    pub lines: Vec<Line>,
    /// Lines that were taken back.
    pub voided: Vec<VoidedLine>,
    /// The number of the next line.
    pub next_line: u16,
    /// Discount on the whole.
    pub discount: Option<Discount>,
    /// Payments so far.
    pub tenders: Vec<NumberedTender>,
    /// The number of the next payment.
    pub next_tender: u16,
    /// Set while it is put aside.
    pub parked: Option<Parked>,
    /// How many changes it went through.
    pub revision: u32,
}

/// One change of a ticket, as the work log keeps it. New variants only at the end: it is disk format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// It was opened.
    Open(Box<OpenTicket>),
    /// A line was rung; the reason is that of a price override.
    AddLine {
        /// The line.
        line: Line,
        /// Why its price differs from the book.
        reason: Option<String>,
    },
    /// A line reads differently now.
    ChangeLine {
        /// The line, whole.
        line: Line,
        /// Why its price differs from the book.
        reason: Option<String>,
    },
    /// A line was taken back.
    VoidLine {
        /// Its number.
        line_no: u16,
        /// When.
        at: Timestamp,
        /// Why.
        reason: Option<String>,
    },
    /// The ticket discount was set or cleared.
    SetDiscount(Option<Discount>),
    /// A payment was recorded.
    AddTender(Tender),
    /// A payment was taken back.
    RemoveTender(u16),
    /// It was put aside.
    Park(Parked),
    /// A lane took it up.
    Recall(LaneId),
    /// It was given up as a whole.
    Void {
        /// When.
        at: Timestamp,
        /// Why.
        reason: Option<String>,
    },
    /// It is closed and stands in the fiscal log.
    Closed {
        /// The term of its record.
        term: Term,
        /// The position of its record.
        seq: Seq,
    },
}

impl OpenTicket {
    /// What it comes to.
    ///
    /// # Errors
    /// A line or sum that cannot be counted.
    pub fn totals(&self) -> Result<Totals, TicketError> {
        fold(&self.terms, self.kind, &self.lines, self.discount)
    }

    /// The line of that number, unless voided.
    pub fn line(&self, line_no: u16) -> Option<&Line> {
        self.lines.iter().find(|line| line.line_no == line_no)
    }

    /// Goes through a change. An [`Op::Open`], [`Op::Void`] or [`Op::Closed`] changes whether the ticket is
    /// there at all; that is the caller's business, here they only count as a revision.
    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::Open(_) => return,
            Op::AddLine { line, .. } => {
                self.next_line = line.line_no.saturating_add(1);
                self.lines.push(line.clone());
            }
            Op::ChangeLine { line, .. } => {
                if let Some(old) = self.lines.iter_mut().find(|old| old.line_no == line.line_no) {
                    *old = line.clone();
                }
            }
            Op::VoidLine { line_no, at, reason } => {
                if let Some(index) = self.lines.iter().position(|line| line.line_no == *line_no) {
                    let line = self.lines.remove(index);
                    self.voided.push(VoidedLine { line, at: *at, reason: reason.clone() });
                }
            }
            Op::SetDiscount(discount) => self.discount = *discount,
            Op::AddTender(tender) => {
                self.tenders.push(NumberedTender { number: self.next_tender, tender: tender.clone() });
                self.next_tender = self.next_tender.saturating_add(1);
            }
            Op::RemoveTender(number) => self.tenders.retain(|tender| tender.number != *number),
            Op::Park(parked) => self.parked = Some(parked.clone()),
            Op::Recall(lane) => {
                self.parked = None;
                self.lane = *lane;
            }
            Op::Void { .. } | Op::Closed { .. } => {}
        }
        self.revision = self.revision.saturating_add(1);
    }

    /// An upper bound of the bytes of the event that closes it: texts as they are, and what numbers, totals
    /// and lengths may add to each line.
    pub fn event_bytes(&self) -> usize {
        const PER_LINE: usize = 260;
        // With as many approvals as there may be, of a reason and two names each.
        const PER_TICKET: usize =
            4_096 + limits::TICKET_APPROVALS * (limits::NOTE_BYTES + 2 * limits::STAFF_NAME_BYTES + 96);
        let text = |line: &Line| line.description.len() + line.code.as_ref().map_or(0, String::len);
        let lines: usize = self.lines.iter().map(|line| text(line) + PER_LINE).sum();
        let voided: usize = self
            .voided
            .iter()
            .map(|voided| text(&voided.line) + voided.reason.as_ref().map_or(0, String::len) + PER_LINE)
            .sum();
        lines + voided + self.tenders.len() * (limits::NOTE_BYTES + 32) + PER_TICKET
    }
}
