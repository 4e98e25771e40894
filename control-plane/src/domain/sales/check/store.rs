//! All SQL that sums what stands, for the comparison with what the events say. Decides nothing.

use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::{Figures, SOURCES, Source};
use crate::domain::sales::store::{CursorRow, Log};

/// Sums of the days.
pub const SALES_DAYS: &str = "SELECT shop_id, business_date, currency, ARRAY[sales, returns, lines,
        gross_sales_minor, returns_minor, tax_minor, discounts_minor, rounding_minor, mismatched, late_entries]
        AS figures
    FROM app.sales_days WHERE tenant_id = $1";
/// The same out of the tickets.
pub const TICKETS: &str = "SELECT shop_id, business_date, currency, ARRAY[count(*) FILTER (WHERE kind = 1),
        count(*) FILTER (WHERE kind = 2), sum(line_count),
        coalesce(sum(total_minor) FILTER (WHERE kind = 1), 0)::bigint,
        coalesce(-sum(total_minor) FILTER (WHERE kind = 2), 0)::bigint, sum(tax_minor)::bigint,
        sum(discounts_minor)::bigint, sum(rounding_minor)::bigint, count(*) FILTER (WHERE check_result <> 0),
        count(*) FILTER (WHERE late_entry)] AS figures
    FROM app.tickets WHERE tenant_id = $1 GROUP BY shop_id, business_date, currency";
/// Sums of the hours of a day.
pub const SALES_HOURS: &str = "SELECT shop_id, business_date, currency, ARRAY[sum(sales)::bigint,
        sum(returns)::bigint, sum(lines)::bigint, sum(gross_sales_minor)::bigint, sum(returns_minor)::bigint,
        sum(tax_minor)::bigint] AS figures
    FROM app.sales_hours WHERE tenant_id = $1 GROUP BY shop_id, business_date, currency";
/// Sums of the products of a day.
pub const PRODUCT_DAYS: &str = "SELECT shop_id, business_date, currency, ARRAY[sum(lines)::bigint,
        sum(quantity_milli)::bigint, sum(net_minor)::bigint, sum(tax_minor)::bigint] AS figures
    FROM app.product_days WHERE tenant_id = $1 GROUP BY shop_id, business_date, currency";
/// Sums of the products of a month, as a page over a long range counts them: the sum over the year so far less the days of
/// the months before, where the sum holds as many tickets as there are; the days otherwise.
pub const PRODUCT_YEARS: &str = "WITH heads AS (
        SELECT h.shop_id, h.through FROM app.product_year_heads h
        WHERE h.tenant_id = $1 AND h.tickets = (
            SELECT coalesce(sum(d.sales + d.returns), 0) FROM app.sales_days d
            WHERE d.tenant_id = $1 AND d.shop_id = h.shop_id
                AND d.business_date BETWEEN date_trunc('year', h.through)::date AND h.through)
    ), parts AS (
        SELECT y.shop_id, date_trunc('month', y.through)::date AS business_date, y.currency, y.lines, y.quantity_milli,
               y.net_minor, y.tax_minor
        FROM heads h JOIN app.product_years y ON y.tenant_id = $1 AND y.shop_id = h.shop_id AND y.through = h.through
        UNION ALL
        SELECT d.shop_id, date_trunc('month', h.through)::date, d.currency, -d.lines, -d.quantity_milli, -d.net_minor,
               -d.tax_minor
        FROM heads h JOIN app.product_days d ON d.tenant_id = $1 AND d.shop_id = h.shop_id
            AND d.business_date >= date_trunc('year', h.through) AND d.business_date < date_trunc('month', h.through)
        UNION ALL
        SELECT d.shop_id, date_trunc('month', d.business_date)::date, d.currency, d.lines, d.quantity_milli, d.net_minor,
               d.tax_minor
        FROM app.product_days d WHERE d.tenant_id = $1 AND NOT EXISTS (
            SELECT FROM heads h WHERE h.shop_id = d.shop_id
                AND date_trunc('month', h.through) = date_trunc('month', d.business_date))
    )
    SELECT shop_id, business_date, currency, ARRAY[sum(lines)::bigint, sum(quantity_milli)::bigint,
        sum(net_minor)::bigint, sum(tax_minor)::bigint] AS figures
    FROM parts GROUP BY shop_id, business_date, currency";
/// Products of a day out of the lines.
pub const TICKET_LINES: &str = "SELECT shop_id, business_date, '' AS currency, ARRAY[count(*),
        sum(quantity_milli)::bigint, sum(net_minor)::bigint, sum(tax_minor)::bigint] AS figures
    FROM app.ticket_lines WHERE tenant_id = $1 GROUP BY shop_id, business_date";
/// Sums of the days of stock.
pub const STOCK_DAYS: &str = "SELECT shop_id, business_date, '' AS currency, ARRAY[write_offs, lines] AS figures
    FROM app.stock_days WHERE tenant_id = $1";
/// The same out of the write-offs.
pub const WRITE_OFFS: &str = "SELECT w.shop_id, w.business_date, '' AS currency, ARRAY[count(*),
        sum((SELECT count(*) FROM app.write_off_lines l WHERE l.tenant_id = w.tenant_id AND l.node_id = w.node_id
             AND l.term = w.term AND l.seq = w.seq))::bigint] AS figures
    FROM app.write_offs w WHERE w.tenant_id = $1 GROUP BY w.shop_id, w.business_date";
const ONE_SNAPSHOT: &str = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";
const FISCAL_LOGS: &str = "SELECT node_id, term, stream, shop_id, ranges, resent, forks, flawed, head_seq
    FROM app.event_cursors WHERE tenant_id = $1 AND stream = 1 ORDER BY node_id, term";

/// Every statement of this file that can be prepared, for the test that prepares them all.
pub fn statements() -> Vec<&'static str> {
    SOURCES.iter().map(|source| source.sql).chain([FISCAL_LOGS]).collect()
}

/// Makes all further statements of the transaction see one moment.
pub async fn one_snapshot(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(ONE_SNAPSHOT).execute(conn).await.map(drop)
}

/// The fiscal logs of a tenant with their cursors (without the head hash, which is not asked for here).
pub async fn fiscal_logs(conn: &mut PgConnection, tenant: Uuid) -> Result<Vec<(Log, CursorRow)>, sqlx::Error> {
    let rows = sqlx::query(FISCAL_LOGS).bind(tenant).fetch_all(conn).await?;
    let mut logs = Vec::with_capacity(rows.len());
    for row in rows {
        let log = Log {
            tenant,
            shop: row.try_get("shop_id")?,
            node: row.try_get("node_id")?,
            term: row.try_get("term")?,
            stream: row.try_get("stream")?,
        };
        let cursor = CursorRow {
            ranges: row.try_get("ranges")?,
            resent: row.try_get("resent")?,
            forks: row.try_get("forks")?,
            flawed: row.try_get("flawed")?,
            head_seq: row.try_get("head_seq")?,
            head_hash: None,
        };
        logs.push((log, cursor));
    }
    Ok(logs)
}

/// The figures of one table as they stand.
pub async fn stored(conn: &mut PgConnection, source: &Source, tenant: Uuid) -> Result<Figures, sqlx::Error> {
    let rows = sqlx::query(source.sql).bind(tenant).fetch_all(conn).await?;
    let mut figures = Figures::new();
    for row in rows {
        let key = (row.try_get("shop_id")?, row.try_get("business_date")?, row.try_get("currency")?);
        figures.insert(key, row.try_get("figures")?);
    }
    Ok(figures)
}
