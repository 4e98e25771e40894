//! A print job as tills see it.

use protocol::id::{LaneId, Seq, Term};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::job::{Job, State, Why};

/// A print job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobView {
    /// Its name: `receipt:TERM:SEQ` or `copy:UUID`.
    pub id: String,
    /// Whether it says COPY.
    pub copy: bool,
    /// The term of the receipt.
    #[schema(value_type = u32)]
    pub term: Term,
    /// The position of the receipt.
    #[schema(value_type = u64)]
    pub seq: Seq,
    /// The lane that closed the ticket.
    #[schema(value_type = String)]
    pub lane_id: LaneId,
    /// The printer.
    pub printer: String,
    /// Where it stands.
    pub state: State,
    /// Nothing more happens to it by itself.
    pub done: bool,
    /// Why it stands there, for a program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// Why it stands there, for the cashier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When the ticket was closed, or the copy asked for, UTC.
    pub created_at: String,
    /// When it reached its state, UTC.
    pub changed_at: String,
    /// From when on it is not printed any more, UTC.
    pub expires_at: String,
    /// How often it was begun.
    pub attempts: u32,
}

impl From<&Job> for JobView {
    fn from(job: &Job) -> Self {
        Self {
            id: job.key.to_string(),
            copy: job.is_copy(),
            term: job.term,
            seq: job.seq,
            lane_id: job.lane,
            printer: job.printer.clone(),
            state: job.state,
            done: job.state.is_final(),
            why: job.why,
            message: job.why.map(|why| why.words().to_owned()),
            created_at: job.created_at.to_string(),
            changed_at: job.changed_at.to_string(),
            expires_at: job.expires_at().to_string(),
            attempts: job.attempts,
        }
    }
}
