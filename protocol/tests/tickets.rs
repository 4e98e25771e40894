//! Tickets a person can check by hand, and everything that is refused, by its name.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that stops at the first surprise")]

use protocol::limits;
use protocol::money::{Amount, Currency, NumberError};
use protocol::quantity::Quantity;
use protocol::tax::{TaxBasis, TaxMode, TaxRate};
use protocol::ticket::{
    ARITHMETIC, Discount, GivenBack, Line, Original, Pricing, Terms, TicketError, TicketKind, fold, settle,
};

fn minor(minor: i64) -> Amount {
    Amount::from_minor(minor).unwrap()
}

fn milli(milli: i64) -> Quantity {
    Quantity::from_milli(milli).unwrap()
}

fn terms_with(tax_mode: TaxMode, tax_basis: TaxBasis) -> Terms {
    Terms { arithmetic: ARITHMETIC, currency: Currency::GBP, tax_mode, tax_basis, cash_step: 0 }
}

fn inclusive() -> Terms {
    terms_with(TaxMode::Inclusive, TaxBasis::PerReceipt)
}

fn line(line_no: u16, price: &str, quantity: &str) -> Line {
    Line {
        line_no,
        code: Some("85123A".into()),
        description: "WHITE HANGING HEART T-LIGHT HOLDER".into(),
        quantity: quantity.parse().unwrap(),
        unit_price: price.parse().unwrap(),
        pricing: Pricing::Book,
        discount: None,
        tax_rate: TaxRate::from_ppm(200_000).unwrap(),
        original: None,
    }
}

#[test]
fn figures_a_person_can_check() {
    // 3 x 0.005 = 0.015, half away from zero; 0.105 kg at 9.99 = 1.04895.
    let cases =
        [("0.005", "3", 2), ("0.005", "1", 1), ("9.99", "0.105", 105), ("2.55", "6", 1_530), ("0.0001", "1", 0)];
    for (price, quantity, gross) in cases {
        let totals = fold(&inclusive(), TicketKind::Sale, &[line(1, price, quantity)], None).unwrap();
        assert_eq!(totals.total.minor(), gross, "{price} x {quantity}");
    }
    // 10.00 and 5.00 less 10 % of the ticket: 13.50 with 2.25 of tax at 20 %; lines 9.00 (1.50) and 4.50 (0.75).
    let ten = Some(Discount::Percent("10".parse().unwrap()));
    let lines = [line(1, "10", "1"), line(2, "5", "1")];
    let totals = fold(&inclusive(), TicketKind::Sale, &lines, ten).unwrap();
    let got: Vec<(i64, i64)> = totals.lines.iter().map(|l| (l.net.minor(), l.tax.minor())).collect();
    assert_eq!((got, totals.total.minor(), totals.tax.minor()), (vec![(900, 150), (450, 75)], 1_350, 225));
    // A discount of 0.02 over three equal lines: the first two carry it.
    let lines = [line(1, "1", "1"), line(2, "1", "1"), line(3, "1", "1")];
    let totals = fold(&inclusive(), TicketKind::Sale, &lines, Some(Discount::Amount(minor(2)))).unwrap();
    assert_eq!(totals.lines.iter().map(|l| l.ticket_discount.minor()).collect::<Vec<_>>(), [1, 1, 0]);
    // Exclusive, three lines of 0.05 at 10 %: 0.02 once on the receipt (0.015), 0.03 line by line (0.005 each).
    let mut lines = [line(1, "0.05", "1"), line(2, "0.05", "1"), line(3, "0.05", "1")];
    lines.iter_mut().for_each(|line| line.tax_rate = TaxRate::from_percent("10").unwrap());
    let tax = |basis| fold(&terms_with(TaxMode::Exclusive, basis), TicketKind::Sale, &lines, None).unwrap().tax.minor();
    assert_eq!((tax(TaxBasis::PerReceipt), tax(TaxBasis::PerLine)), (2, 3));
}

#[test]
fn an_empty_ticket_comes_to_nothing() {
    let totals = fold(&inclusive(), TicketKind::Sale, &[], None).unwrap();
    assert_eq!((totals.total, totals.taxes.len()), (Amount::ZERO, 0));
    let percent = Some(Discount::Percent("100".parse().unwrap()));
    assert!(fold(&inclusive(), TicketKind::Sale, &[], percent).is_ok());
}

#[test]
fn nonsense_is_refused_by_name() {
    let sale = |lines: &[Line], discount| fold(&inclusive(), TicketKind::Sale, lines, discount).unwrap_err();
    let one = || line(1, "1", "1");
    let off = |minor_units| Some(Discount::Amount(minor(minor_units)));
    assert_eq!(sale(&[line(1, "1", "-1")], None), TicketError::WrongDirection(1));
    assert_eq!(sale(&[line(1, "1", "0")], None), TicketError::WrongDirection(1));
    assert_eq!(fold(&inclusive(), TicketKind::Return, &[one()], None), Err(TicketError::WrongDirection(1)));
    assert_eq!(sale(&[Line { discount: off(101), ..one() }], None), TicketError::DiscountTooLarge(1));
    let negative = TicketError::Line { line: 1, source: NumberError::Negative };
    assert_eq!(sale(&[Line { discount: off(-1), ..one() }], None), negative);
    assert_eq!(sale(&[one()], off(101)), TicketError::TicketDiscountTooLarge);
    assert_eq!(sale(&[one()], off(-1)), TicketError::Sum(NumberError::Negative));
    assert_eq!(sale(&[one(), one()], None), TicketError::LineOrder(1));
    assert_eq!(sale(&[line(0, "1", "1")], None), TicketError::LineOrder(0));
    let too_large = TicketError::Line { line: 1, source: NumberError::TooLarge };
    assert_eq!(sale(&[line(1, "9999999", "1000000")], None), too_large);
    let full = |no| line(no, "10000", "1000000");
    assert_eq!(sale(&[full(1), full(2)], None), TicketError::Sum(NumberError::TooLarge));
    let many: Vec<Line> = (1..=u16::try_from(limits::TICKET_LINES).unwrap() + 1).map(|no| line(no, "1", "1")).collect();
    assert_eq!(sale(&many, None), TicketError::TooMany("lines"));
    assert!(fold(&inclusive(), TicketKind::Sale, &many[1..], None).is_ok());
    let rate = |ppm| TaxRate::from_ppm(ppm).unwrap();
    let rates: Vec<Line> = (1..=33).map(|no| Line { tax_rate: rate(no.into()), ..line(no, "1", "1") }).collect();
    assert_eq!(sale(&rates, None), TicketError::TooMany("tax rates"));
    let newer = Terms { arithmetic: ARITHMETIC + 1, ..inclusive() };
    assert_eq!(fold(&newer, TicketKind::Sale, &[], None), Err(TicketError::UnknownArithmetic(2)));
    assert_eq!(settle(&newer, Amount::ZERO, &[]), Err(TicketError::UnknownArithmetic(2)));
}

#[test]
fn a_receipt_gives_back_no_more_than_it_sold() {
    let sold_line = line(3, "1.99", "3");
    let sold = fold(&inclusive(), TicketKind::Sale, std::slice::from_ref(&sold_line), None).unwrap();
    let ticket = "00000000-0000-4000-8000-000000000001".parse().unwrap();
    let terms = inclusive();
    let told = (&terms, &sold_line, &sold.lines[0]);
    let original = Original::of_receipt(ticket, told, &inclusive(), &GivenBack::default()).unwrap();
    let back = |no, quantity| Line { original: Some(original), line_no: no, ..line(no, "1.99", quantity) };
    let give = |lines: &[Line]| fold(&inclusive(), TicketKind::Return, lines, None);
    assert_eq!(give(&[back(1, "-3")]).unwrap().total.minor(), -597);
    assert_eq!(give(&[back(1, "-4")]), Err(TicketError::ReturnsTooMuch(1)));
    assert_eq!(give(&[back(1, "3")]), Err(TicketError::WrongDirection(1)));
    assert_eq!(give(&[back(1, "-1"), back(2, "-1")]), Err(TicketError::ReturnedTwice(2)));
    let discounted = Line { discount: Some(Discount::Amount(minor(1))), ..back(1, "-1") };
    assert_eq!(give(&[discounted]), Err(TicketError::DiscountOnReturn(1)));
    // A ticket discount touches only what is priced on the ticket.
    let exchange = [back(1, "-1"), line(2, "10", "1")];
    let half = Some(Discount::Percent("50".parse().unwrap()));
    assert_eq!(fold(&inclusive(), TicketKind::Sale, &exchange, half).unwrap().total.minor(), 500 - 199);
    let only_back = fold(&inclusive(), TicketKind::Sale, &exchange[..1], Some(Discount::Amount(minor(1))));
    assert_eq!(only_back, Err(TicketError::TicketDiscountTooLarge));
    // Forged pasts are refused.
    for forged in [
        Original { returned_quantity: milli(-1_000), ..original },
        Original { quantity: Quantity::ZERO, ..original },
        Original { returned_net: minor(598), ..original },
        Original { net: minor(-1), ..original },
    ] {
        assert!(give(&[Line { original: Some(forged), ..back(1, "-1") }]).is_err(), "{forged:?}");
    }
    // A return, or goods sold in other money, cannot come back.
    let yen = Terms { currency: "JPY".parse().unwrap(), ..inclusive() };
    let of = |sold: (&Terms, &Line, &_), now| Original::of_receipt(ticket, sold, now, &GivenBack::default());
    let returned = back(1, "-1");
    assert_eq!(of((&terms, &returned, &sold.lines[0]), &terms), Err(TicketError::WrongDirection(1)));
    assert!(matches!(of(told, &yen), Err(TicketError::OtherCurrency { .. })));
}
