//! The socket and the accept loop: how many may knock, how long a handshake may take, what becomes of those who are
//! not of the house.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use protocol::limits;
use protocol::session::CloseCode;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{
    Connection, ConnectionError, Endpoint, EndpointConfig, IdleTimeout, Incoming, Runtime as _, ServerConfig,
    TokioRuntime, TransportConfig, VarInt,
};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::backend::Backend;
use super::connection;
use super::registry::{self, Registry};
use super::strangers::{Ids, QUIC_V1, Watched};
use super::{GatewayConfig, GatewayError};

const HANDSHAKE: Duration = Duration::from_millis(limits::HELLO_TIMEOUT_MS);
const IDLE_MS: u32 = 45_000;
/// One frame of the largest size may be on its way per stream.
const STREAM_BYTES: u32 = limits::FRAME_BYTES as u32 + 1_024;
/// All streams of one node together.
const CONNECTION_BYTES: u32 = 4 << 20;
/// What HQ holds for one node that reads slowly.
const SEND_BYTES: u64 = 1 << 20;
/// Live and backlog of three logs, and room for later channels.
pub(super) const NODE_STREAMS: u32 = 8;

/// Opens the socket; gives what watches it too.
pub(super) fn bind(listen: SocketAddr, tls: rustls::ServerConfig) -> Result<(Endpoint, Arc<Watched>), GatewayError> {
    let crypto = QuicServerConfig::try_from(tls).map_err(|error| GatewayError::Tls(error.to_string()))?;
    let mut transport = TransportConfig::default();
    transport
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_MS))))
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(NODE_STREAMS))
        .stream_receive_window(VarInt::from_u32(STREAM_BYTES))
        .receive_window(VarInt::from_u32(CONNECTION_BYTES))
        .send_window(SEND_BYTES)
        .datagram_receive_buffer_size(None);
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(Arc::new(transport));
    let ids = Ids::new();
    let mut endpoint = EndpointConfig::default();
    endpoint.cid_generator(move || Box::new(ids)).supported_versions(vec![QUIC_V1]);
    let opened = std::net::UdpSocket::bind(listen).and_then(|socket| {
        let socket = Arc::new(Watched::new(TokioRuntime.wrap_udp_socket(socket)?, ids));
        let watched = Arc::clone(&socket);
        Endpoint::new_with_abstract_socket(endpoint, Some(config), socket, Arc::new(TokioRuntime))
            .map(|endpoint| (endpoint, watched))
    });
    opened.map_err(|source| GatewayError::Listen { address: listen, source })
}

/// Accepts until told to end, then waits for the connections.
pub(super) async fn accept<B: Backend>(
    endpoint: Endpoint,
    backend: B,
    drain_per_second: u32,
    ended: watch::Receiver<bool>,
) {
    let registry = Registry::default();
    let handshakes = Arc::new(Semaphore::new(limits::GATEWAY_HANDSHAKES));
    let mut connections = JoinSet::new();
    let mut ending = ended.clone();
    connections.spawn(registry::expel_the_fallen(registry.clone(), backend.clone(), ended.clone()));
    loop {
        tokio::select! {
            biased;
            _ = ending.changed() => break,
            Some(_) = connections.join_next() => {}
            incoming = endpoint.accept() => {
                let Some(incoming) = incoming else { break };
                let working = limits::GATEWAY_HANDSHAKES - handshakes.available_permits();
                if connections.len() >= limits::GATEWAY_CONNECTIONS {
                    refuse(incoming, "connections");
                } else if working >= limits::GATEWAY_HANDSHAKES_UNPROVEN && !incoming.remote_address_validated() {
                    incoming.retry().ok();
                } else if let Ok(permit) = Arc::clone(&handshakes).try_acquire_owned() {
                    let (backend, registry, ended) = (backend.clone(), registry.clone(), ended.clone());
                    connections.spawn(async move {
                        let greeted = handshake(incoming).await;
                        drop(permit);
                        if let Some(quic) = greeted {
                            connection::serve(quic, backend, registry, drain_per_second, ended).await;
                        }
                    });
                } else {
                    refuse(incoming, "handshakes");
                }
            }
        }
    }
    while connections.join_next().await.is_some() {}
}

fn refuse(incoming: Incoming, limit: &'static str) {
    metrics::counter!("tillway_gateway_refused_total", "reason" => limit).increment(1);
    tracing::warn!(from = %incoming.remote_address(), limit, "too many at the door");
    incoming.refuse();
}

async fn handshake(incoming: Incoming) -> Option<Connection> {
    let from = incoming.remote_address();
    let failed = |reason: &'static str, what: String| {
        metrics::counter!("tillway_gateway_refused_total", "reason" => reason).increment(1);
        tracing::warn!(%from, reason, what, "no handshake");
    };
    match tokio::time::timeout(HANDSHAKE, incoming).await {
        Ok(Ok(connection)) => Some(connection),
        Ok(Err(error)) => {
            // A foreign or missing certificate ends here: rustls has told the caller why in a TLS alert.
            let tls = matches!(error, ConnectionError::TransportError(_) | ConnectionError::ConnectionClosed(_));
            failed(if tls { "tls" } else { "handshake" }, error.to_string());
            None
        }
        Err(_) => {
            failed(CloseCode::TIMEOUT.name(), "the handshake took too long".to_owned());
            None
        }
    }
}

impl GatewayConfig {
    /// A gateway on any port of the loopback, without a drain limit: for tests.
    pub fn loopback(tls: rustls::ServerConfig) -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 0)), tls, drain_per_second: 0 }
    }
}
