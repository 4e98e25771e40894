//! The actor's loop: takes asks and finished jobs, one at a time. What has to wait for the disk is handed off
//! as a job; meanwhile its ticket takes no other change and every other lane goes on.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use protocol::event::{FiscalEvent, RawEvent};
use protocol::id::{LaneId, Seq, TicketId};
use protocol::limits;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;

use super::Parts;
use super::floor::Floor;
use super::recover::Recovered;
use crate::clock::Clock;
use crate::core::change::Change;
use crate::core::lane::overview::ticket_now;
use crate::core::lane::view::{Data, TicketView, json};
use crate::core::lane::{Answer, OpenTicket, Request};
use crate::core::refusal::Refusal;
use crate::desk::{Ask, Listed, Outcome, ReplyTo, Roster};
use crate::ledger::{Appended, LedgerError, Logs};
use crate::snapshot::Snapshots;
use crate::store::finished::Finished;
use crate::store::index::Index;

/// How often old answers are dropped.
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// How many go at a time, so that no lane waits for the rest.
const PRUNE_MOST: usize = 2_000;

/// Who is waiting for a write that is on its way to the disk.
pub(super) struct Waiting {
    pub(super) request_hash: [u8; 32],
    pub(super) replies: Vec<ReplyTo<Answer>>,
}

/// A lane's key.
pub(super) type Key = (LaneId, String);

/// A write that waits for the one before it on its ticket.
pub(super) type Deferred = (Box<Request>, ReplyTo<Answer>);

/// A job that came back.
pub(super) enum Done {
    /// A close or write-off.
    Fiscal { key: Key, event: Box<FiscalEvent>, raw: RawEvent, result: Result<Appended, LedgerError> },
    /// A change that waits for the disk, and the ticket as it stood before it.
    Durable {
        key: Key,
        ticket: TicketId,
        before: Option<Box<OpenTicket>>,
        approved: usize,
        answer: Answer,
        result: Result<(), LedgerError>,
    },
    /// A receipt was looked up for a request.
    LookedUp { request: Box<Request>, reply: ReplyTo<Answer> },
    /// It answered by itself.
    Answered,
}

/// Owner of everything that is alive on the floor.
pub(super) struct Actor {
    pub(super) logs: Logs,
    pub(super) index: Arc<Index>,
    pub(super) snapshots: Snapshots,
    pub(super) clock: Clock,
    pub(super) roster: Roster,
    pub(super) floor: Floor,
    pub(super) jobs: JoinSet<Done>,
    /// Writes on their way to the disk, by key.
    pub(super) waiting: HashMap<Key, Waiting>,
    /// Tickets with such a write, and what was asked of them since.
    pub(super) busy: HashMap<TicketId, VecDeque<Deferred>>,
    /// Closes and write-offs on their way.
    pub(super) fiscal_under_way: usize,
    /// Fiscal records indexed ahead of the cursor.
    pub(super) fiscal_ahead: BTreeSet<Seq>,
    /// Up to here every fiscal record is indexed.
    pub(super) fiscal_upto: Seq,
    /// Work records since the last carrying.
    pub(super) since_carry: u64,
    /// Where the carryings that are still in the log begin.
    pub(super) marks: VecDeque<Seq>,
    changes: broadcast::Sender<Change>,
    stopping: watch::Receiver<bool>,
}

impl Actor {
    pub(super) fn new(parts: Parts, recovered: Recovered, roster: Roster) -> Self {
        roster.follow(&recovered.floor.pairings);
        let Parts { logs, index, snapshots, clock, changes, stopping } = parts;
        let fiscal_upto = logs.head(protocol::id::Stream::Fiscal).durable;
        Self {
            logs,
            index,
            snapshots,
            clock,
            roster,
            floor: recovered.floor,
            jobs: JoinSet::new(),
            waiting: HashMap::new(),
            busy: HashMap::new(),
            fiscal_under_way: 0,
            fiscal_ahead: BTreeSet::new(),
            fiscal_upto,
            // What the work log missed must not be missed again once the index forgets it.
            since_carry: if recovered.closed_unseen > 0 { limits::WORK_CARRY_EVENTS } else { recovered.work },
            marks: VecDeque::from([recovered.mark]),
            changes,
            stopping,
        }
    }

    /// Works until the node stops, then answers what was asked and is on its way.
    pub(super) async fn run(mut self, mut asks: mpsc::Receiver<Ask>) {
        let mut prune = tokio::time::interval(PRUNE_EVERY);
        prune.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut stopping = self.stopping.clone();
        let mut open = true;
        loop {
            if self.since_carry >= limits::WORK_CARRY_EVENTS {
                self.carry_when_quiet().await;
            }
            tokio::select! {
                biased;
                Some(done) = self.jobs.join_next() => self.came_back(done),
                ask = asks.recv(), if open => match ask {
                    Some(ask) => self.take(ask),
                    None => open = false,
                },
                () = crate::stop::asked(&mut stopping), if open => {
                    asks.close();
                    while let Ok(ask) = asks.try_recv() {
                        self.take(ask);
                    }
                    open = false;
                }
                _ = prune.tick() => self.prune(),
                else => break,
            }
            if !open && self.jobs.is_empty() {
                break;
            }
        }
        self.carry().await;
        if let Err(error) = self.index.flush() {
            tracing::warn!(%error, "the index was not written out; the next start catches up");
        }
    }

    fn take(&mut self, ask: Ask) {
        match ask {
            Ask::Write(request, reply) => self.write(request, reply),
            Ask::Ticket(ticket, reply) => send(reply, self.show(ticket).map(|view| json(&Data { data: view }))),
            Ask::Tickets(listed, reply) => send(reply, self.list(listed)),
            Ask::Overview(reply) => {
                let all = self.floor.tickets.values().map(ticket_now).collect::<Result<_, _>>();
                send(reply, all.map_err(Refusal::from));
            }
            Ask::MakeCode(lanes, reply) => self.make_code(lanes, reply),
            Ask::Pair(code, name, reply) => self.pair(&code, name, reply),
            Ask::Lanes(reply) => send(reply, Ok(self.floor.pairings.lanes().cloned().collect())),
            Ask::Revoke(lane, reply) => self.revoke(lane, reply),
            Ask::MayTry(lane, staff, reply) => {
                send(reply, self.floor.attendance.may_try(lane, staff, self.clock.now()));
            }
            Ask::Attend(op, reply) => self.attend(op, reply),
            Ask::Cashier(lane, reply) => send(reply, self.cashier(lane)),
        }
    }

    pub(super) fn came_back(&mut self, done: Result<Done, tokio::task::JoinError>) {
        match done {
            Ok(Done::Fiscal { key, event, raw, result }) => self.fiscal_done(&key, &event, &raw, result),
            Ok(Done::Durable { key, ticket, before, approved, answer, result }) => {
                if result.is_err() {
                    self.take_back(ticket, before, approved);
                }
                self.settle(&key, result.map(|()| answer).map_err(|error| not_written(&error)));
                self.free(ticket);
            }
            Ok(Done::LookedUp { request, reply }) => self.write(request, reply),
            Ok(Done::Answered) => {}
            Err(error) => tracing::error!(%error, "a job of the lanes died"),
        }
    }

    /// Answers everybody who waits under a key.
    pub(super) fn settle(&mut self, key: &Key, outcome: Outcome<Answer>) {
        for reply in self.waiting.remove(key).map(|waiting| waiting.replies).unwrap_or_default() {
            send(reply, outcome.clone());
        }
    }

    /// A ticket's write came back: takes what was asked of it meanwhile.
    pub(super) fn free(&mut self, ticket: TicketId) {
        for (request, reply) in self.busy.remove(&ticket).unwrap_or_default() {
            self.write(request, reply);
        }
    }

    /// An open ticket, or what became of it.
    pub(super) fn find(&self, ticket: TicketId) -> Outcome<&OpenTicket> {
        if let Some(open) = self.floor.tickets.get(&ticket) {
            return Ok(open);
        }
        Err(match self.index.ends.get(ticket) {
            Ok(Some(Finished::Closed { term, seq })) => {
                Refusal::conflict("the ticket is closed; its receipt is at /v1/receipts")
                    .with(serde_json::json!({ "state": "closed", "term": term, "seq": seq }))
            }
            Ok(Some(Finished::Voided)) => {
                Refusal::conflict("the ticket was voided").with(serde_json::json!({ "state": "voided" }))
            }
            Ok(None) => Refusal::not_found("there is no such ticket on this node"),
            Err(error) => index_broken(&error),
        })
    }

    fn show(&self, ticket: TicketId) -> Outcome<TicketView> {
        let open = self.find(ticket)?;
        Ok(TicketView::new(open, state_of(open))?)
    }

    fn list(&self, listed: Listed) -> Outcome<Vec<u8>> {
        let mut views = Vec::new();
        for ticket in self.floor.tickets.values() {
            let wanted = match listed {
                Listed::All => true,
                Listed::Open => ticket.parked.is_none(),
                Listed::Parked => ticket.parked.is_some(),
            };
            if wanted {
                views.push(TicketView::new(ticket, state_of(ticket))?);
            }
        }
        Ok(json(&Data { data: views }))
    }

    /// Tells the listeners; nobody listening is no error.
    pub(super) fn tell(&self, ticket: &OpenTicket, state: &'static str) {
        let (ticket_id, lane_id) = (ticket.id, ticket.lane);
        drop(self.changes.send(Change::Ticket { ticket_id, state, lane_id, revision: ticket.revision }));
    }

    fn prune(&self) {
        if let Err(error) = self.index.prune(self.clock.now(), PRUNE_MOST) {
            tracing::warn!(%error, "old answers were not dropped");
        }
    }
}

/// `open` or `parked`.
pub(super) const fn state_of(ticket: &OpenTicket) -> &'static str {
    if ticket.parked.is_some() { "parked" } else { "open" }
}

/// The asker may have gone; the write stands, and its key finds the answer.
pub(super) fn send<T>(reply: ReplyTo<T>, outcome: Outcome<T>) {
    drop(reply.send(outcome));
}

pub(super) fn not_written(error: &LedgerError) -> Refusal {
    tracing::error!(%error, "the ledger did not take a record");
    metrics::counter!("tillway_ledger_refusals_total").increment(1);
    Refusal::unavailable(format!("nothing was recorded, repeat the request under the same key: {error}"))
}

pub(super) fn index_broken(error: &sled::Error) -> Refusal {
    tracing::error!(%error, "the index cannot be read");
    Refusal::unavailable("the node's index cannot be read; restart the agent, it rebuilds it from the logs")
}
