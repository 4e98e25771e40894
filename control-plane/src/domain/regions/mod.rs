//! Regions: groups of shops, for roles that are good in all of them. Owns `app.regions` and which region a shop is in. Moving
//! a shop changes what people may, so every change bumps the policy version.

pub mod pages;
pub mod routes;
pub mod service;
mod store;
#[cfg(test)]
mod tests;
pub mod types;

pub use routes::routes;
