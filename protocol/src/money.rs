//! Money: integer minor units with their currency, checked arithmetic, one way to round and one way to share out.
//! No floats come near it. Knows nothing of tickets or taxes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits;

/// Why an amount, a price or a quantity was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Outside what [`limits`] allows.
    #[error("the number is larger than Tillway allows")]
    TooLarge,
    /// More digits after the point than the kind of number carries.
    #[error("at most {allowed} digits may stand after the point")]
    TooManyDecimals {
        /// How many are allowed.
        allowed: u32,
    },
    /// Not a plain decimal number such as `12.50`.
    #[error("not a plain decimal number such as 12.50")]
    NotANumber,
    /// A negative number where only zero or more makes sense.
    #[error("the number must not be negative")]
    Negative,
    /// A share of more than the whole.
    #[error("a discount is at most 100 percent")]
    OverOneHundred,
    /// Not an ISO 4217 code of three capital letters.
    #[error("not an ISO 4217 currency code such as EUR")]
    UnknownCurrency,
}

/// An ISO 4217 currency.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// Pound sterling, the currency of the reference receipts.
    pub const GBP: Self = Self(*b"GBP");

    /// The three letters.
    pub fn code(&self) -> &str {
        // Only ASCII capitals ever get in.
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// Digits after the point of the minor unit, by ISO 4217 (2 unless listed).
    pub const fn exponent(&self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG" | b"RWF" | b"UGX"
            | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            b"CLF" | b"UYW" => 4,
            _ => 2,
        }
    }
}

impl FromStr for Currency {
    type Err = NumberError;
    fn from_str(text: &str) -> Result<Self, NumberError> {
        match text.as_bytes() {
            [a, b, c] if [a, b, c].iter().all(|byte| byte.is_ascii_uppercase()) => Ok(Self([*a, *b, *c])),
            _ => Err(NumberError::UnknownCurrency),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = NumberError;
    fn try_from(text: String) -> Result<Self, NumberError> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount in minor units of the currency that stands beside it (on the ticket, the shop, the report).
/// Its absolute value never exceeds [`limits::AMOUNT_MINOR`], so two can always be added before the check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "i64", try_from = "i64")]
pub struct Amount(i64);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount of so many minor units.
    pub const fn from_minor(minor: i64) -> Result<Self, NumberError> {
        if minor > limits::AMOUNT_MINOR || minor < -limits::AMOUNT_MINOR {
            return Err(NumberError::TooLarge);
        }
        Ok(Self(minor))
    }

    /// The same from a wide intermediate result.
    pub fn from_wide(minor: i128) -> Result<Self, NumberError> {
        i64::try_from(minor).map_err(|_| NumberError::TooLarge).and_then(Self::from_minor)
    }

    /// Minor units.
    pub const fn minor(self) -> i64 {
        self.0
    }

    /// Sum, refused beyond the limit.
    pub const fn checked_add(self, other: Self) -> Result<Self, NumberError> {
        Self::from_minor(self.0 + other.0)
    }

    /// Difference, refused beyond the limit.
    pub const fn checked_sub(self, other: Self) -> Result<Self, NumberError> {
        Self::from_minor(self.0 - other.0)
    }

    /// The sum of many, refused beyond the limit.
    pub fn sum(amounts: impl IntoIterator<Item = Self>) -> Result<Self, NumberError> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// The same amount in the other direction.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self(-self.0)
    }

    /// The size without the direction.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.abs())
    }

    /// Writes the amount with the point where the currency has it, such as `-12.50`.
    pub fn display(self, currency: Currency) -> String {
        decimal_text(self.0, currency.exponent())
    }
}

impl TryFrom<i64> for Amount {
    type Error = NumberError;
    fn try_from(minor: i64) -> Result<Self, NumberError> {
        Self::from_minor(minor)
    }
}

impl From<Amount> for i64 {
    fn from(amount: Amount) -> Self {
        amount.0
    }
}

/// `numerator / denominator` to the nearest whole, halves away from zero. Sign-symmetric:
/// `round(-n, d) == -round(n, d)`. The denominator is positive.
pub const fn div_round(numerator: i128, denominator: i128) -> i128 {
    let half = denominator / 2;
    if numerator >= 0 { (numerator + half) / denominator } else { -((-numerator + half) / denominator) }
}

/// Shares `total` out in proportion to `weights` by largest remainder: each share is the floor of its exact
/// part, and the units left over go to the largest remainders, ties to the lower index. The shares always sum
/// to `total`, and none exceeds it. With no weight at all everything goes to the first. Sign-symmetric.
pub fn allocate(total: Amount, weights: &[u64]) -> Vec<Amount> {
    let mut shares = vec![Amount::ZERO; weights.len()];
    let sum: u128 = weights.iter().copied().map(u128::from).sum();
    if sum == 0 {
        if let Some(first) = shares.first_mut() {
            *first = total;
        }
        return shares;
    }
    let size = u128::from(total.0.unsigned_abs());
    let mut left = total.0.abs();
    let mut remainders = Vec::with_capacity(weights.len());
    for (index, (weight, share)) in weights.iter().zip(&mut shares).enumerate() {
        let exact = size * u128::from(*weight);
        // A floor is at most `size`, which came out of an `i64`.
        share.0 = i64::try_from(exact / sum).unwrap_or(0);
        left -= share.0;
        remainders.push((exact % sum, index));
    }
    // Stable: equal remainders stay in the order of their index.
    remainders.sort_by_key(|(remainder, _)| std::cmp::Reverse(*remainder));
    for (_, index) in remainders.into_iter().take(usize::try_from(left).unwrap_or(0)) {
        if let Some(share) = shares.get_mut(index) {
            share.0 += 1;
        }
    }
    if total.0 < 0 {
        for share in &mut shares {
            share.0 = -share.0;
        }
    }
    shares
}

/// Reads a plain decimal such as `-12.5` into an integer of `decimals` digits after the point.
/// Refuses exponents, spaces, thousands separators and further digits rather than guess.
pub fn parse_decimal(text: &str, decimals: u32) -> Result<i64, NumberError> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let pointless = digits.contains('.') && fraction.is_empty();
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || pointless || !all_digits(whole) || !all_digits(fraction) {
        return Err(NumberError::NotANumber);
    }
    let missing =
        (decimals as usize).checked_sub(fraction.len()).ok_or(NumberError::TooManyDecimals { allowed: decimals })?;
    let mut value: i64 = 0;
    for byte in whole.bytes().chain(fraction.bytes()).chain(std::iter::repeat_n(b'0', missing)) {
        value =
            value.checked_mul(10).and_then(|v| v.checked_add(i64::from(byte - b'0'))).ok_or(NumberError::TooLarge)?;
    }
    Ok(if negative { -value } else { value })
}

/// Writes an integer of `decimals` digits after the point as a plain decimal.
pub fn decimal_text(value: i64, decimals: u32) -> String {
    if decimals == 0 {
        return value.to_string();
    }
    let scale = 10_u64.pow(decimals);
    let size = value.unsigned_abs();
    let sign = if value < 0 { "-" } else { "" };
    let width = decimals as usize;
    format!("{sign}{}.{:0width$}", size / scale, size % scale)
}
