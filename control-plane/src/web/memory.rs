//! What pages keep in the process: the e-mail of who is signed in, so that a page does not ask for it every time, and
//! the places for live streams. All of it may be lost at any time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::id::PersonId;
use protocol::limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// E-mails remembered; beyond it all are forgotten and asked for again.
const EMAILS: usize = 10_000;

/// What pages keep in the process.
#[derive(Debug)]
pub struct Memory {
    emails: Mutex<HashMap<PersonId, Arc<str>>>,
    streams: Arc<Semaphore>,
    closing: watch::Sender<bool>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            emails: Mutex::default(),
            streams: Arc::new(Semaphore::new(limits::LIVE_STREAMS)),
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

    /// A place for one live stream; none when there are too many.
    pub fn stream(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.streams).try_acquire_owned().ok()
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
