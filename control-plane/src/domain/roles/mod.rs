//! Roles: a tenant's own beside the built-in ones, and who holds which for which shops. Owns `app.roles`,
//! `app.role_permissions`, `app.assignments`. Every change bumps the tenant's policy version in its transaction.

pub mod pages;
pub mod routes;
pub mod service;
mod store;
#[cfg(test)]
mod tests;
pub mod types;

pub use routes::routes;
