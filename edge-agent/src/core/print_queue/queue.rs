//! The queue itself: one spool per printer, in order, so that a dead printer holds up nobody but its own.

use std::collections::{BTreeMap, VecDeque};

use protocol::limits;
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use super::job::{Job, JobKey, State, Why};

/// What the shell is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Tell the printer's driver that a job waits: it connects, asks for the status and reports.
    Offer {
        /// The printer.
        printer: String,
        /// The job.
        key: JobKey,
    },
    /// Write down, durably, that a job is about to be sent; then say [`PrintQueue::marked`].
    Mark(Fact),
    /// Send it.
    Go {
        /// The printer.
        printer: String,
        /// The job.
        key: JobKey,
        /// The one before it may have broken off in the middle of a command.
        after_break: bool,
    },
    /// The driver need not try any longer.
    Withdraw {
        /// The printer.
        printer: String,
    },
    /// Write down what became of a job. Should it be lost, a start knows less and prints no more than it should.
    Record(Fact),
}

/// What the work log is told of a job. Disk format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// The job.
    pub key: JobKey,
    /// The printer.
    pub printer: String,
    /// `Sending`: its first byte is about to leave. Otherwise what it came to; `Queued` when nothing of it left.
    pub state: State,
    /// Why.
    pub why: Option<Why>,
    /// When.
    pub at: Timestamp,
}

/// What became of a job that was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It waits for its printer, or was found too late or undeliverable.
    New,
    /// A job of this key is known; nothing is done.
    Known,
}

/// How far the driver of a printer is with the first job of its spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    /// The driver knows of none.
    Idle,
    /// It tries to get the printer ready.
    Offered,
    /// The printer is ready; the mark is on its way to the disk.
    Marking,
    /// The mark is on the disk; bytes are leaving or have left.
    Going,
}

#[derive(Debug)]
struct Spool {
    jobs: VecDeque<Job>,
    head: Head,
}

/// All print jobs of a node.
#[derive(Debug, Default)]
pub struct PrintQueue {
    spools: BTreeMap<String, Spool>,
    finished: VecDeque<Job>,
    /// What the log knows of receipts that are yet to be derived again from their records.
    pub(super) seen: BTreeMap<JobKey, Fact>,
    actions: VecDeque<Action>,
    changes: VecDeque<Job>,
    dropped: u64,
}

impl PrintQueue {
    /// An empty queue for some printers.
    pub fn new(printers: impl IntoIterator<Item = String>) -> Self {
        let spool = || Spool { jobs: VecDeque::new(), head: Head::Idle };
        Self { spools: printers.into_iter().map(|name| (name, spool())).collect(), ..Self::default() }
    }

    /// Takes a job in. What is known is not taken twice; what is too late or has no printer is shown as such.
    pub fn add(&mut self, now: Timestamp, mut job: Job) -> Added {
        if self.get(job.key).is_some() {
            return Added::Known;
        }
        if let Some(seen) = self.seen.remove(&job.key) {
            (job.state, job.why, job.changed_at) = match seen.state {
                State::Sending => (State::Unproven, Some(Why::NodeEnded), now),
                State::Queued | State::Sent | State::Proven | State::Unproven | State::Expired | State::Dropped => {
                    (seen.state, seen.why, seen.at)
                }
            };
            job.printer = if job.state == State::Queued { job.printer } else { seen.printer };
            if seen.state == State::Sending {
                self.record(&job);
            }
        }
        if job.state.is_final() {
            self.shelve(job);
            return Added::New;
        }
        if now >= job.expires_at() {
            // Derived again at the next start, it expires again: nothing to write down.
            let job = Job { state: State::Expired, why: job.why.or(Some(Why::TooLate)), changed_at: now, ..job };
            self.shelve(job);
            return Added::New;
        }
        self.enqueue(now, job);
        Added::New
    }

    fn enqueue(&mut self, now: Timestamp, job: Job) {
        let Some(spool) = self.spools.get_mut(&job.printer) else {
            let job = Job { state: State::Dropped, why: Some(Why::PrinterGone), changed_at: now, ..job };
            self.record(&job);
            return self.shelve(job);
        };
        let oldest = usize::from(spool.head != Head::Idle);
        let full = spool.jobs.len() >= limits::PRINT_JOBS_WAITING;
        let dropped = if full { spool.jobs.remove(oldest) } else { None };
        let printer = job.printer.clone();
        self.changes.push_back(job.clone());
        spool.jobs.push_back(job);
        if let Some(dropped) = dropped {
            self.dropped += 1;
            self.finish(now, dropped, State::Dropped, Some(Why::QueueFull));
        }
        self.offer_next(&printer);
    }

    /// The driver has the printer ready for a job: connected, and its status is well.
    pub fn ready(&mut self, now: Timestamp, printer: &str, key: JobKey) {
        self.expire(now);
        let Some(spool) = self.at(printer, key, Head::Offered) else { return };
        spool.head = Head::Marking;
        let printer = printer.to_owned();
        self.actions.push_back(Action::Mark(Fact { key, printer, state: State::Sending, why: None, at: now }));
    }

    /// The mark of a job is on the disk, or could not be written.
    pub fn marked(&mut self, now: Timestamp, printer: &str, key: JobKey, durable: bool) {
        let Some(spool) = self.at(printer, key, Head::Marking) else { return };
        let name = printer.to_owned();
        if durable {
            spool.head = Head::Going;
            let begun = spool.jobs.front_mut().map(|job| {
                (job.state, job.why, job.changed_at) = (State::Sending, None, now);
                job.attempts = job.attempts.saturating_add(1);
                job.clone()
            });
            self.changes.extend(begun);
            let after_break = self.broke_off(printer);
            self.actions.push_back(Action::Go { printer: name, key, after_break });
        } else {
            // Offered again with the next look at the time.
            spool.head = Head::Idle;
            self.actions.push_back(Action::Withdraw { printer: name });
            self.wait(printer, Why::NotWritten);
        }
    }

    /// The job cannot go on now, and why. One of which nothing was sent goes on waiting; one that was sent waits for its
    /// proof, in a printer whose paper is out.
    pub fn hindered(&mut self, printer: &str, key: JobKey, why: Why) {
        let is = |head| matches!(head, Head::Offered | Head::Going);
        if self.spools.get(printer).is_some_and(|spool| is(spool.head) && spool.is_first(key)) {
            self.wait(printer, why);
        }
    }

    /// A job was begun, and provably not a byte of it reached the printer: it waits again.
    pub fn nothing_sent(&mut self, now: Timestamp, printer: &str, key: JobKey, why: Why) {
        let Some(spool) = self.at(printer, key, Head::Going) else { return };
        spool.head = Head::Idle;
        if let Some(job) = spool.jobs.front_mut() {
            (job.state, job.why, job.changed_at) = (State::Queued, Some(why), now);
            let job = job.clone();
            self.record(&job);
            self.changes.push_back(job);
        }
        self.expire(now);
        self.offer_next(printer);
    }

    /// What became of a job that was sent: `Proven`, `Sent` (to a printer that proves nothing) or `Unproven`.
    pub fn ended(&mut self, now: Timestamp, printer: &str, key: JobKey, state: State, why: Option<Why>) {
        let Some(spool) = self.at(printer, key, Head::Going) else { return };
        spool.head = Head::Idle;
        if let Some(job) = spool.jobs.pop_front() {
            self.finish(now, job, state, why);
        }
        self.offer_next(printer);
    }

    /// A job that was to be marked cannot be printed at all: it is set aside before anything of it is sent.
    pub fn unprintable(&mut self, now: Timestamp, printer: &str, key: JobKey) {
        let Some(spool) = self.at(printer, key, Head::Marking) else { return };
        spool.head = Head::Idle;
        if let Some(job) = spool.jobs.pop_front() {
            self.dropped += 1;
            self.finish(now, job, State::Dropped, Some(Why::NotRendered));
        }
        self.actions.push_back(Action::Withdraw { printer: printer.to_owned() });
        self.offer_next(printer);
    }

    /// Lets go of what waited too long, and offers what waits.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.expire(now);
        let printers: Vec<String> = self.spools.keys().cloned().collect();
        for printer in printers {
            self.offer_next(&printer);
        }
    }

    /// What is to be done next.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// A job that changed, for those who watch.
    pub fn poll_change(&mut self) -> Option<Job> {
        self.changes.pop_front()
    }

    /// A job.
    pub fn get(&self, key: JobKey) -> Option<&Job> {
        self.jobs().find(|job| job.key == key)
    }

    /// The copy that was asked for under an idempotency key.
    pub fn asked_for(&self, lane: protocol::id::LaneId, key: &str) -> Option<&Job> {
        self.jobs().find(|job| job.asked.as_ref().is_some_and(|asked| asked.lane == lane && asked.key == key))
    }

    /// All jobs: those that wait or print, then those that are finished, the latest first.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.spools.values().flat_map(|spool| &spool.jobs).chain(self.finished.iter().rev())
    }

    /// Jobs that made room for others since the start.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether a job is on its way to a printer.
    pub fn is_printing(&self) -> bool {
        self.spools.values().any(|spool| matches!(spool.head, Head::Marking | Head::Going))
    }

    /// Every job in the order that gives the same queue again. One whose mark is on its way to the disk stands there as
    /// begun: what is written after the mark must not make it undone.
    pub(super) fn in_order(&self) -> impl Iterator<Item = Job> {
        let waiting = self.spools.values().flat_map(|spool| {
            spool.jobs.iter().enumerate().map(|(index, job)| {
                let marking = index == 0 && spool.head == Head::Marking;
                Job { state: if marking { State::Sending } else { job.state }, ..job.clone() }
            })
        });
        self.finished.iter().cloned().chain(waiting)
    }

    /// Whether the last job that was sent to a printer ended nobody knows how.
    fn broke_off(&self, printer: &str) -> bool {
        let sent = |job: &&Job| matches!(job.state, State::Sent | State::Proven | State::Unproven);
        let last = self.finished.iter().rev().filter(sent).find(|job| job.printer == printer);
        last.is_some_and(|job| job.state == State::Unproven)
    }

    /// The spool of a printer, if this job is its first and that far.
    fn at(&mut self, printer: &str, key: JobKey, head: Head) -> Option<&mut Spool> {
        self.spools.get_mut(printer).filter(|spool| spool.head == head && spool.is_first(key))
    }

    fn wait(&mut self, printer: &str, why: Why) {
        let job = self.spools.get_mut(printer).and_then(|spool| spool.jobs.front_mut());
        if let Some(job) = job.filter(|job| job.why != Some(why)) {
            job.why = Some(why);
            self.changes.push_back(job.clone());
        }
    }

    fn offer_next(&mut self, printer: &str) {
        let Some(spool) = self.spools.get_mut(printer) else { return };
        if let (Head::Idle, Some(job)) = (spool.head, spool.jobs.front()) {
            spool.head = Head::Offered;
            self.actions.push_back(Action::Offer { printer: printer.to_owned(), key: job.key });
        }
    }

    /// Jobs of which nothing was sent and whose time is over.
    fn expire(&mut self, now: Timestamp) {
        let mut late = Vec::new();
        for (printer, spool) in &mut self.spools {
            let under_way = usize::from(matches!(spool.head, Head::Marking | Head::Going));
            if spool.head == Head::Offered && spool.jobs.front().is_some_and(|job| now >= job.expires_at()) {
                spool.head = Head::Idle;
                self.actions.push_back(Action::Withdraw { printer: printer.clone() });
            }
            let (kept, old) = std::mem::take(&mut spool.jobs)
                .into_iter()
                .enumerate()
                .partition::<Vec<_>, _>(|(index, job)| *index < under_way || now < job.expires_at());
            spool.jobs = kept.into_iter().map(|(_, job)| job).collect();
            late.extend(old.into_iter().map(|(_, job)| job));
        }
        for job in late {
            // What kept it from being printed is worth more than that it is late.
            let why = job.why.unwrap_or(Why::TooLate);
            self.finish(now, job, State::Expired, Some(why));
        }
    }

    fn finish(&mut self, now: Timestamp, job: Job, state: State, why: Option<Why>) {
        let job = Job { state, why, changed_at: now, ..job };
        self.record(&job);
        self.shelve(job);
    }

    fn record(&mut self, job: &Job) {
        let Job { key, printer, state, why, changed_at, .. } = job;
        let fact = Fact { key: *key, printer: printer.clone(), state: *state, why: *why, at: *changed_at };
        self.actions.push_back(Action::Record(fact));
    }

    fn shelve(&mut self, job: Job) {
        if self.finished.len() >= limits::PRINT_JOBS_FINISHED {
            self.finished.pop_front();
        }
        self.changes.push_back(job.clone());
        self.finished.push_back(job);
    }
}

impl Spool {
    fn is_first(&self, key: JobKey) -> bool {
        self.jobs.front().is_some_and(|job| job.key == key)
    }
}
