//! Bytes on the wire: the committed fortnight of real receipts, sold by `replay`, packed as the session packs them,
//! against the same events as JSON, plain and squeezed the same way.

use std::path::Path;

use anyhow::Context;
use edge_agent::ledger::{Logs, Options};
use firmware_config::NodeConfig;
use firmware_config::layout::Layout;
use protocol::event::FiscalEvent;
use protocol::frame::{Body, Channel, Frame, fits_in_batch, pack};
use protocol::id::{Seq, Stream};
use protocol::ledger::Record;
use protocol::limits;
use serde_json::Value;

use super::support::{Spread, told};
use super::town::{PASSWORD, Town, ask, pairing, program, start_agent};

const RECEIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/online-retail-2010-12-01_14.csv.gz");
/// zstd's own default, which the session uses too.
const LEVEL: i32 = 3;

pub fn measure() -> anyhow::Result<Vec<Value>> {
    let town = Town::start()?;
    let (dir, http) = town.enrol("wire")?;
    let process = start_agent(&dir, http)?;
    let (code, hq, node) = (pairing(&dir, 4)?, town.url(), format!("http://{http}"));
    let arguments =
        ["--receipts", RECEIPTS, "--hq", &hq, "--email", town.email(), "--password", PASSWORD, "--node", &node];
    let report = ask(&program("replay")?, &[&arguments[..], &["--pairing", &code, "--lanes", "4"]].concat())?;
    process.stop()?;
    let records = read(&dir)?;
    println!("      {} events of {} sales, {} lines", records.len(), report["sales"], report["lines"]);
    of(&records)
}

fn read(dir: &Path) -> anyhow::Result<Vec<Record>> {
    let config = NodeConfig::parse(&std::fs::read_to_string(dir.join("node.toml"))?)?;
    let layout = Layout::new(dir, &config);
    let (logs, _) = Logs::open(&layout.logs(), config.node.node_id, config.node.term, Options::default())?;
    let mut records: Vec<Record> = Vec::new();
    loop {
        let from = Seq(u64::try_from(records.len())? + 1);
        let more = logs.read(Stream::Fiscal, from, limits::BATCH_EVENTS, limits::BATCH_BYTES)?;
        if more.is_empty() {
            return Ok(records);
        }
        records.extend(more);
    }
}

fn of(records: &[Record]) -> anyhow::Result<Vec<Value>> {
    let count = as_f64(records.len())?;
    let (mut json, mut squeezed, mut bodies) = (0, 0, 0);
    for batch in in_batches(records, limits::BATCH_EVENTS) {
        let mut texts = Vec::new();
        for record in batch {
            let text = match FiscalEvent::decode(&record.event)?.context("an unknown event")? {
                FiscalEvent::TicketClosed(body) => serde_json::to_vec(&body.closed)?,
                FiscalEvent::StockWrittenOff(body) => serde_json::to_vec(&body)?,
                FiscalEvent::NoSale(body) => serde_json::to_vec(&body)?,
                FiscalEvent::TicketVoided(body) => serde_json::to_vec(&body)?,
            };
            json += text.len();
            bodies += record.event.body.len();
            texts.extend(text);
            texts.push(b'\n');
        }
        squeezed += zstd::bulk::compress(&texts, LEVEL)?.len();
    }
    let mut figures = vec![
        told("an event as JSON", "bytes", Spread::of(vec![as_f64(json)? / count])),
        told("an event as it is stored (postcard)", "bytes", Spread::of(vec![as_f64(bodies)? / count])),
        told("an event as JSON in zstd batches", "bytes", Spread::of(vec![as_f64(squeezed)? / count])),
    ];
    for most in [limits::BATCH_EVENTS, 8, 1] {
        let mut bytes = 0;
        for batch in in_batches(records, most) {
            let body = Body::Batch(pack(Stream::Fiscal, batch, Some([7; 32]))?);
            bytes += Frame { channel: Channel::Backlog(Stream::Fiscal), body }.encode()?.len();
        }
        let each = as_f64(bytes)? / count;
        figures.push(told(&format!("an event on the wire, up to {most} a batch"), "bytes", Spread::of(vec![each])));
        let share = Spread::of(vec![as_f64(bytes)? / as_f64(json)?]);
        figures.push(told(&format!("share of its JSON, up to {most} a batch"), "", share));
    }
    Ok(figures)
}

/// As the session cuts them: bounded in events and bytes.
fn in_batches(mut records: &[Record], most: usize) -> Vec<&[Record]> {
    let mut out = Vec::new();
    while !records.is_empty() {
        let (batch, rest) = records.split_at(fits_in_batch(records).min(most).max(1));
        out.push(batch);
        records = rest;
    }
    out
}

fn as_f64(bytes: usize) -> anyhow::Result<f64> {
    Ok(f64::from(u32::try_from(bytes)?))
}
