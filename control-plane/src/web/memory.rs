//! What pages keep in the process: the e-mail of who is signed in, so that a page does not ask for it every time, and
//! the places for live streams. All of it may be lost at any time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::tenants::types::Face;
use protocol::id::{PersonId, TenantId};
use protocol::limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// E-mails remembered; beyond it all are forgotten and asked for again.
const EMAILS: usize = 10_000;

/// What stands around the pages of tenants, each under its version; beyond it all are forgotten.
const FACES: usize = 10_000;

/// Places that each tenant holds now; none at nought.
type Held = Arc<Mutex<HashMap<TenantId, usize>>>;

/// A place for one live stream; given back by its drop.
#[derive(Debug)]
pub struct Place {
    tenant: TenantId,
    held: Held,
    _of_all: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mine) = held.get_mut(&self.tenant) {
            *mine = mine.saturating_sub(1);
            if *mine == 0 {
                held.remove(&self.tenant);
            }
        }
    }
}

/// What pages keep in the process.
#[derive(Debug)]
pub struct Memory {
    emails: Mutex<HashMap<PersonId, Arc<str>>>,
    faces: Mutex<HashMap<TenantId, (i64, Arc<Face>)>>,
    streams: Arc<Semaphore>,
    held: Held,
    closing: watch::Sender<bool>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            emails: Mutex::default(),
            faces: Mutex::default(),
            streams: Arc::new(Semaphore::new(limits::LIVE_STREAMS)),
            held: Held::default(),
            closing: watch::Sender::new(false),
        }
    }
}

impl Memory {
    /// The e-mail of a person, if it was asked for before.
    pub fn email(&self, person: PersonId) -> Option<Arc<str>> {
        self.emails.lock().unwrap_or_else(PoisonError::into_inner).get(&person).cloned()
    }

    /// Keeps the e-mail of a person.
    pub fn keep_email(&self, person: PersonId, email: &Arc<str>) {
        let mut emails = self.emails.lock().unwrap_or_else(PoisonError::into_inner);
        if emails.len() >= EMAILS {
            emails.clear();
        }
        emails.insert(person, Arc::clone(email));
    }

    /// Forgets the e-mail of a person: it is another one now.
    pub fn forget_email(&self, person: PersonId) {
        self.emails.lock().unwrap_or_else(PoisonError::into_inner).remove(&person);
    }

    /// What stands around the pages of a tenant, if it was asked for under this version.
    pub fn face(&self, tenant: TenantId, version: i64) -> Option<Arc<Face>> {
        let faces = self.faces.lock().unwrap_or_else(PoisonError::into_inner);
        faces.get(&tenant).filter(|(known, _)| *known == version).map(|(_, face)| Arc::clone(face))
    }

    /// Keeps what stands around the pages of a tenant.
    pub fn keep_face(&self, tenant: TenantId, version: i64, face: &Arc<Face>) {
        let mut faces = self.faces.lock().unwrap_or_else(PoisonError::into_inner);
        if faces.len() >= FACES {
            faces.clear();
        }
        faces.insert(tenant, (version, Arc::clone(face)));
    }

    /// A place for one live stream of a tenant; none when there are too many, or too many of this tenant.
    pub fn stream(&self, tenant: TenantId) -> Option<Place> {
        let of_all = Arc::clone(&self.streams).try_acquire_owned().ok()?;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = held.entry(tenant).or_default();
        if *mine >= limits::LIVE_STREAMS_OF_ONE {
            return None;
        }
        *mine += 1;
        drop(held);
        Some(Place { tenant, held: Arc::clone(&self.held), _of_all: of_all })
    }

    /// Turns true when head office closes: streams end, browsers come again when it is back.
    pub fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// Ends all streams.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screens_of_one_tenant_leave_room_for_those_of_another() {
        let memory = Memory::default();
        let [loud, quiet] = [1, 2].map(|n| TenantId::from_uuid(uuid::Uuid::from_u128(n)));
        let mut places: Vec<Place> = std::iter::from_fn(|| memory.stream(loud)).collect();
        assert_eq!(places.len(), limits::LIVE_STREAMS_OF_ONE);
        assert!(memory.stream(quiet).is_some());
        places.pop();
        assert!(memory.stream(loud).is_some(), "a place that was left is free again");
        drop(places);
        assert!(memory.held.lock().unwrap().is_empty());
        assert_eq!(memory.streams.available_permits(), limits::LIVE_STREAMS);
    }
}
