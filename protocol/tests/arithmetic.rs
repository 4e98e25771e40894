//! What holds for every ticket: parts sum to wholes, a return mirrors a sale, partial returns sum to the receipt,
//! and no number from outside makes the arithmetic panic. The figures themselves are held by the corpus.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that stops at the first surprise")]

use proptest::prelude::*;
use protocol::id::TicketId;
use protocol::limits;
use protocol::money::{Amount, Currency};
use protocol::price::UnitPrice;
use protocol::quantity::Quantity;
use protocol::tax::{Percent, TaxBasis, TaxMode, TaxRate, tax_of};
use protocol::ticket::{
    ARITHMETIC, Discount, GivenBack, Line, Original, Pricing, Tender, TenderKind, Terms, TicketKind, Totals, due, fold,
    settle,
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

fn any_terms() -> impl Strategy<Value = Terms> {
    (any::<bool>(), any::<bool>(), prop::sample::select(vec!["GBP", "JPY", "KWD"]), 0..=100_u16).prop_map(
        |(inclusive, per_line, currency, cash_step)| Terms {
            currency: currency.parse().unwrap(),
            cash_step,
            ..terms_with(
                if inclusive { TaxMode::Inclusive } else { TaxMode::Exclusive },
                if per_line { TaxBasis::PerLine } else { TaxBasis::PerReceipt },
            )
        },
    )
}

fn any_discount() -> impl Strategy<Value = Option<Discount>> {
    prop_oneof![
        2 => Just(None),
        1 => (0..=1_000_000_u32).prop_map(|ppm| Some(Discount::Percent(Percent::from_ppm(ppm).unwrap()))),
        1 => (0..=300_i64).prop_map(|off| Some(Discount::Amount(minor(off)))),
    ]
}

/// Lines of a sale; a discount larger than its line is left away.
fn any_lines(terms: Terms) -> impl Strategy<Value = Vec<Line>> {
    let rate = prop::sample::select(vec![0_u32, 50_000, 88_750, 175_000, 200_000, 1_000_000]);
    let quantity = prop_oneof![(1..=20_i64).prop_map(|n| n * 1_000), 1..=9_999_i64];
    let price = prop_oneof![0..=1_000_000_i64, (0..=10_000_i64).prop_map(|n| n * 100), Just(50)];
    prop::collection::vec((price, quantity, rate, any_discount()), 1..12).prop_map(move |parts| {
        let made = parts.into_iter().enumerate().map(|(index, (e4, quantity, rate, discount))| {
            let mut line = line(u16::try_from(index).unwrap() + 1, "0", "1");
            line.unit_price = UnitPrice::from_e4(e4).unwrap();
            line.quantity = milli(quantity);
            line.tax_rate = TaxRate::from_ppm(rate).unwrap();
            line.discount = discount;
            if fold(&terms, TicketKind::Sale, std::slice::from_ref(&line), None).is_err() {
                line.discount = None;
            }
            line
        });
        made.collect()
    })
}

fn any_sale() -> impl Strategy<Value = (Terms, Vec<Line>, Option<Discount>)> {
    any_terms().prop_flat_map(|terms| (Just(terms), any_lines(terms), any_discount())).prop_map(
        |(terms, lines, discount)| {
            let fits = fold(&terms, TicketKind::Sale, &lines, discount).is_ok();
            (terms, lines, discount.filter(|_| fits))
        },
    )
}

/// Small numbers, any number and the last ones before the limit, of either sign.
fn up_to(limit: i64) -> impl Strategy<Value = i64> {
    prop_oneof![-3..=3_i64, -2_000..=2_000_i64, -limit..=limit, (limit - 3)..=limit, -limit..=(3 - limit)]
}

fn sum(amounts: impl IntoIterator<Item = Amount>) -> Amount {
    Amount::sum(amounts).unwrap()
}

fn check_parts(terms: &Terms, totals: &Totals) {
    let of = |field: fn(&protocol::ticket::LineTotals) -> Amount| sum(totals.lines.iter().map(field));
    assert_eq!(of(|l| l.gross), totals.gross);
    assert_eq!(of(|l| l.discount).checked_add(of(|l| l.ticket_discount)).unwrap(), totals.discounts);
    assert_eq!(totals.gross.checked_sub(totals.discounts).unwrap(), totals.net);
    assert_eq!(of(|l| l.net), totals.net);
    assert_eq!(of(|l| l.tax), totals.tax);
    assert_eq!(sum(totals.taxes.iter().map(|t| t.tax)), totals.tax);
    assert_eq!(sum(totals.taxes.iter().map(|t| t.base)), totals.net);
    let on_top = if terms.tax_mode == TaxMode::Exclusive { totals.tax } else { Amount::ZERO };
    assert_eq!(totals.net.checked_add(on_top).unwrap(), totals.total);
    for line in &totals.lines {
        let rest = line.gross.checked_sub(line.discount).unwrap().checked_sub(line.ticket_discount).unwrap();
        assert_eq!(rest, line.net);
    }
}

fn negated(totals: &Totals) -> Totals {
    let mut mirror = totals.clone();
    for line in &mut mirror.lines {
        for amount in [&mut line.gross, &mut line.discount, &mut line.ticket_discount, &mut line.net, &mut line.tax] {
            *amount = amount.negated();
        }
    }
    for rate in &mut mirror.taxes {
        (rate.base, rate.tax) = (rate.base.negated(), rate.tax.negated());
    }
    let sums = [&mut mirror.gross, &mut mirror.discounts, &mut mirror.net, &mut mirror.tax, &mut mirror.total];
    for amount in sums {
        *amount = amount.negated();
    }
    mirror
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn parts_sum_to_wholes_and_nothing_falls_below_zero((terms, lines, discount) in any_sale()) {
        let totals = fold(&terms, TicketKind::Sale, &lines, discount).unwrap();
        check_parts(&terms, &totals);
        for line in &totals.lines {
            let parts = [line.gross, line.discount, line.ticket_discount, line.net, line.tax];
            prop_assert!(parts.iter().all(|amount| *amount >= Amount::ZERO));
            prop_assert!(terms.tax_mode == TaxMode::Exclusive || line.tax <= line.net);
        }
    }

    #[test]
    fn a_blind_return_mirrors_the_sale((terms, lines, discount) in any_sale()) {
        let sale = fold(&terms, TicketKind::Sale, &lines, discount).unwrap();
        let back: Vec<Line> =
            lines.into_iter().map(|line| Line { quantity: line.quantity.negated(), ..line }).collect();
        let blind = fold(&terms, TicketKind::Return, &back, discount).unwrap();
        prop_assert_eq!(&blind, &negated(&sale));
        // Cash rounding mirrors as well.
        if sale.total != Amount::ZERO {
            let paid = |total: Amount| {
                let cash = due(&terms, total, &[]).unwrap().in_cash;
                settle(&terms, total, &[Tender { kind: TenderKind::Cash, amount: cash, reference: None }]).unwrap()
            };
            let (there, back) = (paid(sale.total), paid(blind.total));
            prop_assert_eq!(there.rounding, back.rounding.negated());
            prop_assert_eq!(there.paid, back.paid.negated());
            prop_assert_eq!((there.change, back.change), (Amount::ZERO, Amount::ZERO));
            let step = i64::from(terms.cash_step.max(1));
            prop_assert_eq!(there.paid.minor() % step, 0);
            prop_assert!(there.rounding.minor().abs() * 2 <= step);
        }
    }

    /// Any split over any number of returns, each under either tax mode, gives back the receipt exactly.
    #[test]
    fn partial_returns_sum_to_the_receipt(
        (terms, lines, discount) in any_sale(),
        cuts in prop::collection::vec((1..=20_000_i64, any::<bool>(), any::<bool>()), 1..8),
        change_mode in any::<bool>(),
    ) {
        let sale = fold(&terms, TicketKind::Sale, &lines, discount).unwrap();
        let ticket: TicketId = "00000000-0000-4000-8000-000000000001".parse().unwrap();
        let mut back = vec![GivenBack::default(); lines.len()];
        let (mut net, mut tax) = (Amount::ZERO, Amount::ZERO);
        let last = (i64::MAX, true, true);
        for (cut, inclusive_now, all_lines) in cuts.into_iter().chain([last]) {
            let tax_mode = match (change_mode, inclusive_now) {
                (false, _) => terms.tax_mode,
                (true, true) => TaxMode::Inclusive,
                (true, false) => TaxMode::Exclusive,
            };
            let now = Terms { tax_mode, ..terms };
            let mut returned = Vec::new();
            for (index, line) in lines.iter().enumerate() {
                let left = line.quantity.milli() - back[index].quantity().milli();
                if left == 0 || (!all_lines && index % 2 == 0) {
                    continue;
                }
                let sold = (&terms, line, &sale.lines[index]);
                let original = Original::of_receipt(ticket, sold, &now, &back[index]).unwrap();
                let quantity = milli(-left.min(cut));
                returned.push(Line { quantity, discount: None, original: Some(original), ..line.clone() });
            }
            let totals = fold(&now, TicketKind::Return, &returned, None).unwrap();
            check_parts(&now, &totals);
            for (line, of) in returned.iter().zip(&totals.lines) {
                prop_assert!(of.net <= Amount::ZERO && of.tax <= Amount::ZERO);
                back[usize::from(line.line_no) - 1].add(&now, line.quantity, of).unwrap();
            }
            let with_tax = if tax_mode == TaxMode::Exclusive { totals.tax } else { Amount::ZERO };
            net = sum([net, totals.net, with_tax]);
            tax = sum([tax, totals.tax]);
        }
        prop_assert_eq!(net, sale.total.negated(), "all the money comes back, with its tax");
        prop_assert_eq!(tax, sale.tax.negated());
    }

    #[test]
    fn tax_on_top_is_found_again_in_the_sum(net in 0..=1_000_000_000_i64, ppm in 1..=1_000_000_u32) {
        let rate = TaxRate::from_ppm(ppm).unwrap();
        let on_top = tax_of(minor(net), rate, TaxMode::Exclusive).unwrap();
        let whole = minor(net).checked_add(on_top).unwrap();
        prop_assert_eq!(tax_of(whole, rate, TaxMode::Inclusive).unwrap(), on_top);
    }

    #[test]
    fn on_one_line_both_bases_agree(terms in any_terms(), e4 in 0..=1_000_000_i64, quantity in 1..=99_999_i64) {
        let mut one = line(1, "0", "1");
        (one.unit_price, one.quantity) = (UnitPrice::from_e4(e4).unwrap(), milli(quantity));
        let count = |tax_basis| {
            fold(&Terms { tax_basis, ..terms }, TicketKind::Sale, std::slice::from_ref(&one), None).unwrap()
        };
        prop_assert_eq!(count(TaxBasis::PerLine), count(TaxBasis::PerReceipt));
    }

    /// Whatever stands in a line that came over the wire: an answer or an error, never a panic.
    #[test]
    fn no_numbers_make_the_fold_panic(
        e4 in 0..=limits::UNIT_PRICE_E4,
        quantities in prop::array::uniform3(up_to(limits::QUANTITY_MILLI)),
        amounts in prop::array::uniform6(up_to(limits::AMOUNT_MINOR)),
        ppm in 0..=limits::TAX_RATE_PPM,
        given_back in any::<bool>(),
        sale in any::<bool>(),
        terms in any_terms(),
    ) {
        let original = Original {
            ticket: "00000000-0000-4000-8000-000000000001".parse().unwrap(),
            line_no: 1,
            quantity: milli(quantities[1]),
            net: minor(amounts[0]),
            tax: minor(amounts[1]),
            returned_quantity: milli(quantities[2]),
            returned_net: minor(amounts[2]),
            returned_tax: minor(amounts[3]),
        };
        let mut wild = line(1, "0", "1");
        wild.unit_price = UnitPrice::from_e4(e4).unwrap();
        wild.quantity = milli(quantities[0]);
        wild.tax_rate = TaxRate::from_ppm(ppm).unwrap();
        wild.discount = (!given_back).then_some(Discount::Amount(minor(amounts[4])));
        wild.original = given_back.then_some(original);
        let kind = if sale { TicketKind::Sale } else { TicketKind::Return };
        let total_discount = Some(Discount::Amount(minor(amounts[5])));
        for discount in [None, total_discount] {
            if let Ok(totals) = fold(&terms, kind, &[wild.clone(), Line { line_no: 2, original: None, ..wild.clone() }], discount) {
                check_parts(&terms, &totals);
            }
            if let Ok(totals) = fold(&terms, kind, std::slice::from_ref(&wild), discount) {
                check_parts(&terms, &totals);
                prop_assert!(!given_back || totals.total <= Amount::ZERO, "nobody pays for bringing goods back");
            }
        }
        let tenders = [(TenderKind::Cash, amounts[0]), (TenderKind::CardRecorded, amounts[1])]
            .map(|(kind, amount)| Tender { kind, amount: minor(amount), reference: None });
        if let Ok(settled) = settle(&terms, minor(amounts[2]), &tenders) {
            prop_assert!(settled.change >= Amount::ZERO);
            let handed = minor(amounts[0]).checked_add(minor(amounts[1])).unwrap();
            prop_assert_eq!(handed.checked_sub(settled.change).unwrap(), settled.paid);
        }
    }
}
