//! Receipts for the tests of this room.

use protocol::business_day::BusinessDate;
use protocol::collection::{ShopSettings, Version};
use protocol::event::{Occurrence, TicketClosedV1, VoidedLine};
use protocol::id::{LaneId, NodeId, Seq, ShopId, Term, TicketId};
use protocol::money::{Amount, Currency};
use protocol::receipt::{Fingerprint, ReceiptRef};
use protocol::tax::{TaxBasis, TaxMode, TaxRate};
use protocol::ticket::{Discount, Line, Pricing, Tender, TenderKind, TicketKind, fold, settle};
use protocol::timestamp::Timestamp;
use uuid::Uuid;

pub fn settings() -> ShopSettings {
    ShopSettings {
        version: Version(1),
        shop: ShopId::from_uuid(Uuid::nil()),
        name: "Hill & Dale Grocers".into(),
        zone: "Europe/London".into(),
        day_starts_minutes: 0,
        currency: Currency::GBP,
        tax_mode: TaxMode::Inclusive,
        tax_basis: TaxBasis::PerReceipt,
        cash_step: 5,
        late_entry: true,
        open_line_tax_rate: TaxRate::ZERO,
    }
}

pub fn position() -> ReceiptRef {
    let node = NodeId::from_uuid(Uuid::from_u128(0x0192_f0c4_1234_7abc_8def_0123_4567_89ab));
    ReceiptRef {
        node,
        term: Term(1),
        seq: Seq(1_234),
        hash: Fingerprint::from_bytes(*b"\x74\xb7\x19\x80\x53\xfa\xa6\x7a"),
    }
}

pub fn line(line_no: u16, description: &str, quantity: &str, price: &str, rate: &str) -> Line {
    Line {
        line_no,
        code: Some(format!("C{line_no}")),
        description: description.into(),
        quantity: quantity.parse().unwrap(),
        unit_price: price.parse().unwrap(),
        pricing: Pricing::Book,
        discount: None,
        tax_rate: TaxRate::from_percent(rate).unwrap(),
        original: None,
    }
}

/// A sale with all there is: three rates, both discounts, a weighed article, a voided line, card and cash, rounding.
pub fn sale() -> TicketClosedV1 {
    let settings = settings();
    let mut wine = line(3, "Rioja Reserva 2019", "2", "12.49", "20");
    wine.discount = Some(Discount::Percent("10".parse().unwrap()));
    let lines = vec![
        line(1, "Wholemeal loaf 800 g, stone-ground and baked on the premises this morning", "1", "2.80", "0"),
        line(2, "Mature cheddar", "0.452", "11.90", "0"),
        wine,
        line(5, "Heating logs, net of 20", "1", "6.95", "5"),
    ];
    let discount = Some(Discount::Amount(Amount::from_minor(150).unwrap()));
    let terms = settings.terms();
    let totals = fold(&terms, TicketKind::Sale, &lines, discount).unwrap();
    let tender = |kind, minor, reference: Option<&str>| Tender {
        kind,
        amount: Amount::from_minor(minor).unwrap(),
        reference: reference.map(str::to_owned),
    };
    let tenders =
        vec![tender(TenderKind::CardRecorded, 2_000, Some("slip 4711")), tender(TenderKind::Cash, 2_000, None)];
    TicketClosedV1 {
        ticket: TicketId::from_uuid(Uuid::nil()),
        kind: TicketKind::Sale,
        lane: LaneId::from_uuid(Uuid::nil()),
        cashier: None,
        shift: None,
        opened_at: Timestamp(1_795_270_000_000),
        occurred: Occurrence {
            at: Timestamp(1_795_271_527_000),
            recorded_at: Timestamp(1_795_271_527_000),
            late_entry: false,
            business_date: BusinessDate::from_date(jiff::civil::date(2026, 11, 21)),
            zone: settings.zone,
            day_starts_minutes: 0,
            day_rule: 1,
        },
        reference: None,
        terms,
        settlement: settle(&terms, totals.total, &tenders).unwrap(),
        lines,
        voided: vec![VoidedLine { line: line(4, "Rung by mistake", "1", "99", "20"), at: Timestamp(0), reason: None }],
        ticket_discount: discount,
        totals,
        tenders,
        idempotency_key: "k".into(),
        request_hash: [0; 32],
        reply_hash: [0; 32],
    }
}
