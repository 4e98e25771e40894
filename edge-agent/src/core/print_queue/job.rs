//! A print job and its words: what it prints, where it stands and why. Disk format: variants and fields are added at
//! the end of a new version, never moved.

use std::fmt;
use std::str::FromStr;

use protocol::id::{LaneId, Seq, Term};
use protocol::limits;
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// What makes a job this one and no other: under one key at most one thing is printed, ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum JobKey {
    /// The receipt of a sale; it follows from the fiscal record.
    Receipt {
        /// The record's term.
        term: Term,
        /// The record's position.
        seq: Seq,
    },
    /// A copy that a person asked for.
    Copy(Uuid),
}

/// A text that names no job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a print job is named receipt:TERM:SEQ or copy:UUID")]
pub struct JobKeyError;

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Receipt { term, seq } => write!(f, "receipt:{}:{}", term.0, seq.0),
            Self::Copy(id) => write!(f, "copy:{id}"),
        }
    }
}

impl FromStr for JobKey {
    type Err = JobKeyError;

    fn from_str(text: &str) -> Result<Self, JobKeyError> {
        if let Some(id) = text.strip_prefix("copy:") {
            return id.parse().map(Self::Copy).map_err(|_| JobKeyError);
        }
        let (term, seq) = text.strip_prefix("receipt:").and_then(|rest| rest.split_once(':')).ok_or(JobKeyError)?;
        let (term, seq) = (term.parse().map_err(|_| JobKeyError)?, seq.parse().map_err(|_| JobKeyError)?);
        Ok(Self::Receipt { term: Term(term), seq: Seq(seq) })
    }
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing of it has left the node. It prints as soon as the printer can.
    Queued,
    /// Its bytes are leaving, or have left; whether they were printed is not known yet.
    Sending,
    /// It was sent whole to a printer that never proves anything. Nothing more will be known.
    Sent,
    /// The printer has worked through it.
    Proven,
    /// It may be on paper, whole or in part, or not at all. It is not printed again unless a person asks.
    Unproven,
    /// It waited too long and is not printed by surprise any more.
    Expired,
    /// It made room for newer ones, or its printer is gone from the configuration.
    Dropped,
}

impl State {
    /// Its name, as in JSON and in queries.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Proven => "proven",
            Self::Unproven => "unproven",
            Self::Expired => "expired",
            Self::Dropped => "dropped",
        }
    }

    /// Whether nothing more happens to a job by itself.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Queued | Self::Sending => false,
            Self::Sent | Self::Proven | Self::Unproven | Self::Expired | Self::Dropped => true,
        }
    }
}

impl FromStr for State {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Queued, Self::Sending, Self::Sent, Self::Proven, Self::Unproven, Self::Expired, Self::Dropped];
        let found = all.into_iter().find(|state| state.name() == text);
        found.ok_or("one of queued, sending, sent, proven, unproven, expired, dropped")
    }
}

/// Why a job stands where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Nobody answers at the printer's address.
    Unreachable,
    /// The printer takes the connection and answers no status query.
    Silent,
    /// The paper is out.
    PaperOut,
    /// The cover is open.
    CoverOpen,
    /// The printer says that it is offline.
    Offline,
    /// The printer reports a fault: cutter, head, mechanics.
    Fault,
    /// It was sent, and the printer did not confirm that it worked through it.
    NotProven,
    /// The connection broke while it was being sent, or before the printer confirmed it.
    ConnectionLost,
    /// The node ended while it was being printed.
    NodeEnded,
    /// The node's work log could not be written; without its mark nothing is sent.
    NotWritten,
    /// It cannot be laid out, or its record cannot be read.
    NotRendered,
    /// It was not printed in time.
    TooLate,
    /// Too many jobs waited for the printer.
    QueueFull,
    /// Its printer is not in the configuration any more.
    PrinterGone,
}

impl Why {
    /// In words for the person at the till.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Unreachable => "the printer does not answer: is it on, and on the network?",
            Self::Silent => {
                "the printer answers no status query: switch it off and on; if it never answers, set proof = \"none\""
            }
            Self::PaperOut => "the paper is out",
            Self::CoverOpen => "the cover is open",
            Self::Offline => "the printer is offline",
            Self::Fault => "the printer reports a fault: look at its cutter and its lamps, switch it off and on",
            Self::NotProven => "it was sent, and the printer did not confirm it: look whether it is there",
            Self::ConnectionLost => "the connection to the printer broke while it printed: look whether it is there",
            Self::NodeEnded => "the node ended while it printed: look whether it is there",
            Self::NotWritten => "the node cannot write its log, so nothing is sent",
            Self::NotRendered => "the receipt cannot be laid out for this printer",
            Self::TooLate => "it waited too long; ask for a copy if it is still wanted",
            Self::QueueFull => "too many receipts waited for this printer; ask for a copy if it is still wanted",
            Self::PrinterGone => "its printer is not set up any more; ask for a copy on another one",
        }
    }
}

/// Who asked for a copy, and under which key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The lane.
    pub lane: LaneId,
    /// Its idempotency key.
    pub key: String,
    /// BLAKE3 of the request.
    pub request_hash: [u8; 32],
}

/// One thing to print on one printer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// What makes it this one.
    pub key: JobKey,
    /// The term of the record it shows.
    pub term: Term,
    /// The position of the record it shows.
    pub seq: Seq,
    /// The lane that closed the ticket.
    pub lane: LaneId,
    /// The printer's name.
    pub printer: String,
    /// When the ticket was closed, or the copy asked for.
    pub created_at: Timestamp,
    /// When it reached its state.
    pub changed_at: Timestamp,
    /// Where it stands.
    pub state: State,
    /// Why it waits, or what is not known.
    pub why: Option<Why>,
    /// How often it was begun.
    pub attempts: u32,
    /// Who asked for it; nobody for the receipt of a sale.
    pub asked: Option<Asked>,
}

impl Job {
    /// The receipt of a sale, to be printed once.
    pub const fn receipt(term: Term, seq: Seq, lane: LaneId, printer: String, closed_at: Timestamp) -> Self {
        Self {
            key: JobKey::Receipt { term, seq },
            term,
            seq,
            lane,
            printer,
            created_at: closed_at,
            changed_at: closed_at,
            state: State::Queued,
            why: None,
            attempts: 0,
            asked: None,
        }
    }

    /// Another one of a receipt, for somebody who asked.
    #[must_use]
    pub fn copy(self, id: Uuid, asked: Asked, now: Timestamp) -> Self {
        Self { key: JobKey::Copy(id), created_at: now, changed_at: now, asked: Some(asked), ..self }
    }

    /// Whether it says COPY.
    pub const fn is_copy(&self) -> bool {
        matches!(self.key, JobKey::Copy(_))
    }

    /// From when on it is not printed any more.
    pub const fn expires_at(&self) -> Timestamp {
        self.created_at.plus_millis(limits::PRINT_EXPIRY_MILLIS)
    }
}
