//! Keys and certificates: there, for their owner alone, of one enrolment, and how long they last.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use super::Patient;
use super::finding::Finding;
use crate::core::status::Age;
use crate::health::sources;
use crate::identity::{Identity, TerminalIdentity};

/// Files, their rights and whether they belong together.
pub(super) fn files(patient: &Patient) -> Vec<Finding> {
    let layout = &patient.layout;
    if !layout.identity().is_dir() {
        let says = format!("there is no {}", layout.identity().display());
        return vec![Finding::fail(
            "identity",
            says,
            "enrol this node: `provision enroll` (it makes keys and node.toml)",
        )];
    }
    let mut findings = Vec::new();
    findings.extend(rights(&layout.identity(), 0o700));
    findings.extend([layout.device_key(), layout.terminal_key()].iter().filter_map(|key| rights(key, 0o600)));
    match Identity::load(layout, &patient.config.node) {
        Ok(identity) => {
            findings.push(Finding::ok("identity", format!("head office knows this node as {}", identity.urn())))
        }
        Err(error) => {
            let cure = "the shop sells on, head office hears nothing until this is mended";
            findings.push(Finding::fail("identity", error.to_string(), cure));
        }
    }
    match TerminalIdentity::load(layout) {
        Ok(identity) => {
            let says = format!("tills trust it by the fingerprint {}", identity.ca_fingerprint());
            findings.push(Finding::ok("identity", says));
        }
        Err(error) => {
            let cure = "tills on this box sell on; the door on the shop's network stays shut until this is mended";
            findings.push(Finding::fail("identity", error.to_string(), cure));
        }
    }
    findings
}

/// Says so when others may read what is for the owner alone, or when it is somebody else's.
pub(super) fn rights(path: &Path, mode: u32) -> Option<Finding> {
    let metadata = std::fs::metadata(path).ok()?;
    let (found, owner) = (metadata.permissions().mode() & 0o777, metadata.uid());
    if found & !mode != 0 {
        let says = format!("others may open {} (its mode is {found:03o})", path.display());
        return Some(Finding::fail("identity", says, format!("chmod {mode:o} {}", path.display())));
    }
    let root = path.parent().and_then(|dir| std::fs::metadata(dir).ok()).map(|dir| dir.uid());
    if let Some(root) = root.filter(|root| *root != owner) {
        let says = format!("{} belongs to user {owner}, its folder to user {root}", path.display());
        let cure = format!("let the user of the node own both: chown {root} {}", path.display());
        return Some(Finding::warn("identity", says, cure));
    }
    None
}

/// How long the certificates last.
pub(super) fn certificates(patient: &Patient) -> Vec<Finding> {
    let certificates = sources::certificates(&patient.layout);
    if certificates.is_empty() {
        return vec![Finding::skip("certificate", "there is none to be read")];
    }
    let finding = |certificate: &crate::core::status::Certificate| {
        let (what, ends) = (&certificate.what, crate::core::status::day(certificate.ends));
        let says = match certificate.age(patient.now) {
            Age::Fresh => {
                return Finding::ok("certificate", format!("the one for {what} is good until {ends}"));
            }
            Age::Half => format!("the one for {what} ends on {ends}, in {} days", certificate.days_left(patient.now)),
            Age::Ended => format!("the one for {what} ended on {ends}; the shop sells on"),
        };
        let cure = "enrol this node again before that, with nothing waiting: `provision enroll --force`";
        match certificate.age(patient.now) {
            Age::Ended => Finding::fail("certificate", says, "enrol this node again: `provision enroll --force`"),
            Age::Fresh | Age::Half => Finding::warn("certificate", says, cure),
        }
    };
    certificates.iter().map(finding).collect()
}
