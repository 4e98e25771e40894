//! Copies that people ask for: one per idempotency key, on the disk before the answer, and the same answer for each
//! repetition.

use protocol::event::FiscalEvent;
use protocol::id::{LaneId, Stream};
use protocol::timestamp::Timestamp;
use uuid::Uuid;

use super::clerk::Clerk;
use super::work::PrintEvent;
use crate::core::lane::Answer;
use crate::core::lane::view::{Data, json};
use crate::core::print_queue::{Asked, Job, JobView};
use crate::core::refusal::Refusal;
use crate::desk::Outcome;
use crate::spool::CopyWish;
use crate::store::answers::Kept;
use crate::store::index::Index;

/// What the asker of a copy is answered.
fn answer(job: &Job) -> Answer {
    Answer { status: 201, body: json(&Data { data: JobView::from(job) }) }
}

/// Keeps the answer for repetitions of the request.
pub(super) fn remember(index: &Index, job: &Job) {
    let Some(Asked { lane, key, request_hash }) = &job.asked else { return };
    // As it was answered: the job as it stood when it was asked for.
    let asked = Job { state: crate::core::print_queue::State::Queued, why: None, attempts: 0, ..job.clone() };
    let Answer { status, body } = answer(&Job { changed_at: job.created_at, ..asked });
    index.keep(*lane, key, job.created_at, &Kept::Reply { request_hash: *request_hash, status, body });
}

impl Clerk {
    /// Takes the wish for a copy; answers once it is on the disk.
    pub(super) async fn copy(&mut self, wish: CopyWish) -> Outcome<Answer> {
        if let Some(answer) = self.answered(&wish)? {
            return Ok(answer);
        }
        let lane = self.closed_by(&wish).await?;
        self.learn_name(lane).await;
        let printer = match &wish.printer {
            Some(name) => name.clone(),
            None => self.printer_for(wish.lane).await.ok_or_else(|| {
                Refusal::invalid("no printer is set up for this lane; name one in `printer`, or add one to node.toml")
            })?,
        };
        if !self.printers.contains_key(&printer) {
            let known: Vec<&str> = self.printers.keys().map(String::as_str).collect();
            let message = format!("there is no printer {printer:?} on this node; there are: {}", known.join(", "));
            return Err(Refusal::invalid(message));
        }
        let CopyWish { key, request_hash, term, seq, .. } = wish;
        let now = self.parts.clock.now();
        let asked = Asked { lane: wish.lane, key, request_hash };
        let job = Job::receipt(term, seq, lane, printer, now).copy(fresh(now), asked, now);
        let event = PrintEvent::Asked(Box::new(job.clone())).encode();
        let event = event.map_err(|error| Refusal::invalid(error.to_string()))?;
        self.parts.logs.append(Stream::Work, event).await.map_err(|error| {
            tracing::error!(%error, "the work log did not take a wish for a copy");
            Refusal::unavailable(format!("nothing is printed, repeat the request under the same key: {error}"))
        })?;
        remember(&self.parts.index, &job);
        self.queue.add(now, job.clone());
        Ok(answer(&job))
    }

    /// The answer to a repetition.
    fn answered(&self, wish: &CopyWish) -> Outcome<Option<Answer>> {
        let kept = self.parts.index.answers.get(wish.lane, &wish.key).map_err(|error| {
            tracing::error!(%error, "the index cannot be read");
            Refusal::unavailable("the node's index cannot be read; restart the agent, it rebuilds it from the logs")
        })?;
        let other =
            || Refusal::conflict("this Idempotency-Key was used for another request; use a fresh key for a new one");
        match kept {
            Some(Kept::Reply { request_hash, status, body }) if request_hash == wish.request_hash => {
                Ok(Some(Answer { status, body }))
            }
            Some(Kept::Reply { .. } | Kept::Fiscal { .. } | Kept::Shown { .. }) => Err(other()),
            // The index may have been lost; the queue remembers the latest.
            None => match self.queue.asked_for(wish.lane, &wish.key) {
                Some(job) if job.asked.as_ref().is_some_and(|asked| asked.request_hash == wish.request_hash) => {
                    Ok(Some(answer(job)))
                }
                Some(_) => Err(other()),
                None => Ok(None),
            },
        }
    }

    /// The lane that closed the ticket of a receipt, if there is such a receipt.
    async fn closed_by(&self, wish: &CopyWish) -> Outcome<LaneId> {
        let (logs, term, seq) = (self.parts.logs.clone(), wish.term, wish.seq);
        let read = tokio::task::spawn_blocking(move || {
            if term == logs.term() { logs.read_one(Stream::Fiscal, seq) } else { Ok(None) }
        });
        let read = read.await.map_err(|_| Refusal::unavailable("the reading was cut off"))?;
        let record = read.map_err(|error| Refusal::unavailable(format!("the fiscal log cannot be read: {error}")))?;
        match record.and_then(|record| FiscalEvent::decode(&record.event).ok().flatten()) {
            Some(FiscalEvent::TicketClosed(closed)) => Ok(closed.lane),
            Some(FiscalEvent::StockWrittenOff(_) | FiscalEvent::NoSale(_) | FiscalEvent::TicketVoided(_)) | None => {
                Err(Refusal::not_found("this node has no such receipt"))
            }
        }
    }
}

/// A fresh id that rises with time.
fn fresh(now: Timestamp) -> Uuid {
    let random: [u8; 10] = rand::random();
    uuid::Builder::from_unix_timestamp_millis(u64::try_from(now.0).unwrap_or(0), &random).into_uuid()
}
