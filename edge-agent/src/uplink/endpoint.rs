//! One dial: from a configured name to a QUIC connection, or a reason why not. A new socket for every dial, so that a
//! change of network needs no care.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use firmware_config::HostPort;
use protocol::limits;
use protocol::session::{CloseCode, Closed};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, IdleTimeout, TransportConfig, VarInt};

use super::Options;
use crate::identity::IdentityError;

/// One address is tried for this long.
const DIAL: Duration = Duration::from_millis(limits::HELLO_TIMEOUT_MS);
/// Addresses of one name that are tried.
const ADDRESSES: usize = 4;
/// Keeps mappings of shop routers alive: many forget UDP after 30 s.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const IDLE_MS: u32 = 45_000;
/// What HQ may have on its way to us: two windows of a transfer.
const RECEIVE_BYTES: u32 = 2 * limits::TRANSFER_WINDOW_BYTES as u32;

/// A connection with the socket it lives on.
#[derive(Debug)]
pub(super) struct Dialled {
    pub(super) endpoint: Endpoint,
    pub(super) connection: Connection,
}

fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_MS))))
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(4))
        .stream_receive_window(VarInt::from_u32(RECEIVE_BYTES))
        .receive_window(VarInt::from_u32(2 * RECEIVE_BYTES))
        .datagram_receive_buffer_size(None);
    transport
}

/// The identity as QUIC wants it.
pub(super) fn client_tls(options: &Options) -> Result<Arc<QuicClientConfig>, IdentityError> {
    let tls = options.identity.uplink_tls(&options.clock)?;
    let tls = QuicClientConfig::try_from(tls).map_err(|error| rustls::Error::General(error.to_string()))?;
    Ok(Arc::new(tls))
}

/// Resolves and dials. The first address that answers wins.
pub(super) async fn dial(hq: &HostPort, server_name: &str, tls: &Arc<QuicClientConfig>) -> Result<Dialled, Closed> {
    let unreachable = |reason: String| Closed::new(CloseCode::TIMEOUT, reason);
    let lookup = tokio::time::timeout(DIAL, tokio::net::lookup_host((hq.host(), hq.port()))).await;
    let found = lookup.map_err(|_| unreachable(format!("the name {} was not resolved in time", hq.host())))?;
    let found = found.map_err(|error| unreachable(format!("the name {} cannot be resolved: {error}", hq.host())))?;
    let mut last = unreachable(format!("the name {} has no address", hq.host()));
    for address in found.take(ADDRESSES) {
        match dial_one(address, server_name, tls).await {
            Ok(dialled) => return Ok(dialled),
            Err(closed) => last = closed,
        }
    }
    Err(last)
}

async fn dial_one(address: SocketAddr, server_name: &str, tls: &Arc<QuicClientConfig>) -> Result<Dialled, Closed> {
    let local: SocketAddr =
        if address.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let failed = |reason: String| Closed::new(CloseCode::TIMEOUT, format!("{address}: {reason}"));
    let endpoint = Endpoint::client(local).map_err(|error| failed(format!("no socket: {error}")))?;
    let mut config = ClientConfig::new(Arc::<QuicClientConfig>::clone(tls));
    config.transport_config(Arc::new(transport()));
    let connecting = endpoint.connect_with(config, address, server_name).map_err(|error| failed(error.to_string()))?;
    match tokio::time::timeout(DIAL, connecting).await {
        Ok(Ok(connection)) => Ok(Dialled { endpoint, connection }),
        Ok(Err(error)) => Err(Closed { reason: format!("{address}: {error}"), ..closed(&error) }),
        Err(_) => Err(failed("no answer".to_owned())),
    }
}

/// What the end of a connection means.
pub(super) fn closed(error: &ConnectionError) -> Closed {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            let code = u16::try_from(close.error_code.into_inner()).map_or(CloseCode::PROTOCOL, CloseCode);
            Closed::new(code, String::from_utf8_lossy(&close.reason).into_owned())
        }
        ConnectionError::ConnectionClosed(close) => Closed::new(CloseCode::REFUSED, close.to_string()),
        ConnectionError::TimedOut => Closed::new(CloseCode::TIMEOUT, "HQ has been silent"),
        ConnectionError::LocallyClosed => Closed::new(CloseCode::SHUTDOWN, "closed by this node"),
        ConnectionError::VersionMismatch
        | ConnectionError::TransportError(_)
        | ConnectionError::Reset
        | ConnectionError::CidsExhausted => Closed::new(CloseCode::PROTOCOL, error.to_string()),
    }
}
