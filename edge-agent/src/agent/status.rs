//! Ties the status page to the rooms it tells of: what the uplink, the doors and the devices say of themselves, in the
//! words of `core::status`. Rooms never import each other; this is the place where they meet.

use std::sync::Arc;

use protocol::id::Stream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Addresses;
use crate::core::status;
use crate::health::mark::Mark;
use crate::health::sources::{Places, Sources};
use crate::ledger::Logs;
use crate::uplink::{self, Settled, Uplink};

/// The way to head office, for the page.
pub(super) fn follow_uplink(
    background: &mut JoinSet<()>,
    sources: &Arc<Sources>,
    uplink: Result<(&Uplink, watch::Receiver<Settled>), String>,
) {
    let (logs, term) = (sources.logs.clone(), sources.logs.term());
    let mark = Mark::open(&sources.layout.data().join("head-office.json"), term);
    let told: Box<dyn Fn() -> status::Uplink + Send + Sync> = match uplink {
        Ok((uplink, settled)) => {
            background.spawn(mark.clone().keep());
            let stands = uplink.status();
            Box::new(move || {
                mark.reached(settled.borrow().upto(Stream::Fiscal));
                let now = stands.borrow().clone();
                connected(now, &logs, &mark)
            })
        }
        Err(reason) => Box::new(move || status::Uplink {
            link: status::Link::Off,
            reason: Some(reason.clone()),
            waiting: unconfirmed(&logs, &mark),
            ..status::Uplink::default()
        }),
    };
    if sources.seams.uplink.set(told).is_err() {
        tracing::debug!("the page knew of an uplink before");
    }
}

fn connected(now: uplink::Status, logs: &Logs, mark: &Mark) -> status::Uplink {
    status::Uplink {
        link: match now.link {
            uplink::Link::Up => status::Link::Connected,
            uplink::Link::Trying => status::Link::Trying,
            uplink::Link::Down => status::Link::Resting,
        },
        address: String::new(),
        reason: now.last_error,
        last_contact: now.last_contact,
        failures: now.failures,
        // Before the first contact of this start the session knows nothing; the mark of the start before does.
        waiting: now.pending.min(unconfirmed(logs, mark)),
        waiting_since: None,
        clock_skew_millis: now.clock_skew_ms,
    }
}

fn unconfirmed(logs: &Logs, mark: &Mark) -> u64 {
    logs.head(Stream::Fiscal).durable.0.saturating_sub(mark.upto().0)
}

/// The addresses, for the page and for the codes it makes.
pub(super) fn show_places(sources: &Sources, addresses: &Addresses) {
    let metrics = addresses.metrics.map(|address| ("Prometheus".to_owned(), address));
    let places = Places {
        loopback: addresses.terminal_http,
        lan: addresses.terminal_https,
        others: metrics.into_iter().collect(),
    };
    if sources.seams.places.set(places).is_err() {
        tracing::debug!("the page knew the addresses before");
    }
}
