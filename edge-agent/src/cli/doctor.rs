//! `edge-agent doctor`: looks a node over, running or stopped, and says of each thing whether it is well and what to do
//! if not. Changes nothing but a small file that it writes and removes to measure the disk.

mod devices;
mod finding;
mod identity;
mod machine;
mod network;
mod records;
#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use axum::http::Method;
use clap::Args;
use firmware_config::NodeConfig;
use firmware_config::layout::Layout;
use protocol::timestamp::Timestamp;
use serde_json::json;

use crate::clock::Clock;
use crate::core::status::{Level, NodeStatus};
use finding::{Finding, Outcome};

const AFTER_HELP: &str = "\
Looks, in this order, at: config, node, identity, certificate, clock, disk, logs, index, ports, head office, printers,
mqtt, memory. Works while the node sells and while it is stopped, and changes nothing. Run it as the user that runs the
node:
    sudo -u tillway edge-agent doctor --config /var/lib/tillway/node/node.toml

Each line is one of
    ok    well
    warn  it works, or may mend itself; somebody should look
    fail  something is broken and will not mend itself
    skip  could not be looked at, and why
and what is not well says below what to do.

Exit codes: 0 all is well   1 warnings   2 failures (and a command line that cannot be read)";

/// Look a node over and say what to do.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Doctor {
    /// The node's configuration, as `provision enroll` wrote it.
    #[arg(long, value_name = "DIR/node.toml")]
    config: PathBuf,
    /// Read every record of the logs, not only the newest file of each. Takes minutes after a year of sales.
    #[arg(long)]
    full: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// Who is looked at.
struct Patient {
    config: NodeConfig,
    layout: Layout,
    /// What the running agent says of itself; none when it is stopped.
    status: Option<NodeStatus>,
    now: Timestamp,
    full: bool,
}

/// Looks, prints, and answers with the exit code.
///
/// # Errors
/// Only an output that is closed; whatever is wrong with the node is a finding.
pub async fn run(doctor: Doctor, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let progress = Progress { on: io::stderr().is_terminal() && !doctor.json };
    let findings = examine(&doctor, &progress).await;
    progress.clear();
    let worst = findings.iter().map(|finding| finding.outcome).max().unwrap_or_default();
    if doctor.json {
        writeln!(out, "{}", json!({ "outcome": worst, "checks": findings }))?;
    } else {
        print(&findings, out)?;
    }
    Ok(ExitCode::from(match worst {
        Outcome::Ok | Outcome::Skip => 0,
        Outcome::Warn => 1,
        Outcome::Fail => 2,
    }))
}

async fn examine(doctor: &Doctor, progress: &Progress) -> Vec<Finding> {
    progress.show("config");
    let (config, layout) = match read(&doctor.config) {
        Ok(read) => read,
        Err(findings) => return findings,
    };
    let mut findings = vec![Finding::ok("config", format!("{} is valid", doctor.config.display()))];
    progress.show("node");
    let status = ask(&layout).await;
    let (now, full) = (Clock::System.now(), doctor.full);
    let patient = Patient { config, layout, status, now, full };
    findings.extend(node(&patient));
    progress.show("identity");
    findings.extend(identity::files(&patient));
    findings.extend(identity::certificates(&patient));
    progress.show("clock");
    findings.extend(machine::clock(&patient).await);
    progress.show("disk");
    findings.extend(machine::disk(&patient));
    progress.show("logs");
    findings.extend(records::logs(&patient, progress));
    findings.extend(records::index(&patient));
    progress.show("ports");
    findings.extend(network::ports(&patient).await);
    progress.show("head office");
    findings.extend(network::head_office(&patient).await);
    progress.show("printers");
    findings.extend(devices::printers(&patient).await);
    progress.show("mqtt");
    findings.extend(devices::mqtt(&patient).await);
    findings.extend(machine::memory(&patient));
    findings
}

/// The configuration, or everything that is wrong with it.
fn read(path: &Path) -> Result<(NodeConfig, Layout), Vec<Finding>> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let cure = "give --config the path of node.toml, and run this as the user that owns it";
        vec![Finding::fail("config", format!("{} cannot be read: {error}", path.display()), cure)]
    })?;
    let config = NodeConfig::parse(&text).map_err(|error| {
        let problem = |problem: &firmware_config::Problem| {
            Finding::fail(
                "config",
                format!("{}: {problem}", path.display()),
                "correct this line; then run doctor again",
            )
        };
        error.problems.iter().map(problem).collect::<Vec<_>>()
    })?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let layout = Layout::new(dir, &config);
    Ok((config, layout))
}

/// What the running agent says of itself.
async fn ask(layout: &Layout) -> Option<NodeStatus> {
    let answer = super::pairing::ask(layout, Method::GET, "/v1/status", None);
    let answer = tokio::time::timeout(network::PATIENCE, answer).await.ok()?.ok()?;
    serde_json::from_value(answer).ok()
}

fn node(patient: &Patient) -> Vec<Finding> {
    let Some(status) = &patient.status else {
        let cure = "start it: sudo systemctl start tillway-node (or `edge-agent run`); its log says why if it does not \
                    stay: journalctl -u tillway-node";
        return vec![Finding::warn("node", "it is not running", cure)];
    };
    let who = &status.node;
    let mut findings = vec![if status.ready {
        let said = format!("{} (version {}, since {})", status.headline, who.version, status.clock(who.since));
        // What wants attention has its own line below.
        Finding::ok("node", said)
    } else {
        Finding::fail("node", status.headline.clone(), "see the lines below, and docs/operations.md, \"Is all well?\"")
    }];
    if who.version != env!("CARGO_PKG_VERSION") {
        let said = format!("version {} runs, this program is {}", who.version, env!("CARGO_PKG_VERSION"));
        findings.push(Finding::warn("node", said, "restart the node to bring the installed version into force"));
    }
    let errors = status.remarks.iter().filter(|remark| remark.level == Level::Bad).count();
    if errors > 0 {
        let said = format!("its log has {errors} different errors since it started");
        findings.push(Finding::warn("node", said, "read them: journalctl -u tillway-node -p warning, or its page"));
    }
    findings
}

fn print(findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    let colour = io::stdout().is_terminal();
    for finding in findings {
        let (before, after) = if colour { (finding.outcome.colour(), "\x1b[0m") } else { ("", "") };
        writeln!(out, "{before}{:<4}{after}  {:<12} {}", finding.outcome.name(), finding.check, finding.says)?;
        if let Some(cure) = &finding.cure {
            writeln!(out, "{:19}-> {cure}", "")?;
        }
    }
    let count = |outcome| findings.iter().filter(|finding| finding.outcome == outcome).count();
    match (count(Outcome::Fail), count(Outcome::Warn)) {
        (0, 0) => writeln!(out, "\nAll is well."),
        (failed, warned) => writeln!(out, "\n{failed} failed, {warned} to look at."),
    }
}

/// The line that moves on a terminal; elsewhere it is silent.
struct Progress {
    on: bool,
}

impl Progress {
    fn show(&self, what: &str) {
        if self.on {
            drop(write!(io::stderr(), "\r\x1b[Kchecking {what} ..."));
        }
    }

    fn clear(&self) {
        if self.on {
            drop(write!(io::stderr(), "\r\x1b[K"));
        }
    }
}
