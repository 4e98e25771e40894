//! `replay`: sells a file of receipts at a node and prints what it came to, one JSON object on the last line.

use std::process::ExitCode;

use clap::Parser;
use tillway_tests::cli::{say, tell};
use tillway_tests::replay::{Done, Options, replay};

/// Sells a file of receipts at a node, as late entries at their own time, and says what it came to.
///
/// The catalogue of the file goes to head office first; receipts that head office has already are not sold again.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

#[tokio::main]
async fn main() -> ExitCode {
    tillway_tests::trust::install();
    let outcome = replay(&Arguments::parse().options, &Done::default()).await;
    let line = outcome.and_then(|report| Ok((serde_json::to_string(&report)?, report.rejected.is_empty())));
    match line {
        Ok((line, clean)) => {
            say(&line);
            if clean { ExitCode::SUCCESS } else { ExitCode::from(2) }
        }
        Err(error) => {
            tell(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
