//! Taxes and percentages: in millionths, and the two ways a tax stands to an amount. Rounds once, halves away
//! from zero. Knows nothing of lines; the ticket decides what a tax or a percentage is taken of.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::money::{Amount, NumberError, decimal_text, div_round, parse_decimal};

/// One whole, in the millionths that rates and percentages are counted in.
pub const ONE_PPM: u32 = 1_000_000;

/// Digits after the point of a percentage in text: its ten-thousandths are the millionths of a share.
pub const PERCENT_DECIMALS: u32 = 4;

/// Reads `12.5` percent as 125,000 millionths.
fn parse_percent(text: &str) -> Result<u32, NumberError> {
    let ppm = parse_decimal(text, PERCENT_DECIMALS)?;
    if ppm < 0 {
        return Err(NumberError::Negative);
    }
    u32::try_from(ppm).map_err(|_| NumberError::TooLarge)
}

/// Writes 125,000 millionths as `12.5`.
fn percent_text(ppm: u32) -> String {
    let text = decimal_text(i64::from(ppm), PERCENT_DECIMALS);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A share of an amount in millionths, at most all of it: 10 % is 100,000. In text a percentage (`12.5`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u32", try_from = "u32")]
pub struct Percent(u32);

impl Percent {
    /// A share of so many millionths.
    ///
    /// # Errors
    /// [`NumberError::OverOneHundred`] beyond the whole.
    pub const fn from_ppm(ppm: u32) -> Result<Self, NumberError> {
        if ppm > ONE_PPM {
            return Err(NumberError::OverOneHundred);
        }
        Ok(Self(ppm))
    }

    /// Millionths.
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// So much of `amount`, rounded once, in the direction of the amount; never more than it.
    pub fn of(self, amount: Amount) -> Amount {
        let part = div_round(i128::from(amount.minor()) * i128::from(self.0), i128::from(ONE_PPM));
        // At most the amount itself, so always within the limit.
        Amount::from_wide(part).unwrap_or(amount)
    }
}

impl TryFrom<u32> for Percent {
    type Error = NumberError;
    fn try_from(ppm: u32) -> Result<Self, NumberError> {
        Self::from_ppm(ppm)
    }
}

impl From<Percent> for u32 {
    fn from(percent: Percent) -> Self {
        percent.0
    }
}

impl FromStr for Percent {
    type Err = NumberError;
    fn from_str(text: &str) -> Result<Self, NumberError> {
        parse_percent(text).and_then(Self::from_ppm)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&percent_text(self.0))
    }
}

/// A tax rate in millionths: 20 % is 200,000; 8.875 % is 88,750.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u32", try_from = "u32")]
pub struct TaxRate(u32);

impl TaxRate {
    /// No tax.
    pub const ZERO: Self = Self(0);

    /// A rate of so many millionths.
    pub const fn from_ppm(ppm: u32) -> Result<Self, NumberError> {
        if ppm > limits::TAX_RATE_PPM {
            return Err(NumberError::TooLarge);
        }
        Ok(Self(ppm))
    }

    /// Millionths.
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// Reads a rate written in percent, such as `20` or `8.875`.
    ///
    /// # Errors
    /// What is not a plain decimal of at most four digits after the point, negative or beyond the limit.
    pub fn from_percent(text: &str) -> Result<Self, NumberError> {
        parse_percent(text).and_then(Self::from_ppm)
    }

    /// The rate in percent, such as `20` or `8.875`.
    pub fn percent(self) -> String {
        percent_text(self.0)
    }
}

impl TryFrom<u32> for TaxRate {
    type Error = NumberError;
    fn try_from(ppm: u32) -> Result<Self, NumberError> {
        Self::from_ppm(ppm)
    }
}

impl From<TaxRate> for u32 {
    fn from(rate: TaxRate) -> Self {
        rate.0
    }
}

/// Whether shelf prices contain the tax.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaxMode {
    /// The price on the shelf is what the customer pays.
    #[default]
    Inclusive,
    /// The tax comes on top at the till.
    Exclusive,
}

/// Where a tax is rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaxBasis {
    /// Once per rate, on the sum of the discounted lines of that rate.
    #[default]
    PerReceipt,
    /// Once per line; a rate's tax is the sum over its lines.
    PerLine,
}

/// The tax in (inclusive) or on (exclusive) `amount`: the exact value `amount x rate / (1 + rate)` or
/// `amount x rate`, rounded once.
pub fn tax_of(amount: Amount, rate: TaxRate, mode: TaxMode) -> Result<Amount, NumberError> {
    let part = i128::from(amount.minor()) * i128::from(rate.ppm());
    let whole = match mode {
        TaxMode::Inclusive => i128::from(ONE_PPM) + i128::from(rate.ppm()),
        TaxMode::Exclusive => i128::from(ONE_PPM),
    };
    Amount::from_wide(div_round(part, whole))
}
