//! A backlog drained into PostgreSQL, against bare `unnest` inserts of the very same rows in the same transactions
//! by the same role, in turns so that both meet the same tables and the same machine.
//! `BENCH_EVENTS` (200,000), `BENCH_LINES` (mean lines of a ticket, 8). Ends with 1 below the limit.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, reason = "a bench talks to a person")]
#![allow(clippy::float_arithmetic, reason = "rates and shares, no money")]
#![allow(missing_docs, reason = "not an interface")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use control_plane::domain::sales::testing::{Made, NOON, Rig, Seat, insert_bare, lay_out};
use protocol::id::{Seq, Stream};
use protocol::ledger::{self, Record};
use protocol::limits;

/// Share of the bare insert's rate that ingest must reach.
const LIMIT: f64 = 0.60;
/// Transactions of one kind before the other has its turn.
const TURN: usize = 8;

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Tickets of a fortnight: 1 to 2 x mean - 1 lines of 4,000 products, one return in twenty.
fn records(first: u64, count: u64, mean: u64) -> Vec<Record> {
    let made = |seq: u64| {
        let mixed = seq.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        let codes: Vec<String> =
            (0..=mixed % (2 * mean - 1)).map(|line| format!("C{}", (mixed + line * 37) % 4_000)).collect();
        let line = |code: &String| (code.clone(), 1_000 * (1 + i64::try_from(mixed % 5).unwrap()), 12_345);
        let lines: Vec<(String, i64, i64)> = codes.iter().map(line).collect();
        let lines: Vec<(&str, i64, i64)> = lines.iter().map(|(code, milli, e4)| (code.as_str(), *milli, *e4)).collect();
        let sale = Made::sale(u128::from(seq), &lines).days(-i32::try_from(seq * 14 / 200_000 % 14).unwrap());
        if seq.is_multiple_of(20) { sale.back() } else { sale }.record(seq)
    };
    (first..first + count).map(made).collect()
}

struct Turn {
    events: u64,
    rows: u64,
    took: Duration,
}

async fn bare(rig: &Rig, seat: &Seat, batches: &[Vec<Record>], head: &mut (Seq, ledger::Hash)) -> Turn {
    let laid_out: Vec<_> = batches.iter().map(|batch| lay_out(seat, NOON, batch.clone(), head)).collect();
    let begun = Instant::now();
    let mut rows = 0;
    for batch in &laid_out {
        rows += insert_bare(rig, seat, batch, NOON).await;
    }
    let events = batches.iter().map(|batch| u64::try_from(batch.len()).unwrap()).sum();
    Turn { events, rows, took: begun.elapsed() }
}

async fn ingest(rig: &Rig, seat: &Seat, batches: Vec<Vec<Record>>) -> Turn {
    let begun = Instant::now();
    let mut events = 0;
    for batch in batches {
        let report = rig.ingest(seat, batch).await.expect("ingest");
        assert_eq!((report.duplicates, report.forks, report.flawed, report.deferred), (0, 0, 0, 0));
        events += report.stored;
    }
    Turn { events, rows: 0, took: begun.elapsed() }
}

async fn run() -> bool {
    let (events, mean) = (setting("BENCH_EVENTS", 200_000), setting("BENCH_LINES", 8).max(1));
    let mut rig = Rig::new().await;
    let (plain, whole) = (rig.seat().await, rig.seat().await);
    let mut head = (Seq(0), ledger::genesis(plain.who.node, plain.who.term, Stream::Fiscal));
    let size = u64::try_from(limits::BATCH_EVENTS).unwrap();
    let mut sums =
        [Turn { events: 0, rows: 0, took: Duration::ZERO }, Turn { events: 0, rows: 0, took: Duration::ZERO }];
    let mut next = 1;
    while next <= events {
        let mut batches = Vec::new();
        while batches.len() < TURN && next <= events {
            let count = size.min(events - next + 1);
            batches.push(records(next, count, mean));
            next += count;
        }
        let turns = [bare(&rig, &plain, &batches, &mut head).await, ingest(&rig, &whole, batches).await];
        for (sum, turn) in sums.iter_mut().zip(turns) {
            sum.events += turn.events;
            sum.rows += turn.rows;
            sum.took += turn.took;
        }
    }
    let rate = |turn: &Turn| turn.events as f64 / turn.took.as_secs_f64();
    let [bare, ingest] = &sums;
    let share = rate(ingest) / rate(bare);
    println!(
        "{{\"bench\":\"ingest\",\"events\":{},\"rows\":{},\"bare_events_per_s\":{:.0},\"bare_rows_per_s\":{:.0},\
         \"ingest_events_per_s\":{:.0},\"share\":{share:.3},\"limit\":{LIMIT},\"ok\":{}}}",
        ingest.events,
        bare.rows,
        rate(bare),
        bare.rows as f64 / bare.took.as_secs_f64(),
        rate(ingest),
        share >= LIMIT
    );
    share >= LIMIT
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("runtime");
    if runtime.block_on(run()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
