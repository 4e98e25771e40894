//! What analytics shows. Pure. Money is in minor units of the currency beside it.

use serde::Serialize;
use utoipa::ToSchema;

/// Figures of some trading days.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Figures {
    /// Sales.
    pub sales: i64,
    /// Returns.
    pub returns: i64,
    /// Lines of both.
    pub lines: i64,
    /// What sales came to, tax included; positive.
    pub gross_sales_minor: i64,
    /// What returns came to, tax included; positive.
    pub returns_minor: i64,
    /// Gross sales less returns.
    pub net_sales_minor: i64,
    /// Tax of sales less tax of returns.
    pub tax_minor: i64,
}

/// The overview of some trading days.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Overview {
    /// ISO 4217; none while the tenant has no shop and no sale.
    pub currency: Option<String>,
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// Discounts given.
    pub discounts_minor: i64,
    /// What cash rounding added.
    pub rounding_minor: i64,
    /// Stock write-offs (events).
    pub write_offs: i64,
    /// Their lines.
    pub write_off_lines: i64,
    /// Tickets whose total HQ counts otherwise, or cannot count; the lane's figure stands.
    pub mismatched: i64,
    /// Tickets rung later from paper.
    pub late_entries: i64,
    /// Whether figures of a day changed after the day had passed.
    pub restated: bool,
    /// How many days did.
    pub restated_days: i64,
}

/// One trading day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct DayFigures {
    /// The trading day.
    #[schema(value_type = String, example = "2010-12-01")]
    pub business_date: String,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// Tickets whose total HQ counts otherwise.
    pub mismatched: i64,
    /// Whether they changed after the day had passed.
    pub restated: bool,
}

/// One hour of the clock on the shop's wall, over all days asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct HourFigures {
    /// 0 to 23.
    pub hour: i16,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// One product over the days asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProductFigures {
    /// The code; blank gathers the open-price lines.
    pub code: String,
    /// What receipts called it.
    pub description: String,
    /// Lines.
    pub lines: i64,
    /// Net quantity, as a decimal.
    pub quantity: String,
    /// Net of discounts and returns, in the tickets' tax mode.
    pub net_minor: i64,
    /// Tax share.
    pub tax_minor: i64,
}

/// A list of figures with the currency they are in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Series<T> {
    /// ISO 4217; none while there is nothing to tell it by.
    pub currency: Option<String>,
    /// The figures.
    pub rows: Vec<T>,
}

/// One trading day of one shop in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShopDay {
    /// The shop.
    pub shop: uuid::Uuid,
    /// The trading day.
    pub date: time::Date,
    /// ISO 4217.
    pub currency: String,
    /// The figures.
    pub figures: Figures,
    /// Whether they changed after the day had passed.
    pub restated: bool,
}

/// One step of a chart: an hour of a day, or a day of a range, beside the same step before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// `09:00`, or the date.
    pub label: String,
    /// What was sold.
    pub now: Figures,
    /// What was sold the weekday before, or in the range before.
    pub before: Figures,
}

/// What a shop's page says of some trading days, out of roll-ups alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShopReport {
    /// ISO 4217; none when the figures are in several currencies, which are never added.
    pub currency: Option<String>,
    /// The days' figures.
    pub overview: Overview,
    /// The figures of the days before that they are compared with.
    pub before: Figures,
    /// Hour by hour of a single day, else day by day.
    pub steps: Vec<Step>,
    /// The products that came to most.
    pub top: Vec<ProductFigures>,
}

/// What people know of some trading days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looks {
    /// Days whose figures changed after a person had seen them.
    pub changed: usize,
    /// Days of shops that have figures, have passed, and were seen by nobody since.
    pub unseen: Vec<(uuid::Uuid, time::Date)>,
}
