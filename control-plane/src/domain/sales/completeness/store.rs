//! All SQL of the completeness report. Decides nothing.

use protocol::id::{NodeId, ShopId, Term};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use crate::domain::sales::store::{CursorRow, Log};
use crate::domain::sales::types::LogStanding;

const LOGS: &str = "SELECT node_id, term, stream, shop_id, ranges, resent, forks, flawed, head_seq, head_hash
    FROM app.event_cursors WHERE tenant_id = $1 AND shop_id = $2 AND stream = $3 ORDER BY node_id, term";
// One basket is one ticket and one request is one write-off: whatever stands under a second event is counted twice.
const COUNTED_TWICE: &str = "SELECT node_id, term, count(*) AS times FROM (
        SELECT t.node_id, t.term,
               row_number() OVER (PARTITION BY t.ticket_id ORDER BY t.term, t.seq, t.node_id) AS nth
        FROM (SELECT ticket_id FROM app.tickets WHERE tenant_id = $1 AND shop_id = $2
              GROUP BY ticket_id HAVING count(*) > 1) d
        JOIN app.tickets t ON t.tenant_id = $1 AND t.shop_id = $2 AND t.ticket_id = d.ticket_id
        UNION ALL
        SELECT node_id, term,
               row_number() OVER (PARTITION BY lane_id, idempotency_key ORDER BY term, seq, node_id) AS nth
        FROM app.write_offs WHERE tenant_id = $1 AND shop_id = $2
    ) named WHERE nth > 1 GROUP BY node_id, term";
const ROLL_UP_SURPLUS: &str = "SELECT
        greatest(0, (SELECT coalesce(sum(sales + returns), 0)::bigint FROM app.sales_days
                     WHERE tenant_id = $1 AND shop_id = $2)
                    - (SELECT count(*) FROM app.tickets WHERE tenant_id = $1 AND shop_id = $2))
        + greatest(0, (SELECT coalesce(sum(write_offs), 0)::bigint FROM app.stock_days
                       WHERE tenant_id = $1 AND shop_id = $2)
                      - (SELECT count(*) FROM app.write_offs WHERE tenant_id = $1 AND shop_id = $2)) AS surplus";

const STANDING: &str = "SELECT node_id, term, shop_id, ranges, forks, flawed, head_seq, head_hash, updated_at
    FROM app.event_cursors WHERE tenant_id = $1 AND ($2::uuid IS NULL OR shop_id = $2) AND stream = $3
    ORDER BY node_id, term";

/// Every statement of this file, for the test that prepares them all.
pub const STATEMENTS: &[&str] = &[LOGS, COUNTED_TWICE, ROLL_UP_SURPLUS, STANDING];

/// How the logs of a stream stand by their cursors alone: one row per log, no event and no ticket is read.
pub async fn standing(
    conn: &mut PgConnection,
    tenant: Uuid,
    shop: Option<Uuid>,
    stream: i16,
) -> Result<Vec<LogStanding>, sqlx::Error> {
    let rows = sqlx::query(STANDING).bind(tenant).bind(shop).bind(stream).fetch_all(conn).await?;
    let mut logs = Vec::with_capacity(rows.len());
    for row in rows {
        let ranges: Vec<i64> = row.try_get("ranges")?;
        let hash: Option<Vec<u8>> = row.try_get("head_hash")?;
        let held = ranges.chunks_exact(2).map(|pair| match pair {
            [first, last] => last.saturating_sub(*first).saturating_add(1),
            _ => 0,
        });
        let received = held.fold(0_i64, i64::saturating_add);
        let whole = |number: i64| u64::try_from(number).unwrap_or(0);
        let term: i64 = row.try_get("term")?;
        logs.push(LogStanding {
            node: NodeId::from_uuid(row.try_get("node_id")?),
            term: Term(u32::try_from(term).unwrap_or(0)),
            shop: ShopId::from_uuid(row.try_get("shop_id")?),
            received: whole(received),
            last: whole(ranges.last().copied().unwrap_or(0)),
            forks: whole(row.try_get("forks")?),
            flawed: whole(row.try_get("flawed")?),
            head_seq: whole(row.try_get("head_seq")?),
            head_hash: hash.and_then(|hash| hash.try_into().ok()),
            moved_at: row.try_get("updated_at")?,
        });
    }
    Ok(logs)
}

/// The logs of a stream in a shop, with their cursors.
pub async fn logs(
    conn: &mut PgConnection,
    tenant: Uuid,
    shop: Uuid,
    stream: i16,
) -> Result<Vec<(Log, CursorRow)>, sqlx::Error> {
    let rows = sqlx::query(LOGS).bind(tenant).bind(shop).bind(stream).fetch_all(conn).await?;
    let mut logs = Vec::with_capacity(rows.len());
    for row in rows {
        let hash: Option<Vec<u8>> = row.try_get("head_hash")?;
        let log = Log { tenant, shop, node: row.try_get("node_id")?, term: row.try_get("term")?, stream };
        let cursor = CursorRow {
            ranges: row.try_get("ranges")?,
            resent: row.try_get("resent")?,
            forks: row.try_get("forks")?,
            flawed: row.try_get("flawed")?,
            head_seq: row.try_get("head_seq")?,
            head_hash: hash.and_then(|hash| hash.try_into().ok()),
        };
        logs.push((log, cursor));
    }
    Ok(logs)
}

/// Node, term and how many of its events are counted again.
pub async fn counted_twice(
    conn: &mut PgConnection,
    tenant: Uuid,
    shop: Uuid,
) -> Result<Vec<(Uuid, i64, i64)>, sqlx::Error> {
    let rows = sqlx::query(COUNTED_TWICE).bind(tenant).bind(shop).fetch_all(conn).await?;
    rows.iter().map(|row| Ok((row.try_get("node_id")?, row.try_get("term")?, row.try_get("times")?))).collect()
}

/// How many tickets and write-offs the roll-ups count above those that stand.
pub async fn roll_up_surplus(conn: &mut PgConnection, tenant: Uuid, shop: Uuid) -> Result<i64, sqlx::Error> {
    sqlx::query(ROLL_UP_SURPLUS).bind(tenant).bind(shop).fetch_one(conn).await?.try_get("surplus")
}
