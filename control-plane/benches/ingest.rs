//! A backlog drained into PostgreSQL as it comes off the wire, against bare `unnest` inserts of the very same rows in
//! the same transactions by the same role, in turns so that all meet the same tables and the same machine. The
//! database is the one that HQ runs for itself, syncs and all. `BENCH_EVENTS` (200,000), `BENCH_LINES` (mean lines of
//! a ticket, 8). Figures go to `target/bench/ingest.json`.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, reason = "a bench talks to a person")]
#![allow(clippy::float_arithmetic, reason = "rates and shares, no money")]
#![allow(missing_docs, reason = "not an interface")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use control_plane::app::App;
use control_plane::clock::Clock;
use control_plane::db::embedded::Embedded;
use control_plane::db::{Db, Limits, TenantTx};
use control_plane::domain::sales::service;
use control_plane::domain::sales::testing::{LaidOut, Made, NOON, Seat, insert_bare, lay_out, seat};
use protocol::frame::v1::BatchV1;
use protocol::frame::{fits_in_batch, pack};
use protocol::id::{Seq, Stream};
use protocol::ledger::{self, Record};
use serde_json::{Value, json};

/// Share of the bare insert's rate that ingest must reach.
const LIMIT: f64 = 0.60;
/// Transactions of one kind before the next has its turn.
const TURN: usize = 16;
/// Turns that warm plans, caches and the first pages; they are not counted.
const WARM_UP: usize = 2;
/// Who takes turns.
const KINDS: [&str; 3] = ["bare rows", "bare rows and roll-ups", "ingest"];

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

/// The next batches as a session cuts them.
fn batches(next: &mut u64, events: u64, mean: u64) -> Vec<Vec<Record>> {
    let size = u64::try_from(protocol::limits::BATCH_EVENTS).unwrap();
    let mut out = Vec::new();
    while out.len() < TURN && *next <= events {
        let mut batch = records(*next, size.min(events + 1 - *next), mean);
        batch.truncate(fits_in_batch(&batch));
        *next += u64::try_from(batch.len()).unwrap();
        out.push(batch);
    }
    out
}

/// What is timed, made beforehand.
enum Work {
    Bare(Vec<LaidOut>, bool),
    Ingest(Vec<BatchV1>),
}

async fn turn(app: &App, seat: &Seat, work: Work) -> (u64, Duration) {
    let (mut rows, begun) = (0, Instant::now());
    match work {
        Work::Bare(batches, roll_ups) => {
            for batch in &batches {
                rows += insert_bare(app, seat.tenant, batch, NOON, roll_ups).await;
            }
        }
        Work::Ingest(batches) => {
            for batch in batches {
                let records = batch.unpack().expect("unpacked");
                let report = service::ingest(app, &seat.who, Stream::Fiscal, records).await.expect("ingest");
                assert_eq!((report.duplicates, report.forks, report.flawed, report.deferred), (0, 0, 0, 0));
            }
        }
    }
    (rows, begun.elapsed())
}

struct Sum {
    seat: Seat,
    head: (Seq, ledger::Hash),
    rows: u64,
    rates: Vec<f64>,
    took: Duration,
}

async fn run(folder: &Path) -> Value {
    let (events, mean) = (setting("BENCH_EVENTS", 200_000), setting("BENCH_LINES", 8).max(1));
    let embedded = Embedded::start(folder).await.expect("PostgreSQL");
    let app = App::new(Db::open(&embedded.record().urls(), Limits::default()), Clock::manual(NOON)).await.expect("HQ");
    let mut sums = Vec::new();
    for number in 1..=3 {
        let seat = seat(&app, number).await;
        let head = (Seq(0), ledger::genesis(seat.who.node, seat.who.term, Stream::Fiscal));
        sums.push(Sum { seat, head, rows: 0, rates: Vec::new(), took: Duration::ZERO });
    }
    let (mut next, mut turns, mut counted) = (1, 0, 0);
    while next <= events {
        let batches = batches(&mut next, events, mean);
        let size: u64 = batches.iter().map(|batch| u64::try_from(batch.len()).unwrap()).sum();
        if turns >= WARM_UP {
            counted += size;
        }
        // Each begins as often as the others.
        for offset in 0..3 {
            let kind = (turns + offset) % 3;
            let Sum { seat, head, .. } = &mut sums[kind];
            let lay = |batch: &Vec<Record>| lay_out(&seat.who, NOON, batch.clone(), head);
            let work = match kind {
                2 => Work::Ingest(batches.iter().map(|batch| pack(Stream::Fiscal, batch, None).unwrap()).collect()),
                _ => Work::Bare(batches.iter().map(lay).collect(), kind == 1),
            };
            let (rows, took) = turn(&app, &sums[kind].seat.clone(), work).await;
            if turns >= WARM_UP {
                let sum = &mut sums[kind];
                sum.rows += rows;
                sum.took += took;
                sum.rates.push(size as f64 / took.as_secs_f64());
            }
        }
        turns += 1;
    }
    let equal = same_rows(&app, &sums).await;
    let figures = report(&sums, counted, &equal);
    embedded.stop().await;
    figures
}

/// What each kind left in the tables, so that nobody has to believe that they wrote the same.
async fn same_rows(app: &App, sums: &[Sum]) -> Vec<(String, Vec<i64>)> {
    let mut out = Vec::new();
    for table in [
        "events",
        "tickets",
        "ticket_lines",
        "ticket_tenders",
        "ticket_taxes",
        "sales_days",
        "sales_hours",
        "product_days",
    ] {
        let mut counts = Vec::new();
        for sum in sums {
            let mut tx = TenantTx::begin(&app.db, sum.seat.tenant).await.expect("transaction");
            let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM app.{table}"));
            counts.push(sqlx::query_scalar(sql).fetch_one(tx.conn()).await.expect("count"));
        }
        out.push((table.to_owned(), counts));
    }
    out
}

fn report(sums: &[Sum], counted: u64, equal: &[(String, Vec<i64>)]) -> Value {
    let rate = |sum: &Sum| counted as f64 / sum.took.as_secs_f64();
    let spread = |mut of: Vec<f64>| {
        of.sort_by(f64::total_cmp);
        [of[0], of[of.len() / 2], of[of.len() - 1]]
    };
    for (kind, sum) in KINDS.iter().zip(sums) {
        let [min, median, max] = spread(sum.rates.clone());
        println!("      {kind}: {:.0} events/s in all, by turn {median:.0} ({min:.0} to {max:.0})", rate(sum));
    }
    let mut shares = Vec::new();
    for against in [1, 0] {
        let turns = sums[2].rates.iter().zip(&sums[against].rates).map(|(ours, bare)| ours / bare).collect();
        let ([min, median, max], share) = (spread(turns), rate(&sums[2]) / rate(&sums[against]));
        let word = if share >= LIMIT { "PASS" } else { "MISS" };
        println!(
            "{word}  ingest against {}: {share:.3} in all, by turn {median:.3} ({min:.3} to {max:.3}), at least {LIMIT}",
            KINDS[against]
        );
        shares.push(json!({ "against": KINDS[against], "share": share, "min": min, "median": median, "max": max,
            "limit": LIMIT, "pass": share >= LIMIT }));
    }
    for (table, counts) in equal {
        println!("      rows in {table}: {counts:?}");
    }
    json!({ "bench": "ingest", "events": counted, "rows": sums[0].rows, "turns": sums[0].rates.len(),
        "events_per_s": sums.iter().map(rate).collect::<Vec<_>>(), "shares": shares, "tables": equal })
}

fn main() {
    let folder = tempfile::Builder::new().prefix("tillway-bench-").tempdir().unwrap();
    // The database's own user passes through.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let figures = runtime.block_on(run(&folder.path().join("state")));
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    std::fs::create_dir_all(&out).unwrap();
    std::fs::write(out.join("ingest.json"), serde_json::to_vec_pretty(&figures).unwrap()).unwrap();
}
