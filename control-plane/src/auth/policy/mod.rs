//! Policies: what one principal may do in one tenant, compiled from roles, scopes and modules so that a check is a bit and a
//! lookup. Pure but for `store` and the cache: knows no route and no session.

mod builtin;
pub mod cache;
mod compile;
mod permission;
mod store;

pub use builtin::{BuiltIn, Permissions};
pub use compile::{Explanation, Grant, Lack, Policy, Reach, RoleRef, Scope, Source};
pub use permission::{Bits, Breadth, Level, Module, Permission, Right, Weight, right};
pub use store::{bump, load_sources};

use protocol::id::TenantId;
use uuid::Uuid;

/// The tenant of the platform's own operators. Made by migration 0040.
pub const PLATFORM_TENANT: TenantId = TenantId::from_uuid(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001));

/// All that is sensitive.
fn sensitive() -> Bits {
    let sensitive = Permission::ALL.iter().filter(|known| known.weight() == Weight::Sensitive);
    sensitive.fold(Bits::NONE, |set, known| set.with(*known))
}
