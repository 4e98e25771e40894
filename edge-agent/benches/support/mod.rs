//! What the benches of the node share: figures and their verdicts, a till over one plain connection, a node's folder
//! without head office. Measures nothing by itself.
#![allow(dead_code, reason = "each bench uses its part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use edge_agent::snapshot::Snapshots;
use firmware_config::NodeConfig;
use firmware_config::layout::Layout;
use protocol::collection::{Catalogue, Delivery, Product, ShopSettings, Unit, Version};
use protocol::id::ShopId;
use protocol::money::Currency;
use protocol::tax::{TaxBasis, TaxMode, TaxRate};
use serde_json::{Value, json};
use uuid::Uuid;

/// One figure over its rounds.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// Smallest.
    pub min: f64,
    /// In the middle.
    pub median: f64,
    /// Largest.
    pub max: f64,
}

impl Spread {
    /// Of some rounds; zeros of none.
    pub fn of(mut rounds: Vec<f64>) -> Self {
        rounds.sort_by(f64::total_cmp);
        let at = |index: usize| rounds.get(index).copied().unwrap_or_default();
        Self { min: at(0), median: at(rounds.len() / 2), max: at(rounds.len().saturating_sub(1)) }
    }

    /// For the file.
    pub fn json(self) -> Value {
        json!({ "min": self.min, "median": self.median, "max": self.max })
    }
}

/// Ours over the bare disk's in the quickest tenth of each: what is left when the machine has nothing else to do.
pub fn undisturbed(ours: &[f64], bare: &[f64]) -> Spread {
    let tenth = |times: &[f64]| {
        let mut times = times.to_vec();
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 10).copied().unwrap_or_default()
    };
    Spread::of(vec![tenth(ours) / tenth(bare).max(f64::MIN_POSITIVE)])
}

/// Prints a figure that may be `limit` at most, with its verdict; the same for the file.
pub fn at_most(what: &str, unit: &str, spread: Spread, limit: f64) -> Value {
    verdict(what, unit, spread, "at most", limit, spread.median <= limit)
}

/// Prints a figure that must be `limit` at least, with its verdict; the same for the file.
pub fn at_least(what: &str, unit: &str, spread: Spread, limit: f64) -> Value {
    verdict(what, unit, spread, "at least", limit, spread.median >= limit)
}

fn verdict(what: &str, unit: &str, spread: Spread, side: &str, limit: f64, pass: bool) -> Value {
    let Spread { min, median, max } = spread;
    let word = if pass { "PASS" } else { "MISS" };
    println!("{word}  {what}: {median:.2} {unit} ({min:.2} to {max:.2}), {side} {limit} {unit}");
    json!({ "what": what, "unit": unit, "rounds": spread.json(), "limit": limit, "side": side, "pass": pass })
}

/// Prints a figure without a limit; the same for the file.
pub fn told(what: &str, unit: &str, spread: Spread) -> Value {
    let Spread { min, median, max } = spread;
    println!("      {what}: {median:.2} {unit} ({min:.2} to {max:.2})");
    json!({ "what": what, "unit": unit, "rounds": spread.json() })
}

/// Writes the figures of a bench to `target/bench/NAME.json`.
///
/// # Errors
/// When the file cannot be written.
pub fn write(name: &str, figures: &Value) -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{name}.json"));
    std::fs::write(&path, serde_json::to_vec_pretty(figures)?)?;
    println!("written: {}", path.display());
    Ok(())
}

/// The folder whose disk is measured.
pub fn disk() -> PathBuf {
    std::env::var_os("TILLWAY_BENCH_DIR").map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from)
}

/// A port of loopback that nobody holds now.
///
/// # Errors
/// When there is none.
pub fn free_port() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// One figure of a process's memory, in KiB.
///
/// # Errors
/// When the process is gone.
pub fn memory(pid: u32, field: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).context("no such figure in /proc")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

/// HTTP over one plain connection that is kept open, with no more client than it takes.
pub struct Wire {
    stream: BufReader<TcpStream>,
    /// For `authorization`.
    pub token: String,
    keys: u64,
}

impl Wire {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn connect(address: SocketAddr, token: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        Ok(Self { stream: BufReader::new(stream), token: token.to_owned(), keys: 0 })
    }

    /// Begins with keys that no earlier connection of this lane used.
    pub fn renew(&mut self) {
        self.keys = u64::from(Uuid::new_v4().as_fields().0) << 32;
    }

    /// Connects and pairs a lane.
    ///
    /// # Errors
    /// What the node said.
    pub fn pair(address: SocketAddr, code: &str, name: &str) -> anyhow::Result<Self> {
        let mut lane = Self::connect(address, "none")?;
        let paired = lane.post("/v1/pair", &json!({ "code": code, "name": name }))?;
        lane.token = text(&paired, "token")?;
        Ok(lane)
    }

    /// A request to its reply's status and bytes.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn call(&mut self, method: &str, path: &str, kind: &str, body: &[u8]) -> anyhow::Result<(u16, Vec<u8>)> {
        self.keys += 1;
        let (token, key) = (&self.token, self.keys);
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\nidempotency-key: {key}\r\n\
             content-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        self.stream.get_mut().write_all(&request)?;
        let (mut line, mut length, mut status) = (String::new(), 0, 0);
        loop {
            line.clear();
            anyhow::ensure!(self.stream.read_line(&mut line)? > 0, "the connection ended");
            if status == 0 {
                status = line.split(' ').nth(1).context("no status")?.parse()?;
            } else if let Some(given) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = given.trim().parse()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        Ok((status, answer))
    }

    /// A JSON request; the `data` of its reply.
    ///
    /// # Errors
    /// What the other side said no to.
    pub fn post(&mut self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.data("POST", path, "application/json", body.to_string().as_bytes())
    }

    /// Any request; the `data` of its reply.
    ///
    /// # Errors
    /// What the other side said no to.
    pub fn data(&mut self, method: &str, path: &str, kind: &str, body: &[u8]) -> anyhow::Result<Value> {
        let (status, answer) = self.call(method, path, kind, body)?;
        anyhow::ensure!((200..300).contains(&status), "{path}: {status} {}", String::from_utf8_lossy(&answer));
        let answer: Value = serde_json::from_slice(&answer)?;
        Ok(answer.get("data").cloned().unwrap_or_default())
    }

    /// Rings a basket and leaves it open.
    ///
    /// # Errors
    /// What the node said.
    pub fn ring(&mut self, lines: usize, code: &str) -> anyhow::Result<String> {
        let id = text(&self.post("/v1/tickets", &json!({ "kind": "sale" }))?, "id")?;
        for _ in 0..lines {
            self.post(&format!("/v1/tickets/{id}/lines"), &json!({ "code": code, "quantity": "1" }))?;
        }
        Ok(id)
    }

    /// Closes a basket, cash.
    ///
    /// # Errors
    /// What the node said.
    pub fn close(&mut self, ticket: &str) -> anyhow::Result<()> {
        let pay = json!({ "tenders": [{ "kind": "cash", "amount_minor": 100_000 }] });
        self.post(&format!("/v1/tickets/{ticket}/close"), &pay).map(drop)
    }
}

/// A text of an answer.
///
/// # Errors
/// When it has none.
pub fn text(value: &Value, field: &str) -> anyhow::Result<String> {
    value.get(field).and_then(Value::as_str).map(str::to_owned).with_context(|| format!("no {field} in {value}"))
}

/// The configuration of a node without head office.
pub fn config(http: SocketAddr) -> String {
    format!(
        "[node]\ntenant_id = \"00000000-0000-0000-0000-000000000001\"\n\
         shop_id = \"00000000-0000-0000-0000-000000000002\"\nnode_id = \"00000000-0000-0000-0000-000000000003\"\n\
         term = 1\nname = \"bench\"\n[hq]\nquic = \"127.0.0.1:1\"\nserver_name = \"hq.invalid\"\n\
         [terminal]\nhttps = \"127.0.0.1:0\"\nhttp = \"{http}\"\n"
    )
}

/// Gives a node its shop and a catalogue of so many products, `P000000` onwards.
///
/// # Errors
/// When the snapshots cannot be written.
pub fn seed(dir: &Path, config: &NodeConfig, products: u32) -> anyhow::Result<()> {
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
    let product = |number: u32| {
        let code = format!("P{number:06}");
        let product = Product {
            code: code.clone(),
            description: format!("{DESCRIPTION} {number}"),
            unit_price: "2.55".parse()?,
            tax_rate: TaxRate::from_ppm(200_000)?,
            unit: Unit::Piece,
            barcodes: vec![],
        };
        Ok((code, product))
    };
    let catalogue =
        Catalogue { version: Version(1), products: (0..products).map(product).collect::<anyhow::Result<_>>()? };
    let snapshots = Snapshots::open(&Layout::new(dir, config), tokio::sync::broadcast::channel(1).0)?;
    snapshots.apply(Delivery::Shop(shop).to_bytes()?)?;
    snapshots.apply(Delivery::Catalogue(catalogue).to_bytes()?)?;
    Ok(())
}

/// What products are called here, as long as those of the reference receipts.
pub const DESCRIPTION: &str = "WHITE HANGING HEART T-LIGHT HOLDER";
