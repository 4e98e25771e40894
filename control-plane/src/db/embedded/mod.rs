//! The private PostgreSQL of a head office that was given no database: a cluster under the state directory, run
//! from the system's binaries, reachable over a unix socket only, owned by an unprivileged user when head office
//! is root. Knows nothing of the schema.

mod account;
mod binaries;
mod cluster;
mod error;
mod files;
mod record;
mod scratch;
mod supervisor;
#[cfg(test)]
mod tests;

pub use cluster::Embedded;
pub use error::EmbeddedError;
pub use record::Record;
pub(super) use record::{START_PATIENCE, wait_ready};
pub(super) use scratch::{Scratch, scratch};
