//! Receipts as they come out of layout and codec: by example, and for any content at all.

use firmware_config::peripheral::CodePage;
use proptest::prelude::*;
use protocol::event::{StaffMark, TicketClosedV2};
use protocol::id::StaffId;
use protocol::money::{Amount, Currency, decimal_text};
use protocol::price::UnitPrice;
use protocol::quantity::Quantity;
use protocol::tax::{Percent, TaxRate};
use protocol::ticket::{Discount, Settlement, Tender, TenderKind, TicketKind};

use super::content::{ContentLine, ContentTax, Times};
use super::escpos::{EscposProfile, encode};
use super::samples::{position, sale, settings};
use super::{Paper, Receipt, ReceiptContent, Row, lay_out};
use crate::core::lane::receipt::RecordName;

/// Rung by Ben.
fn sold() -> TicketClosedV2 {
    let ben = StaffMark { id: StaffId::from_uuid(uuid::Uuid::nil()), name: "Ben".into() };
    TicketClosedV2 { cashier: Some(ben), ..sale().into() }
}

fn content(copy: bool) -> ReceiptContent {
    ReceiptContent::of(position(), &sold(), &settings(), "2", copy).unwrap()
}

fn paper(columns: u8) -> Paper {
    Paper { columns, code_page: CodePage::Cp858 }
}

/// As a person would see it: wide characters with a space after each, the middle found.
fn shown(receipt: &Receipt) -> String {
    let rows = receipt.rows.iter().map(|row| match row {
        Row::Text(text) => {
            let wide: String = text.text.chars().flat_map(|c| [c, ' ']).collect();
            let line = if text.style.wide { wide.trim_end() } else { text.text.as_str() };
            let before = match text.align {
                super::Align::Left => 0,
                super::Align::Centre => (usize::from(receipt.paper.columns) - text.columns()) / 2,
            };
            format!("{}{line}", " ".repeat(before)).trim_end().to_owned()
        }
        Row::Qr(qr) => format!("[{}]", qr.text),
        Row::Feed(lines) => "\n".repeat(usize::from(*lines) - 1),
    });
    rows.collect::<Vec<String>>().join("\n")
}

#[test]
fn a_sale_on_wide_paper() {
    let receipt = lay_out(&content(false), &paper(48));
    assert_eq!(shown(&receipt), include_str!("samples/sale-48.txt").trim_end(), "\n{}", shown(&receipt));
    assert_eq!(receipt.unprintable, 0);
}

#[test]
fn a_copy_on_narrow_paper() {
    let receipt = lay_out(&content(true), &paper(32));
    assert_eq!(shown(&receipt), include_str!("samples/copy-32.txt").trim_end(), "\n{}", shown(&receipt));
}

#[test]
fn a_late_return_says_both_times_and_what_is_given_back() {
    let mut content = content(false);
    content.kind = TicketKind::Return;
    content.times.entered_at = Some("2026-11-22T09:12:00".parse().unwrap());
    content.reference = Some("pad 17".into());
    content.lines.truncate(1);
    content.lines[0].quantity = Quantity::from_milli(-2_000).unwrap();
    content.lines[0].unit_price = None;
    let text = shown(&lay_out(&content, &paper(42)));
    for expected in ["RETURN", "LATE ENTRY        written 2026-11-22 09:12", "Reference ", "  2 returned"] {
        assert!(text.contains(expected), "{expected:?} in\n{text}");
    }
    assert!(!text.contains("COPY"), "{text}");
}

#[test]
fn a_voided_line_is_not_printed_and_a_record_gives_the_same_paper() {
    let closed = sold();
    let event = protocol::event::FiscalEvent::closed(closed.clone()).encode().unwrap();
    let at = position();
    let name = (at.node, at.term, at.seq);
    let content = ReceiptContent::of_record(name, &event, &settings(), "2", false).unwrap();
    assert_eq!(content, ReceiptContent::of(content.position, &closed, &settings(), "2", false).unwrap());
    assert!(!shown(&lay_out(&content, &paper(48))).contains("mistake"));
    let answered = RecordName::new(at.node, at.term, at.seq, &event);
    assert_eq!(content.position.hash.to_string(), answered.hash, "paper and terminal show the same fingerprint");
}

#[test]
fn a_lane_where_nobody_signs_in_prints_no_cashier() {
    let content = ReceiptContent::of(position(), &sale().into(), &settings(), "2", false).unwrap();
    assert!(!shown(&lay_out(&content, &paper(48))).contains("Cashier"));
}

#[test]
fn an_unknown_zone_is_told_in_utc() {
    let mut closed = sold();
    closed.closed.occurred.zone = "Mars/Olympus".into();
    let content = ReceiptContent::of(position(), &closed, &settings(), "2", false).unwrap();
    assert!(content.times.utc);
    assert!(shown(&lay_out(&content, &paper(48))).contains(" UTC"));
}

fn any_amount() -> impl Strategy<Value = Amount> {
    let limit = protocol::limits::AMOUNT_MINOR;
    prop_oneof![-5_000_i64..100_000, -limit..=limit].prop_map(|minor| Amount::from_minor(minor).unwrap())
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z ]{0,60}",
        "\\PC{0,100}",
        "[\\x00-\\x1f\\x7f-\\x9f@EVp\\(k]{0,40}",
        Just("\u{1b}@\u{1d}V\0\u{10}\u{14}\u{1}\0\u{8}\u{1b}p\0\u{19}".to_owned()),
        "[x]{0,300}",
    ]
}

fn any_discount() -> impl Strategy<Value = Option<(Discount, Amount)>> {
    let percent = (0_u32..=1_000_000).prop_map(|ppm| Discount::Percent(Percent::from_ppm(ppm).unwrap()));
    let kind = prop_oneof![percent, any_amount().prop_map(|amount| Discount::Amount(amount.abs()))];
    prop::option::of((kind, any_amount()))
}

fn any_rate() -> impl Strategy<Value = TaxRate> {
    (0_u32..=10_000_000).prop_map(|ppm| TaxRate::from_ppm(ppm).unwrap())
}

fn any_line() -> impl Strategy<Value = ContentLine> {
    let quantity = (-1_000_000_000_i64..1_000_000_000).prop_map(|milli| Quantity::from_milli(milli).unwrap());
    let price = (0_i64..=100_000_000_000).prop_map(|e4| UnitPrice::from_e4(e4).unwrap());
    (any_text(), quantity, prop::option::of(price), any_amount(), any_discount(), any_rate()).prop_map(
        |(description, quantity, unit_price, gross, discount, rate)| ContentLine {
            description,
            quantity,
            unit_price,
            gross,
            discount,
            rate,
        },
    )
}

fn any_tender() -> impl Strategy<Value = Tender> {
    let kind = prop_oneof![Just(TenderKind::Cash), Just(TenderKind::CardRecorded)];
    (kind, any_amount(), prop::option::of(any_text())).prop_map(|(kind, amount, reference)| Tender {
        kind,
        amount,
        reference,
    })
}

fn any_tax() -> impl Strategy<Value = ContentTax> {
    (any_rate(), any_amount(), any_amount(), any_amount()).prop_map(|(rate, net, tax, gross)| ContentTax {
        rate,
        net,
        tax,
        gross,
    })
}

prop_compose! {
    fn any_content()(
        copy in any::<bool>(),
        cashier in prop::option::of(any_text()),
        (shop, lane, reference) in (any_text(), any_text(), prop::option::of(any_text())),
        shop_lines in prop::collection::vec(any_text(), 0..3),
        lines in prop::collection::vec(any_line(), 0..6),
        discount in any_discount(),
        (subtotal, tax_on_top, total) in (any_amount(), prop::option::of(any_amount()), any_amount()),
        taxes in prop::collection::vec(any_tax(), 0..4),
        tenders in prop::collection::vec(any_tender(), 0..4),
        (rounding, paid, change) in (any_amount(), any_amount(), any_amount()),
        currency in prop_oneof![Just("GBP"), Just("JPY"), Just("KWD")],
        late in any::<bool>(),
    ) -> ReceiptContent {
        let at: jiff::civil::DateTime = "2026-11-21T14:32:07".parse().unwrap();
        let times = Times { at, entered_at: late.then_some(at), ..content(false).times };
        let currency: Currency = currency.parse().unwrap();
        ReceiptContent {
            copy, position: position(), shop, shop_lines, kind: TicketKind::Sale, lane, cashier, times, reference,
            currency, lines, subtotal, discount, tax_on_top, total, taxes, tenders,
            settlement: Settlement { rounding, paid, change },
        }
    }
}

/// Every amount that must be readable on the paper.
fn amounts(content: &ReceiptContent) -> Vec<Amount> {
    let shown = |amount: Amount| (amount != Amount::ZERO).then_some(amount);
    let lines = content.lines.iter().flat_map(|l| [Some(l.gross), l.discount.map(|(_, off)| off.negated())]);
    let taxes = content.taxes.iter().flat_map(|tax| [Some(tax.net), Some(tax.tax), Some(tax.gross)]);
    let rest = [Some(content.total), shown(content.settlement.rounding), shown(content.settlement.change)];
    let tenders = content.tenders.iter().map(|tender| Some(tender.amount));
    lines.chain(taxes).chain(rest).chain(tenders).flatten().collect()
}

/// Reads bytes strictly: only the commands that a receipt may contain, and characters. Returns the text and the
/// number of cuts.
fn strictly(bytes: &[u8]) -> Result<(usize, usize), String> {
    let (mut at, mut characters, mut cuts) = (0, 0, 0);
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        at += match rest {
            [0x1b, b'@', ..] if at == 0 => 2,
            [0x1b, b'R', 0, ..] | [0x1b, b't', 0 | 16 | 19, ..] if at < 8 => 3,
            [0x1b, b'a', 0 | 1, ..] | [0x1b, b'E', 0 | 1, ..] | [0x1d, b'!', 0 | 1 | 0x11, ..] => 3,
            [0x1b, b'd', 1..=9, ..] => 3,
            [0x1d, b'(', b'k', low, high, 49, ..] => 5 + usize::from(u16::from_le_bytes([*low, *high])),
            [0x1d, b'V', 66, 0] => {
                cuts += 1;
                4
            }
            [0x0a, ..] => 1,
            [0x20..=0x7e | 0x80.., ..] => {
                characters += 1;
                1
            }
            other => return Err(format!("at {at}: {:x?}", other.iter().take(8).collect::<Vec<_>>())),
        };
    }
    Ok((characters, cuts))
}

proptest! {
    #[test]
    fn no_content_exceeds_the_paper_breaks_an_amount_or_reaches_the_printer_as_a_command(
        content in any_content(),
        columns in prop_oneof![Just(32_u8), Just(42), Just(48)],
        code_page in prop_oneof![Just(CodePage::Cp437), Just(CodePage::Cp858), Just(CodePage::Wpc1252)],
        cut in any::<bool>(),
    ) {
        let receipt = lay_out(&content, &Paper { columns, code_page });
        let texts: Vec<&super::TextRow> = receipt.rows.iter().filter_map(|row| match row {
            Row::Text(text) => Some(text),
            Row::Qr(_) | Row::Feed(_) => None,
        }).collect();
        for row in &texts {
            prop_assert!(row.columns() <= usize::from(columns), "{row:?}");
        }
        for amount in amounts(&content) {
            let whole = decimal_text(amount.minor(), content.currency.exponent());
            let found = texts.iter().any(|row| row.text.split_whitespace().any(|word| word == whole));
            prop_assert!(found, "{whole} in\n{}", shown(&receipt));
        }
        let marks = texts.iter().filter(|row| row.text == "* COPY *").count();
        let copies = if content.copy { 2 } else { 0 };
        prop_assert!(marks >= copies);
        let bytes = encode(&receipt, &EscposProfile { cut, ..EscposProfile::default() });
        let characters: usize = texts.iter().map(|row| row.text.chars().count()).sum();
        prop_assert_eq!(strictly(&bytes), Ok((characters, usize::from(cut))));
    }
}
