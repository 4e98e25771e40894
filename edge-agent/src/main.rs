//! Starts the agent or one of its tools. Knows nothing else.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use edge_agent::cli::{self, Cli};
use edge_agent::telemetry;

/// How long work that nobody waits for any more may go on after the end.
const LAST_WORDS: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Whoever set a provider before us set the same one.
    drop(rustls::crypto::ring::default_provider().install_default());
    let ended = tokio::runtime::Runtime::new().map_err(anyhow::Error::from).and_then(|runtime| {
        let ended = runtime.block_on(cli::run(cli));
        // The node is closed by now. A file read that hangs on a dying disk must not keep the process from ending.
        runtime.shutdown_timeout(LAST_WORDS);
        ended
    });
    match ended {
        Ok(code) => code,
        Err(error) => {
            // Under a service manager the log stays JSON to its last line; a person reads a sentence.
            if tracing::enabled!(tracing::Level::ERROR) && !std::io::stderr().is_terminal() {
                tracing::error!(error = format!("{error:#}"), "ended with an error");
            } else {
                eprintln!("error: {error:#}");
            }
            telemetry::stderr::flush();
            ExitCode::FAILURE
        }
    }
}
