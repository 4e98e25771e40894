//! What a key looks like and how long it lives. Pure.

use protocol::id::TenantId;
use uuid::Uuid;

use crate::auth::keys::PREFIX;
use crate::rng::{hex, unhex};

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

/// A key: whose it is, and a secret that is only kept as a hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret {
    /// The tenant, so that the row can be found under its row-level security.
    pub tenant: TenantId,
    secret: [u8; 32],
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl Secret {
    /// A key of `tenant` with this secret.
    pub const fn new(tenant: TenantId, secret: [u8; 32]) -> Self {
        Self { tenant, secret }
    }

    /// Reads what [`Secret::text`] wrote.
    pub fn read(text: &str) -> Option<Self> {
        let (tenant, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let tenant = TenantId::from_uuid(Uuid::from_bytes(unhex::<16>(tenant)?));
        Some(Self { tenant, secret: unhex::<32>(secret)? })
    }

    /// As the program keeps it.
    pub fn text(&self) -> String {
        format!("{PREFIX}{}_{}", hex(self.tenant.as_uuid().as_bytes()), hex(&self.secret))
    }

    /// As we keep it.
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(&self.secret).as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_and_nothing_else_is() {
        let key = Secret::new(TenantId::from_uuid(Uuid::from_u128(7)), [9; 32]);
        assert_eq!(Secret::read(&key.text()), Some(key));
        assert!(!format!("{key:?}").contains("0909"));
        for bad in ["", "twk_", "twk_00_00", &key.text()[1..], &key.text().replace("twk", "twr")] {
            assert_eq!(Secret::read(bad), None, "{bad}");
        }
    }
}
