//! The TLS door: one TCP port for people and enrolment (HTTPS). A node that comes here with `tillway/1` is told
//! apart by ALPN once the handshake is done. A handshake has a time limit of its own, so that a silent connection costs one place
//! for a few seconds and stalls nobody.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use protocol::enroll::ALPN;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::server;
use crate::domain::fleet::TlsDoor;

/// How long a handshake may take.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);
/// Accepts until `ending` turns true. HTTPS goes to `router`; nodes are sent to QUIC.
pub async fn accept(listener: TcpListener, tls: ServerConfig, router: Router, ending: watch::Receiver<bool>) {
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let router = router.layer(Extension(TlsDoor));
    let until = ending.clone();
    server::accept_with(listener, ending, move |stream, peer| {
        let (acceptor, router) = (acceptor.clone(), router.clone());
        one(acceptor, stream, peer, router, until.clone())
    })
    .await;
}

async fn one(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
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
    // Closing tells a node to try its other carrier; the gateway serves QUIC.
    refused(peer, "carrier", "nodes are served over QUIC");
}

fn refused(peer: SocketAddr, reason: &'static str, error: &str) {
    metrics::counter!("tillway_tls_refused_total", "reason" => reason).increment(1);
    tracing::info!(%peer, reason, error, "TLS connection refused");
}
