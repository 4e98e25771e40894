//! What the bodies look like, what is read and what is not.

use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::collection::{Collection, Version};
use crate::id::{LaneId, TicketId};
use crate::money::Currency;

fn ticket_now(n: u128, note: &str) -> TicketNow {
    TicketNow {
        ticket_id: TicketId::from_uuid(Uuid::from_u128(n)),
        state: TicketStanding::Parked,
        lane_id: LaneId::from_uuid(Uuid::from_u128(1)),
        revision: u32::MAX,
        lines: 3,
        total_minor: -1_000_000_000_000,
        due_minor: 5,
        currency: Currency::GBP,
        opened_at: Moment(Timestamp(1_700_000_000_000)),
        note: Some(note.to_owned()),
    }
}

fn reply(content: Content) -> Reply {
    let at = Moment(Timestamp(i64::from(u32::MAX) * 1_000));
    let request_id = "\"".repeat(limits::LANE_REQUEST_ID_BYTES);
    Reply { v: V1, request_id, boot: Uuid::from_u128(u128::MAX), at, part: u32::MAX, parts: u32::MAX, content }
}

#[test]
fn a_person_can_read_it() {
    let body = Ticket {
        v: V1,
        ticket_id: TicketId::from_uuid(Uuid::from_u128(2)),
        state: TicketStanding::Closed,
        lane_id: LaneId::from_uuid(Uuid::from_u128(3)),
        revision: 4,
        at: Moment(Timestamp(1_000)),
        boot: Uuid::from_u128(9),
        change: 17,
    };
    let text: Value = serde_json::from_slice(&body.write().unwrap()).unwrap();
    let wanted = json!({ "v": 1, "ticket_id": "00000000-0000-0000-0000-000000000002", "state": "closed",
        "lane_id": "00000000-0000-0000-0000-000000000003", "revision": 4, "at": "1970-01-01T00:00:01.000Z",
        "boot": "00000000-0000-0000-0000-000000000009", "change": 17 });
    assert_eq!(text, wanted);
    assert_eq!(Ticket::read(&body.write().unwrap()).unwrap(), body);
}

#[test]
fn another_version_and_a_long_field_are_refused_unknown_fields_and_words_are_not() {
    let read = |v: u64, id: &str| Ask::read(json!({"v": v, "what": "all", "request_id": id}).to_string().as_bytes());
    assert!(read(1, "a").is_ok());
    let other = read(2, "a").unwrap_err().to_string();
    assert!(other.contains("version 2"), "{other}");
    assert!(matches!(read(1, &"x".repeat(65)), Err(MessageError::Field("request_id"))));
    assert!(matches!(read(1, "a\nb"), Err(MessageError::Field("request_id"))));
    assert!(Ask::read(br#"{"what":"all","request_id":"a"}"#).is_err(), "a body without a version");
    let later = br#"{"v":1,"state":"dancing","mood":{"good":[true]}}"#;
    assert_eq!(LaneState::read(later).unwrap().state, Activity::Other);
    let long = format!("{{\"v\":1,\"what\":\"all\",\"request_id\":\"a\"}}{}", " ".repeat(limits::LANE_MESSAGE_BYTES));
    assert!(matches!(Ask::read(long.as_bytes()), Err(MessageError::TooLong(_))));
}

#[test]
fn more_codes_than_a_message_names_are_left_out() {
    let price = |n: usize| {
        let codes = (0..n).map(|n| format!("{n:064}")).collect();
        Price::new(Collection::Catalogue, Version(3), Some(codes), Moment(Timestamp(0)))
    };
    assert_eq!(price(limits::LANE_PRICE_CODES).codes.unwrap().len(), limits::LANE_PRICE_CODES);
    assert_eq!(price(limits::LANE_PRICE_CODES + 1).codes, None);
    assert!(price(limits::LANE_PRICE_CODES).write().is_ok());
}

proptest! {
    /// Whatever the notes are, every part fits a message, nothing is lost and nothing comes twice.
    #[test]
    fn every_part_fits_a_message(notes in prop::collection::vec("[\"\\\\a-z\u{4e00}]{0,128}", 0..120)) {
        let tickets: Vec<TicketNow> = notes.iter().zip(1..).map(|(note, n)| ticket_now(n, note)).collect();
        let (parts, left_out) = pack(&tickets);
        prop_assert_eq!(left_out, 0);
        prop_assert!(!parts.is_empty());
        for part in &parts {
            let content = Content::Tickets { change: u64::MAX, tickets: part.clone() };
            prop_assert!(reply(content).write().is_ok());
        }
        prop_assert_eq!(parts.concat(), tickets);
    }

    /// Bytes of a client: read or refused, never a panic; what is read can be written.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Ask::read(&bytes).is_err());
        prop_assert!(Presence::read(&bytes).is_err());
    }

    #[test]
    fn a_presence_that_is_read_can_be_written(name in "\\PC{0,80}", software in "\\PC{0,80}", online in any::<bool>()) {
        let state = if online { "online" } else { "offline" };
        let body = json!({"v": 1, "state": state, "name": name, "since": "2026-03-01T09:30:00Z", "software": software});
        if let Ok(read) = Presence::read(body.to_string().as_bytes()) {
            prop_assert_eq!(Presence::read(&read.write().unwrap()).unwrap(), read);
        }
    }
}
