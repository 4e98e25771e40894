//! A tenant with a shop, and made events, for tests and benches. Not for serving: what cannot be made panics.
#![allow(clippy::expect_used, reason = "a test or bench has no other way on")]

use axum::body::Body;
use axum::http::{Request, StatusCode};
use protocol::business_day::BusinessDate;
use protocol::event::{FiscalEvent, Occurrence, RawEvent, StockWrittenOffV1, TicketClosedV1, WriteOffLine};
use protocol::id::{LaneId, NodeId, PersonId, Seq, ShopId, Stream, TenantId, Term, TicketId};
use protocol::ledger::Record;
use protocol::money::Currency;
use protocol::price::UnitPrice;
use protocol::quantity::Quantity;
use protocol::tax::{TaxBasis, TaxMode, TaxRate};
use protocol::ticket::{ARITHMETIC, Line, Pricing, Tender, TenderKind, Terms, TicketKind, fold, settle};
use protocol::timestamp::Timestamp;
use serde_json::Value;
use tower::ServiceExt;
use uuid::Uuid;

use super::service;
use super::types::{IngestError, IngestReport};
use crate::app::App;
use crate::clock::Clock;
use crate::db::TenantTx;
use crate::db::testing::TestDb;
use crate::domain::fleet::NodeIdentity;
use crate::domain::shops::types::NewShop;
use crate::domain::{shops, tenants};
use crate::http::docs;

/// 2011-01-10 12:00 UTC: what the clock of a rig says at first.
pub const NOON: Timestamp = Timestamp(1_294_660_800_000);
/// One day.
pub const DAY: i64 = 86_400_000;

/// Head office over a database of its own, with tenants, each with a shop and a node.
pub struct Rig {
    /// The database; dropped with the rig.
    pub test: TestDb,
    /// Head office.
    pub app: App,
    made: u32,
}

/// One tenant of a rig.
#[derive(Clone, Debug)]
pub struct Seat {
    /// The tenant.
    pub tenant: TenantId,
    /// Its owner.
    pub owner: PersonId,
    /// Its shop, in London, in pounds.
    pub shop: ShopId,
    /// A node of the shop. Fleet does not know it; nothing here asks.
    pub who: NodeIdentity,
    /// The owner's e-mail; the password is [`PASSWORD`].
    pub email: String,
}

/// Every owner's password.
pub const PASSWORD: &str = "correct horse battery staple";

impl Rig {
    /// Head office at [`NOON`].
    pub async fn new() -> Self {
        let test = TestDb::new().await;
        let app = App::new(test.db.clone(), Clock::manual(NOON)).await.expect("head office");
        Self { test, app, made: 0 }
    }

    /// A further tenant with its shop and node.
    pub async fn seat(&mut self) -> Seat {
        self.made += 1;
        seat(&self.app, self.made).await
    }

    /// A transaction of a tenant.
    pub async fn tx(&self, tenant: TenantId) -> TenantTx {
        TenantTx::begin(&self.app.db, tenant).await.expect("transaction")
    }

    /// Events in, through the front door of the noun.
    pub async fn ingest(&self, seat: &Seat, records: Vec<Record>) -> Result<IngestReport, IngestError> {
        service::ingest(&self.app, &seat.who, Stream::Fiscal, records).await
    }

    /// Signs an owner in over HTTP and gives the access token.
    pub async fn sign_in(&self, seat: &Seat) -> String {
        let body = serde_json::json!({ "email": seat.email, "password": PASSWORD }).to_string();
        let (status, reply) = self.call("POST", "/v1/auth/login", "", "application/json", body).await;
        assert_eq!(status, StatusCode::OK, "{reply}");
        reply["data"]["access_token"].as_str().expect("token").to_owned()
    }

    /// A request to the whole router.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        token: &str,
        content_type: &str,
        body: impl Into<Body>,
    ) -> (StatusCode, Value) {
        let request = Request::builder().method(method).uri(path).header("content-type", content_type);
        // Whoever changes something says what they saw; these tests mean whatever is there.
        let seen = if ["PUT", "PATCH"].contains(&method) { "if-match" } else { "x-none" };
        let request = request.header("authorization", format!("Bearer {token}")).header(seen, "*");
        let request = request.body(body.into()).expect("request");
        let reply = docs::router(self.app.clone()).oneshot(request).await.expect("reply");
        let status = reply.status();
        let bytes = axum::body::to_bytes(reply.into_body(), 64 << 20).await.expect("body");
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// GET with a token.
    pub async fn get(&self, path: &str, token: &str) -> (StatusCode, Value) {
        self.call("GET", path, token, "application/json", Body::empty()).await
    }
}

/// A tenant with its shop and node at any head office; `number` tells them apart.
pub async fn seat(app: &App, number: u32) -> Seat {
    let email = format!("owner{number}@example.com");
    let made = tenants::service::create(app, "A tenant", &email, PASSWORD).await.expect("tenant");
    let mut tx = TenantTx::begin(&app.db, made.tenant).await.expect("transaction");
    let new = NewShop::plain("High Street", "Europe/London", "GBP");
    let shop = shops::service::create(&mut tx, crate::domain::audit::Actor::COMMAND, &new, app.clock.now())
        .await
        .expect("shop")
        .id;
    tx.save().await.expect("saved");
    let node = NodeId::from_uuid(Uuid::from_u128(0xA0_0000 + u128::from(number)));
    let who = NodeIdentity { tenant: made.tenant, shop, node, term: Term(1) };
    Seat { tenant: made.tenant, owner: made.owner, shop, who, email }
}

/// What a made ticket says. Its tender is exact cash.
#[derive(Clone, Debug)]
pub struct Made {
    /// Its number: the id follows from it.
    pub number: u128,
    /// Sale or return; a return's quantities are negative.
    pub kind: TicketKind,
    /// When it was closed.
    pub at: Timestamp,
    /// Its trading day.
    pub date: BusinessDate,
    /// Rung later from paper.
    pub late: bool,
    /// Code (none: open price), quantity in thousandths, price in ten-thousandths.
    pub lines: Vec<(Option<String>, i64, i64)>,
    /// Tax rate of all lines, in millionths.
    pub rate: u32,
}

impl Made {
    /// A sale at [`NOON`] on its own day.
    pub fn sale(number: u128, lines: &[(&str, i64, i64)]) -> Self {
        let lines = lines.iter().map(|(code, milli, e4)| (Some((*code).to_owned()), *milli, *e4)).collect();
        let date = "2011-01-10".parse().expect("date");
        Self { number, kind: TicketKind::Sale, at: NOON, date, late: false, lines, rate: 200_000 }
    }

    /// The same on another day (so many before or after), at the same hour.
    #[must_use]
    pub fn days(mut self, days: i32) -> Self {
        self.at = self.at.plus_millis(i64::from(days) * DAY);
        self.date = BusinessDate::from_days(self.date.days() + days).expect("date");
        self
    }

    /// The same as a blind return.
    #[must_use]
    pub fn back(mut self) -> Self {
        self.kind = TicketKind::Return;
        for line in &mut self.lines {
            line.1 = -line.1;
        }
        self
    }

    /// The body, counted as a lane counts.
    pub fn body(&self) -> TicketClosedV1 {
        let terms = Terms {
            arithmetic: ARITHMETIC,
            currency: Currency::GBP,
            tax_mode: TaxMode::Inclusive,
            tax_basis: TaxBasis::PerReceipt,
            cash_step: 0,
        };
        let lines: Vec<Line> = self.lines.iter().zip(1..).map(|(line, no)| self.line(line, no)).collect();
        let totals = fold(&terms, self.kind, &lines, None).expect("counted");
        let tenders = match totals.total.minor() {
            0 => Vec::new(),
            _ => vec![Tender { kind: TenderKind::Cash, amount: totals.total, reference: None }],
        };
        let settlement = settle(&terms, totals.total, &tenders).expect("settled");
        TicketClosedV1 {
            ticket: TicketId::from_uuid(Uuid::from_u128(0xB0_0000_0000 + self.number)),
            kind: self.kind,
            lane: LaneId::from_uuid(Uuid::from_u128(1 + self.number % 8)),
            cashier: None,
            shift: None,
            opened_at: self.at.plus_millis(-60_000),
            occurred: occurrence(self.at, self.date, self.late),
            reference: None,
            terms,
            lines,
            voided: Vec::new(),
            ticket_discount: None,
            totals,
            tenders,
            settlement,
            idempotency_key: format!("close-{}", self.number),
            request_hash: [1; 32],
            reply_hash: [2; 32],
        }
    }

    fn line(&self, line: &(Option<String>, i64, i64), line_no: u16) -> Line {
        Line {
            line_no,
            code: line.0.clone(),
            description: line.0.as_ref().map_or_else(|| "OPEN".to_owned(), |code| format!("PRODUCT {code}")),
            quantity: Quantity::from_milli(line.1).expect("quantity"),
            unit_price: UnitPrice::from_e4(line.2).expect("price"),
            pricing: if line.0.is_some() { Pricing::Book } else { Pricing::Open },
            discount: None,
            tax_rate: TaxRate::from_ppm(self.rate).expect("rate"),
            original: None,
        }
    }

    /// The event at a position.
    pub fn record(&self, seq: u64) -> Record {
        record(seq, FiscalEvent::closed(self.body()))
    }
}

/// An event at a position.
pub fn record(seq: u64, event: FiscalEvent) -> Record {
    Record { seq: Seq(seq), event: event.encode().expect("encoded") }
}

/// An event with any body at a position.
pub fn raw(seq: u64, kind: u16, version: u8, body: &[u8]) -> Record {
    Record { seq: Seq(seq), event: RawEvent { kind, version, body: body.to_vec() } }
}

/// A write-off of one line at [`NOON`].
pub fn write_off(seq: u64, key: &str, code: &str) -> Record {
    let line = WriteOffLine {
        code: code.to_owned(),
        description: format!("PRODUCT {code}"),
        quantity: Quantity::ONE,
        value: None,
    };
    let body = StockWrittenOffV1 {
        lane: LaneId::from_uuid(Uuid::from_u128(1)),
        person: None,
        occurred: occurrence(NOON, "2011-01-10".parse().expect("date"), false),
        reason: "broken".to_owned(),
        reference: None,
        lines: vec![line],
        idempotency_key: key.to_owned(),
        request_hash: [3; 32],
        reply_hash: [4; 32],
    };
    record(seq, FiscalEvent::StockWrittenOff(Box::new(body)))
}

fn occurrence(at: Timestamp, business_date: BusinessDate, late_entry: bool) -> Occurrence {
    Occurrence {
        at,
        recorded_at: at,
        late_entry,
        business_date,
        zone: "Europe/London".to_owned(),
        day_starts_minutes: 0,
        day_rule: protocol::business_day::RULE_VERSION,
    }
}

/// The rows of some records, laid out beforehand: what a bare insert writes.
pub struct LaidOut {
    batch: super::columns::Batch,
    log: super::store::Log,
}

/// Lays out records that follow `head` (position and chain hash), which moves on: decoding, counting and hashing
/// are done here, so that what is timed afterwards is PostgreSQL alone.
pub fn lay_out(
    who: &NodeIdentity,
    now: Timestamp,
    records: Vec<Record>,
    head: &mut (Seq, protocol::ledger::Hash),
) -> LaidOut {
    let mut projector = super::projector::Projector::new(now);
    for record in records {
        head.1 = protocol::ledger::link(&head.1, &record);
        head.0 = record.seq;
        projector.take(Stream::Fiscal, i64::try_from(record.seq.0).expect("position"), record.event, Some(head.1));
    }
    LaidOut { batch: projector.finish(), log: super::ingest::log_of(who, Stream::Fiscal) }
}

/// Writes rows by `unnest` in one transaction of the same role, and nothing else: no cursor, no decoding, no
/// counting. With `roll_ups` the rows of the roll-ups too, as ingest writes them. Answers how many rows it wrote,
/// those of the roll-ups not among them.
pub async fn insert_bare(app: &App, tenant: TenantId, rows: &LaidOut, now: Timestamp, roll_ups: bool) -> u64 {
    let mut tx = TenantTx::begin(&app.db, tenant).await.expect("transaction");
    let events = super::store::insert_events(tx.conn(), &rows.log, &rows.batch.events, now).await.expect("events");
    let others = super::projections::store::insert_rows(tx.conn(), &rows.log, &rows.batch).await.expect("rows");
    if roll_ups {
        let moved = super::projections::store::move_roll_ups(tx.conn(), &rows.log, &rows.batch.sums, now).await;
        moved.expect("roll-ups");
    }
    tx.save().await.expect("saved");
    events + others
}
