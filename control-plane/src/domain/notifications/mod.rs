//! Notifications: what people are told, in the app and by mail. Owns `app.notices`, `app.notice_choices` and the jobs
//! `mail_send` and `notice_mail`. Knows the words of every mail; why one is sent is the sender's business.

mod jobs;
mod letters;
pub mod pages;
mod routes;
pub mod service;
mod store;
#[cfg(test)]
mod tests;
pub mod types;

pub use jobs::handlers;
pub use routes::routes;
pub use types::{Kind, Notice, Template, To};
