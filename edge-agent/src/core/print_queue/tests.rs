//! The queue against the simplest model there is: paper with keys on it, and a log whose unsynced end a crash loses.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use protocol::id::{LaneId, Seq, Term};
use protocol::limits;
use protocol::timestamp::Timestamp;

use super::*;

const PRINTERS: [&str; 2] = ["a", "b"];
const EXPIRY: i64 = limits::PRINT_EXPIRY_MILLIS;

fn receipt(seq: u64, printer: &str, at: i64) -> Job {
    Job::receipt(Term(1), Seq(seq), LaneId::from_uuid(uuid::Uuid::nil()), printer.to_owned(), Timestamp(at))
}

fn queue() -> PrintQueue {
    PrintQueue::new(PRINTERS.map(str::to_owned))
}

fn actions(queue: &mut PrintQueue) -> Vec<Action> {
    std::iter::from_fn(|| queue.poll_action()).collect()
}

const fn key(seq: u64) -> JobKey {
    JobKey::Receipt { term: Term(1), seq: Seq(seq) }
}

/// Brings the first job of a printer up to the point where its bytes leave.
fn go(queue: &mut PrintQueue, now: Timestamp, printer: &str, seq: u64) {
    queue.ready(now, printer, key(seq));
    queue.marked(now, printer, key(seq), true);
}

#[test]
fn a_job_goes_through_offer_mark_and_go_in_this_order() {
    let (mut queue, now) = (queue(), Timestamp(0));
    assert_eq!(queue.add(now, receipt(1, "a", 0)), Added::New);
    assert_eq!(queue.add(now, receipt(1, "b", 0)), Added::Known);
    assert_eq!(actions(&mut queue), [Action::Offer { printer: "a".into(), key: key(1) }]);
    queue.marked(now, "a", key(1), true);
    assert_eq!(actions(&mut queue), [], "no mark was asked for");
    queue.ready(now, "a", key(1));
    let found = actions(&mut queue);
    assert!(matches!(&found[..], [Action::Mark(fact)] if fact.state == State::Sending), "{found:?}");
    queue.marked(now, "a", key(1), true);
    assert_eq!(actions(&mut queue), [Action::Go { printer: "a".into(), key: key(1), after_break: false }]);
    queue.ended(now, "a", key(1), State::Proven, None);
    assert_eq!(queue.get(key(1)).unwrap().state, State::Proven);
    assert_eq!(queue.add(now, receipt(1, "a", 0)), Added::Known);
}

#[test]
fn what_waits_says_why_expires_and_leaves_the_other_printer_alone() {
    let (mut queue, now) = (queue(), Timestamp(0));
    queue.add(now, receipt(1, "a", 0));
    queue.add(now, receipt(2, "b", 0));
    queue.hindered("a", key(1), Why::PaperOut);
    go(&mut queue, now, "b", 2);
    queue.ended(now, "b", key(2), State::Proven, None);
    assert_eq!(queue.get(key(1)).map(|job| (job.state, job.why)), Some((State::Queued, Some(Why::PaperOut))));
    actions(&mut queue);
    queue.handle_timeout(Timestamp(EXPIRY - 1));
    assert_eq!(actions(&mut queue), []);
    queue.handle_timeout(Timestamp(EXPIRY));
    let found = actions(&mut queue);
    assert!(matches!(&found[..], [Action::Withdraw { .. }, Action::Record(_)]), "{found:?}");
    assert_eq!(queue.get(key(1)).map(|job| (job.state, job.why)), Some((State::Expired, Some(Why::PaperOut))));
    queue.ready(Timestamp(EXPIRY), "a", key(1));
    assert_eq!(actions(&mut queue), [], "a driver that is late with its answer prints nothing");
}

#[test]
fn what_is_being_sent_neither_expires_nor_makes_room() {
    let (mut queue, now) = (queue(), Timestamp(0));
    let most = limits::PRINT_JOBS_WAITING as u64;
    queue.add(now, receipt(1, "a", 0));
    go(&mut queue, now, "a", 1);
    for seq in 2..=most + 3 {
        queue.add(now, receipt(seq, "a", 0));
    }
    assert_eq!(queue.dropped(), 3);
    assert_eq!(queue.get(key(2)).map(|job| (job.state, job.why)), Some((State::Dropped, Some(Why::QueueFull))));
    queue.handle_timeout(Timestamp(EXPIRY));
    assert_eq!(queue.get(key(1)).unwrap().state, State::Sending);
    queue.ended(now, "a", key(1), State::Unproven, Some(Why::ConnectionLost));
    assert!(queue.jobs().all(|job| job.state.is_final()));
    queue.add(Timestamp(EXPIRY), receipt(most + 9, "a", EXPIRY));
    go(&mut queue, Timestamp(EXPIRY), "a", most + 9);
    let going = actions(&mut queue).pop();
    assert!(matches!(going, Some(Action::Go { after_break: true, .. })), "{going:?}");
}

#[test]
fn a_mark_that_is_not_on_the_disk_sends_nothing() {
    let (mut queue, now) = (queue(), Timestamp(0));
    queue.add(now, receipt(1, "a", 0));
    queue.ready(now, "a", key(1));
    actions(&mut queue);
    queue.marked(now, "a", key(1), false);
    assert_eq!(actions(&mut queue), [Action::Withdraw { printer: "a".into() }]);
    assert_eq!(queue.get(key(1)).map(|job| (job.state, job.why)), Some((State::Queued, Some(Why::NotWritten))));
    queue.handle_timeout(now);
    assert_eq!(actions(&mut queue), [Action::Offer { printer: "a".into(), key: key(1) }]);
}

#[test]
fn a_printer_that_is_gone_from_the_configuration_keeps_nothing() {
    let mut recovery = Recovery::default();
    recovery.carried(Carried { followed: Seq(1), jobs: vec![receipt(1, "gone", 0)], facts: Vec::new() });
    let (queue, followed) = recovery.into_queue(PRINTERS.map(str::to_owned), Timestamp(0));
    assert_eq!(followed, Some(Seq(1)));
    assert_eq!(queue.get(key(1)).map(|job| (job.state, job.why)), Some((State::Dropped, Some(Why::PrinterGone))));
}

#[test]
fn everything_there_can_be_fits_one_event() {
    let name = |n: usize| format!("{n:0>width$}", width = limits::DEVICE_NAME_BYTES);
    let mut queue = PrintQueue::new((0..limits::PRINTERS).map(name));
    let far = Timestamp(1_795_168_800_000);
    for n in 0..limits::PRINTERS * limits::PRINT_JOBS_WAITING + limits::PRINT_JOBS_FINISHED {
        let (lane, key) = (LaneId::from_uuid(uuid::Uuid::max()), "k".repeat(limits::IDEMPOTENCY_KEY_BYTES));
        let asked = Asked { lane, key, request_hash: [255; 32] };
        let job = Job::receipt(Term(u32::MAX), Seq(u64::MAX), lane, name(n % limits::PRINTERS), far);
        queue.add(far, job.copy(uuid::Uuid::from_u128(n as u128), asked, far));
    }
    let carried = queue.carry(Seq(u64::MAX));
    assert_eq!(carried.jobs.len(), limits::PRINTERS * limits::PRINT_JOBS_WAITING + limits::PRINT_JOBS_FINISHED);
    // A fifth is left for what is known of receipts that are not derived again yet.
    let bytes = postcard::to_stdvec(&carried).unwrap().len();
    assert!(bytes < limits::EVENT_BYTES / 5 * 4, "{bytes} bytes");
}

#[test]
fn names_read_back() {
    let copy = JobKey::Copy(uuid::Uuid::from_u128(7));
    for key in [key(42), copy] {
        assert_eq!(key.to_string().parse(), Ok(key));
    }
    for bad in ["", "receipt", "receipt:1", "receipt:1:x", "receipt:1:2:3", "copy:1", "kitchen:1:2"] {
        assert_eq!(bad.parse::<JobKey>(), Err(JobKeyError), "{bad}");
    }
}

/// What may happen to a printer and its node.
#[derive(Clone, Debug)]
enum Step {
    Sale(usize),
    Ready(usize),
    Hindered(usize),
    Marked(usize, bool),
    /// The driver sent: did the paper come out, and what does the driver know.
    Sent(usize, bool, u8),
    Later(i64),
    Carry,
    /// kill -9: how many of the records that nobody waited for are lost.
    Crash(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let printer = 0..PRINTERS.len();
    prop_oneof![
        4 => printer.clone().prop_map(Step::Sale),
        6 => printer.clone().prop_map(Step::Ready),
        1 => printer.clone().prop_map(Step::Hindered),
        6 => (printer.clone(), prop::bool::weighted(0.9)).prop_map(|(p, durable)| Step::Marked(p, durable)),
        6 => (printer, any::<bool>(), 0..3_u8).prop_map(|(p, paper, known)| Step::Sent(p, paper, known)),
        2 => (0..EXPIRY / 3).prop_map(Step::Later),
        1 => Just(Step::Carry),
        1 => (0..6_usize).prop_map(Step::Crash),
    ]
}

/// Written down, and whether somebody waited for it.
enum Written {
    Fact(Fact, bool),
    Carried(Carried),
}

/// A node, its paper and its disk.
struct World {
    queue: PrintQueue,
    now: i64,
    sales: Vec<(u64, usize, i64)>,
    log: Vec<Written>,
    /// What each driver was last told.
    offered: [Option<JobKey>; 2],
    marking: [Option<Fact>; 2],
    going: [Option<JobKey>; 2],
    paper: BTreeMap<JobKey, u32>,
}

impl World {
    fn new() -> Self {
        let (offered, marking, going) = ([None; 2], [None, None], [None; 2]);
        let log = vec![Written::Carried(Carried { followed: Seq(0), jobs: Vec::new(), facts: Vec::new() })];
        Self { queue: queue(), now: 0, sales: Vec::new(), log, offered, marking, going, paper: BTreeMap::new() }
    }

    fn drain(&mut self) {
        let place = |name: &str| PRINTERS.iter().position(|printer| *printer == name).unwrap();
        while let Some(action) = self.queue.poll_action() {
            match action {
                Action::Offer { printer, key } => {
                    assert_eq!(self.going[place(&printer)], None, "one at a time");
                    self.offered[place(&printer)] = Some(key);
                }
                Action::Mark(fact) => {
                    // On its way: it is in the log from here on, whether or not anybody learns of it.
                    self.log.push(Written::Fact(fact.clone(), true));
                    let at = place(&fact.printer);
                    self.marking[at] = Some(fact);
                }
                Action::Go { printer, key, .. } => self.going[place(&printer)] = Some(key),
                Action::Withdraw { printer } => self.offered[place(&printer)] = None,
                Action::Record(fact) => self.log.push(Written::Fact(fact, false)),
            }
        }
        while self.queue.poll_change().is_some() {}
    }

    /// `again`: it dies once more right after the start has carried forward.
    fn crash(&mut self, lost: usize, again: bool) {
        for _ in 0..lost {
            if matches!(self.log.last(), Some(Written::Fact(_, false))) {
                self.log.pop();
            }
        }
        let mut recovery = Recovery::default();
        for written in &self.log {
            match written {
                Written::Fact(fact, _) => recovery.fact(fact.clone()),
                Written::Carried(carried) => recovery.carried(carried.clone()),
            }
        }
        let now = Timestamp(self.now);
        let (queue, followed) = recovery.into_queue(PRINTERS.map(str::to_owned), now);
        self.queue = queue;
        (self.offered, self.marking, self.going) = ([None; 2], [None, None], [None; 2]);
        self.log.push(Written::Carried(self.queue.carry(followed.unwrap())));
        if again {
            return self.crash(0, false);
        }
        for (seq, printer, at) in &self.sales {
            if Seq(*seq) > followed.unwrap() {
                self.queue.add(now, receipt(*seq, PRINTERS[*printer], *at));
            }
        }
        self.queue.caught_up();
    }

    fn take(&mut self, step: &Step) {
        let now = Timestamp(self.now);
        match *step {
            Step::Sale(printer) => {
                let seq = self.sales.len() as u64 + 1;
                self.sales.push((seq, printer, self.now));
                self.queue.add(now, receipt(seq, PRINTERS[printer], self.now));
            }
            Step::Ready(p) => {
                if let Some(key) = self.offered[p].take() {
                    self.queue.ready(now, PRINTERS[p], key);
                }
            }
            Step::Hindered(p) => {
                if let Some(key) = self.offered[p] {
                    self.queue.hindered(PRINTERS[p], key, Why::CoverOpen);
                }
            }
            Step::Marked(p, durable) => {
                if let Some(fact) = self.marking[p].take() {
                    self.queue.marked(now, PRINTERS[p], fact.key, durable);
                }
            }
            Step::Sent(p, paper, known) => {
                let Some(key) = self.going[p].take() else { return };
                // A driver that knows that nothing was sent is right; one that has a proof, too.
                let printed = match known {
                    0 => false,
                    1 => true,
                    _ => paper,
                };
                if printed {
                    *self.paper.entry(key).or_default() += 1;
                }
                match known {
                    0 => self.queue.nothing_sent(now, PRINTERS[p], key, Why::Unreachable),
                    1 => self.queue.ended(now, PRINTERS[p], key, State::Proven, None),
                    _ => self.queue.ended(now, PRINTERS[p], key, State::Unproven, Some(Why::ConnectionLost)),
                }
            }
            Step::Later(by) => {
                self.now += by;
                self.queue.handle_timeout(Timestamp(self.now));
            }
            Step::Carry => {
                self.drain();
                let carried = self.queue.carry(Seq(self.sales.len() as u64));
                self.log.push(Written::Carried(carried));
            }
            Step::Crash(lost) => {
                // Bytes that were under way may still come out.
                for p in 0..PRINTERS.len() {
                    if let Some(key) = self.going[p].take() {
                        *self.paper.entry(key).or_default() += 1;
                    }
                }
                self.crash(lost, lost % 2 == 1);
            }
        }
        self.drain();
    }

    fn check(&self) {
        for (key, times) in &self.paper {
            prop_check(*times == 1, &format!("{key} was printed {times} times"));
            let state = self.queue.get(*key).map(|job| job.state);
            prop_check(
                matches!(state, Some(State::Proven | State::Unproven)),
                &format!("{key} is on paper and said to be {state:?}"),
            );
        }
        let mut seen = BTreeSet::new();
        prop_check(self.queue.jobs().all(|job| seen.insert(job.key)), "a job is there twice");
        for (seq, ..) in &self.sales {
            prop_check(self.queue.get(key(*seq)).is_some(), &format!("receipt {seq} is lost without a word"));
        }
    }
}

#[track_caller]
fn prop_check(holds: bool, message: &str) {
    assert!(holds, "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn nothing_is_printed_twice_and_nothing_is_lost_without_a_word(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
            world.check();
        }
        // Everything well again: what still waits prints, in time.
        for _ in 0..steps.len() * 4 + 8 {
            world.queue.handle_timeout(Timestamp(world.now));
            world.drain();
            for p in 0..PRINTERS.len() {
                for calm in [Step::Ready(p), Step::Marked(p, true), Step::Sent(p, true, 1)] {
                    world.take(&calm);
                }
            }
        }
        world.check();
        prop_assert!(world.queue.jobs().all(|job| job.state.is_final()));
        for (seq, _, at) in &world.sales {
            let job = world.queue.get(key(*seq)).unwrap();
            let late = world.now >= at + EXPIRY;
            prop_assert!(late || matches!(job.state, State::Proven | State::Unproven), "{job:?}");
        }
    }
}
