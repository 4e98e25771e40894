//! What a replay came to: one JSON object, every receipt in it counted or named with the reason it is not.

use serde::Serialize;

use super::plan::{CURRENCY, Planned};
use super::sell::SellError;
use crate::receipts::Kind;

/// A receipt that was not booked.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Rejected {
    /// Its number.
    pub receipt: String,
    /// Why.
    pub reason: String,
}

/// The figures; amounts in minor units.
#[derive(Clone, Debug, Default, Serialize, PartialEq, Eq)]
pub struct Report {
    /// Tickets that are sales.
    pub sales: u64,
    /// Tickets that are returns.
    pub returns: u64,
    /// Stock write-offs.
    pub write_offs: u64,
    /// Lines of sales and returns.
    pub lines: u64,
    /// Those rung by code.
    pub catalogue_lines: u64,
    /// Those of them at another price than the book's.
    pub price_overrides: u64,
    /// Those rung without a code.
    pub open_price_lines: u64,
    /// What was not booked.
    pub rejected: Vec<Rejected>,
    /// Sales less returns, as the node counted them.
    pub net_minor: i64,
    /// Of all these, booked by an earlier run and not sent again.
    pub already_booked: u64,
}

impl Report {
    /// Counts one receipt; `outcome` is what the node says it came to.
    pub fn add(&mut self, planned: &Planned, outcome: Result<i64, SellError>, already: bool) {
        let net = match outcome {
            Ok(net) => net,
            Err(error) => {
                self.rejected.push(Rejected { receipt: planned.number.clone(), reason: error.to_string() });
                return;
            }
        };
        self.already_booked += u64::from(already);
        self.net_minor += net;
        match planned.kind {
            Kind::Sale => self.sales += 1,
            Kind::Return => self.returns += 1,
            Kind::WriteOff => {
                self.write_offs += 1;
                return;
            }
        }
        for line in &planned.lines {
            self.lines += 1;
            self.open_price_lines += u64::from(line.is_open_price());
            self.catalogue_lines += u64::from(!line.is_open_price());
            self.price_overrides += u64::from(line.is_override);
        }
    }

    /// One line for a person.
    pub fn in_words(&self) -> String {
        let net = protocol::money::decimal_text(self.net_minor, CURRENCY.exponent());
        format!(
            "{} sales, {} returns, {} write-offs, net {net} {CURRENCY}, {} rejected",
            self.sales,
            self.returns,
            self.write_offs,
            self.rejected.len()
        )
    }
}
