//! What is to be printed, on which printer, and what is known of it. Pure: drivers' reports, marks of the log and the
//! time come in; offers, marks and changes come out. What may have been printed is never printed again by itself;
//! what provably was not waits, says why, and expires. Knows no bytes, no sockets, no files.

mod job;
mod queue;
mod recovery;
#[cfg(test)]
mod tests;
mod view;

pub use job::{Asked, Job, JobKey, JobKeyError, State, Why};
pub use queue::{Action, Added, Fact, PrintQueue};
pub use recovery::{Carried, Recovery};
pub use view::JobView;
