//! `edge-agent pairing create|list|revoke`: asks the running agent over its control socket.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use clap::Subcommand;
use firmware_config::layout::Layout;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::UnixStream;

use super::read_config;
use crate::agent::Addresses;
use crate::identity::TerminalIdentity;
use crate::invite;

/// Largest answer the agent gives here.
const ANSWER_BYTES: usize = 1 << 20;

#[derive(Debug, Subcommand)]
pub(super) enum Pairing {
    /// Make a code with which tills pair; it is good for ten minutes.
    ///
    /// A till sends it once: POST <address>/v1/pair {"code": "...", "name": "Till 1"}. Each till that pairs uses up one
    /// of --lanes. Beyond this machine it should check the CA fingerprint before it sends the code.
    Create {
        /// The node's configuration.
        #[arg(long, value_name = "DIR/node.toml")]
        config: PathBuf,
        /// How many lanes the code pairs, 1 to 64.
        #[arg(long, default_value_t = 1)]
        lanes: u16,
        /// Print one JSON object instead of text.
        #[arg(long)]
        json: bool,
    },
    /// List the paired lanes.
    List {
        /// The node's configuration.
        #[arg(long, value_name = "DIR/node.toml")]
        config: PathBuf,
        /// Print one JSON object instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Take a lane's token away: for a till that was lost or replaced.
    Revoke {
        /// The node's configuration.
        #[arg(long, value_name = "DIR/node.toml")]
        config: PathBuf,
        /// The lane's id, as `pairing list` shows it.
        #[arg(long)]
        lane: String,
    },
}

pub(super) async fn run(command: Pairing, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match command {
        Pairing::Create { config, lanes, json } => create(&config, lanes, json, out).await?,
        Pairing::List { config, json } => {
            let lanes = ask(&layout(&config)?, Method::GET, "/v1/lanes", None).await?;
            if json {
                writeln!(out, "{}", json!({ "lanes": lanes }))?;
            } else {
                if lanes.as_array().is_none_or(Vec::is_empty) {
                    writeln!(out, "no lane is paired yet; `edge-agent pairing create` makes a code")?;
                }
                for lane in lanes.as_array().into_iter().flatten() {
                    let text = |field: &str| lane.get(field).and_then(Value::as_str).unwrap_or("?").to_owned();
                    writeln!(out, "{}  {}  since {}", text("lane_id"), text("name"), text("paired_at"))?;
                }
            }
        }
        Pairing::Revoke { config, lane } => {
            ask(&layout(&config)?, Method::DELETE, &format!("/v1/lanes/{lane}"), None).await?;
            writeln!(out, "lane {lane} is revoked")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn create(config: &Path, lanes: u16, as_json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let layout = layout(config)?;
    let made = ask(&layout, Method::POST, "/v1/pairings", Some(json!({ "lanes": lanes }))).await?;
    let addresses =
        std::fs::read(layout.addresses()).with_context(|| format!("cannot read {}", layout.addresses().display()))?;
    let addresses: Addresses = serde_json::from_slice(&addresses)?;
    let fingerprint = TerminalIdentity::load(&layout).map(|identity| identity.ca_fingerprint()).ok();
    let loopback = format!("http://{}", addresses.terminal_http);
    let url = invite::url(addresses.terminal_https, addresses.terminal_http);
    let text = |field: &str| made.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let whole = json!({
        "url": url,
        "code": text("code"),
        "ca_fingerprint": fingerprint,
        "loopback_url": loopback,
        "expires_at": text("expires_at"),
        "lanes": lanes,
    });
    if as_json {
        writeln!(out, "{whole}")?;
        return Ok(());
    }
    writeln!(out, "code            {}", text("code"))?;
    let tills = if lanes == 1 { "1 lane".to_owned() } else { format!("{lanes} lanes") };
    writeln!(out, "for             {tills}, until {}", minute(&text("expires_at")))?;
    writeln!(out, "address         {url}")?;
    writeln!(out, "on this machine {loopback}")?;
    writeln!(out, "CA fingerprint  {}", fingerprint.as_deref().unwrap_or("none: enrol the node first"))?;
    Ok(())
}

/// A moment in RFC 3339 as a person reads it: to the minute, and in UTC because this box may stand anywhere.
fn minute(at: &str) -> String {
    at.parse::<jiff::Timestamp>().map_or_else(|_| at.to_owned(), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

fn layout(config: &Path) -> anyhow::Result<Layout> {
    let (config, dir) = read_config(config)?;
    Ok(Layout::new(&dir, &config))
}

/// Asks the running agent and gives `data` of its answer.
pub(super) async fn ask(layout: &Layout, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
    let socket = layout.control_socket();
    let stream = UnixStream::connect(&socket)
        .await
        .with_context(|| format!("no agent answers on {} (start it with `edge-agent run`)", socket.display()))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, "agent");
    let body = match body {
        Some(body) => {
            request = request.header(header::CONTENT_TYPE, "application/json");
            Body::from(body.to_string())
        }
        None => Body::empty(),
    };
    let response = sender.send_request(request.body(body)?).await?;
    let status = response.status();
    let bytes = axum::body::to_bytes(Body::new(response.into_body()), ANSWER_BYTES).await?;
    connection.abort();
    let mut answer: Value = serde_json::from_slice(&bytes).context("the agent's answer is not JSON")?;
    if status != StatusCode::OK {
        let message = answer.pointer("/error/message").and_then(Value::as_str).unwrap_or("no reason given");
        anyhow::bail!("the agent refused: {message}");
    }
    Ok(answer.get_mut("data").map(Value::take).unwrap_or_default())
}
