//! Projections and roll-ups made again from the events, beside those that stand, and compared figure by figure.
//! Changes nothing.

pub mod store;

use std::collections::{BTreeMap, BTreeSet};

use protocol::event::RawEvent;
use protocol::id::{Stream, TenantId};
use protocol::timestamp::Timestamp;
use serde::Serialize;
use time::Date;
use uuid::Uuid;

use super::columns::{RollUps, SalesSum};
use super::ingest::Cursor;
use super::projector::Projector;
use super::store as events;
use crate::db::{Db, DbError, TenantTx};

/// Events laid out at once.
const PAGE: i64 = 256;
/// Differences that are told one by one; all are counted.
const TOLD: usize = 100;

/// Shop, trading day and currency ('' where a table has none).
pub type Key = (Uuid, Date, String);
/// Figures by key, in the order of [`Source::figures`].
pub type Figures = BTreeMap<Key, Vec<i64>>;

/// A table that carries figures, and how the same figures come from sums made again.
pub struct Source {
    /// The table.
    pub table: &'static str,
    /// Names of its figures.
    pub figures: &'static [&'static str],
    /// Sums them per shop day: columns shop_id, business_date, currency, figures.
    pub sql: &'static str,
    /// The same from the events of one shop.
    made: fn(Uuid, &RollUps, &mut Figures),
}

const DAY: &[&str] = &[
    "sales",
    "returns",
    "lines",
    "gross_sales_minor",
    "returns_minor",
    "tax_minor",
    "discounts_minor",
    "rounding_minor",
    "mismatched",
    "late_entries",
];
const HOUR: &[&str] = &["sales", "returns", "lines", "gross_sales_minor", "returns_minor", "tax_minor"];
const PRODUCT: &[&str] = &["lines", "quantity_milli", "net_minor", "tax_minor"];
const STOCK: &[&str] = &["write_offs", "lines"];

/// Everything that is compared.
pub const SOURCES: &[Source] = &[
    Source { table: "sales_days", figures: DAY, sql: store::SALES_DAYS, made: made_days },
    Source { table: "tickets", figures: DAY, sql: store::TICKETS, made: made_days },
    Source { table: "sales_hours", figures: HOUR, sql: store::SALES_HOURS, made: made_hours },
    Source { table: "product_days", figures: PRODUCT, sql: store::PRODUCT_DAYS, made: made_products },
    Source { table: "product_years", figures: PRODUCT, sql: store::PRODUCT_YEARS, made: made_months },
    Source { table: "ticket_lines", figures: PRODUCT, sql: store::TICKET_LINES, made: made_lines },
    Source { table: "stock_days", figures: STOCK, sql: store::STOCK_DAYS, made: made_stock },
    Source { table: "write_offs", figures: STOCK, sql: store::WRITE_OFFS, made: made_stock },
];

/// What the comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// Events read.
    pub events: u64,
    /// Shop days compared.
    pub days: u64,
    /// Figures that differ.
    pub differences: u64,
    /// The first of them.
    pub told: Vec<Difference>,
}

/// A figure that stands otherwise than the events say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The table it stands in.
    pub table: &'static str,
    /// The shop.
    pub shop_id: Uuid,
    /// The trading day.
    pub business_date: String,
    /// The currency, where there is one.
    pub currency: String,
    /// Which figure.
    pub figure: &'static str,
    /// What the events say.
    pub rebuilt: i64,
    /// What stands.
    pub stored: i64,
}

/// Makes a tenant's figures again from its events, in one snapshot of the database, and compares.
///
/// # Errors
/// Whatever the database met.
pub async fn rebuild(db: &Db, tenant: TenantId, now: Timestamp) -> Result<CheckReport, DbError> {
    let mut tx = TenantTx::begin(db, tenant).await?;
    store::one_snapshot(tx.conn()).await?;
    let mut report = CheckReport::default();
    let mut made: Vec<Figures> = SOURCES.iter().map(|_| Figures::new()).collect();
    for (log, row) in store::fiscal_logs(tx.conn(), tenant.as_uuid()).await? {
        let last = Cursor::of(row).map_or(i64::MAX, |cursor| i64::try_from(cursor.known.max().0).unwrap_or(i64::MAX));
        let mut after = 0;
        loop {
            let page = events::events_after(tx.conn(), &log, after, last, PAGE).await?;
            let Some(end) = page.last() else { break };
            after = end.seq;
            report.events += u64::try_from(page.len()).unwrap_or(0);
            let sums = project(page, now);
            for (source, figures) in SOURCES.iter().zip(&mut made) {
                (source.made)(log.shop, &sums, figures);
            }
        }
    }
    let mut days: BTreeSet<(Uuid, Date)> = BTreeSet::new();
    for (source, made) in SOURCES.iter().zip(&made) {
        let stored = store::stored(tx.conn(), source, tenant.as_uuid()).await?;
        days.extend(stored.keys().chain(made.keys()).map(|key| (key.0, key.1)));
        compare(&mut report, source, made, &stored);
    }
    report.days = u64::try_from(days.len()).unwrap_or(0);
    Ok(report)
}

fn project(page: Vec<events::StoredEvent>, now: Timestamp) -> RollUps {
    let mut projector = Projector::new(now);
    for event in page {
        let raw = RawEvent {
            kind: u16::try_from(event.kind).unwrap_or(0),
            version: u8::try_from(event.version).unwrap_or(0),
            body: event.body,
        };
        projector.take(Stream::Fiscal, event.seq, raw, None);
    }
    projector.finish().sums
}

fn compare(report: &mut CheckReport, source: &Source, made: &Figures, stored: &Figures) {
    let keys: BTreeSet<&Key> = made.keys().chain(stored.keys()).collect();
    for key in keys {
        for (index, figure) in source.figures.iter().enumerate() {
            let of = |figures: &Figures| figures.get(key).and_then(|row| row.get(index)).copied().unwrap_or(0);
            let (rebuilt, stands) = (of(made), of(stored));
            if rebuilt == stands {
                continue;
            }
            report.differences += 1;
            if report.told.len() < TOLD {
                report.told.push(Difference {
                    table: source.table,
                    shop_id: key.0,
                    business_date: key.1.to_string(),
                    currency: key.2.clone(),
                    figure,
                    rebuilt,
                    stored: stands,
                });
            }
        }
    }
}

fn add(into: &mut Figures, key: Key, figures: &[i64]) {
    let row = into.entry(key).or_insert_with(|| vec![0; figures.len()]);
    for (sum, figure) in row.iter_mut().zip(figures) {
        *sum += figure;
    }
}

const fn day_figures(sum: &SalesSum) -> [i64; 10] {
    [
        sum.sales,
        sum.returns,
        sum.lines,
        sum.gross_sales_minor,
        sum.returns_minor,
        sum.tax_minor,
        sum.discounts_minor,
        sum.rounding_minor,
        sum.mismatched,
        sum.late_entries,
    ]
}

fn made_days(shop: Uuid, sums: &RollUps, into: &mut Figures) {
    for ((date, currency), sum) in &sums.days {
        add(into, (shop, *date, currency.to_string()), &day_figures(sum));
    }
}

fn made_hours(shop: Uuid, sums: &RollUps, into: &mut Figures) {
    for ((date, _, currency), sum) in &sums.hours {
        let figures = day_figures(sum);
        add(into, (shop, *date, currency.to_string()), figures.get(..HOUR.len()).unwrap_or_default());
    }
}

fn made_products(shop: Uuid, sums: &RollUps, into: &mut Figures) {
    for ((date, currency), codes) in &sums.products {
        for sum in codes.values() {
            let figures = [sum.lines, sum.quantity_milli, sum.net_minor, sum.tax_minor];
            add(into, (shop, *date, currency.to_string()), &figures);
        }
    }
}

/// By month, under its first day.
fn made_months(shop: Uuid, sums: &RollUps, into: &mut Figures) {
    for ((date, currency), codes) in &sums.products {
        for sum in codes.values() {
            let figures = [sum.lines, sum.quantity_milli, sum.net_minor, sum.tax_minor];
            add(into, (shop, date.replace_day(1).unwrap_or(*date), currency.to_string()), &figures);
        }
    }
}

fn made_lines(shop: Uuid, sums: &RollUps, into: &mut Figures) {
    for ((date, _), codes) in &sums.products {
        for sum in codes.values() {
            let figures = [sum.lines, sum.quantity_milli, sum.net_minor, sum.tax_minor];
            add(into, (shop, *date, String::new()), &figures);
        }
    }
}

fn made_stock(shop: Uuid, sums: &RollUps, into: &mut Figures) {
    for (date, sum) in &sums.stock {
        add(into, (shop, *date, String::new()), &[sum.write_offs, sum.lines]);
    }
}
