//! Shops: the stores of a tenant and the settings their nodes trade by. Owns `app.shops`. Emits the hint of the
//! collection `Shop` when settings change. Knows nothing of nodes.

pub mod pages;
mod pages_day;
pub mod routes;
pub mod rules;
pub mod service;
mod store;
#[cfg(test)]
mod tests;
pub mod types;

pub use routes::routes;
