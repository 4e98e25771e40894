//! Which node is connected where. A second connection of a node ends the first: a box that lost its network comes
//! back long before the old connection is known to be dead.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::id::NodeId;
use tokio::sync::oneshot;

#[derive(Debug)]
struct Seat {
    number: u64,
    boot_nonce: [u8; 16],
    give_up: oneshot::Sender<()>,
}

#[derive(Debug, Default)]
struct Seats {
    next: u64,
    by_node: HashMap<NodeId, Seat>,
}

/// All seats of one gateway.
#[derive(Clone, Debug, Default)]
pub(super) struct Registry(Arc<Mutex<Seats>>);

/// The seat of one connection; freed when it is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    registry: Registry,
    node: NodeId,
    number: u64,
    /// Comes when a newer connection takes over.
    pub(super) given_up: oneshot::Receiver<()>,
}

impl Registry {
    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the seat of a node, and ends the connection that had it.
    pub(super) fn take(&self, node: NodeId, boot_nonce: [u8; 16]) -> Taken {
        let (give_up, given_up) = oneshot::channel();
        let mut seats = self.seats();
        let number = seats.next;
        seats.next = seats.next.wrapping_add(1);
        let before = seats.by_node.insert(node, Seat { number, boot_nonce, give_up });
        let count = u32::try_from(seats.by_node.len()).unwrap_or(u32::MAX);
        drop(seats);
        metrics::gauge!("tillway_gateway_nodes_connected").set(f64::from(count));
        if let Some(before) = before {
            // The same box came back, or it was restarted, or there are two of it: the nonce tells the first case.
            let same_run = before.boot_nonce == boot_nonce;
            metrics::counter!("tillway_gateway_superseded_total", "same_run" => same_run.to_string()).increment(1);
            tracing::info!(%node, same_run, "a newer connection of the node takes over");
            if before.give_up.send(()).is_err() {
                tracing::debug!(%node, "the older connection had ended");
            }
        }
        Taken { registry: self.clone(), node, number, given_up }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut seats = self.registry.seats();
        if seats.by_node.get(&self.node).is_some_and(|seat| seat.number == self.number) {
            seats.by_node.remove(&self.node);
            let count = u32::try_from(seats.by_node.len()).unwrap_or(u32::MAX);
            metrics::gauge!("tillway_gateway_nodes_connected").set(f64::from(count));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_connection_has_the_seat_and_the_older_one_does_not_free_it() {
        let (registry, node) = (Registry::default(), NodeId::from_uuid(uuid::Uuid::from_u128(1)));
        let mut first = registry.take(node, [1; 16]);
        assert!(first.given_up.try_recv().is_err());
        let mut second = registry.take(node, [2; 16]);
        assert!(first.given_up.try_recv().is_ok());
        drop(first);
        assert_eq!(registry.seats().by_node.len(), 1);
        assert!(second.given_up.try_recv().is_err());
        drop(second);
        assert!(registry.seats().by_node.is_empty());
    }
}
