//! All SQL that brings events in: cursors, events, forks, and the chain. Rows of projections and roll-ups are
//! written by `projections::store`. Decides nothing.

use protocol::ledger::Hash;
use protocol::timestamp::Timestamp;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::columns::EventRows;
use crate::clock::utc;

/// One log of one node at HQ: the head of every key here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// The tenant.
    pub tenant: Uuid,
    /// The shop the node stands in.
    pub shop: Uuid,
    /// The node.
    pub node: Uuid,
    /// Its term.
    pub term: i64,
    /// The stream's number.
    pub stream: i16,
}

/// A cursor row as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorRow {
    /// Known seqs: first, last, first, last, ...
    pub ranges: Vec<i64>,
    /// Events that came again with the same content.
    pub resent: i64,
    /// Events that came again with another content.
    pub forks: i64,
    /// Events that could not be projected.
    pub flawed: i64,
    /// How far the chain is verified.
    pub head_seq: i64,
    /// The hash there; none at 0.
    pub head_hash: Option<Hash>,
}

/// What an event says, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Position.
    pub seq: i64,
    /// Kind.
    pub kind: i32,
    /// Version.
    pub version: i16,
    /// Body.
    pub body: Vec<u8>,
}

const READ_CURSOR: &str = "SELECT ranges, resent, forks, flawed, head_seq, head_hash FROM app.event_cursors
    WHERE tenant_id = $1 AND node_id = $2 AND term = $3 AND stream = $4";
const LOCK_CURSOR: &str = "SELECT ranges, resent, forks, flawed, head_seq, head_hash FROM app.event_cursors
    WHERE tenant_id = $1 AND node_id = $2 AND term = $3 AND stream = $4 FOR UPDATE";
const MAKE_CURSOR: &str = "INSERT INTO app.event_cursors (tenant_id, node_id, term, stream, shop_id, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
const SAVE_CURSOR: &str = "UPDATE app.event_cursors SET ranges = $5, resent = $6, forks = $7, flawed = $8,
    head_seq = $9, head_hash = $10, updated_at = $11
    WHERE tenant_id = $1 AND node_id = $2 AND term = $3 AND stream = $4";
const REPAIR_CURSOR: &str = "UPDATE app.event_cursors c SET ranges = coalesce((
        SELECT array_agg(edge ORDER BY edge) FROM (
            SELECT unnest(ARRAY[min(seq), max(seq)]) AS edge FROM (
                SELECT seq, seq - row_number() OVER (ORDER BY seq) AS island FROM app.events e
                WHERE e.tenant_id = $1 AND e.node_id = $2 AND e.term = $3 AND e.stream = $4
            ) runs GROUP BY island
        ) edges
    ), '{}'), updated_at = $5
    WHERE c.tenant_id = $1 AND c.node_id = $2 AND c.term = $3 AND c.stream = $4";
const INSERT_EVENTS: &str = "INSERT INTO app.events (tenant_id, node_id, term, stream, shop_id, received_at,
        seq, kind, version, body, chain_hash, flaw, business_date)
    SELECT $1, $2, $3, $4, $5, $6, e.* FROM unnest($7::bigint[], $8::integer[], $9::smallint[], $10::bytea[],
        $11::bytea[], $12::text[], $13::date[]) AS e
    ON CONFLICT DO NOTHING";
const EVENTS_BY_SEQ: &str = "SELECT seq, kind, version, body FROM app.events
    WHERE tenant_id = $1 AND node_id = $2 AND term = $3 AND stream = $4 AND seq = ANY($5)";
const EVENTS_AFTER: &str = "SELECT seq, kind, version, body FROM app.events
    WHERE tenant_id = $1 AND node_id = $2 AND term = $3 AND stream = $4 AND seq > $5 AND seq <= $6
    ORDER BY seq LIMIT $7";
const SET_CHAIN: &str = "UPDATE app.events e SET chain_hash = h.hash
    FROM unnest($5::bigint[], $6::bytea[]) AS h (seq, hash)
    WHERE e.tenant_id = $1 AND e.node_id = $2 AND e.term = $3 AND e.stream = $4 AND e.seq = h.seq";
const CHAIN_AT: &str = "SELECT chain_hash FROM app.events
    WHERE tenant_id = $1 AND node_id = $2 AND term = $3 AND stream = $4 AND seq = $5";
const INSERT_FORKS: &str = "INSERT INTO app.event_forks (tenant_id, node_id, term, stream, shop_id, received_at,
        seq, kind, version, body, content_hash)
    SELECT $1, $2, $3, $4, $5, $6, f.* FROM unnest($7::bigint[], $8::integer[], $9::smallint[], $10::bytea[],
        $11::bytea[]) AS f
    ON CONFLICT DO NOTHING";

/// Every statement of this file, for the test that prepares them all.
pub const STATEMENTS: &[&str] = &[
    READ_CURSOR,
    LOCK_CURSOR,
    MAKE_CURSOR,
    SAVE_CURSOR,
    REPAIR_CURSOR,
    INSERT_EVENTS,
    EVENTS_BY_SEQ,
    EVENTS_AFTER,
    SET_CHAIN,
    CHAIN_AT,
    INSERT_FORKS,
];

fn hash_of(bytes: Option<Vec<u8>>) -> Option<Hash> {
    bytes.and_then(|bytes| Hash::try_from(bytes).ok())
}

fn cursor_row(row: &sqlx::postgres::PgRow) -> Result<CursorRow, sqlx::Error> {
    Ok(CursorRow {
        ranges: row.try_get("ranges")?,
        resent: row.try_get("resent")?,
        forks: row.try_get("forks")?,
        flawed: row.try_get("flawed")?,
        head_seq: row.try_get("head_seq")?,
        head_hash: hash_of(row.try_get("head_hash")?),
    })
}

fn stored_event(row: &sqlx::postgres::PgRow) -> Result<StoredEvent, sqlx::Error> {
    Ok(StoredEvent {
        seq: row.try_get("seq")?,
        kind: row.try_get("kind")?,
        version: row.try_get("version")?,
        body: row.try_get("body")?,
    })
}

/// The cursor as it stands, without a lock.
pub async fn read_cursor(conn: &mut PgConnection, log: &Log) -> Result<Option<CursorRow>, sqlx::Error> {
    let query = sqlx::query(READ_CURSOR).bind(log.tenant).bind(log.node).bind(log.term).bind(log.stream);
    query.fetch_optional(conn).await?.as_ref().map(cursor_row).transpose()
}

/// The cursor, made if need be, locked until the transaction ends.
pub async fn lock_cursor(conn: &mut PgConnection, log: &Log, at: Timestamp) -> Result<CursorRow, sqlx::Error> {
    let lock = || sqlx::query(LOCK_CURSOR).bind(log.tenant).bind(log.node).bind(log.term).bind(log.stream);
    if let Some(row) = lock().fetch_optional(&mut *conn).await? {
        return cursor_row(&row);
    }
    sqlx::query(MAKE_CURSOR)
        .bind(log.tenant)
        .bind(log.node)
        .bind(log.term)
        .bind(log.stream)
        .bind(log.shop)
        .bind(utc(at))
        .execute(&mut *conn)
        .await?;
    cursor_row(&lock().fetch_one(conn).await?)
}

/// Writes the locked cursor back.
pub async fn save_cursor(
    conn: &mut PgConnection,
    log: &Log,
    row: &CursorRow,
    at: Timestamp,
) -> Result<u64, sqlx::Error> {
    let query = sqlx::query(SAVE_CURSOR).bind(log.tenant).bind(log.node).bind(log.term).bind(log.stream);
    let query = query.bind(&row.ranges).bind(row.resent).bind(row.forks).bind(row.flawed);
    let query = query.bind(row.head_seq).bind(row.head_hash.map(|hash| hash.to_vec())).bind(utc(at));
    query.execute(conn).await.map(|done| done.rows_affected())
}

/// Sets the cursor's ranges to what really stands in app.events.
pub async fn repair_cursor(conn: &mut PgConnection, log: &Log, at: Timestamp) -> Result<u64, sqlx::Error> {
    let query = sqlx::query(REPAIR_CURSOR).bind(log.tenant).bind(log.node).bind(log.term).bind(log.stream);
    query.bind(utc(at)).execute(conn).await.map(|done| done.rows_affected())
}

/// Stores events; answers how many were not there before.
pub async fn insert_events(
    conn: &mut PgConnection,
    log: &Log,
    rows: &EventRows,
    at: Timestamp,
) -> Result<u64, sqlx::Error> {
    let query = sqlx::query(INSERT_EVENTS).bind(log.tenant).bind(log.node).bind(log.term).bind(log.stream);
    let query = query.bind(log.shop).bind(utc(at)).bind(&rows.seq).bind(&rows.kind).bind(&rows.version);
    let query = query.bind(&rows.body).bind(&rows.chain_hash).bind(&rows.flaw).bind(&rows.business_date);
    query.execute(conn).await.map(|done| done.rows_affected())
}

/// The events of these seqs, as far as they are kept.
pub async fn events_by_seq(conn: &mut PgConnection, log: &Log, seqs: &[i64]) -> Result<Vec<StoredEvent>, sqlx::Error> {
    let query = sqlx::query(EVENTS_BY_SEQ).bind(log.tenant).bind(log.node).bind(log.term).bind(log.stream);
    query.bind(seqs).fetch_all(conn).await?.iter().map(stored_event).collect()
}

/// Up to `limit` events after `after` and not beyond `upto`, in order.
pub async fn events_after(
    conn: &mut PgConnection,
    log: &Log,
    after: i64,
    upto: i64,
    limit: i64,
) -> Result<Vec<StoredEvent>, sqlx::Error> {
    let query = sqlx::query(EVENTS_AFTER).bind(log.tenant).bind(log.node).bind(log.term).bind(log.stream);
    query.bind(after).bind(upto).bind(limit).fetch_all(conn).await?.iter().map(stored_event).collect()
}

/// Writes chain hashes of events that were stored before their predecessors.
pub async fn set_chain(conn: &mut PgConnection, log: &Log, seqs: &[i64], hashes: &[Hash]) -> Result<u64, sqlx::Error> {
    let query = sqlx::query(SET_CHAIN).bind(log.tenant).bind(log.node).bind(log.term).bind(log.stream);
    query.bind(seqs).bind(hashes).execute(conn).await.map(|done| done.rows_affected())
}

/// The chain hash at one event, if it is known.
pub async fn chain_at(conn: &mut PgConnection, log: &Log, seq: i64) -> Result<Option<Hash>, sqlx::Error> {
    let query = sqlx::query(CHAIN_AT).bind(log.tenant).bind(log.node).bind(log.term).bind(log.stream);
    let row = query.bind(seq).fetch_optional(conn).await?;
    row.map(|row| row.try_get("chain_hash").map(hash_of)).transpose().map(Option::flatten)
}

/// Keeps events that contradict what is known, with the hash of their content.
pub async fn insert_forks(
    conn: &mut PgConnection,
    log: &Log,
    forks: &[(StoredEvent, Hash)],
    at: Timestamp,
) -> Result<u64, sqlx::Error> {
    let seqs: Vec<i64> = forks.iter().map(|(event, _)| event.seq).collect();
    let kinds: Vec<i32> = forks.iter().map(|(event, _)| event.kind).collect();
    let versions: Vec<i16> = forks.iter().map(|(event, _)| event.version).collect();
    let bodies: Vec<&[u8]> = forks.iter().map(|(event, _)| event.body.as_slice()).collect();
    let hashes: Vec<Hash> = forks.iter().map(|(_, hash)| *hash).collect();
    let query = sqlx::query(INSERT_FORKS).bind(log.tenant).bind(log.node).bind(log.term).bind(log.stream);
    let query = query.bind(log.shop).bind(utc(at)).bind(seqs).bind(kinds).bind(versions).bind(bodies).bind(hashes);
    query.execute(conn).await.map(|done| done.rows_affected())
}
