//! Decisions about invitations: how long they live, what their links look like. Pure.

use crate::auth::tenant_secret::{Purpose, TenantSecret};

/// Life of an invitation, in milliseconds.
pub const INVITATION_MILLIS: i64 = 7 * 24 * 3_600 * 1_000;
/// Invitations of one tenant that may be open at once.
pub const OPEN_INVITATIONS: i64 = 500;
/// Roles that one invitation carries.
pub const ROLES: usize = 20;

/// What the link of an invitation is for.
pub enum Invitation {}

impl Purpose for Invitation {
    const PREFIX: &'static str = "twi_";
}

/// The secret of an invitation, as it stands in the mail.
pub type Token = TenantSecret<Invitation>;
