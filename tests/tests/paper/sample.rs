//! A receipt as a shop would hand it out: three tax rates, a weighed article, both discounts, card and cash.

use edge_agent::receipt::ReceiptContent;
use protocol::business_day::BusinessDate;
use protocol::collection::{ShopSettings, Version};
use protocol::event::{FiscalEvent, Occurrence, TicketClosedV1};
use protocol::id::{LaneId, NodeId, Seq, ShopId, Term, TicketId};
use protocol::money::{Amount, Currency};
use protocol::tax::{TaxBasis, TaxMode, TaxRate};
use protocol::ticket::{Discount, Line, Pricing, Tender, TenderKind, TicketKind, fold, settle};
use protocol::timestamp::Timestamp;
use uuid::Uuid;

fn settings() -> ShopSettings {
    ShopSettings {
        version: Version(1),
        shop: ShopId::from_uuid(Uuid::nil()),
        name: "Hill & Dale Grocers".into(),
        zone: "Europe/London".into(),
        day_starts_minutes: 240,
        currency: Currency::GBP,
        tax_mode: TaxMode::Inclusive,
        tax_basis: TaxBasis::PerReceipt,
        cash_step: 5,
        late_entry: true,
        open_line_tax_rate: TaxRate::ZERO,
    }
}

fn line(line_no: u16, description: &str, quantity: &str, price: &str, rate: &str) -> Line {
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

fn tender(kind: TenderKind, minor: i64, reference: Option<&str>) -> Tender {
    Tender { kind, amount: Amount::from_minor(minor).unwrap(), reference: reference.map(str::to_owned) }
}

/// The receipt, out of its record.
pub fn content(copy: bool) -> ReceiptContent {
    let settings = settings();
    let mut wine = line(3, "Rioja Reserva 2019, 75 cl", "2", "12.49", "20");
    wine.discount = Some(Discount::Percent("10".parse().unwrap()));
    let lines = vec![
        line(1, "Wholemeal loaf 800 g, stone-ground and baked this morning", "1", "2.80", "0"),
        line(2, "Mature Cheddar", "0.452", "11.90", "0"),
        wine,
        line(4, "Crème brûlée, two pots", "1", "3.95", "0"),
        line(6, "Kiln-dried logs, net of 20", "1", "6.95", "5"),
    ];
    let discount = Some(Discount::Amount(Amount::from_minor(150).unwrap()));
    let terms = settings.terms();
    let totals = fold(&terms, TicketKind::Sale, &lines, discount).unwrap();
    let tenders =
        vec![tender(TenderKind::CardRecorded, 2_000, Some("slip 4711")), tender(TenderKind::Cash, 2_500, None)];
    let at = Timestamp(1_795_271_527_000);
    let closed = TicketClosedV1 {
        ticket: TicketId::from_uuid(Uuid::nil()),
        kind: TicketKind::Sale,
        lane: LaneId::from_uuid(Uuid::nil()),
        cashier: None,
        shift: None,
        opened_at: at,
        occurred: Occurrence {
            at,
            recorded_at: at,
            late_entry: false,
            business_date: BusinessDate::from_date(jiff::civil::date(2026, 11, 21)),
            zone: settings.zone.clone(),
            day_starts_minutes: settings.day_starts_minutes,
            day_rule: 1,
        },
        reference: None,
        terms,
        settlement: settle(&terms, totals.total, &tenders).unwrap(),
        lines,
        voided: Vec::new(),
        ticket_discount: discount,
        totals,
        tenders,
        idempotency_key: "receipt".into(),
        request_hash: [0; 32],
        reply_hash: [0; 32],
    };
    let record = FiscalEvent::closed(closed).encode().unwrap();
    let node = NodeId::from_uuid(Uuid::from_u128(0x0192_f0c4_1234_7abc_8def_0123_4567_89ab));
    ReceiptContent::of_record((node, Term(1), Seq(1_234)), &record, &settings, "2", copy).unwrap()
}
