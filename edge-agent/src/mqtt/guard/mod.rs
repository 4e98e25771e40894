//! The guard in front of the broker: TLS and the plain door, who may come in, and what becomes of each packet. The
//! broker behind it is a wire that knows no rights; nothing reaches it that the guard has not read.

mod batch;
mod book;
mod bucket;
mod connect;
mod door;
#[cfg(test)]
mod fuzz;
mod judge;
pub(super) mod packet;
mod property;
mod pump;
mod reason;
mod session;
mod subscribe;
#[cfg(test)]
mod tests;
mod topics;
pub(super) mod upstream;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use protocol::id::{NodeId, ShopId};
use protocol::limits;
use protocol::topic::Principal;
use tokio::sync::{mpsc, watch};

use super::Credentials;
use super::broker::Current;
use crate::desk::Roster;
use book::Book;
use bucket::Bucket;
pub use door::{Door, listen, serve};
use reason::Reason;

/// Log lines about clients that were shut out, in a second and at once: a flood of strangers must not become one of
/// lines. All are counted.
const LINES_PER_SECOND: u64 = 5;
const LINES_AT_ONCE: u64 = 50;

/// What every connection works with.
pub struct Guard {
    /// The shop, which stands in every topic.
    pub shop: ShopId,
    /// The node.
    pub node: NodeId,
    /// Whose token is whose.
    pub roster: Roster,
    /// The login of the node's own client.
    pub own: Credentials,
    /// The broker of the moment.
    pub broker: Current,
    /// Where it is said that the broker does not answer.
    pub sick: mpsc::Sender<u64>,
    /// Turns true when the node stops.
    pub stopping: watch::Receiver<bool>,
    book: Arc<Book>,
    lines: Mutex<Bucket>,
    counts: Counts,
}

/// Counters that move with each message, looked up once.
struct Counts {
    messages_up: metrics::Counter,
    messages_down: metrics::Counter,
    bytes_up: metrics::Counter,
    bytes_down: metrics::Counter,
}

/// What a guard is made of.
pub struct Parts {
    /// The shop.
    pub shop: ShopId,
    /// The node.
    pub node: NodeId,
    /// Whose token is whose.
    pub roster: Roster,
    /// The login of the node's own client.
    pub own: Credentials,
    /// The broker of the moment.
    pub broker: Current,
    /// Where it is said that the broker does not answer.
    pub sick: mpsc::Sender<u64>,
    /// Turns true when the node stops.
    pub stopping: watch::Receiver<bool>,
}

impl Guard {
    /// A guard without doors.
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { shop, node, roster, own, broker, sick, stopping } = parts;
        let messages = |direction| metrics::counter!("tillway_mqtt_messages_total", "direction" => direction);
        let bytes = |direction| metrics::counter!("tillway_mqtt_bytes_total", "direction" => direction);
        let counts = Counts {
            messages_up: messages("up"),
            messages_down: messages("down"),
            bytes_up: bytes("up"),
            bytes_down: bytes("down"),
        };
        let lines = Mutex::new(Bucket::new(Instant::now(), LINES_PER_SECOND, LINES_AT_ONCE));
        Arc::new(Self { shop, node, roster, own, broker, sick, stopping, book: Arc::default(), lines, counts })
    }

    /// Cuts lanes whose token was taken away, until the node stops.
    pub async fn watch_tokens(self: Arc<Self>) {
        let mut tick = tokio::time::interval(Duration::from_millis(limits::STANDING_CHECK_MS));
        let mut stopping = self.stopping.clone();
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = crate::stop::asked(&mut stopping) => return,
            }
            self.book.cut_revoked(|token| self.roster.knows(token));
            metrics::gauge!("tillway_mqtt_clients").set(u32::try_from(self.book.clients()).unwrap_or(u32::MAX));
        }
    }

    /// Resolves when the node's own client is not in, or no longer.
    pub async fn node_gone(&self) {
        self.book.gone(Principal::Node(self.node)).await;
    }

    /// Counts and logs a client that is shut out.
    fn note(&self, reason: Reason, peer: std::net::IpAddr, client: &str) {
        metrics::counter!("tillway_mqtt_refused_total", "reason" => reason.label()).increment(1);
        if self.lines.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now(), 1) {
            tracing::info!(%peer, client, reason = reason.label(), %reason, "an MQTT client was shut out");
        }
    }
}
