//! What pages and completeness read: nodes, where their logs stand, what they swore.

use protocol::id::{NodeId, ShopId, Stream, Term};
use sqlx::Row as _;
use time::OffsetDateTime;
use uuid::Uuid;

use super::super::types::{LogPosition, NodeRow};
use super::{sql, term};
use crate::db::{DbError, TenantTx};

/// The last checkpoint of one log, as completeness needs it.
pub(in crate::domain::fleet) struct Sworn {
    pub(in crate::domain::fleet) node: NodeId,
    pub(in crate::domain::fleet) term: Term,
    pub(in crate::domain::fleet) seq: u64,
    pub(in crate::domain::fleet) head_hash: [u8; 32],
    pub(in crate::domain::fleet) at: OffsetDateTime,
    pub(in crate::domain::fleet) contradictions: i64,
}

/// The last checkpoint of each fiscal log of a shop, and each node's term without one as `None`.
pub(in crate::domain::fleet) async fn sworn(
    tx: &mut TenantTx,
    shop: ShopId,
    stream: u8,
) -> Result<Vec<(NodeId, Term, Option<Sworn>)>, DbError> {
    let query = sqlx::query(sql::SWORN).bind(tx.tenant().as_uuid()).bind(shop.as_uuid()).bind(i16::from(stream));
    let rows = query.fetch_all(tx.conn()).await?;
    rows.into_iter()
        .map(|row| {
            let (node, term) = (NodeId::from_uuid(row.try_get(0)?), term(row.try_get(1)?));
            let Some(seq) = row.try_get::<Option<i64>, _>(2)? else { return Ok((node, term, None)) };
            let hash: Vec<u8> = row.try_get(3)?;
            let sworn = Sworn {
                node,
                term,
                seq: u64::try_from(seq).unwrap_or(0),
                head_hash: hash.try_into().unwrap_or([0; 32]),
                at: row.try_get(4)?,
                contradictions: row.try_get(5)?,
            };
            Ok((node, term, Some(sworn)))
        })
        .collect()
}

/// A page of nodes, by id, beginning behind `after`; without their logs.
pub(in crate::domain::fleet) async fn nodes(
    tx: &mut TenantTx,
    shop: Option<ShopId>,
    after: Option<NodeId>,
    limit: i64,
) -> Result<Vec<NodeRow>, DbError> {
    let rows = sqlx::query(sql::NODES)
        .bind(tx.tenant().as_uuid())
        .bind(shop.map(|shop| shop.as_uuid()))
        .bind(after.map(|node| node.as_uuid()))
        .bind(limit)
        .fetch_all(tx.conn())
        .await?;
    rows.into_iter()
        .map(|row| {
            Ok(NodeRow {
                node_id: row.try_get(0)?,
                shop_id: row.try_get(1)?,
                name: row.try_get(2)?,
                role: row.try_get(3)?,
                term: row.try_get(4)?,
                enrolled_at: row.try_get(5)?,
                last_seen_at: row.try_get(6)?,
                agent_version: row.try_get(7)?,
                carrier: row.try_get(8)?,
                clock_skew_millis: row.try_get(9)?,
                certificate_expires_at: row.try_get(10)?,
                logs: Vec::new(),
            })
        })
        .collect()
}

/// Where the logs of some nodes stand.
pub(in crate::domain::fleet) async fn positions(
    tx: &mut TenantTx,
    nodes: &[Uuid],
) -> Result<Vec<(Uuid, LogPosition)>, DbError> {
    let rows = sqlx::query(sql::POSITIONS).bind(tx.tenant().as_uuid()).bind(nodes).fetch_all(tx.conn()).await?;
    rows.into_iter()
        .map(|row| {
            let stream = u8::try_from(row.try_get::<i16, _>(1)?).ok().and_then(Stream::from_u8);
            let position = LogPosition {
                stream: stream.map_or("unknown", Stream::name),
                term: row.try_get(2)?,
                seq: row.try_get(3)?,
                at: row.try_get(4)?,
                contradictions: row.try_get(5)?,
            };
            Ok((row.try_get(0)?, position))
        })
        .collect()
}
