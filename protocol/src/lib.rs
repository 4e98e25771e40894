//! The shared brain of Tillway: what the edge and head office must agree on to the byte and to the penny.
//! Pure by rule: no async runtime, no IO, no clock, no randomness. Time and bytes come in as arguments.
//!
//! Imports run one way: `id, limits <- money, quantity <- tax, price, promotion <- ticket <- event, command
//! <- frame <- session`.

pub mod business_day;
pub mod collection;
mod decimal;
pub mod enroll;
pub mod event;
pub mod frame;
pub mod id;
pub mod lane_message;
pub mod ledger;
pub mod limits;
pub mod money;
pub mod price;
pub mod promotion;
pub mod quantity;
pub mod receipt;
pub mod session;
pub mod staff;
pub mod tax;
pub mod ticket;
pub mod timestamp;
pub mod topic;
pub mod trace;
pub mod version;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
