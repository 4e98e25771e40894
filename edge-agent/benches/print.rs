//! From the close of a sale to the first byte of its receipt at the printer, over the real doors, disk and socket: the
//! printer here answers at once, so that the figure is the node's own. Prints a table; figures go to
//! `target/bench/print.json`. `TILLWAY_BENCH_DIR` names the disk to measure.
#![allow(clippy::print_stdout, reason = "a benchmark is a command-line tool; this file is its only output")]
#![allow(clippy::float_arithmetic, reason = "durations; no money here")]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use edge_agent::agent::{self, AgentOptions};
use edge_agent::clock::Clock;
use firmware_config::NodeConfig;
use firmware_config::peripheral::{CodePage, EscposTcp, Lanes, Printer, PrinterDriver, Proof};
use serde_json::json;
use support::{Spread, Wire, at_most, told};

/// The limit of issue 3: close of a sale to the first printer byte, p99.
const LIMIT_MILLIS: f64 = 50.0;
const ROUNDS: usize = 5;
const PER_ROUND: usize = 200;
const LINES: usize = 5;
const CODE: &str = "P000001";
/// Longer than any receipt takes here.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> anyhow::Result<()> {
    let base = support::disk();
    let dir = tempfile::tempdir_in(&base).with_context(|| format!("cannot write in {}", base.display()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (printer, first_bytes) = quick_printer()?;
    let mut config = NodeConfig::parse(&support::config(([127, 0, 0, 1], 0).into()))?;
    let escpos =
        EscposTcp { address: printer.into(), width: 48, code_page: CodePage::Cp858, cut: true, proof: Proof::Status };
    config.printers =
        vec![Printer { name: "bench".to_owned(), driver: PrinterDriver::EscposTcp(escpos), lanes: Lanes::All }];
    support::seed(dir.path(), &config, 5_000)?;
    let options = AgentOptions { config, dir: dir.path().to_owned(), clock: Clock::System };
    let running = runtime.block_on(agent::start(options))?;
    let code = runtime.block_on(running.desk.make_code(1))?.code;
    let mut lane = Wire::pair(running.addresses.terminal_http, &code, "one")?;
    let (mut p50, mut p99) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut times = Vec::with_capacity(PER_ROUND);
        for _ in 0..PER_ROUND {
            let ticket = lane.ring(LINES, CODE)?;
            let began = Instant::now();
            lane.close(&ticket)?;
            let arrived = first_bytes.recv_timeout(PATIENCE).context("nothing came to the printer")?;
            times.push(arrived.duration_since(began).as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let at = |hundredth: usize| times.get(times.len() * hundredth / 100).copied().unwrap_or_default();
        p50.push(at(50));
        p99.push(at(99));
    }
    runtime.block_on(running.stop());
    let figures = [
        told("close to first printer byte, p50", "ms", Spread::of(p50)),
        at_most("close to first printer byte, p99", "ms", Spread::of(p99), LIMIT_MILLIS),
    ];
    support::write("print", &json!({ "bench": "print", "figures": figures }))
}

/// A printer that answers every question at once, and when the first byte of each job came.
fn quick_printer() -> anyhow::Result<(SocketAddr, Receiver<Instant>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let (sender, first_bytes) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // It ends with the connection, as printers do.
            drop(serve(stream, &sender));
        }
    });
    Ok((address, first_bytes))
}

fn serve(mut stream: TcpStream, first_bytes: &Sender<Instant>) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let (mut buffer, mut last, mut printing) = ([0; 4096], [0; 2], false);
    loop {
        let count = stream.read(&mut buffer)?;
        let came = Instant::now();
        if count == 0 {
            return Ok(());
        }
        let mut answers = Vec::new();
        for byte in buffer.get(..count).unwrap_or_default() {
            match (last, byte) {
                ([0x10, 0x04], 1..=4) if !printing => answers.push(0x12),
                ([0x1d, 0x72], 1) => {
                    answers.push(0);
                    printing = false;
                }
                // ESC @ opens every job.
                ([_, 0x1b], 0x40) if !printing => {
                    printing = true;
                    first_bytes.send(came)?;
                }
                _ => {}
            }
            last = [last[1], *byte];
        }
        stream.write_all(&answers)?;
    }
}
