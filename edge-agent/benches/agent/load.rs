//! Memory of an agent that head office knows: idle, under a steady load with eight lanes listening on its MQTT, with a
//! small and with a large catalogue.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::{Spread, Wire, at_least, at_most, memory, text, told};
use super::town::{Process, Town, pairing, start_agent, until};

const MOST_KIB: f64 = 30.0 * 1024.0;
const MOST_KIB_LARGE: f64 = 48.0 * 1024.0;
const PRODUCTS: u32 = 5_000;
const MANY_PRODUCTS: u32 = 100_000;
/// Closed sales a second; each is a fiscal event, and its opening and lines are three more in the work log.
const SALES_PER_SECOND: u32 = 200;
const LANES: u32 = 16;
/// Lanes that follow every ticket over MQTT meanwhile.
const LISTENERS: usize = 8;
const LINES: usize = 2;
const LOAD: Duration = Duration::from_secs(60);
/// Before memory is looked at: what a start leaves behind is put away.
const SETTLE: Duration = Duration::from_secs(6);

pub fn measure() -> anyhow::Result<Vec<Value>> {
    let town = Town::start()?;
    town.import(PRODUCTS)?;
    let (dir, http) = town.enrol("load")?;
    let mut process = start_agent(&dir, http)?;
    let code = pairing(&dir, usize::try_from(LANES)? + 1 + LISTENERS)?;
    let mut lane = Wire::pair(http, &code, "look")?;
    wait_for_products(&mut lane, PRODUCTS)?;
    process = again(process, &dir, http)?;
    let mut figures = Vec::new();
    let idle = look(process.pid(), 8)?;
    figures.push(at_most(&format!("anonymous memory, {PRODUCTS} products, idle"), "KiB", idle, MOST_KIB));

    let heard = Arc::new(std::sync::atomic::AtomicU32::new(0));
    for number in 0..LISTENERS {
        listen(&dir, http, &code, number, &heard)?;
    }
    let (rate, loaded) = load(&process, http, &code)?;
    let each = f64::from(heard.load(Ordering::Relaxed)) / f64::from(u32::try_from(LISTENERS)?);
    figures.push(told("ticket messages that each listener heard", "messages", Spread::of(vec![each])));
    figures.push(at_least("closed sales a second, sustained", "/s", rate, f64::from(SALES_PER_SECOND) * 0.99));
    let what = format!("anonymous memory, {PRODUCTS} products, under that load, {LISTENERS} lanes on MQTT");
    figures.push(at_most(&what, "KiB", loaded, MOST_KIB));
    let peak = Spread::of(vec![loaded.max]);
    figures.push(at_most("its highest moment", "KiB", peak, MOST_KIB));
    thread::sleep(SETTLE);
    figures.push(told("anonymous memory after the load", "KiB", look(process.pid(), 5)?));

    town.import(MANY_PRODUCTS)?;
    let mut lane = Wire::connect(http, &lane.token)?;
    wait_for_products(&mut lane, MANY_PRODUCTS)?;
    thread::sleep(SETTLE);
    let what = format!("anonymous memory just after {MANY_PRODUCTS} products came down");
    figures.push(told(&what, "KiB", look(process.pid(), 5)?));
    process = again(process, &dir, http)?;
    let large = look(process.pid(), 8)?;
    figures.push(at_most(&format!("anonymous memory, {MANY_PRODUCTS} products, idle"), "KiB", large, MOST_KIB_LARGE));
    process.stop()?;
    Ok(figures)
}

/// A lane that follows the shop's tickets over MQTT until the agent goes.
fn listen(
    dir: &Path,
    http: SocketAddr,
    code: &str,
    number: usize,
    heard: &Arc<std::sync::atomic::AtomicU32>,
) -> anyhow::Result<()> {
    let (mut wire, name) = (Wire::connect(http, "none")?, format!("listener {number}"));
    let paired = wire.post("/v1/pair", &serde_json::json!({ "code": code, "name": name }))?;
    let addresses: Value = serde_json::from_slice(&std::fs::read(dir.join("data/addresses.json"))?)?;
    let door: SocketAddr = text(&addresses, "mqtt_plain")?.parse()?;
    let (lane, shop) = (text(&paired, "lane_id")?, text(&paired["shop"], "shop_id")?);
    let mut options = rumqttc::MqttOptions::new(&lane, door.ip().to_string(), door.port());
    options.set_credentials(&lane, text(&paired, "token")?);
    let (client, mut events) = rumqttc::Client::new(options, 10);
    client.subscribe(format!("tw/{shop}/ticket/+/changed"), rumqttc::QoS::AtMostOnce)?;
    let heard = Arc::clone(heard);
    thread::spawn(move || {
        let _kept = client;
        for event in events.iter() {
            match event {
                Ok(rumqttc::Event::Incoming(rumqttc::Packet::Publish(_))) => {
                    heard.fetch_add(1, Ordering::Relaxed);
                }
                Ok(_) => {}
                Err(_) => return,
            }
        }
    });
    Ok(())
}

fn again(process: Process, dir: &Path, http: SocketAddr) -> anyhow::Result<Process> {
    process.stop()?;
    let process = start_agent(dir, http)?;
    thread::sleep(SETTLE);
    Ok(process)
}

fn wait_for_products(lane: &mut Wire, products: u32) -> anyhow::Result<()> {
    let path = format!("/v1/products/P{:06}", products - 1);
    until(&path, || Ok(lane.call("GET", &path, "text/plain", b"")?.0 == 200))
}

fn look(pid: u32, times: usize) -> anyhow::Result<Spread> {
    let mut seen = Vec::new();
    for _ in 0..times {
        seen.push(memory(pid, "RssAnon:")?);
        thread::sleep(Duration::from_millis(500));
    }
    Ok(Spread::of(seen))
}

/// Sells at a steady pace on all lanes; what was reached each second, and the memory meanwhile.
fn load(process: &Process, http: SocketAddr, code: &str) -> anyhow::Result<(Spread, Spread)> {
    let over = Arc::new(AtomicBool::new(false));
    let sold = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let every = Duration::from_secs(1) * LANES / SALES_PER_SECOND;
    let mut lanes = Vec::new();
    for number in 0..LANES {
        let mut lane = Wire::pair(http, code, &format!("lane {number}"))?;
        let (over, sold) = (Arc::clone(&over), Arc::clone(&sold));
        lanes.push(thread::spawn(move || {
            let mut due = Instant::now() + every * number / LANES;
            while !over.load(Ordering::Relaxed) {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                let product = format!("P{:06}", sold.load(Ordering::Relaxed) % PRODUCTS);
                let ticket = lane.ring(LINES, &product)?;
                lane.close(&ticket)?;
                sold.fetch_add(1, Ordering::Relaxed);
                due += every;
            }
            Ok::<_, anyhow::Error>(())
        }));
    }
    thread::sleep(Duration::from_secs(2));
    let (mut rates, mut seen, began) = (Vec::new(), Vec::new(), Instant::now());
    while began.elapsed() < LOAD {
        let (from, clock) = (sold.load(Ordering::Relaxed), Instant::now());
        thread::sleep(Duration::from_secs(1));
        rates.push(f64::from(sold.load(Ordering::Relaxed) - from) / clock.elapsed().as_secs_f64());
        seen.push(memory(process.pid(), "RssAnon:")?);
    }
    over.store(true, Ordering::Relaxed);
    for lane in lanes {
        lane.join().map_err(|_| anyhow::anyhow!("a lane died"))??;
    }
    Ok((Spread::of(rates), Spread::of(seen)))
}
