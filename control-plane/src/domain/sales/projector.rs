//! Lays events out as rows: decoded once, counted again, and summed for the roll-ups. Pure; what may not count is
//! decided in `rules`, what is written how in `store`.

use protocol::business_day::{BusinessDate, DayRule};
use protocol::event::{FiscalEvent, Occurrence, RawEvent, StockWrittenOffV1, TicketClosedV1, TicketClosedV2};
use protocol::id::Stream;
use protocol::money::Amount;
use protocol::ticket::{LineTotals, Pricing, TenderKind};
use protocol::timestamp::Timestamp;
use time::{Date, OffsetDateTime};

use super::columns::{Batch, ProductSum};
use super::rules::{
    calendar_date, check_ticket, check_write_off, clean, count, count_again, figures_of, kind_number, moment,
    owned_clean, sum_of,
};

/// Lays events out as rows. Holds what is the same for many events of a batch.
pub struct Projector {
    now: Timestamp,
    zones: Vec<Zone>,
    batch: Batch,
}

struct Zone {
    name: String,
    starts: u16,
    rule: Option<DayRule>,
    today: Option<BusinessDate>,
}

/// When something counts, in the database's types.
struct When {
    date: Date,
    hour: i16,
    occurred_at: OffsetDateTime,
    recorded_at: OffsetDateTime,
    passed: bool,
}

impl Projector {
    /// A projector for events that arrive at `now`.
    pub fn new(now: Timestamp) -> Self {
        Self { now, zones: Vec::new(), batch: Batch::default() }
    }

    /// Takes an event in. `chain_hash` is given where the chain is known up to it.
    pub fn take(&mut self, stream: Stream, seq: i64, event: RawEvent, chain_hash: Option<[u8; 32]>) {
        let told = match stream {
            Stream::Fiscal => self.project(seq, &event),
            Stream::Work | Stream::Telemetry => Ok(None),
        };
        let (date, flaw) = match told {
            Ok(date) => (date, None),
            Err(flaw) => (None, Some(flaw)),
        };
        self.event_row(seq, event, chain_hash, flaw, date);
    }

    /// Takes an event in that is not to be counted, and says why.
    pub fn set_aside(&mut self, seq: i64, event: RawEvent, chain_hash: Option<[u8; 32]>, flaw: &str) {
        self.event_row(seq, event, chain_hash, Some(flaw.to_owned()), None);
    }

    fn event_row(
        &mut self,
        seq: i64,
        event: RawEvent,
        chain_hash: Option<[u8; 32]>,
        flaw: Option<String>,
        date: Option<Date>,
    ) {
        let rows = &mut self.batch.events;
        rows.seq.push(seq);
        rows.kind.push(i32::from(event.kind));
        rows.version.push(i16::from(event.version));
        rows.body.push(event.body);
        rows.chain_hash.push(chain_hash);
        rows.flaw.push(flaw);
        rows.business_date.push(date);
    }

    /// The rows and sums of all events taken in.
    pub fn finish(self) -> Batch {
        self.batch
    }

    fn project(&mut self, seq: i64, event: &RawEvent) -> Result<Option<Date>, String> {
        match FiscalEvent::decode(event).map_err(|error| error.to_string())? {
            Some(FiscalEvent::TicketClosed(body)) => self.ticket(seq, *body).map(Some),
            Some(FiscalEvent::StockWrittenOff(body)) => self.write_off(seq, *body).map(Some),
            // The record is the whole of it: it is kept, stands under its day, and moves no money.
            Some(FiscalEvent::NoSale(body)) => self.when(&body.occurred).map(|when| Some(when.date)),
            Some(FiscalEvent::TicketVoided(body)) => self.when(&body.occurred).map(|when| Some(when.date)),
            None => Ok(None),
        }
    }

    fn when(&mut self, occurred: &Occurrence) -> Result<When, String> {
        let date = calendar_date(occurred.business_date)?;
        let occurred_at = moment(occurred.at)?;
        let recorded_at = moment(occurred.recorded_at)?;
        let now = self.now;
        let zone = self.zone(&occurred.zone, occurred.day_starts_minutes, now);
        // A zone that this build does not know costs the hour its local meaning, nothing else.
        let wall = zone.rule.as_ref().and_then(|rule| rule.wall(occurred.at).ok());
        let hour = wall.map_or_else(|| i16::from(occurred_at.hour()), |wall| i16::from(wall.hour()));
        let passed = zone.today.is_some_and(|today| today > occurred.business_date);
        Ok(When { date, hour, occurred_at, recorded_at, passed })
    }

    fn zone(&mut self, name: &str, starts: u16, now: Timestamp) -> &Zone {
        let found = self.zones.iter().position(|zone| zone.starts == starts && zone.name == name);
        let index = found.unwrap_or_else(|| {
            let rule = DayRule::from_minutes(name, starts).ok();
            let today = match &rule {
                Some(rule) => rule.date_of(now).ok(),
                None => DayRule::from_minutes("UTC", 0).ok().and_then(|rule| rule.date_of(now).ok()),
            };
            self.zones.push(Zone { name: name.to_owned(), starts, rule, today });
            self.zones.len() - 1
        });
        // The index is one just found or pushed.
        #[allow(clippy::indexing_slicing, reason = "found or pushed above")]
        &self.zones[index]
    }

    fn ticket(&mut self, seq: i64, body: TicketClosedV2) -> Result<Date, String> {
        check_ticket(&body)?;
        let when = self.when(&body.occurred)?;
        let counted = count_again(&body);
        let figures = figures_of(&body, counted.lines);
        let sum = sum_of(&body, counted.check);
        let key = (when.date, body.terms.currency);
        let sums = &mut self.batch.sums;
        sums.days.entry(key).or_default().add(&sum);
        sums.hours.entry((when.date, when.hour, body.terms.currency)).or_default().add(&sum);
        if when.passed {
            sums.restated.insert(when.date);
        }
        self.ticket_row(seq, &body, &when, counted.check, counted.total);
        self.paid_rows(seq, &body, when.date);
        self.line_rows(seq, body.closed, &figures, when.date);
        Ok(when.date)
    }

    fn ticket_row(&mut self, seq: i64, body: &TicketClosedV2, when: &When, check: i16, hq_total: Option<i64>) {
        let rows = &mut self.batch.tickets;
        rows.seq.push(seq);
        rows.ticket_id.push(body.ticket.as_uuid());
        rows.lane_id.push(body.lane.as_uuid());
        let cashier = body.cashier.as_ref().map(|staff| staff.id.as_uuid());
        rows.cashier_id.push(cashier.or(body.closed.cashier.map(|id| id.as_uuid())));
        rows.shift_id.push(body.shift.map(|id| id.as_uuid()));
        rows.kind.push(kind_number(body.kind));
        rows.business_date.push(when.date);
        rows.hour.push(when.hour);
        rows.occurred_at.push(when.occurred_at);
        rows.recorded_at.push(when.recorded_at);
        rows.late_entry.push(body.occurred.late_entry);
        rows.reference.push(body.reference.as_deref().map(clean));
        rows.currency.push(body.terms.currency.code().to_owned());
        rows.arithmetic.push(i32::from(body.terms.arithmetic));
        rows.line_count.push(count(body.lines.len()));
        rows.voided_count.push(count(body.voided.len()));
        rows.gross_minor.push(body.totals.gross.minor());
        rows.discounts_minor.push(body.totals.discounts.minor());
        rows.net_minor.push(body.totals.net.minor());
        rows.tax_minor.push(body.totals.tax.minor());
        rows.total_minor.push(body.totals.total.minor());
        rows.rounding_minor.push(body.settlement.rounding.minor());
        rows.check_result.push(check);
        rows.hq_total_minor.push(hq_total);
    }

    /// Tenders and taxes. Change is taken off the first cash tenders that can bear it.
    fn paid_rows(&mut self, seq: i64, body: &TicketClosedV1, date: Date) {
        let mut change = body.settlement.change.minor().max(0);
        let rows = &mut self.batch.tenders;
        for (index, tender) in body.tenders.iter().enumerate() {
            let (kind, given_back) = match tender.kind {
                TenderKind::Cash => (1, change.min(tender.amount.minor().max(0))),
                TenderKind::CardRecorded => (2, 0),
            };
            change -= given_back;
            rows.seq.push(seq);
            rows.tender_no.push(count(index + 1));
            rows.business_date.push(date);
            rows.kind.push(kind);
            rows.amount_minor.push(tender.amount.minor());
            rows.change_minor.push(given_back);
        }
        let rows = &mut self.batch.taxes;
        for (index, tax) in body.totals.taxes.iter().enumerate() {
            rows.seq.push(seq);
            rows.tax_no.push(count(index + 1));
            rows.business_date.push(date);
            rows.rate_ppm.push(i32::try_from(tax.rate.ppm()).unwrap_or(i32::MAX));
            rows.base_minor.push(tax.base.minor());
            rows.tax_minor.push(tax.tax.minor());
        }
    }

    fn line_rows(&mut self, seq: i64, body: TicketClosedV1, figures: &[LineTotals], date: Date) {
        let products = self.batch.sums.products.entry((date, body.terms.currency)).or_default();
        let rows = &mut self.batch.lines;
        for (line, totals) in body.lines.into_iter().zip(figures) {
            let description = owned_clean(line.description);
            let code = line.code.map(owned_clean);
            let key = code.as_deref().unwrap_or("");
            if !products.contains_key(key) {
                let fresh = ProductSum { description: description.clone(), ..ProductSum::default() };
                products.insert(key.to_owned(), fresh);
            }
            if let Some(sum) = products.get_mut(key) {
                if sum.description != description && !description.is_empty() {
                    sum.description.clone_from(&description);
                }
                sum.lines += 1;
                sum.quantity_milli += line.quantity.milli();
                sum.net_minor += totals.net.minor();
                sum.tax_minor += totals.tax.minor();
            }
            rows.seq.push(seq);
            rows.line_no.push(i32::from(line.line_no));
            rows.business_date.push(date);
            rows.code.push(code);
            rows.description.push(description);
            rows.quantity_milli.push(line.quantity.milli());
            rows.unit_price_e4.push(line.unit_price.e4());
            rows.pricing.push(match line.pricing {
                Pricing::Book => 0,
                Pricing::Override { .. } => 1,
                Pricing::Open => 2,
            });
            rows.gross_minor.push(totals.gross.minor());
            rows.discount_minor.push(totals.discount.minor() + totals.ticket_discount.minor());
            rows.net_minor.push(totals.net.minor());
            rows.tax_minor.push(totals.tax.minor());
            rows.tax_rate_ppm.push(i32::try_from(line.tax_rate.ppm()).unwrap_or(i32::MAX));
        }
    }

    fn write_off(&mut self, seq: i64, body: StockWrittenOffV1) -> Result<Date, String> {
        check_write_off(&body)?;
        let when = self.when(&body.occurred)?;
        let sums = &mut self.batch.sums;
        let day = sums.stock.entry(when.date).or_default();
        day.write_offs += 1;
        day.lines += i64::from(count(body.lines.len()));
        if when.passed {
            sums.restated.insert(when.date);
        }
        let rows = &mut self.batch.write_offs;
        rows.seq.push(seq);
        rows.lane_id.push(body.lane.as_uuid());
        rows.person_id.push(body.person.map(|id| id.as_uuid()));
        rows.business_date.push(when.date);
        rows.occurred_at.push(when.occurred_at);
        rows.recorded_at.push(when.recorded_at);
        rows.late_entry.push(body.occurred.late_entry);
        rows.reason.push(clean(&body.reason));
        rows.reference.push(body.reference.as_deref().map(clean));
        rows.idempotency_key.push(clean(&body.idempotency_key));
        let rows = &mut self.batch.write_off_lines;
        for (index, line) in body.lines.into_iter().enumerate() {
            rows.seq.push(seq);
            rows.line_no.push(count(index + 1));
            rows.business_date.push(when.date);
            rows.code.push(owned_clean(line.code));
            rows.description.push(owned_clean(line.description));
            rows.quantity_milli.push(line.quantity.milli());
            rows.value_minor.push(line.value.map(Amount::minor));
        }
        Ok(when.date)
    }
}
