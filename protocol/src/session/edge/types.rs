//! What goes into and comes out of the node's end, as plain data.

use super::{Delivered, LogHead};
use crate::collection::{Collection, Version};
use crate::id::{Seq, Stream, Term};
use crate::session::{Closed, Tick};

/// What the session is told once.
#[derive(Clone, Debug)]
pub struct EdgeConfig {
    /// The term the node writes under.
    pub term: Term,
    /// Random, chosen at every start of the agent.
    pub boot_nonce: [u8; 16],
    /// Version of the agent.
    pub agent_version: String,
    /// Seed of the back-off's jitter: random, another at every node and start.
    pub seed: u64,
    /// The logs that travel, and where they stand.
    pub streams: Vec<(Stream, LogHead)>,
    /// What the node holds of each collection.
    pub collections: Vec<(Collection, Version)>,
}

/// Records the shell is to read from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// To be given back with the records.
    pub id: u64,
    /// Which log.
    pub stream: Stream,
    /// The first record.
    pub from: Seq,
    /// The last record; fewer may be answered, the rest is asked for again.
    pub to: Seq,
    /// Records at most.
    pub max_events: usize,
    /// Bytes of bodies at most (one larger record is answered alone).
    pub max_bytes: usize,
}

/// What the shell is to do or to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EdgeEvent {
    /// Dial; answer with [`Edge::connected`](super::Edge::connected) or [`Edge::disconnected`](super::Edge::disconnected).
    Connect,
    /// Send what [`Edge::poll_transmit`](super::Edge::poll_transmit) still holds, then close the connection.
    Disconnect(Closed),
    /// HQ accepted the node: its time, and its signature over it (may be empty).
    Welcomed {
        /// Milliseconds since the Unix epoch.
        hq_time_ms: i64,
        /// Empty while HQ does not sign its time.
        time_signature: Vec<u8>,
    },
    /// Read records; answer with [`Edge::supply`](super::Edge::supply) or [`Edge::read_failed`](super::Edge::read_failed).
    Read(ReadRequest),
    /// HQ has committed everything up to here: the log may retire it once its own conditions hold.
    Settled {
        /// Which log.
        stream: Stream,
        /// The contiguous mark.
        upto: Seq,
    },
    /// HQ has records under this term that the log does not: an alarm.
    AheadOfLog {
        /// Which log.
        stream: Stream,
        /// The last seq at HQ.
        hq: Seq,
        /// The last seq in the log.
        log: Seq,
    },
    /// Sign the head of this log; answer with [`Edge::checkpoint`](super::Edge::checkpoint).
    SignCheckpoint(Stream),
    /// A delivery is here; answer with [`Edge::applied`](super::Edge::applied).
    Delivered(Delivered),
}

/// Whether there is a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Resting until then.
    Waiting(Tick),
    /// The shell dials.
    Connecting,
    /// The hello is out; the welcome is due by then.
    Greeting(Tick),
    /// In business since then.
    Up(Tick),
    /// Stopped for good.
    Stopped,
}

/// How it stands, for a status page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeStatus {
    /// Connection.
    pub phase: Phase,
    /// When HQ was last heard.
    pub last_heard: Option<Tick>,
    /// Failures in a row.
    pub failures: u32,
    /// Per log: records HQ has not acknowledged, and batches on their way.
    pub streams: Vec<(Stream, u64, usize)>,
}
