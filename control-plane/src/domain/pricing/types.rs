//! What pricing requests look like. Pure.

use protocol::price::UnitPrice;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The way a catalogue was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    Import,
    /// A product by hand.
    Product,
    /// A price by hand.
    Price,
    /// A product was taken out of sale.
    Removal,
}

impl Source {
    /// The name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Product => "product",
            Self::Price => "price",
            Self::Removal => "removal",
        }
    }
}

/// A new price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceBody {
    /// Price of one unit as a decimal in quotes, at most four digits after the point.
    #[schema(value_type = String, example = "2.55", pattern = "^[0-9]{1,9}(\\.[0-9]{1,4})?$")]
    pub unit_price: UnitPrice,
}

/// A price as it now stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PriceView {
    /// The product.
    pub code: String,
    /// Its price.
    #[schema(value_type = String, example = "2.55")]
    pub unit_price: UnitPrice,
    /// The catalogue version that holds it.
    pub version: u64,
    /// Whether it was another before.
    pub changed: bool,
}

/// One change of a price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PriceChange {
    /// The catalogue version that brought it.
    pub version: u64,
    /// What it was; none for a new product.
    #[schema(value_type = Option<String>)]
    pub old_price: Option<UnitPrice>,
    /// What it became.
    #[schema(value_type = String)]
    pub new_price: UnitPrice,
    /// import, product or price.
    pub source: String,
    /// Who.
    pub person_id: Option<uuid::Uuid>,
    /// When (RFC 3339, UTC).
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String)]
    pub made_at: time::OffsetDateTime,
}
