//! Starts the agent or one of its tools. Knows nothing else.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use edge_agent::cli::{self, Cli};

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Whoever set a provider before us set the same one.
    drop(rustls::crypto::ring::default_provider().install_default());
    let ended =
        tokio::runtime::Runtime::new().map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(cli::run(cli)));
    match ended {
        Ok(code) => code,
        Err(error) => {
            // Under a service manager the log stays JSON to its last line; a person reads a sentence.
            if tracing::enabled!(tracing::Level::ERROR) && !std::io::stderr().is_terminal() {
                tracing::error!(error = format!("{error:#}"), "ended with an error");
            } else {
                eprintln!("error: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
