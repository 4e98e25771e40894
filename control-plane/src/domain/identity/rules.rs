//! Decisions of sign-in: how e-mails compare, what a refresh token looks like, how long things live. Pure.

use crate::auth::tenant_secret::{Purpose, TenantSecret};

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

/// The e-mail as it is compared; none if it is not one.
pub fn email_key(email: &str) -> Option<String> {
    let key = email.trim().to_lowercase();
    let (local, domain) = key.rsplit_once('@')?;
    let plain = key.chars().all(|c| !c.is_whitespace() && !c.is_control());
    (plain && !local.is_empty() && !domain.is_empty() && key.len() <= 254).then_some(key)
}

/// What a refresh token is for.
pub enum Refresh {}

impl Purpose for Refresh {
    const PREFIX: &'static str = "twr_";
}

/// A refresh token, as the client keeps it.
pub type RefreshToken = TenantSecret<Refresh>;

/// What the key of a browser's session is for.
pub enum Page {}

impl Purpose for Page {
    const PREFIX: &'static str = "twp_";
}

/// The key of a browser's session, in its cookie.
pub type PageKey = TenantSecret<Page>;

/// What the forms of a session carry: follows from its key and gives it away to nobody.
pub fn csrf(key: &PageKey) -> String {
    key.derived("tillway head office 2026 forms of a page session")
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
}
