//! What history costs: nodes with a day and with thirty days of sales in the fiscal log, started in turns.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use edge_agent::ledger::{Logs, Options};
use firmware_config::NodeConfig;
use firmware_config::layout::Layout;
use protocol::business_day::{BusinessDate, RULE_VERSION};
use protocol::event::{FiscalEvent, Occurrence, RawEvent, TicketClosedV1};
use protocol::id::{LaneId, Stream, TicketId};
use protocol::money::Currency;
use protocol::tax::{TaxBasis, TaxMode, TaxRate};
use protocol::ticket::{ARITHMETIC, Line, Pricing, Tender, TenderKind, Terms, TicketKind, fold, settle};
use protocol::timestamp::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::support::{Spread, Wire, at_most, config, disk, free_port, memory, seed, told};
use super::town::{Process, agent, pairing, start_agent};

const EVENTS_PER_DAY: u64 = 50_000;
const DAY_MILLIS: i64 = 86_400_000;
const PRODUCTS: u32 = 5_000;
const ROUNDS: usize = 7;
/// From start to the reply of the first closed sale.
const FIRST_SALE_MILLIS: f64 = 300.0;
const MOST_KIB: f64 = 30.0 * 1024.0;
/// What thirty days may add before "independent of history" is a lie: the noise of the allocator.
const MOST_SLOPE_KIB: f64 = 1024.0;
const MOST_SLOPE_MILLIS: f64 = 30.0;

struct Node {
    dir: PathBuf,
    http: SocketAddr,
    token: String,
    starts: [Vec<f64>; 2],
    memory: Vec<f64>,
}

pub fn measure() -> anyhow::Result<Vec<Value>> {
    let days = std::env::var("TILLWAY_BENCH_DAYS").ok().and_then(|days| days.parse().ok()).unwrap_or(30);
    let folder = tempfile::tempdir_in(disk())?;
    let mut figures = Vec::new();
    let mut nodes = Vec::new();
    for days in [1, days] {
        let (node, rebuilt) = Node::make(&folder.path().join(format!("{days}-days")), days)?;
        let what = format!("start with {days} days of history and no index, which is rebuilt first");
        figures.push(told(&what, "ms", Spread::of(vec![rebuilt])));
        nodes.push(node);
    }
    for round in 0..2 * ROUNDS {
        for node in &mut nodes {
            node.round(round % 2)?;
        }
    }
    let [one, all] = nodes.as_slice() else { return Ok(figures) };
    for (node, days) in [(one, 1), (all, days)] {
        for (how, starts) in ["a clean end", "kill -9"].into_iter().zip(&node.starts) {
            let what = format!("start to first sale after {how}, {days} days of {EVENTS_PER_DAY} events");
            figures.push(at_most(&what, "ms", Spread::of(starts.clone()), FIRST_SALE_MILLIS));
        }
        let what = format!("anonymous memory after the first sale, {days} days");
        figures.push(at_most(&what, "KiB", Spread::of(node.memory.clone()), MOST_KIB));
    }
    let apart = |one: &[f64], all: &[f64]| Spread::of(all.iter().zip(one).map(|(all, one)| all - one).collect());
    let slope = apart(&one.memory, &all.memory);
    figures.push(at_most(&format!("memory that {days} days add to 1"), "KiB", slope, MOST_SLOPE_KIB));
    let slope = apart(&one.starts[0], &all.starts[0]);
    figures.push(at_most(&format!("start that {days} days add to 1"), "ms", slope, MOST_SLOPE_MILLIS));
    Ok(figures)
}

impl Node {
    /// A node with its history; also how long its first start took, which has to make the index.
    fn make(dir: &Path, days: u64) -> anyhow::Result<(Self, f64)> {
        std::fs::create_dir_all(dir)?;
        let http = free_port()?;
        let text = config(http);
        std::fs::write(dir.join("node.toml"), &text)?;
        let config = NodeConfig::parse(&text)?;
        seed(dir, &config, PRODUCTS)?;
        let began = Instant::now();
        write_history(&Layout::new(dir, &config), &config, days)?;
        println!("      {days} days of history written in {:.1} s", began.elapsed().as_secs_f64());
        let began = Instant::now();
        let process = start_agent(dir, http)?;
        let rebuilt = began.elapsed().as_secs_f64() * 1e3;
        let token = Wire::pair(http, &pairing(dir, 1)?, "bench")?.token;
        process.stop()?;
        Ok((Self { dir: dir.to_owned(), http, token, starts: [Vec::new(), Vec::new()], memory: Vec::new() }, rebuilt))
    }

    /// Starts, sells, looks, ends cleanly or not; `after` is how the last round ended.
    fn round(&mut self, after: usize) -> anyhow::Result<()> {
        let config = self.dir.join("node.toml").display().to_string();
        let began = Instant::now();
        let process = Process::start(agent(), &["run", "--config", &config], &self.dir.join("agent.log"))?;
        let mut lane = loop {
            match Wire::connect(self.http, &self.token) {
                Ok(lane) => break lane,
                Err(error) => anyhow::ensure!(began.elapsed() < Duration::from_secs(60), "{error}"),
            }
            std::thread::sleep(Duration::from_micros(500));
        };
        // A key of its own in each round: the answers of the last are remembered.
        lane.renew();
        let ticket = lane.ring(1, "P000001")?;
        lane.close(&ticket)?;
        if let Some(starts) = self.starts.get_mut(after) {
            starts.push(began.elapsed().as_secs_f64() * 1e3);
        }
        std::thread::sleep(Duration::from_secs(2));
        if after == 0 {
            self.memory.push(memory(process.pid(), "RssAnon:")?);
            process.kill()
        } else {
            process.stop()
        }
    }
}

fn write_history(layout: &Layout, config: &NodeConfig, days: u64) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let options = Options { spares: false, ..Options::default() };
    let (logs, _) = Logs::open(&layout.logs(), config.node.node_id, config.node.term, options)?;
    let now = i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis())?;
    let count = days * EVENTS_PER_DAY;
    let mut sale = sale(now)?;
    let (span, all) = (i64::try_from(days)? * DAY_MILLIS, i64::try_from(count)?);
    let mut number = 0;
    while number < count {
        let mut batch = Vec::with_capacity(2_000);
        while batch.len() < 2_000 && number < count {
            number += 1;
            let at = now - span + span / all * i64::try_from(number)?;
            batch.push((Stream::Fiscal, next(&mut sale, number, at)?));
        }
        runtime.block_on(logs.append_all(batch))?;
    }
    Ok(())
}

fn next(sale: &mut TicketClosedV1, number: u64, at: i64) -> anyhow::Result<RawEvent> {
    let at = Timestamp(at);
    sale.ticket = TicketId::from_uuid(Uuid::from_u64_pair(0x0190_0000_0000_7000, number));
    (sale.opened_at, sale.occurred.at, sale.occurred.recorded_at) = (at.plus_millis(-30_000), at, at);
    sale.occurred.business_date = BusinessDate::from_days(i32::try_from(at.0 / DAY_MILLIS)?)?;
    sale.idempotency_key = Uuid::from_u64_pair(0x0190_0000_0000_4000, number).to_string();
    Ok(FiscalEvent::closed(sale.clone()).encode()?)
}

/// A basket of five lines, counted as a lane counts.
fn sale(now: i64) -> anyhow::Result<TicketClosedV1> {
    let terms = Terms {
        arithmetic: ARITHMETIC,
        currency: Currency::GBP,
        tax_mode: TaxMode::Inclusive,
        tax_basis: TaxBasis::PerReceipt,
        cash_step: 1,
    };
    let line = |line_no: u16| {
        Ok(Line {
            line_no,
            code: Some(format!("P{line_no:06}")),
            description: format!("{} {line_no}", super::support::DESCRIPTION),
            quantity: "1".parse()?,
            unit_price: "2.55".parse()?,
            pricing: Pricing::Book,
            discount: None,
            tax_rate: TaxRate::from_ppm(200_000)?,
            original: None,
        })
    };
    let lines = (1..=5).map(line).collect::<anyhow::Result<Vec<_>>>()?;
    let totals = fold(&terms, TicketKind::Sale, &lines, None)?;
    let tenders = vec![Tender { kind: TenderKind::Cash, amount: totals.total, reference: None }];
    let settlement = settle(&terms, totals.total, &tenders)?;
    Ok(TicketClosedV1 {
        ticket: TicketId::from_uuid(Uuid::nil()),
        kind: TicketKind::Sale,
        lane: LaneId::from_uuid(Uuid::from_u128(7)),
        cashier: None,
        shift: None,
        opened_at: Timestamp(now),
        occurred: Occurrence {
            at: Timestamp(now),
            recorded_at: Timestamp(now),
            late_entry: false,
            business_date: BusinessDate::from_days(0)?,
            zone: "Europe/London".to_owned(),
            day_starts_minutes: 240,
            day_rule: RULE_VERSION,
        },
        reference: None,
        terms,
        lines,
        voided: Vec::new(),
        ticket_discount: None,
        totals,
        tenders,
        settlement,
        idempotency_key: String::new(),
        request_hash: [1; 32],
        reply_hash: [2; 32],
    })
}
