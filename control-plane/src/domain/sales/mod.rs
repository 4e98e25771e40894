//! sales: what the shops sold. Owns app.events, app.event_cursors, app.event_forks, the projections (tickets, lines,
//! tenders, taxes, write-offs) and the roll-ups; analytics reads the roll-ups, fleet joins completeness with signed
//! checkpoints. Must not know how events travel.

pub mod check;
pub mod columns;
pub mod completeness;
pub mod ingest;
pub mod live;
pub mod pages;
pub mod projections;
pub mod projector;
pub mod query;
pub mod routes;
pub mod rules;
pub mod service;
pub mod store;
#[doc(hidden)]
pub mod testing;
pub mod tickets;
pub mod types;
pub mod years;

#[cfg(test)]
mod tests;

pub use routes::routes;
