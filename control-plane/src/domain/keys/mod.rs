//! Keys for programs: shown once, kept as hashes, worth what was given to them and never more than their maker may. Owns
//! `app.api_keys`. A key acts for its maker and is over when they leave; what is a person's own, and what is sensitive, is
//! out of its reach.

pub mod pages;
pub mod routes;
pub mod rules;
pub mod service;
mod store;
#[cfg(test)]
mod tests;
pub mod types;

pub use routes::routes;
