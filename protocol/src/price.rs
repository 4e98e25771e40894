//! Unit prices: four decimals of the major unit, never negative, because trade prices go below a penny.
//! A price says nothing about a quantity; the ticket multiplies and rounds once.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::limits;
use crate::money::{Amount, Currency, NumberError, decimal_text, div_round, parse_decimal};
use crate::quantity::Quantity;

/// The price of one unit, in ten-thousandths of the currency's major unit (`2.55` is 25,500), zero or more.
/// In JSON a decimal string (`"2.55"`) or a whole number of major units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitPrice(i64);

impl UnitPrice {
    /// Digits after the point.
    pub const DECIMALS: u32 = 4;
    /// Free of charge.
    pub const ZERO: Self = Self(0);

    /// A price of so many ten-thousandths of the major unit.
    pub const fn from_e4(e4: i64) -> Result<Self, NumberError> {
        if e4 < 0 {
            return Err(NumberError::Negative);
        }
        if e4 > limits::UNIT_PRICE_E4 {
            return Err(NumberError::TooLarge);
        }
        Ok(Self(e4))
    }

    /// Ten-thousandths of the major unit.
    pub const fn e4(self) -> i64 {
        self.0
    }

    /// Price times quantity, rounded once to the minor unit, halves away from zero.
    pub fn extend(self, quantity: Quantity, currency: Currency) -> Result<Amount, NumberError> {
        let exact = i128::from(self.0) * i128::from(quantity.milli());
        let digits = Self::DECIMALS + Quantity::DECIMALS - currency.exponent();
        Amount::from_wide(div_round(exact, 10_i128.pow(digits)))
    }
}

impl FromStr for UnitPrice {
    type Err = NumberError;
    fn from_str(text: &str) -> Result<Self, NumberError> {
        parse_decimal(text, Self::DECIMALS).and_then(Self::from_e4)
    }
}

impl fmt::Display for UnitPrice {
    /// At least two decimals, further ones only where they say something.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = decimal_text(self.0, Self::DECIMALS);
        let short = text.strip_suffix("00").or_else(|| text.strip_suffix('0')).unwrap_or(&text);
        f.write_str(short)
    }
}

impl Serialize for UnitPrice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_i64(self.0) }
    }
}

impl<'de> Deserialize<'de> for UnitPrice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let e4 = if deserializer.is_human_readable() {
            deserializer.deserialize_any(crate::decimal::DecimalVisitor::new(Self::DECIMALS))?
        } else {
            i64::deserialize(deserializer)?
        };
        Self::from_e4(e4).map_err(de::Error::custom)
    }
}
