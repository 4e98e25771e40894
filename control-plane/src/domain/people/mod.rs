//! People of a tenant: who belongs to it, and who is asked to. Owns `app.invitations`; memberships are identity's rows and
//! this noun's verbs. What a person may is the business of `roles`; what is a person's own, of `identity::account`.

pub mod invite_pages;
pub mod pages;
pub mod routes;
pub mod rules;
pub mod service;
mod store;
#[cfg(test)]
mod tests;
pub mod types;

pub use routes::routes;
