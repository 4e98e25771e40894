//! The guard's side of the broker: connects with the secret login, says a last will, and takes its leave so that the
//! broker hears of the end once and last.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use protocol::limits;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::connect;
use super::packet::{Kind, Version, head};
use crate::mqtt::broker::{Name, Upstream};

/// The broker is in this process: it answers at once or not at all.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// Room for what the broker adds to a message when it goes from 3.1.1 to 5.
pub const BROKER_PACKET_BYTES: usize = limits::MQTT_PACKET_BYTES + 64;

/// A connection that the broker has accepted.
///
/// # Errors
/// It does not answer, or not as it should.
pub async fn open(upstream: &Upstream, version: Version, name: &Name) -> anyhow::Result<TcpStream> {
    let talk = async {
        let mut stream = TcpStream::connect(upstream.address(version)).await?;
        stream.set_nodelay(true)?;
        let hello = connect::for_broker(version, &name.text(), upstream.secret(), upstream.secret());
        stream.write_all(&hello).await?;
        let mut first = [0; 2];
        stream.read_exact(&mut first).await?;
        let answer = head(&first, BROKER_PACKET_BYTES)?.context("an answer that is none")?;
        anyhow::ensure!(answer.kind == Kind::ConnAck && answer.body >= 2, "an answer that is no CONNACK");
        let mut body = vec![0; answer.body];
        stream.read_exact(&mut body).await?;
        anyhow::ensure!(body.get(1) == Some(&0), "the broker refused its own guard");
        anyhow::Ok(stream)
    };
    timeout(ANSWERS_WITHIN, talk).await.context("no answer in time")?
}

/// Whether the broker takes the guard's login on this port.
///
/// # Errors
/// It does not.
pub async fn probe(upstream: &Arc<Upstream>, version: Version, name: &Name) -> anyhow::Result<()> {
    open(upstream, version, name).await.map(drop)
}

/// Ends a connection: the client's will if there is one, then nothing more, and what still comes is thrown away until
/// the broker has closed too. The broker must hear of the end from its own reading and from nowhere else: a DISCONNECT
/// would free its place at once, and what comes behind it would hit whoever has the place by then.
pub async fn close(mut stream: TcpStream, name: Name, will: Option<&[u8]>) {
    let leave = async {
        if let Some(will) = will {
            stream.write_all(will).await?;
        }
        stream.shutdown().await?;
        drain(&mut stream).await
    };
    match timeout(ANSWERS_WITHIN, leave).await {
        Ok(Ok(())) => name.give_back(),
        Ok(Err(error)) => tracing::debug!(%error, "the broker ended a connection first"),
        Err(_) => tracing::warn!("the broker did not end a connection in time"),
    }
}

async fn drain(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<()> {
    let mut waste = [0; 4_096];
    while stream.read(&mut waste).await? > 0 {}
    Ok(())
}
