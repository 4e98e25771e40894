//! What other nouns and the gateway ask of sales: take events in, say what is known, look things up.

use protocol::id::{NodeId, Seq, ShopId, Stream, TenantId, Term};
use protocol::ledger::{Hash, Record};
use protocol::session::ack::RangeSet;
use time::Date;

use super::check::{self, CheckReport};
use super::ingest::{self, Cursor};
use super::types::{IngestError, IngestReport, LogCompleteness, LogStanding};
use super::{completeness as complete, store, years};
use crate::app::App;
use crate::db::{DbError, TenantTx};
use crate::domain::fleet::NodeIdentity;

/// The positions of a log that HQ holds.
///
/// # Errors
/// Whatever the database met.
pub async fn cursor(app: &App, who: &NodeIdentity, stream: Stream) -> Result<RangeSet, DbError> {
    let mut tx = TenantTx::begin(&app.db, who.tenant).await?;
    let row = store::read_cursor(tx.conn(), &ingest::log_of(who, stream)).await?;
    // Ranges that make no sense are taken for none: the node sends again, and ingest sets the cursor right.
    Ok(row.and_then(Cursor::of).map(|cursor| cursor.known).unwrap_or_default())
}

/// Takes one batch of a node's log in, in one transaction: stored, projected, summed, or nothing at all.
/// Idempotent; the order of events is free.
///
/// # Errors
/// [`IngestError`]: nothing of the batch was kept. [`IngestError::Db`] and [`IngestError::CursorRepaired`] may be
/// tried again; the others mean that the node does not keep to the protocol.
pub async fn ingest(
    app: &App,
    who: &NodeIdentity,
    stream: Stream,
    records: Vec<Record>,
) -> Result<IngestReport, IngestError> {
    let log = ingest::log_of(who, stream);
    let report = ingest::ingest(&app.db, app.clock.now(), log, stream, who.tenant, records).await?;
    tell_pages(app, who, stream, &report);
    Ok(report)
}

/// After the commit: pages that show this shop look again.
fn tell_pages(app: &App, who: &NodeIdentity, stream: Stream, report: &IngestReport) {
    if stream == Stream::Fiscal && report.stored > 0 {
        app.sold(who.tenant, who.shop);
    }
}

/// [`ingest()`] for a batch whose figures the database refused: event by event, so that the one at fault is found, kept
/// with its flaw, and blocks nothing.
///
/// # Errors
/// As [`ingest()`]; events before the one at fault are kept then.
pub async fn ingest_one_by_one(
    app: &App,
    who: &NodeIdentity,
    stream: Stream,
    records: Vec<Record>,
) -> Result<IngestReport, IngestError> {
    let log = ingest::log_of(who, stream);
    let report = ingest::ingest_one_by_one(&app.db, app.clock.now(), log, stream, who.tenant, records).await?;
    tell_pages(app, who, stream, &report);
    Ok(report)
}

/// What HQ holds of each fiscal log of a shop. A shop of another tenant has none.
///
/// # Errors
/// Whatever the database met.
pub async fn completeness(tx: &mut TenantTx, shop: ShopId) -> Result<Vec<LogCompleteness>, DbError> {
    complete::of_shop(tx, shop).await
}

/// How the fiscal logs of one shop or of all stand by their cursors; cheap enough for a page.
///
/// # Errors
/// Whatever the database met.
pub async fn standing(tx: &mut TenantTx, shop: Option<ShopId>) -> Result<Vec<LogStanding>, DbError> {
    complete::standing(tx, shop).await
}

/// The chain hash HQ has at one position of a log; `None` while the chain is not verified up to it.
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
    complete::hash_at(tx, node, term, stream, seq).await
}

/// Makes a tenant's projections again from its events, beside those that stand, and compares. Changes nothing.
///
/// # Errors
/// Whatever the database met.
pub async fn rebuild(app: &App, tenant: TenantId) -> Result<CheckReport, DbError> {
    check::rebuild(&app.db, tenant, app.clock.now()).await
}

/// Makes the sums over a year so far of every month that ended (see [`years`]); answers how many.
///
/// # Errors
/// Whatever the database met; what was made before stays.
pub async fn roll_years(app: &App, tenant: TenantId) -> Result<u64, DbError> {
    years::roll(&app.db, tenant, app.clock.now()).await
}

/// Ends of months between two days whose sums over the year so far hold every ticket of the shop, oldest first. They and
/// what is read by them belong to one moment after [`one_snapshot`] only.
///
/// # Errors
/// Whatever the database met.
pub async fn sums_so_far(tx: &mut TenantTx, shop: ShopId, from: Date, to: Date) -> Result<Vec<Date>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(years::store::fresh(tx.conn(), tenant, shop.as_uuid(), from, to).await?)
}

/// Makes all further statements of the transaction see one moment. Comes first.
///
/// # Errors
/// Whatever the database met.
pub async fn one_snapshot(tx: &mut TenantTx) -> Result<(), DbError> {
    Ok(years::store::one_snapshot(tx.conn()).await?)
}
