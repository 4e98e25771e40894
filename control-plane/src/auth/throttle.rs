//! How often sign-in may be tried, counted before a password is looked at, so that many tries at once count as many and
//! most of an attack never costs a hash. Three counts in windows of fifteen minutes: of an e-mail from one place, of an
//! e-mail from everywhere, of an address against any e-mail. A place (browser or network) from which the person signed in
//! before is held to the first count alone: an attack from elsewhere does not lock its victim out.

use protocol::timestamp::Timestamp;

use super::store;
use crate::db::{DbError, SystemTx};

/// Tries per window for one e-mail from one place.
pub const TRIES: i32 = 5;
/// Tries per window for one e-mail, from all places that its person is not known to use.
pub const TRIES_OF_EMAIL: i32 = 20;
/// Tries per window of one address that did not end in a sign-in, whatever the e-mails.
pub const TRIES_OF_ADDRESS: i32 = 100;
/// Links by mail per window for one e-mail.
pub const MAILS: i32 = 3;
/// Length of the window, in milliseconds.
pub const WINDOW_MILLIS: i64 = 15 * 60 * 1_000;
/// How long a place is known after it was used, in milliseconds.
pub const PLACE_MILLIS: i64 = 90 * 24 * 3_600 * 1_000;
/// Stands for "all of them" in a count; no e-mail and no address is spelled like this.
const ALL: &str = "*";

/// A try to sign in.
#[derive(Clone, Copy, Debug)]
pub struct Try<'a> {
    /// The e-mail as it is compared.
    pub email_key: &'a str,
    /// The network it comes from.
    pub address: &'a str,
    /// The mark of a browser that the person is known to use.
    pub browser: Option<&'a str>,
    /// Whether the person is known to use this browser or network.
    pub known: bool,
    /// When.
    pub now: Timestamp,
}

/// Which count was full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The e-mail's from one place.
    Place,
    /// The e-mail's from everywhere.
    Email,
    /// The address's.
    Address,
}

/// One try too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    /// Which count was full.
    pub bound: Bound,
    /// Come back after so many seconds.
    pub seconds: u32,
    /// Whether it is the first that this window refuses: the one worth a line in the record.
    pub first: bool,
}

impl Try<'_> {
    /// The counts that hold this try, as (e-mail, address, bound, how many), widest first: what they refuse leaves no row of
    /// its own.
    fn counts(&self) -> Vec<(&str, &str, Bound, i32)> {
        let place = (self.email_key, self.browser.unwrap_or(self.address), Bound::Place, TRIES);
        if self.known {
            return vec![place];
        }
        vec![
            (ALL, self.address, Bound::Address, TRIES_OF_ADDRESS),
            (self.email_key, ALL, Bound::Email, TRIES_OF_EMAIL),
            place,
        ]
    }
}

/// Counts a try. `Some` when it is one too many.
///
/// # Errors
/// Whatever the statement met.
pub async fn count(tx: &mut SystemTx, tried: Try<'_>) -> Result<Option<TooMany>, DbError> {
    let oldest = tried.now.plus_millis(-WINDOW_MILLIS);
    for (email_key, address, bound, most) in tried.counts() {
        // A count that is full is only read: an attack writes no row again and again.
        let (tries, starts) = match store::full(tx, email_key, address, most + 1, oldest).await? {
            Some(starts) => (most + 2, starts),
            None => store::count_try(tx, email_key, address, tried.now, oldest).await?,
        };
        if tries > most {
            let seconds = seconds_left(starts, tried.now);
            return Ok(Some(TooMany { bound, seconds, first: tries == most + 1 }));
        }
    }
    Ok(None)
}

/// Counts a mail that somebody asks to be sent to an e-mail; false when it is one too many.
///
/// # Errors
/// Whatever the statement met.
pub async fn count_mail(tx: &mut SystemTx, email_key: &str, what: &str, now: Timestamp) -> Result<bool, DbError> {
    let (tries, _) = store::count_try(tx, email_key, what, now, now.plus_millis(-WINDOW_MILLIS)).await?;
    Ok(tries <= MAILS)
}

/// Counts something that a network does, such as registering; the seconds to wait when it was one time too many.
///
/// # Errors
/// Whatever the statement met.
pub async fn count_of_network(
    tx: &mut SystemTx,
    what: &str,
    address: &str,
    most: i32,
    now: Timestamp,
) -> Result<Option<u32>, DbError> {
    count_at(tx, &format!("{what} of anybody"), address, most, now).await
}

/// Counts something that somebody (`key`) does somewhere (`place`); the seconds to wait when it was one time too many.
///
/// # Errors
/// Whatever the statement met.
pub async fn count_at(
    tx: &mut SystemTx,
    key: &str,
    place: &str,
    most: i32,
    now: Timestamp,
) -> Result<Option<u32>, DbError> {
    let oldest = now.plus_millis(-WINDOW_MILLIS);
    let (tries, starts) = match store::full(tx, key, place, most, oldest).await? {
        Some(starts) => (most + 1, starts),
        None => store::count_try(tx, key, place, now, oldest).await?,
    };
    Ok((tries > most).then(|| seconds_left(starts, now)))
}

/// After a success: the tries from this place are forgotten, and this one is taken off the wider counts.
///
/// # Errors
/// Whatever the statement met.
pub async fn forget(tx: &mut SystemTx, tried: Try<'_>) -> Result<(), DbError> {
    for (email_key, address, bound, _) in tried.counts() {
        match bound {
            Bound::Place => store::forget_tries(tx, email_key, address).await?,
            Bound::Email | Bound::Address => store::take_back(tx, email_key, address).await?,
        }
    }
    Ok(())
}

fn seconds_left(starts: Timestamp, now: Timestamp) -> u32 {
    let left = starts.plus_millis(WINDOW_MILLIS).millis_since(now).max(0) / 1_000 + 1;
    u32::try_from(left).unwrap_or(u32::MAX)
}
