//! Isolation, generated from what there is: every route of head office, JSON and pages, for every kind of caller (a stranger,
//! an ended session, another tenant with every id, a colleague without the right, a manager of another shop, a colleague who
//! names what is somebody's own, a suspended tenant); every table and every verb; every route of a node. Whatever is new and
//! has no case fails, and says what to add. Mutants show that a missing check would be noticed (`make mutants-isolation`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a helper that finds nothing ends the test")]
#![allow(clippy::print_stdout, reason = "who disables checks by command wants to read what became of it")]

mod ask;
mod cases;
mod colleague;
mod edge;
mod golden;
mod ground;
mod hq;
mod matrix;
mod pooler;
mod tables;
mod tally;
