//! Bytes that were cut, flipped, lengthened or made up: an error each, no panic, and no allocation beyond what the
//! bytes themselves can pay for. The only test of its
//! process, because it watches the process's memory.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that stops at the first surprise")]

#[allow(dead_code, reason = "other tests use the rest")]
mod samples;

use protocol::collection::Delivery;
use protocol::event::{EventError, FiscalEvent, RawEvent, kind};
use protocol::limits;

/// The most memory the process ever mapped, in bytes.
fn peak_mapped() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmPeak:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}

fn ticket(body: Vec<u8>) -> RawEvent {
    RawEvent { kind: kind::TICKET_CLOSED, version: 1, body }
}

fn malformed(raw: &RawEvent) -> bool {
    matches!(FiscalEvent::decode(raw), Err(EventError::Malformed { .. }))
}

/// Numbers that look like lengths no memory holds.
const HUGE: [&[u8]; 4] = [
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
];

#[test]
fn garbage_is_an_error_and_costs_no_memory() {
    let before = peak_mapped();
    let sale = FiscalEvent::closed(samples::sale()).encode().unwrap();
    let written_off = FiscalEvent::StockWrittenOff(Box::new(samples::write_off())).encode().unwrap();
    let approved = FiscalEvent::closed(samples::approved()).encode().unwrap();
    let no_sale = FiscalEvent::NoSale(Box::new(samples::no_sale())).encode().unwrap();
    let voided = FiscalEvent::TicketVoided(Box::new(samples::voided())).encode().unwrap();
    for whole in [&sale, &written_off, &approved, &no_sale, &voided] {
        for cut in 0..whole.body.len() {
            let part = RawEvent { body: whole.body.get(..cut).unwrap().to_vec(), ..whole.clone() };
            assert!(malformed(&part), "cut at {cut}");
            // A length in the wrong place.
            for huge in HUGE {
                let mut body = part.body.clone();
                body.extend_from_slice(huge);
                body.extend_from_slice(whole.body.get(cut..).unwrap());
                let _outcome = FiscalEvent::decode(&RawEvent { body, ..whole.clone() });
            }
        }
        let trailing = RawEvent { body: [whole.body.as_slice(), &[0]].concat(), ..whole.clone() };
        assert!(malformed(&trailing));
        for index in 0..whole.body.len() {
            for bit in 0..8 {
                let mut flipped = whole.clone();
                *flipped.body.get_mut(index).unwrap() ^= 1 << bit;
                // A flip may spell another value (the record's CRC tells); never a panic, never the same value.
                if let Ok(event) = FiscalEvent::decode(&flipped) {
                    assert_ne!(event, FiscalEvent::decode(whole).unwrap());
                }
            }
        }
    }
    assert!(malformed(&RawEvent { kind: kind::STOCK_WRITTEN_OFF, ..sale }));
    let catalogue = [Delivery::Catalogue(samples::catalogue()), Delivery::CatalogueDelta(samples::delta())];
    for delivery in catalogue.into_iter().chain([Delivery::Staff(samples::staff())]) {
        let bytes = delivery.to_bytes().unwrap();
        for at in 1..bytes.len() {
            for huge in HUGE {
                let (head, tail) = bytes.split_at(at);
                let _outcome = Delivery::from_bytes(&[head, huge, tail].concat());
            }
        }
    }
    // The largest body there may be, all of it lengths or the shortest lines there are.
    for filler in [0x00, 0x01, 0x7f, 0x80, 0xff] {
        assert!(malformed(&ticket(vec![filler; limits::EVENT_BYTES])));
    }
    let grown = peak_mapped() - before;
    println!("decoding garbage mapped {grown} bytes more");
    assert!(grown < 128 << 20, "decoding garbage mapped {grown} bytes");
    // That the watch sees an allocation nobody touches.
    let reserved = Vec::<u8>::with_capacity(256 << 20);
    assert!(peak_mapped() - before >= 128 << 20, "{} bytes reserved and not seen", reserved.capacity());
}
