//! A plain TCP connection to a device: every step has its time, and what was handed to the network is counted, because
//! from the first byte on nobody can know what the device has of it.

use std::io;
use std::time::Duration;

use firmware_config::HostPort;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a device may take to accept a connection: it stands in the same shop.
const CONNECT: Duration = Duration::from_secs(3);
/// How long it may take not one byte more.
const STALL: Duration = Duration::from_secs(60);
/// How long a closing device is listened to.
const LINGER: Duration = Duration::from_secs(2);
/// Handed over at once: little enough that a stall is noticed where it happens.
const CHUNK: usize = 4 << 10;

/// A connection to a device.
#[derive(Debug)]
pub(in crate::peripheral) struct Tcp(TcpStream);

/// Bytes could not be handed over.
#[derive(Debug, thiserror::Error)]
#[error("after {handed_over} bytes: {source}")]
pub(in crate::peripheral) struct SendError {
    /// How many went to the network before.
    pub(in crate::peripheral) handed_over: usize,
    source: io::Error,
}

impl Tcp {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens, or nobody answers in time.
    pub(in crate::peripheral) async fn connect(address: &HostPort) -> io::Result<Self> {
        let stream = timeout(CONNECT, TcpStream::connect((address.host(), address.port()))).await??;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// Hands all bytes to the network.
    ///
    /// # Errors
    /// With how many had gone before.
    pub(in crate::peripheral) async fn send(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        let mut handed_over = 0;
        while let Some(rest) = bytes.get(handed_over..).filter(|rest| !rest.is_empty()) {
            let chunk = rest.get(..CHUNK).unwrap_or(rest);
            let wrote = match timeout(STALL, self.0.write(chunk)).await {
                Ok(Ok(0)) => Err(io::ErrorKind::WriteZero.into()),
                Ok(wrote) => wrote,
                Err(late) => Err(late.into()),
            };
            handed_over += wrote.map_err(|source| SendError { handed_over, source })?;
        }
        Ok(())
    }

    /// What the device said, as soon as it said something; empty when it said nothing in time.
    ///
    /// # Errors
    /// It closed, or the connection broke.
    pub(in crate::peripheral) async fn hear(&mut self, within: Duration) -> io::Result<Vec<u8>> {
        let mut heard = [0; 64];
        match timeout(within, self.0.read(&mut heard)).await {
            Ok(Ok(0)) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(Ok(count)) => Ok(heard.get(..count).unwrap_or_default().to_vec()),
            Ok(Err(error)) => Err(error),
            Err(_) => Ok(Vec::new()),
        }
    }

    /// Says that no more comes and listens until the device closes too. Whether it did in time: until then it may still
    /// be taking bytes in.
    ///
    /// # Errors
    /// The connection broke: nobody knows what the device has of what was sent.
    pub(in crate::peripheral) async fn close(mut self) -> io::Result<bool> {
        let mut heard = [0; 64];
        let closing = async {
            self.0.shutdown().await?;
            while self.0.read(&mut heard).await? > 0 {}
            io::Result::Ok(())
        };
        timeout(LINGER, closing).await.map_or(Ok(false), |closed| closed.map(|()| true))
    }
}
