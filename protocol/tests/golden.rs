//! Bytes of every released shape, committed under `golden/`: a build must read the old ones and write the very same
//! again. When this turns red, a frozen struct was changed: put it back and add a new version beside it.
//!
//! A shape that has no file yet gets one from `GOLDEN_WRITE=1 cargo test -p protocol --test golden`; a file that
//! exists is never written again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that stops at the first surprise")]

mod samples;

use std::fmt::{Debug, Write as _};
use std::path::PathBuf;

use protocol::collection::Delivery;
use protocol::event::{FiscalEvent, RawEvent};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("{name}.hex"))
}

/// Bytes as hex, 32 to a line.
fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for row in bytes.chunks(32) {
        for byte in row {
            write!(text, "{byte:02x}").unwrap();
        }
        text.push('\n');
    }
    text
}

/// Reads hex; a line that begins with `#` is a remark.
fn from_hex(text: &str) -> Vec<u8> {
    let digits: String = text.lines().filter(|line| !line.starts_with('#')).flat_map(str::chars).collect();
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// The committed bytes of `name`.
fn committed(name: &str) -> Vec<u8> {
    let file = path(name);
    let text = std::fs::read_to_string(&file);
    from_hex(&text.unwrap_or_else(|error| panic!("{}: {error}; a released shape is kept", file.display())))
}

/// Writes `fresh` as the bytes of a shape that has none yet, when asked to.
fn write_if_new(name: &str, fresh: &[u8]) {
    let file = path(name);
    if std::env::var_os("GOLDEN_WRITE").is_some() && !file.exists() {
        let remark = "# A released byte shape. Never edited: see protocol/tests/golden.rs.\n";
        std::fs::write(&file, format!("{remark}{}", to_hex(fresh))).unwrap();
    }
}

/// Holds a postcard shape to its committed bytes: they decode to the very value, which encodes to the very bytes.
fn holds<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, value: &T) {
    let fresh = postcard::to_stdvec(value).unwrap();
    write_if_new(name, &fresh);
    let old = committed(name);
    let (decoded, rest) =
        postcard::take_from_bytes::<T>(&old).unwrap_or_else(|error| panic!("{name} cannot be read any more: {error}"));
    assert!(rest.is_empty(), "{name}: {} bytes are left over", rest.len());
    assert_eq!(&decoded, value, "{name} reads as something else");
    assert_eq!(to_hex(&postcard::to_stdvec(&decoded).unwrap()), to_hex(&old), "{name} is written differently");
}

#[test]
fn events_keep_their_bytes() {
    holds("ticket_closed_v1_sale", &samples::sale());
    holds("ticket_closed_v1_return", &samples::returned());
    holds("stock_written_off_v1", &samples::write_off());
    holds("ticket_closed_v2", &samples::approved());
    holds("no_sale_v1", &samples::no_sale());
    holds("ticket_voided_v1", &samples::voided());
    let raw = FiscalEvent::StockWrittenOff(Box::new(samples::write_off())).encode().unwrap();
    holds("raw_event", &raw);
}

#[test]
fn kinds_and_versions_keep_their_numbers() {
    let sale = RawEvent { kind: 1, version: 1, body: committed("ticket_closed_v1_sale") };
    let write_off = RawEvent { kind: 2, version: 1, body: committed("stock_written_off_v1") };
    assert_eq!(FiscalEvent::decode(&sale), Ok(Some(FiscalEvent::closed(samples::sale()))));
    let expected = FiscalEvent::StockWrittenOff(Box::new(samples::write_off()));
    assert_eq!(FiscalEvent::decode(&write_off), Ok(Some(expected)));
    let with_people = RawEvent { kind: 1, version: 2, body: committed("ticket_closed_v2") };
    assert_eq!(FiscalEvent::decode(&with_people), Ok(Some(FiscalEvent::closed(samples::approved()))));
    assert_eq!(FiscalEvent::closed(samples::approved()).encode(), Ok(with_people));
    assert_eq!(FiscalEvent::closed(samples::sale()).encode(), Ok(sale.clone()), "without people as ever");
    let no_sale = RawEvent { kind: 3, version: 1, body: committed("no_sale_v1") };
    assert_eq!(FiscalEvent::decode(&no_sale), Ok(Some(FiscalEvent::NoSale(Box::new(samples::no_sale())))));
    let voided = RawEvent { kind: 4, version: 1, body: committed("ticket_voided_v1") };
    assert_eq!(FiscalEvent::decode(&voided), Ok(Some(FiscalEvent::TicketVoided(Box::new(samples::voided())))));
    let newer = RawEvent { version: 3, ..sale };
    assert_eq!(FiscalEvent::decode(&newer), Ok(None), "a newer version is kept, not refused");
}

#[test]
fn collections_keep_their_bytes() {
    holds("catalogue", &samples::catalogue());
    holds("catalogue_delta", &samples::delta());
    holds("shop_settings", &samples::settings());
    holds("staff", &samples::staff());
    let deliveries = [
        ("delivery_catalogue", Delivery::Catalogue(samples::catalogue())),
        ("delivery_catalogue_delta", Delivery::CatalogueDelta(samples::delta())),
        ("delivery_shop", Delivery::Shop(samples::settings())),
        ("delivery_staff", Delivery::Staff(samples::staff())),
    ];
    for (name, delivery) in deliveries {
        let fresh = delivery.to_bytes().unwrap();
        write_if_new(name, &fresh);
        let old = committed(name);
        assert_eq!(Delivery::from_bytes(&old).as_ref(), Ok(&delivery), "{name} reads as something else");
        assert_eq!(to_hex(&fresh), to_hex(&old), "{name} is written differently");
    }
}

/// The old tickets still come to what their lanes counted.
#[test]
fn old_tickets_recount_to_the_same_figures() {
    for ticket in [samples::sale(), samples::returned()] {
        assert_eq!(ticket.recount(), Ok((ticket.totals.clone(), ticket.settlement)));
    }
    assert_eq!(samples::sale().totals.total.minor(), 4_367);
    assert_eq!(samples::returned().totals.total.minor(), -839);
}

/// That the check can fail: one field more, one less, two exchanged.
#[test]
fn a_changed_struct_does_not_read_the_old_bytes() {
    use protocol::event::{Occurrence, WriteOffLine};
    use protocol::id::{LaneId, PersonId};
    type Hashes = ([u8; 32], [u8; 32]);
    type Longer = (LaneId, Option<PersonId>, Occurrence, String, Option<String>, Vec<WriteOffLine>, String, Hashes, u8);
    type Shorter = (LaneId, Option<PersonId>, Occurrence, String, Vec<WriteOffLine>, String, Hashes);
    type Exchanged = (LaneId, Option<PersonId>, Occurrence, Option<String>, String, Vec<WriteOffLine>, String, Hashes);
    type Same = (LaneId, Option<PersonId>, Occurrence, String, Option<String>, Vec<WriteOffLine>, String, Hashes);
    fn reads<T: DeserializeOwned>(bytes: &[u8]) -> bool {
        postcard::take_from_bytes::<T>(bytes).is_ok_and(|(_, rest)| rest.is_empty())
    }
    let old = committed("stock_written_off_v1");
    assert!(reads::<Same>(&old));
    assert!(!reads::<Longer>(&old) && !reads::<Shorter>(&old) && !reads::<Exchanged>(&old));
}
