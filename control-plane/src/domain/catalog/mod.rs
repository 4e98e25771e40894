//! catalog: what a tenant sells. Owns app.catalogues and app.products; the versions it makes are written down by
//! `pricing`. Must not know how a node gets them.

pub mod import;
pub mod routes;
pub mod rules;
pub mod service;
pub mod store;
pub mod types;

#[cfg(test)]
mod tests;

pub use routes::routes;
