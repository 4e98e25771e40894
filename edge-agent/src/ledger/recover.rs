//! Opens one log: finds its last segment, reads only that one, cuts a torn end, sets damage aside and says so.
//! Never refuses to start for damage; only for logs that belong to somebody else, or a disk that cannot be used at all.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use protocol::id::{NodeId, Seq, Stream, Term};
use protocol::ledger::{Codec, Hash};
use protocol::limits;
use serde::Serialize;

use super::audit::{Audit, Damage, DamageKind, Subject, audit, by_name, read_header};
use super::disk::Disk;
use super::error::LedgerError;
use super::index::Index;
use super::retire;
use super::segment::{self, HEADER_BYTES, Header};

/// What opening a log found and did.
#[derive(Clone, Debug, Serialize)]
pub struct StreamReport {
    /// The log.
    #[serde(serialize_with = "by_name")]
    pub stream: Stream,
    /// The term.
    pub term: Term,
    /// The first seq that is still kept.
    pub first_kept: Seq,
    /// The last durable seq.
    pub durable: Seq,
    /// Bytes of a torn, never acknowledged write that were cut off.
    pub torn_bytes: u64,
    /// Damage in the last segment. Each is a loss to be recorded; `new` tells those not seen at an earlier start.
    pub losses: Vec<Loss>,
}

/// Records that are gone, and where their bytes were put.
#[derive(Clone, Debug, Serialize)]
pub struct Loss {
    /// What and where.
    pub damage: Damage,
    /// The copy of the damaged bytes; `None` if there are no bytes or they could not be copied.
    pub set_aside: Option<PathBuf>,
    /// First seen now.
    pub new: bool,
}

/// Which log this is, for everything that touches its files.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub root: PathBuf,
    pub dir: PathBuf,
    pub node: NodeId,
    pub term: Term,
    pub stream: Stream,
    pub codec: Codec,
}

impl Place {
    pub(super) fn new(root: &Path, node: NodeId, term: Term, stream: Stream) -> Self {
        let dir = segment::stream_dir(root, stream, term);
        Self { root: root.to_owned(), dir, node, term, stream, codec: Codec::new(node, term, stream) }
    }

    pub(super) fn header(&self, first: Seq, previous: Hash) -> Header {
        Header { node: self.node, term: self.term, stream: self.stream, first, previous }
    }

    /// Reads a header; one of another node is refused, one that cannot be this segment's counts as unreadable.
    pub(super) fn header_of(&self, disk: &Disk, file: &File, first: Seq) -> Result<Option<Header>, LedgerError> {
        let path = segment::path(&self.dir, first);
        let header = read_header(disk, file).map_err(LedgerError::io("read", &path))?;
        match header {
            Some(header) if header.node != self.node => {
                Err(LedgerError::Foreign { path, found: header.node, expected: self.node })
            }
            Some(h) if (h.term, h.stream, h.first) == (self.term, self.stream, first) => Ok(header),
            _ => Ok(None),
        }
    }

    pub(super) fn subject(&self, first: Seq, stop: Option<Seq>, previous: Option<Hash>) -> Subject<'_> {
        Subject { codec: &self.codec, stream: self.stream, term: self.term, first, stop, previous }
    }

    pub(super) fn damage(&self, kind: DamageKind, first: Seq, last: Seq) -> Damage {
        Damage { kind, stream: self.stream, term: self.term, segment: first, offset: 0, bytes: 0, first, last }
    }
}

/// An open log, as the writer takes it over.
pub(super) struct Recovered {
    pub segments: Vec<Seq>,
    pub file: File,
    pub size: u64,
    pub end: u64,
    pub durable: Seq,
    pub hash: Hash,
    pub index: Index,
    pub acknowledged: Seq,
    pub report: StreamReport,
}

/// Opens the log of a place, or begins it.
pub(super) fn recover(disk: &Disk, place: &Place, segment_bytes: u64) -> Result<Recovered, LedgerError> {
    let dir = &place.dir;
    disk.create_dir(dir).map_err(LedgerError::io("create", dir))?;
    segment::remove_unfinished(disk, dir).map_err(LedgerError::io("clean", dir))?;
    let mut segments = segment::list(dir).map_err(LedgerError::io("list", dir))?;
    let mut losses = Vec::new();
    let opened = match segments.last().copied() {
        Some(last) => open_last(disk, place, last, segment_bytes, &mut losses)?,
        None => None,
    };
    let (file, audit) = match opened {
        Some(opened) => opened,
        None => begin(disk, place, &mut segments, segment_bytes)?,
    };
    let path = segment::path(dir, segments.last().copied().unwrap_or_default());
    let size = file.metadata().map_err(LedgerError::io("read", &path))?.len();
    for damage in &audit.damage {
        losses.push(set_aside(disk, place, &file, damage));
    }
    let hash = match audit.hash {
        Some(hash) => hash,
        None => hash_before(disk, place, &segments)?,
    };
    let first_kept = segments.first().copied().unwrap_or(Seq(1));
    let report = StreamReport {
        stream: place.stream,
        term: place.term,
        first_kept,
        durable: audit.last,
        torn_bytes: audit.cut.map_or(0, |cut| cut.to - cut.from),
        losses,
    };
    let acknowledged = retire::read_cursor(disk, dir);
    Ok(Recovered {
        segments,
        file,
        size,
        end: audit.end,
        durable: audit.last,
        hash,
        index: audit.index,
        acknowledged,
        report,
    })
}

fn open_last(
    disk: &Disk,
    place: &Place,
    first: Seq,
    segment_bytes: u64,
    losses: &mut Vec<Loss>,
) -> Result<Option<(File, Audit)>, LedgerError> {
    let path = segment::path(&place.dir, first);
    let file = disk.open_write(&path).map_err(LedgerError::io("open", &path))?;
    let header = place.header_of(disk, &file, first)?;
    let previous = header.map(|header| header.previous);
    let found = audit(disk, &file, place.subject(first, None, previous), &mut |_, _| Ok(()))
        .map_err(LedgerError::io("read", &path))?;
    if header.is_none() {
        let damage = place.damage(DamageKind::Header, first, first);
        if found.records == 0 {
            // Nothing in it can be read: the whole file goes aside and the log goes on from the segment before.
            let aside = aside_dir(place, disk)?.join(format!("{}-t{}-{}.seg", place.stream, place.term, first));
            disk.rename(&path, &aside).map_err(LedgerError::io("set aside", &path))?;
            disk.sync_dir(&place.dir).map_err(LedgerError::io("sync", &place.dir))?;
            losses.push(Loss { damage, set_aside: Some(aside), new: true });
            return Ok(None);
        }
        losses.push(Loss { damage, set_aside: None, new: true });
    }
    if let Some(cut) = found.cut {
        if cut.records > 0 {
            copy_range(disk, place, &file, (first, cut.from, cut.to), "torn").ok();
        }
        tracing::warn!(stream = %place.stream, bytes = cut.to - cut.from, "cut a torn write off the end of the log");
        disk.cut(&file, cut.from, cut.to, segment_bytes).map_err(LedgerError::io("cut", &path))?;
    } else {
        // What a killed process had written and not yet synced is in the page cache only. It is about to be called
        // durable, so it must be.
        disk.sync_data(&file).map_err(LedgerError::io("sync", &path))?;
    }
    Ok(Some((file, found)))
}

/// Begins a log, or goes on after a last segment that had to be set aside whole.
fn begin(
    disk: &Disk,
    place: &Place,
    segments: &mut Vec<Seq>,
    segment_bytes: u64,
) -> Result<(File, Audit), LedgerError> {
    let first = segments.last().copied().unwrap_or(Seq(1));
    if segments.is_empty() {
        segments.push(first);
    }
    let previous = hash_before(disk, place, segments)?;
    let path = segment::path(&place.dir, first);
    let file = segment::create(disk, &place.dir, &place.header(first, previous), segment_bytes, None)
        .map_err(LedgerError::io("create", &path))?;
    let empty = Audit {
        records: 0,
        last: Seq(first.0.saturating_sub(1)),
        hash: Some(previous),
        end: HEADER_BYTES,
        cut: None,
        damage: Vec::new(),
        index: Index::default(),
    };
    Ok((file, empty))
}

/// The chain hash before the last segment, from the segment before it. Genesis where there is none to ask.
fn hash_before(disk: &Disk, place: &Place, segments: &[Seq]) -> Result<Hash, LedgerError> {
    let [.., before, last] = segments else { return Ok(*place.codec.genesis()) };
    let path = segment::path(&place.dir, *before);
    let file = disk.open_read(&path).map_err(LedgerError::io("open", &path))?;
    let previous = place.header_of(disk, &file, *before)?.map(|header| header.previous);
    let found = audit(disk, &file, place.subject(*before, Some(*last), previous), &mut |_, _| Ok(()))
        .map_err(LedgerError::io("read", &path))?;
    Ok(found.hash.unwrap_or(*place.codec.genesis()))
}

/// Copies the bytes of a loss aside, once. A copy that fails does not stop the start: the bytes stay where they are.
pub(super) fn set_aside(disk: &Disk, place: &Place, file: &File, damage: &Damage) -> Loss {
    let range = (damage.segment, damage.offset, damage.offset + damage.bytes);
    let copied = if damage.bytes == 0 {
        None
    } else {
        match copy_range(disk, place, file, range, "damaged") {
            Ok(copied) => Some(copied),
            Err(error) => {
                tracing::error!(
                    %error, stream = %damage.stream, segment = damage.segment.0, offset = damage.offset,
                    bytes = damage.bytes, "damaged bytes of a log could not be copied aside; they stay where they are"
                );
                None
            }
        }
    };
    let new = copied.as_ref().is_none_or(|(_, new)| *new);
    tracing::error!(
        stream = %damage.stream, first = damage.first.0, last = damage.last.0, "records of a log are damaged"
    );
    Loss { damage: damage.clone(), set_aside: copied.map(|(path, _)| path), new }
}

fn aside_dir(place: &Place, disk: &Disk) -> Result<PathBuf, LedgerError> {
    let aside = place.root.join("set-aside");
    disk.create_dir(&aside).map_err(LedgerError::io("create", &aside))?;
    Ok(aside)
}

fn copy_range(
    disk: &Disk,
    place: &Place,
    file: &File,
    (segment, from, to): (Seq, u64, u64),
    what: &str,
) -> Result<(PathBuf, bool), LedgerError> {
    let aside = aside_dir(place, disk)?;
    let path = aside.join(format!("{}-t{}-{segment}-{from}-{to}.{what}", place.stream, place.term));
    if path.exists() {
        return Ok((path, false));
    }
    let kept = fs::read_dir(&aside).map_err(LedgerError::io("list", &aside))?.count();
    if kept >= limits::LEDGER_SET_ASIDE_FILES {
        return Err(LedgerError::Refused("the set-aside folder is full: move its files away"));
    }
    let copy = || {
        let mut bytes = vec![0; 4096];
        let fresh = path.with_extension("new");
        let out = disk.create(&fresh)?;
        let mut at = from;
        while at < to {
            let want = usize::try_from((to - at).min(4096)).unwrap_or(4096);
            let Some(part) = bytes.get_mut(..want) else { break };
            // A block the disk cannot read is copied as zeros: the place of the rest tells more than a short file.
            if disk.read_at(file, part, at).is_err() {
                part.fill(0);
            }
            disk.write_at(&out, part, at - from)?;
            at += want as u64;
        }
        disk.sync_all(&out)?;
        disk.rename(&fresh, &path)?;
        disk.sync_dir(&aside)
    };
    copy().map_err(LedgerError::io("write", &path))?;
    Ok((path, true))
}
