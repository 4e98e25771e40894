//! The tasks around one QUIC connection at HQ: frames in from every stream the node opens, bytes out per channel.
//! Every queue is bounded; while the session is busy nothing is read, and QUIC's flow control holds the node back.

use std::collections::HashMap;
use std::time::Duration;

use protocol::frame::{Channel, Frame, FrameReader};
use protocol::session::{CloseCode, Closed};
use quinn::{Connection, ConnectionError, ReadError, RecvStream, SendStream, VarInt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::endpoint::NODE_STREAMS;

/// Frames that wait for the session: at most 16 MiB, and in practice a few hundred KiB.
const INBOX_FRAMES: usize = 16;
/// Frames of one channel that wait for the network; two windows of a transfer fit twice.
const OUTBOX_FRAMES: usize = 64;
const READ_BYTES: usize = 64 << 10;
const STREAMS: usize = NODE_STREAMS as usize;
/// How long a node gets to take the last frame and hang up itself.
const GOODBYE: Duration = Duration::from_secs(2);

/// What a link tells the connection.
#[derive(Debug)]
pub(super) enum Inbound {
    Frame(Frame),
    Gone(Closed),
}

/// One connection with its tasks; they end with it.
#[derive(Debug)]
pub(super) struct Link {
    connection: Connection,
    outboxes: HashMap<Channel, mpsc::Sender<Vec<u8>>>,
    pub(super) inbox: mpsc::Receiver<Inbound>,
    tasks: JoinSet<()>,
}

impl Link {
    /// Waits for the node's control stream.
    pub(super) async fn accept(connection: Connection) -> Result<Self, Closed> {
        let (send, recv) = connection.accept_bi().await.map_err(|error| closed(&error))?;
        let (inbox_in, inbox) = mpsc::channel(INBOX_FRAMES);
        let mut tasks = JoinSet::new();
        let (outbox, queued) = mpsc::channel(OUTBOX_FRAMES);
        send.set_priority(Channel::Control.priority()).ok();
        tasks.spawn(write(send, queued));
        tasks.spawn(read(recv, inbox_in.clone(), connection.clone()));
        tasks.spawn(accept(connection.clone(), inbox_in));
        Ok(Self { connection, outboxes: HashMap::from([(Channel::Control, outbox)]), inbox, tasks })
    }

    /// Queues a frame; its channel gets a stream of its own with the first one.
    pub(super) fn send(&mut self, frame: &Frame) -> Result<(), Closed> {
        let bytes = frame.encode().map_err(|error| Closed::new(CloseCode::UNAVAILABLE, error.to_string()))?;
        metrics::counter!("tillway_gateway_sent_bytes_total", "channel" => frame.channel.name())
            .increment(bytes.len() as u64);
        let outbox = match self.outboxes.get(&frame.channel) {
            Some(outbox) => outbox.clone(),
            None => self.open_channel(frame.channel),
        };
        outbox.try_send(bytes).map_err(|_| Closed::new(CloseCode::TIMEOUT, "the node does not read what is sent"))
    }

    fn open_channel(&mut self, channel: Channel) -> mpsc::Sender<Vec<u8>> {
        let (outbox, queued) = mpsc::channel(OUTBOX_FRAMES);
        let connection = self.connection.clone();
        self.tasks.spawn(async move {
            // A connection that is lost here is reported by the readers.
            if let Ok(send) = connection.open_uni().await {
                send.set_priority(channel.priority()).ok();
                write(send, queued).await;
            }
        });
        self.outboxes.insert(channel, outbox.clone());
        outbox
    }

    /// Lets the node take the close frame and hang up; closes by itself if it does not.
    pub(super) async fn close(mut self, why: &Closed) {
        self.outboxes.clear();
        let left = tokio::time::timeout(GOODBYE, self.connection.closed()).await.is_ok();
        if !left {
            self.connection.close(VarInt::from(why.code.0), why.reason.as_bytes());
        }
        self.tasks.abort_all();
    }
}

/// What the end of a connection means.
pub(super) fn closed(error: &ConnectionError) -> Closed {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            let code = u16::try_from(close.error_code.into_inner()).map_or(CloseCode::PROTOCOL, CloseCode);
            Closed::new(code, String::from_utf8_lossy(&close.reason).into_owned())
        }
        ConnectionError::TimedOut => Closed::new(CloseCode::TIMEOUT, "the node has been silent"),
        ConnectionError::LocallyClosed => Closed::new(CloseCode::SHUTDOWN, "closed by head office"),
        ConnectionError::ConnectionClosed(_)
        | ConnectionError::VersionMismatch
        | ConnectionError::TransportError(_)
        | ConnectionError::Reset
        | ConnectionError::CidsExhausted => Closed::new(CloseCode::PROTOCOL, error.to_string()),
    }
}

async fn gone(inbox: &mpsc::Sender<Inbound>, why: Closed) {
    // A closed inbox means that the connection is over already.
    inbox.send(Inbound::Gone(why)).await.ok();
}

async fn write(mut stream: SendStream, mut queued: mpsc::Receiver<Vec<u8>>) {
    while let Some(bytes) = queued.recv().await {
        if let Err(error) = stream.write_all(&bytes).await {
            tracing::debug!(%error, "a stream to a node ended");
            return;
        }
    }
    stream.finish().ok();
}

async fn accept(connection: Connection, inbox: mpsc::Sender<Inbound>) {
    let mut streams = JoinSet::new();
    loop {
        tokio::select! {
            opened = connection.accept_uni() => match opened {
                Ok(_) if streams.len() >= STREAMS => {
                    return gone(&inbox, Closed::new(CloseCode::PROTOCOL, "more streams than a node has")).await;
                }
                Ok(stream) => drop(streams.spawn(read(stream, inbox.clone(), connection.clone()))),
                Err(error) => return gone(&inbox, closed(&error)).await,
            },
            Some(_) = streams.join_next() => {}
        }
    }
}

/// Frames out of one stream, all of the channel of the first.
async fn read(mut stream: RecvStream, inbox: mpsc::Sender<Inbound>, connection: Connection) {
    let (mut reader, mut channel) = (FrameReader::new(), None);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = match stream.read(&mut buffer).await {
            Ok(Some(read)) => read,
            Ok(None) | Err(ReadError::Reset(_)) => {
                // A node ends its streams only with the connection: wait for the reason, but not for ever.
                let why = match tokio::time::timeout(GOODBYE, connection.closed()).await {
                    Ok(error) => closed(&error),
                    Err(_) => Closed::new(CloseCode::PROTOCOL, "a stream ended before its connection"),
                };
                return gone(&inbox, why).await;
            }
            Err(ReadError::ConnectionLost(error)) => return gone(&inbox, closed(&error)).await,
            Err(error) => return gone(&inbox, Closed::new(CloseCode::PROTOCOL, error.to_string())).await,
        };
        metrics::counter!("tillway_gateway_received_bytes_total").increment(read as u64);
        let mut input = buffer.get(..read).unwrap_or_default();
        loop {
            match reader.read(&mut input) {
                Ok(Some(frame)) if *channel.get_or_insert(frame.channel) == frame.channel => {
                    if inbox.send(Inbound::Frame(frame)).await.is_err() {
                        return;
                    }
                }
                Ok(Some(_)) => {
                    return gone(&inbox, Closed::new(CloseCode::PROTOCOL, "two channels on one stream")).await;
                }
                Ok(None) => break,
                Err(error) => return gone(&inbox, Closed::new(CloseCode::PROTOCOL, error.to_string())).await,
            }
        }
    }
}
