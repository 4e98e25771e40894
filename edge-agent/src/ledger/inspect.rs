//! Reads whole logs from their files, segment by segment, and says what is there and what is not. `verify` only reads
//! and may run beside the agent; `repair` needs the agent stopped, sets damaged bytes aside and cuts torn ends.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use protocol::id::{NodeId, Seq, Stream, Term};
use protocol::ledger::{Found, Hash, hex};
use serde::Serialize;

use super::audit::{Audit, Damage, DamageKind, audit, by_name};
use super::disk::Disk;
use super::error::LedgerError;
use super::index::Index;
use super::recover::{Place, set_aside};
use super::segment;

/// Which segment has just been read.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The log.
    pub stream: Stream,
    /// Its term.
    pub term: Term,
    /// Segments of this log that are done.
    pub done: usize,
    /// All segments of this log.
    pub of: usize,
    /// Records read so far.
    pub records: u64,
}

/// One place of damage, and what was done about it.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What and where.
    #[serde(flatten)]
    pub damage: Damage,
    /// Where `repair` put a copy of the bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<PathBuf>,
}

/// What one log of one term holds.
#[derive(Clone, Debug, Serialize)]
pub struct LogReport {
    /// The log.
    #[serde(serialize_with = "by_name")]
    pub stream: Stream,
    /// Its term.
    pub term: Term,
    /// Segment files.
    pub segments: usize,
    /// The first seq that is kept.
    pub first: Seq,
    /// The last seq.
    pub last: Seq,
    /// Whole records.
    pub records: u64,
    /// The chain hash at `last`; `None` in a log without a chain, or where damage hides it.
    pub head_hash: Option<String>,
    /// Bytes of a write that was torn or is being written, at the very end; never acknowledged, so no damage.
    pub torn_bytes: u64,
    /// What is damaged.
    pub damage: Vec<Finding>,
}

/// Reads every record of every log under `root` and checks CRCs, seqs, headers and the chain.
///
/// # Errors
/// [`LedgerError::Foreign`], or a disk that cannot be read at all. Damage is no error: it is in the reports.
pub fn verify(root: &Path, node: NodeId, progress: &mut dyn FnMut(Progress)) -> Result<Vec<LogReport>, LedgerError> {
    inspect(root, node, Depth::Whole, progress)
}

/// [`verify`] for the last segment of each log alone: seconds, however long the history.
///
/// # Errors
/// As [`verify`].
pub fn verify_ends(
    root: &Path,
    node: NodeId,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<LogReport>, LedgerError> {
    inspect(root, node, Depth::Ends, progress)
}

/// [`verify`], and sets damaged bytes aside under `set-aside/` and cuts torn ends off. No record is ever changed.
///
/// # Errors
/// [`LedgerError::Locked`] while the agent runs; else as [`verify`].
pub fn repair(root: &Path, node: NodeId, progress: &mut dyn FnMut(Progress)) -> Result<Vec<LogReport>, LedgerError> {
    let _lock = super::lock_logs(&Disk::default(), root)?;
    inspect(root, node, Depth::Mend, progress)
}

/// How thorough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// Read the last segment of each log.
    Ends,
    /// Read everything.
    Whole,
    /// Read everything and mend.
    Mend,
}

fn inspect(
    root: &Path,
    node: NodeId,
    depth: Depth,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<LogReport>, LedgerError> {
    let mut reports = Vec::new();
    for stream in Stream::ALL {
        for term in segment::terms(root, stream).map_err(LedgerError::io("list", root))? {
            let disk = Disk::default();
            let place = Place::new(root, node, term, stream);
            reports.push(Inspector::new(&disk, &place, depth == Depth::Mend).run(depth, progress)?);
        }
    }
    Ok(reports)
}

struct Inspector<'a> {
    disk: &'a Disk,
    place: &'a Place,
    mend: bool,
    report: LogReport,
    /// The chain hash and seq where the segment before ended.
    carried: Option<(Seq, Option<Hash>)>,
}

impl<'a> Inspector<'a> {
    fn new(disk: &'a Disk, place: &'a Place, mend: bool) -> Self {
        let report = LogReport {
            stream: place.stream,
            term: place.term,
            segments: 0,
            first: Seq(1),
            last: Seq(0),
            records: 0,
            head_hash: None,
            torn_bytes: 0,
            damage: Vec::new(),
        };
        Self { disk, place, mend, report, carried: None }
    }

    fn run(mut self, depth: Depth, progress: &mut dyn FnMut(Progress)) -> Result<LogReport, LedgerError> {
        let dir = &self.place.dir;
        if self.mend {
            segment::remove_unfinished(self.disk, dir).map_err(LedgerError::io("clean", dir))?;
        }
        let segments = segment::list(dir).map_err(LedgerError::io("list", dir))?;
        self.report.first = segments.first().copied().unwrap_or(Seq(1));
        self.report.segments = segments.len();
        let skipped = if depth == Depth::Ends { segments.len().saturating_sub(1) } else { 0 };
        for (i, first) in segments.iter().enumerate().skip(skipped) {
            self.segment(*first, segments.get(i + 1).copied())?;
            let Place { stream, term, .. } = *self.place;
            progress(Progress { stream, term, done: i + 1, of: segments.len(), records: self.report.records });
        }
        if let Some((last, hash)) = self.carried {
            self.report.last = last;
            self.report.head_hash = hash.filter(|_| self.place.codec.chained()).map(|hash| hex(&hash));
        }
        Ok(self.report)
    }

    fn segment(&mut self, first: Seq, stop: Option<Seq>) -> Result<(), LedgerError> {
        let path = segment::path(&self.place.dir, first);
        let opened = if self.mend { self.disk.open_write(&path) } else { self.disk.open_read(&path) };
        let file = match opened {
            Ok(file) => file,
            // Retired while we read: history begins later now.
            Err(e) if e.kind() == io::ErrorKind::NotFound && self.report.records == 0 => {
                self.report.first = stop.unwrap_or(first);
                return Ok(());
            }
            Err(e) => return Err(LedgerError::io("open", &path)(e)),
        };
        let found = self.audit(&file, first, stop, &path)?;
        self.report.records += found.records;
        for damage in &found.damage {
            let damage = Self::named(damage, stop);
            let copied = if self.mend { set_aside(self.disk, self.place, &file, &damage).set_aside } else { None };
            self.report.damage.push(Finding { damage, set_aside: copied });
        }
        if let Some(cut) = found.cut {
            self.report.torn_bytes = cut.to - cut.from;
            if self.mend {
                let size = file.metadata().map_err(LedgerError::io("read", &path))?.len();
                self.disk.cut(&file, cut.from, cut.to, size).map_err(LedgerError::io("cut", &path))?;
            }
        }
        if self.mend
            && stop.is_some()
            && let Err(error) = found.index.save(self.disk, &self.place.dir, first)
        {
            tracing::warn!(%error, "{} was not written; readers do without", Index::path(&self.place.dir, first).display());
        }
        self.carried = Some((found.last, found.hash));
        Ok(())
    }

    fn audit(&mut self, file: &File, first: Seq, stop: Option<Seq>, path: &Path) -> Result<Audit, LedgerError> {
        let header = self.place.header_of(self.disk, file, first)?;
        let carried = self.carried;
        let expected = match carried {
            Some((_, hash)) => hash,
            None => (first == Seq(1)).then_some(*self.place.codec.genesis()),
        };
        let previous = header.map(|header| header.previous).or(expected);
        match header {
            None => self.note(DamageKind::Header, first, Seq(first.0.saturating_sub(1))),
            Some(header) if expected.is_some_and(|expected| expected != header.previous) => {
                self.note(DamageKind::Chain, first, first);
            }
            Some(_) => {}
        }
        let look = || {
            let subject = self.place.subject(first, stop, previous);
            audit(self.disk, file, subject, &mut |_, _: &Found<'_>| Ok(())).map_err(LedgerError::io("read", path))
        };
        let found = look()?;
        // The last segment may be written to as we read; what is really damaged is so a second time.
        if stop.is_none() && !self.mend && !found.damage.is_empty() { look() } else { Ok(found) }
    }

    fn note(&mut self, kind: DamageKind, first: Seq, last: Seq) {
        let damage = Damage { segment: first, ..self.place.damage(kind, first, last) };
        self.report.damage.push(Finding { damage, set_aside: None });
    }

    /// Records that are missing at the end of a segment without a trace are a file that is gone.
    fn named(damage: &Damage, stop: Option<Seq>) -> Damage {
        let to_the_end = stop.is_some_and(|stop| damage.last.next() == stop);
        let kind = if damage.kind == DamageKind::Record && damage.bytes == 0 && to_the_end {
            DamageKind::Segment
        } else {
            damage.kind
        };
        Damage { kind, ..damage.clone() }
    }
}
