//! Writes of the lanes: is it a repetition, may it happen, what changes. Changes of a basket are answered at
//! once and their record follows; parking and payments are answered when their record is on the disk.

use protocol::id::{Stream, TicketId};
use protocol::limits;
use protocol::ticket::{GivenBack, TenderKind};

use super::actor::{Actor, Done, Key, Waiting, index_broken, not_written, send, state_of};
use super::recover::remember;
use super::work::{Asked, TicketChangedV1, TicketChangedV2, WorkEvent};
use crate::core::approval::{People, asked_by_change};
use crate::core::lane::returns::add_reserved;
use crate::core::lane::view::{Data, LineAnswer, LineView, TicketView, json, totals_of};
use crate::core::lane::{Answer, Command, Context, Edit, Op, OpenTicket, Request, Sold, decide, open};
use crate::core::refusal::{Refusal, Why};
use crate::core::shop::Shop;
use crate::desk::{Outcome, ReplyTo};
use crate::store::answers::Kept;

impl Actor {
    /// Takes a write: repeats an answer, looks up what it needs, or carries it out.
    pub(super) fn write(&mut self, request: Box<Request>, reply: ReplyTo<Answer>) {
        let key: Key = (request.lane, request.key.clone());
        if let Some(waiting) = self.waiting.get_mut(&key) {
            if waiting.request_hash == request.request_hash {
                waiting.replies.push(reply);
            } else {
                send(reply, Err(other_request()));
            }
            return;
        }
        match self.index.answers.get(request.lane, &request.key) {
            Ok(Some(kept)) => return self.repeat(&request, kept, reply),
            Ok(None) => {}
            Err(error) => return send(reply, Err(index_broken(&error))),
        }
        if let Some(ticket) = ticket_of(&request.command)
            && let Some(queue) = self.busy.get_mut(&ticket)
        {
            if queue.len() >= limits::TICKET_ASKS {
                return send(reply, Err(Refusal::unavailable("too much is being asked of this ticket at once")));
            }
            return queue.push_back((request, reply));
        }
        let Some(shop) = self.snapshots.shop() else {
            let message = "the node has no shop settings yet; enrol it, or let it reach head office once";
            return send(reply, Err(Refusal::unavailable(message)));
        };
        if let Command::Edit { edit: Edit::AddReturned { original, .. }, .. } = &request.command
            && request.lookups.original.is_none()
            && !request.lookups.looked_up
        {
            let name = *original;
            return self.look_up_receipt(request, name, reply);
        }
        let request = self.look_up_products(request);
        if self.is_fiscal(&request.command) {
            return self.write_fiscal(request, &shop, reply);
        }
        match self.change(&request, &shop) {
            Ok((changed, after, answer)) => self.carry_out(key, request.request_hash, changed, after, answer, reply),
            Err(refusal) => send(reply, Err(refusal)),
        }
    }

    /// Answers a repeated request as it was answered the first time.
    fn repeat(&mut self, request: &Request, kept: Kept, reply: ReplyTo<Answer>) {
        match kept {
            Kept::Fiscal { term, seq } => self.reread(request.request_hash, term, seq, reply),
            Kept::Reply { request_hash, .. } | Kept::Shown { request_hash, .. }
                if request_hash != request.request_hash =>
            {
                send(reply, Err(other_request()));
            }
            Kept::Reply { status, body, .. } => send(reply, Ok(Answer { status, body })),
            Kept::Shown { ticket, .. } => {
                let view = self.find(ticket).and_then(|open| Ok(TicketView::new(open, state_of(open))?));
                send(reply, view.map(|view| Answer { status: 200, body: json(&Data { data: view }) }));
            }
        }
    }

    fn look_up_products(&self, mut request: Box<Request>) -> Box<Request> {
        let book = self.snapshots.book();
        match &request.command {
            Command::Edit { edit: Edit::AddGoods { code, .. }, .. } => request.lookups.product = book.find(code),
            Command::WriteOff { lines, .. } => {
                request.lookups.products = lines.iter().map(|line| book.find(&line.code)).collect();
            }
            Command::Open { .. } | Command::Edit { .. } | Command::Close { .. } | Command::NoSale { .. } => {}
        }
        request
    }

    /// Decides on an opening or a change; touches nothing.
    fn change(&self, request: &Request, shop: &Shop) -> Outcome<(TicketChangedV2, OpenTicket, Answer)> {
        match &request.command {
            Command::Open { kind, reference, at } => {
                self.with_context(request, shop, TicketId::from_uuid(uuid::Uuid::nil()), |ctx| {
                    if self.floor.tickets.len() >= limits::OPEN_TICKETS {
                        let most = limits::OPEN_TICKETS;
                        return Err(Refusal::conflict(format!("{most} tickets are open; close or void some first")));
                    }
                    let fresh = fresh_id(ctx.now.0);
                    let ticket = open(ctx, fresh, *kind, reference.as_ref(), *at)?;
                    let answer = ticket_answer(&ticket, "open", 201)?;
                    let op = Op::Open(Box::new(ticket.clone()));
                    let approvals = ctx.people.settle(asked_by_change(None, &ticket, &op)?, ctx.now)?;
                    let changed = changed(request, ctx.now, fresh, op, &answer);
                    Ok((TicketChangedV2 { changed, approvals }, ticket, answer))
                })
            }
            Command::Edit { ticket, edit } => {
                let before = self.find(*ticket)?;
                self.with_context(request, shop, *ticket, |ctx| {
                    let op = decide(before, edit, ctx)?;
                    let mut after = before.clone();
                    after.apply(&op);
                    let approvals = ctx.people.settle(asked_by_change(Some(before), &after, &op)?, ctx.now)?;
                    let answer = edit_answer(&after, &op)?;
                    let changed = changed(request, ctx.now, *ticket, op, &answer);
                    Ok((TicketChangedV2 { changed, approvals }, after, answer))
                })
            }
            Command::Close { .. } | Command::WriteOff { .. } | Command::NoSale { .. } => {
                Err(Refusal::invalid("not a change of an open ticket"))
            }
        }
    }

    /// Gives a decision what it takes into account.
    pub(super) fn with_context<T>(
        &self,
        request: &Request,
        shop: &Shop,
        ticket: TicketId,
        decide: impl FnOnce(&Context<'_>) -> Outcome<T>,
    ) -> Outcome<T> {
        let given = |sold: Sold| -> Result<GivenBack, Refusal> {
            let mut sum = self.index.returned.given_back(sold)?;
            add_reserved(&mut sum, self.floor.tickets.values(), sold, ticket)?;
            Ok(sum)
        };
        let (now, staff) = (self.clock.now(), self.snapshots.staff());
        let people = People {
            staff: staff.as_deref(),
            cashier: self.floor.attendance.cashier(request.lane, now, staff.as_deref()),
            approver: request.approver.as_ref(),
            earlier: self.floor.approvals.get(&ticket).map_or(&[], Vec::as_slice),
        };
        decide(&Context {
            now,
            lane: request.lane,
            shop,
            lookups: &request.lookups,
            given: &given,
            is_paired: &|lane| self.floor.pairings.is_paired(lane),
            people,
        })
    }

    /// Writes a change down, takes it into force and answers; or answers once it is on the disk.
    fn carry_out(
        &mut self,
        key: Key,
        request_hash: [u8; 32],
        changed: TicketChangedV2,
        after: OpenTicket,
        answer: Answer,
        reply: ReplyTo<Answer>,
    ) {
        let event = WorkEvent::Ticket(Box::new(changed));
        let raw = match event.encode() {
            Ok(raw) => raw,
            Err(error) => return send(reply, Err(Refusal::invalid(error.to_string()))),
        };
        let WorkEvent::Ticket(changed) = event else { return };
        let waits = waits_for_disk(&changed.op);
        // A queue that is full makes the lane wait for the disk instead of losing the change.
        let waits = waits || self.logs.append_unsynced(Stream::Work, raw.clone()).is_err();
        let before = if waits { self.floor.tickets.get(&changed.ticket).cloned().map(Box::new) } else { None };
        self.floor.change(&changed);
        self.since_carry += 1;
        let state = if matches!(changed.op, Op::Void { .. }) { "voided" } else { state_of(&after) };
        self.tell(&after, state);
        if !waits {
            remember(&self.index, &changed);
            return send(reply, Ok(answer));
        }
        let (ticket, approved) = (changed.ticket, changed.approvals.len());
        self.waiting.insert(key.clone(), Waiting { request_hash, replies: vec![reply] });
        self.busy.insert(ticket, std::collections::VecDeque::new());
        let (logs, index) = (self.logs.clone(), std::sync::Arc::clone(&self.index));
        self.jobs.spawn(async move {
            let result = logs.append(Stream::Work, raw).await.map(|_| remember(&index, &changed));
            Done::Durable { key, ticket, before, approved, answer, result }
        });
    }

    /// A change did not reach the disk: the ticket stands again as it did, so that the repetition the lane is
    /// asked for does not count twice.
    pub(super) fn take_back(&mut self, ticket: TicketId, before: Option<Box<OpenTicket>>, approved: usize) {
        if let Some(given) = self.floor.approvals.get_mut(&ticket) {
            given.truncate(given.len().saturating_sub(approved));
        }
        match before {
            Some(before) => {
                self.tell(&before, state_of(&before));
                self.floor.tickets.insert(ticket, *before);
            }
            None => {
                self.floor.tickets.remove(&ticket);
            }
        }
    }

    /// Writes down that a ticket left the floor for the fiscal log. Should this be lost, a start finds it there.
    pub(super) fn note_closed(&mut self, ticket: TicketId, op: Op) {
        let at = self.clock.now();
        let changed = TicketChangedV2::from(TicketChangedV1 { ticket, at, op, asked: None });
        self.floor.change(&changed);
        self.since_carry += 1;
        match WorkEvent::Ticket(Box::new(changed)).encode() {
            Ok(raw) => {
                if let Err(error) = self.logs.append_unsynced(Stream::Work, raw) {
                    tracing::warn!(%error, %ticket, "the work log did not note a close; the fiscal log has it");
                }
            }
            Err(error) => tracing::error!(%error, "a close could not be noted in the work log"),
        }
    }

    /// Refuses the waiting of a write that could not even be handed to the disk.
    pub(super) fn refuse(&mut self, key: &Key, error: &crate::ledger::LedgerError) {
        self.settle(key, Err(not_written(error)));
    }
}

/// Money by card and a ticket that changes hands are on the disk before anybody is told.
fn waits_for_disk(op: &Op) -> bool {
    match op {
        Op::Park(_) | Op::RemoveTender(_) => true,
        Op::AddTender(tender) => tender.kind != TenderKind::Cash,
        Op::Open(_)
        | Op::AddLine { .. }
        | Op::ChangeLine { .. }
        | Op::VoidLine { .. }
        | Op::SetDiscount(_)
        | Op::Recall(_)
        | Op::Void { .. }
        | Op::Closed { .. } => false,
    }
}

/// The open ticket a command is about.
pub(super) const fn ticket_of(command: &Command) -> Option<TicketId> {
    match command {
        Command::Edit { ticket, .. } | Command::Close { ticket, .. } => Some(*ticket),
        Command::Open { .. } | Command::WriteOff { .. } | Command::NoSale { .. } => None,
    }
}

pub(super) fn other_request() -> Refusal {
    Refusal::new(Why::Conflict, "this Idempotency-Key was used for another request; use a fresh key for a new one")
}

fn changed(
    request: &Request,
    at: protocol::timestamp::Timestamp,
    ticket: TicketId,
    op: Op,
    answer: &Answer,
) -> TicketChangedV1 {
    let asked = Asked::new(request.lane, request.key.clone(), request.request_hash, answer);
    TicketChangedV1 { ticket, at, op, asked: Some(asked) }
}

fn ticket_answer(ticket: &OpenTicket, state: &'static str, status: u16) -> Outcome<Answer> {
    let body = json(&Data { data: TicketView::new(ticket, state)? });
    Ok(Answer { status, body })
}

/// What a lane is shown after a change: the line it touched, or the whole ticket.
fn edit_answer(after: &OpenTicket, op: &Op) -> Outcome<Answer> {
    let (line_no, status) = match op {
        Op::AddLine { line, .. } => (line.line_no, 201),
        Op::ChangeLine { line, .. } => (line.line_no, 200),
        Op::VoidLine { line_no, .. } => (*line_no, 200),
        Op::Void { .. } => return ticket_answer(after, "voided", 200),
        Op::Open(_)
        | Op::SetDiscount(_)
        | Op::AddTender(_)
        | Op::RemoveTender(_)
        | Op::Park(_)
        | Op::Recall(_)
        | Op::Closed { .. } => return ticket_answer(after, state_of(after), 200),
    };
    let totals = after.totals()?;
    let counted = totals.lines.iter().find(|counted| counted.line_no == line_no);
    let voided = || after.voided.iter().map(|voided| &voided.line).find(|line| line.line_no == line_no);
    let line = after.line(line_no).or_else(voided).ok_or_else(|| Refusal::not_found("no such line"))?;
    let answer =
        LineAnswer { line: LineView::new(line, counted), totals: totals_of(after, &totals)?, revision: after.revision };
    Ok(Answer { status, body: json(&Data { data: answer }) })
}

/// A fresh id that rises with time.
fn fresh_id(millis: i64) -> TicketId {
    let millis = u64::try_from(millis).unwrap_or(0);
    let random: [u8; 10] = rand::random();
    TicketId::from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}
