//! Can this node sell? A judgement over facts that the shell gathered.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Below so many free bytes the ledger will stop soon: days of selling, not minutes.
pub const LOW_DISK_BYTES: u64 = 512 << 20;
/// Below so many free bytes the node says that it cannot go on.
pub const NO_DISK_BYTES: u64 = 32 << 20;

/// What was looked at.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Free bytes where the ledger stands, if they could be told.
    pub free_bytes: Option<u64>,
    /// Whether shop settings are in force.
    pub has_shop: bool,
    /// Whether the index takes writes.
    pub index_writes: bool,
    /// What is damaged in the logs, a sentence each.
    pub damage: Vec<String>,
    /// What is to be said of the certificates, a sentence each.
    pub certificates: Vec<String>,
    /// The shop's MQTT; none where there is none, or it has not started yet.
    pub mqtt: Option<Mqtt>,
}

/// How the shop's MQTT stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mqtt {
    /// There is no broker, and not only for a moment.
    pub down: bool,
    /// Doors of the configuration that could not be opened: which, where and why.
    pub shut: Vec<String>,
}

impl Mqtt {
    /// What is to be said of it, a sentence each. None of it stops a sale.
    pub fn warnings(&self) -> Vec<String> {
        let down = self.down.then(|| {
            "the MQTT broker is down: tills sell but do not see each other; it is started again by itself, and the log \
             says why it does not stay"
                .to_owned()
        });
        let shut = |door: &String| {
            format!("an MQTT door is shut, {door}: change it in node.toml or end what has it, then restart the node")
        };
        down.into_iter().chain(self.shut.iter().map(shut)).collect()
    }
}

/// How the node does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Report {
    /// What keeps it from selling.
    pub problems: Vec<String>,
    /// What will, if nobody acts.
    pub warnings: Vec<String>,
}

impl Report {
    /// Whether it can sell.
    pub fn ready(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Judges.
pub fn judge(facts: Facts) -> Report {
    let mut report = Report::default();
    if !facts.has_shop {
        report.problems.push("no shop settings yet: enrol the node, or let it reach head office once".to_owned());
    }
    match facts.free_bytes {
        Some(free) if free < NO_DISK_BYTES => {
            report.problems.push(format!("only {} MiB are free for the ledger: free space now", free >> 20));
        }
        Some(free) if free < LOW_DISK_BYTES => {
            report.warnings.push(format!("only {} MiB are free for the ledger: free space", free >> 20));
        }
        Some(_) => {}
        None => report.warnings.push("how much of the disk is free cannot be told".to_owned()),
    }
    if !facts.index_writes {
        report.warnings.push("the index takes no writes: sales go on, restart the agent to rebuild it".to_owned());
    }
    // Neither stops a sale: other records are whole, and a shop without head office sells.
    report.warnings.extend(facts.damage);
    report.warnings.extend(facts.certificates);
    report.warnings.extend(facts.mqtt.iter().flat_map(Mqtt::warnings));
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_without_settings_or_disk_is_not_ready_and_says_why() {
        let fine = Facts {
            free_bytes: Some(1 << 40),
            has_shop: true,
            index_writes: true,
            damage: vec![],
            certificates: vec![],
            mqtt: Some(Mqtt::default()),
        };
        assert_eq!(judge(fine.clone()), Report::default());
        assert!(!judge(Facts { has_shop: false, ..fine.clone() }).ready());
        assert!(!judge(Facts { free_bytes: Some(1 << 20), ..fine.clone() }).ready());
        let low = judge(Facts { free_bytes: Some(100 << 20), index_writes: false, ..fine.clone() });
        assert!(low.ready());
        assert_eq!(low.warnings.len(), 2);
        let damaged =
            judge(Facts { damage: vec!["segment 1".into()], certificates: vec!["ends".into()], ..fine.clone() });
        assert!(damaged.ready(), "the rest sells");
        assert_eq!(damaged.warnings, ["segment 1", "ends"]);
        let mqtt = Some(Mqtt { down: true, shut: vec!["mqtt.plain 127.0.0.1:1883 (in use)".into()] });
        let silent = judge(Facts { mqtt, ..fine });
        assert!(silent.ready(), "no money moves over it");
        assert!(
            silent.warnings[0].contains("broker is down") && silent.warnings[1].contains("127.0.0.1:1883 (in use)")
        );
        assert_eq!(silent.warnings.len(), 2);
    }
}
