//! Operators: the people who run the platform, members of its own tenant. Owns `app.impersonations`; switches modules and
//! features, decides about registrations, suspends and closes companies, looks after jobs, and visits a company that allows it.
//! Sees of a company how it stands and how many of what it has; never what it sells, nor its people.

mod pages;
mod pages_platform;
mod pages_support;
pub mod routes;
mod routes_platform;
mod routes_visits;
pub mod rules;
pub mod service;
mod store;
#[cfg(test)]
mod tests;
pub mod types;
pub mod visits;

pub use routes::routes;
pub use visits::looked;

/// The pages of operators, and the one on which a company answers them.
pub fn pages() -> crate::web::Pages {
    pages::pages().merge(pages_platform::pages()).merge(pages_support::pages())
}
