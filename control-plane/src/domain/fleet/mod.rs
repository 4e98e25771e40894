//! Fleet: the boxes of a tenant and how they are known. Owns the tables claims, nodes, node_terms,
//! node_certificates, node_contacts, node_checkpoints, shop_authorities and platform.device_ca, and the device CA.
//! Knows nothing of what nodes sell; what HQ holds of their logs it asks of `sales`.

pub mod authority;
mod error;
mod handle;
pub mod pages;
pub mod routes;
mod rules;
pub mod service;
mod store;
mod types;
pub mod words;

pub use error::{AdmitError, CheckpointError, ClaimRefusal, FleetError};
pub use handle::{Fleet, FleetSlot, TlsDoor};
pub use routes::routes;
pub use types::{
    Carrier, ClaimMade, Held, LogState, NewClaim, NodeDetail, NodeIdentity, NodeReport, NodeRole, NodeRow,
    NodeStanding, Recorded, Standing,
};

#[cfg(test)]
mod tests;
