//! Passwords: Argon2id, a few hashes at a time, away from the threads that serve. An unknown e-mail costs the
//! same time as a wrong password.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::chosen;
use crate::http::{ApiError, ApiResult};

pub use super::chosen::{LONGEST, SHORTEST};
/// How long a sign-in waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Hashes passwords, each with 19 MiB of memory, as many at once as there are cores.
#[derive(Clone, Debug)]
pub struct Hasher {
    turns: Arc<Semaphore>,
    nobody: Arc<OnceLock<String>>,
    made: Arc<AtomicU64>,
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl Hasher {
    /// A hasher with one turn per core.
    pub fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self { turns: Arc::new(Semaphore::new(cores)), nobody: Arc::default(), made: Arc::default() }
    }

    /// How many hashes were made, for whoever proves that most tries of an attack cost none.
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// Checks that a password may be chosen, and hashes it into a PHC string.
    ///
    /// # Errors
    /// See [`Hasher::hash_for`].
    pub async fn hash(&self, password: &str) -> ApiResult<String> {
        self.hash_for(password, &[]).await
    }

    /// Checks that a password may be chosen by somebody whom the words are `about` (e-mail, name of the company), and
    /// hashes it into a PHC string.
    ///
    /// # Errors
    /// VALIDATION for one that may not be chosen; INTERNAL 503 when too many wait.
    pub async fn hash_for(&self, password: &str, about: &[&str]) -> ApiResult<String> {
        chosen::check(password, about).map_err(|why| ApiError::field("password", why))?;
        self.made.fetch_add(1, Ordering::Relaxed);
        let turn = self.turn().await?;
        let password = password.to_owned();
        run(turn, move || hash_now(&password)).await?
    }

    /// Whether `password` is the one behind `phc`. Without a `phc` (no such person) it takes as long and says no.
    ///
    /// # Errors
    /// INTERNAL 503 when too many wait.
    pub async fn verify(&self, password: &str, phc: Option<String>) -> ApiResult<bool> {
        if password.len() > LONGEST {
            return Ok(false);
        }
        self.made.fetch_add(1, Ordering::Relaxed);
        let turn = self.turn().await?;
        let nobody = Arc::clone(&self.nobody);
        let password = password.to_owned();
        run(turn, move || {
            let known = phc.is_some();
            let phc = match phc {
                Some(phc) => phc,
                None => match nobody.get() {
                    Some(phc) => phc.clone(),
                    None => {
                        let made = hash_now("nobody has this password")?;
                        nobody.get_or_init(|| made).clone()
                    }
                },
            };
            let parsed = PasswordHash::new(&phc).map_err(ApiError::internal)?;
            Ok(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok() && known)
        })
        .await?
    }

    /// Makes the hash that unknown e-mails are compared with, so that the first of them takes no longer.
    ///
    /// # Errors
    /// See [`Hasher::verify`].
    pub async fn warm(&self) -> ApiResult<()> {
        self.verify("", None).await.map(|_| ())
    }

    async fn turn(&self) -> ApiResult<OwnedSemaphorePermit> {
        let busy = || ApiError::unavailable("too many people sign in at once; try again in a moment");
        let turns = Arc::clone(&self.turns);
        tokio::time::timeout(PATIENCE, turns.acquire_owned()).await.map_err(|_| busy())?.map_err(|_| busy())
    }
}

async fn run<T: Send + 'static>(turn: OwnedSemaphorePermit, work: impl FnOnce() -> T + Send + 'static) -> ApiResult<T> {
    tokio::task::spawn_blocking(move || {
        let done = work();
        drop(turn);
        done
    })
    .await
    .map_err(ApiError::internal)
}

fn hash_now(password: &str) -> ApiResult<String> {
    let hash = Argon2::default().hash_password(password.as_bytes()).map_err(ApiError::internal)?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_verifies_against_its_hash_alone() {
        let hasher = Hasher::new();
        let phc = hasher.hash("correct horse").await.unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(hasher.verify("correct horse", Some(phc.clone())).await.unwrap());
        assert!(!hasher.verify("wrong horse!", Some(phc)).await.unwrap());
        assert!(!hasher.verify("nobody has this password", None).await.unwrap());
        assert_eq!(hasher.hash("short").await.unwrap_err().status, 422);
    }
}
