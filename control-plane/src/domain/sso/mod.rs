//! Single sign-on: the OpenID Connect providers of a tenant, and signing in by them. Owns `app.sso_providers`,
//! `app.sso_domains`, `app.sso_identities`, `app.sso_flows`, `app.sso_failures`. An identity is the issuer's word about its
//! subject, never an e-mail. Sessions are identity's; whether a password still counts, identity asks here.

pub mod doors;
mod fault;
mod flow;
mod oidc;
pub mod pages;
pub mod routes;
pub mod rules;
pub mod service;
mod store;
#[cfg(test)]
mod tests;
pub mod types;

pub use oidc::Known;
pub use routes::routes;
