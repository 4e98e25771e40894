//! What catalogue requests and answers look like. Pure: no SQL, no HTTP.

use protocol::collection::Unit;
use protocol::price::UnitPrice;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A product as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProductView {
    /// The code it is sold by; case-sensitive.
    pub code: String,
    /// What the receipt says.
    pub description: String,
    /// Price of one unit as a decimal in quotes, at most four digits after the point.
    #[schema(value_type = String, example = "2.55")]
    pub unit_price: UnitPrice,
    /// Tax rate in millionths: 20 % is 200000.
    pub tax_rate_ppm: u32,
    /// piece, kilogram, metre or litre.
    #[schema(value_type = String, example = "piece")]
    pub unit: Unit,
    /// Further codes a scanner may read for it.
    pub barcodes: Vec<String>,
    /// The catalogue version of its last change.
    pub version: u64,
}

/// Everything about a product that a person may set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductBody {
    /// What the receipt says.
    #[serde(default)]
    #[schema(max_length = 512, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    pub description: String,
    /// Price of one unit as a decimal in quotes, at most four digits after the point.
    #[schema(value_type = String, example = "2.55", pattern = "^[0-9]{1,9}(\\.[0-9]{1,4})?$")]
    pub unit_price: UnitPrice,
    /// Tax rate in millionths: 20 % is 200000.
    #[serde(default)]
    #[schema(maximum = 10_000_000)]
    pub tax_rate_ppm: u32,
    /// piece, kilogram, metre or litre.
    #[serde(default)]
    #[schema(value_type = String, example = "piece", pattern = "^(piece|kilogram|metre|litre)$")]
    pub unit: Unit,
    /// Further codes a scanner may read for it.
    #[serde(default)]
    #[schema(max_items = 32)]
    pub barcodes: Vec<String>,
}

/// A wanted state of one product, checked. `None` leaves what is there (or takes the default of a new product).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The code.
    pub code: String,
    /// The description; blank in a file means "leave it".
    pub description: Option<String>,
    /// The price; always said, but for a price-only change of another field.
    pub unit_price_e4: Option<i64>,
    /// The tax rate.
    pub tax_rate_ppm: Option<i32>,
    /// The unit by [`super::rules::unit_number`].
    pub unit: Option<i16>,
    /// The barcodes.
    pub barcodes: Option<Vec<String>>,
}

/// A product that became different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its code.
    pub code: String,
    /// Its price before; none for a new product.
    pub old_e4: Option<i64>,
    /// Its price now.
    pub new_e4: i64,
}

/// What became of one line of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A new product (or one that had been removed).
    Added,
    /// The product was different and is now as the line says.
    Changed,
    /// The product was so already.
    Unchanged,
    /// The line was not taken; the message says what to do.
    Rejected,
}

/// The report on one line of an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LineReport {
    /// Line of the file, the header being line 1.
    pub line: u64,
    /// The code on it, if there is one.
    pub code: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The field at fault on a rejected line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<&'static str>,
    /// What is wrong and what to do; empty when all is well.
    pub message: String,
}

/// The answer to an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ImportReport {
    /// Lines taken: added, changed or unchanged.
    pub accepted: u64,
    /// Products that are new.
    pub added: u64,
    /// Products that are new or different now.
    pub changed: u64,
    /// Lines that said what was so already.
    pub unchanged: u64,
    /// Lines not taken.
    pub rejected: u64,
    /// The catalogue version that now holds; it rises only when something changed.
    pub version: u64,
    /// Line by line, in the order of the file.
    pub lines: Vec<LineReport>,
}

/// One page of products.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductPage {
    /// In the order of their codes (by bytes).
    pub products: Vec<ProductView>,
    /// Where the next page starts; none on the last.
    pub next: Option<String>,
}

/// An import whose report is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportSummary {
    /// Its id; later imports have higher ones.
    pub id: uuid::Uuid,
    /// When.
    pub made_at: time::OffsetDateTime,
    /// Whether nothing was kept of it.
    pub rehearsal: bool,
    /// What the file was called; blank for pasted text.
    pub file_name: String,
    /// Products that were new.
    pub added: u64,
    /// Products that were new or different.
    pub changed: u64,
    /// Lines that said what was so already.
    pub unchanged: u64,
    /// Lines not taken.
    pub rejected: u64,
    /// The catalogue version that held afterwards.
    pub version: u64,
}

/// One line of a kept report, as it stands in its file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct KeptLine {
    /// Line of the imported file.
    pub line: u64,
    /// The code on it.
    pub code: String,
    /// added, changed, unchanged or rejected.
    pub outcome: String,
    /// The field at fault.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}
