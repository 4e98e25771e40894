//! Which node is connected where. A second connection of a node ends the first: a box that lost its network comes
//! back long before the old connection is known to be dead.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::id::{NodeId, TenantId};
use protocol::limits;
use protocol::session::{CloseCode, Closed};
use tokio::sync::{oneshot, watch};

use super::backend::Backend;

const LOOK_EVERY: Duration = Duration::from_millis(limits::STANDING_CHECK_MS);

#[derive(Debug)]
struct Seat {
    number: u64,
    boot_nonce: [u8; 16],
    holder: Holder,
    give_up: oneshot::Sender<Closed>,
}

/// Who sits there: what it takes to ask whether they still may.
#[derive(Clone, Debug)]
pub(super) struct Holder {
    pub(super) tenant: TenantId,
    pub(super) node: NodeId,
    /// The certificate it came with (DER).
    pub(super) certificate: Arc<[u8]>,
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
    /// Comes when a newer connection takes over, or when the node may stay no longer.
    pub(super) given_up: oneshot::Receiver<Closed>,
}

impl Registry {
    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the seat of a node, and ends the connection that had it.
    pub(super) fn take(&self, holder: Holder, boot_nonce: [u8; 16]) -> Taken {
        let node = holder.node;
        let (give_up, given_up) = oneshot::channel();
        let mut seats = self.seats();
        let number = seats.next;
        seats.next = seats.next.wrapping_add(1);
        let before = seats.by_node.insert(node, Seat { number, boot_nonce, holder, give_up });
        let count = u32::try_from(seats.by_node.len()).unwrap_or(u32::MAX);
        drop(seats);
        metrics::gauge!("tillway_gateway_nodes_connected").set(f64::from(count));
        if let Some(before) = before {
            // The same box came back, or it was restarted, or there are two of it: the nonce tells the first case.
            let same_run = before.boot_nonce == boot_nonce;
            metrics::counter!("tillway_gateway_superseded_total", "same_run" => same_run.to_string()).increment(1);
            tracing::info!(%node, same_run, "a newer connection of the node takes over");
            let why = Closed::new(CloseCode::SUPERSEDED, "a newer connection of this node took over");
            if before.give_up.send(why).is_err() {
                tracing::debug!(%node, "the older connection had ended");
            }
        }
        Taken { registry: self.clone(), node, number, given_up }
    }

    /// Who is connected, by tenant.
    fn holders(&self) -> HashMap<TenantId, Vec<(u64, Holder)>> {
        let mut by_tenant: HashMap<_, Vec<_>> = HashMap::new();
        for seat in self.seats().by_node.values() {
            by_tenant.entry(seat.holder.tenant).or_default().push((seat.number, seat.holder.clone()));
        }
        by_tenant
    }

    /// Ends the connection that has this seat, if it still has it.
    fn expel(&self, node: NodeId, number: u64, why: Closed) {
        let mut seats = self.seats();
        if seats.by_node.get(&node).is_none_or(|seat| seat.number != number) {
            return;
        }
        let seat = seats.by_node.remove(&node);
        drop(seats);
        metrics::counter!("tillway_gateway_expelled_total", "code" => why.code.name()).increment(1);
        tracing::warn!(%node, code = why.code.name(), reason = why.reason, "a connected node is sent away");
        if seat.is_some_and(|seat| seat.give_up.send(why).is_err()) {
            tracing::debug!(%node, "its connection had ended");
        }
    }
}

/// Looks again and again whether those who are connected still may be: a certificate that is revoked, a node that
/// is retired or a term that has passed ends the connection within a second. One question per tenant. While head
/// office cannot look, everybody stays.
pub(super) async fn expel_the_fallen<B: Backend>(registry: Registry, backend: B, mut ended: watch::Receiver<bool>) {
    while tokio::time::timeout(LOOK_EVERY, ended.changed()).await.is_err() {
        for (tenant, seats) in registry.holders() {
            let certificates = seats.iter().map(|(_, holder)| Arc::clone(&holder.certificate)).collect();
            let fallen = match backend.fallen(tenant, certificates).await {
                Ok(fallen) => fallen,
                Err(error) => {
                    tracing::debug!(%tenant, error, "cannot look who may stay");
                    continue;
                }
            };
            for (number, holder) in seats.iter().filter(|(_, holder)| fallen.contains(&holder.certificate)) {
                // The door itself says why; should it let the node in again, nothing happened.
                if let Err(why) = backend.admit(&holder.certificate).await
                    && why.code != CloseCode::UNAVAILABLE
                {
                    registry.expel(holder.node, *number, why);
                }
            }
        }
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
        let tenant = TenantId::from_uuid(uuid::Uuid::from_u128(2));
        let holder = Holder { tenant, node, certificate: Arc::from([1, 2, 3]) };
        let mut first = registry.take(holder.clone(), [1; 16]);
        assert!(first.given_up.try_recv().is_err());
        let mut second = registry.take(holder, [2; 16]);
        assert!(first.given_up.try_recv().is_ok());
        drop(first);
        assert_eq!(registry.seats().by_node.len(), 1);
        assert!(second.given_up.try_recv().is_err());
        let gone = || Closed::new(CloseCode::REFUSED, "revoked");
        registry.expel(node, 0, gone());
        assert!(second.given_up.try_recv().is_err(), "the seat of an earlier connection");
        registry.expel(node, 1, gone());
        assert_eq!(second.given_up.try_recv(), Ok(gone()));
        drop(second);
        assert!(registry.seats().by_node.is_empty());
    }
}
