//! Closing tickets and writing stock off: one fiscal append each, answered when it is on the disk. The answer
//! is rendered from the record, now and whenever the same request comes again.

use std::collections::VecDeque;

use protocol::event::{FiscalEvent, RawEvent};
use protocol::id::{Seq, Stream, Term, TicketId};

use super::actor::{Actor, Done, Key, Waiting, not_written, send};
use super::writes::{other_request, ticket_of};
use crate::core::lane::close::{Asked, close, no_sale, void, write_off};
use crate::core::lane::receipt::{RecordName, answer, answer_of, hashes};
use crate::core::lane::{Answer, Command, Op, ReceiptName, Request, decide};
use crate::core::refusal::Refusal;
use crate::core::shop::Shop;
use crate::desk::{Outcome, ReplyTo};
use crate::ledger::{Appended, LedgerError, Logs};
use crate::telemetry::{sale, spans};

impl Actor {
    /// Decides on a close or write-off and hands its record to the disk.
    pub(super) fn write_fiscal(&mut self, request: Box<Request>, shop: &Shop, reply: ReplyTo<Answer>) {
        let deciding = spans::now();
        let event = match self.decide_fiscal(&request, shop) {
            Ok(event) => event,
            Err(refusal) => return send(reply, Err(refusal)),
        };
        let raw = match event.encode() {
            Ok(raw) => raw,
            Err(error) => return send(reply, Err(Refusal::invalid(format!("split the ticket: {error}")))),
        };
        let key: Key = (request.lane, request.key.clone());
        if let Some(ticket) = ticket_of(&request.command) {
            self.busy.insert(ticket, VecDeque::new());
        }
        self.waiting.insert(key.clone(), Waiting { request_hash: request.request_hash, replies: vec![reply] });
        self.fiscal_under_way += 1;
        let logs = self.logs.clone();
        let appending = spans::now();
        self.jobs.spawn(async move {
            let result = logs.append(Stream::Fiscal, raw.clone()).await;
            if let (Ok(Appended { term, seq, .. }), FiscalEvent::TicketClosed(_)) = (&result, &event) {
                sale::appended(*term, *seq, deciding, appending);
            }
            Done::Fiscal { key, event: Box::new(event), raw, result }
        });
    }

    fn decide_fiscal(&self, request: &Request, shop: &Shop) -> Outcome<FiscalEvent> {
        let asked = Asked { key: &request.key, request_hash: request.request_hash };
        match &request.command {
            Command::Close { ticket, tenders, revision } => {
                let open = self.find(*ticket)?;
                self.with_context(request, shop, *ticket, |ctx| {
                    let event = close(open, tenders, *revision, ctx, asked)?;
                    Ok(FiscalEvent::closed(event))
                })
            }
            Command::WriteOff { .. } => {
                let nobody = TicketId::from_uuid(uuid::Uuid::nil());
                self.with_context(request, shop, nobody, |ctx| {
                    Ok(FiscalEvent::StockWrittenOff(Box::new(write_off(&request.command, ctx, asked)?)))
                })
            }
            Command::NoSale { reason } => {
                let nobody = TicketId::from_uuid(uuid::Uuid::nil());
                self.with_context(request, shop, nobody, |ctx| {
                    Ok(FiscalEvent::NoSale(Box::new(no_sale(reason, ctx, asked)?)))
                })
            }
            Command::Edit { ticket, edit } => {
                let open = self.find(*ticket)?;
                self.with_context(request, shop, *ticket, |ctx| {
                    let op = decide(open, edit, ctx)?;
                    Ok(FiscalEvent::TicketVoided(Box::new(void(open, &op, ctx, asked)?)))
                })
            }
            Command::Open { .. } => Err(Refusal::invalid("not a fiscal event")),
        }
    }

    /// A close or write-off is on the disk, or is not.
    pub(super) fn fiscal_done(
        &mut self,
        key: &Key,
        event: &FiscalEvent,
        raw: &RawEvent,
        result: Result<Appended, LedgerError>,
    ) {
        self.fiscal_under_way = self.fiscal_under_way.saturating_sub(1);
        let (ended, closed) = match event {
            FiscalEvent::TicketClosed(closed) => (Some(closed.ticket), true),
            FiscalEvent::TicketVoided(voided) => (Some(voided.ticket), false),
            FiscalEvent::StockWrittenOff(_) | FiscalEvent::NoSale(_) => (None, false),
        };
        let answering = spans::now();
        match result {
            Ok(Appended { term, seq, .. }) => {
                self.index.follow(term, seq, event, true);
                self.move_cursor(term, seq);
                self.floor.attendance.touch(key.0, event.occurred().recorded_at);
                if let Some(ticket) = ended {
                    if let Some(open) = self.floor.tickets.get(&ticket) {
                        self.tell(open, if closed { "closed" } else { "voided" });
                    }
                    let at = event.occurred().recorded_at;
                    let op = if closed { Op::Closed { term, seq } } else { Op::Void { at, reason: None } };
                    self.note_closed(ticket, op);
                }
                count(event);
                let name = RecordName::new(self.logs.node(), term, seq, raw);
                self.settle(key, Ok(answer_of(name, event)));
                if let Some(ticket) = ended.filter(|_| closed) {
                    sale::answered(term, seq, answering);
                    tracing::debug!(target: "sale", node = %self.logs.node(), term = term.0, seq = seq.0, lane = %key.0,
                        %ticket, "a ticket was closed");
                }
            }
            Err(error) => self.refuse(key, &error),
        }
        if let Some(ticket) = ended {
            self.free(ticket);
        }
    }

    /// The cursor follows what is indexed without a gap; when nothing is under way, everything is.
    fn move_cursor(&mut self, term: Term, seq: Seq) {
        self.fiscal_ahead.insert(seq);
        while self.fiscal_ahead.remove(&self.fiscal_upto.next()) {
            self.fiscal_upto = self.fiscal_upto.next();
        }
        if self.fiscal_under_way == 0 {
            self.fiscal_upto = self.fiscal_upto.max(self.logs.head(Stream::Fiscal).durable);
            self.fiscal_ahead.clear();
        }
        self.index.reached(Stream::Fiscal, term, self.fiscal_upto);
    }

    /// Answers a repeated close or write-off from its record.
    pub(super) fn reread(&mut self, request_hash: [u8; 32], term: Term, seq: Seq, reply: ReplyTo<Answer>) {
        let logs = self.logs.clone();
        self.jobs.spawn_blocking(move || {
            send(reply, read_answer(&logs, request_hash, term, seq));
            Done::Answered
        });
    }

    /// Reads the receipt that a return names, and comes back with it.
    pub(super) fn look_up_receipt(&mut self, mut request: Box<Request>, name: ReceiptName, reply: ReplyTo<Answer>) {
        let logs = self.logs.clone();
        self.jobs.spawn_blocking(move || {
            match read_event(&logs, name.term, name.seq) {
                Ok(Some((FiscalEvent::TicketClosed(closed), _))) => request.lookups.original = Some(closed),
                Ok(Some((
                    FiscalEvent::StockWrittenOff(_) | FiscalEvent::NoSale(_) | FiscalEvent::TicketVoided(_),
                    _,
                )))
                | Ok(None) => {}
                Err(refusal) => {
                    send(reply, Err(refusal));
                    return Done::Answered;
                }
            }
            request.lookups.looked_up = true;
            Done::LookedUp { request, reply }
        });
    }
}

fn read_event(logs: &Logs, term: Term, seq: Seq) -> Outcome<Option<(FiscalEvent, Answer)>> {
    if term != logs.term() {
        return Ok(None);
    }
    let record = logs.read_one(Stream::Fiscal, seq).map_err(|error| not_readable(&error))?;
    Ok(record.and_then(|record| answer(logs.node(), term, seq, &record.event)))
}

fn count(event: &FiscalEvent) {
    match event {
        FiscalEvent::TicketClosed(_) => metrics::counter!("tillway_tickets_closed_total").increment(1),
        FiscalEvent::StockWrittenOff(_) => metrics::counter!("tillway_write_offs_total").increment(1),
        FiscalEvent::NoSale(_) => metrics::counter!("tillway_no_sales_total").increment(1),
        FiscalEvent::TicketVoided(_) => metrics::counter!("tillway_tickets_voided_total").increment(1),
    }
}

fn not_readable(error: &LedgerError) -> Refusal {
    tracing::error!(%error, "the fiscal log cannot be read");
    Refusal::unavailable(format!("the fiscal log cannot be read: {error}"))
}

fn read_answer(logs: &Logs, request_hash: [u8; 32], term: Term, seq: Seq) -> Outcome<Answer> {
    let Some((event, answer)) = read_event(logs, term, seq)? else {
        return Err(not_written(&LedgerError::Refused("the record of this key is not in the log any more")));
    };
    let ((_, _, asked), (rendered, kept)) = (event.asked(), hashes(&event));
    if asked != request_hash {
        return Err(other_request());
    }
    if kept != rendered {
        tracing::warn!(seq = seq.0, "this build renders the receipt otherwise than the one that closed the ticket");
        metrics::counter!("tillway_receipts_rendered_otherwise_total").increment(1);
    }
    Ok(answer)
}
