//! What was read at once is judged at once: the packets that lie whole in a buffer, what of them is handed on, what is
//! answered, and whether it ends there. Pure, and nothing is copied as long as every packet passes as it is.

use std::time::Instant;

use protocol::limits;
use protocol::topic::Principal;

use super::judge::{Admit, Down, Judge, Up};
use super::packet::{Head, Kind, Reader, head};
use super::pump::End;
use super::reason::Reason;
use super::upstream::BROKER_PACKET_BYTES;

/// The whole packets at the front of a buffer.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Bytes that they take.
    pub(super) read: usize,
    /// What is handed on in their place; `None` hands them on as they lie.
    pub(super) changed: Option<Vec<u8>>,
    /// What the guard answers by itself.
    pub(super) answers: Vec<u8>,
    /// How many there are.
    pub(super) packets: u64,
    /// How many of them are messages that are handed on.
    pub(super) messages: u64,
    /// What comes behind them ends the connection.
    pub(super) end: Option<End>,
}

impl Batch {
    /// A client's packets. `note` is told topics of the node, which have no end.
    pub(super) fn up(
        judge: &mut Judge,
        now: Instant,
        bytes: &[u8],
        admit: Admit<'_>,
        note: &mut dyn FnMut(&[u8]),
    ) -> Self {
        let mut batch = Self::default();
        while let Some((head, frame)) = batch.next(bytes, limits::MQTT_PACKET_BYTES, Reason::from) {
            match judge.up(now, head, frame, admit) {
                Ok(Up::Pass) => batch.pass(head, frame),
                Ok(Up::Instead { broker, client }) => {
                    batch.swap(bytes, frame, &broker.unwrap_or_default());
                    batch.answers.extend_from_slice(&client.unwrap_or_default());
                }
                Ok(Up::Goodbye { will }) => batch.end = Some(End::Goodbye { will }),
                Err(reason) => batch.end = Some(reason.into()),
            }
            // Lanes speak on a handful of topics; the node names tickets.
            if judge.has_new_topic()
                && let Principal::Node(_) = judge.who
                && let Some(topic) = frame.get(head.bytes..).and_then(|body| Reader::new(body).binary().ok())
            {
                note(topic);
            }
        }
        batch
    }

    /// The broker's packets.
    pub(super) fn down(judge: &mut Judge, bytes: &[u8]) -> Self {
        let mut batch = Self::default();
        while let Some((head, frame)) = batch.next(bytes, BROKER_PACKET_BYTES, |_| Reason::Unavailable) {
            match judge.down(head, frame) {
                Ok(Down::Pass) => batch.pass(head, frame),
                Ok(Down::Swap(other)) => batch.swap(bytes, frame, &other),
                Ok(Down::Drop) => batch.swap(bytes, frame, &[]),
                Err(reason) => batch.end = Some(reason.into()),
            }
        }
        batch
    }

    /// The bytes to hand on.
    pub(super) fn handed_on<'a>(&'a self, bytes: &'a [u8]) -> &'a [u8] {
        self.changed.as_deref().or(bytes.get(..self.read)).unwrap_or_default()
    }

    /// The next packet, if it is there as a whole and none before it was the end.
    fn next<'a>(
        &mut self,
        bytes: &'a [u8],
        most: usize,
        why: impl Fn(super::packet::Fault) -> Reason,
    ) -> Option<(Head, &'a [u8])> {
        if self.end.is_some() {
            return None;
        }
        let rest = bytes.get(self.read..)?;
        match head(rest, most) {
            Ok(head) => head.and_then(|head| Some((head, rest.get(..head.total())?))),
            Err(fault) => {
                self.end = Some(why(fault).into());
                None
            }
        }
    }

    fn pass(&mut self, head: Head, frame: &[u8]) {
        self.read += frame.len();
        self.packets += 1;
        self.messages += u64::from(head.kind == Kind::Publish);
        if let Some(changed) = &mut self.changed {
            changed.extend_from_slice(frame);
        }
    }

    fn swap(&mut self, bytes: &[u8], frame: &[u8], other: &[u8]) {
        let before = bytes.get(..self.read).unwrap_or_default();
        self.changed.get_or_insert_with(|| before.to_vec()).extend_from_slice(other);
        self.read += frame.len();
        self.packets += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::{Version, packet};
    use super::super::tests::{LANE, OTHER, VERSIONS, judge_of, publish, subscribe, topic};
    use super::*;

    fn up(judge: &mut Judge, bytes: &[u8]) -> Batch {
        Batch::up(judge, Instant::now(), bytes, &mut |_| true, &mut |_| panic!("no lane's topic is noted"))
    }

    #[test]
    fn what_passes_as_it_lies_is_not_copied_and_half_a_packet_waits() {
        for version in VERSIONS {
            let one = publish(version, 0x30, &topic(LANE, "state"), &[], b"{}");
            let mut bytes = one.repeat(3);
            let whole = bytes.len();
            bytes.extend_from_slice(&one[..one.len() - 1]);
            let batch = up(&mut judge_of(version, Instant::now()), &bytes);
            assert_eq!((batch.read, batch.packets, batch.messages, batch.end), (whole, 3, 3, None));
            assert!(batch.changed.is_none() && batch.answers.is_empty());
            assert_eq!(batch.handed_on(&bytes), &bytes[..whole]);
        }
    }

    #[test]
    fn what_is_changed_keeps_its_place_between_what_is_not() {
        for version in VERSIONS {
            let said = publish(version, 0x30, &topic(LANE, "state"), &[], b"{}");
            let (both, mine) = (
                subscribe(version, &[(&topic(LANE, "#"), 2), (&topic(OTHER, "ask"), 0)]),
                subscribe(version, &[(&topic(LANE, "#"), 1)]),
            );
            let refused = subscribe(version, &[(&topic(OTHER, "ask"), 0)]);
            let goodbye = packet(0xE0, &[]);
            let bytes = [&said[..], &both, &said, &refused, &said, &goodbye, &said].concat();
            let batch = up(&mut judge_of(version, Instant::now()), &bytes);
            assert_eq!(batch.handed_on(&bytes), [&said[..], &mine, &said, &said].concat());
            assert_eq!((batch.packets, batch.messages), (5, 3));
            assert_eq!(batch.read, bytes.len() - goodbye.len() - said.len());
            assert_eq!(batch.end, Some(End::Goodbye { will: false }));
            assert_eq!(batch.answers.first(), Some(&0x90), "the refused one is answered by the guard");
        }
    }

    #[test]
    fn what_is_good_before_the_bad_is_handed_on_both_ways() {
        let said = publish(Version::V4, 0x30, &topic(LANE, "state"), &[], b"{}");
        for bad in [&publish(Version::V4, 0x30, &topic(OTHER, "state"), &[], b"{}")[..], &[0, 0], &[0x62, 2, 0, 1]] {
            let bytes = [&said[..], bad, &said].concat();
            let batch = up(&mut judge_of(Version::V4, Instant::now()), &bytes);
            assert_eq!(batch.handed_on(&bytes), said);
            assert!(matches!(batch.end, Some(End::Shut(_))));
        }
        let (heard, nobodys) = (publish(Version::V4, 0x30, "t", &[], b"x"), packet(0x90, &[0, 9, 0]));
        let bytes = [&heard[..], &nobodys, &heard, &[0xE0, 0]].concat();
        let batch = Batch::down(&mut judge_of(Version::V4, Instant::now()), &bytes);
        assert_eq!(batch.handed_on(&bytes), heard.repeat(2));
        assert_eq!((batch.messages, batch.end), (2, Some(End::Shut(Reason::Unavailable))));
    }
}
