//! Closing a sale over HTTP against the bare disk, in the same run, on the same folder: latency of one lane from
//! request to reply, and throughput of 32 lanes. Prints a table; figures go to `target/bench/close.json`.
//! `TILLWAY_BENCH_DIR` names the disk to measure.
#![allow(clippy::print_stdout, reason = "a benchmark is a command-line tool; this file is its only output")]
#![allow(clippy::float_arithmetic, reason = "ratios of durations; no money here")]

mod support;

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use edge_agent::agent::{self, AgentOptions, Running};
use edge_agent::clock::Clock;
use edge_agent::ledger::Logs;
use firmware_config::NodeConfig;
use protocol::event::RawEvent;
use protocol::id::{Seq, Stream};
use protocol::limits;
use serde_json::json;
use support::{Spread, Wire, at_least, at_most, told};

/// HOUSE's limits: one close within three bare writes, 32 lanes at least four times one.
const MOST_TIMES_BARE: f64 = 3.0;
const LEAST_TIMES_ONE: f64 = 4.0;
const ROUNDS: usize = 15;
const PER_ROUND: usize = 100;
const TURNS: usize = 7;
const LANES: usize = 32;
/// All baskets are open before the watch starts, and a node keeps a thousand.
const PER_LANE: usize = 30;
/// Lines of a basket: the median of the reference receipts is higher, a corner shop's is lower.
const LINES: usize = 5;
const CODE: &str = "P000001";
/// A kind that no build projects: it only takes room.
const FILLER: u16 = 99;

fn main() -> anyhow::Result<()> {
    let base = support::disk();
    let dir = tempfile::tempdir_in(&base).with_context(|| format!("cannot write in {}", base.display()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let config = NodeConfig::parse(&support::config(([127, 0, 0, 1], 0).into()))?;
    support::seed(dir.path(), &config, 5_000)?;
    let options = AgentOptions { config, dir: dir.path().to_owned(), clock: Clock::System };
    let running = runtime.block_on(agent::start(options))?;
    let address = running.addresses.terminal_http;
    let code = runtime.block_on(running.desk.make_code(64))?.code;
    let mut one = Wire::pair(address, &code, "one")?;
    let ticket = one.ring(LINES, CODE)?;
    one.close(&ticket)?;
    let body = record_bytes(&running.logs)?;
    runtime.block_on(fill_first_segment(&running))?;
    println!("record of a sale of {LINES} lines: {body} bytes");

    let mut figures = latency(&mut one, &bare_file(dir.path(), body)?, body)?;
    let mut single = [Wire::pair(address, &code, "single")?];
    let mut lanes = Vec::new();
    for number in 0..LANES {
        lanes.push(Wire::pair(address, &code, &format!("lane {number}"))?);
    }
    let (mut of_one, mut of_many) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        of_one.push(rate(&mut single, PER_LANE * 10)?);
        of_many.push(rate(&mut lanes, PER_LANE)?);
    }
    runtime.block_on(running.stop());
    let times = Spread::of(of_many.iter().zip(&of_one).map(|(many, one)| many / one).collect());
    figures.push(told("closes of 1 lane", "/s", Spread::of(of_one)));
    figures.push(told(&format!("closes of {LANES} lanes"), "/s", Spread::of(of_many)));
    figures.push(at_least(&format!("{LANES} lanes against one"), "times", times, LEAST_TIMES_ONE));
    support::write("close", &json!({ "bench": "close", "record_bytes": body, "figures": figures }))
}

/// Only the segments after the first are prepared ahead, as they are for the rest of a node's life.
async fn fill_first_segment(running: &Running) -> anyhow::Result<()> {
    for _ in 0..limits::SEGMENT_BYTES / 1_024 / 128 + 1 {
        let filler = |stream| (stream, RawEvent { kind: FILLER, version: 1, body: vec![1; 1_024] });
        running.logs.append_all((0..128).map(|_| filler(Stream::Fiscal)).collect()).await?;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

fn latency(one: &mut Wire, bare: &std::fs::File, body: usize) -> anyhow::Result<Vec<serde_json::Value>> {
    let (mut bare_rounds, mut close_rounds, mut offset) = (Vec::new(), Vec::new(), 0);
    // Rounds take turns, so that what else the disk does falls on both.
    for _ in 0..ROUNDS {
        let record = vec![0xA7; body];
        let mut times = Vec::with_capacity(PER_ROUND);
        for _ in 0..PER_ROUND {
            let began = Instant::now();
            bare.write_all_at(&record, offset)?;
            bare.sync_data()?;
            times.push(micros(began.elapsed()));
            offset += body as u64;
        }
        bare_rounds.push(times);
        let mut tickets = Vec::with_capacity(PER_ROUND);
        for _ in 0..PER_ROUND {
            tickets.push(one.ring(LINES, CODE)?);
        }
        let mut times = Vec::with_capacity(PER_ROUND);
        for ticket in tickets {
            let began = Instant::now();
            one.close(&ticket)?;
            times.push(micros(began.elapsed()));
        }
        close_rounds.push(times);
    }
    let p50 = |rounds: &[Vec<f64>]| rounds.iter().map(|times| Spread::of(times.clone()).median).collect::<Vec<f64>>();
    let (bare, close) = (p50(&bare_rounds), p50(&close_rounds));
    let all = |rounds: &[Vec<f64>]| Spread::of(rounds.concat()).median;
    let (all_bare, all_close) = (all(&bare_rounds), all(&close_rounds));
    let times = close.iter().zip(&bare).map(|(close, bare)| close / bare).collect();
    let times = Spread { median: all_close / all_bare, ..Spread::of(times) };
    let undisturbed = support::undisturbed(&close_rounds.concat(), &bare_rounds.concat());
    Ok(vec![
        told("bare write + fdatasync, p50", "us", Spread { median: all_bare, ..Spread::of(bare) }),
        told("HTTP close, request to reply, p50", "us", Spread { median: all_close, ..Spread::of(close) }),
        at_most("HTTP close against bare, p50", "times", times, MOST_TIMES_BARE),
        at_most("HTTP close against bare, p10", "times", undisturbed, MOST_TIMES_BARE),
    ])
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Closes per second over all lanes; the tickets are rung before the watch starts.
fn rate(lanes: &mut [Wire], each: usize) -> anyhow::Result<f64> {
    let mut rung = Vec::new();
    for lane in lanes.iter_mut() {
        let tickets: anyhow::Result<Vec<String>> = (0..each).map(|_| lane.ring(LINES, CODE)).collect();
        rung.push(tickets?);
    }
    let gate = Arc::new(Barrier::new(lanes.len() + 1));
    thread::scope(|scope| {
        let mut closing = Vec::new();
        for (lane, tickets) in lanes.iter_mut().zip(&rung) {
            let gate = Arc::clone(&gate);
            closing.push(scope.spawn(move || {
                gate.wait();
                tickets.iter().try_for_each(|ticket| lane.close(ticket))
            }));
        }
        gate.wait();
        let began = Instant::now();
        let count = f64::from(u32::try_from(closing.len() * each)?);
        for lane in closing {
            lane.join().map_err(|_| anyhow::anyhow!("a lane died"))??;
        }
        Ok(count / began.elapsed().as_secs_f64())
    })
}

/// What a close puts on the disk.
fn record_bytes(logs: &Logs) -> anyhow::Result<usize> {
    let record = logs.read_one(Stream::Fiscal, Seq(1))?.context("the sale is not in the log")?;
    let codec = protocol::ledger::Codec::new(logs.node(), logs.term(), Stream::Fiscal);
    Ok(codec.record_len(record.event.body.len()))
}

/// A file of the making of a segment: its space is there before it is written.
fn bare_file(dir: &Path, body: usize) -> anyhow::Result<std::fs::File> {
    let bytes = body * ROUNDS * PER_ROUND;
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(dir.join("bare"))?;
    file.write_all_at(&vec![0; bytes], 0)?;
    file.sync_all()?;
    Ok(file)
}
