//! Looking through tickets.

use protocol::id::{NodeId, Seq, Term};
use protocol::limits;
use protocol::receipt::ReceiptRef;
use uuid::Uuid;

use super::rules::{self, Filter, Place};
use super::store;
use crate::db::{DbError, TenantTx};
use crate::domain::sales::types::{TicketDetail, TicketPage};

/// One page of tickets, newest first.
///
/// # Errors
/// Whatever the database met.
pub async fn list(tx: &mut TenantTx, filter: &Filter) -> Result<TicketPage, DbError> {
    let tenant = tx.tenant().as_uuid();
    let limit = filter.limit.clamp(1, limits::PAGE_ROWS);
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    // One more than asked tells whether there is a next page.
    let mut rows = store::list(tx.conn(), tenant, filter, i64::from(limit) + 1).await?;
    let more = rows.len() > wanted;
    rows.truncate(wanted);
    let next = rows.last().filter(|_| more).map(|(row, date)| Place::of(row, *date).to_text());
    Ok(TicketPage { tickets: rows.into_iter().map(|(row, _)| row).collect(), next })
}

/// One ticket whole, named by its event.
///
/// # Errors
/// Whatever the database met.
pub async fn one(tx: &mut TenantTx, node: Uuid, term: i64, seq: i64) -> Result<Option<TicketDetail>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let found = store::one(tx.conn(), tenant, node, term, seq).await?;
    Ok(found.and_then(|(row, event, hash)| rules::detail(row, &event, hash)))
}

/// One ticket whole with what its paper says about it.
///
/// # Errors
/// Whatever the database met.
pub async fn with_paper(
    tx: &mut TenantTx,
    node: Uuid,
    term: i64,
    seq: i64,
) -> Result<Option<(TicketDetail, ReceiptRef)>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let Some((row, event, hash)) = store::one(tx.conn(), tenant, node, term, seq).await? else { return Ok(None) };
    let (Ok(term), Ok(seq)) = (u32::try_from(term), u64::try_from(seq)) else { return Ok(None) };
    let paper = ReceiptRef::of(NodeId::from_uuid(node), Term(term), Seq(seq), &event);
    Ok(rules::detail(row, &event, hash).map(|ticket| (ticket, paper)))
}
