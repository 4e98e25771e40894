//! The ledger against the bare disk, in the same run, on the same folder: latency of one durable append, throughput of
//! 32 writers, and what thirty days of history cost at start. Prints a table; figures go to `target/bench/ledger.json`.
//! `TILLWAY_BENCH_DIR` names the disk to measure, `TILLWAY_BENCH_DAYS` shortens the history.
#![allow(clippy::print_stdout, reason = "a benchmark is a command-line tool; this file is its only output")]
#![allow(clippy::float_arithmetic, reason = "ratios of durations; no money here")]

mod support;

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use edge_agent::ledger::{Disk, Logs, Options};
use protocol::event::RawEvent;
use protocol::id::{NodeId, Seq, Stream, Term};
use protocol::ledger::Codec;
use protocol::limits;
use serde_json::{Value, json};
use support::{Spread, at_least, at_most, told};
use uuid::Uuid;

const TERM: Term = Term(1);
const ROUNDS: usize = 15;
const PER_ROUND: usize = 150;
const EVENTS_PER_DAY: u64 = 50_000;
const HISTORY_BODY: usize = 600;
const WRITERS: [usize; 4] = [1, 2, 8, 32];
const TURNS: usize = 7;
const TURN: Duration = Duration::from_secs(1);

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, mode, dir] = arguments.as_slice()
        && mode == "--open"
    {
        return open_history(Path::new(dir));
    }
    let base = support::disk();
    let dir = tempfile::tempdir_in(&base).with_context(|| format!("cannot write in {}", base.display()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut latencies = Vec::new();
    for body in [600, 1_500] {
        latencies.push(latency(&runtime, dir.path(), body)?);
    }
    let throughput = throughput(&runtime, dir.path())?;
    let history = history(&runtime, dir.path())?;
    support::write("ledger", &json!({ "latency": latencies, "throughput": throughput, "history": history }))
}

fn node() -> NodeId {
    NodeId::from_uuid(Uuid::from_u128(42))
}

fn event(bytes: usize) -> RawEvent {
    RawEvent { kind: 1, version: 1, body: (0..bytes).map(|i| u8::try_from(i % 251).unwrap_or(1)).collect() }
}

/// What the ledger is measured against: the same bytes in the same places of a file of the same making.
struct Bare {
    dir: PathBuf,
    file: File,
    offset: u64,
    files: u32,
    record: Vec<u8>,
}

impl Bare {
    fn new(dir: &Path, body: usize) -> anyhow::Result<Self> {
        let record = vec![0xA7; Codec::new(node(), TERM, Stream::Fiscal).record_len(body)];
        fs::create_dir_all(dir)?;
        Ok(Self { file: Self::segment(dir, 0)?, dir: dir.to_owned(), offset: 4096, files: 1, record })
    }

    fn segment(dir: &Path, number: u32) -> anyhow::Result<File> {
        let path = dir.join(number.to_string());
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, limits::SEGMENT_BYTES)?;
        file.write_all_at(&[1; 4096], 0)?;
        file.write_all_at(&vec![0; usize::try_from(limits::SEGMENT_BYTES - 4096)?], 4096)?;
        file.sync_all()?;
        File::open(dir)?.sync_all()?;
        Ok(file)
    }

    fn write(&mut self) -> anyhow::Result<()> {
        if self.offset + self.record.len() as u64 > limits::SEGMENT_BYTES {
            self.file = Self::segment(&self.dir, self.files)?;
            (self.files, self.offset) = (self.files + 1, 4096);
        }
        self.file.write_all_at(&self.record, self.offset)?;
        self.file.sync_data()?;
        self.offset += self.record.len() as u64;
        Ok(())
    }
}

fn latency(runtime: &tokio::runtime::Runtime, dir: &Path, body: usize) -> anyhow::Result<Value> {
    let mut bare = Bare::new(&dir.join(format!("bare-{body}")), body)?;
    let root = dir.join(format!("logs-{body}"));
    let (logs, _) = Logs::open(&root, node(), TERM, Options::default())?;
    warm_up(runtime, &logs, &root)?;
    let mut bare_rounds = Vec::new();
    let mut ledger_rounds = Vec::new();
    // Rounds take turns, so that what else the disk does falls on both.
    for _ in 0..ROUNDS {
        let mut times = Vec::with_capacity(PER_ROUND);
        for _ in 0..PER_ROUND {
            let began = Instant::now();
            bare.write()?;
            times.push(began.elapsed());
        }
        bare_rounds.push(times);
        let logs = logs.clone();
        let round = runtime.spawn(async move {
            let mut times = Vec::with_capacity(PER_ROUND);
            for _ in 0..PER_ROUND {
                let event = event(body);
                let began = Instant::now();
                logs.append(Stream::Fiscal, event).await?;
                times.push(began.elapsed());
            }
            Ok::<_, edge_agent::ledger::LedgerError>(times)
        });
        ledger_rounds.push(runtime.block_on(round)??);
    }
    println!("durable append, body of {body} bytes, one writer, {ROUNDS} rounds of {PER_ROUND} each");
    let medians = |rounds: &[Vec<Duration>]| rounds.iter().map(|times| p50(times)).collect::<Vec<f64>>();
    let (bare, ledger) = (medians(&bare_rounds), medians(&ledger_rounds));
    let (all_bare, all_ledger) = (p50(&bare_rounds.concat()), p50(&ledger_rounds.concat()));
    let times = Spread { median: all_ledger / all_bare, ..Spread::of(pairs(&ledger, &bare)) };
    let micros = |rounds: &[Vec<Duration>]| -> Vec<f64> {
        rounds.iter().flatten().map(|time| time.as_secs_f64() * 1e6).collect()
    };
    let undisturbed = support::undisturbed(&micros(&ledger_rounds), &micros(&bare_rounds));
    Ok(json!({ "body_bytes": body, "figures": [
        told("bare write + fdatasync, p50", "us", Spread { median: all_bare, ..Spread::of(bare) }),
        told("ledger append, p50", "us", Spread { median: all_ledger, ..Spread::of(ledger) }),
        at_most("append against bare, p50", "times", times, 1.3),
        at_most("append against bare, p10", "times", undisturbed, 1.3),
    ] }))
}

/// Median of some times, in microseconds.
fn p50(times: &[Duration]) -> f64 {
    Spread::of(times.iter().map(|time| time.as_secs_f64() * 1e6).collect()).median
}

/// Round by round, one over the other.
fn pairs(over: &[f64], under: &[f64]) -> Vec<f64> {
    over.iter().zip(under).map(|(over, under)| over / under).collect()
}

/// Fills the first segment of a fresh log: only those after it are prepared, as they are for the rest of a node's life.
fn warm_up(runtime: &tokio::runtime::Runtime, logs: &Logs, root: &Path) -> anyhow::Result<()> {
    let spare = root.join("fiscal").join("t0000000001").join("spare.ready");
    for _ in 0..limits::SEGMENT_BYTES / 1_024 / 128 + 1 {
        let batch = (0..128).map(|_| (Stream::Fiscal, event(1_024))).collect();
        runtime.block_on(logs.append_all(batch))?;
        let patience = Instant::now() + Duration::from_secs(5);
        let half = logs.head(Stream::Fiscal).durable.0 * 1_024 > limits::SEGMENT_BYTES / 2;
        while half && logs.head(Stream::Fiscal).durable.0 * 1_024 < limits::SEGMENT_BYTES * 3 / 4 && !spare.exists() {
            anyhow::ensure!(Instant::now() < patience, "no spare segment came: {}", spare.display());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    Ok(())
}

fn throughput(runtime: &tokio::runtime::Runtime, dir: &Path) -> anyhow::Result<Value> {
    let disk = Disk::default();
    let options = Options { disk: disk.clone(), ..Options::default() };
    let root = dir.join("logs-many");
    let (logs, _) = Logs::open(&root, node(), TERM, options)?;
    warm_up(runtime, &logs, &root)?;
    println!("durable appends a second, body of 1500 bytes, {TURNS} turns of {TURN:?} each");
    let mut rates = WRITERS.map(|_| Vec::new());
    let mut shared = WRITERS.map(|_| Vec::new());
    for _ in 0..TURNS {
        for (index, writers) in WRITERS.into_iter().enumerate() {
            let (events, syncs) = (logs.head(Stream::Fiscal).durable.0, disk.syncs());
            let began = Instant::now();
            runtime.block_on(write_along(&logs, writers, TURN))?;
            let took = began.elapsed().as_secs_f64();
            let events = f64::from(u32::try_from(logs.head(Stream::Fiscal).durable.0 - events)?);
            let syncs = f64::from(u32::try_from(disk.syncs() - syncs)?);
            if let (Some(rates), Some(shared)) = (rates.get_mut(index), shared.get_mut(index)) {
                rates.push(events / took);
                shared.push(events / syncs.max(1.0));
            }
        }
    }
    let [one, .., many] = &rates;
    let mut figures = vec![at_least("32 writers against one", "times", Spread::of(pairs(many, one)), 10.0)];
    for ((writers, rates), shared) in WRITERS.into_iter().zip(&rates).zip(&shared) {
        figures.push(told(&format!("{writers} writers"), "appends/s", Spread::of(rates.clone())));
        figures.push(told(&format!("{writers} writers"), "appends a sync", Spread::of(shared.clone())));
    }
    Ok(json!({ "figures": figures }))
}

async fn write_along(logs: &Logs, writers: usize, time: Duration) -> anyhow::Result<()> {
    let over = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..writers)
        .map(|_| {
            let (logs, over) = (logs.clone(), Arc::clone(&over));
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    logs.append(Stream::Fiscal, event(1_500)).await?;
                }
                Ok::<_, edge_agent::ledger::LedgerError>(())
            })
        })
        .collect();
    tokio::time::sleep(time).await;
    over.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await??;
    }
    Ok(())
}

fn history(runtime: &tokio::runtime::Runtime, dir: &Path) -> anyhow::Result<Value> {
    let days = std::env::var("TILLWAY_BENCH_DAYS").ok().and_then(|days| days.parse().ok()).unwrap_or(30);
    let mut rows = Vec::new();
    println!("start with history ({EVENTS_PER_DAY} events of {HISTORY_BODY} bytes a day)");
    for days in [0, 1, days] {
        let root = dir.join(format!("history-{days}"));
        let (logs, _) = Logs::open(&root, node(), TERM, Options::default())?;
        for _ in 0..days * EVENTS_PER_DAY / 1_000 {
            let batch = (0..1_000).map(|_| (Stream::Fiscal, event(HISTORY_BODY))).collect();
            runtime.block_on(logs.append_all(batch))?;
        }
        drop(logs);
        for torn in [false, true] {
            if torn {
                tear(&root)?;
            }
            // Needs to be root; without it the page cache stays warm, which the row says.
            let cold = fs::write("/proc/sys/vm/drop_caches", "3").is_ok();
            let run = Command::new(std::env::current_exe()?).arg("--open").arg(&root).output()?;
            anyhow::ensure!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
            let mut row: Value = serde_json::from_slice(&run.stdout)?;
            row["days"] = days.into();
            row["torn"] = torn.into();
            row["cold_cache"] = cold.into();
            let of = |name: &str| row[name].as_u64().unwrap_or_default();
            println!(
                "  {days:>3} days{}{}  open {:>6} us  read {:>5} KiB  anonymous {:>6} KiB  peak {:>6} KiB  read_one of the middle {:>6} us",
                if torn { ", torn end" } else { ", clean   " },
                if cold { ", cold" } else { ", warm" },
                of("open_us"),
                of("read_kib"),
                of("anonymous_kib"),
                of("peak_kib"),
                of("read_one_us"),
            );
            rows.push(row);
        }
    }
    Ok(json!({ "rows": rows, "limit_us": 100_000 }))
}

/// Leaves half a record at the end, as a power cut would.
fn tear(root: &Path) -> anyhow::Result<()> {
    let folder = root.join("fiscal").join("t0000000001");
    let mut segments: Vec<PathBuf> = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    segments.sort();
    let last = segments.last().context("no segment")?;
    let bytes = fs::read(last)?;
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(4096, |at| at + 1).max(4096) as u64;
    let mut half = bytes.get(4096..4096 + 300).unwrap_or_default().to_vec();
    half.resize(300, 0);
    OpenOptions::new().write(true).open(last)?.write_all_at(&half, end)?;
    Ok(())
}

/// In a process of its own, so that its memory is the ledger's.
fn open_history(root: &Path) -> anyhow::Result<()> {
    let disk = Disk::default();
    let before = memory("RssAnon:")?;
    let began = Instant::now();
    let (logs, report) = Logs::open(root, node(), TERM, Options { disk: disk.clone(), ..Options::default() })?;
    let open = began.elapsed();
    let read = disk.bytes_read();
    let peak = memory("VmHWM:")?;
    let anonymous = memory("RssAnon:")?;
    let durable = logs.head(Stream::Fiscal).durable;
    let began = Instant::now();
    logs.read_one(Stream::Fiscal, Seq(durable.0 / 2))?;
    let read_one = began.elapsed();
    println!(
        "{}",
        json!({
            "open_us": u64::try_from(open.as_micros())?, "read_kib": read / 1024, "anonymous_kib": anonymous - before.min(anonymous),
            "peak_kib": peak, "durable": durable.0, "read_one_us": u64::try_from(read_one.as_micros())?,
            "losses": report.losses().count(),
        })
    );
    Ok(())
}

fn memory(field: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).context("no such figure in /proc")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
