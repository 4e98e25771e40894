//! Decisions of sign-in: how e-mails compare, what a refresh token looks like, how long things live. Pure.

use protocol::id::TenantId;
use uuid::Uuid;

use crate::rng::{hex, unhex};

/// Absolute life of a session, in milliseconds: after that the password is asked again.
pub const SESSION_MILLIS: i64 = 30 * 24 * 3_600 * 1_000;
/// Life of one refresh token, in milliseconds: a device that was not used for so long signs in again.
pub const REFRESH_MILLIS: i64 = 14 * 24 * 3_600 * 1_000;
/// Life of a page session, in milliseconds: a working week and the weekend; then the password is asked again.
pub const PAGE_MILLIS: i64 = 7 * 24 * 3_600 * 1_000;
/// A page session that nobody used for so long, in milliseconds, is over: a browser left open in the evening asks for the
/// password in the morning.
pub const PAGE_IDLE_MILLIS: i64 = 12 * 3_600 * 1_000;
/// How old the note of the last use may be, in milliseconds, before a page writes a new one: pages read far more often
/// than it matters, and twelve hours are not counted in minutes.
pub const PAGE_NOTE_MILLIS: i64 = 5 * 60 * 1_000;
const PREFIX: &str = "twr_";
const PAGE_PREFIX: &str = "twp_";

/// The e-mail as it is compared; none if it is not one.
pub fn email_key(email: &str) -> Option<String> {
    let key = email.trim().to_lowercase();
    let (local, domain) = key.rsplit_once('@')?;
    let plain = key.chars().all(|c| !c.is_whitespace() && !c.is_control());
    (plain && !local.is_empty() && !domain.is_empty() && key.len() <= 254).then_some(key)
}

/// A refresh token: whose it is, and a secret that is only kept as a hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RefreshToken {
    /// The tenant, so that the row can be found under its row-level security.
    pub tenant: TenantId,
    secret: [u8; 32],
}

impl std::fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RefreshToken").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl RefreshToken {
    /// A token of `tenant` with this secret.
    pub const fn new(tenant: TenantId, secret: [u8; 32]) -> Self {
        Self { tenant, secret }
    }

    /// Reads what [`RefreshToken::text`] wrote.
    pub fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        let (tenant, secret) = rest.split_once('_')?;
        let tenant = TenantId::from_uuid(Uuid::from_bytes(unhex::<16>(tenant)?));
        Some(Self { tenant, secret: unhex::<32>(secret)? })
    }

    /// As the client keeps it.
    pub fn text(&self) -> String {
        format!("{PREFIX}{}_{}", hex(self.tenant.as_uuid().as_bytes()), hex(&self.secret))
    }

    /// As we keep it.
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(&self.secret).as_bytes()
    }
}

/// The key of a browser's session, in its cookie: whose it is, and a secret that is only kept as a hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PageKey {
    /// The tenant, so that the row can be found under its row-level security.
    pub tenant: TenantId,
    secret: [u8; 32],
}

impl std::fmt::Debug for PageKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PageKey").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl PageKey {
    /// A key of `tenant` with this secret.
    pub const fn new(tenant: TenantId, secret: [u8; 32]) -> Self {
        Self { tenant, secret }
    }

    /// Reads what [`PageKey::text`] wrote.
    pub fn read(text: &str) -> Option<Self> {
        let (tenant, secret) = text.strip_prefix(PAGE_PREFIX)?.split_once('_')?;
        let tenant = TenantId::from_uuid(Uuid::from_bytes(unhex::<16>(tenant)?));
        Some(Self { tenant, secret: unhex::<32>(secret)? })
    }

    /// As the cookie has it.
    pub fn text(&self) -> String {
        format!("{PAGE_PREFIX}{}_{}", hex(self.tenant.as_uuid().as_bytes()), hex(&self.secret))
    }

    /// As we keep it.
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(&self.secret).as_bytes()
    }

    /// What the session's forms carry: follows from the secret and gives it away to nobody.
    pub fn csrf(&self) -> String {
        hex(&blake3::derive_key("tillway head office 2026 forms of a page session", &self.secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails_compare_without_case_and_spaces() {
        assert_eq!(email_key(" Owner@Example.COM "), Some("owner@example.com".to_owned()));
        for bad in ["", "@", "a@", "@b", "a b@c", "no at", "a@b\u{7}"] {
            assert_eq!(email_key(bad), None, "{bad:?}");
        }
        assert_eq!(email_key(&format!("{}@b", "a".repeat(260))), None);
    }

    #[test]
    fn a_refresh_token_is_read_back_and_nothing_else_is() {
        let token = RefreshToken::new(TenantId::from_uuid(Uuid::from_u128(7)), [9; 32]);
        assert_eq!(RefreshToken::read(&token.text()), Some(token));
        assert!(!format!("{token:?}").contains("0909"));
        for bad in ["", "twr_", "twr_00_00", &token.text()[1..], &format!("{}0", token.text())] {
            assert_eq!(RefreshToken::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_page_key_is_read_back_and_its_form_token_is_another_secret() {
        let key = PageKey::new(TenantId::from_uuid(Uuid::from_u128(7)), [9; 32]);
        assert_eq!(PageKey::read(&key.text()), Some(key));
        assert!(!format!("{key:?}").contains("0909"));
        assert_ne!(key.csrf(), hex(&key.hash()));
        for bad in ["", "twp_", "twp_00_00", &key.text()[1..], &key.text().replace("twp", "twr")] {
            assert_eq!(PageKey::read(bad), None, "{bad}");
        }
    }
}
