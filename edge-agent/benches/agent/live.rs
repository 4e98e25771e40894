//! From the till's answer to the page of head office: a browser's stream is held open, sales are closed at a steady pace,
//! and each is timed from its reply until the stream shows its row. Head office may be the unoptimised build.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};

use super::support::{Spread, Wire, at_most, told};
use super::town::{PASSWORD, Town, pairing, start_agent, until};

/// A new sale stands on the page within two seconds, for nineteen of twenty.
const MOST_SECONDS: f64 = 2.0;
const SALES: usize = 150;
/// Two tills of a busy shop.
const PACE: Duration = Duration::from_millis(200);

/// When each row was first seen.
type Seen = Arc<Mutex<HashMap<String, Instant>>>;

pub fn measure() -> anyhow::Result<Vec<Value>> {
    let town = Town::start()?;
    town.import(50)?;
    let (dir, http) = town.enrol("live")?;
    let process = start_agent(&dir, http)?;
    let mut lane = Wire::pair(http, &pairing(&dir, 1)?, "live")?;
    until("the catalogue", || Ok(lane.call("GET", "/v1/products/P000049", "text/plain", b"")?.0 == 200))?;
    let seen = Seen::default();
    watch(town.address(), &sign_in(town.address(), town.email())?, Arc::clone(&seen))?;

    let mut closed = Vec::new();
    for _ in 0..SALES {
        let began = Instant::now();
        let ticket = lane.ring(2, "P000001")?;
        let pay = json!({ "tenders": [{ "kind": "cash", "amount_minor": 100_000 }] });
        let receipt = lane.post(&format!("/v1/tickets/{ticket}/close"), &pay)?;
        let at = Instant::now();
        let receipt = receipt.get("receipt").context("a close without a receipt")?;
        let part = |name: &str| receipt.get(name).map(|part| part.to_string().replace('"', "")).unwrap_or_default();
        closed.push((format!("{}/{}/{}", part("node_id"), part("term"), part("seq")), at));
        thread::sleep(PACE.saturating_sub(began.elapsed()));
    }
    let all = || closed.iter().all(|(key, _)| seen.lock().unwrap_or_else(PoisonError::into_inner).contains_key(key));
    until("every sale on the page", || Ok(all()))?;
    process.stop()?;
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let mut took: Vec<f64> = closed
        .iter()
        .filter_map(|(key, at)| Some(seen.get(key)?.saturating_duration_since(*at).as_secs_f64()))
        .collect();
    took.sort_by(f64::total_cmp);
    let p95 = took.get(took.len() * 95 / 100).copied().context("no sale")?;
    Ok(vec![
        told("close of a sale to its row on the page, median", "s", Spread::of(took)),
        at_most("close of a sale to its row on the page, p95", "s", Spread::of(vec![p95]), MOST_SECONDS),
    ])
}

/// Signs in as a browser does; the cookie of the session.
fn sign_in(hq: SocketAddr, email: &str) -> anyhow::Result<String> {
    let form = format!("email={}&password={}&next=", email.replace('@', "%40"), PASSWORD.replace(' ', "+"));
    let head = format!(
        "POST /sign-in HTTP/1.1\r\nhost: {hq}\r\norigin: http://{hq}\r\ncontent-type: \
         application/x-www-form-urlencoded\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{form}",
        form.len()
    );
    let mut stream = TcpStream::connect(hq)?;
    stream.write_all(head.as_bytes())?;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("set-cookie") && value.trim_start().starts_with("tillway=") {
            return Ok(value.split(';').next().unwrap_or_default().trim().to_owned());
        }
    }
    anyhow::bail!("head office gave no session")
}

/// Holds the page's stream open and notes each row when it comes; answers once the stream stands.
fn watch(hq: SocketAddr, cookie: &str, seen: Seen) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(hq)?;
    let request = format!("GET /sales/live/events HTTP/1.1\r\nhost: {hq}\r\ncookie: {cookie}\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut lines = BufReader::new(stream).lines();
    let status = lines.next().context("no answer")??;
    anyhow::ensure!(status.contains(" 200 "), "the stream: {status}");
    thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let Some(change) = line.strip_prefix("data:") else { continue };
            let at = Instant::now();
            let Ok(change) = serde_json::from_str::<Value>(change.trim()) else { continue };
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            for key in change["order"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                seen.entry(key.to_owned()).or_insert(at);
            }
        }
    });
    Ok(())
}
