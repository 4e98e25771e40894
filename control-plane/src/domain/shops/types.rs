//! A shop as it is asked for and answered.

use protocol::id::ShopId;
use protocol::money::Currency;
use protocol::tax::{TaxBasis, TaxMode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A shop to be made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewShop {
    /// Its name, as on the receipt.
    #[schema(example = "High Street", min_length = 1, max_length = 200)]
    pub name: String,
    /// IANA time zone.
    #[schema(example = "Europe/London", format = "iana-time-zone")]
    pub timezone: String,
    /// ISO 4217.
    #[schema(example = "GBP", format = "iso-4217", pattern = "^[A-Z]{3}$")]
    pub currency: String,
    /// When a trading day begins, `HH:MM` before noon.
    #[serde(default = "midnight")]
    #[schema(example = "04:00", pattern = "^(0[0-9]|1[01]):[0-5][0-9]$")]
    pub day_starts: String,
    /// Whether prices contain the tax.
    #[serde(default)]
    #[schema(value_type = String, example = "inclusive", pattern = "^(inclusive|exclusive)$")]
    pub tax_mode: TaxMode,
    /// Where tax is rounded.
    #[serde(default)]
    #[schema(value_type = String, example = "per_receipt", pattern = "^(per_receipt|per_line)$")]
    pub tax_basis: TaxBasis,
    /// Cash rounding step in minor units; 0: none.
    #[serde(default)]
    pub cash_step: u16,
    /// Whether paper receipts may be rung later with their own time.
    #[serde(default = "yes")]
    pub late_entry: bool,
    /// Tax rate of lines that are not in the catalogue, in millionths.
    #[serde(default)]
    #[schema(maximum = 10_000_000)]
    pub open_line_tax_rate_ppm: u32,
}

fn midnight() -> String {
    "00:00".to_owned()
}

const fn yes() -> bool {
    true
}

impl NewShop {
    /// A shop with the usual settings.
    pub fn plain(name: &str, timezone: &str, currency: &str) -> Self {
        Self {
            name: name.to_owned(),
            timezone: timezone.to_owned(),
            currency: currency.to_owned(),
            day_starts: midnight(),
            tax_mode: TaxMode::default(),
            tax_basis: TaxBasis::default(),
            cash_step: 0,
            late_entry: true,
            open_line_tax_rate_ppm: 0,
        }
    }
}

/// What may change about a shop; what is absent stays. The currency never changes: amounts are in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShopPatch {
    /// Its name.
    #[schema(min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// IANA time zone.
    #[schema(format = "iana-time-zone")]
    pub timezone: Option<String>,
    /// When a trading day begins.
    #[schema(pattern = "^(0[0-9]|1[01]):[0-5][0-9]$")]
    pub day_starts: Option<String>,
    /// Whether prices contain the tax.
    #[schema(value_type = Option<String>, pattern = "^(inclusive|exclusive)$")]
    pub tax_mode: Option<TaxMode>,
    /// Where tax is rounded.
    #[schema(value_type = Option<String>, pattern = "^(per_receipt|per_line)$")]
    pub tax_basis: Option<TaxBasis>,
    /// Cash rounding step in minor units.
    pub cash_step: Option<u16>,
    /// Whether paper receipts may be rung later.
    pub late_entry: Option<bool>,
    /// Tax rate of lines that are not in the catalogue, in millionths.
    #[schema(maximum = 10_000_000)]
    pub open_line_tax_rate_ppm: Option<u32>,
}

/// A shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Shop {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub id: ShopId,
    /// Its name.
    pub name: String,
    /// IANA time zone.
    pub timezone: String,
    /// When a trading day begins, `HH:MM`.
    pub day_starts: String,
    /// ISO 4217.
    #[schema(value_type = String)]
    pub currency: Currency,
    /// Whether prices contain the tax.
    #[schema(value_type = String)]
    pub tax_mode: TaxMode,
    /// Where tax is rounded.
    #[schema(value_type = String)]
    pub tax_basis: TaxBasis,
    /// Cash rounding step in minor units.
    pub cash_step: u16,
    /// Whether paper receipts may be rung later.
    pub late_entry: bool,
    /// Tax rate of lines that are not in the catalogue, in millionths.
    pub open_line_tax_rate_ppm: u32,
    /// Rises with every change of the settings.
    pub version: u64,
}
