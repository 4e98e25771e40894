//! The command line: one file per command. Prints; decides nothing.

pub mod doctor;
pub mod journal;
mod pairing;
mod run;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};
use firmware_config::NodeConfig;

/// What stands under the help.
const EXAMPLES: &str = "\
Examples:
  Run the node that `provision enroll` made, then pair two tills with it:
    edge-agent run --config /var/lib/tillway/node/node.toml
    edge-agent pairing create --config /var/lib/tillway/node/node.toml --lanes 2
  Check every record on the disk; the node may go on selling:
    edge-agent journal verify --config /var/lib/tillway/node/node.toml
  Something is wrong, or may be:
    edge-agent doctor --config /var/lib/tillway/node/node.toml

Run each command as the user that runs the node (`sudo -u tillway ...`). The node logs JSON lines to standard error.

Exit codes:
  0 done   1 it failed, and says why; for `journal verify` and `repair` also: damage was found   2 the command line
  for `doctor`: 0 all is well   1 warnings   2 failures";

/// One node of a shop: sells whatever happens to the internet.
#[derive(Debug, Parser)]
#[command(name = "edge-agent", version, about, propagate_version = true, after_help = EXAMPLES)]
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
    /// Look the node over, running or stopped, and say what to do.
    Doctor(doctor::Doctor),
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
        Command::Doctor(doctor) => doctor::run(doctor, &mut out).await,
        Command::Completion { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "edge-agent", &mut out);
            out.flush()?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn unreadable(config: &Path) -> String {
    format!(
        "cannot read the configuration {} (`provision enroll` writes it: give --config its path, and run this as the \
         user that owns it)",
        config.display()
    )
}

/// A node's configuration and the folder it stands in.
fn read_config(path: &Path) -> anyhow::Result<(NodeConfig, PathBuf)> {
    let text = std::fs::read_to_string(path).with_context(|| unreadable(path))?;
    let config = NodeConfig::parse(&text).with_context(|| format!("{} is not valid", path.display()))?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((config, dir.to_owned()))
}
