//! The record of what was done: who, as what, to what, with which difference. Owns `app.audit`. Written in the transaction of
//! the effect, never edited. Knows no other noun.

pub mod pages;
pub mod routes;
pub mod service;
mod store;
pub mod types;

pub use routes::routes;
pub use types::{Actor, Entry};
