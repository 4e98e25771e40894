//! Work that nobody waits for. Today: upkeep.

pub mod housekeeping;
mod store;
