//! What the agent decides: pure and synchronous. Time, settings and lookups come in as arguments; a decision
//! goes out. Imports nothing of the agent's shells.

pub mod approval;
pub mod attendance;
pub mod backoff;
pub mod book;
pub mod change;
pub mod coordination;
pub mod health;
pub mod lane;
pub mod pairing;
pub mod print_queue;
pub mod refusal;
pub mod shop;
pub mod status;
