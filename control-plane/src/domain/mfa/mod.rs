//! Second factors: one-time codes, passkeys, recovery codes, and proving again who one is ("step-up"). Owns
//! `platform.totp`, `platform.passkeys`, `platform.recovery_codes`, `platform.sign_in_steps` and
//! `platform.passkey_ceremonies`; writes what a session proves. Passwords and sessions themselves are identity's.

pub mod pages;
mod party;
mod passkeys;
mod reset;
pub mod routes;
pub mod rules;
mod second;
pub mod service;
mod sign_in;
mod sign_in_pages;
mod sign_in_routes;
mod step_up;
mod store;
#[cfg(test)]
mod tests;
pub mod types;

pub use routes::routes;
pub(crate) use sign_in_pages::to_second;
pub use types::Second;

/// The day of a time as the API writes it, for the templates.
pub(crate) fn day(at: &str) -> &str {
    at.get(..10).unwrap_or(at)
}
