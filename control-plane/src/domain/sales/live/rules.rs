//! The live page's figures, and what tells one state of it from another. Pure.

use protocol::business_day::DayRule;
use protocol::money::div_round;
use protocol::timestamp::Timestamp;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::domain::sales::rules::calendar_date;
use crate::domain::sales::types::TicketRow;

/// A ticket as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveTicket {
    /// The ticket.
    pub row: TicketRow,
    /// When HQ got it.
    pub received_at: OffsetDateTime,
}

impl LiveTicket {
    /// Its name within a tenant, also in the address of its page.
    pub fn key(&self) -> String {
        format!("{}/{}/{}", self.row.node_id, self.row.term, self.row.seq)
    }
}

/// Sums of some shops' trading days in one currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveFigures {
    /// ISO 4217.
    pub currency: String,
    /// Sales.
    pub sales: i64,
    /// Returns.
    pub returns: i64,
    /// What sales came to, tax included.
    pub gross_sales_minor: i64,
    /// What returns came to; positive.
    pub returns_minor: i64,
    /// Tickets that HQ counts otherwise.
    pub mismatched: i64,
    /// Net by hour of the shops' walls, 0 to 23.
    pub hours: Vec<i64>,
}

impl LiveFigures {
    /// Sales less returns.
    pub const fn net_minor(&self) -> i64 {
        self.gross_sales_minor.saturating_sub(self.returns_minor)
    }

    /// What a sale came to on average; none without a sale.
    pub fn basket_minor(&self) -> Option<i64> {
        let wide = (self.sales > 0).then(|| div_round(i128::from(self.gross_sales_minor), i128::from(self.sales)));
        wide.and_then(|wide| i64::try_from(wide).ok())
    }
}

/// A shop as the live page needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveShop {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its zone.
    pub zone: String,
    /// Its currency.
    pub currency: String,
    /// Its trading day now.
    pub today: Date,
}

/// The trading day of a shop at a moment. A zone that nobody knows (the shop's form refuses those) is UTC.
pub fn today(zone: &str, day_starts: &str, now: Timestamp) -> Date {
    let rule = DayRule::new(zone, day_starts).and_then(|rule| rule.date_of(now));
    let date = rule.ok().and_then(|date| calendar_date(date).ok());
    date.unwrap_or_else(|| crate::clock::utc(now).date())
}

/// Everything the live page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveState {
    /// Newest arrival first.
    pub tickets: Vec<LiveTicket>,
    /// One per currency; empty when nothing was ever sold.
    pub figures: Vec<LiveFigures>,
    /// The trading day of the figures.
    pub day: Option<Date>,
    /// Whether that is the running day of the shops (of one of them at least).
    pub running: bool,
}

impl LiveState {
    /// Tells this state from any other: what a browser gives back when it connects again.
    pub fn id(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for ticket in &self.tickets {
            hasher.update(ticket.key().as_bytes());
        }
        for figures in &self.figures {
            let numbers = [figures.sales, figures.returns, figures.gross_sales_minor, figures.returns_minor];
            hasher.update(figures.currency.as_bytes());
            for number in numbers.iter().chain(&figures.hours) {
                hasher.update(&number.to_le_bytes());
            }
        }
        hasher.update(self.day.map(|day| day.to_julian_day()).unwrap_or_default().to_le_bytes().as_slice());
        hasher.update(&[u8::from(self.running)]);
        hasher.finalize().to_hex().chars().take(16).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trading_day_is_the_shop_s() {
        // 2011-01-10 02:00 UTC.
        let night = Timestamp(1_294_624_800_000);
        let text = |zone: &str, starts: &str| today(zone, starts, night).to_string();
        assert_eq!(text("Europe/London", "00:00"), "2011-01-10");
        assert_eq!(text("Europe/London", "04:00"), "2011-01-09");
        assert_eq!(text("America/New_York", "00:00"), "2011-01-09");
        assert_eq!(text("Nowhere/At_All", "00:00"), "2011-01-10");
    }

    #[test]
    fn an_average_needs_a_sale() {
        let figures = LiveFigures { sales: 3, gross_sales_minor: 1_000, returns_minor: 100, ..LiveFigures::default() };
        assert_eq!((figures.basket_minor(), figures.net_minor()), (Some(333), 900));
        assert_eq!(LiveFigures::default().basket_minor(), None);
    }
}
