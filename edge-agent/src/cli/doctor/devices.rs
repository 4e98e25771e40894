//! What stands around the node: printers, asked as a till would hear of them, and the doors of the shop's messages.

use std::time::Duration;

use firmware_config::peripheral::{EscposTcp, Printer, PrinterDriver, Proof};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::Patient;
use super::finding::Finding;
use super::network::{PATIENCE, answers, free};
use crate::core::health::Mqtt;
use crate::core::status::Level;

/// How long a printer may think about its state.
const STATE_WITHIN: Duration = Duration::from_secs(2);
/// DLE EOT n: send real-time status; 1 the printer, 2 what takes it off line, 4 the paper.
const ASK: [u8; 9] = [0x10, 0x04, 1, 0x10, 0x04, 2, 0x10, 0x04, 4];

/// Each printer of the configuration.
pub(super) async fn printers(patient: &Patient) -> Vec<Finding> {
    let printers = &patient.config.printers;
    if printers.is_empty() {
        return vec![Finding::skip("printers", "none is set up in node.toml")];
    }
    let mut findings = Vec::new();
    for Printer { name, driver: PrinterDriver::EscposTcp(printer), .. } in printers {
        let known = patient.status.iter().flat_map(|status| &status.devices).find(|device| &device.name == name);
        findings.push(match known {
            // A printer talks to one at a time, and the node is that one.
            Some(device) if device.level == Level::Good => {
                Finding::ok("printers", format!("{name}: {} (says the node)", device.state))
            }
            Some(device) => {
                Finding::warn("printers", format!("{name}: {} (says the node)", device.state), cure(printer))
            }
            None => knock(name, printer).await,
        });
    }
    findings
}

fn cure(printer: &EscposTcp) -> String {
    format!("look at the printer: power, cable, paper, cover; is it at {}? Receipts wait for it", printer.address)
}

async fn knock(name: &str, printer: &EscposTcp) -> Finding {
    let address = &printer.address;
    let connected = tokio::time::timeout(PATIENCE, TcpStream::connect((address.host(), address.port()))).await;
    let mut stream = match connected {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Finding::warn("printers", format!("{name} at {address}: {error}"), cure(printer)),
        Err(_) => return Finding::warn("printers", format!("{name} at {address}: no answer"), cure(printer)),
    };
    if printer.proof == Proof::None {
        return Finding::ok("printers", format!("{name} at {address} takes connections; it never says more"));
    }
    let mut state = [0; 3];
    let asked = async {
        stream.write_all(&ASK).await?;
        stream.read_exact(&mut state).await
    };
    match tokio::time::timeout(STATE_WITHIN, asked).await {
        Ok(Ok(_)) => match trouble(state) {
            None => Finding::ok("printers", format!("{name} at {address} is ready")),
            Some(what) => Finding::warn("printers", format!("{name} at {address}: {what}"), cure(printer)),
        },
        Ok(Err(error)) => Finding::warn("printers", format!("{name} at {address}: {error}"), cure(printer)),
        Err(_) => {
            let says = format!("{name} at {address} takes connections and does not tell its state");
            Finding::warn("printers", says, "another program may be printing; or set proof = \"none\" for this printer")
        }
    }
}

/// What three bytes of real-time status say is wrong.
pub(super) fn trouble([printer, off_line, paper]: [u8; 3]) -> Option<&'static str> {
    // Bits 1 and 4 are always set and 0 and 7 never: anything else is no status.
    if [printer, off_line, paper].iter().any(|byte| byte & 0b1001_0011 != 0b0001_0010) {
        Some("what answers is no ESC/POS printer")
    } else if paper & 0x60 != 0 {
        Some("the paper is out")
    } else if off_line & 0x04 != 0 {
        Some("the cover is open")
    } else if off_line & 0x40 != 0 {
        Some("it reports an error (cutter or head)")
    } else if printer & 0x08 != 0 {
        Some("it is off line")
    } else if paper & 0x0C != 0 {
        Some("the paper is near its end")
    } else {
        None
    }
}

/// The doors of the shop's MQTT.
pub(super) async fn mqtt(patient: &Patient) -> Vec<Finding> {
    let Some(mqtt) = patient.config.mqtt else {
        return vec![Finding::skip("mqtt", "it is switched off: there is no [mqtt] in node.toml")];
    };
    let stands = patient.status.as_ref().and_then(|status| status.mqtt.as_ref());
    let mut findings: Vec<Finding> = stands.into_iter().flat_map(stands_badly).collect();
    for (name, wanted) in [("mqtt.tls", mqtt.tls), ("mqtt.plain", mqtt.plain)] {
        let found = match &patient.status {
            // What answers there is another program.
            Some(_) if stands.is_some_and(|stands| stands.shut.iter().any(|door| door.starts_with(name))) => continue,
            Some(_) if wanted.port() == 0 => Finding::skip("mqtt", format!("{name} took any free port")),
            Some(_) => answers(name, wanted).await,
            None => free(name, wanted, TcpListener::bind(wanted).await.map(drop)),
        };
        findings.push(Finding { check: "mqtt", ..found });
    }
    findings
}

/// What the running node says of its MQTT, as far as it is not well.
pub(super) fn stands_badly(mqtt: &Mqtt) -> Vec<Finding> {
    let down = mqtt.down.then(|| {
        let cure = "its log says why: journalctl -u tillway-node | grep broker; tills sell meanwhile. If it stays so, \
                    restart the node";
        Finding::warn("mqtt", "the broker is down and is started again and again: tills do not see each other", cure)
    });
    let shut = |door: &String| {
        let cure = "find who has it (ss -ltnp), end that program or change the address in node.toml; then restart the \
                    node";
        Finding::warn("mqtt", format!("a door is shut: {door}"), cure)
    };
    down.into_iter().chain(mqtt.shut.iter().map(shut)).collect()
}
