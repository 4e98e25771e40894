//! `edge-agent run`: the node itself, in the foreground, until it is told to stop.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::read_config;
use crate::agent::{self, AgentOptions};
use crate::clock::Clock;
use crate::health::notify::Notifier;
use crate::health::watchdog;
use crate::mqtt::broker;
use crate::telemetry;

pub(super) async fn run(path: &Path) -> anyhow::Result<ExitCode> {
    let (config, dir) = read_config(path)?;
    telemetry::log_to_stderr(&config.log)?;
    telemetry::trace(config.trace.as_ref(), &config.node);
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut running = agent::start(AgentOptions { config, dir, clock: Clock::System }).await?;
    // From here on; the start itself copes with an index that panics while it opens.
    end_on_panic();
    let told = watchdog::run(Arc::clone(&running.sources), Notifier::from_environment(), running.stopping());
    tokio::spawn(told);
    tokio::select! {
        _ = terminate.recv() => tracing::info!("told to stop"),
        _ = interrupt.recv() => tracing::info!("interrupted"),
        () = running.stopped() => {}
    }
    running.close().await;
    telemetry::spans::flush().await;
    telemetry::stderr::flush();
    // Nothing is gained by taking the rest apart: it is memory. A node that did was twice seen closed and yet not
    // ended; sled, which flushes once more whenever one of its handles goes, is suspected and not convicted.
    std::process::exit(0)
}

/// A task that panics would leave the shop half alive: lanes that wait for an answer nobody gives. Ends the process
/// instead; the service manager starts it again, and it sells within the second.
fn end_on_panic() {
    std::panic::set_hook(Box::new(|info| {
        // The broker is a library with bugs of its own, and one that can be replaced.
        if broker::is_its_thread() {
            return tracing::warn!(panic = %info, "the MQTT broker ended");
        }
        tracing::error!(panic = %info, "a bug ended the agent; it has to be started again");
        telemetry::stderr::flush();
        std::process::abort();
    }));
}
