//! Quantities: pieces, kilograms, metres, in thousandths. Negative on returns.
//! Knows nothing of what is counted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits;
use crate::money::{NumberError, decimal_text, parse_decimal};

/// A quantity in thousandths of its unit. In JSON a decimal string (`"1.250"`) or a whole number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(i64);

impl Quantity {
    /// Digits after the point.
    pub const DECIMALS: u32 = 3;
    /// One piece.
    pub const ONE: Self = Self(1_000);
    /// None.
    pub const ZERO: Self = Self(0);

    /// A quantity of so many thousandths.
    pub const fn from_milli(milli: i64) -> Result<Self, NumberError> {
        if milli > limits::QUANTITY_MILLI || milli < -limits::QUANTITY_MILLI {
            return Err(NumberError::TooLarge);
        }
        Ok(Self(milli))
    }

    /// Thousandths.
    pub const fn milli(self) -> i64 {
        self.0
    }

    /// The same quantity in the other direction.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self(-self.0)
    }

    /// Sum, refused beyond the limit.
    pub const fn checked_add(self, other: Self) -> Result<Self, NumberError> {
        Self::from_milli(self.0 + other.0)
    }
}

impl FromStr for Quantity {
    type Err = NumberError;
    fn from_str(text: &str) -> Result<Self, NumberError> {
        parse_decimal(text, Self::DECIMALS).and_then(Self::from_milli)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 % 1_000 == 0 {
            return (self.0 / 1_000).fmt(f);
        }
        f.write_str(&decimal_text(self.0, Self::DECIMALS))
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_i64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer
                .deserialize_any(crate::decimal::DecimalVisitor::new(Self::DECIMALS))
                .and_then(|milli| Self::from_milli(milli).map_err(serde::de::Error::custom));
        }
        i64::deserialize(deserializer).and_then(|milli| Self::from_milli(milli).map_err(serde::de::Error::custom))
    }
}
