//! The command line: one file per command. Prints; decides nothing.

pub mod journal;
mod pairing;
mod run;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};
use firmware_config::NodeConfig;

/// One node of a shop: sells whatever happens to the internet.
#[derive(Debug, Parser)]
#[command(name = "edge-agent", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the node until it is told to stop (SIGTERM, Ctrl-C).
    Run {
        /// The node's configuration.
        #[arg(long, value_name = "DIR/node.toml")]
        config: PathBuf,
    },
    /// Pair lanes with the running node.
    #[command(subcommand)]
    Pairing(pairing::Pairing),
    /// Read, check and mend the logs of a node.
    Journal(journal::Journal),
    /// Print a completion script for a shell.
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Carries the command out.
///
/// # Errors
/// Whatever stands in its way, in words that say what to do.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    match cli.command {
        Command::Run { config } => run::run(&config).await,
        Command::Pairing(command) => pairing::run(command, &mut out).await,
        Command::Journal(journal) => journal::run(journal, &mut out),
        Command::Completion { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "edge-agent", &mut out);
            out.flush()?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A node's configuration and the folder it stands in.
fn read_config(path: &Path) -> anyhow::Result<(NodeConfig, PathBuf)> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read the configuration {}", path.display()))?;
    let config = NodeConfig::parse(&text).with_context(|| format!("{} is not valid", path.display()))?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((config, dir.to_owned()))
}
