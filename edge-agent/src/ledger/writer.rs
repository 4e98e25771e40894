//! The writer: one thread that takes what waits, writes it, syncs each touched file once for everybody and answers.
//! While it syncs, others queue up and share the next sync; a single writer never waits for company.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use protocol::event::RawEvent;
use protocol::id::Stream;
use protocol::limits;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::error::{LedgerError, Trouble};
use super::recover::Place;
use super::tail::{Pending, Tail};
use super::{Appended, slot};

/// What a writer is told.
pub(super) type Answer = Result<Vec<Appended>, LedgerError>;

/// What the queue carries.
pub(super) enum Job {
    /// Somebody waits for these.
    Waiting { items: Vec<(Stream, RawEvent)>, permit: OwnedSemaphorePermit, answer: oneshot::Sender<Answer> },
    /// Nobody waits for this.
    Loose { stream: Stream, event: RawEvent, permit: OwnedSemaphorePermit },
}

/// The longest the writer looks out for those who wrote along last time, as a part of what a sync takes.
const COMPANY_SHARE: u32 = 4;
const COMPANY_MOST: Duration = Duration::from_millis(2);
/// How long the writer stays awake for the next event after an answer, if the one before came that soon. Waking a thread
/// costs a third of a sync on a good disk; an idle shop is not worth a spin, and a crowd needs the processor itself.
const AWAKE: Duration = Duration::from_micros(100);

pub(super) struct Writer {
    pub queue: Receiver<Job>,
    pub tails: [Tail; 3],
    /// How many waited for the last batch.
    company: usize,
    sync_took: Duration,
    answered_at: Instant,
    /// The last event came right after the answer before it.
    brisk: bool,
}

struct Waiting {
    answer: oneshot::Sender<Answer>,
    appended: Vec<Option<Appended>>,
    error: Option<LedgerError>,
    _permit: OwnedSemaphorePermit,
}

/// The jobs that share a sync, and what became of them so far.
#[derive(Default)]
pub(super) struct Batch {
    waiting: Vec<Waiting>,
}

impl Batch {
    /// The event at this place of this job is durable.
    pub(super) fn done(&mut self, (job, place): (usize, usize), appended: Appended) {
        if let Some(slot) = self.waiting.get_mut(job).and_then(|waiting| waiting.appended.get_mut(place)) {
            *slot = Some(appended);
        }
    }

    /// It is not.
    pub(super) fn failed(&mut self, (job, _): (usize, usize), trouble: &Trouble, place: &Place) {
        if let Some(waiting) = self.waiting.get_mut(job) {
            waiting.error = Some(trouble.for_waiter(place.stream, &place.dir));
        }
    }
}

impl Waiting {
    fn reply(self) {
        let answer = match self.error {
            Some(error) => Err(error),
            None => self.appended.into_iter().collect::<Option<Vec<_>>>().ok_or(LedgerError::Closed),
        };
        // Whoever no longer listens (a lane that hung up) finds the record in the log.
        drop(self.answer.send(answer));
    }
}

impl Writer {
    pub(super) fn new(queue: Receiver<Job>, tails: [Tail; 3]) -> Self {
        Self { queue, tails, company: 0, sync_took: Duration::ZERO, answered_at: Instant::now(), brisk: false }
    }

    /// Works until every sender is gone; then makes the rest durable and ends.
    pub(super) fn run(mut self) {
        loop {
            let first = match self.next_job() {
                Ok(job) => Some(job),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let mut batch = Batch::default();
            if let Some(first) = first {
                self.collect(first, &mut batch);
            }
            self.commit(&mut batch, false);
            for waiting in batch.waiting {
                waiting.reply();
            }
            self.answered_at = Instant::now();
        }
        self.commit(&mut Batch::default(), true);
    }

    fn next_job(&mut self) -> Result<Job, RecvTimeoutError> {
        while self.brisk && self.company <= 1 && self.answered_at.elapsed() < AWAKE {
            match self.queue.try_recv() {
                Ok(job) => return Ok(job),
                Err(TryRecvError::Empty) => thread::yield_now(),
                Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
            }
        }
        let job = self.wait_for_job();
        self.brisk = self.answered_at.elapsed() < AWAKE * 3;
        job
    }

    fn wait_for_job(&self) -> Result<Job, RecvTimeoutError> {
        match self.tails.iter().filter_map(Tail::deadline).min() {
            Some(deadline) => self.queue.recv_timeout(deadline.saturating_duration_since(Instant::now())),
            None => self.queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    /// Takes what else is there. If several wrote along last time and are about to come again, gives them a moment:
    /// they were answered by the last sync, and a quarter of the next one is less than missing it.
    fn collect(&mut self, first: Job, batch: &mut Batch) {
        let mut bytes = self.take(first, batch);
        let patience = (self.sync_took / COMPANY_SHARE).min(COMPANY_MOST);
        let until = Instant::now() + patience;
        while bytes < limits::LEDGER_BATCH_BYTES {
            match self.queue.try_recv() {
                Ok(job) => bytes += self.take(job, batch),
                Err(TryRecvError::Empty) if batch.waiting.len() < self.company => {
                    let left = until.saturating_duration_since(Instant::now());
                    match self.queue.recv_timeout(left) {
                        Ok(job) => bytes += self.take(job, batch),
                        Err(_) => break,
                    }
                }
                Err(_) => break,
            }
        }
        self.company = batch.waiting.len();
    }

    fn take(&mut self, job: Job, batch: &mut Batch) -> usize {
        match job {
            Job::Loose { stream, event, permit } => {
                let bytes = event.body.len();
                if let Some(tail) = self.tails.get_mut(slot(stream)) {
                    tail.push(Pending::new(event, None, Some(permit)));
                }
                bytes
            }
            Job::Waiting { items, permit, answer } => {
                let job = batch.waiting.len();
                let appended = vec![None; items.len()];
                batch.waiting.push(Waiting { answer, appended, error: None, _permit: permit });
                let mut bytes = 0;
                for (place, (stream, event)) in items.into_iter().enumerate() {
                    bytes += event.body.len();
                    if let Some(tail) = self.tails.get_mut(slot(stream)) {
                        tail.push(Pending::new(event, Some((job, place)), None));
                    }
                }
                bytes
            }
        }
    }

    fn commit(&mut self, batch: &mut Batch, all: bool) {
        let began = Instant::now();
        let mut synced = false;
        for tail in &mut self.tails {
            let due = all || tail.deadline().is_some_and(|deadline| deadline <= began);
            synced |= tail.commit(due, batch);
        }
        if synced {
            self.sync_took = began.elapsed();
            metrics::histogram!("tillway_ledger_commit_seconds").record(self.sync_took.as_secs_f64());
        }
    }
}
