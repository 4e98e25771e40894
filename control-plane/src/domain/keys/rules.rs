//! What a key looks like and how long it lives. Pure.

use crate::auth::keys::PREFIX;
use crate::auth::tenant_secret::{Purpose, TenantSecret};

/// Longest life of a key, in days.
pub const MOST_DAYS: u16 = 365;
/// Life of a key that says nothing else, in days.
pub const USUAL_DAYS: u16 = 90;
/// Keys of one tenant that may stand at once.
pub const MOST: i64 = 200;
/// Longest name of a key, in characters.
pub const NAME_CHARS: usize = 100;
/// Shops that a key may be limited to.
pub const SHOPS: usize = 500;
/// How old the note of the last use may be, in milliseconds, before another one is written.
pub const NOTE_MILLIS: i64 = 5 * 60 * 1_000;

/// What a key of a program is for.
pub enum Program {}

impl Purpose for Program {
    const PREFIX: &'static str = PREFIX;
}

/// A key, as the program keeps it.
pub type Secret = TenantSecret<Program>;
