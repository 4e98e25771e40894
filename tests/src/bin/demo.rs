//! `demo`: head office, two shops, their lanes and real receipts, until Ctrl-C or `DEMO_SECONDS`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tillway_tests::cli::tell;
use tillway_tests::process::{asked_to_end, shield_children};
use tokio::sync::watch;

/// Shows Tillway at work: head office, two shops with a node each, and lanes that sell real receipts.
///
/// Everything is made in a folder of its own on free ports of this machine, and removed at the end. What is printed are
/// the addresses, a sign-in, and the figures of both sides, which must be equal in the end: the exit code says so.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// End after so many seconds; without it, at Ctrl-C.
    #[arg(long, env = "DEMO_SECONDS")]
    seconds: Option<u64>,
}

#[tokio::main]
async fn main() -> ExitCode {
    tillway_tests::trust::install();
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let limit = arguments.seconds.map(Duration::from_secs);
    shield_children();
    let (end, ended) = watch::channel(false);
    tokio::spawn(async move {
        let elapsed = async {
            match limit {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            heard = asked_to_end() => drop(heard),
            () = elapsed => {}
        }
        end.send_replace(true);
        // A second Ctrl-C does not hurry it: it would leave processes behind. It ends by itself in seconds.
        while asked_to_end().await.is_ok() {
            tell("ending; a few seconds more");
        }
    });
    tillway_tests::demo::demo(ended).await
}
