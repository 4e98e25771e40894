//! Rings one receipt on one lane, whatever the node goes through meanwhile: lines that a killed node had
//! acknowledged but not yet written are found missing and rung again, and a ticket is closed only as it was seen.

use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::plan::Planned;
use crate::lane::{Lane, LaneError, Ticket};
use crate::receipts::Kind;

/// How often a receipt is taken up again after the node lost part of it.
const TAKE_UPS: usize = 8;

/// Why a receipt was not booked.
#[derive(Debug, thiserror::Error)]
pub enum SellError {
    /// The node said no, or nothing.
    #[error("{step}: {source}")]
    Lane {
        /// What was being done.
        step: String,
        /// What it said.
        source: LaneError,
    },
    /// The node counts otherwise than the paper; it was not closed.
    #[error("the node counts {found_minor}, the paper says {wanted_minor}")]
    Total {
        /// The node's total.
        found_minor: i64,
        /// The receipt's.
        wanted_minor: i64,
    },
    /// The ticket holds lines that are not the receipt's.
    #[error("the ticket has {found} lines, the paper {wanted}")]
    Lines {
        /// On the ticket.
        found: usize,
        /// On paper.
        wanted: usize,
    },
    /// The node lost it again and again.
    #[error("given up after {0} attempts")]
    GivenUp(usize),
}

fn at_step(step: impl Into<String>) -> impl FnOnce(LaneError) -> SellError {
    let step = step.into();
    move |source| SellError::Lane { step, source }
}

#[derive(Deserialize)]
struct WrittenOff {
    #[allow(dead_code, reason = "its presence is what is asked for: the node wrote it down")]
    seq: u64,
}

/// What the lane knows of the ticket it rings.
struct Basket {
    id: String,
    revision: u32,
    total_minor: i64,
}

impl From<Ticket> for Basket {
    fn from(ticket: Ticket) -> Self {
        Self { id: ticket.id, revision: ticket.revision, total_minor: ticket.totals.total_minor }
    }
}

/// Books one receipt; what the node says it came to (0 for a write-off). `run` is the root of the idempotency
/// keys: the same root, lane and receipt count once.
///
/// # Errors
/// The node refused the receipt for good, or could not be reached for too long.
pub async fn sell(lane: &mut Lane, planned: &Planned, run: &str) -> Result<i64, SellError> {
    let root = format!("{run}:{}", planned.number);
    if planned.kind == Kind::WriteOff {
        return write_off(lane, planned, &root).await;
    }
    for attempt in 0..TAKE_UPS {
        match ring(lane, planned, &root).await {
            // The node was killed before the opening was on disk: it knows nothing, so all is rung anew.
            Err(SellError::Lane { source, .. }) if source.refused("NOT_FOUND") && attempt + 1 < TAKE_UPS => {}
            outcome => return outcome,
        }
    }
    Err(SellError::GivenUp(TAKE_UPS))
}

async fn write_off(lane: &mut Lane, planned: &Planned, root: &str) -> Result<i64, SellError> {
    let lines: Vec<&Value> = planned.lines.iter().map(|line| &line.body).collect();
    let body = json!({"reason": "written off on paper", "reference": planned.number, "at": planned.at, "lines": lines});
    let written: Result<WrittenOff, _> = lane.write(Method::POST, "/v1/write-offs", root, &body).await;
    written.map(|_| 0).map_err(at_step("write-off"))
}

async fn ring(lane: &mut Lane, planned: &Planned, root: &str) -> Result<i64, SellError> {
    let kind = if planned.kind == Kind::Return { "return" } else { "sale" };
    let opened = lane.open(&format!("{root}:open"), kind, Some(&planned.number), planned.at.as_deref()).await;
    let mut basket = Basket::from(opened.map_err(at_step("open"))?);
    let mut undisturbed = true;
    for number in 1..=planned.lines.len() {
        let before = basket.revision;
        ring_line(lane, planned, &mut basket, number, &format!("{root}:{number}")).await?;
        undisturbed &= basket.revision == before + 1;
    }
    for attempt in 0..TAKE_UPS {
        if !undisturbed {
            basket = take_up(lane, planned, &basket.id, root, attempt).await?;
        }
        if basket.total_minor != planned.expected_minor {
            return Err(SellError::Total { found_minor: basket.total_minor, wanted_minor: planned.expected_minor });
        }
        let key = format!("{root}:close");
        match lane.close(&key, &basket.id, planned.tender, basket.total_minor, basket.revision).await {
            Ok(receipt) => return Ok(receipt.totals.total_minor),
            // Not the ticket the lane has seen: the node came back with less than it had acknowledged.
            Err(error) if error.refused("CONFLICT") => undisturbed = false,
            Err(error) => return Err(at_step("close")(error)),
        }
    }
    Err(SellError::GivenUp(TAKE_UPS))
}

async fn ring_line(
    lane: &mut Lane,
    planned: &Planned,
    basket: &mut Basket,
    number: usize,
    key: &str,
) -> Result<(), SellError> {
    let Some(line) = planned.lines.get(number - 1) else { return Ok(()) };
    let changed = lane.ring(key, &basket.id, &line.body).await.map_err(at_step(format!("line {number}")))?;
    (basket.revision, basket.total_minor) = (changed.revision, changed.totals.total_minor);
    Ok(())
}

/// Compares the ticket with the paper and rings what is missing; the ticket as it stands then.
async fn take_up(
    lane: &mut Lane,
    planned: &Planned,
    id: &str,
    root: &str,
    attempt: usize,
) -> Result<Basket, SellError> {
    let ticket = lane.ticket(id).await.map_err(at_step("look at the ticket"))?;
    let mut there: Vec<_> = ticket.lines.iter().filter(|line| !line.voided).collect();
    let found = there.len();
    let mut missing = Vec::new();
    for (index, line) in planned.lines.iter().enumerate() {
        match there.iter().position(|other| line.is(other)) {
            Some(at) => drop(there.remove(at)),
            None => missing.push(index + 1),
        }
    }
    if !there.is_empty() {
        return Err(SellError::Lines { found, wanted: planned.lines.len() });
    }
    let mut basket = Basket::from(ticket);
    for number in missing {
        // Another key than the first time: the first may still be remembered with an answer that no longer holds.
        ring_line(lane, planned, &mut basket, number, &format!("{root}:{number}:{attempt}")).await?;
    }
    Ok(basket)
}
