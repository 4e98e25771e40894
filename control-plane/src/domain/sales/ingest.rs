//! Events in: one batch of one log in one transaction. The cursor row is locked first and says what is new; what is
//! new is stored, projected and summed set by set; what is known is compared. No SQL here, and no word of how
//! events travel.

use std::collections::{HashMap, HashSet};

use protocol::id::{NodeId, Seq, Stream, TenantId, Term};
use protocol::ledger::{self, Hash, Record};
use protocol::limits;
use protocol::session::ack::RangeSet;
use protocol::timestamp::Timestamp;
use protocol::trace::Step;

use super::projections;
use super::projector::Projector;
use super::store::{self, CursorRow, Log, StoredEvent};
use super::types::{IngestError, IngestReport};
use crate::db::{Db, DbError, TenantTx};
use crate::domain::fleet::NodeIdentity;
use crate::telemetry::trace;

/// Events whose bodies are in memory at once while a chain is caught up.
const CHAIN_PAGE: usize = 64;

/// The key of a node's log.
pub(crate) fn log_of(who: &NodeIdentity, stream: Stream) -> Log {
    Log {
        tenant: who.tenant.as_uuid(),
        shop: who.shop.as_uuid(),
        node: who.node.as_uuid(),
        term: i64::from(who.term.0),
        stream: i16::from(stream as u8),
    }
}

/// A cursor in memory.
pub(crate) struct Cursor {
    pub(crate) known: RangeSet,
    pub(crate) row: CursorRow,
}

impl Cursor {
    /// From its row; `None` when the ranges make no sense.
    pub(crate) fn of(row: CursorRow) -> Option<Self> {
        let pairs = row.ranges.chunks(2).map(|pair| match pair {
            [first, last] => Some((u64::try_from(*first).ok()?, u64::try_from(*last).ok()?)),
            _ => None,
        });
        let known = RangeSet::try_from(pairs.collect::<Option<Vec<_>>>()?).ok()?;
        Some(Self { known, row })
    }

    /// How far everything is known.
    fn contiguous(&self) -> i64 {
        signed(self.known.contiguous().0)
    }

    /// The verified head: how far, and the hash there.
    pub(crate) fn head(&self, log: &Log) -> (i64, Hash) {
        match self.row.head_hash {
            Some(hash) => (self.row.head_seq, hash),
            None => (0, genesis(log)),
        }
    }

    fn into_row(mut self) -> CursorRow {
        self.row.ranges =
            self.known.ranges().iter().flat_map(|(first, last)| [signed(*first), signed(*last)]).collect();
        self.row
    }
}

fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// The hash before the first event of a log.
pub(crate) fn genesis(log: &Log) -> Hash {
    let stream = u8::try_from(log.stream).ok().and_then(Stream::from_u8).unwrap_or(Stream::Fiscal);
    ledger::genesis(NodeId::from_uuid(log.node), Term(u32::try_from(log.term).unwrap_or(0)), stream)
}

fn link_stored(previous: &Hash, event: &StoredEvent) -> Hash {
    let kind = u16::try_from(event.kind).unwrap_or(u16::MAX);
    let version = u8::try_from(event.version).unwrap_or(u8::MAX);
    ledger::link_parts(previous, Seq(u64::try_from(event.seq).unwrap_or(0)), kind, version, &event.body)
}

/// Refuses what no honest node sends, before anything is locked.
fn check(records: &[Record]) -> Result<(), IngestError> {
    if records.len() > limits::BATCH_EVENTS {
        return Err(IngestError::TooLarge { events: records.len() });
    }
    for record in records {
        // The largest position is one short of the end, so that the next one can always be told.
        if record.seq.0 == 0 || record.seq.0 >= i64::MAX.unsigned_abs() {
            return Err(IngestError::BadSeq(record.seq.0));
        }
        let bytes = record.event.body.len();
        if bytes > limits::EVENT_BYTES {
            return Err(IngestError::EventTooLarge { seq: record.seq.0, bytes });
        }
    }
    Ok(())
}

/// A batch parted by what the cursor says of it.
struct Parted {
    fresh: Vec<Record>,
    known: Vec<Record>,
    report: IngestReport,
}

fn part(mut records: Vec<Record>, cursor: &mut Cursor) -> Parted {
    records.sort_by_key(|record| record.seq);
    let mut parted =
        Parted { fresh: Vec::with_capacity(records.len()), known: Vec::new(), report: IngestReport::default() };
    for record in records {
        let seq = record.seq;
        let known = cursor.known.contains(seq);
        if !known && cursor.known.insert(seq, seq).is_err() {
            parted.report.deferred += 1;
            continue;
        }
        // A batch has fewer events than a set may have ranges; were it otherwise, an event without its
        // acknowledgement would only be sent again.
        if let Err(error) = parted.report.acked.insert(seq, seq) {
            tracing::warn!(%error, seq = seq.0, "an event is stored and not acknowledged");
        }
        if known { parted.known.push(record) } else { parted.fresh.push(record) }
    }
    parted
}

/// Takes one batch of a log.
///
/// # Errors
/// [`IngestError`]; nothing of the batch was kept then, and it may be sent again.
pub(crate) async fn ingest(
    db: &Db,
    now: Timestamp,
    log: Log,
    stream: Stream,
    tenant: TenantId,
    records: Vec<Record>,
) -> Result<IngestReport, IngestError> {
    take(db, now, log, stream, tenant, records, None).await
}

/// Takes a batch whose figures the database refused as a whole: event by event, and an event whose figures it
/// refuses alone is kept with that as its flaw. One event blocks no log.
///
/// # Errors
/// As [`ingest`]; events before the one at fault are kept.
pub(crate) async fn ingest_one_by_one(
    db: &Db,
    now: Timestamp,
    log: Log,
    stream: Stream,
    tenant: TenantId,
    records: Vec<Record>,
) -> Result<IngestReport, IngestError> {
    let mut whole = IngestReport::default();
    for record in records {
        let report = match take(db, now, log, stream, tenant, vec![record.clone()], None).await {
            Err(IngestError::Db(error)) if error.is_about_data() => {
                tracing::error!(node = %log.node, term = log.term, seq = record.seq.0, %error, source = ?error,
                    "the database refuses the figures of an event; it is kept and not counted");
                let flaw = format!("the database refuses its figures: {error}");
                take(db, now, log, stream, tenant, vec![record], Some(&flaw)).await?
            }
            other => other?,
        };
        whole.add(&report);
    }
    Ok(whole)
}

async fn take(
    db: &Db,
    now: Timestamp,
    log: Log,
    stream: Stream,
    tenant: TenantId,
    records: Vec<Record>,
    flaw: Option<&str>,
) -> Result<IngestReport, IngestError> {
    check(&records)?;
    let _taking = trace::phase(Step::Ingest);
    let mut tx = TenantTx::begin(db, tenant).await?;
    let row = store::lock_cursor(tx.conn(), &log, now).await.map_err(DbError::from)?;
    let Some(mut cursor) = Cursor::of(row) else {
        return repair(tx, &log, now).await;
    };
    let Parted { fresh, known, mut report } = part(records, &mut cursor);
    report.stored = count(fresh.len());
    if !fresh.is_empty() {
        let (batch, head) = project(now, stream, &cursor, &log, fresh, flaw);
        let expected = count(batch.events.seq.len());
        report.flawed = count(batch.events.flaw.iter().flatten().count());
        let stored = store::insert_events(tx.conn(), &log, &batch.events, now).await.map_err(DbError::from)?;
        if stored != expected {
            drop(tx);
            let tx = TenantTx::begin(db, tenant).await?;
            return repair(tx, &log, now).await;
        }
        projections::store::insert_rows(tx.conn(), &log, &batch).await.map_err(DbError::from)?;
        projections::store::move_roll_ups(tx.conn(), &log, &batch.sums, now).await.map_err(DbError::from)?;
        (cursor.row.head_seq, cursor.row.head_hash) = (head.0, (head.0 > 0).then_some(head.1));
    }
    if !known.is_empty() {
        let room = usize::try_from(limits::FORKS_KEPT.saturating_sub(cursor.row.forks)).unwrap_or(0);
        compare(&mut tx, &log, now, known, room, &mut report).await?;
    }
    if ledger::is_chained(stream) {
        catch_up(&mut tx, &log, &mut cursor).await?;
    }
    cursor.row.resent += signed(report.duplicates);
    cursor.row.forks += signed(report.forks);
    cursor.row.flawed += signed(report.flawed);
    store::save_cursor(tx.conn(), &log, &cursor.into_row(), now).await.map_err(DbError::from)?;
    let committing = trace::phase(Step::Commit);
    tx.save().await?;
    drop(committing);
    told(&log, stream, &report);
    Ok(report)
}

fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

/// Lays the new events out as rows, each with its chain hash where the chain is known up to it.
fn project(
    now: Timestamp,
    stream: Stream,
    cursor: &Cursor,
    log: &Log,
    fresh: Vec<Record>,
    flaw: Option<&str>,
) -> (super::columns::Batch, (i64, Hash)) {
    let mut head = cursor.head(log);
    let mut projector = Projector::new(now);
    for record in fresh {
        let seq = signed(record.seq.0);
        let follows = ledger::is_chained(stream) && seq == head.0 + 1;
        let hash = follows.then(|| ledger::link(&head.1, &record));
        if let Some(hash) = hash {
            head = (seq, hash);
        }
        match flaw {
            None => projector.take(stream, seq, record.event, hash),
            Some(flaw) => projector.set_aside(seq, record.event, hash, flaw),
        }
    }
    (projector.finish(), head)
}

/// Compares events that the cursor knows with what is stored: the same content was sent again, another is a fork.
/// Keeps at most `room` forks; all are counted.
async fn compare(
    tx: &mut TenantTx,
    log: &Log,
    now: Timestamp,
    known: Vec<Record>,
    room: usize,
    report: &mut IngestReport,
) -> Result<(), DbError> {
    let seqs: Vec<i64> = known.iter().map(|record| signed(record.seq.0)).collect();
    let stored = store::events_by_seq(tx.conn(), log, &seqs).await?;
    let by_seq: HashMap<i64, &StoredEvent> = stored.iter().map(|event| (event.seq, event)).collect();
    let mut forks = Vec::new();
    let mut told = HashSet::new();
    for record in known {
        let came = StoredEvent {
            seq: signed(record.seq.0),
            kind: i32::from(record.event.kind),
            version: i16::from(record.event.version),
            body: record.event.body,
        };
        // An event that was archived cannot be compared any more; its position is known, so it counts as sent again.
        if by_seq.get(&came.seq).is_none_or(|stored| **stored == came) {
            report.duplicates += 1;
            continue;
        }
        let content = link_stored(&[0; 32], &came);
        report.forks += 1;
        if forks.len() < room && told.insert((came.seq, content)) {
            forks.push((came, content));
        }
    }
    if !forks.is_empty() {
        store::insert_forks(tx.conn(), log, &forks, now).await?;
    }
    Ok(())
}

/// Links events that were stored before their predecessors, as far as everything is known now. At most
/// [`limits::CHAIN_CATCH_UP`] in one transaction; the next one goes on.
pub(crate) async fn catch_up(tx: &mut TenantTx, log: &Log, cursor: &mut Cursor) -> Result<(), DbError> {
    let upto = cursor.contiguous();
    let (mut seq, mut hash) = cursor.head(log);
    let mut left = limits::CHAIN_CATCH_UP;
    while seq < upto && left > 0 {
        let page = CHAIN_PAGE.min(left);
        let events = store::events_after(tx.conn(), log, seq, upto, signed(count(page))).await?;
        let mut seqs = Vec::with_capacity(events.len());
        let mut hashes = Vec::with_capacity(events.len());
        for event in &events {
            if event.seq != seq + 1 {
                break;
            }
            hash = link_stored(&hash, event);
            seq = event.seq;
            seqs.push(seq);
            hashes.push(hash);
        }
        if seqs.is_empty() {
            // The cursor claims what is not there (an archive, or damage): the head stays, and shows it.
            tracing::error!(node = %log.node, term = log.term, after = seq, "the chain cannot be followed: an event is missing");
            break;
        }
        left -= seqs.len();
        store::set_chain(tx.conn(), log, &seqs, &hashes).await?;
    }
    if seq > 0 {
        (cursor.row.head_seq, cursor.row.head_hash) = (seq, Some(hash));
    }
    Ok(())
}

/// The cursor and the events disagree: sets the cursor to what is stored, so that the batch sent again goes through.
async fn repair(mut tx: TenantTx, log: &Log, now: Timestamp) -> Result<IngestReport, IngestError> {
    store::lock_cursor(tx.conn(), log, now).await.map_err(DbError::from)?;
    store::repair_cursor(tx.conn(), log, now).await.map_err(DbError::from)?;
    tx.save().await?;
    metrics::counter!("tillway_ingest_cursor_repairs_total").increment(1);
    tracing::error!(
        tenant = %log.tenant, node = %log.node, term = log.term, stream = log.stream,
        "the cursor did not agree with the stored events and was set to what is stored"
    );
    Err(IngestError::CursorRepaired)
}

/// Metrics and, for what should not be, log lines. After the commit: what is told here has happened.
fn told(log: &Log, stream: Stream, report: &IngestReport) {
    let name = stream.name();
    metrics::counter!("tillway_ingest_events_total", "stream" => name).increment(report.stored);
    metrics::counter!("tillway_ingest_resent_total", "stream" => name).increment(report.duplicates);
    metrics::counter!("tillway_ingest_deferred_total", "stream" => name).increment(report.deferred);
    metrics::counter!("tillway_ingest_flawed_total", "stream" => name).increment(report.flawed);
    metrics::counter!("tillway_ingest_forks_total", "stream" => name).increment(report.forks);
    if report.forks > 0 {
        tracing::error!(
            tenant = %log.tenant, node = %log.node, term = log.term, stream = name, forks = report.forks,
            "FORK: known events came again with another content; two boxes may run under one identity"
        );
    }
    if report.flawed > 0 {
        tracing::warn!(
            tenant = %log.tenant, node = %log.node, term = log.term, stream = name, flawed = report.flawed,
            "events were kept that cannot be counted; see app.events.flaw"
        );
    }
    if report.deferred > 0 {
        tracing::warn!(
            tenant = %log.tenant, node = %log.node, term = log.term, stream = name, deferred = report.deferred,
            "the log has as many gaps as a cursor may hold; these events wait until gaps close"
        );
    }
}
