//! What a shop may be. Pure: the same checks as at the edge, by the same types.

use protocol::business_day::DayRule;
use protocol::money::Currency;
use protocol::tax::TaxRate;

use super::types::{NewShop, Shop, ShopPatch};

/// Longest name, in characters.
const NAME_CHARS: usize = 200;

/// A setting that will not do: which, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct BadSetting {
    /// The field.
    pub field: &'static str,
    /// Why.
    pub why: String,
}

fn bad(field: &'static str) -> impl Fn(String) -> BadSetting {
    move |why| BadSetting { field, why }
}

/// The checked settings of a new shop.
///
/// # Errors
/// The first setting that will not do.
pub fn check(new: &NewShop) -> Result<Currency, BadSetting> {
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS {
        return Err(bad("name")(format!("give 1 to {NAME_CHARS} characters")));
    }
    if name.chars().any(char::is_control) {
        return Err(bad("name")("leave out line breaks and other control characters".to_owned()));
    }
    if let Err(error) = DayRule::new(&new.timezone, &new.day_starts) {
        let field = match error {
            protocol::business_day::BusinessDayError::BadDayStart(_) => "day_starts",
            protocol::business_day::BusinessDayError::UnknownZone(_)
            | protocol::business_day::BusinessDayError::BadDate(_)
            | protocol::business_day::BusinessDayError::OutOfRange => "timezone",
        };
        return Err(bad(field)(error.to_string()));
    }
    TaxRate::from_ppm(new.open_line_tax_rate_ppm).map_err(|e| bad("open_line_tax_rate_ppm")(e.to_string()))?;
    new.currency.parse::<Currency>().map_err(|error| bad("currency")(error.to_string()))
}

/// The settings of `shop` after `patch`, unchecked.
pub fn patched(shop: &Shop, patch: ShopPatch) -> NewShop {
    NewShop {
        name: patch.name.unwrap_or_else(|| shop.name.clone()),
        timezone: patch.timezone.unwrap_or_else(|| shop.timezone.clone()),
        currency: shop.currency.code().to_owned(),
        day_starts: patch.day_starts.unwrap_or_else(|| shop.day_starts.clone()),
        tax_mode: patch.tax_mode.unwrap_or(shop.tax_mode),
        tax_basis: patch.tax_basis.unwrap_or(shop.tax_basis),
        cash_step: patch.cash_step.unwrap_or(shop.cash_step),
        late_entry: patch.late_entry.unwrap_or(shop.late_entry),
        open_line_tax_rate_ppm: patch.open_line_tax_rate_ppm.unwrap_or(shop.open_line_tax_rate_ppm),
    }
}

/// `HH:MM` of minutes after midnight.
pub fn day_starts_text(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bad_setting_is_named() {
        let good = NewShop::plain("High Street", "Europe/London", "GBP");
        assert_eq!(check(&good), Ok(Currency::GBP));
        let field = |change: fn(&mut NewShop)| {
            let mut shop = good.clone();
            change(&mut shop);
            check(&shop).unwrap_err().field
        };
        assert_eq!(field(|s| s.name = "  ".to_owned()), "name");
        assert_eq!(field(|s| s.name = "x".repeat(201)), "name");
        assert_eq!(field(|s| s.name = "a\0b".to_owned()), "name");
        assert_eq!(field(|s| s.name = "a\nb".to_owned()), "name");
        assert_eq!(field(|s| s.timezone = "Mars/Base".to_owned()), "timezone");
        assert_eq!(field(|s| s.day_starts = "12:00".to_owned()), "day_starts");
        assert_eq!(field(|s| s.currency = "pounds".to_owned()), "currency");
        assert_eq!(field(|s| s.open_line_tax_rate_ppm = 10_000_001), "open_line_tax_rate_ppm");
    }
}
