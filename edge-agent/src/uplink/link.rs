//! The tasks around one QUIC connection: a stream per channel, frames in and bytes out. Every queue is bounded; one
//! that is full means that HQ does not read, and ends the connection.

use std::collections::HashMap;
use std::time::Duration;

use protocol::frame::{Channel, Frame, FrameReader};
use protocol::session::{CloseCode, Closed};
use quinn::{Connection, RecvStream, SendStream, VarInt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::endpoint::{Dialled, closed};

/// Frames that wait for the session.
const INBOX_FRAMES: usize = 32;
/// Frames of one channel that wait for the network. The session has at most eight batches of a log on their way.
const OUTBOX_FRAMES: usize = 64;
const READ_BYTES: usize = 32 << 10;
/// How long the last frames may take to leave.
const FLUSH: Duration = Duration::from_millis(500);

/// What a link tells the driver.
#[derive(Debug)]
pub(super) enum Inbound {
    Frame(Frame),
    Gone(Closed),
}

/// One connection with its tasks; they end with it.
#[derive(Debug)]
pub(super) struct Link {
    dialled: Dialled,
    outboxes: HashMap<Channel, mpsc::Sender<Vec<u8>>>,
    inbox_in: mpsc::Sender<Inbound>,
    pub(super) inbox: mpsc::Receiver<Inbound>,
    writers: JoinSet<()>,
    readers: JoinSet<()>,
}

impl Link {
    /// Opens the control stream.
    pub(super) async fn open(dialled: Dialled) -> Result<Self, Closed> {
        let (send, recv) = dialled.connection.open_bi().await.map_err(|error| closed(&error))?;
        let (inbox_in, inbox) = mpsc::channel(INBOX_FRAMES);
        let (mut writers, mut readers) = (JoinSet::new(), JoinSet::new());
        let (outbox, queued) = mpsc::channel(OUTBOX_FRAMES);
        send.set_priority(Channel::Control.priority()).ok();
        writers.spawn(write(send, queued));
        readers.spawn(read(recv, inbox_in.clone(), dialled.connection.clone()));
        readers.spawn(accept(dialled.connection.clone(), inbox_in.clone()));
        let outboxes = HashMap::from([(Channel::Control, outbox)]);
        Ok(Self { dialled, outboxes, inbox_in, inbox, writers, readers })
    }

    /// Queues a frame; its channel gets a stream of its own with the first one.
    pub(super) fn send(&mut self, frame: &Frame) -> Result<(), Closed> {
        let bytes = frame.encode().map_err(|error| Closed::new(CloseCode::PROTOCOL, error.to_string()))?;
        metrics::counter!("tillway_uplink_sent_bytes_total", "channel" => frame.channel.name())
            .increment(bytes.len() as u64);
        metrics::counter!("tillway_uplink_sent_frames_total", "kind" => frame.body.name()).increment(1);
        let outbox = match self.outboxes.get(&frame.channel) {
            Some(outbox) => outbox.clone(),
            None => self.open_channel(frame.channel),
        };
        outbox.try_send(bytes).map_err(|_| Closed::new(CloseCode::TIMEOUT, "HQ does not read what is sent"))
    }

    fn open_channel(&mut self, channel: Channel) -> mpsc::Sender<Vec<u8>> {
        let (outbox, queued) = mpsc::channel(OUTBOX_FRAMES);
        let (connection, inbox) = (self.dialled.connection.clone(), self.inbox_in.clone());
        self.writers.spawn(async move {
            match connection.open_uni().await {
                Ok(send) => {
                    send.set_priority(channel.priority()).ok();
                    write(send, queued).await;
                }
                Err(error) => gone(&inbox, closed(&error)).await,
            }
        });
        self.outboxes.insert(channel, outbox.clone());
        outbox
    }

    /// Lets the last frames leave, then closes.
    pub(super) async fn close(mut self, why: Closed) {
        self.outboxes.clear();
        let flushed = async { while self.writers.join_next().await.is_some() {} };
        if tokio::time::timeout(FLUSH, flushed).await.is_err() {
            tracing::debug!("the last frames did not leave in time");
        }
        self.dialled.connection.close(VarInt::from(why.code.0), why.reason.as_bytes());
        let idle = tokio::time::timeout(FLUSH, self.dialled.endpoint.wait_idle()).await;
        tracing::debug!(told = idle.is_ok(), "connection closed");
        self.readers.abort_all();
    }
}

async fn gone(inbox: &mpsc::Sender<Inbound>, why: Closed) {
    // A closed inbox means that the driver knows already.
    inbox.send(Inbound::Gone(why)).await.ok();
}

async fn write(mut stream: SendStream, mut queued: mpsc::Receiver<Vec<u8>>) {
    while let Some(bytes) = queued.recv().await {
        if let Err(error) = stream.write_all(&bytes).await {
            tracing::debug!(%error, "a stream to HQ ended");
            return; // the readers report the end of the connection
        }
    }
    stream.finish().ok();
}

async fn accept(connection: Connection, inbox: mpsc::Sender<Inbound>) {
    let mut streams = JoinSet::new();
    loop {
        match connection.accept_uni().await {
            Ok(stream) => drop(streams.spawn(read(stream, inbox.clone(), connection.clone()))),
            Err(error) => return gone(&inbox, closed(&error)).await,
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
            Ok(None) | Err(quinn::ReadError::Reset(_)) => {
                // HQ ends a stream only with the connection: wait for the reason.
                let why = closed(&connection.closed().await);
                return gone(&inbox, why).await;
            }
            Err(quinn::ReadError::ConnectionLost(error)) => return gone(&inbox, closed(&error)).await,
            Err(error) => return gone(&inbox, Closed::new(CloseCode::PROTOCOL, error.to_string())).await,
        };
        let mut input = buffer.get(..read).unwrap_or_default();
        loop {
            match reader.read(&mut input) {
                Ok(Some(frame)) if *channel.get_or_insert(frame.channel) == frame.channel => {
                    metrics::counter!("tillway_uplink_received_frames_total", "kind" => frame.body.name()).increment(1);
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
