//! The door of the nodes: QUIC with mutual TLS around `session::cloud`. Who a node is, the certificate says and
//! `fleet` confirms; what its records mean is `sales`' business, what it is sent `pricing`'s. Holds no rows and
//! decides nothing about them.

mod backend;
mod connection;
mod endpoint;
mod link;
pub mod memory;
mod registry;
mod strangers;
mod work;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use protocol::session::{CloseCode, Closed};
use quinn::{Endpoint, VarInt};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::App;
use backend::{Backend, Live};
use strangers::Watched;

/// How long connections get to say goodbye when the gateway ends.
const STOP: Duration = Duration::from_secs(3);

/// What a gateway is started with.
#[derive(Debug)]
pub struct GatewayConfig {
    /// Where to listen. Port 0 takes any.
    pub listen: SocketAddr,
    /// TLS 1.3 with a required client certificate and ALPN `tillway/1`: `Fleet::quic_tls`.
    pub tls: rustls::ServerConfig,
    /// Backlog events per second and node; 0: no limit.
    pub drain_per_second: u32,
}

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The address is not to be had.
    #[error("cannot listen on {address} (QUIC, UDP): {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A TLS configuration that QUIC cannot use.
    #[error("the TLS configuration cannot be used for QUIC: {0}")]
    Tls(String),
}

/// A gateway that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    endpoint: Endpoint,
    socket: Arc<Watched>,
    ending: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Opens the door.
///
/// # Errors
/// [`GatewayError`] says what to do about it.
pub fn start(app: App, config: GatewayConfig) -> Result<Gateway, GatewayError> {
    start_with(Live::new(app), config)
}

fn start_with<B: Backend>(backend: B, config: GatewayConfig) -> Result<Gateway, GatewayError> {
    let (endpoint, socket) = endpoint::bind(config.listen, config.tls)?;
    let listening = endpoint.local_addr();
    let address = listening.map_err(|source| GatewayError::Listen { address: config.listen, source })?;
    let (ending, ended) = watch::channel(false);
    let task = tokio::spawn(endpoint::accept(endpoint.clone(), backend, config.drain_per_second, ended));
    tracing::info!(%address, "the gateway listens (QUIC)");
    Ok(Gateway { address, endpoint, socket, ending, task })
}

impl Gateway {
    /// Where it listens.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Datagrams so far that no node of this house sent: no QUIC, another version of it, or nobody's connection.
    pub fn strange_datagrams(&self) -> u64 {
        self.socket.count()
    }

    /// Tells every node to come back later and ends. Commits that are under way are finished first.
    pub async fn stop(self) {
        self.ending.send_replace(true);
        if tokio::time::timeout(STOP, self.task).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
        let goodbye = Closed::new(CloseCode::SHUTDOWN, "head office stops");
        self.endpoint.close(VarInt::from(goodbye.code.0), goodbye.reason.as_bytes());
        let told = tokio::time::timeout(STOP, self.endpoint.wait_idle()).await.is_ok();
        tracing::info!(told, "the gateway is closed");
    }
}
