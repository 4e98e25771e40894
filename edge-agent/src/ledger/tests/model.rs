//! The logs against a `Vec`: any sequence of appends, failures, restarts, reads and retirements.

use proptest::prelude::*;
use rustix::io::Errno;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Append(usize, Vec<usize>),
    Loose(usize, usize),
    FailOnce(bool),
    Reopen,
    Read(usize, u64, usize, usize),
    Retire(usize, u64),
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3usize, proptest::collection::vec(0..900usize, 1..9)).prop_map(|(s, e)| Step::Append(s, e)),
        3 => (0..3usize, 0..400usize).prop_map(|(s, e)| Step::Loose(s, e)),
        1 => any::<bool>().prop_map(Step::FailOnce),
        1 => Just(Step::Reopen),
        4 => (0..3usize, 0..99u64, 0..9usize, 0..4_000usize).prop_map(|(s, a, b, c)| Step::Read(s, a, b, c)),
        1 => (0..3usize, 0..100u64).prop_map(|(s, p)| Step::Retire(s, p)),
    ]
}

#[derive(Default)]
struct Model {
    /// Everything appended to each log, durable or loose, in order.
    events: [Vec<RawEvent>; 3],
    number: u64,
}

impl Model {
    fn make(&mut self, slot: usize, bytes: usize) -> RawEvent {
        self.number += 1;
        let event = event(self.number, bytes);
        self.events[slot].push(event.clone());
        event
    }

    async fn step(&mut self, logs: &mut Option<Logs>, root: &Path, disk: &Disk, step: Step) {
        let open = logs.clone().unwrap();
        match step {
            Step::Append(slot, sizes) => {
                let stream = Stream::ALL[slot];
                let items: Vec<_> = sizes.iter().map(|bytes| (stream, self.make(slot, *bytes))).collect();
                let first = self.events[slot].len() - items.len();
                let appended = open.append_all(items).await.unwrap();
                let want: Vec<u64> = (first as u64 + 1..=self.events[slot].len() as u64).collect();
                assert_eq!(appended.iter().map(|a| a.seq.0).collect::<Vec<_>>(), want);
                assert_eq!(open.head(stream).durable.0, self.events[slot].len() as u64);
                assert_eq!(open.head(stream).hash, appended.last().unwrap().hash);
            }
            Step::Loose(slot, bytes) => {
                let event = self.make(slot, bytes);
                open.append_unsynced(Stream::ALL[slot], event).unwrap();
            }
            Step::FailOnce(sync) => {
                // One failure at a time is made good; two in a row would be refused, which `writing` tests.
                disk.heal();
                disk.fail(if sync { Operation::Sync } else { Operation::Write }, Errno::IO, 1);
            }
            Step::Reopen => {
                drop(open);
                *logs = None;
                disk.heal();
                let (again, report) = Logs::open(root, node(), TERM, small(disk)).unwrap();
                for (slot, stream) in report.streams.iter().enumerate() {
                    assert_eq!(stream.durable.0, self.events[slot].len() as u64, "a clean end keeps loose events");
                    assert!(stream.losses.is_empty() && stream.torn_bytes == 0);
                }
                *logs = Some(again);
            }
            Step::Read(slot, percent, events, bytes) => {
                let stream = Stream::ALL[slot];
                let from = self.events[slot].len() as u64 * percent / 100;
                let head = open.head(stream);
                let records = open.read(stream, Seq(from), events, bytes).unwrap();
                let begin = from.max(head.first_kept.0);
                for (i, record) in records.iter().enumerate() {
                    assert_eq!(record.seq.0, begin + i as u64);
                    assert_eq!(record.event, self.events[slot][record.seq.0 as usize - 1]);
                }
                assert!(records.len() <= events);
                assert!(records.len() < 2 || records.iter().map(|r| r.event.body.len()).sum::<usize>() <= bytes);
                assert!(!records.is_empty() || events == 0 || begin > head.durable.0);
            }
            Step::Retire(slot, percent) => {
                let stream = Stream::ALL[slot];
                let upto = Seq(open.head(stream).durable.0 * percent / 100);
                match open.retire(stream, upto) {
                    Ok(retired) => assert!(retired.segments == 0 || retired.first_kept.0 <= upto.0 + 1),
                    Err(error) => assert!(matches!(error, LedgerError::Io { .. }), "a planned failure: {error}"),
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn the_logs_are_three_vectors(script in proptest::collection::vec(steps(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let home = tempfile::tempdir().unwrap();
            let disk = Disk::default();
            let mut logs = Some(Logs::open(home.path(), node(), TERM, small(&disk)).unwrap().0);
            let mut model = Model::default();
            for step in script {
                model.step(&mut logs, home.path(), &disk, step).await;
            }
            disk.heal();
            model.step(&mut logs, home.path(), &disk, Step::Reopen).await;
            drop(logs);
            assert_clean(home.path());
        });
    }
}
