//! The command line of `provision`: what a person at a new box reads and types. Prints; decides nothing.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the command line is where a tool prints")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::doors;
use crate::enroll::{Enrolled, Options, enroll};
use crate::error::EnrollError;

const EXAMPLES: &str = "\
Examples:
  A box in a shop, with the code that head office made for it (`control-plane claim create`):
    provision enroll --hq https://hq.example.org --claim TW1-... --dir /var/lib/tillway/node
  On the machine of head office itself:
    provision enroll --hq http://127.0.0.1:8080 --claim TW1-... --dir ./node
  Then:
    edge-agent run --config /var/lib/tillway/node/node.toml

Exit codes:
  0 enrolled   1 a fault of this program   2 the command line (a typing error in the code is told from a wrong code)
  3 head office refused the claim   4 head office cannot be reached or is not the one that made the claim
  5 this box: there is a node already, or files cannot be written";

/// Make this box a node of a Tillway shop.
#[derive(Debug, Parser)]
#[command(name = "provision", version, about, after_help = EXAMPLES, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Enrol with a claim code: makes keys, has them certified, writes identity and node.toml.
    ///
    /// The code is good for one box and 24 hours. It also names head office: whoever answers must prove to be the
    /// one that made it. If the run is cut off, the same command goes on where it stopped.
    #[command(after_help = EXAMPLES)]
    Enroll(Box<EnrollArgs>),
    /// Print the completion script of a shell.
    Completion {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
struct EnrollArgs {
    /// Head office: https://host[:port] (its --tcp door), or http://127.0.0.1:port on its own machine.
    #[arg(long, value_name = "URL", env = "TILLWAY_HQ")]
    hq: String,
    /// The claim code, TW1-...; spaces, hyphens and case do not matter.
    #[arg(long, value_name = "CODE", env = "TILLWAY_CLAIM", hide_env_values = true)]
    claim: String,
    /// The folder of the node; made if need be.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// What people call the node; by default the host name.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// HTTPS for the terminals of the shop; by default 0.0.0.0:8443, or the next port that is free.
    #[arg(long, value_name = "ADDR")]
    terminal_https: Option<SocketAddr>,
    /// Plain HTTP for terminals on this very box, loopback only; by default 127.0.0.1:8080, or the next that is free.
    #[arg(long, value_name = "ADDR")]
    terminal_http: Option<SocketAddr>,
    /// MQTT with TLS for the shop's network; by default 0.0.0.0:8883, or the next port that is free.
    #[arg(long, value_name = "ADDR")]
    mqtt_tls: Option<SocketAddr>,
    /// Plain MQTT for this very box, loopback only; by default 127.0.0.1:1883, or the next that is free.
    #[arg(long, value_name = "ADDR")]
    mqtt_plain: Option<SocketAddr>,
    /// Where Prometheus reads; by default 127.0.0.1:9108, or the next that is free.
    #[arg(long, value_name = "ADDR")]
    metrics: Option<SocketAddr>,
    /// Set a node that is in the folder aside (nothing is deleted) and enrol a new one in its place.
    #[arg(long)]
    force: bool,
    /// Print one JSON object instead of text; errors too, on standard error.
    #[arg(long)]
    json: bool,
}

/// Parses the arguments and runs the command.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Completion { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "provision", &mut std::io::stdout());
            ExitCode::SUCCESS
        }
        Command::Enroll(args) => run(*args),
    }
}

fn run(args: EnrollArgs) -> ExitCode {
    // Whoever installed a provider before us installed the same one.
    drop(rustls::crypto::ring::default_provider().install_default());
    let json = args.json;
    let (terminal, metrics) = doors::choose(args.terminal_https, args.terminal_http, args.metrics);
    let others = [terminal.https, terminal.http, metrics];
    let mqtt = doors::choose_mqtt(args.mqtt_tls, args.mqtt_plain, &others);
    let options = Options {
        hq: args.hq,
        claim: args.claim,
        dir: args.dir,
        name: args.name,
        terminal,
        mqtt: Some(mqtt),
        metrics: Some(metrics),
        force: args.force,
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(enroll(options)) {
        Ok(enrolled) => {
            say(&enrolled, json);
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&error, json);
            error.exit().map_or(ExitCode::FAILURE, |exit| ExitCode::from(exit as u8))
        }
    }
}

fn say(enrolled: &Enrolled, json: bool) {
    if json {
        println!("{}", serde_json::to_string(enrolled).unwrap_or_default());
        return;
    }
    println!("This box is now the node \"{}\" of {}.", enrolled.name, enrolled.shop);
    println!("  node         {}", enrolled.node_id);
    println!(
        "  head office  {} (QUIC){}",
        enrolled.quic,
        enrolled.tcp.as_ref().map(|tcp| format!(", {tcp} (TLS)")).unwrap_or_default()
    );
    println!(
        "  terminals    https://{} on the LAN, http://{} on this box",
        enrolled.terminal_https, enrolled.terminal_http
    );
    let until = &enrolled.certificate_expires_at;
    println!("  certificate  until {}", until.split_once('T').map_or(until.as_str(), |(day, _)| day));
    if let Some(aside) = &enrolled.set_aside {
        println!("  old node     {} (keep it until head office has all of its sales)", aside.display());
    }
    println!("Start it:    edge-agent run --config {}", enrolled.config.display());
    println!("Pair a till: edge-agent pairing create --config {}", enrolled.config.display());
    println!("Its page:    http://{}/ on this box, once it runs", enrolled.terminal_http);
}

fn complain(error: &EnrollError, json: bool) {
    if json {
        let reason = match error {
            EnrollError::Refused { reason, .. } => reason.as_str(),
            EnrollError::Claim(_) => "claim_mistyped",
            EnrollError::Url { .. } | EnrollError::Argument { .. } => "argument",
            EnrollError::Exists { .. } => "exists",
            EnrollError::Busy(_) => "busy",
            EnrollError::Running(_) => "running",
            EnrollError::File { .. } => "file",
            EnrollError::Unreachable { .. } => "unreachable",
            EnrollError::NotOurs { .. } => "not_ours",
            EnrollError::NotNow { .. } => "not_now",
            EnrollError::Answer(_) => "answer",
            EnrollError::Key(_) => "key",
        };
        eprintln!("{}", serde_json::json!({ "error": { "reason": reason, "message": error.to_string() } }));
    } else {
        eprintln!("error: {error}");
    }
}
