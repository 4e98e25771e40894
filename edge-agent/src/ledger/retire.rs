//! How history leaves: whole segments only, after the cursor that permits it is on the medium. The work log copies what
//! is still alive forward first; telemetry drops its oldest under a byte budget; the fiscal log does neither.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use protocol::event::RawEvent;
use protocol::id::{Seq, Stream};
use protocol::ledger::Record;
use protocol::limits;

use super::Logs;
use super::disk::{Disk, lock};
use super::error::LedgerError;
use super::index::Index;
use super::segment;
use super::shared::Shared;

/// What left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retired {
    /// Segments that are gone.
    pub segments: usize,
    /// Records that went with them.
    pub records: u64,
    /// Records of the work log that were copied forward because they are alive.
    pub copied: u64,
    /// The first seq that is still kept.
    pub first_kept: Seq,
}

impl Logs {
    /// Takes note that everything up to `upto` is acknowledged by head office and past its retention, durably, and then
    /// removes the segments that hold nothing newer. The segment that is written to always stays. Blocks on the disk.
    ///
    /// # Errors
    /// [`LedgerError::Beyond`] for a cursor beyond the durable head; the disk's errors. Nothing is removed before the
    /// cursor is durable.
    pub fn retire(&self, stream: Stream, upto: Seq) -> Result<Retired, LedgerError> {
        let shared = self.shared(stream);
        let _one_at_a_time = lock(&shared.retiring);
        shared.acknowledge(upto)?;
        shared.remove_upto(upto)
    }

    /// The last seq that [`Self::retire`] was told, also before a restart.
    pub fn acknowledged(&self, stream: Stream) -> Seq {
        self.shared(stream).view().acknowledged
    }

    /// Retires segments of the work log. `live` is shown every record about to go and answers with the event to append
    /// again if it is still alive; those are durable before anything is removed. Blocks on the disk: not for an async
    /// worker thread.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] for the fiscal log, which is never rewritten; whatever `live`, the append or the disk
    /// says. Nothing is removed after an error; a second try may copy entries twice, so replay must bear that.
    pub fn retire_copying(
        &self,
        stream: Stream,
        upto: Seq,
        live: &mut dyn FnMut(&Record) -> Result<Option<RawEvent>, LedgerError>,
    ) -> Result<Retired, LedgerError> {
        if stream == Stream::Fiscal {
            return Err(LedgerError::Refused("the fiscal log is never rewritten; use retire"));
        }
        let shared = self.shared(stream);
        let _one_at_a_time = lock(&shared.retiring);
        let (first, stop) = shared.removable(upto);
        let mut copied = 0;
        let mut batch: Vec<(Stream, RawEvent)> = Vec::new();
        let mut bytes = 0;
        if first < stop {
            shared.walk(first, Seq(stop.0.saturating_sub(1)), &mut |found| {
                if let Some(event) = live(&found.to_record())? {
                    bytes += event.body.len();
                    copied += 1;
                    batch.push((stream, event));
                    if bytes >= limits::BATCH_BYTES || batch.len() >= limits::BATCH_EVENTS {
                        bytes = 0;
                        self.append_all_blocking(std::mem::take(&mut batch))?;
                    }
                }
                Ok(ControlFlow::Continue(()))
            })?;
            self.append_all_blocking(batch)?;
        }
        shared.acknowledge(upto)?;
        let retired = shared.remove_upto(upto)?;
        Ok(Retired { copied, ..retired })
    }

    /// Drops the oldest segments of the telemetry log until the rest fits `max_bytes` (the segment that is written to
    /// always stays). `records` of the answer is what was dropped and is to be reported as an event.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] for the other logs; the disk's errors.
    pub fn drop_oldest(&self, stream: Stream, max_bytes: u64) -> Result<Retired, LedgerError> {
        if stream != Stream::Telemetry {
            return Err(LedgerError::Refused("only telemetry may drop what nobody has acknowledged"));
        }
        let shared = self.shared(stream);
        let _one_at_a_time = lock(&shared.retiring);
        let keep = usize::try_from(max_bytes / self.segment_bytes()).unwrap_or(usize::MAX).max(1);
        let upto = {
            let view = shared.view();
            let drop = view.segments.len().saturating_sub(keep);
            view.segments.get(drop).map_or(Seq(0), |first| Seq(first.0.saturating_sub(1)))
        };
        shared.remove_upto(upto)
    }
}

impl Shared {
    /// Writes the cursor so that it is durable. It never goes back.
    fn acknowledge(&self, upto: Seq) -> Result<(), LedgerError> {
        let (durable, known) = {
            let view = self.view();
            (view.durable, view.acknowledged)
        };
        if upto > durable {
            return Err(LedgerError::Beyond { stream: self.place.stream, asked: upto, durable });
        }
        if upto > known {
            let path = cursor_path(&self.place.dir);
            self.disk.replace_small(&path, &cursor_bytes(upto)).map_err(LedgerError::io("write", &path))?;
            self.view_mut().acknowledged = upto;
        }
        Ok(())
    }

    /// First seq of the oldest segment, and of the first one that has to stay.
    fn removable(&self, upto: Seq) -> (Seq, Seq) {
        let view = self.view();
        let first = view.segments.first().copied().unwrap_or(Seq(1));
        let after = view.segments.partition_point(|segment| *segment <= upto.next());
        (first, after.checked_sub(1).and_then(|i| view.segments.get(i)).copied().unwrap_or(first))
    }

    fn remove_upto(&self, upto: Seq) -> Result<Retired, LedgerError> {
        let (first, stop) = self.removable(upto);
        let gone: Vec<Seq> = {
            let mut view = self.view_mut();
            let count = view.segments.partition_point(|segment| *segment < stop);
            view.segments.drain(..count).collect()
        };
        let dir = &self.place.dir;
        for segment in &gone {
            self.forget(*segment);
            for path in [Index::path(dir, *segment), segment::path(dir, *segment)] {
                self.disk.remove(&path).map_err(LedgerError::io("remove", &path))?;
            }
        }
        if !gone.is_empty() {
            self.disk.sync_dir(dir).map_err(LedgerError::io("sync", dir))?;
            tracing::info!(stream = %self.place.stream, segments = gone.len(), first_kept = %stop, "retired old segments");
        }
        Ok(Retired { segments: gone.len(), records: stop.0.saturating_sub(first.0), copied: 0, first_kept: stop })
    }
}

const MAGIC: &[u8; 8] = b"TWACK\0\x01\n";

fn cursor_path(dir: &Path) -> PathBuf {
    dir.join("acknowledged")
}

fn cursor_bytes(upto: Seq) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&upto.0.to_le_bytes());
    let crc = segment::crc(&bytes);
    bytes.extend_from_slice(&crc);
    bytes
}

/// The durable cursor; 0 when there is none or it is damaged (head office says it again).
pub(super) fn read_cursor(disk: &Disk, dir: &Path) -> Seq {
    let read = || {
        let file = disk.open_read(&cursor_path(dir)).ok()?;
        let mut bytes = [0; 20];
        disk.read_at(&file, &mut bytes, 0).ok()?;
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        (segment::crc(body) == *crc).then_some(())?;
        body.strip_prefix(MAGIC)?.first_chunk::<8>().map(|seq| Seq(u64::from_le_bytes(*seq)))
    };
    read().unwrap_or(Seq(0))
}
