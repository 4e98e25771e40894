//! The module registry: modules, features and permissions as data, and which of them a company has. Who may
//! switch them is an operator's business (`operators`). Owns `platform.modules`, `platform.features`, `app.tenant_modules`,
//! `app.tenant_features`.

pub mod routes;
pub mod service;
mod store;
#[cfg(test)]
mod tests;
pub mod types;

pub use routes::routes;
