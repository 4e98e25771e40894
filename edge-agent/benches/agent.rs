//! The agent as it ships, measured from outside: size, memory with a catalogue, idle and under load, with and without
//! history; start to first sale; bytes on the wire of real receipts. Head office and `replay` are run beside it, from
//! `target/release` or `target/debug`. `TILLWAY_BENCH_DIR` names the disk, `TILLWAY_BENCH_DAYS` shortens the history,
//! `TILLWAY_BENCH_AGENT` names another build of the agent,
//! `TILLWAY_BENCH_PARTS` picks from `history,load,wire,live`. Figures go to `target/bench/agent.json`.
#![allow(clippy::print_stdout, reason = "a benchmark is a command-line tool; this file is its only output")]
#![allow(clippy::float_arithmetic, reason = "ratios and memory; no money here")]
#![allow(clippy::large_futures, reason = "one future, once")]

#[path = "agent/history.rs"]
mod history;
#[path = "agent/live.rs"]
mod live;
#[path = "agent/load.rs"]
mod load;
mod support;
#[path = "agent/town.rs"]
mod town;
#[path = "agent/wire.rs"]
mod wire;

use serde_json::{Value, json};
use support::{Spread, at_most};

/// The stripped binary, in bytes.
const MOST_BYTES: f64 = 15_000_000.0;

fn main() -> anyhow::Result<()> {
    let parts = std::env::var("TILLWAY_BENCH_PARTS").unwrap_or_else(|_| "history,load,wire,live".to_owned());
    let mut figures = Vec::new();
    let bytes = u32::try_from(std::fs::metadata(town::agent())?.len())?;
    figures.push(at_most("size of the stripped agent", "bytes", Spread::of(vec![f64::from(bytes)]), MOST_BYTES));
    let wanted = |part: &str| parts.split(',').any(|name| name == part);
    if wanted("history") {
        figures.extend(history::measure()?);
    }
    if wanted("load") {
        figures.extend(load::measure()?);
    }
    if wanted("wire") {
        figures.extend(wire::measure()?);
    }
    if wanted("live") {
        figures.extend(live::measure()?);
    }
    let figures: Value = json!({ "bench": "agent", "parts": parts, "figures": figures });
    support::write("agent", &figures)
}
