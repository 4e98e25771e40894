//! Closing a sale over HTTP against the bare disk, in the same run, on the same folder: latency of one lane from
//! request to reply, and throughput of 32 lanes. Prints a table, and one line of JSON at the end.
//! `TILLWAY_BENCH_DIR` names the disk to measure.
#![allow(clippy::print_stdout, reason = "a benchmark is a command-line tool; this file is its only output")]
#![allow(clippy::float_arithmetic, reason = "ratios of durations; no money here")]

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use edge_agent::agent::{self, AgentOptions};
use edge_agent::clock::Clock;
use edge_agent::ledger::Logs;
use edge_agent::snapshot::Snapshots;
use firmware_config::NodeConfig;
use firmware_config::layout::Layout;
use protocol::collection::{Catalogue, Delivery, Product, ShopSettings, Unit, Version};
use protocol::id::{Seq, ShopId, Stream};
use protocol::money::Currency;
use protocol::tax::{TaxBasis, TaxMode, TaxRate};
use serde_json::{Value, json};
use uuid::Uuid;

/// HOUSE's limits: one close within three bare writes, 32 lanes at least four times one.
const MOST_TIMES_BARE: f64 = 3.0;
const LEAST_TIMES_ONE: f64 = 4.0;
const ROUNDS: usize = 10;
const PER_ROUND: usize = 100;
const LANES: usize = 32;
/// All baskets are open before the watch starts, and a node keeps a thousand.
const PER_LANE: usize = 30;
/// Lines of a basket: the median of the reference receipts is higher, a corner shop's is lower.
const LINES: usize = 5;

fn main() -> anyhow::Result<()> {
    let base = std::env::var_os("TILLWAY_BENCH_DIR").map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from);
    let dir = tempfile::tempdir_in(&base).with_context(|| format!("cannot write in {}", base.display()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let config = config()?;
    seed(dir.path(), &config)?;
    let options = AgentOptions { config, dir: dir.path().to_owned(), clock: Clock::System };
    let running = runtime.block_on(agent::start(options))?;
    let address = running.addresses.terminal_http;
    let code = runtime.block_on(running.desk.make_code(64))?.code;

    let mut one = Lane::pair(address, &code, "one")?;
    one.sell(1)?;
    let body = record_bytes(&running.logs)?;
    let bare = bare_file(dir.path(), body)?;
    let (mut bare_times, mut close_times) = (Vec::new(), Vec::new());
    let mut offset = 0;
    // Rounds take turns, so that what else the disk does falls on both.
    for _ in 0..ROUNDS {
        let record = vec![0xA7; body];
        for _ in 0..PER_ROUND {
            let began = Instant::now();
            bare.write_all_at(&record, offset)?;
            bare.sync_data()?;
            bare_times.push(began.elapsed());
            offset += body as u64;
        }
        let tickets = one.ring(PER_ROUND)?;
        for ticket in tickets {
            let began = Instant::now();
            one.close(&ticket)?;
            close_times.push(began.elapsed());
        }
    }
    let (bare_p50, close_p50) = (median(&mut bare_times), median(&mut close_times));
    let single = rate(&mut [Lane::pair(address, &code, "single")?], PER_LANE * 10)?;
    let lanes: anyhow::Result<Vec<Lane>> =
        (0..LANES).map(|n| Lane::pair(address, &code, &format!("lane {n}"))).collect();
    let many = rate(&mut lanes?, PER_LANE)?;
    runtime.block_on(running.stop());

    let (times_bare, times_one) = (close_p50.as_secs_f64() / bare_p50.as_secs_f64(), many / single);
    println!("record of a sale of {LINES} lines         {body} bytes");
    println!("bare write + fdatasync, p50        {:>8.0} us", micros(bare_p50));
    println!(
        "HTTP close, p50                    {:>8.0} us   {times_bare:.2} times bare (limit {MOST_TIMES_BARE})",
        micros(close_p50)
    );
    println!("HTTP closes per second, 1 lane     {single:>8.0}");
    println!(
        "HTTP closes per second, {LANES} lanes   {many:>8.0}      {times_one:.2} times one (limit {LEAST_TIMES_ONE})"
    );
    let pass = times_bare <= MOST_TIMES_BARE && times_one >= LEAST_TIMES_ONE;
    println!(
        "{}",
        json!({ "bench": "close", "record_bytes": body, "bare_us": micros(bare_p50), "close_us": micros(close_p50),
            "times_bare": times_bare, "per_second_1": single, "per_second_32": many, "times_one": times_one, "pass": pass })
    );
    anyhow::ensure!(pass, "a limit is broken");
    Ok(())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Closes per second over all lanes; the tickets are rung before the watch starts.
fn rate(lanes: &mut [Lane], each: usize) -> anyhow::Result<f64> {
    let mut rung = Vec::new();
    for lane in lanes.iter_mut() {
        rung.push(lane.ring(each)?);
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
        let count = closing.len() * each;
        for lane in closing {
            lane.join().map_err(|_| anyhow::anyhow!("a lane died"))??;
        }
        Ok(count as f64 / began.elapsed().as_secs_f64())
    })
}

/// A till over one plain connection that is kept open, with no more client than it takes.
struct Lane {
    stream: BufReader<TcpStream>,
    token: String,
    keys: u64,
}

impl Lane {
    fn pair(address: SocketAddr, code: &str, name: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let mut lane = Self { stream: BufReader::new(stream), token: "none".to_owned(), keys: 0 };
        let paired = lane.post("/v1/pair", &json!({ "code": code, "name": name }))?;
        lane.token = text(&paired, "token")?;
        Ok(lane)
    }

    fn post(&mut self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.keys += 1;
        let (body, token, key) = (body.to_string(), &self.token, self.keys);
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: node\r\nauthorization: Bearer {token}\r\nidempotency-key: {key}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let (mut line, mut length, mut status) = (String::new(), 0, String::new());
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            if status.is_empty() {
                status.clone_from(&line);
            }
            if let Some(given) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = given.trim().parse()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        anyhow::ensure!(status.starts_with("HTTP/1.1 2"), "{status}{}", String::from_utf8_lossy(&answer));
        let answer: Value = serde_json::from_slice(&answer)?;
        Ok(answer.get("data").cloned().unwrap_or_default())
    }

    /// Rings so many baskets and leaves them open.
    fn ring(&mut self, baskets: usize) -> anyhow::Result<Vec<String>> {
        let mut tickets = Vec::with_capacity(baskets);
        for _ in 0..baskets {
            let id = text(&self.post("/v1/tickets", &json!({ "kind": "sale" }))?, "id")?;
            for _ in 0..LINES {
                self.post(&format!("/v1/tickets/{id}/lines"), &json!({ "code": "85123A", "quantity": "1" }))?;
            }
            tickets.push(id);
        }
        Ok(tickets)
    }

    fn close(&mut self, ticket: &str) -> anyhow::Result<()> {
        let pay = json!({ "tenders": [{ "kind": "cash", "amount_minor": 2_000 }] });
        self.post(&format!("/v1/tickets/{ticket}/close"), &pay).map(drop)
    }

    fn sell(&mut self, tickets: usize) -> anyhow::Result<()> {
        let tickets = self.ring(tickets)?;
        tickets.iter().try_for_each(|ticket| self.close(ticket))
    }
}

fn text(value: &Value, field: &str) -> anyhow::Result<String> {
    value.get(field).and_then(Value::as_str).map(str::to_owned).with_context(|| format!("no {field} in {value}"))
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

fn config() -> anyhow::Result<NodeConfig> {
    let text = r#"
        [node]
        tenant_id = "00000000-0000-0000-0000-000000000001"
        shop_id = "00000000-0000-0000-0000-000000000002"
        node_id = "00000000-0000-0000-0000-000000000003"
        term = 1
        name = "bench"
        [hq]
        quic = "127.0.0.1:1"
        server_name = "hq.invalid"
        [terminal]
        https = "127.0.0.1:0"
        http = "127.0.0.1:0"
    "#;
    Ok(NodeConfig::parse(text)?)
}

fn seed(dir: &Path, config: &NodeConfig) -> anyhow::Result<()> {
    let shop = ShopSettings {
        version: Version(1),
        shop: ShopId::from_uuid(Uuid::from_u128(2)),
        name: "bench".into(),
        zone: "Europe/London".into(),
        day_starts_minutes: 240,
        currency: Currency::GBP,
        tax_mode: TaxMode::Inclusive,
        tax_basis: TaxBasis::PerReceipt,
        cash_step: 1,
        late_entry: true,
        open_line_tax_rate: TaxRate::ZERO,
    };
    let product = Product {
        code: "85123A".into(),
        description: "WHITE HANGING HEART T-LIGHT HOLDER".into(),
        unit_price: "2.55".parse()?,
        tax_rate: TaxRate::from_ppm(200_000)?,
        unit: Unit::Piece,
        barcodes: vec![],
    };
    let catalogue = Catalogue { version: Version(1), products: [(product.code.clone(), product)].into() };
    let snapshots = Snapshots::open(&Layout::new(dir, config), tokio::sync::broadcast::channel(1).0)?;
    snapshots.apply(Delivery::Shop(shop).to_bytes()?)?;
    snapshots.apply(Delivery::Catalogue(catalogue).to_bytes()?)?;
    Ok(())
}
