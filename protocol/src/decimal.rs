//! Decimals as JSON carries them: a string or a whole number, never a float. Shared by prices and quantities;
//! knows nothing of either.

use std::fmt;

use serde::de;

use crate::money::{NumberError, parse_decimal};

/// Reads a decimal string or a whole number from JSON. A JSON number with a point is refused: it has been
/// through a float somewhere, and what it was before nobody knows.
pub(crate) struct DecimalVisitor {
    decimals: u32,
}

impl DecimalVisitor {
    pub(crate) const fn new(decimals: u32) -> Self {
        Self { decimals }
    }
}

impl de::Visitor<'_> for DecimalVisitor {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a decimal in quotes such as \"12.5\", with at most {} digits after the point", self.decimals)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<i64, E> {
        parse_decimal(text, self.decimals).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, whole: i64) -> Result<i64, E> {
        whole.checked_mul(10_i64.pow(self.decimals)).ok_or_else(|| E::custom(NumberError::TooLarge))
    }

    fn visit_u64<E: de::Error>(self, whole: u64) -> Result<i64, E> {
        i64::try_from(whole).map_err(E::custom).and_then(|whole| self.visit_i64(whole))
    }
}
