//! pricing: what things cost and how shops come to know. Owns app.catalogue_revisions and app.price_changes; turns
//! the catalogue's versions into what is sent down. Must not know how it travels.

pub mod routes;
pub mod service;
pub mod store;
pub mod types;

#[cfg(test)]
mod tests;

pub use routes::routes;
