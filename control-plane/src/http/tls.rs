//! The TLS door: one TCP port for people (HTTPS) and for nodes without UDP (`tillway/1`), told apart by ALPN once
//! the handshake is done. A handshake has a time limit of its own, so that a silent connection costs one place
//! for a few seconds and stalls nobody.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use protocol::enroll::ALPN;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::server;
use crate::domain::fleet::TlsDoor;

/// How long a handshake may take.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);
/// Connections of nodes that wait for the gateway.
pub const WAITING_NODES: usize = 64;

/// A connection that speaks `tillway/1`, its handshake done. The client certificate, if any, has been checked
/// against the device CA; who it names is the gateway's business.
#[derive(Debug)]
pub struct NodeConnection {
    /// The connection.
    pub stream: TlsStream<TcpStream>,
    /// Where it comes from.
    pub peer: SocketAddr,
}

/// Accepts until `ending` turns true. HTTPS goes to `router`, nodes go to `nodes`.
pub async fn accept(
    listener: TcpListener,
    tls: ServerConfig,
    router: Router,
    nodes: mpsc::Sender<NodeConnection>,
    ending: watch::Receiver<bool>,
) {
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let router = router.layer(Extension(TlsDoor));
    let until = ending.clone();
    server::accept_with(listener, ending, move |stream, peer| {
        let (acceptor, router) = (acceptor.clone(), router.clone());
        one(acceptor, stream, peer, router, nodes.clone(), until.clone())
    })
    .await;
}

async fn one(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    nodes: mpsc::Sender<NodeConnection>,
    ending: watch::Receiver<bool>,
) {
    let stream = match tokio::time::timeout(HANDSHAKE_PATIENCE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return refused(peer, "failed", &error.to_string()),
        Err(_) => return refused(peer, "slow", "the handshake took too long"),
    };
    let speaks_tillway = stream.get_ref().1.alpn_protocol().is_some_and(|protocol| protocol == ALPN);
    if !speaks_tillway {
        return server::connection(stream, peer, router, ending).await;
    }
    if nodes.send_timeout(NodeConnection { stream, peer }, HANDSHAKE_PATIENCE).await.is_err() {
        refused(peer, "gateway", "the gateway takes no node");
    }
}

fn refused(peer: SocketAddr, reason: &'static str, error: &str) {
    metrics::counter!("tillway_tls_refused_total", "reason" => reason).increment(1);
    tracing::info!(%peer, reason, error, "TLS connection refused");
}
