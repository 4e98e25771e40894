//! Events at their limits: what is too large, beyond a number's limit or of a newer build.
#![allow(clippy::unwrap_used, reason = "a test that stops at the first surprise")]

#[allow(dead_code, reason = "other tests use the rest")]
mod samples;

use protocol::event::{EventError, FiscalEvent, RawEvent, StockWrittenOffV1, TicketClosedV1, kind};
use protocol::limits;

#[test]
fn an_event_over_the_limit_is_neither_written_nor_read() {
    let over = RawEvent { kind: kind::TICKET_CLOSED, version: 1, body: vec![0; limits::EVENT_BYTES + 1] };
    assert_eq!(over.decode::<TicketClosedV1>(), Err(EventError::TooLarge { bytes: limits::EVENT_BYTES + 1 }));
    let endless = "x".repeat(limits::EVENT_BYTES);
    let too_long = StockWrittenOffV1 { reason: endless, ..samples::write_off() };
    let refused = FiscalEvent::StockWrittenOff(Box::new(too_long)).encode();
    assert!(matches!(refused, Err(EventError::TooLarge { .. })));
}

#[test]
fn numbers_beyond_the_limits_do_not_come_in_by_bytes() {
    let body = postcard::to_stdvec(&samples::write_off()).unwrap();
    let quantity = postcard::to_stdvec(&10_000_i64).unwrap();
    let at = body.windows(quantity.len()).rposition(|window| window == quantity).unwrap();
    let (head, tail) = body.split_at(at);
    let beyond = postcard::to_stdvec(&(limits::QUANTITY_MILLI + 1)).unwrap();
    let forged = [head, &beyond, tail.get(quantity.len()..).unwrap()].concat();
    let forged = RawEvent { kind: kind::STOCK_WRITTEN_OFF, version: 1, body: forged };
    assert!(matches!(FiscalEvent::decode(&forged), Err(EventError::Malformed { .. })));
}

#[test]
fn kinds_of_a_newer_build_are_kept() {
    for (kind, version) in [(5, 1), (1, 3), (999, 0), (u16::MAX, u8::MAX)] {
        assert_eq!(FiscalEvent::decode(&RawEvent { kind, version, body: vec![0xff; 100] }), Ok(None));
    }
}

/// The largest ticket there may be fits into an event.
#[test]
fn a_ticket_of_the_most_lines_fits() {
    let mut ticket = samples::sale();
    let line = ticket.lines.first().unwrap().clone();
    let count = u16::try_from(limits::TICKET_LINES).unwrap();
    ticket.lines = (1..=count).map(|no| protocol::ticket::Line { line_no: no, ..line.clone() }).collect();
    ticket.ticket_discount = None;
    ticket.totals = protocol::ticket::fold(&ticket.terms, ticket.kind, &ticket.lines, None).unwrap();
    let raw = FiscalEvent::closed(ticket.clone()).encode().unwrap();
    assert!(raw.body.len() < limits::EVENT_BYTES / 2, "{} bytes", raw.body.len());
    assert_eq!(FiscalEvent::decode(&raw), Ok(Some(FiscalEvent::closed(ticket))));
}
