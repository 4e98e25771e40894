//! Seals secrets for the database: AES-256-GCM under a key that lies beside head office, never in the database. A copy
//! of the database alone opens nothing, and what was sealed for one purpose and one row opens for no other. Knows
//! neither tables nor nouns.

mod file;
#[cfg(test)]
mod tests;

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use protocol::timestamp::Timestamp;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

pub use file::SealError;

use super::store;
use crate::db::Db;
use crate::rng::{self, hex};
use crate::secret_file;

/// Name of the key's file in the state directory.
pub const FILE: &str = "secrets.key";
/// First byte of what is sealed: how the rest is to be read.
const VERSION: u8 = 1;
/// Bytes of a key's id.
const ID_LEN: usize = 8;
/// Bytes of a key.
const KEY_LEN: usize = 32;

/// Seals and opens. Cheap to clone.
#[derive(Clone)]
pub struct Sealer {
    keys: Arc<Ring>,
}

/// The keys: the newest seals, all of them open.
struct Ring {
    newest: Key,
    older: Vec<Key>,
}

struct Key {
    id: [u8; ID_LEN],
    cipher: LessSafeKey,
}

impl Key {
    fn of(bytes: &[u8; KEY_LEN]) -> Option<Self> {
        let name = blake3::derive_key("tillway head office 2026 name of a sealing key", bytes);
        let mut id = [0; ID_LEN];
        id.copy_from_slice(name.get(..ID_LEN)?);
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).ok()?);
        Some(Self { id, cipher })
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("newest", &self.key_id()).finish_non_exhaustive()
    }
}

/// What was opened; wiped when it is dropped, and never printed.
pub struct Opened(Vec<u8>);

impl Deref for Opened {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opened(..)")
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.fill(0);
        // So that the compiler does not take the line above for useless.
        std::hint::black_box(&mut self.0);
    }
}

impl Sealer {
    /// The keys of the state directory: made at the first start, readable by their owner alone.
    ///
    /// # Errors
    /// [`SealError`] names the file and what to do about it.
    pub fn of_state(state: &Path) -> Result<Self, SealError> {
        let path = state.join(FILE);
        let text = match secret_file::read(&path)? {
            Some(text) => text,
            None => secret_file::create(state, FILE, &file::first(&rng::bytes()))?,
        };
        Self::parse(&path, &text)
    }

    /// The keys of a file that somebody else keeps (`--secrets-key`). It is never made here: two head offices that each
    /// made one could not read each other's secrets.
    ///
    /// # Errors
    /// [`SealError`] names the file and what to do about it.
    pub fn of_file(path: &Path) -> Result<Self, SealError> {
        let text = secret_file::read(path)?.ok_or_else(|| SealError::Missing { path: path.to_owned() })?;
        Self::parse(path, &text)
    }

    /// A key that nobody else has and that ends with the process: for tests, and for commands that seal nothing.
    pub fn throwaway() -> Self {
        loop {
            // A key of the right length is always one; the loop is how to say so without a panic.
            if let Some(newest) = Key::of(&rng::bytes()) {
                return Self { keys: Arc::new(Ring { newest, older: Vec::new() }) };
            }
        }
    }

    fn parse(path: &Path, text: &str) -> Result<Self, SealError> {
        let damaged = |line| SealError::Damaged { path: path.to_owned(), line };
        let mut older = Vec::new();
        for (line, key) in file::keys(text) {
            older.push(key.and_then(|bytes| Key::of(&bytes)).ok_or_else(|| damaged(line))?);
        }
        let newest = older.pop().ok_or_else(|| damaged(1))?;
        Ok(Self { keys: Arc::new(Ring { newest, older }) })
    }

    /// The id of the key that seals: fit for logs, it says nothing about the key.
    pub fn key_id(&self) -> String {
        hex(&self.keys.newest.id)
    }

    /// Whether one of the keys has this id.
    pub fn knows(&self, key_id: &str) -> bool {
        self.all().any(|key| hex(&key.id) == key_id)
    }

    fn all(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.keys.newest).chain(&self.keys.older)
    }

    /// Compares the keys with the one that the database's secrets are sealed with; the first head office on a database notes
    /// its own. So a second one with a key of its own does not start, instead of taking every second factor for wrong.
    ///
    /// # Errors
    /// [`SealError::Foreign`] with what to do, or whatever the database met.
    pub async fn settle(&self, db: &Db, now: Timestamp) -> Result<(), SealError> {
        let known = store::settle_key(db, &self.key_id(), now).await?;
        if !self.knows(&known) {
            return Err(SealError::Foreign { known });
        }
        if known != self.key_id() {
            store::replace_key(db, &known, &self.key_id(), now).await?;
            tracing::info!(before = known, now = self.key_id(), "secrets are sealed with another key from now on");
        }
        Ok(())
    }

    /// Seals `plain` for one purpose and one place: `purpose` names the column ("mfa.totp"), `bound_to` the row (its
    /// key). Neither is secret, and without the very same two nothing opens.
    pub fn seal(&self, purpose: &'static str, bound_to: &[u8], plain: &[u8]) -> Vec<u8> {
        let key = &self.keys.newest;
        let nonce = rng::bytes::<NONCE_LEN>();
        let mut body = plain.to_vec();
        let place = Aad::from(place(purpose, bound_to));
        let sealed = key.cipher.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), place, &mut body);
        if sealed.is_err() {
            // Only beyond 64 GiB. Nothing opens what is empty, and nothing plain is given away.
            body.fill(0);
            return Vec::new();
        }
        [&[VERSION], key.id.as_slice(), nonce.as_slice(), &body].concat()
    }

    /// Opens what [`Sealer::seal`] made for the same purpose and place. None for what is damaged, of another place, or of
    /// a key that is not here.
    pub fn open(&self, purpose: &'static str, bound_to: &[u8], sealed: &[u8]) -> Option<Opened> {
        let (id, rest) = split(sealed)?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN)?;
        let key = self.all().find(|key| key.id == id)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut body = body.to_vec();
        let length = key.cipher.open_in_place(nonce, Aad::from(place(purpose, bound_to)), &mut body).ok()?.len();
        body.truncate(length);
        Some(Opened(body))
    }

    /// Whether this was sealed by a key that has been replaced: seal it anew when it is opened next.
    pub fn is_old(&self, sealed: &[u8]) -> bool {
        split(sealed).is_none_or(|(id, _)| id != self.keys.newest.id)
    }
}

/// The id of the key, and what it sealed.
fn split(sealed: &[u8]) -> Option<([u8; ID_LEN], &[u8])> {
    let (version, rest) = sealed.split_first()?;
    let (id, rest) = rest.split_first_chunk::<ID_LEN>()?;
    (*version == VERSION).then_some((*id, rest))
}

/// Purpose and place in one, so that no two pairs read the same.
fn place(purpose: &str, bound_to: &[u8]) -> Vec<u8> {
    let length = u64::try_from(purpose.len()).unwrap_or(u64::MAX).to_le_bytes();
    [length.as_slice(), purpose.as_bytes(), bound_to].concat()
}
