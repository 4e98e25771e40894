//! How a fleet stands, by rows that are few however long the history is: nodes, checkpoints and cursors. No event and
//! no ticket is read, so that a page may ask at every turn; the full proof is `completeness`.

use std::collections::HashMap;

use protocol::collection::{Collection, Version};
use protocol::id::{NodeId, ShopId, Term};
use protocol::limits;
use protocol::timestamp::Timestamp;
use uuid::Uuid;

use super::super::store;
use super::super::types::{LogState, NodeDetail, NodeRow, NodeStanding, Standing, SwornLog};
use crate::db::{DbError, TenantTx};
use crate::domain::sales;
use crate::domain::sales::types::LogStanding;

/// How the nodes of a shop, or of all shops, stand. At most [`limits::STANDING_NODES`] of them.
///
/// # Errors
/// Whatever the database met.
pub async fn standing(tx: &mut TenantTx, shop: Option<ShopId>) -> Result<Standing, DbError> {
    let rows = store::nodes(tx, shop, None, limits::STANDING_NODES).await?;
    of_rows(tx, shop, rows).await
}

/// A page of nodes as they stand, and where the next one starts.
///
/// # Errors
/// Whatever the database met.
pub async fn standing_page(
    tx: &mut TenantTx,
    shop: Option<ShopId>,
    after: Option<NodeId>,
    limit: u32,
) -> Result<(Vec<NodeStanding>, Option<NodeId>), DbError> {
    let limit = limit.clamp(1, limits::NODE_PAGE);
    let mut rows = store::nodes(tx, shop, after, i64::from(limit).saturating_add(1)).await?;
    let page = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > page;
    rows.truncate(page);
    let next = rows.last().filter(|_| more).map(|row| NodeId::from_uuid(row.node_id));
    Ok((of_rows(tx, shop, rows).await?.nodes, next))
}

/// One node with the positions of all its logs; none of another tenant's.
///
/// # Errors
/// Whatever the database met.
pub async fn detail(tx: &mut TenantTx, node: NodeId) -> Result<Option<NodeDetail>, DbError> {
    let Some((shop, address, connected_at)) = store::node(tx, node).await? else { return Ok(None) };
    let found = standing(tx, Some(shop)).await?.nodes.into_iter().find(|found| found.row.node_id == node.as_uuid());
    let Some(mut standing) = found else { return Ok(None) };
    for (_, position) in store::positions(tx, &[node.as_uuid()]).await? {
        standing.row.logs.push(position);
    }
    Ok(Some(NodeDetail { standing, address, connected_at }))
}

/// Notes which version of a collection a node says it holds, in the caller's transaction. Whether that is news:
/// otherwise nothing was written and there is nothing to save.
///
/// # Errors
/// Whatever the database met.
pub async fn holds(
    tx: &mut TenantTx,
    node: NodeId,
    collection: Collection,
    version: Version,
    now: Timestamp,
) -> Result<bool, DbError> {
    store::holds(tx, node, collection as u8, version.0, now).await
}

async fn of_rows(tx: &mut TenantTx, shop: Option<ShopId>, rows: Vec<NodeRow>) -> Result<Standing, DbError> {
    let sworn = store::sworn_logs(tx, shop, limits::STANDING_NODES).await?;
    let mut received: HashMap<(NodeId, Term), LogStanding> =
        sales::service::standing(tx, shop).await?.into_iter().map(|log| ((log.node, log.term), log)).collect();
    let mut held: HashMap<Uuid, _> =
        store::held(tx, Collection::Catalogue as u8, limits::STANDING_NODES).await?.into_iter().collect();
    let mut logs: HashMap<Uuid, Vec<LogState>> = HashMap::new();
    for log in sworn {
        let came = received.remove(&(log.node, log.term));
        logs.entry(log.node.as_uuid()).or_default().push(state(
            Some(&log),
            came.as_ref(),
            log.node,
            log.term,
            log.shop,
        ));
    }
    for (_, came) in received {
        let state = state(None, Some(&came), came.node, came.term, came.shop);
        logs.entry(came.node.as_uuid()).or_default().push(state);
    }
    let nodes = rows
        .into_iter()
        .map(|row| NodeStanding {
            logs: logs.remove(&row.node_id).unwrap_or_default(),
            catalogue: held.remove(&row.node_id),
            row,
        })
        .collect();
    let mut orphans: Vec<LogState> = logs.into_values().flatten().collect();
    orphans.sort_by_key(|log| (log.node, log.term));
    Ok(Standing { nodes, orphans })
}

fn state(sworn: Option<&SwornLog>, came: Option<&LogStanding>, node: NodeId, term: Term, shop: ShopId) -> LogState {
    // Both hashes are at hand only where oath and chain stand at the same position; elsewhere `completeness` looks.
    let diverges = match (sworn, came) {
        (Some(sworn), Some(came)) => {
            sworn.seq == Some(came.head_seq) && came.head_seq > 0 && sworn.head_hash != came.head_hash
        }
        (Some(_), None) | (None, Some(_)) | (None, None) => false,
    };
    let received = came.map_or(0, |came| came.received);
    LogState {
        node,
        term,
        shop,
        reigns: sworn.is_some_and(|sworn| sworn.reigns),
        stored: sworn.and_then(|sworn| sworn.seq),
        sworn_at: sworn.and_then(|sworn| sworn.at),
        received,
        gaps: came.map_or(0, |came| came.last.saturating_sub(received)),
        moved_at: came.map(|came| came.moved_at),
        contradicts: diverges
            || sworn.is_some_and(|sworn| sworn.contradictions > 0)
            || came.is_some_and(|came| came.forks > 0),
    }
}
