//! Can this node sell? A judgement over facts that the shell gathered.

use serde::Serialize;
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
        };
        assert_eq!(judge(fine.clone()), Report::default());
        assert!(!judge(Facts { has_shop: false, ..fine.clone() }).ready());
        assert!(!judge(Facts { free_bytes: Some(1 << 20), ..fine.clone() }).ready());
        let low = judge(Facts { free_bytes: Some(100 << 20), index_writes: false, ..fine.clone() });
        assert!(low.ready());
        assert_eq!(low.warnings.len(), 2);
        let damaged = judge(Facts { damage: vec!["segment 1".into()], certificates: vec!["ends".into()], ..fine });
        assert!(damaged.ready(), "the rest sells");
        assert_eq!(damaged.warnings, ["segment 1", "ends"]);
    }
}
