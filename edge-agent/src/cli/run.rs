//! `edge-agent run`: the node itself, in the foreground, until it is told to stop.

use std::path::Path;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use super::read_config;
use crate::agent::{self, AgentOptions};
use crate::clock::Clock;
use crate::telemetry;

pub(super) async fn run(path: &Path) -> anyhow::Result<ExitCode> {
    let (config, dir) = read_config(path)?;
    telemetry::log_to_stderr(&config.log.filter)?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let running = agent::start(AgentOptions { config, dir, clock: Clock::System }).await?;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("told to stop"),
        _ = interrupt.recv() => tracing::info!("interrupted"),
        () = running.stopped() => {}
    }
    running.stop().await;
    Ok(ExitCode::SUCCESS)
}
