//! `demo`: head office, two shops, their lanes and real receipts, until Ctrl-C or `DEMO_SECONDS`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tillway_tests::cli::tell;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

#[tokio::main]
async fn main() -> ExitCode {
    tillway_tests::trust::install();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    let limit = match std::env::var("DEMO_SECONDS") {
        Ok(text) => Some(Duration::from_secs(text.trim().parse().context("DEMO_SECONDS is a whole number")?)),
        Err(_) => None,
    };
    let (mut interrupt, mut terminate, mut hang_up) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    let (end, ended) = watch::channel(false);
    tokio::spawn(async move {
        let elapsed = async {
            match limit {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
            () = elapsed => {}
        }
        end.send_replace(true);
        // A second Ctrl-C does not hurry it: it would leave processes behind. It ends by itself in seconds.
        interrupt.recv().await;
        tell("ending; a few seconds more");
        std::future::pending::<()>().await;
    });
    tillway_tests::demo::demo(ended).await
}
