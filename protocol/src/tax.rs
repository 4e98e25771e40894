//! Taxes: rates in millionths, and the two ways a tax stands to an amount. Rounds once, halves away from zero.
//! Knows nothing of lines; the ticket decides what a tax is taken of.

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::money::{Amount, NumberError, div_round};

/// One whole, in the millionths that rates and percentages are counted in.
pub const ONE_PPM: u32 = 1_000_000;

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
