//! The listeners: plain HTTP, and connections that TLS has already been taken off. Every connection has a limit
//! on its headers' time and size, their number is bounded, and an end lets running requests finish.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

/// Connections at once, per listener.
pub const CONNECTIONS: usize = 4_096;
/// How long a client may take to send its headers. (Our own tests wait for it.)
const HEADER_PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 10 });
/// How long running requests may take to finish once an end is called.
const END_PATIENCE: Duration = Duration::from_secs(10);

/// Serves one connection until it ends, or until `ending` turns true and its running requests are answered.
pub async fn connection<S>(stream: S, peer: SocketAddr, router: Router, mut ending: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let asked = Arc::new(AtomicBool::new(false));
    let has_asked = Arc::clone(&asked);
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        has_asked.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request.map(axum::body::Body::new))
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_PATIENCE).max_buf_size(64 << 10);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(256)
        .max_header_list_size(64 << 10)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    let ended = async {
        // A sender that is gone means the same as an end.
        let told = ending.wait_for(|ending| *ending).await;
        drop(told);
    };
    // Before the first bytes nobody can tell which HTTP it is, and no time limit of HTTP runs: ours does.
    let silent = async {
        tokio::time::sleep(HEADER_PATIENCE).await;
        if asked.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    let result = tokio::select! {
        result = serving.as_mut() => result,
        () = silent => {
            metrics::counter!("tillway_http_silent_connections_total").increment(1);
            tracing::debug!(%peer, "connection without a request was closed");
            return;
        }
        () = ended => {
            serving.as_mut().graceful_shutdown();
            match tokio::time::timeout(END_PATIENCE, serving).await {
                Ok(result) => result,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!(%peer, %error, "connection ended early");
    }
}

/// Accepts plain connections until `ending` turns true, then waits for those that are open.
pub async fn accept(listener: TcpListener, router: Router, ending: watch::Receiver<bool>) {
    accept_with(listener, ending.clone(), move |stream, peer| connection(stream, peer, router.clone(), ending.clone()))
        .await;
}

/// Accepts connections and gives each to `serve`, at most [`CONNECTIONS`] at once.
pub async fn accept_with<F, W>(listener: TcpListener, mut ending: watch::Receiver<bool>, serve: F)
where
    F: Fn(tokio::net::TcpStream, SocketAddr) -> W,
    W: Future<Output = ()> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            ended = ending.wait_for(|ending| *ending) => {
                drop(ended);
                break;
            }
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "no nodelay");
                }
                let serving = serve(stream, peer);
                open.spawn(async move {
                    serving.await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: give the others time to close.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// What comes back for `sent` when nothing more follows, and after how many seconds the door is shut.
    async fn door(sent: &[u8]) -> (String, u64) {
        let (mut client, server) = tokio::io::duplex(64 << 10);
        let (_open, ending) = watch::channel(false);
        let router = Router::new().route("/", axum::routing::get(|| async { "here" }));
        let serving = tokio::spawn(connection(server, SocketAddr::from(([127, 0, 0, 1], 1)), router, ending));
        let begun = tokio::time::Instant::now();
        client.write_all(sent).await.unwrap();
        let mut heard = Vec::new();
        let shut = tokio::time::timeout(Duration::from_secs(30), client.read_to_end(&mut heard)).await;
        shut.expect("it is shut one day").unwrap();
        serving.await.unwrap();
        (String::from_utf8_lossy(&heard).into_owned(), begun.elapsed().as_secs())
    }

    #[tokio::test]
    async fn a_connection_that_never_asks_is_shut() {
        for sent in [&b""[..], b"PRI * HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HT"] {
            let (_, seconds) = door(sent).await;
            assert!(seconds <= 2 * HEADER_PATIENCE.as_secs(), "{sent:?}: {seconds} s");
        }
        let (heard, _) = door(b"GET / HTTP/1.1\r\nhost: hq\r\n\r\n").await;
        assert!(heard.ends_with("here"), "{heard}");
    }
}
