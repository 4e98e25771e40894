//! The decisions of a till: open tickets, their lines and tenders, closing, returns, write-offs. A decision
//! takes the ticket, the command, the time, the shop and what was looked up; it gives the change or a refusal.
//! Nothing is stored, sent or waited for here.

pub mod close;
pub mod command;
pub mod decide;
pub mod overview;
pub mod receipt;
pub mod returns;
pub mod ticket;
pub mod view;

pub use command::{Answer, Command, Edit, Lookups, ReceiptName, Request, WriteOffRequest};
pub use decide::{Context, decide, open};
pub use returns::{ReturnedLine, Sold};
pub use ticket::{LateEntry, NumberedTender, Op, OpenTicket, Parked};

#[cfg(test)]
mod tests;
