//! One sample of every frame shape there is, against the bytes in `golden/frames`. A released file is never changed:
//! if this fails, the wire has changed, and what is wanted is a new version beside the old one.

use std::path::PathBuf;

use super::v1::*;
use super::*;
use crate::event::RawEvent;
use crate::id::Seq;
use crate::ledger::Record;

fn record(seq: u64, body: &[u8]) -> Record {
    Record { seq: Seq(seq), event: RawEvent { kind: 1, version: 1, body: body.to_vec() } }
}

/// A batch whose bytes do not depend on the zstd release: too small to be packed.
fn plain_batch() -> BatchV1 {
    let batch = pack(Stream::Fiscal, &[record(41, b"a sale"), record(44, b"another")], Some([9; 32])).unwrap();
    assert_eq!(batch.packing, 0);
    batch
}

/// A packed batch, made once and kept: any zstd must read it.
fn packed_batch() -> BatchV1 {
    let records: Vec<Record> = (1..=20).map(|seq| record(seq, b"the same words in every record")).collect();
    let batch = pack(Stream::Telemetry, &records, None).unwrap();
    assert_eq!(batch.packing, 1);
    batch
}

pub(super) fn samples() -> Vec<(&'static str, Frame)> {
    let control = Frame::control;
    let hello = HelloV1 {
        versions: vec![1, 300],
        term: 3,
        boot_nonce: *b"0123456789abcdef",
        clock_ms: 1_291_190_760_000,
        uptime_ms: 12_345,
        agent_version: "0.1.0".to_owned(),
        streams: vec![StreamHeadV1 { stream: 1, first_kept: 1, durable: 70_000 }],
        collections: vec![HeldV1 { collection: 1, version: 12 }, HeldV1 { collection: 2, version: 0 }],
    };
    let welcome = WelcomeV1 {
        version: 1,
        hq_time_ms: -1,
        time_signature: vec![1, 2, 3],
        drain_per_second: 5_000,
        cursors: vec![CursorV1 { stream: 1, ranges: vec![(1, 500), (600, u64::MAX)] }],
        collections: vec![HeldV1 { collection: 1, version: 13 }],
    };
    let close = CloseV1 { code: 2, reason: "come back later".to_owned(), retry_after_ms: 60_000 };
    let ack = AckV1 { stream: 1, ranges: vec![(1, 3), (9, 9)], contiguous: 3, durable: true };
    let nack = NackV1 { stream: 1, first: 10, last: 20, retry_after_ms: 1_500 };
    let checkpoint = CheckpointV1 {
        stream: 1,
        term: 3,
        seq: 70_000,
        head_hash: [5; 32],
        at_ms: 1_291_190_760_000,
        signature: vec![6; 64],
    };
    let offer = OfferV1 { collection: 1, from: 12, to: 13, plain_bytes: 9_000, wire_bytes: 3_000, hash: [7; 32] };
    let fetch = FetchV1 { collection: 1, hash: [7; 32], offset: 1_024, length: 262_144 };
    let transfer = TransferV1 { collection: 1, hash: [7; 32], offset: 1_024, chunk: b"a part".to_vec() };
    let applied = AppliedV1 { collection: 2, version: 13, wants_snapshot: true };
    vec![
        ("hello_v1", control(Body::Hello(hello))),
        ("welcome_v1", control(Body::Welcome(welcome))),
        ("close_v1", control(Body::Close(close))),
        ("ping_v1", control(Body::Ping(PingV1 { nonce: 77 }))),
        ("pong_v1", control(Body::Pong(PongV1 { nonce: 77 }))),
        ("pace_v1", control(Body::Pace(PaceV1 { drain_per_second: 200 }))),
        ("batch_v1_plain", Frame { channel: Channel::Live(Stream::Fiscal), body: Body::Batch(plain_batch()) }),
        ("batch_v1_zstd", Frame { channel: Channel::Backlog(Stream::Telemetry), body: Body::Batch(packed_batch()) }),
        ("ack_v1", control(Body::Ack(ack))),
        ("nack_v1", control(Body::Nack(nack))),
        ("checkpoint_v1", control(Body::Checkpoint(checkpoint))),
        ("offer_v1", control(Body::Offer(offer))),
        ("fetch_v1", control(Body::Fetch(fetch))),
        ("transfer_v1", Frame { channel: Channel::Down(Collection::Catalogue), body: Body::Transfer(transfer) }),
        ("applied_v1", control(Body::Applied(applied))),
    ]
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/frames").join(format!("{name}.hex"))
}

fn to_hex(bytes: &[u8]) -> String {
    let lines: Vec<String> =
        bytes.chunks(32).map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect()).collect();
    lines.join("\n") + "\n"
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn every_shape_reads_and_writes_its_golden_bytes() {
    for (name, frame) in samples() {
        let golden =
            from_hex(&std::fs::read_to_string(path(name)).unwrap_or_else(|_| panic!("{name}: no golden file")));
        let read = Frame::decode(&golden).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(to_hex(&read.encode().unwrap()), to_hex(&golden), "{name}: decoded and encoded again");
        match (&read.body, &frame.body) {
            // Another zstd release may pack to other bytes; what they hold is the same.
            (Body::Batch(golden), Body::Batch(made)) => {
                assert_eq!(golden.unpack().unwrap(), made.unpack().unwrap(), "{name}");
                assert_eq!(
                    (golden.first, golden.last, golden.prev, golden.count),
                    (made.first, made.last, made.prev, made.count)
                );
            }
            _ => assert_eq!(read, frame, "{name}"),
        }
    }
}

#[test]
fn every_kind_has_a_golden_file_and_every_file_a_sample() {
    let names: Vec<&str> = samples().iter().map(|(name, _)| *name).collect();
    let shapes: std::collections::BTreeSet<(u8, u8)> = samples().iter().map(|(_, frame)| frame.body.shape()).collect();
    let known = (0..OPTIONAL_KINDS).flat_map(|kind| (0..=u8::MAX).map(move |version| (kind, version)));
    let known: std::collections::BTreeSet<(u8, u8)> =
        known.filter(|(kind, version)| body_limit(*kind, *version).is_some()).collect();
    assert_eq!(shapes, known);
    for file in std::fs::read_dir(path("x").parent().unwrap()).unwrap() {
        let stem = file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        assert!(names.contains(&stem.as_str()), "{stem}: a released shape must keep its sample");
    }
}

/// Writes files that do not exist yet; never touches one that does.
#[test]
#[ignore = "run by hand after a new frame shape: cargo test -p protocol -- --ignored write_missing_golden_frames"]
fn write_missing_golden_frames() {
    for (name, frame) in samples() {
        if !path(name).exists() {
            std::fs::write(path(name), to_hex(&frame.encode().unwrap())).unwrap();
        }
    }
}
