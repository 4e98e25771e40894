//! The one door to PostgreSQL: two pools under two roles, and two kinds of transaction. Nothing outside this
//! folder holds a pool; who wants rows begins a [`TenantTx`] (one tenant, row-level security) or, for work
//! without a tenant, a [`SystemTx`] with a named and recorded reason. Knows nothing of the nouns.

mod catalogue;
pub mod embedded;
mod error;
mod key;
mod pool;
mod schema;
mod session;
mod system_tx;
mod tenant_tx;
#[doc(hidden)]
pub mod testing;
#[cfg(test)]
mod tests;
mod watch;

pub use catalogue::{APPEND_ONLY, PLATFORM_READS, SECURITY_DEFINERS, Violation, violations};
pub use error::DbError;
pub use key::KeyState;
pub use pool::{Db, Limits, Urls};
pub use schema::{migrate, migrate_owner, prepare_cluster};
pub use session::{PageTimes, SessionState};
pub use system_tx::{SystemReason, SystemTx};
pub use tenant_tx::{Bounds, TenantTx};
pub use watch::{astray, members};
