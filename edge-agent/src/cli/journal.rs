//! `edge-agent journal verify|repair|export`: the logs read from their files. `verify` and `export` may run beside the
//! agent. Knows the configuration file only as far as it says where the logs are and whose they are.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use firmware_config::NodeConfig;
use firmware_config::layout::Layout;
use protocol::id::{NodeId, Seq, Stream, Term};

use crate::ledger::{self, LogReport, Progress, Selection};

/// Read, check and mend the logs of a node.
#[derive(Debug, Args)]
pub struct Journal {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check every record, its checksum and the hash chain. Changes nothing; the node may be selling.
    ///
    /// Ends with 0 if all is whole and with 1 if anything is damaged. A torn write at the end is no damage: a power cut
    /// leaves it, nobody was told that it was done, and the next start cuts it off.
    Verify {
        #[command(flatten)]
        source: Source,
        /// Print one JSON object instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Copy damaged bytes to logs/set-aside and cut torn ends off. Stop the agent first. Never changes a record.
    ///
    /// What is whole stays where it is and goes on being read. Damaged records stay named by `verify` for good, since
    /// nothing in a log is rewritten, so the exit code is 1 then. The agent does the same at each start.
    Repair {
        #[command(flatten)]
        source: Source,
        /// Print one JSON object instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Write the records as lines of JSON.
    Export {
        #[command(flatten)]
        source: Source,
        /// One log: fiscal, work or telemetry. All of them if it is not given.
        #[arg(long, value_parser = parse_stream)]
        stream: Option<Stream>,
        /// One term. All of them if it is not given.
        #[arg(long)]
        term: Option<u32>,
        /// The first seq.
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// The last seq.
        #[arg(long)]
        to: Option<u64>,
        /// The file to write; standard output if it is not given.
        #[arg(long)]
        output: Option<PathBuf>,
        /// Lines are JSON with and without this; it is here so that every journal command takes it.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct Source {
    /// The node's configuration, as `provision enroll` wrote it.
    #[arg(long, value_name = "DIR/node.toml")]
    config: PathBuf,
}

impl Source {
    fn open(&self) -> anyhow::Result<(PathBuf, NodeId)> {
        let text = std::fs::read_to_string(&self.config).with_context(|| super::unreadable(&self.config))?;
        let config = NodeConfig::parse(&text).with_context(|| format!("{} is not valid", self.config.display()))?;
        let root = self.config.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let logs = Layout::new(root, &config).logs();
        anyhow::ensure!(
            logs.is_dir(),
            "there are no logs in {}: has this node ever run? (`edge-agent run` makes them)",
            logs.display()
        );
        Ok((logs, config.node.node_id))
    }
}

/// Runs the command and writes what it says to `out`. The exit code is 1 when there is damage.
///
/// # Errors
/// A configuration or a disk that cannot be read, an agent that still runs under `repair`, an output that is closed.
pub fn run(journal: Journal, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let mut bar = Bar::new();
    match journal.command {
        Command::Verify { source, json } => {
            let (logs, node) = source.open()?;
            let reports = ledger::verify(&logs, node, &mut |progress| bar.show(progress))?;
            bar.clear();
            report(out, &logs, &reports, json, "run `edge-agent journal repair` with the agent stopped")
        }
        Command::Repair { source, json } => {
            let (logs, node) = source.open()?;
            let reports = ledger::repair(&logs, node, &mut |progress| bar.show(progress))?;
            bar.clear();
            report(out, &logs, &reports, json, "every whole record is kept; keep the copy for support")
        }
        Command::Export { source, stream, term, from, to, output, json: _ } => {
            let (logs, node) = source.open()?;
            let upto = Seq(to.unwrap_or(u64::MAX));
            let selection = Selection { stream, term: term.map(Term), from: Seq(from), upto };
            let mut file = match &output {
                Some(path) => Some(BufWriter::new(
                    File::create(path).with_context(|| format!("cannot create {}", path.display()))?,
                )),
                None => None,
            };
            let to: &mut dyn Write = match &mut file {
                Some(file) => file,
                None => &mut *out,
            };
            let mut show = |progress| bar.show(progress);
            let records = ledger::export(&logs, node, &selection, &mut BufWriter::new(to), &mut show)?;
            bar.clear();
            if let Some(path) = output {
                writeln!(out, "{records} records written to {}", path.display())?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn parse_stream(name: &str) -> Result<Stream, String> {
    let known = Stream::ALL.into_iter().find(|stream| stream.name() == name);
    known.ok_or_else(|| format!("there is no log {name:?}: say fiscal, work or telemetry"))
}

fn report(
    out: &mut dyn Write,
    logs: &Path,
    reports: &[LogReport],
    json: bool,
    advice: &str,
) -> anyhow::Result<ExitCode> {
    let damaged = reports.iter().map(|report| report.damage.len()).sum::<usize>();
    if json {
        let whole = serde_json::json!({ "logs": logs, "damaged": damaged, "reports": reports });
        writeln!(out, "{whole}")?;
    } else {
        for report in reports {
            text(out, report)?;
        }
        match damaged {
            0 => writeln!(out, "no damage")?,
            1 => writeln!(out, "1 place is damaged: {advice}")?,
            more => writeln!(out, "{more} places are damaged: {advice}")?,
        }
    }
    Ok(if damaged == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn text(out: &mut dyn Write, report: &LogReport) -> io::Result<()> {
    let LogReport { stream, term, segments, first, last, records, .. } = report;
    write!(out, "{stream} term {term}: {records} records, seq {first} to {last}, {segments} segments")?;
    if let Some(hash) = &report.head_hash {
        write!(out, ", head {hash}")?;
    }
    if report.torn_bytes > 0 {
        write!(out, ", a torn write of {} bytes at the end (never acknowledged)", report.torn_bytes)?;
    }
    writeln!(out)?;
    for found in &report.damage {
        let damage = &found.damage;
        write!(
            out,
            "  damaged: {} at byte {} of segment {}, {} bytes, seq {} to {}",
            serde_json::to_value(damage.kind).ok().as_ref().and_then(|kind| kind.as_str()).unwrap_or_default(),
            damage.offset,
            damage.segment,
            damage.bytes,
            damage.first,
            damage.last
        )?;
        match &found.set_aside {
            Some(path) => writeln!(out, ", copied to {}", path.display())?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}

/// The line that moves on a terminal. Elsewhere it is silent: the report itself is plain lines.
struct Bar {
    on: bool,
}

impl Bar {
    fn new() -> Self {
        Self { on: io::stderr().is_terminal() }
    }

    fn show(&mut self, progress: Progress) {
        let Progress { stream, term, done, of, records } = progress;
        if self.on {
            self.on =
                write!(io::stderr(), "\r\x1b[K{stream} term {term}: segment {done} of {of}, {records} records").is_ok();
        }
    }

    fn clear(&mut self) {
        if self.on {
            self.on = write!(io::stderr(), "\r\x1b[K").is_ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use protocol::event::RawEvent;

    use super::*;
    use crate::ledger::{Logs, Options};

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        journal: Journal,
    }

    const CONFIG: &str = r#"
        [node]
        tenant_id = "00000000-0000-0000-0000-000000000001"
        shop_id = "00000000-0000-0000-0000-000000000002"
        node_id = "00000000-0000-0000-0000-000000000003"
        term = 1
        name = "till"
        [hq]
        quic = "hq.example:4433"
        server_name = "hq.example"
        [storage]
        data_dir = "data"
        [terminal]
        https = "127.0.0.1:0"
        http = "127.0.0.1:0"
        [log]
        filter = "info"
    "#;

    fn journal(dir: &Path, args: &[&str]) -> (anyhow::Result<ExitCode>, String) {
        let config = dir.join("node.toml").display().to_string();
        let (command, rest) = args.split_first().unwrap();
        let line = [&["edge-agent", command, "--config", &config], rest].concat();
        let mut out = Vec::new();
        let code = run(Cli::try_parse_from(line).unwrap().journal, &mut out);
        (code, String::from_utf8(out).unwrap())
    }

    fn is(code: anyhow::Result<ExitCode>, want: ExitCode) {
        assert_eq!(format!("{:?}", code.unwrap()), format!("{want:?}"));
    }

    #[tokio::test]
    async fn verify_repair_and_export_say_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        assert!(journal(dir.path(), &["verify"]).0.unwrap_err().to_string().contains("cannot read the configuration"));
        std::fs::write(dir.path().join("node.toml"), CONFIG).unwrap();
        assert!(journal(dir.path(), &["verify"]).0.unwrap_err().to_string().contains("has this node ever run"));
        let config = NodeConfig::parse(CONFIG).unwrap();
        let root = Layout::new(dir.path(), &config).logs();
        let (logs, _) = Logs::open(&root, config.node.node_id, config.node.term, Options::default()).unwrap();
        for kind in 900..903 {
            logs.append(Stream::Fiscal, RawEvent { kind, version: 1, body: vec![kind.to_le_bytes()[0]; 99] })
                .await
                .unwrap();
        }
        let (code, text) = journal(dir.path(), &["verify"]);
        is(code, ExitCode::SUCCESS);
        assert!(text.contains("fiscal term 1: 3 records, seq 1 to 3") && text.ends_with("no damage\n"), "{text}");
        let (code, lines) = journal(dir.path(), &["export", "--stream", "fiscal", "--from", "2", "--json"]);
        is(code, ExitCode::SUCCESS);
        assert_eq!(lines.lines().count(), 2);
        assert!(journal(dir.path(), &["repair"]).0.unwrap_err().to_string().contains("another process"));
        drop(logs);
        let segment = root.join("fiscal/t0000000001/00000000000000000001.seg");
        let mut bytes = std::fs::read(&segment).unwrap();
        bytes[4096 + 40] ^= 1;
        std::fs::write(&segment, bytes).unwrap();
        let (code, json) = journal(dir.path(), &["verify", "--json"]);
        is(code, ExitCode::from(1));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["damaged"], &json["reports"][0]["damage"][0]["first"]), (&1.into(), &1.into()));
        let (code, text) = journal(dir.path(), &["repair"]);
        is(code, ExitCode::from(1));
        assert!(text.contains("copied to"), "{text}");
    }
}
