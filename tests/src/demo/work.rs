//! What the tills of the demo do: ring receipts one after the other, those of this moment slowly, those of the past
//! fortnight as fast as the node takes them. Counts what the lanes were told is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use jiff::ToSpan;
use jiff::civil::Date;
use tokio::sync::watch;

use crate::lane::Lane;
use crate::receipts::Kind;
use crate::replay::{Planned, sell};

/// A cashier's pause between two receipts: the figures move, a laptop stays cool.
const PAUSE: Duration = Duration::from_millis(700);
/// The day after the last one of the receipts.
const AFTER: Date = jiff::civil::date(2010, 12, 15);
/// One receipt of so many becomes history of a shop: enough for a chart, booked within half a minute.
const HISTORY_SHARE: usize = 8;

/// What a shop's lanes were told is done.
#[derive(Default)]
pub struct Sold {
    /// Closed tickets.
    pub tickets: AtomicU64,
    /// What they came to together, returns negative.
    pub net_minor: AtomicI64,
    /// Receipts the node said no to.
    pub refused: AtomicU64,
}

/// The receipts of a shop: which come next.
pub struct Stack {
    plans: Vec<Planned>,
    next: AtomicUsize,
}

impl Stack {
    /// The receipts that are sold at this moment, without their old times.
    pub fn of_today(plans: &[Planned]) -> Arc<Self> {
        let plans = plans.iter().map(|planned| Planned { at: None, ..planned.clone() }).collect();
        Arc::new(Self { plans, next: AtomicUsize::new(0) })
    }

    /// A part of the receipts as those of the fortnight before `today`: paper that is rung late. `shop` tells the parts
    /// of several shops apart.
    ///
    /// # Errors
    /// A receipt whose time is none.
    pub fn of_the_fortnight(plans: &[Planned], today: Date, shop: usize) -> anyhow::Result<Arc<Self>> {
        let days = today.since(AFTER)?.get_days();
        let mut past = Vec::new();
        for planned in plans.iter().skip(shop).step_by(HISTORY_SHARE) {
            let at = planned.at.as_deref().context("a receipt without a time")?;
            let (day, time) = at.split_once('T').with_context(|| format!("{at} is no time"))?;
            let day = day.parse::<Date>()?.checked_add(days.days())?;
            past.push(Planned { at: Some(format!("{day}T{time}")), ..planned.clone() });
        }
        Ok(Arc::new(Self { plans: past, next: AtomicUsize::new(0) }))
    }
}

/// One lane at work: the next receipt of its shop, a pause, again; after the last the fortnight begins anew.
pub async fn today(mut lane: Lane, stack: Arc<Stack>, sold: Arc<Sold>, mut end: watch::Receiver<bool>) {
    while !*end.borrow() {
        let at = stack.next.fetch_add(1, Ordering::Relaxed);
        let Some(planned) = stack.plans.get(at % stack.plans.len().max(1)) else { return };
        ring(&mut lane, planned, &format!("demo:{}", at / stack.plans.len().max(1)), &sold).await;
        // Either the pause is over or the end has come.
        drop(tokio::time::timeout(PAUSE, end.wait_for(|ended| *ended)).await);
    }
}

/// A lane in the office that books the paper of the past fortnight.
pub async fn the_fortnight(mut lane: Lane, stack: Arc<Stack>, sold: Arc<Sold>, end: watch::Receiver<bool>) {
    for planned in &stack.plans {
        if *end.borrow() {
            return;
        }
        ring(&mut lane, planned, "history", &sold).await;
    }
}

async fn ring(lane: &mut Lane, planned: &Planned, run: &str, sold: &Sold) {
    match sell(lane, planned, run).await {
        Ok(net) => {
            sold.tickets.fetch_add(u64::from(planned.kind != Kind::WriteOff), Ordering::Relaxed);
            sold.net_minor.fetch_add(net, Ordering::Relaxed);
        }
        Err(_) => drop(sold.refused.fetch_add(1, Ordering::Relaxed)),
    }
}
