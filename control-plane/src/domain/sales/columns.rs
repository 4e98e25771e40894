//! One batch of events as columns, ready for `unnest`, and the sums it adds to the roll-ups. Pure; the names of
//! the fields are those of the tables in migrations 0022 to 0024.

use std::collections::{BTreeMap, HashMap};

use protocol::ledger::Hash;
use protocol::money::Currency;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

/// Rows of app.events. Shop, node, term and stream are the same for a whole batch.
#[derive(Clone, Debug, Default)]
pub struct EventRows {
    /// Position in the stream.
    pub seq: Vec<i64>,
    /// Kind.
    pub kind: Vec<i32>,
    /// Version of the body.
    pub version: Vec<i16>,
    /// The body as it was sent.
    pub body: Vec<Vec<u8>>,
    /// Chain hash where the chain is known up to here.
    pub chain_hash: Vec<Option<Hash>>,
    /// Why it counts nowhere.
    pub flaw: Vec<Option<String>>,
    /// Trading day of a projected event.
    pub business_date: Vec<Option<Date>>,
}

/// Rows of app.tickets.
#[derive(Clone, Debug, Default)]
pub struct TicketRows {
    pub(crate) seq: Vec<i64>,
    pub(crate) ticket_id: Vec<Uuid>,
    pub(crate) lane_id: Vec<Uuid>,
    pub(crate) cashier_id: Vec<Option<Uuid>>,
    pub(crate) shift_id: Vec<Option<Uuid>>,
    pub(crate) kind: Vec<i16>,
    pub(crate) business_date: Vec<Date>,
    pub(crate) hour: Vec<i16>,
    pub(crate) occurred_at: Vec<OffsetDateTime>,
    pub(crate) recorded_at: Vec<OffsetDateTime>,
    pub(crate) late_entry: Vec<bool>,
    pub(crate) reference: Vec<Option<String>>,
    pub(crate) currency: Vec<String>,
    pub(crate) arithmetic: Vec<i32>,
    pub(crate) line_count: Vec<i32>,
    pub(crate) voided_count: Vec<i32>,
    pub(crate) gross_minor: Vec<i64>,
    pub(crate) discounts_minor: Vec<i64>,
    pub(crate) net_minor: Vec<i64>,
    pub(crate) tax_minor: Vec<i64>,
    pub(crate) total_minor: Vec<i64>,
    pub(crate) rounding_minor: Vec<i64>,
    pub(crate) check_result: Vec<i16>,
    pub(crate) hq_total_minor: Vec<Option<i64>>,
}

/// Rows of app.ticket_lines.
#[derive(Clone, Debug, Default)]
pub struct LineRows {
    pub(crate) seq: Vec<i64>,
    pub(crate) line_no: Vec<i32>,
    pub(crate) business_date: Vec<Date>,
    pub(crate) code: Vec<Option<String>>,
    pub(crate) description: Vec<String>,
    pub(crate) quantity_milli: Vec<i64>,
    pub(crate) unit_price_e4: Vec<i64>,
    pub(crate) pricing: Vec<i16>,
    pub(crate) gross_minor: Vec<i64>,
    pub(crate) discount_minor: Vec<i64>,
    pub(crate) net_minor: Vec<i64>,
    pub(crate) tax_minor: Vec<i64>,
    pub(crate) tax_rate_ppm: Vec<i32>,
}

/// Rows of app.ticket_tenders.
#[derive(Clone, Debug, Default)]
pub struct TenderRows {
    pub(crate) seq: Vec<i64>,
    pub(crate) tender_no: Vec<i32>,
    pub(crate) business_date: Vec<Date>,
    pub(crate) kind: Vec<i16>,
    pub(crate) amount_minor: Vec<i64>,
    pub(crate) change_minor: Vec<i64>,
}

/// Rows of app.ticket_taxes.
#[derive(Clone, Debug, Default)]
pub struct TaxRows {
    pub(crate) seq: Vec<i64>,
    pub(crate) tax_no: Vec<i32>,
    pub(crate) business_date: Vec<Date>,
    pub(crate) rate_ppm: Vec<i32>,
    pub(crate) base_minor: Vec<i64>,
    pub(crate) tax_minor: Vec<i64>,
}

/// Rows of app.write_offs.
#[derive(Clone, Debug, Default)]
pub struct WriteOffRows {
    pub(crate) seq: Vec<i64>,
    pub(crate) lane_id: Vec<Uuid>,
    pub(crate) person_id: Vec<Option<Uuid>>,
    pub(crate) business_date: Vec<Date>,
    pub(crate) occurred_at: Vec<OffsetDateTime>,
    pub(crate) recorded_at: Vec<OffsetDateTime>,
    pub(crate) late_entry: Vec<bool>,
    pub(crate) reason: Vec<String>,
    pub(crate) reference: Vec<Option<String>>,
    pub(crate) idempotency_key: Vec<String>,
}

/// Rows of app.write_off_lines.
#[derive(Clone, Debug, Default)]
pub struct WriteOffLineRows {
    pub(crate) seq: Vec<i64>,
    pub(crate) line_no: Vec<i32>,
    pub(crate) business_date: Vec<Date>,
    pub(crate) code: Vec<String>,
    pub(crate) description: Vec<String>,
    pub(crate) quantity_milli: Vec<i64>,
    pub(crate) value_minor: Vec<Option<i64>>,
}

/// What a batch adds to one trading day (app.sales_days) or, without the last four, to one hour of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SalesSum {
    /// Tickets of kind sale.
    pub sales: i64,
    /// Tickets of kind return.
    pub returns: i64,
    /// Lines of both.
    pub lines: i64,
    /// Totals of sales, tax included.
    pub gross_sales_minor: i64,
    /// Totals of returns, tax included, positive.
    pub returns_minor: i64,
    /// Tax of sales less tax of returns.
    pub tax_minor: i64,
    /// Discounts given, less those taken back.
    pub discounts_minor: i64,
    /// Cash rounding.
    pub rounding_minor: i64,
    /// Tickets that HQ counts otherwise or cannot count.
    pub mismatched: i64,
    /// Tickets rung later from paper.
    pub late_entries: i64,
}

impl SalesSum {
    /// Adds another sum to this one.
    pub fn add(&mut self, other: &Self) {
        self.sales += other.sales;
        self.returns += other.returns;
        self.lines += other.lines;
        self.gross_sales_minor += other.gross_sales_minor;
        self.returns_minor += other.returns_minor;
        self.tax_minor += other.tax_minor;
        self.discounts_minor += other.discounts_minor;
        self.rounding_minor += other.rounding_minor;
        self.mismatched += other.mismatched;
        self.late_entries += other.late_entries;
    }
}

/// What a batch adds to one product's day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductSum {
    /// What the receipt called it last.
    pub description: String,
    /// Lines.
    pub lines: i64,
    /// Net quantity sold.
    pub quantity_milli: i64,
    /// Net after discounts, in the ticket's tax mode.
    pub net_minor: i64,
    /// Tax share.
    pub tax_minor: i64,
}

/// What a batch adds to one day of stock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StockSum {
    /// Write-off events.
    pub write_offs: i64,
    /// Their lines.
    pub lines: i64,
}

/// The sums of a batch, in key order so that two batches lock rows in the same order.
#[derive(Clone, Debug, Default)]
pub struct RollUps {
    /// By day and currency.
    pub days: BTreeMap<(Date, Currency), SalesSum>,
    /// By day, hour and currency.
    pub hours: BTreeMap<(Date, i16, Currency), SalesSum>,
    /// By day and currency, then by code ('' for open-price lines).
    pub products: BTreeMap<(Date, Currency), HashMap<String, ProductSum>>,
    /// By day.
    pub stock: BTreeMap<Date, StockSum>,
    /// Days that had passed when the batch arrived, whose figures it changes.
    pub restated: std::collections::BTreeSet<Date>,
}

/// Everything one ingest transaction writes.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub(crate) events: EventRows,
    pub(crate) tickets: TicketRows,
    pub(crate) lines: LineRows,
    pub(crate) tenders: TenderRows,
    pub(crate) taxes: TaxRows,
    pub(crate) write_offs: WriteOffRows,
    pub(crate) write_off_lines: WriteOffLineRows,
    pub(crate) sums: RollUps,
}
