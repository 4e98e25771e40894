//! One node of a shop: it owns the lanes, the ledger and the peripherals, and sells whatever happens to the
//! internet. `agent` wires the rooms; decisions live in `core`, shells around it.

pub mod agent;
pub mod cli;
pub mod clock;
pub mod core;
pub mod desk;
pub mod device;
pub mod health;
pub mod identity;
pub mod invite;
pub mod lane;
pub mod lanes;
pub mod ledger;
pub mod mqtt;
pub mod peripheral;
pub mod pins;
pub mod receipt;
pub mod retention;
pub mod snapshot;
pub mod spool;
pub mod stop;
pub mod store;
pub mod telemetry;
pub mod terminal;
pub mod uplink;
