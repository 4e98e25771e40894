//! `proof`: the whole file on eight lanes while the uplink is cut for the middle third and the node is killed
//! ten times; then head office must say what the paper says, to the penny.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tillway_tests::cli::{say, tell};
use tillway_tests::process::{asked_to_end, passing_folder, shield_children};
use tillway_tests::proof::{Trial, prove};

/// Replays a file of receipts while the network and the power fail, and checks every figure at head office.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Receipts, gzip CSV.
    #[arg(long, value_name = "FILE.csv.gz")]
    receipts: PathBuf,
    /// Lanes that sell at once.
    #[arg(long, default_value_t = 8)]
    lanes: u16,
    /// How often the node is killed (-9).
    #[arg(long, default_value_t = 10)]
    kills: usize,
    /// At most so many receipts.
    #[arg(long)]
    limit: Option<usize>,
    /// Keep what is made here instead of in a folder that is removed.
    #[arg(long)]
    dir: Option<PathBuf>,
}

async fn run(arguments: Arguments) -> anyhow::Result<Vec<String>> {
    let Arguments { receipts, lanes, kills, limit, dir } = arguments;
    let trial = Trial { receipts, lanes, kills, limit };
    match dir {
        Some(kept) => prove(&trial, &kept).await,
        None => prove(&trial, passing_folder("tillway-proof-")?.path()).await,
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    tillway_tests::trust::install();
    shield_children();
    // Whatever runs is ended with the future that owns it.
    let outcome = tokio::select! {
        outcome = run(Arguments::parse()) => outcome,
        _ = asked_to_end() => Err(anyhow::anyhow!("interrupted")),
    };
    match outcome {
        Ok(faults) if faults.is_empty() => {
            say("PROVEN: every receipt is at head office once, to the penny");
            ExitCode::SUCCESS
        }
        Ok(faults) => {
            for fault in faults {
                say(&format!("FAULT: {fault}"));
            }
            ExitCode::from(2)
        }
        Err(error) => {
            tell(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
