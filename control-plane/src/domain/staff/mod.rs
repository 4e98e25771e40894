//! Staff: who works at the lanes of a tenant, their rights and PINs there, and what needs a second person. Owns
//! `app.staff`, `app.staff_shops` and `app.staff_rules`. Permissions staff.read and staff.write, for shops. Emits the
//! hint of the collection `Staff`. Knows nothing of nodes; nobody here sees a PIN again once it is set.

mod form;
mod of_shop;
pub mod pages;
pub mod pins;
pub mod routes;
pub mod rules;
pub mod rules_pages;
pub mod service;
mod store;
#[cfg(test)]
mod tests;
pub mod types;

pub use routes::routes;
