//! What the guard costs: a message through it against the same message straight to the broker inside, by the same
//! client over plain loopback, in the same run. Latency of one message at a time, and messages a second with a window.
//! Prints a table; figures go to `target/bench/mqtt.json`.
#![allow(clippy::print_stdout, reason = "a benchmark is a command-line tool; this file is its only output")]
#![allow(clippy::float_arithmetic, reason = "ratios of durations; no money here")]

mod support;

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::Context;
use edge_agent::agent::{self, AgentOptions};
use edge_agent::clock::Clock;
use firmware_config::NodeConfig;
use serde_json::json;
use support::{Spread, at_most, told, undisturbed};

/// Two more sockets and one more reading of each byte: not more than a second broker would cost.
const MOST_TIMES_STRAIGHT: f64 = 3.0;
const ROUNDS: usize = 40;
const ONE_BY_ONE: usize = 400;
const AT_ONCE: usize = 8_000;
/// On the way at once; under what the broker holds for a connection.
const WINDOW: usize = 64;
/// The size of a lane's state.
const PAYLOAD: usize = 128;

fn main() -> anyhow::Result<()> {
    let dir = tempfile::tempdir_in(support::disk())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let text = support::config(([127, 0, 0, 1], 0).into());
    let text = format!("{text}[mqtt]\ntls = \"127.0.0.1:0\"\nplain = \"127.0.0.1:0\"\n");
    let config = NodeConfig::parse(&text)?;
    let (shop, node) = (config.node.shop_id, config.node.node_id);
    support::seed(dir.path(), &config, 10)?;
    let options = AgentOptions { config, dir: dir.path().to_owned(), clock: Clock::System };
    let running = runtime.block_on(agent::start(options))?;
    let mqtt = running.mqtt.as_ref().context("no MQTT")?;
    let mut broker = mqtt.broker.clone();
    let upstream = runtime.block_on(broker.wait_for(Option::is_some))?.clone().context("no broker")?;
    // Nothing is retained here, the node may say it, and neither hears the other.
    let [guarded, bare] = [node.as_uuid(), shop.as_uuid()].map(|ticket| format!("tw/{shop}/ticket/{ticket}/changed"));
    // The node's own login is not measured out, and has every right that the bench needs.
    let (user, password) = (mqtt.own.username.as_str(), mqtt.own.password.as_str());
    let secret = upstream.secret();
    let guard = mqtt.plain.context("the plain door is shut")?;
    let [straight, _] = upstream.addresses();
    let mut through = Pair::open(guard, &format!("{node}.bench"), user, password, &guarded)?;
    let mut past = Pair::open(straight, "bench", secret, secret, &bare)?;

    let (mut latency, mut rate) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..ROUNDS {
        // Turns, so that what else the machine does falls on both.
        for (way, pair) in [&mut through, &mut past].into_iter().enumerate() {
            latency[way].push(pair.one_by_one()?);
            rate[way].push(pair.at_once()?);
        }
    }
    drop((through, past));
    // Either way a message is woken for four times and more, and what else runs here falls between: the quickest rounds
    // are compared, and the ratio of each turn is told beside them.
    let ratio = |a: &[f64], b: &[f64]| Spread::of(a.iter().zip(b).map(|(a, b)| a / b).collect());
    let (times, cost) = (undisturbed(&latency[0], &latency[1]), undisturbed(&rate[0], &rate[1]));
    let (each_time, each_cost) = (ratio(&latency[0], &latency[1]), ratio(&rate[0], &rate[1]));
    let [guarded, bare] = latency.map(Spread::of);
    let [many, bare_many] = rate.map(Spread::of);
    let figures = [
        told("one message straight to the broker, p50", "us", bare),
        told("one message through the guard, p50", "us", guarded),
        at_most("through the guard against straight, one at a time", "times", times, MOST_TIMES_STRAIGHT),
        told("the same, round against round", "times", each_time),
        told("a message straight to the broker, 64 on the way", "us", bare_many),
        told("a message through the guard, 64 on the way", "us", many),
        at_most("through the guard against straight, 64 on the way", "times", cost, MOST_TIMES_STRAIGHT),
        told("the same, round against round", "times", each_cost),
    ];
    runtime.block_on(running.stop());
    support::write("mqtt", &json!({ "bench": "mqtt", "payload_bytes": PAYLOAD, "figures": figures }))
}

/// Somebody who says, and somebody who hears it.
struct Pair {
    says: TcpStream,
    hears: BufReader<TcpStream>,
    message: Vec<u8>,
}

impl Pair {
    fn open(address: SocketAddr, client: &str, user: &str, password: &str, topic: &str) -> anyhow::Result<Self> {
        let says = connect(address, &format!("{client}.says"), user, password)?;
        let mut hears = connect(address, &format!("{client}.hears"), user, password)?;
        let mut body = vec![0, 1];
        put(&mut body, topic)?;
        body.push(0);
        hears.write_all(&packet(0x82, &body)?)?;
        let mut answer = [0; 5];
        hears.read_exact(&mut answer)?;
        anyhow::ensure!(answer == [0x90, 3, 0, 1, 0], "not subscribed: {answer:?}");
        let mut body = Vec::new();
        put(&mut body, topic)?;
        body.extend_from_slice(&[b'x'; PAYLOAD]);
        Ok(Self { says, hears: BufReader::new(hears), message: packet(0x30, &body)? })
    }

    /// Median of saying one and hearing it, in microseconds.
    fn one_by_one(&mut self) -> anyhow::Result<f64> {
        let mut times = Vec::with_capacity(ONE_BY_ONE);
        let mut heard = vec![0; self.message.len()];
        for _ in 0..ONE_BY_ONE {
            let began = Instant::now();
            self.says.write_all(&self.message)?;
            self.hears.read_exact(&mut heard)?;
            times.push(began.elapsed().as_secs_f64() * 1e6);
        }
        anyhow::ensure!(heard == self.message, "another message came");
        Ok(Spread::of(times).median)
    }

    /// Microseconds for each of many, with a window of them on the way.
    fn at_once(&mut self) -> anyhow::Result<f64> {
        let half: Vec<u8> = self.message.repeat(WINDOW / 2);
        let (mut heard, began) = (vec![0; half.len()], Instant::now());
        self.says.write_all(&half)?;
        for _ in 1..AT_ONCE * 2 / WINDOW {
            self.says.write_all(&half)?;
            self.hears.read_exact(&mut heard)?;
        }
        self.hears.read_exact(&mut heard)?;
        anyhow::ensure!(heard == half, "another message came");
        Ok(began.elapsed().as_secs_f64() * 1e6 / f64::from(u32::try_from(AT_ONCE)?))
    }
}

fn connect(address: SocketAddr, client: &str, user: &str, password: &str) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 0b1100_0010, 0xFF, 0xFF];
    for text in [client, user, password] {
        put(&mut body, text)?;
    }
    stream.write_all(&packet(0x10, &body)?)?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer)?;
    anyhow::ensure!(answer == [0x20, 2, 0, 0], "not let in: {answer:?}");
    Ok(stream)
}

fn put(out: &mut Vec<u8>, text: &str) -> anyhow::Result<()> {
    out.extend_from_slice(&u16::try_from(text.len())?.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

fn packet(first: u8, body: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut out = vec![first];
    let (low, high) = (u8::try_from(body.len() % 128)?, u8::try_from(body.len() / 128)?);
    if high > 0 {
        out.extend_from_slice(&[low | 0x80, high]);
    } else {
        out.push(low);
    }
    out.extend_from_slice(body);
    Ok(out)
}
