//! Decisions about invitations: how long they live, what their links look like. Pure.

use protocol::id::TenantId;
use uuid::Uuid;

use crate::rng::{hex, unhex};

/// Life of an invitation, in milliseconds.
pub const INVITATION_MILLIS: i64 = 7 * 24 * 3_600 * 1_000;
/// Invitations of one tenant that may be open at once.
pub const OPEN_INVITATIONS: i64 = 500;
/// Roles that one invitation carries.
pub const ROLES: usize = 20;
const PREFIX: &str = "twi_";

/// The secret of an invitation, with the tenant so that its row can be found under its row-level security.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// Into which tenant.
    pub tenant: TenantId,
    secret: [u8; 32],
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl Token {
    /// A token of `tenant` with this secret.
    pub const fn new(tenant: TenantId, secret: [u8; 32]) -> Self {
        Self { tenant, secret }
    }

    /// Reads what [`Token::text`] wrote.
    pub fn read(text: &str) -> Option<Self> {
        let (tenant, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let tenant = TenantId::from_uuid(Uuid::from_bytes(unhex::<16>(tenant)?));
        Some(Self { tenant, secret: unhex::<32>(secret)? })
    }

    /// As it stands in the mail.
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
    fn an_invitation_is_read_back_and_nothing_else_is() {
        let token = Token::new(TenantId::from_uuid(Uuid::from_u128(7)), [9; 32]);
        assert_eq!(Token::read(&token.text()), Some(token));
        assert!(!format!("{token:?}").contains("0909"));
        for bad in ["", "twi_", "twi_00_00", &token.text()[1..], &token.text().replace("twi", "twr")] {
            assert_eq!(Token::read(bad), None, "{bad}");
        }
    }
}
