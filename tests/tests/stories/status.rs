//! Before the box in the shop, with a real browser and a real doctor: the node's page says how it stands while paper
//! and head office come and go, and the code it draws pairs a till that reads it off the screen.
//! `TILLWAY_PICTURES` names a folder for a picture of each page.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;
use tillway_tests::browser::{Browser, Screen};
use tillway_tests::lane::Lane;
use tillway_tests::printer::{Fault, PrinterSim, SimOptions};
use tillway_tests::process::beside;
use tillway_tests::wire::Target;

use crate::street::{SOON, Street, sell};

const WELL: &str = "Selling. Head office is up to date.";
/// The page asks anew every 3 s, the node asks its printer as often; with a busy machine's delay on top.
const SECONDS: Duration = Duration::from_secs(12);
/// QUIC gives a silent line up after 45 s.
const LINE_IS_LOST: Duration = Duration::from_secs(90);
/// A handshake that is refused is refused at once; a till that tries again would do so for two minutes.
const A_FEW_TRIES: Duration = Duration::from_secs(2);

/// What a till reads off the screen.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Invitation {
    url: String,
    code: String,
    ca_fingerprint: String,
}

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

/// What holds of the page at any time: no serious fault, nothing wider than the window, no script that complains.
async fn look(browser: &Browser, name: &str) {
    let faults = browser.serious_faults().await.unwrap();
    assert!(faults.is_empty(), "{name}: {faults:#?}");
    assert!(!browser.scrolls_sideways().await.unwrap(), "{name} is wider than the window");
    let complaints = browser.complaints().await.unwrap();
    assert!(complaints.is_empty(), "{name}: {complaints:?}");
    if let Some(folder) = std::env::var_os("TILLWAY_PICTURES").map(PathBuf::from) {
        let width = browser.driver.get_window_rect().await.unwrap().width;
        browser.picture(&folder.join(format!("{name}-{width}.png"))).await.unwrap();
    }
}

/// Waits until the words are there, or are gone.
async fn words(browser: &Browser, text: &str, there: bool, within: Duration) {
    let began = Instant::now();
    loop {
        let page = browser.text().await.unwrap_or_default();
        if page.contains(text) == there && !page.is_empty() {
            return;
        }
        assert!(
            began.elapsed() < within,
            "{text:?} is {} after {within:?}:\n{page}",
            if there { "not there" } else { "there" }
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What a reader of codes that is not ours sees in a picture.
pub fn codes_in(picture: &Path) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let python = root.join("target/foreign/venv/bin/python");
    assert!(python.exists(), "{} is missing: run .ci/foreign once (make test does)", python.display());
    let output =
        Command::new(python).arg(root.join("tests/foreign/read_codes.py")).arg(picture).stdin(Stdio::null()).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    found.iter().map(|code| code["text"].as_str().unwrap().to_owned()).collect()
}

/// Presses the button and reads the code off the screen, as the camera of a till would.
async fn invitation_on_screen(browser: &Browser, street: &Street, name: &str) -> Invitation {
    browser.fill("#n", "1").await.unwrap();
    browser.click("form.pair button").await.unwrap();
    browser.see("svg.qr").await.unwrap();
    look(browser, name).await;
    let picture = street.node.dir().join(format!("{name}.png"));
    browser.picture(&picture).await.unwrap();
    let read = codes_in(&picture);
    assert_eq!(read.len(), 1, "{name}: {read:?}");
    let invitation: Invitation = serde_json::from_str(&read[0]).unwrap();
    // Who has no camera types what stands below.
    let page = browser.text().await.unwrap();
    let print: String = page.split_whitespace().collect();
    assert!(page.contains(&invitation.code) && page.contains(&invitation.url), "{invitation:?}:\n{page}");
    assert!(print.contains(&invitation.ca_fingerprint), "{invitation:?}:\n{page}");
    invitation
}

/// A till that believes the code and nothing else: over HTTPS, by the fingerprint. One that expects another shop's
/// fingerprint says nothing to this node.
async fn pair(invitation: &Invitation, name: &str) -> Lane {
    assert!(invitation.url.starts_with("https://"), "{invitation:?}");
    let other: String = invitation.ca_fingerprint.chars().map(|digit| if digit == '0' { '1' } else { '0' }).collect();
    let wrong = Target::parse(&invitation.url, Some(&other)).unwrap();
    let refused = tokio::time::timeout(A_FEW_TRIES, Lane::pair(wrong, &invitation.code, name)).await;
    assert!(!matches!(refused, Ok(Ok(_))), "a till paired with a node it must not trust");
    let right = Target::parse(&invitation.url, Some(&invitation.ca_fingerprint)).unwrap();
    Lane::pair(right, &invitation.code, name).await.unwrap()
}

/// A sale meets a printer that cannot print: the page says so by itself, in words and in colour, until it is mended.
async fn hindered(browser: &Browser, printer: &PrinterSim, lane: &mut Lane, fault: Fault, says: &str) {
    let (name, printed) = (format!("node-{fault}"), printer.count());
    words(browser, says, false, SECONDS).await;
    printer.fault(fault);
    sell(lane, &name, "MUG", 1).await;
    words(browser, says, true, SECONDS).await;
    browser.see("#top.attention").await.unwrap();
    look(browser, &name).await;
    printer.mend(fault);
    words(browser, says, false, SECONDS).await;
    printer.wait_for(printed + 1, SOON).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_node_tells_how_it_stands_and_pairs_a_till_by_its_code() {
    let mut street = Street::open("status").await;
    let printer = PrinterSim::start(SimOptions::default()).await.unwrap();
    plug_in(&mut street, &printer).await;
    let browser = Browser::start(Screen::Desktop).await.unwrap();
    browser.open(&street.node.url()).await.unwrap();
    words(&browser, WELL, true, SOON).await;

    let invitation = invitation_on_screen(&browser, &street, "node-pairing").await;
    let mut lane = pair(&invitation, "Till by QR").await;
    browser.click("a.button").await.unwrap();
    browser.reads("Till by QR").await.unwrap();

    words(&browser, "receipt printer: ready", true, SECONDS).await;
    hindered(&browser, &printer, &mut lane, Fault::PaperOut, "the paper is out").await;
    words(&browser, WELL, true, SOON).await;
    street.settle(1, 255).await;
    browser.see("#top.good").await.unwrap();
    look(&browser, "node").await;

    // Head office goes away: nothing changes for the till, and the page counts what waits.
    street.uplink.cut();
    sell(&mut lane, "a", "MUG", 2).await;
    words(&browser, "1 sale waits for head office since", true, LINE_IS_LOST).await;
    sell(&mut lane, "b", "BAG", 1).await;
    words(&browser, "2 sales wait for head office since", true, SECONDS).await;
    browser.see("#top.attention").await.unwrap();
    look(&browser, "node-cut").await;
    on_a_phone(&street, &printer).await;
    words(&browser, "3 sales wait for head office since", true, SECONDS).await;
    street.uplink.restore();
    words(&browser, WELL, true, SOON).await;
    words(&browser, "for head office since", false, SECONDS).await;
    street.settle(4, 255 + 510 + 110 + 255).await;

    // A node that has gone must not look well, and one that is back needs nobody to press a key.
    street.node.stop().unwrap();
    browser.see("#lost").await.unwrap();
    assert!(browser.serious_faults().await.unwrap().is_empty());
    street.node.start().await.unwrap();
    words(&browser, "does not answer any more", false, SECONDS).await;
    words(&browser, WELL, true, SOON).await;
    browser.quit().await.unwrap();
    street.close().await;
}

/// The same on a phone, while two sales wait.
async fn on_a_phone(street: &Street, printer: &PrinterSim) {
    let browser = Browser::start(Screen::Phone).await.unwrap();
    browser.open(&street.node.url()).await.unwrap();
    browser.reads("2 sales wait for head office since").await.unwrap();
    look(&browser, "node-cut").await;
    let invitation = invitation_on_screen(&browser, street, "node-pairing").await;
    let mut lane = pair(&invitation, "Till by phone").await;
    // Used up: the code that stands on the screen pairs nobody else.
    let target = Target::parse(&invitation.url, Some(&invitation.ca_fingerprint)).unwrap();
    assert!(Lane::pair(target, &invitation.code, "Till too many").await.is_err());
    browser.click("a.button").await.unwrap();
    hindered(&browser, printer, &mut lane, Fault::CoverOpen, "the cover is open").await;
    browser.quit().await.unwrap();
}

/// The doctor's findings, and its exit code.
fn doctor(street: &Street) -> (Value, Option<i32>) {
    let config = street.node.dir().join("node.toml");
    let mut command = Command::new(beside("edge-agent").unwrap());
    let output = command.args(["doctor", "--json", "--config"]).arg(config).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    (serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}")), output.status.code())
}

/// Outcome and words of what the doctor says of one thing; the worst, when it says several.
fn of(report: &Value, check: &str) -> (String, String) {
    let rank = |finding: &&Value| ["ok", "skip", "warn", "fail"].iter().position(|name| finding["outcome"] == **name);
    let findings = report["checks"].as_array().unwrap().iter().filter(|finding| finding["check"] == check);
    let worst = findings.max_by_key(rank).unwrap_or_else(|| panic!("nothing of {check}: {report:#}"));
    let outcome = worst["outcome"].as_str().unwrap().to_owned();
    assert_eq!(worst["cure"].is_string(), matches!(outcome.as_str(), "warn" | "fail"), "{worst:#}");
    (outcome, worst["says"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_tells_a_printer_that_is_well_from_one_without_paper_and_one_that_refuses() {
    let mut street = Street::open("doctor").await;
    let printer = PrinterSim::start(SimOptions::default()).await.unwrap();
    plug_in(&mut street, &printer).await;
    let is = |report: &Value, check: &str, outcome: &str, words: &str| {
        let (found, says) = of(report, check);
        assert!(found == outcome && says.contains(words), "{check}: {outcome}, {words:?} expected: {report:#}");
    };
    // The node runs: it holds the printer, so the doctor asks the node.
    let began = Instant::now();
    let (mut report, mut code) = doctor(&street);
    while of(&report, "printers").0 != "ok" || of(&report, "head office").0 != "ok" {
        assert!(began.elapsed() < SOON, "{report:#}");
        (report, code) = doctor(&street);
    }
    is(&report, "node", "ok", "Selling");
    is(&report, "printers", "ok", "says the node");
    is(&report, "identity", "ok", "");
    is(&report, "ports", "ok", "answers on");
    assert_ne!(code, Some(2), "{report:#}");

    // The node is stopped: the doctor knocks itself, at the printer and at head office.
    street.node.stop().unwrap();
    let (report, code) = doctor(&street);
    is(&report, "node", "warn", "not running");
    is(&report, "printers", "ok", "is ready");
    is(&report, "head office", "ok", "");
    is(&report, "logs", "ok", "whole");
    is(&report, "ports", "ok", "is free");
    assert_eq!((code, &report["outcome"]), (Some(1), &Value::from("warn")), "{report:#}");
    printer.fault(Fault::PaperOut);
    is(&doctor(&street).0, "printers", "warn", "the paper is out");
    printer.mend(Fault::PaperOut);
    printer.fault(Fault::CoverOpen);
    is(&doctor(&street).0, "printers", "warn", "the cover is open");
    printer.mend_all();
    printer.fault(Fault::Refuses);
    is(&doctor(&street).0, "printers", "warn", "refused");
    printer.mend_all();
    printer.fault(Fault::Silent);
    is(&doctor(&street).0, "printers", "warn", "does not tell its state");
    printer.mend_all();
    street.uplink.cut();
    is(&doctor(&street).0, "head office", "warn", "no answer by QUIC");
    street.uplink.restore();
    is(&doctor(&street).0, "printers", "ok", "is ready");

    // What is broken for good has another exit code, and one line that says what to do.
    let path = street.node.dir().join("node.toml");
    let good = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{good}\nfrobnicate = 1\n")).unwrap();
    let (report, code) = doctor(&street);
    is(&report, "config", "fail", "frobnicate");
    assert_eq!(code, Some(2), "{report:#}");
    std::fs::write(&path, good).unwrap();
    street.node.start().await.unwrap();
    street.close().await;
}
