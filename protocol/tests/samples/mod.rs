//! Values that fill every field and every variant of the frozen shapes, always the same.

use protocol::business_day::RULE_VERSION;
use protocol::collection::{Catalogue, CatalogueDelta, Product, ShopSettings, Unit, Version};
use protocol::event::{
    Approval, Approved, NoSaleV1, Occurrence, StaffMark, StockWrittenOffV1, TicketClosedV1, TicketClosedV2,
    TicketVoidedV1, VoidedLine, WriteOffLine,
};
use protocol::money::Amount;
use protocol::staff::{DiscountLimit, PinVerifier, Rights, Staff, StaffMember, StaffPolicy};
use protocol::tax::{Percent, TaxBasis, TaxMode, TaxRate};
use protocol::ticket::{
    Discount, GivenBack, Line, Original, Pricing, Tender, TenderKind, Terms, TicketKind, fold, settle,
};
use protocol::timestamp::Timestamp;

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(last: u8) -> T {
    format!("0190a1b2-c3d4-7e5f-8a6b-0000000000{last:02x}").parse().unwrap()
}

fn minor(minor: i64) -> Amount {
    Amount::from_minor(minor).unwrap()
}

fn percent(text: &str) -> Option<Discount> {
    Some(Discount::Percent(text.parse::<Percent>().unwrap()))
}

fn rate(ppm: u32) -> TaxRate {
    TaxRate::from_ppm(ppm).unwrap()
}

fn occurred(late_entry: bool) -> Occurrence {
    Occurrence {
        at: Timestamp(1_291_191_960_000),
        recorded_at: Timestamp(1_291_191_960_123),
        late_entry,
        business_date: "2010-12-01".parse().unwrap(),
        zone: "Europe/London".into(),
        day_starts_minutes: 240,
        day_rule: RULE_VERSION,
    }
}

fn terms() -> Terms {
    Terms {
        arithmetic: 1,
        currency: "CHF".parse().unwrap(),
        tax_mode: TaxMode::Inclusive,
        tax_basis: TaxBasis::PerReceipt,
        cash_step: 5,
    }
}

fn line(line_no: u16, quantity: &str, unit_price: &str) -> Line {
    Line {
        line_no,
        code: Some("85123A".into()),
        description: "WHITE HANGING HEART T-LIGHT HOLDER \u{1780}".into(),
        quantity: quantity.parse().unwrap(),
        unit_price: unit_price.parse().unwrap(),
        pricing: Pricing::Book,
        discount: None,
        tax_rate: rate(77_000),
        original: None,
    }
}

fn lines() -> Vec<Line> {
    vec![
        Line { discount: percent("10"), ..line(1, "6", "2.55") },
        Line { pricing: Pricing::Override { book: "3.3900".parse().unwrap() }, ..line(3, "1.250", "3.1234") },
        Line {
            code: None,
            description: "POSTAGE".into(),
            pricing: Pricing::Open,
            discount: Some(Discount::Amount(minor(150))),
            tax_rate: rate(25_000),
            ..line(4, "1", "28")
        },
    ]
}

/// A sale with every kind of price, discount and tender.
pub fn sale() -> TicketClosedV1 {
    let tenders = vec![
        Tender { kind: TenderKind::CardRecorded, amount: minor(2_000), reference: Some("SLIP 4711".into()) },
        Tender { kind: TenderKind::Cash, amount: minor(5_000), reference: None },
    ];
    let voided =
        VoidedLine { line: line(2, "1", "7.65"), at: Timestamp(1_291_191_950_000), reason: Some("rung twice".into()) };
    ticket(TicketKind::Sale, terms(), lines(), vec![voided], Some(Discount::Amount(minor(50))), tenders)
}

/// A return: some goods of [`sale`], refunded in cash.
pub fn returned() -> TicketClosedV1 {
    let sold = sale();
    let (line, totals) = (sold.lines.first().unwrap(), sold.totals.lines.first().unwrap());
    let mut before = GivenBack::default();
    let first = Original::of_receipt(sold.ticket, (&sold.terms, line, totals), &terms(), &before).unwrap();
    let bring = |original, quantity: &str| Line {
        quantity: quantity.parse().unwrap(),
        discount: None,
        original: Some(original),
        ..line.clone()
    };
    let one = fold(&terms(), TicketKind::Return, &[bring(first, "-2")], None).unwrap();
    before.add(&terms(), "-2".parse().unwrap(), one.lines.first().unwrap()).unwrap();
    let second = Original::of_receipt(sold.ticket, (&sold.terms, line, totals), &terms(), &before).unwrap();
    let lines = vec![bring(second, "-3"), Line { line_no: 2, ..self::line(2, "-1", "1.60") }];
    let tenders = vec![Tender { kind: TenderKind::Cash, amount: minor(-840), reference: None }];
    ticket(TicketKind::Return, terms(), lines, Vec::new(), percent("0.5"), tenders)
}

fn ticket(
    kind: TicketKind,
    terms: Terms,
    lines: Vec<Line>,
    voided: Vec<VoidedLine>,
    ticket_discount: Option<Discount>,
    tenders: Vec<Tender>,
) -> TicketClosedV1 {
    let totals = fold(&terms, kind, &lines, ticket_discount).unwrap();
    let settlement = settle(&terms, totals.total, &tenders).unwrap();
    let sale = kind == TicketKind::Sale;
    TicketClosedV1 {
        ticket: id(if sale { 1 } else { 2 }),
        kind,
        lane: id(3),
        cashier: sale.then(|| id(4)),
        shift: sale.then(|| id(5)),
        opened_at: Timestamp(1_291_191_900_000),
        occurred: occurred(sale),
        reference: sale.then(|| "536365".into()),
        terms,
        lines,
        voided,
        ticket_discount,
        totals,
        tenders,
        settlement,
        idempotency_key: "lane-1-000042".into(),
        request_hash: [0x11; 32],
        reply_hash: [0x22; 32],
    }
}

fn mark(last: u8, name: &str) -> StaffMark {
    StaffMark { id: id(last), name: name.into() }
}

fn approval(what: Approved) -> Approval {
    let (approver, cashier) = (mark(7, "Nora"), Some(mark(6, "Ben")));
    Approval { what, approver, cashier, reason: "customer changed her mind".into(), at: Timestamp(1_291_191_955_000) }
}

/// Everything that can be approved.
fn approvals() -> Vec<Approval> {
    let amount = minor(765);
    let all = [
        Approved::VoidLine { line_no: 2, amount },
        Approved::ReduceLine { line_no: 1, before: "8".parse().unwrap(), amount },
        Approved::VoidTicket { amount },
        Approved::Refund { amount },
        Approved::NoSale,
        Approved::Discount { line_no: Some(1), ppm: 100_000, amount },
        Approved::Discount { line_no: None, ppm: 1_000_000, amount },
        Approved::LateEntry,
    ];
    all.into_iter().map(approval).collect()
}

/// A sale with people.
pub fn approved() -> TicketClosedV2 {
    TicketClosedV2 { closed: sale(), cashier: Some(mark(6, "Ben")), approvals: approvals() }
}

/// A drawer that was opened.
pub fn no_sale() -> NoSaleV1 {
    NoSaleV1 {
        lane: id(3),
        cashier: Some(mark(6, "Ben")),
        approval: Some(approval(Approved::NoSale)),
        occurred: occurred(false),
        reason: "change for the phone box".into(),
        idempotency_key: "lane-1-000044".into(),
        request_hash: [0x55; 32],
        reply_hash: [0x66; 32],
    }
}

/// A ticket that was given up.
pub fn voided() -> TicketVoidedV1 {
    let sale = sale();
    TicketVoidedV1 {
        ticket: sale.ticket,
        kind: sale.kind,
        lane: sale.lane,
        cashier: None,
        approvals: approvals(),
        opened_at: sale.opened_at,
        occurred: sale.occurred,
        reference: sale.reference,
        terms: sale.terms,
        lines: sale.lines,
        voided: sale.voided,
        ticket_discount: sale.ticket_discount,
        reason: Some("no money".into()),
        revision: 9,
        idempotency_key: "lane-1-000045".into(),
        request_hash: [0x77; 32],
        reply_hash: [0x88; 32],
    }
}

/// People of a shop, with every kind of limit.
pub fn staff() -> Staff {
    let member = |last, name: &str, rights, discount, pin| StaffMember {
        id: id(last),
        name: format!("{name} EXAMPLE"),
        short_name: name.into(),
        rights: Rights(rights),
        discount,
        pin,
    };
    let verifier = PinVerifier { scheme: 1, salt: [0x99; 16], hash: [0xaa; 32] };
    let small = DiscountLimit { ppm: Some(50_000), amount: Some(minor(500)) };
    Staff {
        version: Version(41),
        people: vec![
            member(6, "Ben", 0b1_0001, small, None),
            member(7, "Nora", u32::MAX, DiscountLimit::default(), Some(verifier)),
        ],
        policy: StaffPolicy {
            cashier_required: true,
            idle_minutes: 15,
            void_line_above: Some(Amount::ZERO),
            void_ticket_above: Some(minor(1_000)),
            refund_above: None,
            no_sale: true,
            discount_above: DiscountLimit { ppm: Some(300_000), amount: None },
        },
    }
}

/// Broken and lost goods.
pub fn write_off() -> StockWrittenOffV1 {
    let article = |code: &str, quantity: &str, value| WriteOffLine {
        code: code.into(),
        description: "damages".into(),
        quantity: quantity.parse().unwrap(),
        value,
    };
    StockWrittenOffV1 {
        lane: id(3),
        person: Some(id(4)),
        occurred: occurred(false),
        reason: "water damage".into(),
        reference: Some("536589".into()),
        lines: vec![article("21777", "10", Some(minor(7_950))), article("22145", "0.125", None)],
        idempotency_key: "lane-1-000043".into(),
        request_hash: [0x33; 32],
        reply_hash: [0x44; 32],
    }
}

fn product(code: &str, unit_price: &str, unit: Unit, barcodes: &[&str]) -> Product {
    Product {
        code: code.into(),
        description: format!("PRODUCT {code}"),
        unit_price: unit_price.parse().unwrap(),
        tax_rate: rate(200_000),
        unit,
        barcodes: barcodes.iter().map(|code| (*code).to_owned()).collect(),
    }
}

/// A product of every unit.
pub fn catalogue() -> Catalogue {
    let products = [
        product("85123A", "2.55", Unit::Piece, &["5012345678900", "X"]),
        product("85123a", "0.0005", Unit::Kilogram, &[]),
        product("CLOTH", "12.3456", Unit::Metre, &[]),
        product("OIL", "10000000", Unit::Litre, &[]),
    ];
    let products = products.into_iter().map(|product| (product.code.clone(), product)).collect();
    Catalogue { version: Version(42), products }
}

/// A step of it.
pub fn delta() -> CatalogueDelta {
    CatalogueDelta {
        from: Version(42),
        to: Version(300),
        upserts: vec![product("NEW", "1", Unit::Piece, &["5012345678917"])],
        removals: vec!["OIL".into()],
    }
}

/// A shop with every choice on its other side.
pub fn settings() -> ShopSettings {
    ShopSettings {
        version: Version(7),
        shop: id(6),
        name: "Riverside \u{1780}".into(),
        zone: "Asia/Phnom_Penh".into(),
        day_starts_minutes: 240,
        currency: "KHR".parse().unwrap(),
        tax_mode: TaxMode::Exclusive,
        tax_basis: TaxBasis::PerLine,
        cash_step: 10_000,
        late_entry: true,
        open_line_tax_rate: rate(100_000),
    }
}
