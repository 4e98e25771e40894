//! All SQL that writes projections and moves roll-ups, set by set. Decides nothing.

use protocol::timestamp::Timestamp;
use sqlx::PgConnection;
use time::Date;

use crate::clock::utc;
use crate::domain::sales::columns::{Batch, RollUps, SalesSum};
use crate::domain::sales::store::Log;

const INSERT_TICKETS: &str = "INSERT INTO app.tickets (tenant_id, node_id, term, shop_id, seq, ticket_id, lane_id,
        cashier_id, shift_id, kind, business_date, hour, occurred_at, recorded_at, late_entry, reference, currency,
        arithmetic, line_count, voided_count, gross_minor, discounts_minor, net_minor, tax_minor, total_minor,
        rounding_minor, check_result, hq_total_minor)
    SELECT $1, $2, $3, $4, t.* FROM unnest($5::bigint[], $6::uuid[], $7::uuid[], $8::uuid[], $9::uuid[],
        $10::smallint[], $11::date[], $12::smallint[], $13::timestamptz[], $14::timestamptz[], $15::boolean[],
        $16::text[], $17::text[], $18::integer[], $19::integer[], $20::integer[], $21::bigint[], $22::bigint[],
        $23::bigint[], $24::bigint[], $25::bigint[], $26::bigint[], $27::smallint[], $28::bigint[]) AS t
    ON CONFLICT DO NOTHING";
const INSERT_LINES: &str = "INSERT INTO app.ticket_lines (tenant_id, node_id, term, shop_id, seq, line_no,
        business_date, code, description, quantity_milli, unit_price_e4, pricing, gross_minor, discount_minor,
        net_minor, tax_minor, tax_rate_ppm)
    SELECT $1, $2, $3, $4, l.* FROM unnest($5::bigint[], $6::integer[], $7::date[], $8::text[], $9::text[],
        $10::bigint[], $11::bigint[], $12::smallint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[],
        $17::integer[]) AS l
    ON CONFLICT DO NOTHING";
const INSERT_TENDERS: &str = "INSERT INTO app.ticket_tenders (tenant_id, node_id, term, shop_id, seq, tender_no,
        business_date, kind, amount_minor, change_minor)
    SELECT $1, $2, $3, $4, t.* FROM unnest($5::bigint[], $6::integer[], $7::date[], $8::smallint[], $9::bigint[],
        $10::bigint[]) AS t
    ON CONFLICT DO NOTHING";
const INSERT_TAXES: &str = "INSERT INTO app.ticket_taxes (tenant_id, node_id, term, shop_id, seq, tax_no,
        business_date, rate_ppm, base_minor, tax_minor)
    SELECT $1, $2, $3, $4, t.* FROM unnest($5::bigint[], $6::integer[], $7::date[], $8::integer[], $9::bigint[],
        $10::bigint[]) AS t
    ON CONFLICT DO NOTHING";
const INSERT_WRITE_OFFS: &str = "INSERT INTO app.write_offs (tenant_id, node_id, term, shop_id, seq, lane_id,
        person_id, business_date, occurred_at, recorded_at, late_entry, reason, reference, idempotency_key)
    SELECT $1, $2, $3, $4, w.* FROM unnest($5::bigint[], $6::uuid[], $7::uuid[], $8::date[], $9::timestamptz[],
        $10::timestamptz[], $11::boolean[], $12::text[], $13::text[], $14::text[]) AS w
    ON CONFLICT DO NOTHING";
const INSERT_WRITE_OFF_LINES: &str = "INSERT INTO app.write_off_lines (tenant_id, node_id, term, shop_id, seq,
        line_no, business_date, code, description, quantity_milli, value_minor)
    SELECT $1, $2, $3, $4, w.* FROM unnest($5::bigint[], $6::integer[], $7::date[], $8::text[], $9::text[],
        $10::bigint[], $11::bigint[]) AS w
    ON CONFLICT DO NOTHING";
const MOVE_DAYS: &str = "INSERT INTO app.sales_days AS d (tenant_id, shop_id, updated_at, business_date, currency,
        sales, returns, lines, gross_sales_minor, returns_minor, tax_minor, discounts_minor, rounding_minor,
        mismatched, late_entries, restated_at)
    SELECT $1, $2, $3::timestamptz, s.business_date, s.currency, s.sales, s.returns, s.lines, s.gross, s.returned, s.tax,
        s.discounts, s.rounding, s.mismatched, s.late, CASE WHEN s.restated THEN $3::timestamptz END
    FROM unnest($4::date[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[],
        $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::boolean[])
        AS s (business_date, currency, sales, returns, lines, gross, returned, tax, discounts, rounding, mismatched,
              late, restated)
    ON CONFLICT (tenant_id, shop_id, business_date, currency) DO UPDATE SET
        sales = d.sales + excluded.sales, returns = d.returns + excluded.returns, lines = d.lines + excluded.lines,
        gross_sales_minor = d.gross_sales_minor + excluded.gross_sales_minor,
        returns_minor = d.returns_minor + excluded.returns_minor, tax_minor = d.tax_minor + excluded.tax_minor,
        discounts_minor = d.discounts_minor + excluded.discounts_minor,
        rounding_minor = d.rounding_minor + excluded.rounding_minor,
        mismatched = d.mismatched + excluded.mismatched, late_entries = d.late_entries + excluded.late_entries,
        restated_at = coalesce(excluded.restated_at, d.restated_at), updated_at = excluded.updated_at";
const MOVE_HOURS: &str = "INSERT INTO app.sales_hours AS h (tenant_id, shop_id, business_date, hour, currency, sales,
        returns, lines, gross_sales_minor, returns_minor, tax_minor)
    SELECT $1, $2, s.* FROM unnest($3::date[], $4::smallint[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[],
        $9::bigint[], $10::bigint[], $11::bigint[]) AS s
    ON CONFLICT (tenant_id, shop_id, business_date, hour, currency) DO UPDATE SET
        sales = h.sales + excluded.sales, returns = h.returns + excluded.returns, lines = h.lines + excluded.lines,
        gross_sales_minor = h.gross_sales_minor + excluded.gross_sales_minor,
        returns_minor = h.returns_minor + excluded.returns_minor, tax_minor = h.tax_minor + excluded.tax_minor";
const MOVE_PRODUCTS: &str = "INSERT INTO app.product_days AS p (tenant_id, shop_id, business_date, currency, code,
        description, lines, quantity_milli, net_minor, tax_minor)
    SELECT $1, $2, s.* FROM unnest($3::date[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[],
        $9::bigint[], $10::bigint[]) AS s
    ON CONFLICT (tenant_id, shop_id, business_date, currency, code) DO UPDATE SET
        description = coalesce(nullif(excluded.description, ''), p.description), lines = p.lines + excluded.lines,
        quantity_milli = p.quantity_milli + excluded.quantity_milli, net_minor = p.net_minor + excluded.net_minor,
        tax_minor = p.tax_minor + excluded.tax_minor";
const MOVE_STOCK: &str = "INSERT INTO app.stock_days AS d (tenant_id, shop_id, updated_at, business_date, write_offs,
        lines, restated_at)
    SELECT $1, $2, $3::timestamptz, s.business_date, s.write_offs, s.lines, CASE WHEN s.restated THEN $3::timestamptz END
    FROM unnest($4::date[], $5::bigint[], $6::bigint[], $7::boolean[]) AS s (business_date, write_offs, lines, restated)
    ON CONFLICT (tenant_id, shop_id, business_date) DO UPDATE SET
        write_offs = d.write_offs + excluded.write_offs, lines = d.lines + excluded.lines,
        restated_at = coalesce(excluded.restated_at, d.restated_at), updated_at = excluded.updated_at";

/// Every statement of this file, for the test that prepares them all.
pub const STATEMENTS: &[&str] = &[
    INSERT_TICKETS,
    INSERT_LINES,
    INSERT_TENDERS,
    INSERT_TAXES,
    INSERT_WRITE_OFFS,
    INSERT_WRITE_OFF_LINES,
    MOVE_DAYS,
    MOVE_HOURS,
    MOVE_PRODUCTS,
    MOVE_STOCK,
];

/// Writes the rows of a batch: one statement per table that has any. Answers how many rows it wrote.
pub async fn insert_rows(conn: &mut PgConnection, log: &Log, batch: &Batch) -> Result<u64, sqlx::Error> {
    let mut written = 0;
    if !batch.tickets.seq.is_empty() {
        written += insert_tickets(conn, log, batch).await?;
        written += insert_paid(conn, log, batch).await?;
    }
    if !batch.lines.seq.is_empty() {
        written += insert_lines(conn, log, batch).await?;
    }
    if !batch.write_offs.seq.is_empty() {
        written += insert_write_offs(conn, log, batch).await?;
    }
    Ok(written)
}

async fn insert_tickets(conn: &mut PgConnection, log: &Log, batch: &Batch) -> Result<u64, sqlx::Error> {
    let rows = &batch.tickets;
    let query = sqlx::query(INSERT_TICKETS).bind(log.tenant).bind(log.node).bind(log.term).bind(log.shop);
    let query = query.bind(&rows.seq).bind(&rows.ticket_id).bind(&rows.lane_id).bind(&rows.cashier_id);
    let query = query.bind(&rows.shift_id).bind(&rows.kind).bind(&rows.business_date).bind(&rows.hour);
    let query = query.bind(&rows.occurred_at).bind(&rows.recorded_at).bind(&rows.late_entry).bind(&rows.reference);
    let query = query.bind(&rows.currency).bind(&rows.arithmetic).bind(&rows.line_count).bind(&rows.voided_count);
    let query = query.bind(&rows.gross_minor).bind(&rows.discounts_minor).bind(&rows.net_minor);
    let query = query.bind(&rows.tax_minor).bind(&rows.total_minor).bind(&rows.rounding_minor);
    let query = query.bind(&rows.check_result).bind(&rows.hq_total_minor);
    query.execute(conn).await.map(|done| done.rows_affected())
}

async fn insert_lines(conn: &mut PgConnection, log: &Log, batch: &Batch) -> Result<u64, sqlx::Error> {
    let rows = &batch.lines;
    let query = sqlx::query(INSERT_LINES).bind(log.tenant).bind(log.node).bind(log.term).bind(log.shop);
    let query = query.bind(&rows.seq).bind(&rows.line_no).bind(&rows.business_date).bind(&rows.code);
    let query = query.bind(&rows.description).bind(&rows.quantity_milli).bind(&rows.unit_price_e4);
    let query = query.bind(&rows.pricing).bind(&rows.gross_minor).bind(&rows.discount_minor).bind(&rows.net_minor);
    let query = query.bind(&rows.tax_minor).bind(&rows.tax_rate_ppm);
    query.execute(conn).await.map(|done| done.rows_affected())
}

async fn insert_paid(conn: &mut PgConnection, log: &Log, batch: &Batch) -> Result<u64, sqlx::Error> {
    let mut written = 0;
    let rows = &batch.tenders;
    if !rows.seq.is_empty() {
        let query = sqlx::query(INSERT_TENDERS).bind(log.tenant).bind(log.node).bind(log.term).bind(log.shop);
        let query = query.bind(&rows.seq).bind(&rows.tender_no).bind(&rows.business_date).bind(&rows.kind);
        let query = query.bind(&rows.amount_minor).bind(&rows.change_minor);
        written += query.execute(&mut *conn).await?.rows_affected();
    }
    let rows = &batch.taxes;
    if !rows.seq.is_empty() {
        let query = sqlx::query(INSERT_TAXES).bind(log.tenant).bind(log.node).bind(log.term).bind(log.shop);
        let query = query.bind(&rows.seq).bind(&rows.tax_no).bind(&rows.business_date).bind(&rows.rate_ppm);
        let query = query.bind(&rows.base_minor).bind(&rows.tax_minor);
        written += query.execute(&mut *conn).await?.rows_affected();
    }
    Ok(written)
}

async fn insert_write_offs(conn: &mut PgConnection, log: &Log, batch: &Batch) -> Result<u64, sqlx::Error> {
    let rows = &batch.write_offs;
    let query = sqlx::query(INSERT_WRITE_OFFS).bind(log.tenant).bind(log.node).bind(log.term).bind(log.shop);
    let query = query.bind(&rows.seq).bind(&rows.lane_id).bind(&rows.person_id).bind(&rows.business_date);
    let query = query.bind(&rows.occurred_at).bind(&rows.recorded_at).bind(&rows.late_entry).bind(&rows.reason);
    let query = query.bind(&rows.reference).bind(&rows.idempotency_key);
    let written = query.execute(&mut *conn).await?.rows_affected();
    let rows = &batch.write_off_lines;
    let query = sqlx::query(INSERT_WRITE_OFF_LINES).bind(log.tenant).bind(log.node).bind(log.term).bind(log.shop);
    let query = query.bind(&rows.seq).bind(&rows.line_no).bind(&rows.business_date).bind(&rows.code);
    let query = query.bind(&rows.description).bind(&rows.quantity_milli).bind(&rows.value_minor);
    Ok(written + query.execute(conn).await?.rows_affected())
}

/// Adds the sums of a batch to the roll-ups, in key order.
pub async fn move_roll_ups(
    conn: &mut PgConnection,
    log: &Log,
    sums: &RollUps,
    at: Timestamp,
) -> Result<(), sqlx::Error> {
    if !sums.days.is_empty() {
        move_days(conn, log, sums, at).await?;
        move_hours(conn, log, sums).await?;
        move_products(conn, log, sums).await?;
    }
    if !sums.stock.is_empty() {
        move_stock(conn, log, sums, at).await?;
    }
    Ok(())
}

fn column(sums: &[&SalesSum], field: fn(&SalesSum) -> i64) -> Vec<i64> {
    sums.iter().map(|sum| field(sum)).collect()
}

async fn move_days(conn: &mut PgConnection, log: &Log, sums: &RollUps, at: Timestamp) -> Result<(), sqlx::Error> {
    let dates: Vec<Date> = sums.days.keys().map(|(date, _)| *date).collect();
    let currencies: Vec<&str> = sums.days.keys().map(|(_, currency)| currency.code()).collect();
    let values: Vec<&SalesSum> = sums.days.values().collect();
    let restated: Vec<bool> = dates.iter().map(|date| sums.restated.contains(date)).collect();
    let query = sqlx::query(MOVE_DAYS).bind(log.tenant).bind(log.shop).bind(utc(at)).bind(dates).bind(currencies);
    let query = query.bind(column(&values, |s| s.sales)).bind(column(&values, |s| s.returns));
    let query = query.bind(column(&values, |s| s.lines)).bind(column(&values, |s| s.gross_sales_minor));
    let query = query.bind(column(&values, |s| s.returns_minor)).bind(column(&values, |s| s.tax_minor));
    let query = query.bind(column(&values, |s| s.discounts_minor)).bind(column(&values, |s| s.rounding_minor));
    let query = query.bind(column(&values, |s| s.mismatched)).bind(column(&values, |s| s.late_entries));
    query.bind(restated).execute(conn).await.map(drop)
}

async fn move_hours(conn: &mut PgConnection, log: &Log, sums: &RollUps) -> Result<(), sqlx::Error> {
    let dates: Vec<Date> = sums.hours.keys().map(|(date, _, _)| *date).collect();
    let hours: Vec<i16> = sums.hours.keys().map(|(_, hour, _)| *hour).collect();
    let currencies: Vec<&str> = sums.hours.keys().map(|(_, _, currency)| currency.code()).collect();
    let values: Vec<&SalesSum> = sums.hours.values().collect();
    let query = sqlx::query(MOVE_HOURS).bind(log.tenant).bind(log.shop).bind(dates).bind(hours).bind(currencies);
    let query = query.bind(column(&values, |s| s.sales)).bind(column(&values, |s| s.returns));
    let query = query.bind(column(&values, |s| s.lines)).bind(column(&values, |s| s.gross_sales_minor));
    let query = query.bind(column(&values, |s| s.returns_minor)).bind(column(&values, |s| s.tax_minor));
    query.execute(conn).await.map(drop)
}

async fn move_products(conn: &mut PgConnection, log: &Log, sums: &RollUps) -> Result<(), sqlx::Error> {
    let mut rows: Vec<_> = sums
        .products
        .iter()
        .flat_map(|((date, currency), codes)| codes.iter().map(move |(code, sum)| (*date, currency, code, sum)))
        .collect();
    // Two batches of one shop lock their common rows in one order, so that neither waits for the other for ever.
    rows.sort_unstable_by(|a, b| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)));
    let dates: Vec<Date> = rows.iter().map(|row| row.0).collect();
    let currencies: Vec<&str> = rows.iter().map(|row| row.1.code()).collect();
    let codes: Vec<&str> = rows.iter().map(|row| row.2.as_str()).collect();
    let descriptions: Vec<&str> = rows.iter().map(|row| row.3.description.as_str()).collect();
    let lines: Vec<i64> = rows.iter().map(|row| row.3.lines).collect();
    let quantities: Vec<i64> = rows.iter().map(|row| row.3.quantity_milli).collect();
    let nets: Vec<i64> = rows.iter().map(|row| row.3.net_minor).collect();
    let taxes: Vec<i64> = rows.iter().map(|row| row.3.tax_minor).collect();
    let query = sqlx::query(MOVE_PRODUCTS).bind(log.tenant).bind(log.shop).bind(dates).bind(currencies).bind(codes);
    let query = query.bind(descriptions).bind(lines).bind(quantities).bind(nets).bind(taxes);
    query.execute(conn).await.map(drop)
}

async fn move_stock(conn: &mut PgConnection, log: &Log, sums: &RollUps, at: Timestamp) -> Result<(), sqlx::Error> {
    let dates: Vec<Date> = sums.stock.keys().copied().collect();
    let write_offs: Vec<i64> = sums.stock.values().map(|sum| sum.write_offs).collect();
    let lines: Vec<i64> = sums.stock.values().map(|sum| sum.lines).collect();
    let restated: Vec<bool> = dates.iter().map(|date| sums.restated.contains(date)).collect();
    let query = sqlx::query(MOVE_STOCK).bind(log.tenant).bind(log.shop).bind(utc(at)).bind(dates);
    query.bind(write_offs).bind(lines).bind(restated).execute(conn).await.map(drop)
}
