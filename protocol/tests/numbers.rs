//! Numbers in and out: text, JSON, bytes, rounding and sharing out. What is not plainly a number is refused.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that stops at the first surprise")]

use proptest::prelude::*;
use protocol::limits;
use protocol::money::{Amount, Currency, NumberError, allocate, decimal_text, div_round, parse_decimal};
use protocol::price::UnitPrice;
use protocol::quantity::Quantity;
use protocol::tax::{Percent, TaxRate};

proptest! {
    #[test]
    fn what_is_printed_reads_back(
        e4 in 0..=limits::UNIT_PRICE_E4,
        milli in -limits::QUANTITY_MILLI..=limits::QUANTITY_MILLI,
        ppm in 0..=1_000_000_u32,
        minor in -limits::AMOUNT_MINOR..=limits::AMOUNT_MINOR,
        decimals in 0..=4_u32,
    ) {
        let price = UnitPrice::from_e4(e4).unwrap();
        prop_assert_eq!(price.to_string().parse(), Ok(price));
        let quantity = Quantity::from_milli(milli).unwrap();
        prop_assert_eq!(quantity.to_string().parse(), Ok(quantity));
        let percent = Percent::from_ppm(ppm).unwrap();
        prop_assert_eq!(percent.to_string().parse(), Ok(percent));
        let rate = TaxRate::from_ppm(ppm).unwrap();
        prop_assert_eq!(TaxRate::from_percent(&rate.percent()), Ok(rate));
        prop_assert_eq!(parse_decimal(&decimal_text(minor, decimals), decimals), Ok(minor));

        let json = |value: serde_json::Value| value;
        prop_assert_eq!(serde_json::from_value::<UnitPrice>(json(serde_json::to_value(price).unwrap())).unwrap(), price);
        prop_assert_eq!(serde_json::from_value::<Quantity>(json(serde_json::to_value(quantity).unwrap())).unwrap(), quantity);
        let bytes = postcard::to_stdvec(&(price, quantity, percent, Amount::from_minor(minor).unwrap())).unwrap();
        let back: (UnitPrice, Quantity, Percent, Amount) = postcard::from_bytes(&bytes).unwrap();
        prop_assert_eq!(back, (price, quantity, percent, Amount::from_minor(minor).unwrap()));
    }

    #[test]
    fn any_text_is_a_number_or_an_error(text in "\\PC{0,40}", digits in "-?[0-9.]{0,40}", decimals in 0..=4_u32) {
        for text in [text, digits] {
            if let Ok(value) = parse_decimal(&text, decimals) {
                prop_assert_eq!(parse_decimal(&decimal_text(value, decimals), decimals), Ok(value));
            }
        }
    }

    #[test]
    fn rounding_is_to_the_nearest_and_mirrors(n in any::<i64>(), d in 1..=i64::MAX) {
        let (n, d) = (i128::from(n), i128::from(d));
        let rounded = div_round(n, d);
        let off = (rounded * d - n).abs() * 2;
        prop_assert!(off < d || (off == d && (rounded * d).abs() > n.abs()), "nearest, halves away from zero");
        prop_assert_eq!(div_round(-n, d), -rounded);
    }

    #[test]
    fn shares_sum_to_the_whole_and_stay_next_to_their_part(
        total in -limits::AMOUNT_MINOR..=limits::AMOUNT_MINOR,
        weights in prop::collection::vec(prop_oneof![Just(0), 0..=5_u64, any::<u64>()], 1..60),
    ) {
        let whole = Amount::from_minor(total).unwrap();
        let shares = allocate(whole, &weights);
        prop_assert_eq!(shares.len(), weights.len());
        prop_assert_eq!(Amount::sum(shares.iter().copied()).unwrap(), whole);
        let mirrored: Vec<Amount> = allocate(whole.negated(), &weights).into_iter().map(Amount::negated).collect();
        prop_assert_eq!(&mirrored, &shares);
        let sum: u128 = weights.iter().copied().map(u128::from).sum();
        if sum == 0 {
            prop_assert_eq!(shares[0], whole);
            return Ok(());
        }
        let size = u128::from(total.unsigned_abs());
        let floors = weights.iter().map(|weight| size * u128::from(*weight) / sum);
        let rests: Vec<u128> = weights.iter().map(|weight| size * u128::from(*weight) % sum).collect();
        let mut extra = Vec::new();
        for (index, (share, floor)) in shares.iter().zip(floors).enumerate() {
            let more = u128::from(share.minor().unsigned_abs()) - floor;
            prop_assert!(more <= 1);
            if more == 1 {
                extra.push(index);
            }
        }
        // Whoever got a unit has a larger remainder than whoever got none, or the same and stands before.
        for got in &extra {
            for other in (0..weights.len()).filter(|index| !extra.contains(index)) {
                prop_assert!((rests[*got], other) > (rests[other], *got), "{got} before {other}");
            }
        }
    }
}

#[test]
fn ties_go_to_the_lower_line() {
    let shares = |total, weights: &[u64]| -> Vec<i64> {
        allocate(Amount::from_minor(total).unwrap(), weights).into_iter().map(Amount::minor).collect()
    };
    assert_eq!(shares(1, &[1, 1, 1]), [1, 0, 0]);
    assert_eq!(shares(2, &[1, 1, 1]), [1, 1, 0]);
    assert_eq!(shares(-2, &[1, 1, 1]), [-1, -1, 0]);
    assert_eq!(shares(100, &[1, 1, 1]), [34, 33, 33]);
    assert_eq!(shares(5, &[3, 3, 4]), [2, 1, 2]);
    assert_eq!(shares(10, &[0, 1, 0]), [0, 10, 0]);
    assert_eq!(shares(7, &[0, 0]), [7, 0]);
    assert_eq!(shares(7, &[]), Vec::<i64>::new());
    assert_eq!(shares(0, &[5, 5]), [0, 0]);
}

#[test]
fn what_is_not_plainly_a_number_is_refused() {
    let price = |text: &str| text.parse::<UnitPrice>();
    assert_eq!(price("2.55").unwrap().e4(), 25_500);
    assert_eq!(price("0.0005").unwrap().e4(), 5);
    assert_eq!(price("2.12345"), Err(NumberError::TooManyDecimals { allowed: 4 }));
    assert_eq!(price("2.00000"), Err(NumberError::TooManyDecimals { allowed: 4 }));
    assert_eq!(price("-0.01"), Err(NumberError::Negative));
    assert_eq!(price("10000001"), Err(NumberError::TooLarge));
    assert_eq!(price("99999999999999999999999999"), Err(NumberError::TooLarge));
    let refused = [
        "", " ", ".", "-", "1.", ".5", "+1", "1e3", "1,000", "1 000", "0x10", "1.2.3", "--1", "£1", "NaN", "inf",
        "1_000", " 1", "1 ", "١", "1.-5", "1\n", "1\0",
    ];
    for text in refused {
        assert_eq!(price(text), Err(NumberError::NotANumber), "{text:?}");
    }
    assert_eq!("1.2345".parse::<Quantity>(), Err(NumberError::TooManyDecimals { allowed: 3 }));
    assert_eq!("1000000.001".parse::<Quantity>(), Err(NumberError::TooLarge));
    assert_eq!("-1.250".parse::<Quantity>().unwrap().milli(), -1_250);
    assert_eq!("100.0001".parse::<Percent>(), Err(NumberError::OverOneHundred));
    assert_eq!("-1".parse::<Percent>(), Err(NumberError::Negative));
    assert_eq!("12.5".parse::<Percent>().unwrap().ppm(), 125_000);
    assert_eq!(TaxRate::from_percent("8.875").unwrap().ppm(), 88_750);
    assert_eq!(TaxRate::from_percent("1000.0001"), Err(NumberError::TooLarge));
    for currency in ["", "gbp", "GB", "GBPX", "G1P", "£££"] {
        assert_eq!(currency.parse::<Currency>(), Err(NumberError::UnknownCurrency), "{currency:?}");
    }
}

#[test]
fn json_takes_decimals_as_text_and_whole_numbers_but_no_floats() {
    let quantity = |json: &str| serde_json::from_str::<Quantity>(json).map(Quantity::milli).ok();
    assert_eq!(quantity("\"1.250\""), Some(1_250));
    assert_eq!(quantity("3"), Some(3_000));
    assert_eq!(quantity("-3"), Some(-3_000));
    for json in ["1.5", "1e2", "true", "null", "[]", "18446744073709551615", "9223372036854775807", "\"1.2345\""] {
        assert_eq!(quantity(json), None, "{json}");
    }
    assert!(serde_json::from_str::<UnitPrice>("-1").is_err());
    assert!(serde_json::from_str::<Percent>("1000001").is_err());
    assert!(serde_json::from_str::<Amount>("10000000000000001").is_err());
    assert!(serde_json::from_str::<TaxRate>("10000001").is_err());
}

#[test]
fn amounts_stop_at_their_limit() {
    let most = Amount::from_minor(limits::AMOUNT_MINOR).unwrap();
    let one = Amount::from_minor(1).unwrap();
    assert_eq!(most.checked_add(one), Err(NumberError::TooLarge));
    assert_eq!(most.negated().checked_sub(one), Err(NumberError::TooLarge));
    assert_eq!(Amount::from_minor(i64::MIN), Err(NumberError::TooLarge));
    assert_eq!(Amount::from_wide(i128::MAX), Err(NumberError::TooLarge));
    assert_eq!(Quantity::from_milli(i64::MIN), Err(NumberError::TooLarge));
    assert_eq!(UnitPrice::from_e4(i64::MIN), Err(NumberError::Negative));
}

#[test]
fn amounts_are_written_as_their_currency_has_it() {
    let show = |minor, currency: &str| Amount::from_minor(minor).unwrap().display(currency.parse().unwrap());
    assert_eq!(show(-1_250, "GBP"), "-12.50");
    assert_eq!(show(-5, "GBP"), "-0.05");
    assert_eq!(show(1_250, "JPY"), "1250");
    assert_eq!(show(1_250, "KWD"), "1.250");
    let price: UnitPrice = "2.5".parse().unwrap();
    let yen = price.extend("3".parse().unwrap(), "JPY".parse().unwrap()).unwrap();
    assert_eq!((yen.minor(), price.to_string()), (8, "2.50".to_owned()));
}
