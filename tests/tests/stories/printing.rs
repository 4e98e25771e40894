//! A counter with a printer on a real socket: what the customer gets on paper while paper, power and node come and go.

use std::time::{Duration, Instant};

use protocol::receipt::ReceiptRef;
use reqwest::Method;
use serde_json::{Value, json};
use tillway_tests::lane::{Lane, Receipt};
use tillway_tests::printer::{Fault, PrinterSim, SimOptions};

use crate::street::{SOON, Street, sell};

/// Gives the node a printer and starts it again.
async fn plug_in(street: &mut Street, printer: &PrinterSim) {
    street.node.stop().unwrap();
    let path = street.node.dir().join("node.toml");
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str(&format!(
        "\n[[printer]]\nname = \"counter\"\ndriver = \"escpos-tcp\"\naddress = \"{}\"\nwidth = 48\nlanes = [\"*\"]\n",
        printer.address
    ));
    std::fs::write(&path, text).unwrap();
    street.node.start().await.unwrap();
}

/// Waits until a job is in a state, for a reason if one is given.
async fn becomes(lane: &mut Lane, job: &str, state: &str, why: Option<&str>) -> Value {
    let began = Instant::now();
    loop {
        let found: Result<Value, _> = lane.get(&format!("/v1/print-jobs/{job}")).await;
        if let Ok(found) = &found
            && found["state"] == state
            && (why.is_none() || found["why"].as_str() == why)
        {
            return found.clone();
        }
        assert!(began.elapsed() < SOON, "{job} is not {state} {why:?} but {found:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn job_of(receipt: &Receipt) -> String {
    format!("receipt:{}:{}", receipt.term, receipt.seq)
}

/// Kills the node as a power cut does, and brings it back.
async fn power_cut(street: &mut Street) {
    street.node.kill().unwrap();
    street.node.start().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_printed_once_whatever_happens_to_paper_power_and_node() {
    let mut street = Street::open("printing").await;
    let printer = PrinterSim::start(SimOptions::default()).await.unwrap();
    plug_in(&mut street, &printer).await;
    let mut lane = street.lane("Till 1").await;

    // All is well: what was sold is what is on paper, and its code names the record.
    let first = sell(&mut lane, "a", "MUG", 2).await;
    becomes(&mut lane, &job_of(&first), "proven", None).await;
    let paper = printer.wait_for(1, SOON).await.unwrap();
    let text = paper[0].text();
    assert!(text.contains("A mug") && text.contains("5.10") && text.contains("Till 1"), "{text}");
    assert!(paper[0].unknown.is_empty() && paper[0].lines().all(|line| !line.overflowed), "{:?}", paper[0].unknown);
    let code: ReceiptRef = paper[0].codes().first().unwrap().parse().unwrap();
    assert_eq!((code.node.to_string(), code.term.0, code.seq.0), (first.node_id.clone(), first.term, first.seq));

    // No paper: the till is told, the node even dies over it, and then it prints once.
    printer.fault(Fault::PaperOut);
    let second = sell(&mut lane, "b", "MUG", 1).await;
    becomes(&mut lane, &job_of(&second), "queued", Some("paper_out")).await;
    power_cut(&mut street).await;
    becomes(&mut lane, &job_of(&second), "queued", Some("paper_out")).await;
    printer.mend(Fault::PaperOut);
    becomes(&mut lane, &job_of(&second), "proven", None).await;
    assert_eq!(printer.count(), 2);

    // The printer's plug is pulled in the middle: nobody knows, nothing is repeated, a person gets a copy.
    printer.fault_after(200, Fault::PowerOff);
    let third = sell(&mut lane, "c", "BAG", 1).await;
    becomes(&mut lane, &job_of(&third), "unproven", Some("connection_lost")).await;
    printer.mend_all();
    let path = format!("/v1/receipts/{}/{}/print", third.term, third.seq);
    let copy: Value = lane.write(Method::POST, &path, "c:copy", &json!({})).await.unwrap();
    becomes(&mut lane, copy["id"].as_str().unwrap(), "proven", None).await;
    let paper = printer.wait_for(3, SOON).await.unwrap();
    let text = paper[2].text();
    assert!(text.contains("COPY") && text.contains("A bag"), "{text}");
    becomes(&mut lane, &job_of(&third), "unproven", None).await;

    // The paper ends in the middle and the node dies: the printer prints what it holds, the node prints nothing more.
    printer.fault_after(200, Fault::PaperOut);
    let fourth = sell(&mut lane, "d", "BAG", 2).await;
    becomes(&mut lane, &job_of(&fourth), "sending", Some("paper_out")).await;
    power_cut(&mut street).await;
    becomes(&mut lane, &job_of(&fourth), "unproven", Some("node_ended")).await;
    printer.mend_all();
    let fifth = sell(&mut lane, "e", "MUG", 1).await;
    becomes(&mut lane, &job_of(&fifth), "proven", None).await;
    let texts: Vec<String> = printer.receipts().iter().map(tillway_tests::printer::Printed::text).collect();
    let named = |receipt: &Receipt| {
        let code = |paper: &tillway_tests::printer::Printed| {
            paper.codes().first().and_then(|code| code.parse::<ReceiptRef>().ok())
        };
        printer.receipts().iter().filter_map(code).filter(|code| code.seq.0 == receipt.seq).count()
    };
    for receipt in [&first, &second, &fourth, &fifth] {
        assert!(named(receipt) <= 1, "{} came out {} times: {texts:?}", receipt.seq, named(receipt));
    }
    assert_eq!([named(&first), named(&second), named(&third), named(&fifth)], [1, 1, 1, 1], "{texts:?}");

    // One that says nothing keeps its receipts until it talks again.
    printer.fault(Fault::Silent);
    let sixth = sell(&mut lane, "f", "MUG", 1).await;
    becomes(&mut lane, &job_of(&sixth), "queued", Some("silent")).await;
    printer.mend_all();
    becomes(&mut lane, &job_of(&sixth), "proven", None).await;
    assert_eq!(named(&sixth), 1);
    street.settle(6, 510 + 255 + 110 + 220 + 255 + 255).await;
    street.close().await;
}
