//! What HQ holds of each log of a shop: how much, what is missing, what came again, what is counted twice (told by
//! the projections, not by what ingest believes), and how far the chain is verified.

pub mod store;

use std::collections::HashMap;

use protocol::id::{NodeId, Seq, ShopId, Stream, Term};
use protocol::ledger::Hash;
use protocol::limits;
use uuid::Uuid;

use super::ingest::{self, Cursor};
use super::store as events;
use super::types::{LogCompleteness, LogStanding};
use crate::db::{DbError, TenantTx};

/// What HQ holds of each fiscal log of a shop, by node and term.
///
/// # Errors
/// Whatever the database met.
pub async fn of_shop(tx: &mut TenantTx, shop: ShopId) -> Result<Vec<LogCompleteness>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let fiscal = i16::from(Stream::Fiscal as u8);
    let mut twice: HashMap<(Uuid, i64), i64> = HashMap::new();
    for (node, term, count) in store::counted_twice(tx.conn(), tenant, shop.as_uuid()).await? {
        *twice.entry((node, term)).or_default() += count;
    }
    // Roll-ups do not know nodes: what they count above the projections is told of the first log, so that the
    // sum over a shop is right and never 0 when something is wrong.
    let mut surplus = store::roll_up_surplus(tx.conn(), tenant, shop.as_uuid()).await?;
    let mut logs = Vec::new();
    for (log, row) in store::logs(tx.conn(), tenant, shop.as_uuid(), fiscal).await? {
        let Some(mut cursor) = Cursor::of(row) else {
            let broken = format!("the cursor of node {} term {} holds ranges that make no sense", log.node, log.term);
            return Err(DbError::Unfit(broken));
        };
        // A chain that still lags behind is followed here too; kept only if the caller saves.
        ingest::catch_up(tx, &log, &mut cursor).await?;
        let (head_seq, head_hash) = cursor.head(&log);
        let last = cursor.known.max();
        let received = cursor.known.count();
        let duplicates = twice.get(&(log.node, log.term)).copied().unwrap_or(0) + std::mem::take(&mut surplus);
        logs.push(LogCompleteness {
            node: NodeId::from_uuid(log.node),
            term: Term(u32::try_from(log.term).unwrap_or(0)),
            received,
            last,
            gaps: last.0.saturating_sub(received),
            gap_ranges: gaps(cursor.known.ranges()),
            resent: whole(cursor.row.resent),
            duplicates: whole(duplicates),
            forks: whole(cursor.row.forks),
            flawed: whole(cursor.row.flawed),
            head_seq: Seq(whole(head_seq)),
            head_hash,
        });
    }
    Ok(logs)
}

/// How the fiscal logs of one shop or of all stand by their cursors: what is held, the highest, what contradicts.
/// Reads one row per log, so that a page may ask; what is counted twice only [`of_shop`] tells.
///
/// # Errors
/// Whatever the database met.
pub async fn standing(tx: &mut TenantTx, shop: Option<ShopId>) -> Result<Vec<LogStanding>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let fiscal = i16::from(Stream::Fiscal as u8);
    Ok(store::standing(tx.conn(), tenant, shop.map(|shop| shop.as_uuid()), fiscal).await?)
}

/// The chain hash HQ has at one position of a log: for a checkpoint that is older than the head. `None` while
/// the chain is not verified up to it.
///
/// # Errors
/// Whatever the database met.
pub async fn hash_at(
    tx: &mut TenantTx,
    node: NodeId,
    term: Term,
    stream: Stream,
    seq: Seq,
) -> Result<Option<Hash>, DbError> {
    let log = events::Log {
        tenant: tx.tenant().as_uuid(),
        shop: Uuid::nil(),
        node: node.as_uuid(),
        term: i64::from(term.0),
        stream: i16::from(stream as u8),
    };
    if seq == Seq(0) {
        return Ok(Some(ingest::genesis(&log)));
    }
    let Ok(seq) = i64::try_from(seq.0) else { return Ok(None) };
    Ok(events::chain_at(tx.conn(), &log, seq).await?)
}

fn gaps(ranges: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut gaps = Vec::new();
    let mut next = 1;
    for (first, last) in ranges {
        if *first > next && gaps.len() < limits::REPORTED_GAPS {
            gaps.push((next, first - 1));
        }
        next = last.saturating_add(1);
    }
    gaps
}

fn whole(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn gaps_lie_between_the_ranges() {
        assert_eq!(super::gaps(&[]), []);
        assert_eq!(super::gaps(&[(1, 9)]), []);
        assert_eq!(super::gaps(&[(3, 4), (7, 9)]), [(1, 2), (5, 6)]);
    }
}
