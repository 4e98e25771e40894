//! Receipts on paper, from the record to the bytes of a printer: [`content`] says what stands on it, [`layout`]
//! where, [`escpos`] how a printer is told. All of it is pure and does no IO: the same record gives the same paper,
//! today and when it is printed again. Knows no queue and no device.

pub mod content;
pub mod escpos;
pub mod layout;
mod rows;
mod text;

pub use content::ReceiptContent;
pub use layout::lay_out;
pub use rows::{Align, Paper, QrRow, Receipt, Row, Style, TextRow};

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
