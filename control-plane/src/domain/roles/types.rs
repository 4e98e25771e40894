//! What a role is given with.

use protocol::id::{PersonId, ShopId};
use uuid::Uuid;

use crate::auth::policy::BuiltIn;

/// Which role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// One that every tenant has.
    BuiltIn(BuiltIn),
    /// One of the tenant's own.
    Own(Uuid),
}

/// Where a role is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// In the whole company.
    Tenant,
    /// In a region.
    Region(Uuid),
    /// In one shop.
    Shop(ShopId),
}

/// A role for somebody, somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Who.
    pub person: PersonId,
    /// Which.
    pub role: Role,
    /// Where.
    pub at: At,
}
