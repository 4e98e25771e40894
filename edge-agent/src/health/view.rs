//! The words of the node's page: turns the status into what its templates lay out. Escaping is the templates' doing;
//! the one thing put in raw is the drawing of the QR code, which this program made.

use askama::Template;
use protocol::timestamp::Timestamp;

use crate::core::status::{Age, Level, Link, NodeStatus, bytes, day};
use crate::invite::Invitation;

/// A line of a card.
pub struct Row {
    /// What it is about.
    pub label: &'static str,
    /// What there is to say.
    pub value: String,
    /// What stands small below it.
    pub note: String,
    /// `good`, `attention`, `bad`, or nothing.
    pub level: &'static str,
}

impl Row {
    fn new(label: &'static str, value: impl Into<String>) -> Self {
        Self { label, value: value.into(), note: String::new(), level: "" }
    }

    fn at(self, level: Level) -> Self {
        Self { level: level.name(), ..self }
    }

    fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }
}

/// The page.
#[derive(Template)]
#[template(path = "health/templates/status.html")]
pub struct StatusPage<'a> {
    status: &'a NodeStatus,
    place: String,
    as_of: String,
    notes: Vec<String>,
    head_office: Vec<Row>,
    records: Vec<Row>,
    lanes: Vec<(String, &'static str, &'static str)>,
    devices: Vec<(String, String, &'static str)>,
    node: Vec<Row>,
    remarks: Vec<(String, String, &'static str)>,
    complaint: Option<String>,
}

impl<'a> StatusPage<'a> {
    /// Words for a status.
    pub fn new(status: &'a NodeStatus) -> Self {
        let lane = |lane: &crate::core::status::Lane| match lane.online {
            Some(true) => (lane.name.clone(), "connected", "good"),
            Some(false) => (lane.name.clone(), "not connected", ""),
            None => (lane.name.clone(), "paired", ""),
        };
        let remark = |remark: &crate::core::status::Remark| {
            let times = if remark.times > 1 { format!(" ({} times)", remark.times) } else { String::new() };
            (status.clock(remark.at), format!("{}{times}", remark.text), remark.level.name())
        };
        Self {
            place: place(status),
            as_of: status.clock(status.at),
            notes: notes(status),
            head_office: head_office(status),
            records: records(status),
            lanes: status.lanes.iter().map(lane).collect(),
            devices: status
                .devices
                .iter()
                .map(|device| (device.name.clone(), format!("{}: {}", device.kind, device.state), device.level.name()))
                .collect(),
            node: node(status),
            remarks: status.remarks.iter().map(remark).collect(),
            complaint: None,
            status,
        }
    }

    /// The same with a complaint about what was asked.
    #[must_use]
    pub fn with_complaint(self, why: &str) -> Self {
        Self { complaint: Some(why.to_owned()), ..self }
    }
}

/// What stands below the headline: everything that somebody should look at.
fn notes(status: &NodeStatus) -> Vec<String> {
    let devices = status.devices.iter().filter(|device| device.level != Level::Good);
    let devices = devices.map(|device| format!("{} {}: {}", device.kind, device.name, device.state));
    let (problems, warnings) = (status.problems.iter().skip(1).cloned(), status.warnings.iter().cloned());
    problems.chain(warnings).chain(devices).collect()
}

fn place(status: &NodeStatus) -> String {
    let shop = status.node.shop.as_deref().unwrap_or("no shop yet");
    format!("{shop} · {}", status.node.name)
}

fn head_office(status: &NodeStatus) -> Vec<Row> {
    let uplink = &status.uplink;
    let line = match uplink.link {
        Link::Connected => Row::new("Line", "Connected").at(Level::Good),
        Link::Trying => Row::new("Line", "Trying to connect").at(Level::Attention),
        Link::Resting => Row::new("Line", "No line; it tries again by itself").at(Level::Attention),
        Link::Off => Row::new("Line", "Off: it cannot even try").at(Level::Bad),
    };
    let mut rows = vec![line];
    if let Some(reason) = uplink.reason.as_deref().filter(|_| uplink.link != Link::Connected) {
        rows.push(Row::new("Why", plain(reason)).note(reason));
    }
    rows.push(match uplink.last_contact {
        Some(at) => Row::new("Last heard", status.ago(at)).note(status.clock(at)),
        None => Row::new("Last heard", "not since this start"),
    });
    rows.push(match (uplink.waiting, uplink.waiting_since) {
        (0, _) => Row::new("Waiting", "Nothing").at(Level::Good),
        (count, None) => Row::new("Waiting", grouped(count)),
        (count, Some(since)) => Row::new("Waiting", format!("{} since {}", grouped(count), status.clock(since))),
    });
    rows.push(Row::new("Address", uplink.address.clone()));
    for certificate in &status.certificates {
        let (age, days) = (certificate.age(status.at), certificate.days_left(status.at));
        let (level, text) = match age {
            // What is as it should be need not shine.
            Age::Fresh => ("", format!("until {}", day(certificate.ends))),
            Age::Half => {
                (Level::Attention.name(), format!("until {}, {days} days: enrol again before", day(certificate.ends)))
            }
            Age::Ended => (Level::Bad.name(), format!("ended on {}: enrol again", day(certificate.ends))),
        };
        let row = Row::new("Certificate", text).note(format!("for {}", certificate.what));
        rows.push(Row { level, ..row });
    }
    rows
}

fn records(status: &NodeStatus) -> Vec<Row> {
    let ledger = &status.ledger;
    let mut rows = vec![match ledger.last_at {
        Some(at) => Row::new("Last sale", status.ago(at)).note(status.clock(at)),
        None => Row::new("Last sale", "none yet"),
    }];
    rows.push(Row::new("Position", format!("{} in term {}", grouped(ledger.seq), status.node.term)));
    let files = if ledger.segments == 1 { "1 file".to_owned() } else { format!("{} files", ledger.segments) };
    let from = format!("from position {}", grouped(ledger.first_kept));
    rows.push(Row::new("On this box", format!("{files}, {}", bytes(ledger.bytes))).note(from));
    rows.push(match (ledger.free_bytes, ledger.free_days) {
        (None, _) => Row::new("Free disk", "cannot be told").at(Level::Attention),
        (Some(free), None) => Row::new("Free disk", bytes(free)),
        (Some(free), Some(days)) => {
            let level = if days < 30 { Level::Attention.name() } else { "" };
            let enough = match days {
                0 => "less than a day of selling".to_owned(),
                1..=365 => format!("{days} days of selling"),
                _ => "more than a year of selling".to_owned(),
            };
            Row { level, ..Row::new("Free disk", enough).note(bytes(free)) }
        }
    });
    match (ledger.damage.as_slice(), ledger.checked_at) {
        ([], None) => rows.push(Row::new("Damage", "being checked")),
        ([], Some(at)) => {
            rows.push(
                Row::new("Damage", "None").note(format!("all records read {}", status.clock(at))).at(Level::Good),
            );
        }
        (damage, _) => rows.extend(damage.iter().map(|place| Row::new("Damage", place.clone()).at(Level::Bad))),
    }
    rows
}

fn node(status: &NodeStatus) -> Vec<Row> {
    let node = &status.node;
    let mut rows = vec![
        Row::new("Version", node.version.clone()),
        Row::new("Running", format!("since {}", status.clock(node.since))),
        Row::new("Term", node.term.to_string()),
        Row::new("Node", node.node_id.clone()),
    ];
    if let Some(kib) = node.memory_kib {
        rows.push(Row::new("Memory", format!("{} MiB", kib >> 10)));
    }
    rows
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Why there is no line, in the words of a shop.
fn plain(reason: &str) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if has(&["resolved", "has no address"]) {
        "The name of head office is not known here: is the internet up?"
    } else if has(&["no answer", "silent", "timed out"]) {
        "Head office does not answer: is the internet up, does the firewall let UDP out?"
    } else if has(&["unreachable", "no socket"]) {
        "This box has no way out: is its network cable or Wi-Fi connected?"
    } else if has(&["xpired", "revoked", "certificate", "ertificate", "unknown CA", "identity"]) {
        "The certificates do not agree: run `edge-agent doctor` on this box."
    } else {
        "Head office or the way to it refused:"
    }
}

/// A code, for a till.
#[derive(Template)]
#[template(path = "health/templates/pairing.html")]
pub struct PairingPage {
    place: String,
    invitation: Invitation,
    tills: String,
    until: String,
    ends_millis: i64,
    minutes: i64,
    qr: Option<String>,
    fingerprint: Vec<String>,
}

impl PairingPage {
    /// Words for an invitation.
    pub fn new(
        status: &NodeStatus,
        invitation: Invitation,
        lanes: u16,
        expires_at: Timestamp,
        qr: Option<String>,
    ) -> Self {
        let fingerprint = invitation.ca_fingerprint.as_deref().unwrap_or_default().as_bytes();
        Self {
            place: place(status),
            tills: if lanes == 1 { "one till".to_owned() } else { format!("{lanes} tills") },
            until: status.clock(expires_at),
            ends_millis: expires_at.0,
            minutes: expires_at.millis_since(status.at).max(0) / 60_000,
            fingerprint: fingerprint.chunks(4).map(|four| String::from_utf8_lossy(four).into_owned()).collect(),
            invitation,
            qr,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_numbers_grouped() {
        let mut status = NodeStatus::default();
        status.node.name = "<script>alert(1)</script>".to_owned();
        status.node.shop = Some("Tom & \"Jerry\"".to_owned());
        let html = StatusPage::new(&status).with_complaint("<b>").render().unwrap();
        assert!(!html.contains("<script>alert") && !html.contains("<b>") && html.contains("alert(1)"), "{html}");
        assert!(!html.contains("Tom & \""), "{html}");
        assert_eq!(
            (grouped(7), grouped(1_234_567), grouped(123_456)),
            ("7".into(), "1,234,567".into(), "123,456".into())
        );
    }

    #[test]
    fn reasons_are_told_in_the_words_of_a_shop() {
        assert!(plain("the name hq.example cannot be resolved: no such host").contains("is the internet up"));
        assert!(plain("192.0.2.1:4433: no answer").contains("firewall"));
        assert!(plain("invalid peer certificate: Expired").contains("doctor"));
        assert!(plain("no").ends_with(':'));
    }
}
