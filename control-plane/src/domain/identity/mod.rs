//! Identity: people (platform-wide), where they belong, and their sessions. Owns `platform.people`,
//! `platform.passwords`, `app.memberships`, `app.sessions`, `app.refresh_tokens`.

pub mod account;
pub mod by_provider;
mod links;
mod page_sessions;
pub mod pages;
mod places;
pub mod routes;
pub mod rules;
pub mod service;
mod sessions;
mod store;
#[cfg(test)]
mod tests;
pub mod types;

pub use account::agent_name;
pub(crate) use page_sessions::Entered;
pub(crate) use pages::arrived;
pub use routes::routes;
pub use types::{LoginReply, Proof, Tokens};
