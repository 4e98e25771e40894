//! All SQL that reads tickets for people. Decides nothing.

use protocol::event::RawEvent;
use protocol::ledger;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use time::Date;
use uuid::Uuid;

use super::rules::{Filter, check_name, kind_name};
use crate::domain::sales::types::TicketRow;

const LIST: &str = "SELECT node_id, term, seq, shop_id, ticket_id, lane_id, kind, business_date, occurred_at,
        late_entry, reference, currency, line_count, total_minor, tax_minor, check_result, hq_total_minor
    FROM app.tickets
    WHERE tenant_id = $1 AND ($2::uuid IS NULL OR shop_id = $2) AND ($3::date IS NULL OR business_date >= $3)
        AND ($4::date IS NULL OR business_date <= $4) AND ($5::smallint IS NULL OR kind = $5)
        AND ($6::uuid IS NULL OR lane_id = $6)
        AND ($7::date IS NULL OR (business_date, occurred_at, node_id, term, seq)
             < ($7::date, $8::timestamptz, $9::uuid, $10::bigint, $11::bigint))
    ORDER BY business_date DESC, occurred_at DESC, node_id DESC, term DESC, seq DESC
    LIMIT $12";
const ONE: &str = "SELECT t.node_id, t.term, t.seq, t.shop_id, t.ticket_id, t.lane_id, t.kind, t.business_date,
        t.occurred_at, t.late_entry, t.reference, t.currency, t.line_count, t.total_minor, t.tax_minor,
        t.check_result, t.hq_total_minor, e.kind AS event_kind, e.version AS event_version, e.body, e.chain_hash
    FROM app.tickets t
    JOIN app.events e ON e.tenant_id = t.tenant_id AND e.node_id = t.node_id AND e.term = t.term AND e.stream = 1
        AND e.seq = t.seq
    WHERE t.tenant_id = $1 AND t.node_id = $2 AND t.term = $3 AND t.seq = $4";

/// Every statement of this file, for the test that prepares them all.
pub const STATEMENTS: &[&str] = &[LIST, ONE];

/// A ticket of a list, with its trading day.
pub(crate) fn ticket_row(row: &PgRow) -> Result<(TicketRow, Date), sqlx::Error> {
    let date: Date = row.try_get("business_date")?;
    let ticket = TicketRow {
        node_id: row.try_get("node_id")?,
        term: row.try_get("term")?,
        seq: row.try_get("seq")?,
        shop_id: row.try_get("shop_id")?,
        ticket_id: row.try_get("ticket_id")?,
        lane_id: row.try_get("lane_id")?,
        kind: kind_name(row.try_get("kind")?),
        business_date: date.to_string(),
        occurred_at: row.try_get("occurred_at")?,
        late_entry: row.try_get("late_entry")?,
        reference: row.try_get("reference")?,
        currency: row.try_get("currency")?,
        lines: row.try_get("line_count")?,
        total_minor: row.try_get("total_minor")?,
        tax_minor: row.try_get("tax_minor")?,
        check: check_name(row.try_get("check_result")?),
        hq_total_minor: row.try_get("hq_total_minor")?,
    };
    Ok((ticket, date))
}

/// Tickets by the filter, newest first, with their trading days.
pub async fn list(
    conn: &mut PgConnection,
    tenant: Uuid,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<(TicketRow, Date)>, sqlx::Error> {
    let after = filter.after;
    let query = sqlx::query(LIST).bind(tenant).bind(filter.shop).bind(filter.from).bind(filter.to).bind(filter.kind);
    let query = query.bind(filter.lane).bind(after.map(|place| place.date)).bind(after.map(|place| place.occurred_at));
    let query = query.bind(after.map(|place| place.node)).bind(after.map(|place| place.term));
    let query = query.bind(after.map(|place| place.seq)).bind(limit);
    query.fetch_all(conn).await?.iter().map(ticket_row).collect()
}

/// One ticket with its event and, where known, its chain hash in hex.
pub async fn one(
    conn: &mut PgConnection,
    tenant: Uuid,
    node: Uuid,
    term: i64,
    seq: i64,
) -> Result<Option<(TicketRow, RawEvent, Option<String>)>, sqlx::Error> {
    let query = sqlx::query(ONE).bind(tenant).bind(node).bind(term).bind(seq);
    let Some(row) = query.fetch_optional(conn).await? else { return Ok(None) };
    let event = RawEvent {
        kind: u16::try_from(row.try_get::<i32, _>("event_kind")?).unwrap_or(0),
        version: u8::try_from(row.try_get::<i16, _>("event_version")?).unwrap_or(0),
        body: row.try_get("body")?,
    };
    let hash: Option<Vec<u8>> = row.try_get("chain_hash")?;
    Ok(Some((ticket_row(&row)?.0, event, hash.map(|hash| ledger::hex(&hash)))))
}
