//! The shop's settings together with the day rule they name, checked once when they arrive.
//! Knows nothing of where settings come from.

use jiff::civil::DateTime;
use protocol::business_day::{BusinessDayError, DayRule, RULE_VERSION};
use protocol::collection::ShopSettings;
use protocol::event::Occurrence;
use protocol::timestamp::Timestamp;

use super::lane::LateEntry;
use super::refusal::{Refusal, Why};

/// Settings in force.
#[derive(Clone, Debug)]
pub struct Shop {
    /// As HQ sent them.
    pub settings: ShopSettings,
    rule: DayRule,
}

impl Shop {
    /// Takes settings into force.
    ///
    /// # Errors
    /// A zone this node does not know, or a start of day that is none.
    pub fn new(settings: ShopSettings) -> Result<Self, BusinessDayError> {
        let rule = DayRule::from_minutes(&settings.zone, settings.day_starts_minutes)?;
        Ok(Self { settings, rule })
    }

    /// Reads the wall-clock time of a paper receipt as a late entry.
    ///
    /// # Errors
    /// When the shop does not allow late entries, or the time lies ahead.
    pub fn late_entry(&self, wall: DateTime, now: Timestamp) -> Result<LateEntry, Refusal> {
        if !self.settings.late_entry {
            return Err(Refusal::new(
                Why::NotAllowed,
                "late entry is switched off for this shop; leave `at` out, or have head office switch it on",
            ));
        }
        let at = self.rule.moment(wall).map_err(|error| Refusal::invalid(format!("at: {error}")))?;
        if at > now {
            return Err(Refusal::invalid("at: a late entry cannot lie in the future"));
        }
        let business_date = self.rule.date_of_wall(wall).map_err(|error| Refusal::invalid(format!("at: {error}")))?;
        Ok(LateEntry { at, business_date })
    }

    /// When and on which trading day something written `now` counts.
    ///
    /// # Errors
    /// A clock outside the calendar.
    pub fn occurrence(&self, late: Option<LateEntry>, now: Timestamp) -> Result<Occurrence, Refusal> {
        let (at, business_date) = match late {
            Some(late) => (late.at, late.business_date),
            None => {
                let date = self
                    .rule
                    .date_of(now)
                    .map_err(|error| Refusal::unavailable(format!("the node's clock: {error}")))?;
                (now, date)
            }
        };
        Ok(Occurrence {
            at,
            recorded_at: now,
            late_entry: late.is_some(),
            business_date,
            zone: self.rule.zone_name().to_owned(),
            day_starts_minutes: self.rule.starts_minutes(),
            day_rule: RULE_VERSION,
        })
    }
}
