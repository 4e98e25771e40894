//! Frames under cuts, flips, odd chunking and bombs: every damage is an error, none a panic or a large allocation.

use proptest::prelude::*;

use super::v1::*;
use super::*;
use crate::event::RawEvent;
use crate::id::Seq;
use crate::ledger::Record;

fn all_frames() -> Vec<Frame> {
    golden::samples().into_iter().map(|(_, frame)| frame).collect()
}

#[test]
fn every_cut_and_every_flipped_bit_is_an_error() {
    for frame in all_frames() {
        let bytes = frame.encode().unwrap();
        assert_eq!(Frame::decode(&bytes).unwrap(), frame);
        for end in 0..bytes.len() {
            assert!(Frame::decode(&bytes[..end]).is_err(), "{} cut at {end}", frame.body.name());
            let mut reader = FrameReader::new();
            assert_eq!(reader.read(&mut &bytes[..end]), Ok(None));
            assert_eq!(reader.finish(), if end == 0 { Ok(()) } else { Err(FrameError::Truncated) });
        }
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Frame::decode(&bad).is_err(), "{} with bit {bit} flipped", frame.body.name());
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(Frame::decode(&longer), Err(FrameError::Truncated));
    }
}

/// A header with right checksums, around anything.
fn forged(channel: u8, kind: u8, version: u8, length: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![channel, kind, version, 0];
    bytes.extend(length.to_le_bytes());
    bytes.extend(crc32c::crc32c(body).to_le_bytes());
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    bytes.extend(body);
    bytes
}

#[test]
fn a_header_is_judged_before_its_body_is_kept() {
    let refused = |bytes: &[u8]| FrameReader::new().read(&mut &bytes[..HEADER_BYTES]).unwrap_err();
    assert!(matches!(refused(&forged(0, 1, 1, u32::MAX, &[])), FrameError::TooLarge { kind: 1, .. }));
    assert!(matches!(refused(&forged(0, 99, 1, 4, &[])), FrameError::UnknownKind { kind: 99, version: 1 }));
    assert!(matches!(refused(&forged(0, 1, 9, 4, &[])), FrameError::UnknownKind { kind: 1, version: 9 }));
    assert!(matches!(refused(&forged(0x30, 1, 1, 4, &[])), FrameError::WrongChannel { .. }));
    assert_eq!(refused(b"GET / HTTP/1.1\r\n"), FrameError::HeaderDamaged);
    // A kind of a later build that may be left out is read over.
    let optional = forged(0, 200, 7, 3, b"new");
    assert_eq!(Frame::decode(&optional).unwrap().body, Body::Optional { kind: 200, version: 7 });
    // The right body on the wrong channel, or of another stream than its channel.
    let ping = postcard::to_stdvec(&PingV1 { nonce: 1 }).unwrap();
    let length = u32::try_from(ping.len()).unwrap();
    assert!(matches!(Frame::decode(&forged(0x11, 4, 1, length, &ping)), Err(FrameError::WrongChannel { .. })));
    let batch = pack(Stream::Fiscal, &records(1, &[3]), None).unwrap();
    let frame = Frame { channel: Channel::Live(Stream::Work), body: Body::Batch(batch) };
    assert!(matches!(frame.encode(), Err(FrameError::WrongChannel { .. })));
    // A list that claims more than there is.
    let claims = forged(0, 1, 1, 5, &[0xFF, 0xFF, 0xFF, 0xFF, 0x0F]);
    assert_eq!(Frame::decode(&claims), Err(FrameError::Malformed { kind: 1 }));
}

#[test]
fn channels_have_one_byte_each() {
    let mut seen = std::collections::BTreeSet::new();
    for byte in 0..=u8::MAX {
        if let Some(channel) = Channel::from_u8(byte) {
            assert_eq!(channel.to_u8(), byte);
            assert!(seen.insert(channel));
        }
    }
    assert_eq!(seen.len(), 1 + 2 * Stream::ALL.len() + Collection::ALL.len());
}

fn records(first: u64, sizes: &[usize]) -> Vec<Record> {
    let record = |(at, size): (u64, &usize)| Record {
        seq: Seq(first + at),
        event: RawEvent { kind: 1, version: 1, body: (0..*size).map(|byte| (byte % 7) as u8).collect() },
    };
    (0..).zip(sizes).map(record).collect()
}

#[test]
fn bombs_and_lies_about_sizes_are_refused() {
    let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 3).unwrap();
    let honest = pack(Stream::Fiscal, &records(1, &[400; 20]), None).unwrap();
    let with =
        |count, plain_bytes, packed: &[u8]| BatchV1 { count, plain_bytes, packed: packed.to_vec(), ..honest.clone() };
    assert_eq!(with(20, 64 << 20, &bomb).unpack(), Err(BatchError::TooLarge { bytes: 64 << 20 }));
    assert_eq!(with(20, 200 << 10, &bomb).unpack(), Err(BatchError::Malformed));
    assert_eq!(with(1, limits::EVENT_BYTES as u32, &bomb).unpack(), Err(BatchError::Malformed));
    assert_eq!(with(20, honest.plain_bytes - 1, &honest.packed).unpack(), Err(BatchError::Malformed));
    assert_eq!(with(20, honest.plain_bytes + 1, &honest.packed).unpack(), Err(BatchError::Malformed));
    assert_eq!(with(19, honest.plain_bytes, &honest.packed).unpack(), Err(BatchError::Shape));
    assert_eq!(with(0, honest.plain_bytes, &honest.packed).unpack(), Err(BatchError::Shape));
    assert_eq!(with(u32::MAX, honest.plain_bytes, &honest.packed).unpack(), Err(BatchError::Shape));
    assert_eq!(BatchV1 { packing: 2, ..honest.clone() }.unpack(), Err(BatchError::Malformed));
    assert_eq!(BatchV1 { last: 21, ..honest.clone() }.unpack(), Err(BatchError::Shape));
    assert_eq!(BatchV1 { first: u64::MAX, ..honest.clone() }.unpack(), Err(BatchError::Shape));
    let whole = batch::pack_delivery(&vec![1; 1_000_000]).unwrap();
    assert!(batch::unpack_delivery(&whole, 999_999).is_err());
    assert!(batch::unpack_delivery(&whole, limits::TRANSFER_BYTES + 1).is_err());
}

#[test]
fn the_largest_event_travels_alone_and_fits_a_frame() {
    let largest = records(7, &[limits::EVENT_BYTES, 10]);
    assert_eq!(fits_in_batch(&largest), 1);
    let noise: Vec<u8> =
        (0..limits::EVENT_BYTES as u64).map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as u8).collect();
    let mut alone = largest[..1].to_vec();
    alone[0].event.body = noise;
    let batch = pack(Stream::Fiscal, &alone, None).unwrap();
    let frame = Frame { channel: Channel::Live(Stream::Fiscal), body: Body::Batch(batch.clone()) };
    assert_eq!(Frame::decode(&frame.encode().unwrap()).unwrap(), frame);
    assert_eq!(batch.unpack().unwrap(), alone);
    let full = records(1, &[limits::BATCH_BYTES / limits::BATCH_EVENTS; limits::BATCH_EVENTS + 9]);
    let fitting = fits_in_batch(&full);
    assert!((400..=limits::BATCH_EVENTS).contains(&fitting));
    assert!(pack(Stream::Fiscal, &full[..fitting], None).is_ok());
    assert_eq!(pack(Stream::Fiscal, &full, None), Err(BatchError::Shape));
    assert_eq!(pack(Stream::Fiscal, &[], None), Err(BatchError::Shape));
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_frames(picks in prop::collection::vec(any::<prop::sample::Index>(), 1..12), cuts in prop::collection::vec(1_usize..90, 1..40)) {
        let all = all_frames();
        let frames: Vec<Frame> = picks.iter().map(|pick| pick.get(&all).clone()).collect();
        let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.encode().unwrap()).collect();
        let (mut reader, mut out, mut rest) = (FrameReader::new(), Vec::new(), bytes.as_slice());
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (mut chunk, after) = rest.split_at((*cut).min(rest.len()));
            while let Some(frame) = reader.read(&mut chunk).unwrap() { out.push(frame); }
            prop_assert!(chunk.is_empty());
            rest = after;
        }
        prop_assert_eq!(out, frames);
        prop_assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn random_bytes_are_an_error_not_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let mut reader = FrameReader::new();
        let first = reader.read(&mut bytes.as_slice());
        if bytes.len() >= HEADER_BYTES {
            prop_assert!(first.is_err());
            prop_assert_eq!(reader.read(&mut [0_u8; 99].as_slice()), first, "an error stays");
        }
    }

    #[test]
    fn a_hostile_body_with_right_checksums_never_panics(kind in 0_u8..30, body in prop::collection::vec(any::<u8>(), 0..600)) {
        for channel in [0, 0x11, 0x21, 0x41] {
            let bytes = forged(channel, kind, 1, u32::try_from(body.len()).unwrap(), &body);
            if let Ok(Frame { body: Body::Batch(batch), .. }) = Frame::decode(&bytes) {
                batch.unpack().ok();
            }
        }
    }

    #[test]
    fn a_flipped_batch_with_right_checksums_is_an_error_or_the_same_shape(flips in prop::collection::vec(any::<prop::sample::Index>(), 1..4)) {
        let mut batch = pack(Stream::Fiscal, &records(5, &[300; 40]), None).unwrap();
        for flip in flips {
            let bit = flip.index(batch.packed.len() * 8);
            batch.packed[bit / 8] ^= 1 << (bit % 8);
        }
        if let Ok(records) = batch.unpack() {
            prop_assert_eq!(records.len(), 40);
            prop_assert!(records.iter().all(|record| (5..45).contains(&record.seq.0)));
        }
    }

    #[test]
    fn records_survive_a_batch(first in 1_u64..u64::MAX / 2, gaps in prop::collection::vec((0_u64..3, 0_usize..300), 1..60)) {
        let mut seq = first;
        let records: Vec<Record> = gaps.iter().enumerate().map(|(at, (gap, size))| {
            if at > 0 { seq += 1 + gap; }
            Record { seq: Seq(seq), event: RawEvent { kind: 900, version: 7, body: vec![at as u8; *size] } }
        }).collect();
        prop_assert_eq!(pack(Stream::Telemetry, &records, None).unwrap().unpack().unwrap(), records);
    }
}
