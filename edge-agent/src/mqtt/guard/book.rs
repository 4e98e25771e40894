//! Who is connected: how many in all, from one address and of one lane, who must prove himself first, and how each can
//! be cut. Knows no bytes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::limits;
use protocol::topic::Principal;
use tokio::sync::watch;

use super::reason::Reason;
use crate::core::pairing::SecretHash;

/// The word by which a connection is cut.
pub type Cut = watch::Receiver<Option<Reason>>;

/// Everybody who is connected.
#[derive(Debug, Default)]
pub struct Book(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    all: usize,
    strangers: usize,
    peers: HashMap<IpAddr, Peer>,
    seats: HashMap<u64, Seat>,
}

#[derive(Debug, Default)]
struct Peer {
    all: usize,
    strangers: usize,
}

#[derive(Debug)]
struct Seat {
    who: Principal,
    client_id: String,
    token: Option<SecretHash>,
    cut: Arc<watch::Sender<Option<Reason>>>,
}

/// A counted connection. As long as it is a stranger it counts as one.
#[derive(Debug)]
pub struct Guest {
    book: Arc<Book>,
    peer: IpAddr,
    stranger: bool,
}

/// A client that is in; its seat is free again when this goes.
#[derive(Debug)]
pub struct Seated {
    book: Arc<Book>,
    number: u64,
    /// The word by which it is cut.
    pub cut: Cut,
}

impl Book {
    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a new connection; none when there is no room.
    pub fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Guest> {
        let mut inner = self.inner();
        if inner.all >= limits::MQTT_CONNECTIONS || inner.strangers >= limits::MQTT_STRANGERS {
            return None;
        }
        let of_peer = inner.peers.entry(peer).or_default();
        if of_peer.all >= limits::MQTT_PEER_CONNECTIONS || of_peer.strangers >= limits::MQTT_PEER_STRANGERS {
            return None;
        }
        of_peer.all += 1;
        of_peer.strangers += 1;
        inner.all += 1;
        inner.strangers += 1;
        Some(Guest { book: Arc::clone(self), peer, stranger: true })
    }

    /// Gives a client its seat. Whoever had its client id is cut first, and the seat is given when he is gone.
    ///
    /// # Errors
    /// The lane has all the seats that a lane may have.
    pub async fn seat(
        self: &Arc<Self>,
        who: Principal,
        client_id: &str,
        token: Option<SecretHash>,
    ) -> Result<Seated, Reason> {
        // More than once only when several come for one name at the same time.
        for _ in 0..limits::MQTT_LANE_CONNECTIONS {
            let before = {
                let mut inner = self.inner();
                let held =
                    inner.seats.values().find(|seat| seat.client_id == client_id).map(|seat| Arc::clone(&seat.cut));
                match held {
                    Some(cut) => cut,
                    None => return inner.take_seat(self, who, client_id, token),
                }
            };
            before.send_replace(Some(Reason::TakenOver));
            before.closed().await;
        }
        Err(Reason::Quota("several clients fight over one client id"))
    }

    /// Cuts every lane whose token is no longer good.
    pub fn cut_revoked(&self, is_good: impl Fn(&SecretHash) -> bool) {
        for seat in self.inner().seats.values() {
            if seat.token.as_ref().is_some_and(|token| !is_good(token)) {
                seat.cut.send_replace(Some(Reason::Revoked));
            }
        }
    }

    /// Resolves when nobody is in as `who`.
    pub async fn gone(&self, who: Principal) {
        loop {
            let held = self.inner().seats.values().find(|seat| seat.who == who).map(|seat| Arc::clone(&seat.cut));
            match held {
                Some(cut) => cut.closed().await,
                None => return,
            }
        }
    }

    /// How many clients are in.
    pub fn clients(&self) -> usize {
        self.inner().seats.len()
    }
}

impl Inner {
    fn take_seat(
        &mut self,
        book: &Arc<Book>,
        who: Principal,
        client_id: &str,
        token: Option<SecretHash>,
    ) -> Result<Seated, Reason> {
        if self.seats.values().filter(|seat| seat.who == who).count() >= limits::MQTT_LANE_CONNECTIONS {
            return Err(Reason::Quota("this lane has as many connections as a lane may have"));
        }
        let number = self.next;
        self.next += 1;
        let (cut, receiver) = watch::channel(None);
        self.seats.insert(number, Seat { who, client_id: client_id.to_owned(), token, cut: Arc::new(cut) });
        Ok(Seated { book: Arc::clone(book), number, cut: receiver })
    }
}

impl Guest {
    /// Whose connection this is is known now.
    pub fn known(&mut self) {
        if std::mem::take(&mut self.stranger) {
            self.book.inner().forget_stranger(self.peer);
        }
    }

    /// Where it comes from.
    pub const fn peer(&self) -> IpAddr {
        self.peer
    }
}

impl Inner {
    fn forget_stranger(&mut self, peer: IpAddr) {
        self.strangers = self.strangers.saturating_sub(1);
        if let Some(of_peer) = self.peers.get_mut(&peer) {
            of_peer.strangers = of_peer.strangers.saturating_sub(1);
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.known();
        let mut inner = self.book.inner();
        inner.all = inner.all.saturating_sub(1);
        let gone = inner.peers.get_mut(&self.peer).is_some_and(|of_peer| {
            of_peer.all = of_peer.all.saturating_sub(1);
            of_peer.all == 0
        });
        if gone {
            inner.peers.remove(&self.peer);
        }
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.book.inner().seats.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::id::LaneId;
    use uuid::Uuid;

    fn lane(number: u128) -> Principal {
        Principal::Lane(LaneId::from_uuid(Uuid::from_u128(number)))
    }

    #[test]
    fn strangers_of_one_address_do_not_take_all_places() {
        let book = Arc::new(Book::default());
        let (rude, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let mut held: Vec<Guest> = std::iter::from_fn(|| book.admit(rude)).collect();
        assert_eq!(held.len(), limits::MQTT_PEER_STRANGERS);
        assert!(book.admit(other).is_some(), "another address gets in");
        held[0].known();
        assert!(book.admit(rude).is_some(), "whoever is known is no stranger");
        drop(held);
        assert!(book.inner().peers.is_empty() && book.inner().all == 0 && book.inner().strangers == 0);
    }

    #[tokio::test]
    async fn one_client_id_has_one_seat_and_the_newcomer_gets_it() {
        let book = Arc::new(Book::default());
        let first = book.seat(lane(1), "a", None).await.unwrap();
        let mut cut = first.cut.clone();
        let holder = tokio::spawn(async move {
            cut.changed().await.unwrap();
            let reason = *cut.borrow();
            drop((first, cut));
            reason
        });
        let second = book.seat(lane(1), "a", None).await.unwrap();
        assert_eq!(holder.await.unwrap(), Some(Reason::TakenOver));
        assert_eq!((book.clients(), *second.cut.borrow()), (1, None));
    }

    #[tokio::test]
    async fn a_lane_has_so_many_seats_and_loses_them_with_its_token() {
        let book = Arc::new(Book::default());
        let mut seats = Vec::new();
        for number in 0..limits::MQTT_LANE_CONNECTIONS {
            seats.push(book.seat(lane(1), &number.to_string(), Some([1; 32])).await.unwrap());
        }
        assert!(matches!(book.seat(lane(1), "more", Some([1; 32])).await, Err(Reason::Quota(_))));
        let other = book.seat(lane(2), "other", Some([2; 32])).await.unwrap();
        book.cut_revoked(|token| *token == [2; 32]);
        assert!(seats.iter().all(|seat| *seat.cut.borrow() == Some(Reason::Revoked)));
        assert_eq!(*other.cut.borrow(), None);
        drop(seats);
        assert!(book.seat(lane(1), "again", Some([1; 32])).await.is_ok());
    }
}
