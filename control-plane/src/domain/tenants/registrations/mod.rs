//! Registrations: somebody wants a company here. From the form, over the mail that proves the address, to an operator's word.
//! Owns `platform.registrations`. Makes a person and a tenant only when it is approved.

pub mod pages;
pub mod routes;
pub mod rules;
pub mod service;
mod store;
pub mod types;

pub use routes::routes;
