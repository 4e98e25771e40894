//! One HTTP/1.1 connection that its owner can count: a request says on which connection it must travel, so
//! that a terminal knows whether the node it talks to is still the one that acknowledged what went before.
//! Knows nothing of tickets.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A reply larger than this is a fault of the node.
const REPLY_BYTES: usize = 16 << 20;
/// A node that says nothing for so long is taken for dead.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Where a node listens and how it is known.
#[derive(Clone)]
pub struct Target {
    host: String,
    port: u16,
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Target {
    /// Reads `http://host:port` or `https://host:port`. Plain HTTP is for loopback only; TLS without a fingerprint
    /// is for this machine only (loopback or an address of its own): anywhere else the other side could be anyone.
    ///
    /// # Errors
    /// When the URL is none, or is not safe without `--ca-fingerprint`.
    pub fn parse(url: &str, ca_fingerprint: Option<&str>) -> anyhow::Result<Self> {
        let url = reqwest::Url::parse(url).with_context(|| format!("{url:?} is not a URL"))?;
        let host = url.host_str().context("the URL names no host")?.trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default().context("the URL names no port")?;
        let loopback = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        let tls = match url.scheme() {
            "http" => {
                anyhow::ensure!(loopback, "plain HTTP is for loopback only; use the node's https address");
                None
            }
            "https" => {
                anyhow::ensure!(
                    loopback || is_own_address(&host) || ca_fingerprint.is_some(),
                    "say --ca-fingerprint (`pairing create --json` prints it): {host} is not this machine"
                );
                Some(Arc::new(crate::trust::client(ca_fingerprint)?))
            }
            other => anyhow::bail!("{other} is neither http nor https"),
        };
        Ok(Self { host, port, tls })
    }

    /// Connects, with TLS where it belongs.
    async fn dial(&self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => shake(TokioIo::new(stream)).await,
            Some(config) => {
                let name = rustls_pki_types::ServerName::try_from(self.host.clone())?;
                let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await?;
                shake(TokioIo::new(stream)).await
            }
        }
    }
}

/// Whether an address is this machine's: only then can a socket be bound to it.
fn is_own_address(host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>();
    address.is_ok_and(|ip| !ip.is_unspecified() && std::net::UdpSocket::bind((ip, 0)).is_ok())
}

async fn shake<I>(io: I) -> anyhow::Result<SendRequest<Full<Bytes>>>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = hyper::client::conn::http1::handshake(io).await?;
    // It ends with the connection; what went wrong shows at the request.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// It was not sent: the connection it had to travel on is gone.
    #[error("the connection was lost before the request was sent")]
    NotSent,
    /// It may or may not have had its effect.
    #[error("no answer: {0}")]
    Unknown(String),
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Seconds of `Retry-After`, if said.
    pub retry_after: Option<u64>,
    /// The body.
    pub body: Bytes,
}

/// The connection of one lane.
pub struct Wire {
    target: Target,
    open: Option<SendRequest<Full<Bytes>>>,
    number: u64,
}

impl Wire {
    /// Connects when first asked.
    pub fn new(target: Target) -> Self {
        Self { target, open: None, number: 0 }
    }

    /// Which connection this is, counted from 1; another number means that the node may have restarted.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Makes sure that there is a connection.
    ///
    /// # Errors
    /// When the node does not take one.
    pub async fn connect(&mut self) -> anyhow::Result<()> {
        if let Some(open) = &mut self.open
            && open.ready().await.is_ok()
        {
            return Ok(());
        }
        self.open = None;
        let dialed = tokio::time::timeout(ANSWER_WITHIN, self.target.dial()).await;
        self.open = Some(dialed.context("no connection in time")??);
        self.number += 1;
        Ok(())
    }

    /// Sends on the connection that is open now, never on a new one.
    ///
    /// # Errors
    /// [`WireError::NotSent`] when it is gone already, [`WireError::Unknown`] when it went while waiting.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Reply, WireError> {
        let Some(open) = &mut self.open else { return Err(WireError::NotSent) };
        if open.ready().await.is_err() {
            self.open = None;
            return Err(WireError::NotSent);
        }
        let unknown = |error: &dyn std::fmt::Display| WireError::Unknown(error.to_string());
        let exchange = async {
            let response = open.send_request(request).await.map_err(|error| unknown(&error))?;
            read(response).await.map_err(|error| unknown(&error))
        };
        let outcome = tokio::time::timeout(ANSWER_WITHIN, exchange).await.unwrap_or_else(|late| Err(unknown(&late)));
        if outcome.is_err() {
            self.open = None;
        }
        outcome
    }

    /// Forgets the connection, as a terminal does that loses the network.
    pub fn hang_up(&mut self) {
        self.open = None;
    }

    /// `host:port`, for the Host header.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.target.host, self.target.port)
    }
}

async fn read(response: Response<Incoming>) -> Result<Reply, Box<dyn std::error::Error + Send + Sync>> {
    let status = response.status().as_u16();
    let retry_after = response.headers().get("retry-after").and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    let body = Limited::new(response.into_body(), REPLY_BYTES).collect().await?.to_bytes();
    Ok(Reply { status, retry_after, body })
}
