//! What pages read of a whole fleet at once, and the note of what a node says it holds.

use protocol::id::{NodeId, ShopId, Stream};
use protocol::timestamp::Timestamp;
use sqlx::Row as _;
use time::OffsetDateTime;
use uuid::Uuid;

use super::super::types::{Held, SwornLog};
use super::{sql, term};
use crate::clock::utc;
use crate::db::{DbError, TenantTx};

/// Each fiscal log that the nodes of a shop (or of all) ever had, with its last checkpoint.
pub(in crate::domain::fleet) async fn sworn_logs(
    tx: &mut TenantTx,
    shop: Option<ShopId>,
    limit: i64,
) -> Result<Vec<SwornLog>, DbError> {
    let query = sqlx::query(sql::SWORN_LOGS).bind(tx.tenant().as_uuid()).bind(shop.map(|shop| shop.as_uuid()));
    let rows = query.bind(i16::from(Stream::Fiscal as u8)).bind(limit).fetch_all(tx.conn()).await?;
    rows.into_iter()
        .map(|row| {
            let seq: Option<i64> = row.try_get(5)?;
            let hash: Option<Vec<u8>> = row.try_get(6)?;
            Ok(SwornLog {
                node: NodeId::from_uuid(row.try_get(0)?),
                term: term(row.try_get(1)?),
                shop: ShopId::from_uuid(row.try_get(2)?),
                name: row.try_get(3)?,
                reigns: row.try_get(4)?,
                seq: seq.and_then(|seq| u64::try_from(seq).ok()),
                head_hash: hash.and_then(|hash| hash.try_into().ok()),
                at: row.try_get(7)?,
                contradictions: row.try_get::<Option<i64>, _>(8)?.and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
            })
        })
        .collect()
}

/// The shop of a node, the address it last came from, and since when it is connected.
pub(in crate::domain::fleet) async fn node(
    tx: &mut TenantTx,
    node: NodeId,
) -> Result<Option<(ShopId, Option<String>, Option<OffsetDateTime>)>, DbError> {
    let query = sqlx::query(sql::NODE).bind(tx.tenant().as_uuid()).bind(node.as_uuid());
    let row = query.fetch_optional(tx.conn()).await?;
    row.map(|row| Ok((ShopId::from_uuid(row.try_get(0)?), row.try_get(1)?, row.try_get(2)?))).transpose()
}

/// Notes which version of a collection a node says it holds. Whether anything was written.
pub(in crate::domain::fleet) async fn holds(
    tx: &mut TenantTx,
    node: NodeId,
    collection: u8,
    version: u64,
    now: Timestamp,
) -> Result<bool, DbError> {
    let query = sqlx::query(sql::HOLDS).bind(tx.tenant().as_uuid()).bind(node.as_uuid()).bind(i16::from(collection));
    let query = query.bind(i64::try_from(version).unwrap_or(i64::MAX)).bind(utc(now));
    Ok(query.execute(tx.conn()).await?.rows_affected() == 1)
}

/// What the nodes say they hold of a collection.
pub(in crate::domain::fleet) async fn held(
    tx: &mut TenantTx,
    collection: u8,
    limit: i64,
) -> Result<Vec<(Uuid, Held)>, DbError> {
    let query = sqlx::query(sql::HELD).bind(tx.tenant().as_uuid()).bind(i16::from(collection)).bind(limit);
    let rows = query.fetch_all(tx.conn()).await?;
    rows.into_iter()
        .map(|row| {
            let version: i64 = row.try_get(1)?;
            Ok((row.try_get(0)?, Held { version: u64::try_from(version).unwrap_or(0), said_at: row.try_get(2)? }))
        })
        .collect()
}
