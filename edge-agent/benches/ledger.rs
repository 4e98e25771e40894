//! The ledger against the bare disk, in the same run, on the same folder: latency of one durable append, throughput of
//! 32 writers, and what thirty days of history cost at start. Prints a table, and one line of JSON at the end.
//! `TILLWAY_BENCH_DIR` names the disk to measure, `TILLWAY_BENCH_DAYS` shortens the history.
#![allow(clippy::print_stdout, reason = "a benchmark is a command-line tool; this file is its only output")]

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
use uuid::Uuid;

const TERM: Term = Term(1);
const ROUNDS: usize = 12;
const PER_ROUND: usize = 150;
const EVENTS_PER_DAY: u64 = 50_000;
const HISTORY_BODY: usize = 600;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, mode, dir] = arguments.as_slice()
        && mode == "--open"
    {
        return open_history(Path::new(dir));
    }
    let base = std::env::var_os("TILLWAY_BENCH_DIR").map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from);
    let dir = tempfile::tempdir_in(&base).with_context(|| format!("cannot write in {}", base.display()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut latencies = Vec::new();
    for body in [600, 1_500] {
        latencies.push(latency(&runtime, dir.path(), body)?);
    }
    let throughput = throughput(&runtime, dir.path())?;
    let history = history(&runtime, dir.path())?;
    println!("{}", json!({ "latency": latencies, "throughput": throughput, "history": history }));
    Ok(())
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
    let (mut bare_times, mut ledger_times) = (Vec::new(), Vec::new());
    // Rounds take turns, so that what else the disk does falls on both.
    for _ in 0..ROUNDS {
        for _ in 0..PER_ROUND {
            let began = Instant::now();
            bare.write()?;
            bare_times.push(began.elapsed());
        }
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
        ledger_times.extend(runtime.block_on(round)??);
    }
    let (bare, ledger) = (Quantiles::of(bare_times), Quantiles::of(ledger_times));
    let ratio = ledger.p50 * 100 / bare.p50.max(1);
    println!("durable append, body of {body} bytes, one writer, {} each, in microseconds", ROUNDS * PER_ROUND);
    println!("  bare write + fdatasync   p50 {:>6}  p99 {:>6}", bare.p50 / 1_000, bare.p99 / 1_000);
    println!("  ledger append            p50 {:>6}  p99 {:>6}", ledger.p50 / 1_000, ledger.p99 / 1_000);
    println!("  ratio of the medians     {} (limit 1.30)", hundredths(ratio));
    Ok(json!({
        "body_bytes": body, "bare_p50_ns": bare.p50, "bare_p99_ns": bare.p99,
        "ledger_p50_ns": ledger.p50, "ledger_p99_ns": ledger.p99, "ratio_percent": ratio, "limit_percent": 130,
    }))
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

struct Quantiles {
    p50: u64,
    p99: u64,
}

impl Quantiles {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |percent: usize| {
            let time = times.get(times.len() * percent / 100).copied().unwrap_or_default();
            u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
        };
        Self { p50: at(50), p99: at(99) }
    }
}

fn hundredths(value: u64) -> String {
    format!("{}.{:02}", value / 100, value % 100)
}

fn throughput(runtime: &tokio::runtime::Runtime, dir: &Path) -> anyhow::Result<Value> {
    let disk = Disk::default();
    let options = Options { disk: disk.clone(), ..Options::default() };
    let root = dir.join("logs-many");
    let (logs, _) = Logs::open(&root, node(), TERM, options)?;
    warm_up(runtime, &logs, &root)?;
    println!("durable appends a second, body of 1500 bytes, three seconds each");
    let mut rates = Vec::new();
    let mut by_writers = Vec::new();
    for writers in [1, 2, 8, 32] {
        let (events, syncs) = (logs.head(Stream::Fiscal).durable.0, disk.syncs());
        let began = Instant::now();
        runtime.block_on(write_along(&logs, writers, Duration::from_secs(3)))?;
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        let events = logs.head(Stream::Fiscal).durable.0 - events;
        let syncs = disk.syncs() - syncs;
        let rate = events * 1_000 / took;
        println!("  {writers:>3} writers  {rate:>8}  ({} events a sync)", hundredths(events * 100 / syncs.max(1)));
        rates.push(rate);
        by_writers.push(json!({ "writers": writers, "per_second": rate, "events": events, "syncs": syncs }));
    }
    let one = rates.first().copied().unwrap_or(1).max(1);
    let ratio = rates.last().copied().unwrap_or(0) * 100 / one;
    println!("  32 writers against one   {} (limit 10)", hundredths(ratio));
    Ok(json!({ "by_writers": by_writers, "ratio_percent": ratio, "limit_percent": 1_000 }))
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
