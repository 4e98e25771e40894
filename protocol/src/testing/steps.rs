//! What happens at a step of a run: the two shells around the sessions, as small as they can be.

use super::faults::Bug;
use super::model::{ModelHq, Violation};
use super::pair::{Pair, Side};
use crate::collection::{Collection, Version};
use crate::enroll::{CheckpointV1, Signature};
use crate::frame::FrameReader;
use crate::id::{Stream, Term};
use crate::ledger::Record;
use crate::session::ack::RangeSet;
use crate::session::cloud::{Cloud, CloudEvent, Greeting, Parcel};
use crate::session::edge::{EdgeEvent, ReadRequest};
use crate::session::{CloseCode, Closed};
use crate::timestamp::Timestamp;

/// Something that is going to happen.
#[derive(Debug)]
pub(super) enum Step {
    Arrive { connection: u64, to: Side, bytes: Vec<u8>, flipped: bool },
    Dialled { life: u64 },
    PeerGone { connection: u64, side: Side },
    Answer { life: u64, read: ReadRequest },
    Commit { connection: u64, id: u64, records: Vec<Record> },
    Apply { life: u64, to: Version, refuse: bool },
}

impl Pair {
    pub(super) fn step(&mut self, step: Step) -> Result<(), Violation> {
        match step {
            Step::Arrive { connection, to, bytes, flipped } => self.arrive(connection, to, &bytes, flipped)?,
            Step::Dialled { life } if life == self.life => self.dialled(),
            Step::PeerGone { connection, side: Side::Edge } if connection == self.connection => {
                let closed = self.lost();
                self.edge.disconnected(self.now, &closed);
            }
            Step::PeerGone { connection, side: Side::Cloud } => {
                self.clouds.remove(&connection);
            }
            Step::Answer { life, read } if life == self.life => {
                let records = if read.stream == self.log.stream() {
                    self.log.read(read.from, read.max_events)
                } else {
                    Vec::new()
                };
                self.edge.supply(self.now, read.id, records, None);
            }
            Step::Commit { connection, id, records } => self.commit(connection, id, &records)?,
            Step::Apply { life, to, refuse } if life == self.life => {
                if !refuse {
                    self.held = to;
                }
                self.edge.applied(Collection::Catalogue, self.held, refuse);
            }
            Step::Dialled { .. } | Step::PeerGone { .. } | Step::Answer { .. } | Step::Apply { .. } => {}
        }
        Ok(())
    }

    fn dialled(&mut self) {
        self.connection += 1;
        if self.now < self.cut_until {
            let closed = self.lost();
            self.edge.disconnected(self.now, &closed);
            return;
        }
        // A newer connection of the same node ends the older ones, as the gateway does.
        for cloud in self.clouds.values_mut() {
            cloud.close(Closed::new(CloseCode::SUPERSEDED, "a newer connection"));
        }
        self.clouds.insert(self.connection, Cloud::new(self.now));
        self.edge.connected(self.now, 0, 0);
    }

    fn arrive(&mut self, connection: u64, to: Side, bytes: &[u8], flipped: bool) -> Result<(), Violation> {
        let mut reader = FrameReader::new();
        let cut = usize::try_from(self.rng.up_to(bytes.len() as u64)).unwrap_or(0);
        let (mut first, mut second) = bytes.split_at(cut);
        let frame = reader
            .read(&mut first)
            .and_then(|frame| frame.map_or_else(|| reader.read(&mut second), |frame| Ok(Some(frame))));
        match (frame, to) {
            (Ok(Some(_)), _) if flipped => return Err(Violation("a flipped bit went unseen".to_owned())),
            (Ok(None), _) => return Err(Violation("a whole frame was not recognised".to_owned())),
            (Ok(Some(frame)), Side::Edge) if connection == self.connection => self.edge.handle_frame(self.now, frame),
            (Ok(Some(frame)), Side::Cloud) => {
                if let Some(cloud) = self.clouds.get_mut(&connection) {
                    cloud.handle_frame(self.now, frame);
                }
            }
            (Ok(Some(_)), Side::Edge) => {}
            (Err(_), Side::Edge) => {
                if connection == self.connection {
                    let closed = self.lost();
                    self.edge.disconnected(self.now, &closed);
                    self.hang_up(connection, Side::Cloud);
                }
            }
            (Err(error), Side::Cloud) => {
                if let Some(cloud) = self.clouds.get_mut(&connection) {
                    cloud.close(Closed::new(CloseCode::PROTOCOL, error.to_string()));
                }
            }
        }
        Ok(())
    }

    /// One end has closed: the other learns of it, unless the network is cut.
    fn hang_up(&mut self, connection: u64, side: Side) {
        if self.now >= self.cut_until {
            let at = self.now.after(self.between(self.faults.delay_ms));
            self.later(at, Step::PeerGone { connection, side });
        }
    }

    fn commit(&mut self, connection: u64, id: u64, records: &[Record]) -> Result<(), Violation> {
        let bug = self.faults.bug;
        if self.happens(self.faults.commit_fails) {
            let wait = u32::try_from(self.rng.up_to(5_000)).unwrap_or(0);
            if let Some(cloud) = self.clouds.get_mut(&connection) {
                cloud.failed(id, wait);
            }
            return Ok(());
        }
        // A gateway that was killed meanwhile leaves the commit to chance: it happened, or it was rolled back.
        if !self.clouds.contains_key(&connection) && self.rng.up_to(1) == 0 {
            return Ok(());
        }
        let acked = self.hq.commit(&self.log, records, bug)?;
        if let Some(cloud) = self.clouds.get_mut(&connection) {
            cloud.committed(id, &acked);
        }
        Ok(())
    }

    pub(super) fn edge_event(&mut self, event: EdgeEvent) -> Result<(), Violation> {
        let (life, delay) = (self.life, self.between(self.faults.delay_ms));
        match event {
            EdgeEvent::Connect => self.later(self.now.after(delay), Step::Dialled { life }),
            EdgeEvent::Disconnect(_) => {
                let connection = self.connection;
                self.hang_up(connection, Side::Cloud);
            }
            EdgeEvent::Read(read) => self.later(self.now.after(1), Step::Answer { life, read }),
            EdgeEvent::Settled { upto, .. } => {
                self.log.retire(upto, &self.hq)?;
                let (stream, head) = (self.log.stream(), self.log.head());
                self.edge.log_moved(self.now, stream, head);
            }
            EdgeEvent::SignCheckpoint(stream) => {
                let seq = crate::id::Seq(self.log.head().durable);
                let checkpoint = CheckpointV1 { stream, term: Term(1), seq, head_hash: [0; 32], at: Timestamp(0) };
                if let Some(signature) = Signature::from_slice(&[7; 64]) {
                    self.edge.checkpoint(&checkpoint.signed(signature));
                }
            }
            EdgeEvent::Delivered(delivered) => {
                if delivered.bytes != catalogue(delivered.to) {
                    return Err(Violation("a delivery came out different".to_owned()));
                }
                let refuse = delivered.from.0 > 0 && self.happens(self.faults.refuses);
                self.later(self.now.after(delay), Step::Apply { life, to: delivered.to, refuse });
            }
            EdgeEvent::AheadOfLog { hq, log, .. } => {
                return Err(Violation(format!("HQ claims record {hq}, the log ends at {log}")));
            }
            EdgeEvent::Welcomed { .. } => {}
        }
        Ok(())
    }

    pub(super) fn cloud_event(&mut self, connection: u64, event: CloudEvent) -> Result<(), Violation> {
        let bug = self.faults.bug;
        match event {
            CloudEvent::Hello(_) => {
                let streams = [self.log.stream(), Stream::Telemetry];
                let cursors = streams.into_iter().map(|stream| (stream, self.hq.cursor(stream))).collect();
                if let Some(cloud) = self.clouds.get_mut(&connection) {
                    cloud.welcome(Greeting { cursors, ..Greeting::default() });
                }
            }
            CloudEvent::Ingest { id, records, .. } => {
                if bug == Some(Bug::AckBeforeCommit) {
                    let mut early = RangeSet::new();
                    records.iter().try_for_each(|record| early.insert(record.seq, record.seq)).ok();
                    let early = ModelHq::one_too_many(early, bug);
                    if let Some(cloud) = self.clouds.get_mut(&connection) {
                        cloud.committed(id, &early);
                    }
                }
                let at = self.now.after(self.between(self.faults.commit_ms));
                self.later(at, Step::Commit { connection, id, records });
            }
            CloudEvent::Checkpoint(_) => self.checkpoints += 1,
            CloudEvent::Holds { .. } => self.offer_if_newer(connection),
            CloudEvent::Disconnect(_) => {
                self.clouds.remove(&connection);
                self.hang_up(connection, Side::Edge);
            }
        }
        Ok(())
    }

    /// As `pricing::service::downlink`: a delta from what the node holds, a snapshot if it holds nothing.
    pub(super) fn offer_if_newer(&mut self, connection: u64) {
        let (now, to) = (self.now, self.published);
        let Some(cloud) = self.clouds.get_mut(&connection) else { return };
        if cloud.is_offering(Collection::Catalogue) {
            return;
        }
        let Some(held) = cloud.held(Collection::Catalogue).filter(|held| *held < to) else { return };
        if let Ok(parcel) = Parcel::from_bytes(Collection::Catalogue, held, to, &catalogue(to)) {
            cloud.offer(now, parcel);
        }
    }
}

/// The bytes of a version: more than one window of the transfer, and hard to pack.
fn catalogue(version: Version) -> Vec<u8> {
    let mut noise = crate::session::backoff::Jitter::new(version.0);
    (0..6_000).flat_map(|_| noise.next().to_le_bytes()).collect()
}
