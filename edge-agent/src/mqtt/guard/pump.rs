//! Moves bytes between a client and the broker, both ways at once, as `batch` says of what was read: one reading, one
//! writing. A side that takes nothing for too long ends the connection; nothing queues up.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use protocol::limits;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::{TcpStream, tcp};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::batch::Batch;
use super::judge::Judge;
use super::reason::Reason;
use super::{Counts, Guard};
use crate::mqtt::broker::Name;

/// Answers of the guard that wait to be written to the client.
const ANSWERS: usize = 32;
/// Bytes that are read at once.
const CHUNK: usize = 8 << 10;

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The client said goodbye.
    Goodbye {
        /// Whether its will is to be said all the same.
        will: bool,
    },
    /// The client is gone without a word.
    Gone,
    /// It is shut out.
    Shut(Reason),
}

impl From<Reason> for End {
    fn from(reason: Reason) -> Self {
        Self::Shut(reason)
    }
}

/// Both directions of one connection.
pub(super) struct Pumps<'g, S> {
    counts: &'g Counts,
    client_read: ReadHalf<S>,
    client_write: WriteHalf<S>,
    broker: TcpStream,
    buffer: BytesMut,
    judge: Mutex<Judge>,
    keep_alive: Duration,
}

impl<'g, S: AsyncRead + AsyncWrite + Unpin> Pumps<'g, S> {
    /// `buffer` holds what the client sent behind its CONNECT; `keep_alive` is in seconds, 0 for none.
    pub(super) fn new(
        guard: &'g Guard,
        client: S,
        buffer: BytesMut,
        broker: TcpStream,
        judge: Judge,
        keep_alive: u16,
    ) -> Self {
        let (client_read, client_write) = tokio::io::split(client);
        let keep_alive = match keep_alive {
            0 => Duration::from_secs(limits::MQTT_SILENCE_SECONDS),
            seconds => Duration::from_millis(u64::from(seconds) * 1_500),
        };
        let (counts, judge) = (&guard.counts, Mutex::new(judge));
        Self { counts, client_read, client_write, broker, buffer, judge, keep_alive }
    }

    /// Until one side ends it.
    pub(super) async fn run(&mut self, name: &Name) -> End {
        let Self { counts, client_read, client_write, broker, buffer, judge, keep_alive } = self;
        // One task moves both ways: no lock is needed where the stream is known.
        let (mut broker_read, broker) = broker.split();
        let (answers, answered) = mpsc::channel(ANSWERS);
        let up = async {
            let mut up = UpPump { counts, judge, broker, answers, name };
            up.run(client_read, buffer, *keep_alive).await
        };
        let down = async {
            let mut down = DownPump { counts, judge, client: client_write };
            down.run(&mut broker_read, answered).await
        };
        tokio::select! {
            end = up => end,
            end = down => end,
        }
    }

    /// The two streams again.
    pub(super) fn into_streams(self) -> (S, TcpStream) {
        (self.client_read.unsplit(self.client_write), self.broker)
    }
}

async fn write(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8], late: Reason) -> Result<(), End> {
    if bytes.is_empty() {
        return Ok(());
    }
    match timeout(Duration::from_millis(limits::MQTT_WRITE_MS), to.write_all(bytes)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(if late == Reason::Slow { End::Gone } else { late.into() }),
        Err(_) => Err(late.into()),
    }
}

struct UpPump<'a> {
    counts: &'a Counts,
    judge: &'a Mutex<Judge>,
    broker: tcp::WriteHalf<'a>,
    answers: mpsc::Sender<Vec<u8>>,
    name: &'a Name,
}

impl UpPump<'_> {
    async fn run(&mut self, client: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut, patience: Duration) -> End {
        let mut heard = Instant::now();
        loop {
            match self.take(buffer).await {
                Ok(0) => {}
                Ok(_) => heard = Instant::now(),
                Err(end) => return end,
            }
            buffer.reserve(CHUNK);
            let begun = Duration::from_millis(limits::MQTT_PACKET_MS);
            let patience = if buffer.is_empty() { patience } else { patience.min(begun) };
            match timeout_at(heard + patience, client.read_buf(buffer)).await {
                Ok(Ok(0) | Err(_)) => return End::Gone,
                Ok(Ok(bytes)) => {
                    self.counts.bytes_up.increment(u64::try_from(bytes).unwrap_or(u64::MAX));
                    // A packet that begins now has its whole time, however long the client was silent before.
                    if buffer.len() == bytes {
                        heard = Instant::now();
                    }
                }
                Err(_) => return Reason::KeepAlive.into(),
            }
        }
    }

    /// Handles the whole packets in the buffer; how many there were.
    async fn take(&mut self, buffer: &mut BytesMut) -> Result<u64, End> {
        let batch = self.judged(buffer);
        self.counts.messages_up.increment(batch.messages);
        // What was good before the packet that was not is handed on.
        write(&mut self.broker, batch.handed_on(buffer), Reason::Unavailable).await?;
        buffer.advance(batch.read);
        if !batch.answers.is_empty() {
            let late = Duration::from_millis(limits::MQTT_WRITE_MS);
            let sent = timeout(late, self.answers.send(batch.answers)).await;
            sent.map_err(|_| Reason::Slow)?.map_err(|_| End::Gone)?;
        }
        batch.end.map_or(Ok(batch.packets), Err)
    }

    fn judged(&self, bytes: &[u8]) -> Batch {
        let upstream = self.name.upstream();
        let mut judge = self.judge.lock().unwrap_or_else(PoisonError::into_inner);
        let mut admit = |filter: &str| upstream.admit_filter(filter);
        Batch::up(&mut judge, std::time::Instant::now(), bytes, &mut admit, &mut |topic| upstream.note_topic(topic))
    }
}

struct DownPump<'a, S> {
    counts: &'a Counts,
    judge: &'a Mutex<Judge>,
    client: &'a mut WriteHalf<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> DownPump<'_, S> {
    async fn run(&mut self, broker: &mut tcp::ReadHalf<'_>, mut answers: mpsc::Receiver<Vec<u8>>) -> End {
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(CHUNK);
            let step = tokio::select! {
                // Between two packets of the broker, never within one: only whole ones are written below.
                Some(answer) = answers.recv() => self.write(&answer).await,
                read = broker.read_buf(&mut buffer) => match read {
                    Ok(0) | Err(_) => Err(Reason::Unavailable.into()),
                    Ok(_) => self.take(&mut buffer).await,
                },
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// Handles the whole packets in the buffer.
    async fn take(&mut self, buffer: &mut BytesMut) -> Result<(), End> {
        let batch = {
            let mut judge = self.judge.lock().unwrap_or_else(PoisonError::into_inner);
            Batch::down(&mut judge, buffer)
        };
        self.counts.messages_down.increment(batch.messages);
        self.write(batch.handed_on(buffer)).await?;
        buffer.advance(batch.read);
        batch.end.map_or(Ok(()), Err)
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), End> {
        if bytes.is_empty() {
            return Ok(());
        }
        write(self.client, bytes, Reason::Slow).await?;
        // TLS keeps what it has not been told to send.
        match timeout(Duration::from_millis(limits::MQTT_WRITE_MS), self.client.flush()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(End::Gone),
            Err(_) => return Err(Reason::Slow.into()),
        }
        self.counts.bytes_down.increment(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(())
    }
}
