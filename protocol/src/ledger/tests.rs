//! Every cut and every single flip of a record is an error; golden vectors hold the released layout.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::limits;

fn node() -> NodeId {
    NodeId::from_uuid(Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef))
}

fn codec(stream: Stream) -> Codec {
    Codec::new(node(), Term(3), stream)
}

fn encode(codec: &Codec, seq: u64, event: &RawEvent, behind: u32) -> Vec<u8> {
    let hash = link_parts(codec.genesis(), Seq(seq), event.kind, event.version, &event.body);
    let mut bytes = Vec::new();
    let len = codec.encode(&mut bytes, Seq(seq), event, behind, &hash).unwrap();
    assert_eq!(len, bytes.len());
    assert_eq!(len, codec.record_len(event.body.len()));
    bytes
}

fn streams() -> impl Strategy<Value = Stream> {
    prop_oneof![Just(Stream::Fiscal), Just(Stream::Work), Just(Stream::Telemetry)]
}

fn events(max: usize) -> impl Strategy<Value = RawEvent> {
    (any::<u16>(), any::<u8>(), proptest::collection::vec(any::<u8>(), 0..max))
        .prop_map(|(kind, version, body)| RawEvent { kind, version, body })
}

proptest! {
    #[test]
    fn a_record_comes_back_as_it_went(stream in streams(), seq: u64, behind: u32, event in events(3_000), more: Vec<u8>) {
        let codec = codec(stream);
        let mut bytes = encode(&codec, seq, &event, behind);
        let len = bytes.len();
        bytes.extend_from_slice(&more);
        let found = codec.decode(&bytes).unwrap();
        prop_assert_eq!(found.len, len);
        prop_assert_eq!(found.behind, behind);
        prop_assert_eq!(found.to_record(), Record { seq: Seq(seq), event });
        prop_assert_eq!(found.hash.is_some(), stream == Stream::Fiscal);
        prop_assert_eq!(peek_seq(&bytes), Some(Seq(seq)));
    }

    #[test]
    fn every_cut_is_an_error(stream in streams(), seq: u64, event in events(300)) {
        let codec = codec(stream);
        let bytes = encode(&codec, seq, &event, 0);
        for cut in 0..bytes.len() {
            let is_cut = matches!(codec.decode(&bytes[..cut]), Err(RecordError::Cut { .. }));
            prop_assert!(is_cut, "cut at {}", cut);
            let mut zeroed = bytes.clone();
            zeroed[cut..].fill(0);
            if zeroed != bytes {
                prop_assert!(codec.decode(&zeroed).is_err(), "zeroed from {}", cut);
            }
        }
    }

    #[test]
    fn every_flip_is_an_error(stream in streams(), seq: u64, event in events(200), more: Vec<u8>) {
        let codec = codec(stream);
        let mut bytes = encode(&codec, seq, &event, 7);
        let len = bytes.len();
        // What follows in the file must not turn a flip into a record either.
        bytes.extend_from_slice(&more);
        for bit in 0..len * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(codec.decode(&bytes).is_err(), "bit {}", bit);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for stream in Stream::ALL {
            prop_assert!(codec(stream).decode(&bytes).is_err());
        }
    }
}

#[test]
fn a_record_of_another_log_is_refused() {
    let event = RawEvent { kind: 1, version: 1, body: vec![1, 2, 3] };
    let bytes = encode(&codec(Stream::Work), 1, &event, 0);
    assert_eq!(codec(Stream::Telemetry).decode(&bytes), Err(RecordError::Checksum));
    assert_eq!(Codec::new(node(), Term(4), Stream::Work).decode(&bytes), Err(RecordError::Checksum));
}

#[test]
fn the_largest_event_fits_and_one_byte_more_does_not() {
    let codec = codec(Stream::Fiscal);
    let mut event = RawEvent { kind: 1, version: 1, body: vec![0xAB; limits::EVENT_BYTES] };
    let bytes = encode(&codec, 1, &event, 0);
    assert_eq!(bytes.len(), MAX_RECORD_BYTES);
    assert_eq!(codec.decode(&bytes).unwrap().body.len(), limits::EVENT_BYTES);
    event.body.push(0);
    let mut out = Vec::new();
    assert!(matches!(codec.encode(&mut out, Seq(1), &event, 0, &[0; 32]), Err(RecordError::TooLarge { .. })));
    assert!(out.is_empty());
}

#[test]
fn the_chain_depends_on_every_field_and_on_what_came_before() {
    let base = Record { seq: Seq(5), event: RawEvent { kind: 1, version: 1, body: vec![9, 8, 7] } };
    let previous = genesis(node(), Term(1), Stream::Fiscal);
    let mut seen = vec![link(&previous, &base)];
    let mut other = |change: &dyn Fn(&mut Record)| {
        let mut record = base.clone();
        change(&mut record);
        seen.push(link(&previous, &record));
    };
    other(&|r| r.seq = Seq(6));
    other(&|r| r.event.kind = 2);
    other(&|r| r.event.version = 2);
    other(&|r| r.event.body[0] = 1);
    other(&|r| r.event.body.push(0));
    for log in [(Term(2), Stream::Fiscal), (Term(1), Stream::Work)] {
        seen.push(link(&genesis(node(), log.0, log.1), &base));
    }
    let count = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), count);
}

#[test]
fn a_run_with_a_gap_has_no_hash() {
    let record = |seq| Record { seq: Seq(seq), event: RawEvent { kind: 1, version: 1, body: vec![] } };
    let start = genesis(node(), Term(1), Stream::Fiscal);
    let (last, hash) = link_run(start, Seq(0), &[record(1), record(2)]).unwrap();
    assert_eq!((last, hash), (Seq(2), link(&link(&start, &record(1)), &record(2))));
    let gap = link_run(start, Seq(0), &[record(1), record(3)]);
    assert_eq!(gap, Err(ChainError { expected: Seq(2), found: Seq(3) }));
}

/// The released layout, byte for byte. A changed byte here means old journals can no longer be read:
/// add a new layout beside the old one instead. `TILLWAY_BLESS=1` writes vectors that are not there yet.
#[test]
fn golden_records() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/records");
    let body: Vec<u8> = (0..=255).collect();
    let cases = [
        ("fiscal-empty", Stream::Fiscal, 1, 0, RawEvent { kind: 1, version: 1, body: vec![] }),
        ("fiscal-256", Stream::Fiscal, 0x0102_0304_0506_0708, 2, RawEvent { kind: 2, version: 9, body: body.clone() }),
        ("work-3", Stream::Work, 77, 1_000, RawEvent { kind: 100, version: 1, body: vec![1, 2, 3] }),
        ("telemetry-256", Stream::Telemetry, u64::MAX, u32::MAX, RawEvent { kind: 299, version: 255, body }),
    ];
    for (name, stream, seq, behind, event) in cases {
        let codec = codec(stream);
        let record = encode(&codec, seq, &event, behind);
        let hash = link(codec.genesis(), &Record { seq: Seq(seq), event });
        let text = format!(
            "node {}\nterm 3\nstream {stream}\ngenesis {}\nhash {}\nrecord {}\n",
            node(),
            hex(codec.genesis()),
            hex(&hash),
            hex(&record)
        );
        let path = format!("{folder}/{name}.txt");
        if std::env::var_os("TILLWAY_BLESS").is_some() && !std::path::Path::new(&path).exists() {
            std::fs::write(&path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "{path}");
    }
}
