//! Tickets for people: a list to look through and one ticket whole. Reads only.

pub mod rules;
pub mod service;
pub mod store;
