//! The guard's reading and judging: what is right passes, what is not ends with the reason that the protocol has for it.

use std::time::Instant;

use protocol::id::{LaneId, NodeId, ShopId};
use protocol::limits;
use protocol::topic::Principal;
use uuid::Uuid;

use super::connect::{Connect, Welcome, for_broker};
use super::judge::{Down, Judge, Up, judge_will};
use super::packet::{Fault, Reader, Version, head, packet, put_binary};
use super::property;
use super::reason::Reason;

pub(super) const SHOP: ShopId = ShopId::from_uuid(Uuid::from_u128(1));
pub(super) const LANE: LaneId = LaneId::from_uuid(Uuid::from_u128(2));
pub(super) const OTHER: LaneId = LaneId::from_uuid(Uuid::from_u128(3));
pub(super) const VERSIONS: [Version; 2] = [Version::V4, Version::V5];

pub(super) fn topic(lane: LaneId, channel: &str) -> String {
    format!("tw/{SHOP}/lane/{lane}/{channel}")
}

pub(super) fn text(out: &mut Vec<u8>, text: &str) {
    put_binary(out, text.as_bytes());
}

/// A CONNECT with everything in it.
pub(super) fn connect(version: Version, properties: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, "MQTT");
    body.extend_from_slice(&[if version == Version::V4 { 4 } else { 5 }, 0b1110_1110, 0, 30]);
    if version == Version::V5 {
        property::put(&mut body, properties);
    }
    text(&mut body, &LANE.to_string());
    if version == Version::V5 {
        // A delay and a content type.
        property::put(&mut body, &[0x18, 0, 0, 0, 9, 0x03, 0, 1, b'j']);
    }
    text(&mut body, &topic(LANE, "presence"));
    text(&mut body, "gone");
    text(&mut body, "user");
    text(&mut body, "token");
    packet(0x10, &body)
}

/// A packet without its header.
pub(super) fn body(packet: &[u8]) -> &[u8] {
    &packet[head(packet, limits::MQTT_PACKET_BYTES).unwrap().unwrap().bytes..]
}

pub(super) fn publish(version: Version, first: u8, topic: &str, properties: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, topic);
    if first & 6 != 0 {
        body.extend_from_slice(&[0, 7]);
    }
    if version == Version::V5 {
        property::put(&mut body, properties);
    }
    body.extend_from_slice(payload);
    packet(first, &body)
}

pub(super) fn subscribe(version: Version, filters: &[(&str, u8)]) -> Vec<u8> {
    let mut body = vec![0, 9];
    if version == Version::V5 {
        body.push(0);
    }
    for (filter, options) in filters {
        text(&mut body, filter);
        body.push(*options);
    }
    packet(0x82, &body)
}

pub(super) fn judge_of(version: Version, now: Instant) -> Judge {
    let bytes = connect(version, &[]);
    let connect = Connect::read(body(&bytes)).unwrap();
    Judge::new(now, Principal::Lane(LANE), SHOP, &connect)
}

pub(super) fn up(judge: &mut Judge, bytes: &[u8]) -> Result<Up, Reason> {
    let head = head(bytes, limits::MQTT_PACKET_BYTES)?.expect("a whole packet");
    judge.up(Instant::now(), head, bytes, &mut |_| true)
}

fn down(judge: &mut Judge, bytes: &[u8]) -> Result<Down, Reason> {
    judge.down(head(bytes, limits::MQTT_PACKET_BYTES).unwrap().unwrap(), bytes)
}

#[test]
fn a_connect_is_read_and_another_is_made_of_it() {
    for version in VERSIONS {
        let bytes = connect(version, &[0x21, 0, 20, 0x22, 0, 5, 0x11, 0, 0, 1, 0]);
        let head = head(&bytes, 4_096).unwrap().unwrap();
        let read = Connect::read(&bytes[head.bytes..]).unwrap();
        let will = read.will.clone().unwrap();
        assert_eq!(
            (read.keep_alive, read.clean, read.username, will.qos, will.retain),
            (30, true, Some("user"), 1, true)
        );
        assert_eq!(judge_will(Principal::Lane(LANE), SHOP, &will), Ok(()));
        assert_eq!(judge_will(Principal::Lane(OTHER), SHOP, &will).unwrap_err().label(), "rights");
        let v5 = version == Version::V5;
        assert_eq!(read.receive_maximum, if v5 { 20 } else { u16::MAX });
        assert_eq!(will.properties, if v5 { vec![3, 0, 1, b'j'] } else { vec![] }, "the delay is gone");
        assert_eq!(
            will.publish(version, 1),
            publish(version, 0x33, &topic(LANE, "presence"), &will.properties, b"gone")
                .iter()
                .map(|byte| if *byte == 7 { 1 } else { *byte })
                .collect::<Vec<_>>()
        );
        let told = for_broker(version, "guard.1", "secret", "secret");
        let told = Connect::read(body(&told)).unwrap();
        assert_eq!((told.client_id, told.keep_alive, told.will, told.clean), ("guard.1", u16::MAX, None, true));
        assert_eq!((told.username, told.password), (Some("secret"), Some(&b"secret"[..])));
    }
    let welcome = Welcome { version: Version::V5, assigned: Some("a"), keep_alive: Some(60), wanted_session: true };
    let bytes = welcome.packet();
    let allowed = [0x24, 0x2A, 0x27, 0x11, 0x13, 0x12];
    let (mut reader, mut seen) = (Reader::new(&bytes[4..]), Vec::new());
    property::walk(&mut reader, &allowed, |id, _, _| {
        seen.push(id);
        Ok(())
    })
    .unwrap();
    assert_eq!((seen, reader.end()), (allowed.to_vec(), Ok(())));
}

#[test]
fn a_connect_that_contradicts_itself_is_refused() {
    let good = connect(Version::V4, &[]);
    for (at, byte) in
        [(10, 0b1110_1111), (10, 0b1111_1110), (10, 0b1110_1010), (10, 0b0110_1110), (9, 3), (9, 6), (6, b'X')]
    {
        let mut bad = good.clone();
        bad[at] = byte;
        assert!(Connect::read(body(&bad)).is_err(), "byte {at} = {byte:#b}");
    }
    for properties in [&[0x21, 0, 0][..], &[0x27, 0, 0, 0, 0], &[0x21, 0, 9, 0x21, 0, 9], &[0x23, 0, 1], &[0x19, 2]] {
        let bytes = connect(Version::V5, properties);
        assert!(Connect::read(body(&bytes)).is_err(), "{properties:?}");
    }
}

#[test]
fn a_lane_publishes_its_own_topics_and_no_others() {
    for version in VERSIONS {
        let mut judge = judge_of(version, Instant::now());
        for first in [0x30, 0x32, 0x3A] {
            assert_eq!(up(&mut judge, &publish(version, first, &topic(LANE, "state"), &[], b"{}")), Ok(Up::Pass));
        }
        assert_eq!(up(&mut judge, &publish(version, 0x31, &topic(LANE, "presence"), &[], b"{}")), Ok(Up::Pass));
        let mut label = |bytes: &[u8]| up(&mut judge, bytes).unwrap_err().label();
        assert_eq!(label(&publish(version, 0x30, &topic(OTHER, "state"), &[], b"{}")), "rights");
        assert_eq!(label(&publish(version, 0x30, "$SYS/x", &[], b"")), "rights");
        assert_eq!(label(&publish(version, 0x30, &topic(LANE, "+"), &[], b"")), "rights");
        assert_eq!(label(&publish(version, 0x31, &topic(LANE, "state"), &[], b"{}")), "retain");
        assert_eq!(label(&publish(version, 0x34, &topic(LANE, "state"), &[], b"{}")), "qos");
        assert_eq!(label(&publish(version, 0x36, &topic(LANE, "state"), &[], b"{}")), "malformed");
        assert_eq!(label(&publish(version, 0x38, &topic(LANE, "state"), &[], b"{}")), "malformed", "twice at QoS 0");
        assert_eq!(label(&publish(version, 0x30, "a\0b", &[], b"")), "malformed");
        assert_eq!(label(&packet(0x30, &[0, 2, 0xC3, 0x28, 0])), "malformed", "no UTF-8");
        assert_eq!(label(&packet(0x62, &[0, 1])), "qos");
        assert_eq!(label(&packet(0x10, &[])), "protocol", "a second CONNECT");
        assert_eq!(label(&packet(0x90, &[0, 1, 0])), "protocol", "a packet of the server");
        assert_eq!(label(&packet(0x80, &[0, 1])), "malformed", "reserved bits");
        assert_eq!(label(&packet(0xC0, &[0])), "malformed");
        assert_eq!(label(&packet(0xF0, &[])), "auth_method");
    }
    let mut judge = judge_of(Version::V5, Instant::now());
    let mut with =
        |properties: &[u8]| up(&mut judge, &publish(Version::V5, 0x30, &topic(LANE, "state"), properties, b""));
    assert_eq!(with(&[0x01, 1, 0x26, 0, 1, b'a', 0, 1, b'b']), Ok(Up::Pass));
    assert_eq!(with(&[0x23, 0, 1]), Err(Reason::Alias));
    assert_eq!(with(&[0x0B, 1]).unwrap_err().label(), "protocol");
    assert_eq!(with(&[0x08, 0, 1, b'+']).unwrap_err().label(), "malformed");
    assert_eq!(with(&[0x26, 0, 9, b'a']).unwrap_err().label(), "malformed", "longer than the properties");
}

#[test]
fn refused_filters_are_answered_and_the_others_go_on() {
    let (mine, reply) = (topic(LANE, "#"), topic(OTHER, "reply"));
    let tickets = format!("tw/{SHOP}/ticket/+/changed");
    for version in VERSIONS {
        let (no_right, shared) = if version == Version::V4 { (0x80, 0x80) } else { (0x87, 0x9E) };
        let mut judge = judge_of(version, Instant::now());
        assert_eq!(up(&mut judge, &subscribe(version, &[(&mine, 1)])), Ok(Up::Pass));
        let all = [(reply.as_str(), 0), (&tickets, 2), ("$share/a/b", 0), (&mine, 0)];
        let Ok(Up::Instead { broker: Some(rest), client: None }) = up(&mut judge, &subscribe(version, &all)) else {
            panic!("two of four go on");
        };
        assert_eq!(rest, subscribe(version, &[(&tickets, 1), (&mine, 0)]), "QoS 2 becomes 1");
        let blank: &[u8] = if version == Version::V4 { &[] } else { &[0] };
        let ack = |id: u8, codes: &[u8]| packet(0x90, &[&[0, id], blank, codes].concat());
        assert_eq!(down(&mut judge, &ack(9, &[1])), Ok(Down::Pass));
        let answer = down(&mut judge, &ack(9, &[1, 0]));
        assert_eq!(answer, Ok(Down::Swap(ack(9, &[no_right, 1, shared, 0]))));
        let none = up(&mut judge, &subscribe(version, &[(&reply, 0)]));
        assert_eq!(none, Ok(Up::Instead { broker: None, client: Some(ack(9, &[no_right])) }));
        assert_eq!(down(&mut judge, &ack(9, &[0])), Ok(Down::Drop), "nobody waits");
    }
}

#[test]
fn a_client_has_so_many_filters_and_gives_them_back() {
    let ticket = |number: u128| format!("tw/{SHOP}/ticket/{}/changed", Uuid::from_u128(number));
    for version in VERSIONS {
        let mut judge = judge_of(version, Instant::now());
        for number in 0..limits::MQTT_FILTERS as u128 {
            assert_eq!(up(&mut judge, &subscribe(version, &[(&ticket(number), 0)])), Ok(Up::Pass));
            assert!(
                down(&mut judge, &packet(0x90, &if version == Version::V4 { vec![0, 9, 0] } else { vec![0, 9, 0, 0] }))
                    .is_ok()
            );
        }
        let Ok(Up::Instead { broker: None, client: Some(answer) }) =
            up(&mut judge, &subscribe(version, &[(&ticket(999), 0)]))
        else {
            panic!("one too many");
        };
        assert_eq!(answer.last(), Some(if version == Version::V4 { &0x80 } else { &0x97 }));
        let unsubscribe = |filters: &[&str]| {
            let mut body = vec![0, 5];
            body.extend_from_slice(if version == Version::V4 { &[] } else { &[0] });
            filters.iter().for_each(|filter| text(&mut body, filter));
            packet(0xA2, &body)
        };
        let both = [ticket(999), ticket(0)];
        let gone = up(&mut judge, &unsubscribe(&[&both[0], &both[1]]));
        let answer = if version == Version::V4 { vec![0, 5] } else { vec![0, 5, 0, 0x11, 0] };
        let broker = Some(unsubscribe(&[&both[1]]));
        assert_eq!(gone, Ok(Up::Instead { broker, client: Some(packet(0xB0, &answer)) }));
        assert_eq!(down(&mut judge, &packet(0xB0, &[0, 5])), Ok(Down::Drop));
        assert_eq!(up(&mut judge, &subscribe(version, &[(&ticket(999), 0)])), Ok(Up::Pass));
        assert_eq!(up(&mut judge, &subscribe(version, &[])).unwrap_err().label(), "protocol");
        assert_eq!(up(&mut judge, &subscribe(version, &[(&ticket(1), 3)])).unwrap_err().label(), "malformed");
    }
}

#[test]
fn the_broker_never_sees_an_acknowledgement_that_is_not_due() {
    for version in VERSIONS {
        let mut judge = judge_of(version, Instant::now());
        let message = |id: u8| {
            let mut body = vec![0, 1, b't', 0, id];
            body.extend_from_slice(if version == Version::V4 { &[] } else { &[0] });
            packet(0x32, &body)
        };
        assert!([1, 2, 3].iter().all(|id| down(&mut judge, &message(*id)) == Ok(Down::Pass)));
        assert_eq!(up(&mut judge, &packet(0x40, &[0, 1])), Ok(Up::Pass));
        let long = up(&mut judge, &packet(0x40, &[0, 2, 0x10, 0]));
        if version == Version::V5 {
            assert_eq!(long, Ok(Up::Instead { broker: Some(packet(0x40, &[0, 2])), client: None }));
        } else {
            assert_eq!(long.unwrap_err().label(), "malformed");
        }
        assert_eq!(up(&mut judge, &packet(0x40, &[0, 9])).unwrap_err().label(), "protocol");
    }
}

#[test]
fn a_goodbye_takes_the_will_along_unless_it_is_asked_for() {
    let mut four = judge_of(Version::V4, Instant::now());
    assert_eq!(up(&mut four, &packet(0xE0, &[])), Ok(Up::Goodbye { will: false }));
    assert!(up(&mut four, &packet(0xE0, &[4])).is_err());
    let mut five = judge_of(Version::V5, Instant::now());
    assert_eq!(up(&mut five, &packet(0xE0, &[0, 0])), Ok(Up::Goodbye { will: false }));
    assert_eq!(up(&mut five, &packet(0xE0, &[4])), Ok(Up::Goodbye { will: true }));
}

#[test]
fn a_flood_ends_and_the_node_itself_is_not_measured() {
    let now = Instant::now();
    let bytes = publish(Version::V4, 0x30, &topic(LANE, "state"), &[], b"{}");
    let head = head(&bytes, limits::MQTT_PACKET_BYTES).unwrap().unwrap();
    let mut judge = judge_of(Version::V4, now);
    let passed = (0..10_000).take_while(|_| judge.up(now, head, &bytes, &mut |_| true).is_ok()).count();
    assert_eq!(u64::try_from(passed).unwrap(), limits::MQTT_MESSAGES_AT_ONCE);
    let large = publish(Version::V4, 0x30, &topic(LANE, "state"), &[], &[b'x'; 60_000]);
    let head = super::packet::head(&large, limits::MQTT_PACKET_BYTES).unwrap().unwrap();
    let mut judge = judge_of(Version::V4, now);
    let passed = (0..100).take_while(|_| judge.up(now, head, &large, &mut |_| true).is_ok()).count();
    assert_eq!(u64::try_from(passed * large.len()).unwrap() / limits::MQTT_BYTES_AT_ONCE, 0);
    assert_eq!(judge.up(now, head, &large, &mut |_| true), Err(Reason::Flood));

    let node = NodeId::from_uuid(Uuid::from_u128(9));
    let hello = connect(Version::V4, &[]);
    let mut own = Judge::new(now, Principal::Node(node), SHOP, &Connect::read(body(&hello)).unwrap());
    let price = publish(Version::V4, 0x30, &format!("tw/{SHOP}/node/{node}/presence"), &[], b"{}");
    let head = super::packet::head(&price, limits::MQTT_PACKET_BYTES).unwrap().unwrap();
    assert!((0..5_000).all(|_| own.up(now, head, &price, &mut |_| true) == Ok(Up::Pass)));
}

#[test]
fn a_client_that_takes_little_is_sent_little() {
    let bytes = connect(Version::V5, &[0x21, 0, 20, 0x27, 0, 0, 0, 100]);
    let mut judge = Judge::new(Instant::now(), Principal::Lane(LANE), SHOP, &Connect::read(body(&bytes)).unwrap());
    let mine = topic(LANE, "#");
    let asked = up(&mut judge, &subscribe(Version::V5, &[(&mine, 1)]));
    assert_eq!(asked, Ok(Up::Instead { broker: Some(subscribe(Version::V5, &[(&mine, 0)])), client: None }));
    assert_eq!(down(&mut judge, &publish(Version::V5, 0x30, "t", &[], &[0; 100])), Err(Reason::ClientTooSmall));
}

#[test]
fn lengths_are_read_as_the_protocol_says() {
    assert_eq!(head(&[], 100), Ok(None));
    assert_eq!(head(&[0x30], 100), Ok(None));
    assert_eq!(head(&[0x30, 0x80], 100), Ok(None));
    assert_eq!(head(&[0x30, 0x80, 0x80, 0x80, 0x80], 100), Err(Fault::Malformed("a length of more than four bytes")));
    assert_eq!(head(&[0x00, 0], 100).unwrap_err(), Fault::Malformed("there is no packet type 0"));
    assert_eq!(head(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F], 100), Err(Fault::TooLarge(268_435_460)));
    assert_eq!(head(&[0x30, 0x80, 0x01], 1_000).unwrap().unwrap().total(), 131);
}
