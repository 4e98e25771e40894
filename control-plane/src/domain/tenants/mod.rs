//! Tenants: the companies. Owns `app.tenants`, `app.companies`, `platform.registrations` and the job `tenant.close`. How a
//! company comes (registration, approval), stands (suspended, closing), says what it is called, and goes. Knows nothing of
//! what is sold.

pub mod company;
mod jobs;
pub mod life;
pub mod pages;
mod pages_start;
pub mod registrations;
pub mod routes;
pub mod rules;
pub mod service;
mod store;
#[cfg(test)]
pub(crate) mod tests;
pub mod types;

pub use jobs::handlers;
pub use routes::routes;
