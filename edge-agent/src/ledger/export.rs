//! The logs as JSON lines, one per record, for people and other programs. Bodies of unknown shapes stay hex.
//! Reads only; may run beside the agent.

use std::io::{self, Write};
use std::path::Path;

use protocol::event::{FiscalEvent, RawEvent};
use protocol::id::{NodeId, Seq, Stream, Term};
use protocol::ledger::{Found, hex};
use serde_json::{Value, json};

use super::audit::audit;
use super::disk::Disk;
use super::error::LedgerError;
use super::inspect::Progress;
use super::recover::Place;
use super::segment;

/// What to export.
#[derive(Clone, Copy, Debug)]
pub struct Selection {
    /// One log, or all.
    pub stream: Option<Stream>,
    /// One term, or all.
    pub term: Option<Term>,
    /// From this seq on, in each log.
    pub from: Seq,
    /// Up to and with this seq.
    pub upto: Seq,
}

impl Default for Selection {
    fn default() -> Self {
        Self { stream: None, term: None, from: Seq(1), upto: Seq(u64::MAX) }
    }
}

/// Writes every selected record as a line of JSON and says how many there were. What is damaged is left out: `verify`
/// names it.
///
/// # Errors
/// [`LedgerError::Foreign`], a disk that cannot be read, an output that cannot be written.
pub fn export(
    root: &Path,
    node: NodeId,
    selection: &Selection,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(Progress),
) -> Result<u64, LedgerError> {
    let mut records = 0;
    for stream in Stream::ALL.into_iter().filter(|stream| selection.stream.is_none_or(|only| only == *stream)) {
        for term in segment::terms(root, stream).map_err(LedgerError::io("list", root))? {
            if selection.term.is_none_or(|only| only == term) {
                let place = Place::new(root, node, term, stream);
                records += export_log(&place, selection, out, progress)?;
            }
        }
    }
    out.flush().map_err(LedgerError::io("write the export of", root))?;
    Ok(records)
}

fn export_log(
    place: &Place,
    selection: &Selection,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(Progress),
) -> Result<u64, LedgerError> {
    let disk = Disk::default();
    let segments = segment::list(&place.dir).map_err(LedgerError::io("list", &place.dir))?;
    let mut records = 0;
    for (i, first) in segments.iter().copied().enumerate() {
        let stop = segments.get(i + 1).copied();
        if first > selection.upto || stop.is_some_and(|stop| stop <= selection.from) {
            continue;
        }
        let path = segment::path(&place.dir, first);
        let file = disk.open_read(&path).map_err(LedgerError::io("open", &path))?;
        let previous = place.header_of(&disk, &file, first)?.map(|header| header.previous);
        let subject = place.subject(first, stop, previous);
        // The end of the last segment may be torn; only what stands before the tear is in the log.
        let end = match stop {
            Some(stop) => stop,
            None => {
                audit(&disk, &file, subject, &mut |_, _| Ok(())).map_err(LedgerError::io("read", &path))?.last.next()
            }
        };
        let mut write = |_, found: &Found<'_>| {
            if found.seq < end && (selection.from..=selection.upto).contains(&found.seq) {
                records += 1;
                serde_json::to_writer(&mut *out, &line(place, found))?;
                out.write_all(b"\n")?;
            }
            Ok::<(), io::Error>(())
        };
        audit(&disk, &file, subject, &mut write).map_err(LedgerError::io("export", &path))?;
        let Place { stream, term, .. } = *place;
        progress(Progress { stream, term, done: i + 1, of: segments.len(), records });
    }
    Ok(records)
}

fn line(place: &Place, found: &Found<'_>) -> Value {
    let mut line = json!({
        "node": place.node,
        "stream": place.stream.name(),
        "term": place.term,
        "seq": found.seq,
        "kind": found.kind,
        "version": found.version,
    });
    if let Some(hash) = found.hash {
        line["hash"] = hex(&hash).into();
    }
    let raw = RawEvent { kind: found.kind, version: found.version, body: found.body.to_vec() };
    let known = if place.stream == Stream::Fiscal { FiscalEvent::decode(&raw) } else { Ok(None) };
    let decoded = match known {
        Ok(Some(FiscalEvent::TicketClosed(body))) => {
            // One shape for all versions: the people stand beside the ticket, where there are any.
            let mut event = serde_json::to_value(&body.closed).unwrap_or_default();
            if body.cashier.is_some() || !body.approvals.is_empty() {
                event["staff"] = json!({ "cashier": body.cashier, "approvals": body.approvals });
            }
            Some(("ticket_closed", event))
        }
        Ok(Some(FiscalEvent::NoSale(body))) => serde_json::to_value(body).map(|body| ("no_sale", body)).ok(),
        Ok(Some(FiscalEvent::TicketVoided(body))) => {
            serde_json::to_value(body).map(|body| ("ticket_voided", body)).ok()
        }
        Ok(Some(FiscalEvent::StockWrittenOff(body))) => {
            serde_json::to_value(body).map(|body| ("stock_written_off", body)).ok()
        }
        Ok(None) => None,
        Err(error) => {
            line["error"] = error.to_string().into();
            None
        }
    };
    match decoded {
        Some((name, event)) => {
            line["name"] = name.into();
            line["event"] = event;
        }
        None => line["body_hex"] = hex(found.body).into(),
    }
    line
}
