//! Ties the status page to the rooms it tells of: what the uplink, the doors and the devices say of themselves, in the
//! words of `core::status`. Rooms never import each other; this is the place where they meet.

use std::sync::Arc;

use protocol::id::Stream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Addresses;
use crate::core::status::{self, Level};
use crate::device::{Condition, DeviceKind, DeviceState, Devices};
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

/// The devices, for the page.
pub(super) fn show_devices(sources: &Sources, devices: &Devices) {
    let devices = devices.clone();
    let told = move || devices.list().into_iter().map(told_of).collect();
    if sources.seams.devices.set(Box::new(told)).is_err() {
        tracing::debug!("the page knew the devices before");
    }
}

fn told_of(device: DeviceState) -> status::Device {
    let (state, level) = match device.state {
        Condition::Unknown => ("not asked yet", Level::Good),
        Condition::Ready => ("ready", Level::Good),
        Condition::Warning => ("works", Level::Attention),
        Condition::Attention => ("waits for a person", Level::Bad),
        Condition::Offline => ("does not answer", Level::Bad),
    };
    let kind = match device.kind {
        DeviceKind::Printer => "receipt printer",
    };
    let state = device.detail.unwrap_or_else(|| state.to_owned());
    status::Device { name: device.name, kind: kind.to_owned(), state, level }
}

/// The addresses, for the page and for the codes it makes.
pub(super) fn show_places(sources: &Sources, addresses: &Addresses) {
    let others =
        [("MQTT, shop", addresses.mqtt_tls), ("MQTT, box", addresses.mqtt_plain), ("Prometheus", addresses.metrics)];
    let places = Places {
        loopback: addresses.terminal_http,
        lan: addresses.terminal_https,
        others: others.into_iter().filter_map(|(what, address)| Some((what.to_owned(), address?))).collect(),
    };
    if sources.seams.places.set(places).is_err() {
        tracing::debug!("the page knew the addresses before");
    }
}
