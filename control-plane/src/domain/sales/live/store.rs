//! All SQL of the live page. Decides nothing.

use sqlx::{PgConnection, Row};
use time::Date;
use uuid::Uuid;

use super::rules::{LiveFigures, LiveTicket};
use crate::domain::sales::tickets::store::ticket_row;

/// The last arrivals of the logs that moved last: no log but those can hold one of the newest. Of each log the highest
/// positions, so that a backlog that comes after the live sales does not push them off the page.
const LAST: &str = "SELECT t.node_id, t.term, t.seq, t.shop_id, t.ticket_id, t.lane_id, t.kind, t.business_date,
        t.occurred_at, t.late_entry, t.reference, t.currency, t.line_count, t.total_minor, t.tax_minor,
        t.check_result, t.hq_total_minor, e.received_at
    FROM (SELECT node_id, term FROM app.event_cursors
          WHERE tenant_id = $1 AND stream = 1 AND ($2::uuid IS NULL OR shop_id = $2)
          ORDER BY updated_at DESC, node_id, term LIMIT $3) moved
    CROSS JOIN LATERAL (SELECT * FROM app.tickets
          WHERE tenant_id = $1 AND node_id = moved.node_id AND term = moved.term ORDER BY seq DESC LIMIT $3) t
    JOIN app.events e ON e.tenant_id = $1 AND e.node_id = t.node_id AND e.term = t.term AND e.stream = 1
        AND e.seq = t.seq
    ORDER BY e.received_at DESC, t.node_id, t.term DESC, t.seq DESC LIMIT $3";
const DAYS: &str = "SELECT d.currency, sum(d.sales)::bigint AS sales, sum(d.returns)::bigint AS returns,
        sum(d.gross_sales_minor)::bigint AS gross_sales_minor, sum(d.returns_minor)::bigint AS returns_minor,
        sum(d.mismatched)::bigint AS mismatched
    FROM unnest($2::uuid[], $3::date[]) AS wanted (shop_id, business_date)
    JOIN app.sales_days d ON d.tenant_id = $1 AND d.shop_id = wanted.shop_id AND d.business_date = wanted.business_date
    GROUP BY d.currency ORDER BY d.currency";
const HOURS: &str = "SELECT h.currency, h.hour, sum(h.gross_sales_minor - h.returns_minor)::bigint AS net_minor
    FROM unnest($2::uuid[], $3::date[]) AS wanted (shop_id, business_date)
    JOIN app.sales_hours h ON h.tenant_id = $1 AND h.shop_id = wanted.shop_id AND h.business_date = wanted.business_date
    GROUP BY h.currency, h.hour";
const LAST_DAY: &str = "SELECT max(business_date) AS last FROM app.tickets
    WHERE tenant_id = $1 AND ($2::uuid IS NULL OR shop_id = $2) AND business_date <= $3";

/// Every statement of this file, for the test that prepares them all.
pub const STATEMENTS: &[&str] = &[LAST, DAYS, HOURS, LAST_DAY];

/// The tickets that came last.
pub async fn last(
    conn: &mut PgConnection,
    tenant: Uuid,
    shop: Option<Uuid>,
    limit: i64,
) -> Result<Vec<LiveTicket>, sqlx::Error> {
    let rows = sqlx::query(LAST).bind(tenant).bind(shop).bind(limit).fetch_all(conn).await?;
    let read = |row| {
        let (ticket, _) = ticket_row(row)?;
        Ok(LiveTicket { row: ticket, received_at: row.try_get("received_at")? })
    };
    rows.iter().map(read).collect()
}

/// The figures of some shops, each on its own day, one per currency.
pub async fn figures(
    conn: &mut PgConnection,
    tenant: Uuid,
    shops: &[Uuid],
    days: &[Date],
) -> Result<Vec<LiveFigures>, sqlx::Error> {
    let rows = sqlx::query(DAYS).bind(tenant).bind(shops).bind(days).fetch_all(&mut *conn).await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in &rows {
        all.push(LiveFigures {
            currency: row.try_get("currency")?,
            sales: row.try_get("sales")?,
            returns: row.try_get("returns")?,
            gross_sales_minor: row.try_get("gross_sales_minor")?,
            returns_minor: row.try_get("returns_minor")?,
            mismatched: row.try_get("mismatched")?,
            hours: vec![0; 24],
        });
    }
    let rows = sqlx::query(HOURS).bind(tenant).bind(shops).bind(days).fetch_all(conn).await?;
    for row in &rows {
        let (currency, hour): (String, i16) = (row.try_get("currency")?, row.try_get("hour")?);
        let figures = all.iter_mut().find(|figures| figures.currency == currency);
        let place = figures.and_then(|figures| figures.hours.get_mut(usize::try_from(hour).ok()?));
        if let Some(place) = place {
            *place = row.try_get("net_minor")?;
        }
    }
    Ok(all)
}

/// The last trading day with a ticket, not later than `upto`.
pub async fn last_day(
    conn: &mut PgConnection,
    tenant: Uuid,
    shop: Option<Uuid>,
    upto: Date,
) -> Result<Option<Date>, sqlx::Error> {
    sqlx::query(LAST_DAY).bind(tenant).bind(shop).bind(upto).fetch_one(conn).await?.try_get("last")
}
