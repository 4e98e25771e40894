//! The guard against bytes of every kind: nothing panics, and nothing is allocated by what a packet claims.
//! `TILLWAY_FUZZ_SECONDS` makes the random walk longer, `TILLWAY_FUZZ_SEED` makes it another.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use protocol::limits;

use super::connect::Connect;
use super::judge::Up;
use super::packet::{Kind, Reader, Version, head, packet, put_varint};
use super::tests::{LANE, OTHER, VERSIONS, connect, judge_of, publish, subscribe, text, topic, up};

proptest! {
    #[test]
    fn lengths_round_trip(value in 0_usize..268_435_456) {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, value);
        prop_assert!(bytes.len() <= 4);
        prop_assert_eq!(Reader::new(&bytes).varint(), Ok(value));
    }

    #[test]
    fn any_message_of_ones_own_passes(payload in proptest::collection::vec(any::<u8>(), 0..2_000), user in "\\PC{0,40}") {
        for version in VERSIONS {
            let mut properties = vec![0x26];
            text(&mut properties, &user.replace('\0', ""));
            text(&mut properties, "v");
            let bytes = publish(version, 0x32, &topic(LANE, "state"), &properties, &payload);
            prop_assert_eq!(up(&mut judge_of(version, Instant::now()), &bytes), Ok(Up::Pass));
        }
    }

    #[test]
    fn a_cut_packet_waits_or_ends_and_a_flipped_one_does_neither_harm(
        which in 0_usize..6, cut in any::<prop::sample::Index>(), flip in any::<prop::sample::Index>(), bit in 0_u8..8,
    ) {
        for version in VERSIONS {
            let mut bytes = sample(version, which);
            let cut = cut.index(bytes.len());
            feed(version, &bytes[..cut]);
            let at = flip.index(bytes.len());
            bytes[at] ^= 1 << bit;
            feed(version, &bytes);
        }
    }

    #[test]
    fn nothing_makes_the_guard_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        for version in VERSIONS {
            feed(version, &bytes);
        }
    }
}

fn sample(version: Version, which: usize) -> Vec<u8> {
    match which {
        0 => connect(version, &[0x21, 0, 20, 0x26, 0, 1, b'a', 0, 1, b'b']),
        1 => publish(version, 0x33, &topic(LANE, "presence"), &[0x01, 1, 0x03, 0, 1, b'j'], b"{}"),
        2 => subscribe(version, &[(&topic(LANE, "#"), 1), (&topic(OTHER, "ask"), 0)]),
        3 => packet(0x40, &[0, 1]),
        4 => packet(0xE0, &[]),
        _ => packet(0xC0, &[]),
    }
}

/// Gives bytes to everything that reads them, as a client's, as a broker's and as a first packet.
fn feed(version: Version, bytes: &[u8]) {
    let (now, mut judge) = (Instant::now(), judge_of(version, Instant::now()));
    let mut rest = bytes;
    while let Ok(Some(head)) = head(rest, limits::MQTT_PACKET_BYTES) {
        assert!(head.total() <= limits::MQTT_PACKET_BYTES);
        let Some(frame) = rest.get(..head.total()) else { break };
        if head.kind == Kind::Connect
            && let Ok(connect) = Connect::read(&frame[head.bytes..])
        {
            drop(connect.will.map(|will| will.publish(version, 1)));
        }
        if let Ok(Up::Instead { broker, client }) = judge.up(now, head, frame, &mut |_| true) {
            let made = broker.map_or(0, |bytes| bytes.len()) + client.map_or(0, |bytes| bytes.len());
            assert!(made <= 2 * frame.len() + 16, "{made} bytes were made of {}", frame.len());
        }
        drop(judge.down(head, frame));
        rest = &rest[head.total()..];
    }
}

/// What passes is a packet that the broker reads: its parser sees only what went through here.
#[test]
fn a_random_walk_over_damaged_packets() {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};
    let seconds: u64 = std::env::var("TILLWAY_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let seed: u64 = std::env::var("TILLWAY_FUZZ_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(7);
    let (mut random, until, mut rounds) =
        (StdRng::seed_from_u64(seed), Instant::now() + Duration::from_secs(seconds), 0_u64);
    while Instant::now() < until {
        let version = VERSIONS[random.random_range(0..2)];
        let mut bytes = Vec::new();
        for _ in 0..random.random_range(1..4) {
            bytes.extend(sample(version, random.random_range(0..6)));
        }
        for _ in 0..random.random_range(0..6) {
            let at = random.random_range(0..bytes.len());
            match random.random_range(0..4) {
                0 => bytes[at] = random.random(),
                1 => bytes[at] ^= 1 << random.random_range(0..8),
                2 => bytes.insert(at, random.random()),
                _ => drop(bytes.remove(at)),
            }
            if bytes.is_empty() {
                bytes.push(0);
            }
        }
        feed(version, &bytes);
        rounds += 1;
    }
    assert!(rounds > 100, "{rounds} rounds, seed {seed}");
}
