//! What makes a product acceptable. Pure: text in, a checked product or a sentence out.

use protocol::collection::Unit;
use protocol::limits;
use protocol::money::NumberError;
use protocol::price::UnitPrice;
use protocol::tax::TaxRate;

use super::types::{ProductBody, Wanted};

/// A field at fault, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field's name in files and bodies.
    pub field: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

fn fault(field: &'static str, message: impl Into<String>) -> Fault {
    Fault { field, message: message.into() }
}

/// Checks a product code.
///
/// # Errors
/// The fault says what a code may be.
pub fn check_code(code: &str) -> Result<(), Fault> {
    if code.is_empty() {
        return Err(fault("code", "the code is missing; give each product the code it is sold by"));
    }
    if code.len() > limits::CODE_BYTES {
        return Err(fault("code", format!("the code is longer than {} bytes; shorten it", limits::CODE_BYTES)));
    }
    if code.trim() != code || code.chars().any(char::is_control) {
        return Err(fault("code", "the code starts or ends with a blank or has a control character; remove it"));
    }
    Ok(())
}

/// Checks a description.
///
/// # Errors
/// Too long, or with control characters.
pub fn check_description(description: &str) -> Result<(), Fault> {
    if description.len() > limits::DESCRIPTION_BYTES {
        let allowed = limits::DESCRIPTION_BYTES;
        return Err(fault("description", format!("the description is longer than {allowed} bytes; shorten it")));
    }
    if description.chars().any(char::is_control) {
        let message = "the description has a control character or a line break; write it on one line";
        return Err(fault("description", message));
    }
    Ok(())
}

/// Reads a price as a person writes it.
///
/// # Errors
/// Says what a price looks like.
pub fn read_price(text: &str) -> Result<UnitPrice, Fault> {
    let bare = text.trim();
    if bare.is_empty() {
        return Err(fault("unit_price", "the price is missing; write 0 for a product that is free of charge"));
    }
    bare.parse::<UnitPrice>().map_err(|error| {
        let what = match error {
            NumberError::TooManyDecimals { allowed } => {
                format!("{bare:?} has more than {allowed} digits after the point; round the price")
            }
            NumberError::Negative => format!("{bare:?} is negative; a price is zero or more"),
            NumberError::TooLarge => format!("{bare:?} is more than a price may be"),
            NumberError::NotANumber | NumberError::UnknownCurrency | NumberError::OverOneHundred => {
                format!("{bare:?} is not a price; write digits with a point, such as 12.50, and no currency sign")
            }
        };
        fault("unit_price", what)
    })
}

/// Reads a tax rate in percent, such as `20` or `8.875` or `5.5%`; blank is none given.
///
/// # Errors
/// Says what a rate looks like.
pub fn read_tax_percent(text: &str) -> Result<Option<i32>, Fault> {
    let bare = text.trim().trim_end_matches('%').trim_end();
    if bare.is_empty() {
        return Ok(None);
    }
    let wrong = || {
        let message =
            format!("{bare:?} is not a tax rate in percent from 0 to 1000, at most four decimals, such as 20");
        fault("tax_rate_percent", message)
    };
    // A percentage with four decimals counts in the same ten-thousandths as a price: 20 -> 200,000 millionths.
    let e4 = bare.parse::<UnitPrice>().map_err(|_| wrong())?.e4();
    let ppm = u32::try_from(e4).map_err(|_| wrong())?;
    check_rate(ppm).map(Some).map_err(|_| wrong())
}

/// Checks a tax rate in millionths.
///
/// # Errors
/// Beyond [`limits::TAX_RATE_PPM`].
pub fn check_rate(ppm: u32) -> Result<i32, Fault> {
    let wrong = || fault("tax_rate_ppm", format!("a tax rate is at most {} millionths", limits::TAX_RATE_PPM));
    TaxRate::from_ppm(ppm).map_err(|_| wrong())?;
    i32::try_from(ppm).map_err(|_| wrong())
}

/// Reads a unit's name; blank is none given.
///
/// # Errors
/// Lists the units there are.
pub fn read_unit(text: &str) -> Result<Option<i16>, Fault> {
    let unit = match text.trim().to_ascii_lowercase().as_str() {
        "" => return Ok(None),
        "piece" | "pieces" | "pc" | "pcs" | "each" | "ea" => Unit::Piece,
        "kilogram" | "kg" => Unit::Kilogram,
        "metre" | "meter" | "m" => Unit::Metre,
        "litre" | "liter" | "l" => Unit::Litre,
        other => return Err(fault("unit", format!("{other:?} is no unit; write piece, kilogram, metre or litre"))),
    };
    Ok(Some(unit_number(unit)))
}

/// Checks barcodes: no blanks, none twice, few and short.
///
/// # Errors
/// Names the barcode at fault.
pub fn check_barcodes(barcodes: &[String]) -> Result<(), Fault> {
    if barcodes.len() > limits::PRODUCT_BARCODES {
        let allowed = limits::PRODUCT_BARCODES;
        return Err(fault("barcodes", format!("more than {allowed} barcodes; give each package its own product")));
    }
    for (index, barcode) in barcodes.iter().enumerate() {
        if barcode.is_empty()
            || barcode.len() > limits::CODE_BYTES
            || barcode.chars().any(|c| c.is_control() || c.is_whitespace())
        {
            return Err(fault(
                "barcodes",
                format!("{barcode:?} is no barcode; write 1 to 64 characters without blanks"),
            ));
        }
        if barcodes.iter().take(index).any(|earlier| earlier == barcode) {
            return Err(fault("barcodes", format!("{barcode:?} stands there twice; write it once")));
        }
    }
    Ok(())
}

/// Reads barcodes out of one cell: parted by blanks, `;` or `|`.
///
/// # Errors
/// As [`check_barcodes`].
pub fn read_barcodes(text: &str) -> Result<Vec<String>, Fault> {
    let barcodes: Vec<String> = text
        .split(|c: char| c.is_whitespace() || c == ';' || c == '|')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect();
    check_barcodes(&barcodes)?;
    Ok(barcodes)
}

/// Checks a whole product from a request.
///
/// # Errors
/// The first field at fault.
pub fn check_body(code: &str, body: ProductBody) -> Result<Wanted, Fault> {
    check_code(code)?;
    check_description(&body.description)?;
    check_barcodes(&body.barcodes)?;
    Ok(Wanted {
        code: code.to_owned(),
        description: Some(body.description),
        unit_price_e4: Some(body.unit_price.e4()),
        tax_rate_ppm: Some(check_rate(body.tax_rate_ppm)?),
        unit: Some(unit_number(body.unit)),
        barcodes: Some(body.barcodes),
    })
}

/// The number a unit has in the database; never used again for another.
pub const fn unit_number(unit: Unit) -> i16 {
    match unit {
        Unit::Piece => 0,
        Unit::Kilogram => 1,
        Unit::Metre => 2,
        Unit::Litre => 3,
    }
}

/// The unit a number stands for; a number of a later build reads as pieces.
pub const fn unit_of(number: i16) -> Unit {
    match number {
        1 => Unit::Kilogram,
        2 => Unit::Metre,
        3 => Unit::Litre,
        _ => Unit::Piece,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_say_what_to_do() {
        assert_eq!(read_price(" 2.55 ").unwrap().e4(), 25_500);
        assert_eq!(read_price("0.0001").unwrap().e4(), 1);
        for (text, word) in
            [("", "missing"), ("1.23456", "round"), ("-1", "negative"), ("2,55", "point"), ("£3", "currency sign")]
        {
            let fault = read_price(text).unwrap_err();
            assert_eq!(fault.field, "unit_price");
            assert!(fault.message.contains(word), "{text:?}: {}", fault.message);
        }
    }

    #[test]
    fn rates_units_and_barcodes() {
        assert_eq!(read_tax_percent("20").unwrap(), Some(200_000));
        assert_eq!(read_tax_percent("8.875 %").unwrap(), Some(88_750));
        assert_eq!(read_tax_percent(" ").unwrap(), None);
        assert!(read_tax_percent("1001").is_err());
        assert!(read_tax_percent("-1").is_err());
        assert_eq!(read_unit("KG").unwrap(), Some(1));
        assert!(read_unit("barrel").is_err());
        assert_eq!(read_barcodes("501|502; 503").unwrap(), ["501", "502", "503"]);
        assert!(read_barcodes("501 501").is_err());
        for unit in [Unit::Piece, Unit::Kilogram, Unit::Metre, Unit::Litre] {
            assert_eq!(unit_of(unit_number(unit)), unit);
        }
    }

    #[test]
    fn codes_are_taken_as_they_are() {
        assert!(check_code("85123A").is_ok());
        assert!(check_code("gift_0001_20").is_ok());
        for bad in ["", " A", "A\n", &"x".repeat(65)] {
            assert!(check_code(bad).is_err(), "{bad:?}");
        }
    }
}
