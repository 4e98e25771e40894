//! The counter between those who ask for prints (terminal, later the bridges) and the print actor: what can be asked,
//! over one bounded channel. Holds no state and decides nothing.

use protocol::id::{LaneId, Seq, Term};
use tokio::sync::{mpsc, oneshot};

use crate::core::lane::Answer;
use crate::core::print_queue::{JobKey, JobView, State};
use crate::core::refusal::Refusal;
use crate::desk::{Outcome, ReplyTo};

/// A wish for a copy of a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyWish {
    /// The lane that asks.
    pub lane: LaneId,
    /// Its idempotency key.
    pub key: String,
    /// BLAKE3 of the request.
    pub request_hash: [u8; 32],
    /// The receipt's term.
    pub term: Term,
    /// The receipt's position.
    pub seq: Seq,
    /// The printer, or the one of the lane that asks.
    pub printer: Option<String>,
}

/// What can be asked of the print actor.
#[derive(Debug)]
pub enum PrintAsk {
    /// The jobs, the latest first; of one state, or all.
    Jobs(Option<State>, ReplyTo<Vec<JobView>>),
    /// One job.
    Job(JobKey, ReplyTo<JobView>),
    /// A copy of a receipt.
    Copy(CopyWish, ReplyTo<Answer>),
}

/// A cheap handle to ask with.
#[derive(Clone, Debug)]
pub struct Spool {
    asks: Option<mpsc::Sender<PrintAsk>>,
}

impl Spool {
    /// A handle and the end at which the print actor sits. `waiting` asks may wait at most.
    pub fn new(waiting: usize) -> (Self, mpsc::Receiver<PrintAsk>) {
        let (asks, receiver) = mpsc::channel(waiting);
        (Self { asks: Some(asks) }, receiver)
    }

    /// The handle of a node without a printer.
    pub const fn none() -> Self {
        Self { asks: None }
    }

    /// The jobs, the latest first; of one state, or all. A node without a printer has none.
    ///
    /// # Errors
    /// Only when the node is stopping.
    pub async fn jobs(&self, state: Option<State>) -> Outcome<Vec<JobView>> {
        if self.asks.is_none() {
            return Ok(Vec::new());
        }
        self.ask(|reply| PrintAsk::Jobs(state, reply)).await
    }

    /// One job.
    ///
    /// # Errors
    /// It is not known (any more).
    pub async fn job(&self, key: JobKey) -> Outcome<JobView> {
        if self.asks.is_none() {
            return Err(Refusal::not_found("there is no such print job"));
        }
        self.ask(|reply| PrintAsk::Job(key, reply)).await
    }

    /// Has a copy of a receipt printed; answered once the wish is on the disk.
    ///
    /// # Errors
    /// No printer, no such receipt, a key that was used for something else.
    pub async fn copy(&self, wish: CopyWish) -> Outcome<Answer> {
        self.ask(|reply| PrintAsk::Copy(wish, reply)).await
    }

    async fn ask<T>(&self, ask: impl FnOnce(ReplyTo<T>) -> PrintAsk) -> Outcome<T> {
        let missing = || Refusal::conflict("no printer is set up on this node: add a [[printer]] to node.toml");
        let stopping = || Refusal::unavailable("the node is stopping; try again when it is back");
        let asks = self.asks.as_ref().ok_or_else(missing)?;
        let (reply, answer) = oneshot::channel();
        asks.send(ask(reply)).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?
    }
}
