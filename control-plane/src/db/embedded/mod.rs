//! The private PostgreSQL of a head office that was given no database: a cluster under the state directory, run
//! from the system's binaries, reachable over a unix socket only, owned by an unprivileged user when head office
//! is root. Knows nothing of the schema.

mod account;
mod binaries;
mod cluster;
mod supervisor;
#[cfg(test)]
mod tests;

pub use cluster::{Embedded, EmbeddedError, Record};
pub(super) use cluster::{Scratch, record_ready, scratch};
