//! Both ends of the uplink in one thread: a virtual clock, a network that loses, reorders, doubles, damages and cuts,
//! a model log, a model of HQ that may fail to commit, restarts of either side. One seed is one run, always the same.
//! For tests only. Returns what is wrong instead of panicking.

mod faults;
mod model;
mod pair;
mod steps;

pub use faults::{Bug, Faults};
pub use model::{ModelHq, ModelLog, Violation};
pub use pair::Pair;

#[cfg(test)]
mod tests;
