//! The print actor: follows the fiscal log, owns the queue, writes marks and outcomes into the work log, and passes
//! orders to the printers' own tasks. Nothing here waits for a printer.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use firmware_config::peripheral::printer_of;
use protocol::event::{FiscalEvent, TicketClosedV1};
use protocol::id::{LaneId, Seq, Stream};
use protocol::ledger::Record;
use protocol::limits;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::recover::Restored;
use super::supervisor::{self, Order, Report, What};
use super::work::PrintEvent;
use super::{Parts, Sheet};
use crate::core::change::Change;
use crate::core::print_queue::{Action, Fact, Job, JobKey, JobView, PrintQueue};
use crate::core::refusal::Refusal;
use crate::ledger::LedgerError;
use crate::spool::PrintAsk;

/// How often it is looked whether a job has waited too long.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a stop waits for what is on its way to a printer.
const FINISH_WITHIN: Duration = Duration::from_secs(3);
/// Reports of printers that wait to be read: each has a few under way.
const REPORTS: usize = 4 * limits::PRINTERS;

/// A mark that came back from the disk, with the bytes it allows to be sent.
struct Marked {
    fact: Fact,
    /// None when the job cannot be laid out; then nothing was marked.
    bytes: Option<Vec<u8>>,
    durable: bool,
}

/// Owner of the print queue.
pub(super) struct Clerk {
    pub(super) parts: Parts,
    pub(super) queue: PrintQueue,
    /// Where the printers' tasks take orders.
    pub(super) printers: BTreeMap<String, mpsc::Sender<Order>>,
    followed: Seq,
    caught_up: bool,
    /// Where the work log stood when everything was last carried forward.
    carried_at: Seq,
    /// Laid out, marked, and about to be sent.
    bytes: HashMap<JobKey, Vec<u8>>,
    names: HashMap<LaneId, String>,
    marks: JoinSet<Marked>,
    tasks: JoinSet<()>,
    reports: mpsc::Receiver<Report>,
}

impl Clerk {
    pub(super) fn new(parts: Parts, restored: Restored) -> Self {
        let (reporting, reports) = mpsc::channel(REPORTS);
        let mut tasks = JoinSet::new();
        let mut printers = BTreeMap::new();
        for printer in &parts.printers {
            let outlets = supervisor::Outlets {
                reports: reporting.clone(),
                devices: parts.devices.clone(),
                clock: parts.clock.clone(),
            };
            let (order, task) = supervisor::start(printer, outlets, rand::random());
            tasks.spawn(task);
            printers.insert(printer.name.clone(), order);
        }
        Self {
            queue: restored.queue,
            printers,
            followed: restored.followed,
            caught_up: false,
            carried_at: parts.logs.head(Stream::Work).durable,
            bytes: HashMap::new(),
            names: HashMap::new(),
            marks: JoinSet::new(),
            tasks,
            reports,
            parts,
        }
    }

    /// Works until the node stops; then waits a moment for what is being printed.
    pub(super) async fn run(mut self, mut asks: mpsc::Receiver<PrintAsk>) {
        let mut fiscal = self.parts.logs.watch(Stream::Fiscal);
        fiscal.mark_changed();
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut stopping = self.parts.stopping.clone();
        for lane in self.queue.jobs().map(|job| job.lane).collect::<BTreeSet<_>>() {
            self.learn_name(lane).await;
        }
        loop {
            self.drain();
            tokio::select! {
                biased;
                () = crate::stop::asked(&mut stopping) => break,
                Some(report) = self.reports.recv() => self.report(report),
                Some(marked) = self.marks.join_next() => self.marked(marked),
                Some(ended) = self.tasks.join_next() => {
                    tracing::error!(ended = ?ended, "a printer's task ended; its jobs wait until the next start");
                }
                Ok(()) = fiscal.changed() => self.follow().await,
                Some(ask) = asks.recv() => self.answer(ask).await,
                _ = look.tick() => {
                    self.queue.handle_timeout(self.parts.clock.now());
                    self.carry_in_time().await;
                }
            }
        }
        drop(asks);
        let until = Instant::now() + FINISH_WITHIN;
        while self.queue.is_printing() {
            self.drain();
            tokio::select! {
                Some(report) = self.reports.recv() => self.report(report),
                Some(marked) = self.marks.join_next() => self.marked(marked),
                () = tokio::time::sleep_until(until) => {
                    tracing::warn!("the node stops while a receipt is being printed; it will be shown as unproven");
                    break;
                }
            }
        }
        self.drain();
        if let Err(error) = self.carry().await {
            tracing::warn!(%error, "the print jobs were not carried forward; the next start reads further back");
        }
    }

    /// Does what the queue wants until it wants nothing more.
    fn drain(&mut self) {
        while let Some(action) = self.queue.poll_action() {
            match action {
                Action::Offer { printer, key } => self.order(&printer, Order::Offer(key)),
                Action::Withdraw { printer } => self.order(&printer, Order::Withdraw),
                Action::Go { printer, key, after_break } => {
                    let bytes = self.bytes.remove(&key).unwrap_or_default();
                    self.order(&printer, Order::Go { key, bytes, after_break });
                }
                Action::Mark(fact) => self.mark(fact),
                Action::Record(fact) => self.record(fact),
            }
        }
        while let Some(job) = self.queue.poll_change() {
            if job.state.is_final() {
                metrics::counter!("tillway_print_jobs_total", "state" => job.state.name()).increment(1);
            }
            tracing::info!(
                job = %job.key, printer = job.printer, state = job.state.name(), why = job.why.map(|why| why.words()),
                "a print job changed"
            );
            drop(self.parts.changes.send(Change::PrintJob(Box::new(JobView::from(&job)))));
        }
    }

    fn order(&self, printer: &str, order: Order) {
        let sent = self.printers.get(printer).map(|orders| orders.try_send(order));
        if let Some(Err(error)) = sent {
            tracing::error!(%error, printer, "a printer's task takes no orders; its jobs wait until the next start");
        }
    }

    /// Lays a job out and writes down that it is about to be sent.
    fn mark(&mut self, fact: Fact) {
        let Some(job) = self.queue.get(fact.key).cloned() else { return };
        let printer = self.parts.printers.iter().find(|printer| printer.name == fact.printer).cloned();
        let lane = self.name_of(job.lane);
        let (logs, render) = (self.parts.logs.clone(), Arc::clone(&self.parts.render));
        self.marks.spawn(async move {
            let reading = logs.clone();
            let laid_out = tokio::task::spawn_blocking(move || {
                let printer = printer.ok_or("its printer is gone")?;
                let record = reading.read_one(Stream::Fiscal, job.seq).map_err(|error| error.to_string())?;
                let record = record.filter(|_| job.term == reading.term()).ok_or("its record is not on this node")?;
                let (record, lane) = (&record, lane.as_str());
                render(&Sheet { printer: &printer, term: job.term, record, lane, copy: job.is_copy() })
            });
            let bytes = match laid_out.await {
                Ok(Ok(bytes)) => bytes,
                Ok(Err(error)) => {
                    tracing::error!(job = %fact.key, error, "a receipt cannot be laid out");
                    return Marked { fact, bytes: None, durable: false };
                }
                Err(error) => {
                    tracing::error!(job = %fact.key, %error, "laying a receipt out died");
                    return Marked { fact, bytes: None, durable: false };
                }
            };
            let written = match PrintEvent::Fact(fact.clone()).encode() {
                Ok(event) => logs.append(Stream::Work, event).await.map(drop).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = &written {
                tracing::error!(job = %fact.key, error, "the work log did not take the mark of a print job");
            }
            Marked { fact, bytes: Some(bytes), durable: written.is_ok() }
        });
    }

    fn marked(&mut self, marked: Result<Marked, tokio::task::JoinError>) {
        let now = self.parts.clock.now();
        match marked {
            Ok(Marked { fact, bytes: Some(bytes), durable }) => {
                if durable {
                    self.bytes.insert(fact.key, bytes);
                }
                self.queue.marked(now, &fact.printer, fact.key, durable);
            }
            Ok(Marked { fact, bytes: None, .. }) => self.queue.unprintable(now, &fact.printer, fact.key),
            Err(error) => tracing::error!(%error, "marking a print job died"),
        }
    }

    /// Outcomes are written and not waited for: one that is lost makes a start know less, never print more.
    fn record(&self, fact: Fact) {
        let event = PrintEvent::Fact(fact).encode().map_err(|error| error.to_string());
        let written = event
            .and_then(|event| self.parts.logs.append_unsynced(Stream::Work, event).map_err(|error| error.to_string()));
        if let Err(error) = written {
            tracing::warn!(error, "the outcome of a print job was not written down");
        }
    }

    fn report(&mut self, report: Report) {
        let (now, Report { printer, key, what }) = (self.parts.clock.now(), report);
        match what {
            What::Ready => self.queue.ready(now, &printer, key),
            What::Hindered(why) => self.queue.hindered(&printer, key, why),
            What::NothingSent(why) => self.queue.nothing_sent(now, &printer, key, why),
            What::Ended(state, why) => self.queue.ended(now, &printer, key, state, why),
        }
    }

    async fn answer(&mut self, ask: PrintAsk) {
        match ask {
            PrintAsk::Jobs(state, reply) => {
                let wanted = |job: &&Job| state.is_none_or(|state| job.state == state);
                let mut jobs: Vec<&Job> = self.queue.jobs().filter(wanted).collect();
                jobs.sort_by_key(|job| std::cmp::Reverse((job.created_at, job.key)));
                let views = jobs.into_iter().take(limits::PRINT_JOBS_LISTED).map(JobView::from).collect();
                drop(reply.send(Ok(views)));
            }
            PrintAsk::Job(key, reply) => {
                let found = self.queue.get(key).map(JobView::from);
                drop(reply.send(found.ok_or_else(|| Refusal::not_found("there is no such print job"))));
            }
            PrintAsk::Copy(wish, reply) => {
                let outcome = self.copy(wish).await;
                drop(reply.send(outcome));
            }
        }
    }

    /// Makes jobs of what was sold since.
    async fn follow(&mut self) {
        loop {
            let (logs, from) = (self.parts.logs.clone(), self.followed.next());
            let read = tokio::task::spawn_blocking(move || {
                logs.read(Stream::Fiscal, from, limits::BATCH_EVENTS, limits::BATCH_BYTES)
            });
            let records = match read.await {
                Ok(Ok(records)) => records,
                Ok(Err(error)) => return tracing::error!(%error, "the fiscal log cannot be read for printing"),
                Err(error) => return tracing::error!(%error, "reading the fiscal log for printing died"),
            };
            let Some(last) = records.last().map(|record| record.seq) else { break };
            for record in &records {
                if !self.sold(record).await {
                    return;
                }
                self.followed = record.seq;
            }
            self.followed = last;
        }
        if !self.caught_up {
            self.caught_up = true;
            self.queue.caught_up();
        }
    }

    /// Makes a job of a record, if it wants one. False when nobody can say whose printer that would be: the node is
    /// stopping, and the next start goes on from here.
    async fn sold(&mut self, record: &Record) -> bool {
        let Ok(Some(FiscalEvent::TicketClosed(closed))) = FiscalEvent::decode(&record.event) else { return true };
        // Paper has been given already for what is rung later from paper.
        if closed.occurred.late_entry {
            return true;
        }
        let TicketClosedV1 { lane, ref occurred, .. } = closed.closed;
        if !self.learn_name(lane).await {
            return false;
        }
        if let Some(printer) = self.printer_for(lane).await {
            let job = Job::receipt(self.parts.logs.term(), record.seq, lane, printer, occurred.recorded_at);
            self.queue.add(self.parts.clock.now(), job);
        }
        true
    }

    /// The printer of a lane.
    pub(super) async fn printer_for(&mut self, lane: LaneId) -> Option<String> {
        self.learn_name(lane).await;
        printer_of(&self.parts.printers, &self.name_of(lane)).map(|printer| printer.name.clone())
    }

    /// Asks for the names of the lanes, unless this one's is known. False when nobody answers.
    pub(super) async fn learn_name(&mut self, lane: LaneId) -> bool {
        if self.names.contains_key(&lane) {
            return true;
        }
        let Ok(lanes) = self.parts.desk.lanes().await else { return false };
        self.names = lanes.into_iter().map(|lane| (lane.id, lane.name)).collect();
        true
    }

    /// What people call a lane; the beginning of its id once it is not paired any more.
    fn name_of(&self, lane: LaneId) -> String {
        self.names.get(&lane).cloned().unwrap_or_else(|| lane.to_string().chars().take(8).collect())
    }

    /// Carries forward before the work log may let go of what is known.
    async fn carry_in_time(&mut self) {
        let head = self.parts.logs.head(Stream::Work).durable;
        if head.0.saturating_sub(self.carried_at.0) < limits::WORK_CARRY_EVENTS {
            return;
        }
        if let Err(error) = self.carry().await {
            tracing::warn!(%error, "the print jobs could not be carried forward; tried again later");
            // Not at once again; there is room for several failures before anything is let go of.
            self.carried_at = Seq(head.0.saturating_sub(limits::WORK_CARRY_EVENTS / 2));
        }
    }

    /// Writes everything that is known into the work log.
    pub(super) async fn carry(&mut self) -> Result<(), LedgerError> {
        let carried = PrintEvent::Carried(self.queue.carry(self.followed)).encode().map_err(LedgerError::reader)?;
        let appended = self.parts.logs.append(Stream::Work, carried).await?;
        self.carried_at = appended.seq;
        Ok(())
    }
}
