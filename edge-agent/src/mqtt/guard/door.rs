//! The doors: TLS for the shop's LAN, plain for this machine. Takes connections, counts them, does the handshake within
//! its time, hands them on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use protocol::limits;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::reason::Reason;
use super::{Guard, session};

/// Connections that wait to be taken.
const BACKLOG: u32 = 128;
/// Bytes that the system keeps for a client that does not take them: small, so that a slow one is noticed.
const SEND_BUFFER_BYTES: u32 = 128 << 10;
/// After the system refuses a connection (no file handles left), the loop waits this long.
const PAUSE: Duration = Duration::from_millis(100);

/// Which door.
#[derive(Clone)]
pub enum Door {
    /// TLS with the shop's certificate.
    Tls(TlsAcceptor),
    /// Plain, loopback only; the node's own client comes this way.
    Plain,
}

/// Binds a door, so that the address is known before anything is served.
///
/// # Errors
/// The address is taken or not ours.
pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    // Connections inherit both: a peer that is gone is found even if it asked for no keep-alive.
    socket.set_keepalive(true)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves a door until the node stops; clients that are in are told so.
pub async fn serve(listener: TcpListener, door: Door, guard: Arc<Guard>) {
    let mut tasks = tokio::task::JoinSet::new();
    let mut stopping = guard.stopping.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = tasks.join_next() => continue,
            () = crate::stop::asked(&mut stopping) => break,
        };
        let (stream, peer) = match accepted {
            Ok((stream, address)) => (stream, address.ip().to_canonical()),
            Err(error) => {
                tracing::warn!(%error, "an MQTT connection was not accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Some(guest) = guard.book.admit(peer) else {
            guard.note(Reason::Quota("too many connections"), peer, "");
            continue;
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let (door, guard) = (door.clone(), Arc::clone(&guard));
        tasks.spawn(async move {
            let by = Instant::now() + Duration::from_millis(limits::MQTT_CONNECT_MS);
            match door {
                Door::Plain => session::serve(&guard, stream, guest, by, true).await,
                Door::Tls(tls) => match timeout_at(by, tls.accept(stream)).await {
                    Ok(Ok(stream)) => session::serve(&guard, stream, guest, by, false).await,
                    Ok(Err(error)) => {
                        metrics::counter!("tillway_mqtt_refused_total", "reason" => "tls").increment(1);
                        tracing::debug!(%peer, %error, "no TLS");
                    }
                    Err(_) => guard.note(Reason::Silent, peer, ""),
                },
            }
        });
    }
    drop(listener);
    while tasks.join_next().await.is_some() {}
}
