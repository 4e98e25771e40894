//! Goes through one segment and tells what it holds, where it ends and what is missing. Tells a write that a power cut
//! tore (nobody was ever told it is safe, so it is cut) from a record that was safe and decayed (a loss, named for ever).

use std::fs::File;
use std::io;

use protocol::id::{Seq, Stream, Term};
use protocol::ledger::{Codec, Found, Hash, MIN_RECORD_BYTES, link_parts, peek_len};
use serde::{Serialize, Serializer};

use super::disk::Disk;
use super::index::Index;
use super::scan::{Hole, Scanner, Step, Tail};
use super::segment::{HEADER_BYTES, Header};

const SECTOR: u64 = 512;
const END: u8 = 0xA5;

/// What kind of damage was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DamageKind {
    /// Bytes that should be records are none. The records are lost, their bytes are set aside.
    Record,
    /// The disk cannot read the bytes.
    Unreadable,
    /// A whole record that does not follow from the one before it: it or an earlier one was changed.
    Chain,
    /// Neither copy of the segment's header can be read. Its records are not concerned.
    Header,
    /// A segment file that should be there is not.
    Segment,
}

/// One place of damage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// What it is.
    pub kind: DamageKind,
    /// The log.
    #[serde(serialize_with = "by_name")]
    pub stream: Stream,
    /// Its term.
    pub term: Term,
    /// The segment, by its first seq.
    pub segment: Seq,
    /// Where in the file it begins, in bytes.
    pub offset: u64,
    /// How many bytes it takes.
    pub bytes: u64,
    /// The first seq that is lost or in doubt.
    pub first: Seq,
    /// The last one.
    pub last: Seq,
}

/// A stream under the name people know, in reports.
pub(super) fn by_name<S: Serializer>(stream: &Stream, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(stream.name())
}

/// A torn write at the end of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub from: u64,
    pub to: u64,
    /// Whole records behind the tear, all of them never acknowledged.
    pub records: u64,
}

/// What a segment holds.
#[derive(Clone, Debug)]
pub(super) struct Audit {
    pub records: u64,
    /// The last seq that is there or is known to be lost.
    pub last: Seq,
    /// The chain hash there; `None` while it cannot be told.
    pub hash: Option<Hash>,
    /// Where the next record goes.
    pub end: u64,
    pub cut: Option<Cut>,
    pub damage: Vec<Damage>,
    pub index: Index,
}

/// Which segment of which log is looked at, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub codec: &'a Codec,
    pub stream: Stream,
    pub term: Term,
    pub first: Seq,
    /// The first seq of the next segment; `None` for the last one, which alone may have a torn end.
    pub stop: Option<Seq>,
    /// The chain hash before the first record, where it is known.
    pub previous: Option<Hash>,
}

/// Reads the header of a segment; `None` when neither copy is whole.
pub(super) fn read_header(disk: &Disk, file: &File) -> io::Result<Option<Header>> {
    let mut bytes = vec![0; usize::try_from(HEADER_BYTES).unwrap_or(4096)];
    match disk.read_at(file, &mut bytes, 0) {
        Ok(_) => Ok(Header::decode(&bytes)),
        Err(e) if e.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => Ok(None),
        Err(e) => Err(e),
    }
}

/// A hole that may be a torn write, and what was known before it.
struct Doubt {
    hole: Hole,
    before: (u64, Seq, Option<Hash>, u64, usize),
}

struct Walk<'a> {
    subject: Subject<'a>,
    audit: Audit,
    doubts: Vec<Doubt>,
    after_hole: bool,
}

/// Goes through a segment; `visit` sees every whole record with its offset.
pub(super) fn audit(
    disk: &Disk,
    file: &File,
    subject: Subject<'_>,
    visit: &mut dyn FnMut(u64, &Found<'_>) -> io::Result<()>,
) -> io::Result<Audit> {
    let size = file.metadata()?.len();
    let mut walk = Walk::new(subject);
    let mut scanner = Scanner::new(disk, file, subject.codec, HEADER_BYTES, size.max(HEADER_BYTES), subject.first);
    while subject.stop.is_none_or(|stop| scanner.expect() < stop) {
        match scanner.step()? {
            Step::Record(_, found) if subject.stop.is_some_and(|stop| found.seq >= stop) => break,
            Step::Record(at, found) => {
                visit(at, &found)?;
                walk.record(at, &found);
            }
            Step::Hole(hole) => walk.hole(hole),
            Step::End(tail) => {
                walk.end(disk, file, tail, size)?;
                break;
            }
        }
    }
    walk.settle(disk, file)
}

impl<'a> Walk<'a> {
    fn new(subject: Subject<'a>) -> Self {
        let audit = Audit {
            records: 0,
            last: Seq(subject.first.0.saturating_sub(1)),
            hash: if subject.codec.chained() { subject.previous } else { Some(*subject.codec.genesis()) },
            end: HEADER_BYTES,
            cut: None,
            damage: Vec::new(),
            index: Index::default(),
        };
        Self { subject, audit, doubts: Vec::new(), after_hole: false }
    }

    fn damage(&mut self, kind: DamageKind, offset: u64, bytes: u64, first: Seq, last: Seq) {
        let Subject { stream, term, first: segment, .. } = self.subject;
        self.audit.damage.push(Damage { kind, stream, term, segment, offset, bytes, first, last });
    }

    fn record(&mut self, at: u64, found: &Found<'_>) {
        // A later record says what was durable before it was written: such a hole no power cut has made.
        self.doubts.retain(|doubt| doubt.hole.missing > found.durable_before());
        if let (Some(stored), Some(previous), false) = (found.hash, self.audit.hash, self.after_hole)
            && link_parts(&previous, found.seq, found.kind, found.version, found.body) != stored
        {
            self.damage(DamageKind::Chain, at, found.len as u64, found.seq, found.seq);
        }
        self.after_hole = false;
        self.audit.hash = found.hash.or(self.audit.hash);
        self.audit.records += 1;
        self.audit.last = found.seq;
        self.audit.end = at + found.len as u64;
        self.audit.index.note(found.seq, at);
    }

    fn hole(&mut self, hole: Hole) {
        // A sealed segment ends where the next begins; what stands behind that was given up, not lost.
        let next = self.subject.stop.map_or(hole.next, |stop| hole.next.min(stop));
        if self.subject.stop.is_none() {
            let Audit { records, last, hash, end, damage, .. } = &self.audit;
            self.doubts.push(Doubt { hole, before: (*records, *last, *hash, *end, damage.len()) });
        }
        let kind = if hole.unreadable { DamageKind::Unreadable } else { DamageKind::Record };
        self.damage(kind, hole.from, hole.to - hole.from, hole.missing, Seq(next.0.saturating_sub(1)));
        self.after_hole = true;
    }

    fn end(&mut self, disk: &Disk, file: &File, tail: Tail, size: u64) -> io::Result<()> {
        let kind = if tail.unreadable { DamageKind::Unreadable } else { DamageKind::Record };
        if let Some(stop) = self.subject.stop {
            let missing = self.audit.last.next();
            self.damage(kind, tail.at, tail.dirty_to - tail.at, missing, Seq(stop.0.saturating_sub(1)));
            self.audit.last = Seq(stop.0.saturating_sub(1));
            self.audit.hash = if self.subject.codec.chained() { None } else { self.audit.hash };
            return Ok(());
        }
        if tail.unreadable || looks_whole(disk, file, tail)? {
            let lost = self.audit.last.next();
            self.damage(kind, tail.at, tail.dirty_to - tail.at, lost, lost);
            self.audit.last = lost;
            // Nothing more is written to a file the disk cannot read.
            self.audit.end = if tail.unreadable { size } else { tail.dirty_to };
        } else if tail.dirty_to > tail.at {
            self.audit.cut = Some(Cut { from: tail.at, to: tail.dirty_to, records: 0 });
        }
        Ok(())
    }

    /// Decides the holes that no later record has settled.
    fn settle(mut self, disk: &Disk, file: &File) -> io::Result<Audit> {
        for doubt in std::mem::take(&mut self.doubts) {
            if doubt.hole.unreadable || !has_unwritten_sector(disk, file, doubt.hole.from, doubt.hole.to)? {
                continue;
            }
            let (records, last, hash, end, damage) = doubt.before;
            let to = self.audit.cut.map_or(self.audit.end, |cut| cut.to);
            let behind = self.audit.records - records;
            self.audit.cut = Some(Cut { from: doubt.hole.from, to, records: behind });
            self.audit.damage.truncate(damage);
            self.audit.index.cut(doubt.hole.from);
            (self.audit.records, self.audit.last, self.audit.hash, self.audit.end) = (records, last, hash, end);
            break;
        }
        Ok(self.audit)
    }
}

/// Whether the last bytes of a log are a record that was written to its end and decayed later. A torn write lacks its
/// end mark or has a sector that was never written.
fn looks_whole(disk: &Disk, file: &File, tail: Tail) -> io::Result<bool> {
    if tail.dirty_to - tail.at < MIN_RECORD_BYTES as u64 {
        return Ok(false);
    }
    let mut word = [0; 4];
    disk.read_at(file, &mut word, tail.at)?;
    let whole = peek_len(&word).is_ok_and(|len| tail.at + len as u64 <= tail.dirty_to);
    let mut last = [0; 1];
    disk.read_at(file, &mut last, tail.dirty_to - 1)?;
    let known_length = whole || peek_len(&word).is_err();
    Ok(known_length && last == [END] && !has_unwritten_sector(disk, file, tail.at, tail.dirty_to)?)
}

/// Whether some sector between two places is zero from its beginning (or from `from`) to its end.
fn has_unwritten_sector(disk: &Disk, file: &File, from: u64, to: u64) -> io::Result<bool> {
    let mut at = from;
    let mut sector = [0; 512];
    loop {
        let boundary = (at / SECTOR + 1) * SECTOR;
        if boundary > to {
            return Ok(false);
        }
        let want = usize::try_from(boundary - at).unwrap_or(sector.len());
        let Some(part) = sector.get_mut(..want) else { return Ok(false) };
        let got = disk.read_at(file, part, at)?;
        if got == want && part.iter().all(|byte| *byte == 0) {
            return Ok(true);
        }
        at = boundary;
    }
}
