//! The accept loop of every door: limits of connections, time-outs for TLS and headers, clean stop. Knows
//! nothing of what is served.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use protocol::limits;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::extract::Peer;

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the head of a request may take, and how long a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How long requests that are under way may take once the node stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest head of a request.
const HEAD_BYTES: usize = 32 << 10;
/// After the system refuses a connection (no file handles left), the loop waits this long.
const PAUSE: Duration = Duration::from_millis(100);

/// Counts connections, over all and by address.
#[derive(Debug, Default)]
pub struct Connections(Mutex<HashMap<IpAddr, usize>>);

/// One counted connection.
struct Counted {
    peer: IpAddr,
    of: Arc<Connections>,
}

impl Connections {
    fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Counted> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = open.values().sum();
        let mine = open.get(&peer).copied().unwrap_or(0);
        if all >= limits::TERMINAL_CONNECTIONS || mine >= limits::TERMINAL_PEER_CONNECTIONS {
            metrics::counter!("tillway_terminal_connections_refused_total").increment(1);
            return None;
        }
        open.insert(peer, mine + 1);
        Some(Counted { peer, of: Arc::clone(self) })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mine) = open.get_mut(&self.peer) {
            *mine = mine.saturating_sub(1);
            if *mine == 0 {
                open.remove(&self.peer);
            }
        }
    }
}

/// Serves a router on a TCP door, with or without TLS, until the node stops.
pub async fn serve_tcp(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    connections: Arc<Connections>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = tasks.join_next() => continue,
            () = crate::stop::asked(&mut stopping) => break,
        };
        let (stream, peer) = match accepted {
            Ok((stream, address)) => (stream, address.ip().to_canonical()),
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Some(counted) = connections.admit(peer) else {
            tracing::warn!(%peer, "too many connections; this one is closed");
            continue;
        };
        // Small answers are worth more at once than together.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let (tls, router, stopping) = (tls.clone(), router.clone(), stopping.clone());
        tasks.spawn(async move {
            let _counted = counted;
            match tls {
                None => serve_one(stream, peer, router, stopping).await,
                Some(tls) => match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
                    Ok(Ok(stream)) => serve_one(stream, peer, router, stopping).await,
                    Ok(Err(error)) => refused(peer, "TLS", &error),
                    Err(late) => refused(peer, "TLS", &late),
                },
            }
        });
    }
    drop(listener);
    while tasks.join_next().await.is_some() {}
}

/// Serves a router on a unix socket until the node stops.
pub async fn serve_unix(listener: UnixListener, router: Router, mut stopping: watch::Receiver<bool>) {
    let here = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    let connections = Arc::new(Connections::default());
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = tasks.join_next() => continue,
            () = crate::stop::asked(&mut stopping) => break,
        };
        let (Ok((stream, _)), Some(counted)) = (accepted, connections.admit(here)) else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let (router, stopping) = (router.clone(), stopping.clone());
        tasks.spawn(async move {
            let _counted = counted;
            serve_one(stream, here, router, stopping).await;
        });
    }
    while tasks.join_next().await.is_some() {}
}

async fn serve_one(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: IpAddr,
    router: Router,
    mut stopping: watch::Receiver<bool>,
) {
    let service = hyper::service::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = crate::stop::asked(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(STOP_TIMEOUT, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        if error.is_parse() {
            refused(peer, "HTTP", &error);
        } else {
            tracing::debug!(%peer, %error, "a connection ended early");
        }
    }
}

fn refused(peer: IpAddr, what: &'static str, error: &dyn std::error::Error) {
    metrics::counter!("tillway_terminal_bad_connections_total", "what" => what).increment(1);
    tracing::info!(%peer, what, %error, "a connection made no sense and was closed");
}

/// Binds a TCP door, so that the address is known before anything is served.
///
/// # Errors
/// The address is taken or not ours.
pub async fn bind(address: std::net::SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_house_remembers_nobody_it_sent_away() {
        let connections = Arc::new(Connections::default());
        let address = |n: u32| IpAddr::V4(std::net::Ipv4Addr::from(n));
        let peers = 1..=u32::try_from(limits::TERMINAL_CONNECTIONS).unwrap();
        let inside: Vec<_> = peers.map(|n| connections.admit(address(n)).unwrap()).collect();
        for n in 100_000..100_100 {
            assert!(connections.admit(address(n)).is_none());
        }
        assert_eq!(connections.0.lock().unwrap().len(), limits::TERMINAL_CONNECTIONS);
        drop(inside);
        assert!(connections.0.lock().unwrap().is_empty());
        let mine: Vec<_> =
            (0..limits::TERMINAL_PEER_CONNECTIONS).map(|_| connections.admit(address(1)).unwrap()).collect();
        assert!(connections.admit(address(1)).is_none(), "one till cannot take every place");
        assert!(connections.admit(address(2)).is_some());
        drop(mine);
    }
}
