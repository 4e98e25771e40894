//! What happens now: the tickets that came last and the figures of the running trading day, for the live page. Reads
//! only; the hint that something came is [`crate::app::Sold`].

pub mod rules;
pub mod service;
pub mod store;
