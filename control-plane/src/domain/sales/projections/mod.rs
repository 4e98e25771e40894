//! What events come to, as rows and sums: tickets, lines, tenders, taxes, write-offs, and the roll-ups that
//! analytics reads. Written only in the transaction of the events they come from.

pub mod store;
