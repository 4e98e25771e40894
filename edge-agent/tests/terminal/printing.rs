//! What comes out on paper: once, in time, and never twice by itself, whatever the printer and the power do.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use firmware_config::peripheral::{CodePage, EscposTcp, Lanes, Printer as Told, PrinterDriver, Proof};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::fixture::{Lane, Node};
use crate::paper::{Printer, until};

fn told(name: &str, printer: &Printer, proof: Proof, lanes: &[&str]) -> Told {
    let lanes: Vec<String> = lanes.iter().map(|lane| (*lane).to_owned()).collect();
    let (address, code_page) = (printer.address.into(), CodePage::Cp858);
    let escpos = EscposTcp { address, width: 42, code_page, cut: true, proof };
    Told { name: name.to_owned(), driver: PrinterDriver::EscposTcp(escpos), lanes: Lanes::from(lanes) }
}

/// A node with one printer for all.
async fn node_with(printer: &Printer, proof: Proof) -> (Node, Lane) {
    let mut node = Node::start().await;
    node.config_mut().printers = vec![told("counter", printer, proof, &["*"])];
    node.restart().await;
    let lane = node.lane("Till 1").await;
    (node, lane)
}

/// Sells something and gives the receipt's term and seq.
async fn sell(lane: &Lane) -> (u64, u64) {
    let receipt = lane.sell(&[("71053", "1")], 339).await;
    (receipt["term"].as_u64().unwrap(), receipt["seq"].as_u64().unwrap())
}

fn name((term, seq): (u64, u64)) -> String {
    format!("receipt:{term}:{seq}")
}

/// Waits until a job is in a state (for a reason); the job.
async fn job(lane: &Lane, id: &str, state: &str, why: Option<&str>) -> Value {
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    let mut last = Value::Null;
    for _ in 0..4_000 {
        tick.tick().await;
        let answer = lane.get(&format!("/v1/print-jobs/{id}")).await;
        if answer.status == StatusCode::NOT_FOUND {
            continue;
        }
        last = answer.data();
        if last["state"] == state && (why.is_none() || last["why"].as_str() == why) {
            return last;
        }
    }
    panic!("{id} is not {state} {why:?} but {last}");
}

#[tokio::test]
async fn a_sale_prints_once_and_is_proven() {
    let printer = Printer::start().await;
    let (mut node, lane) = node_with(&printer, Proof::Status).await;
    let sold = sell(&lane).await;
    let done = job(&lane, &name(sold), "proven", None).await;
    assert_eq!((&done["copy"], &done["attempts"], &done["done"]), (&json!(false), &json!(1), &json!(true)), "{done}");
    let sheets = printer.sheets();
    assert_eq!(sheets.len(), 1);
    assert!(sheets[0].contains("WHITE METAL LANTERN") && sheets[0].contains("High Street"), "{}", sheets[0]);
    assert!(!sheets[0].contains("COPY"), "{}", sheets[0]);
    let devices = node.running().devices.list();
    assert_eq!((devices.len(), devices[0].name.as_str(), devices[0].state.name()), (1, "counter", "ready"));
    node.restart().await;
    let lane = node.again(&lane);
    assert_eq!(lane.get("/v1/print-jobs?state=proven").await.data().as_array().unwrap().len(), 1);
    let second = sell(&lane).await;
    job(&lane, &name(second), "proven", None).await;
    assert_eq!(printer.sheets().len(), 2, "a restart prints nothing again");
    node.stop().await;
}

#[tokio::test]
async fn without_paper_it_waits_says_so_and_prints_once_when_somebody_brings_some() {
    let printer = Printer::start().await;
    let (mut node, lane) = node_with(&printer, Proof::Status).await;
    let mut changes = listen(&node);
    printer.set(|is| is.paper = false);
    let (first, second) = (sell(&lane).await, sell(&lane).await);
    let waiting = job(&lane, &name(first), "queued", Some("paper_out")).await;
    assert_eq!((&waiting["message"], &waiting["attempts"]), (&json!("the paper is out"), &json!(0)));
    let told = changes.recv().await.unwrap();
    assert!(told.message.is_none(), "first it is only there: {told:?}");
    until("the till is told", || changes.try_recv().is_ok_and(|told| told.message.is_some())).await;
    assert_eq!(node.running().devices.list()[0].state.name(), "attention");
    // The power goes as well; what waits still waits afterwards.
    node.restart().await;
    let lane = node.again(&lane);
    job(&lane, &name(first), "queued", Some("paper_out")).await;
    printer.set(|is| is.paper = true);
    job(&lane, &name(first), "proven", None).await;
    job(&lane, &name(second), "proven", None).await;
    assert_eq!(printer.sheets().len(), 2);
    node.stop().await;
}

/// What tills hear of print jobs.
fn listen(node: &Node) -> tokio::sync::mpsc::Receiver<edge_agent::core::print_queue::JobView> {
    let (heard, out) = tokio::sync::mpsc::channel(64);
    let mut changes = node.running().changes();
    tokio::spawn(async move {
        while let Ok(change) = changes.recv().await {
            if let edge_agent::core::change::Change::PrintJob(job) = change {
                drop(heard.send(*job).await);
            }
        }
    });
    out
}

#[tokio::test]
async fn power_lost_in_the_middle_leaves_it_unproven_and_a_person_gets_a_copy() {
    let printer = Printer::start().await;
    let (mut node, lane) = node_with(&printer, Proof::Status).await;
    printer.set(|is| is.dies_after = Some(100));
    let sold = sell(&lane).await;
    let lost = job(&lane, &name(sold), "unproven", Some("connection_lost")).await;
    assert!(lost["message"].as_str().unwrap().contains("look whether it is there"), "{lost}");
    node.restart().await;
    let lane = node.again(&lane);
    job(&lane, &name(sold), "unproven", None).await;
    let next = sell(&lane).await;
    job(&lane, &name(next), "proven", None).await;
    let whole = |sheets: &[String]| sheets.iter().filter(|sheet| sheet.contains("TWR1")).count();
    assert_eq!((printer.sheets().len(), whole(&printer.sheets())), (2, 1), "half of the first, the whole second");

    let path = format!("/v1/receipts/{}/{}/print", sold.0, sold.1);
    let asked = lane.keyed("again", &path, json!({})).await;
    assert_eq!(asked.status, StatusCode::CREATED);
    let copy = asked.data();
    assert_eq!(copy["copy"], json!(true));
    job(&lane, copy["id"].as_str().unwrap(), "proven", None).await;
    let repeated = lane.keyed("again", &path, json!({})).await;
    assert_eq!((repeated.status, &repeated.bytes), (asked.status, &asked.bytes));
    lane.keyed("again", &path, json!({ "printer": "counter" })).await.error(409, "CONFLICT");
    node.restart().await;
    let lane = node.again(&lane);
    assert_eq!(lane.keyed("again", &path, json!({})).await.bytes, asked.bytes);
    node.lose_index().await;
    let lane = node.again(&lane);
    assert_eq!(lane.keyed("again", &path, json!({})).await.bytes, asked.bytes);
    let sheets = printer.sheets();
    assert_eq!(sheets.len(), 3);
    assert!(sheets[2].contains("COPY") && sheets[2].contains("WHITE METAL LANTERN"), "{}", sheets[2]);
    node.stop().await;
}

#[tokio::test]
async fn what_cannot_be_copied_is_said() {
    let printer = Printer::start().await;
    let (mut node, lane) = node_with(&printer, Proof::Status).await;
    let (term, seq) = sell(&lane).await;
    lane.post("/v1/receipts/1/999/print", json!({})).await.error(404, "NOT_FOUND");
    lane.post(&format!("/v1/receipts/9/{seq}/print"), json!({})).await.error(404, "NOT_FOUND");
    let path = format!("/v1/receipts/{term}/{seq}/print");
    let message = lane.post(&path, json!({ "printer": "kitchen" })).await.error(422, "VALIDATION");
    assert!(message.contains("counter"), "{message}");
    lane.get("/v1/print-jobs?state=lost").await.error(400, "VALIDATION");
    lane.get("/v1/print-jobs/receipt:1").await.error(400, "VALIDATION");
    lane.get("/v1/print-jobs/receipt:1:999").await.error(404, "NOT_FOUND");
    node.stop().await;
    node.config_mut().printers.clear();
    node.go().await;
    let lane = node.again(&lane);
    assert_eq!(lane.get("/v1/print-jobs").await.data(), json!([]));
    lane.post(&path, json!({})).await.error(409, "CONFLICT");
    node.stop().await;
}

#[tokio::test]
async fn a_printer_that_was_off_over_night_prints_nothing_by_surprise() {
    let printer = Printer::start().await;
    let (mut node, lane) = node_with(&printer, Proof::Status).await;
    printer.set(|is| is.on = false);
    let evening = sell(&lane).await;
    job(&lane, &name(evening), "queued", Some("unreachable")).await;
    assert_eq!(node.running().devices.list()[0].state.name(), "offline");
    node.clock.advance_millis(9 * 3_600 * 1_000);
    job(&lane, &name(evening), "expired", Some("unreachable")).await;
    printer.set(|is| is.on = true);
    let morning = sell(&lane).await;
    job(&lane, &name(morning), "proven", None).await;
    node.restart().await;
    let lane = node.again(&lane);
    job(&lane, &name(evening), "expired", None).await;
    assert_eq!(printer.sheets().len(), 1);
    node.stop().await;
}

#[tokio::test]
async fn a_silent_printer_keeps_its_receipts_unless_it_is_known_to_be_mute() {
    let printer = Printer::start().await;
    printer.set(|is| (is.status, is.proof) = (false, false));
    let (mut node, lane) = node_with(&printer, Proof::Status).await;
    let sold = sell(&lane).await;
    let waiting = job(&lane, &name(sold), "queued", Some("silent")).await;
    assert!(waiting["message"].as_str().unwrap().contains("proof = \"none\""), "{waiting}");
    assert_eq!(printer.sheets().len(), 0);
    node.stop().await;
    node.config_mut().printers = vec![told("counter", &printer, Proof::None, &["*"])];
    node.go().await;
    let lane = node.again(&lane);
    let sent = job(&lane, &name(sold), "sent", None).await;
    assert_eq!((&sent["done"], &sent["message"]), (&json!(true), &Value::Null));
    until("the paper", || printer.sheets().len() == 1).await;
    node.stop().await;
}

#[tokio::test]
async fn every_lane_has_its_printer_and_a_dead_one_holds_up_nobody_else() {
    let (counter, back) = (Printer::start().await, Printer::start().await);
    let mut node = Node::start().await;
    node.config_mut().printers =
        vec![told("counter", &counter, Proof::Status, &["*"]), told("back", &back, Proof::Status, &["Till 2"])];
    node.restart().await;
    let (one, two) = (node.lane("Till 1").await, node.lane("Till 2").await);
    counter.set(|is| is.on = false);
    let (stuck, goes) = (sell(&one).await, sell(&two).await);
    let done = job(&two, &name(goes), "proven", None).await;
    assert_eq!(done["printer"], "back");
    job(&one, &name(stuck), "queued", Some("unreachable")).await;
    let path = format!("/v1/receipts/{}/{}/print", stuck.0, stuck.1);
    let copy = one.post(&path, json!({ "printer": "back" })).await.data();
    job(&one, copy["id"].as_str().unwrap(), "proven", None).await;
    assert_eq!((counter.sheets().len(), back.sheets().len()), (0, 2));
    assert!(back.sheets()[1].contains("COPY") && back.sheets()[1].contains("Till 1"), "{}", back.sheets()[1]);
    node.stop().await;
}

#[tokio::test]
async fn what_is_rung_from_paper_and_what_is_written_off_prints_nothing() {
    let printer = Printer::start().await;
    let (mut node, lane) = node_with(&printer, Proof::Status).await;
    let ticket = lane.open(json!({ "kind": "sale", "at": "2026-11-20T09:00:00" })).await;
    lane.line(&ticket, json!({ "code": "71053", "quantity": "1" })).await;
    let late = lane.close(&ticket, 339).await;
    let off = json!({ "reason": "broken", "lines": [{ "code": "71053", "quantity": "1" }] });
    lane.post("/v1/write-offs", off).await.data();
    let sold = sell(&lane).await;
    job(&lane, &name(sold), "proven", None).await;
    assert_eq!(lane.get("/v1/print-jobs").await.data().as_array().unwrap().len(), 1);
    let path = format!("/v1/receipts/{}/{}/print", late["term"], late["seq"]);
    let copy = lane.post(&path, json!({})).await.data();
    job(&lane, copy["id"].as_str().unwrap(), "proven", None).await;
    assert_eq!(printer.sheets().len(), 2);
    node.stop().await;
}

/// The agent as its own process, to be killed.
struct Process(Child);

impl Process {
    async fn start(config: &Path, addresses: &Path) -> (Self, String) {
        drop(std::fs::remove_file(addresses));
        let mut command = Command::new(env!("CARGO_BIN_EXE_edge-agent"));
        command.arg("run").arg("--config").arg(config).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Self(command.spawn().unwrap());
        let mut base = String::new();
        until("the node is open", || {
            let told = std::fs::read(addresses).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
            base = told.map(|told| format!("http://{}", told["terminal_http"].as_str().unwrap())).unwrap_or_default();
            !base.is_empty()
        })
        .await;
        (process, base)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_killed_between_send_and_proof_says_unproven_and_prints_nothing_again() {
    let printer = Printer::start().await;
    let (mut node, lane) = node_with(&printer, Proof::Status).await;
    let (config, addresses) = (node.layout().config(), node.layout().addresses());
    std::fs::write(&config, node.config_mut().to_toml()).unwrap();
    node.stop().await;
    // It prints, and does not say so.
    printer.set(|is| is.proof = false);
    let (process, base) = Process::start(&config, &addresses).await;
    let lane = Lane { base, ..lane };
    let sold = sell(&lane).await;
    until("the paper", || printer.sheets().len() == 1).await;
    job(&lane, &name(sold), "sending", None).await;
    drop(process);
    printer.set(|is| is.proof = true);
    let (process, base) = Process::start(&config, &addresses).await;
    let lane = Lane { base, ..lane };
    job(&lane, &name(sold), "unproven", Some("node_ended")).await;
    let next = sell(&lane).await;
    job(&lane, &name(next), "proven", None).await;
    assert_eq!(printer.sheets().len(), 2, "each once");
    drop(process);
}
