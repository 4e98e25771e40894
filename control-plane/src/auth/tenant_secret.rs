//! A secret that somebody carries and we keep only as a hash: refresh tokens, cookies of pages, keys of programs, links of
//! invitations. One shape, told apart by its first letters; what each opens is its own noun's business. Pure.

use std::fmt;
use std::marker::PhantomData;

use protocol::id::TenantId;
use uuid::Uuid;

use crate::rng::{hex, unhex};

/// What a secret is for.
pub trait Purpose {
    /// The letters that every text of it begins with.
    const PREFIX: &'static str;
}

/// Whose it is, and 32 bytes that nobody guesses.
pub struct TenantSecret<P> {
    /// The tenant, so that the row can be found under its row-level security.
    pub tenant: TenantId,
    secret: [u8; 32],
    purpose: PhantomData<P>,
}

impl<P> Clone for TenantSecret<P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for TenantSecret<P> {}

impl<P> PartialEq for TenantSecret<P> {
    fn eq(&self, other: &Self) -> bool {
        self.tenant == other.tenant && self.secret == other.secret
    }
}

impl<P> Eq for TenantSecret<P> {}

impl<P: Purpose> fmt::Debug for TenantSecret<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(P::PREFIX).field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl<P: Purpose> TenantSecret<P> {
    /// One of `tenant` with this secret.
    pub const fn new(tenant: TenantId, secret: [u8; 32]) -> Self {
        Self { tenant, secret, purpose: PhantomData }
    }

    /// Reads what [`TenantSecret::text`] wrote.
    pub fn read(text: &str) -> Option<Self> {
        let (tenant, secret) = text.strip_prefix(P::PREFIX)?.split_once('_')?;
        let tenant = TenantId::from_uuid(Uuid::from_bytes(unhex::<16>(tenant)?));
        Some(Self::new(tenant, unhex::<32>(secret)?))
    }

    /// As its bearer keeps it.
    pub fn text(&self) -> String {
        format!("{}{}_{}", P::PREFIX, hex(self.tenant.as_uuid().as_bytes()), hex(&self.secret))
    }

    /// As we keep it.
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(&self.secret).as_bytes()
    }

    /// Another secret that follows from it and gives it away to nobody.
    pub fn derived(&self, context: &'static str) -> String {
        hex(&blake3::derive_key(context, &self.secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Cloakroom;
    impl Purpose for Cloakroom {
        const PREFIX: &'static str = "twc_";
    }

    struct Garage;
    impl Purpose for Garage {
        const PREFIX: &'static str = "twg_";
    }

    #[test]
    fn a_secret_is_read_back_and_nothing_else_is() {
        let secret = TenantSecret::<Cloakroom>::new(TenantId::from_uuid(Uuid::from_u128(7)), [9; 32]);
        let text = secret.text();
        assert_eq!(TenantSecret::read(&text), Some(secret));
        assert_eq!(TenantSecret::<Garage>::read(&text), None, "another purpose");
        for bad in ["", "twc_", "twc_00_00", &text[1..], &format!("{text}0"), &text.replace('_', "")] {
            assert_eq!(TenantSecret::<Cloakroom>::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_kept_shown_and_derived_is_not_the_secret() {
        let secret = TenantSecret::<Cloakroom>::new(TenantId::from_uuid(Uuid::from_u128(7)), [9; 32]);
        assert!(!format!("{secret:?}").contains("0909") && !format!("{secret:?}").contains("9, 9"));
        assert_ne!(hex(&secret.hash()), secret.derived("forms"));
        assert_ne!(secret.derived("forms"), secret.derived("other"));
    }
}
