//! The command line of head office: parses, opens what a command needs, prints one JSON object on the last line
//! of its output. Decides nothing about tenants or shops itself.

mod args;
mod place;
mod run;

pub use args::{Cli, Command};

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::telemetry;

/// Parses the arguments and runs the command.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::Completion { shell } = &cli.command {
        clap_complete::generate(*shell, &mut Cli::command(), "control-plane", &mut std::io::stdout());
        return ExitCode::SUCCESS;
    }
    let serving = matches!(cli.command, Command::Serve(_));
    telemetry::logs(cli.log.as_deref().unwrap_or(if serving { "info,sqlx=warn" } else { "warn" }), cli.log_format);
    // Whoever installed a provider before us installed the same one.
    let installed = rustls::crypto::ring::default_provider().install_default();
    drop(installed);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("cannot start the runtime")),
    };
    let ended = runtime.block_on(run::run(cli.command));
    telemetry::stderr::flush();
    match ended {
        Ok(answer) => {
            match answer {
                // A list: one line each.
                Some(serde_json::Value::Array(lines)) => lines.iter().for_each(|line| say(&line.to_string())),
                Some(answer) => say(&answer.to_string()),
                None => {}
            }
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error),
    }
}

#[allow(clippy::print_stdout, reason = "the command line is where head office prints")]
fn say(line: &str) {
    println!("{line}");
}

#[allow(clippy::print_stderr, reason = "the command line is where head office prints")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}
