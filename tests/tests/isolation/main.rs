//! Isolation, generated from what there is: every route of head office, JSON and pages, for a stranger, for somebody of
//! another tenant and for a session that has ended; every table and every verb; every route of a node without a token,
//! with a revoked one and with one of another shop. Whatever is new and has no case fails, and says what to add.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a helper that finds nothing ends the test")]

mod cases;
mod edge;
mod ground;
mod hq;
mod tables;
