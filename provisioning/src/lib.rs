//! Makes a box a node: asks head office with a claim code, checks the answer, writes identity and configuration.
//! A library for the binary `provision` and for tests; knows nothing of what a node does once it is one.

pub mod cli;
pub mod doors;
pub mod enroll;
mod facts;
mod files;
mod reply;
mod request;
mod trust;

pub use enroll::{Enrolled, Options, enroll};
pub use error::{EnrollError, Exit};

mod error;
