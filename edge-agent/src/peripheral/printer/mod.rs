//! The languages of printers, one file each.

pub(super) mod escpos;
mod status;
