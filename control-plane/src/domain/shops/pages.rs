//! The pages of shops: all of them with their day so far, one of them with its figures and its boxes, a claim for a new
//! box, a new shop. Reads roll-ups, cursors and checkpoints only, so that a page costs the same after years of sales.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use protocol::id::ShopId;
use protocol::timestamp::Timestamp;
use serde::Deserialize;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::types::{NewShop, Shop};
use super::{pages_day as day, service};
use crate::app::App;
use crate::auth::policy::{Permission, right};
use crate::clock::{timestamp, utc};
use crate::domain::analytics;
use crate::domain::analytics::types::{ShopDay, ShopReport};
use crate::domain::fleet::words::{self, Level, Said};
use crate::domain::fleet::{self, NewClaim, NodeStanding, Standing};
use crate::http::{ApiError, Path, Query};
use crate::web::{Flash, Form, Nav, PageCaller, PageCan, PageResult, Pages, Shell, format};

/// The pages of shops.
pub fn pages() -> Pages {
    Pages::new()
        .route(Method::GET, "/shops", list)
        .route(Method::POST, "/shops", create)
        .route(Method::GET, "/shops/new", new)
        .route(Method::GET, "/shops/{id}", one)
        .route(Method::POST, "/shops/{id}/claims", claim)
}

/// A shop in the list.
struct Row {
    shop: Shop,
    today: String,
    net: String,
    sales: i64,
    online: usize,
    nodes: usize,
    worst: Level,
    said: Said,
}

#[derive(Template)]
#[template(path = "domain/shops/templates/list.html")]
struct List {
    shell: Shell,
    rows: Vec<Row>,
    /// Whether the reader may see what is sold.
    figures: bool,
}

async fn list(State(app): State<App>, caller: PageCan<right::ShopsRead>) -> PageResult {
    let now = app.clock.now();
    let mut tx = caller.begin(&app).await?;
    let shops = service::list(&mut tx).await?;
    let days: Vec<Date> = shops.iter().map(|shop| service::today(shop, now)).collect();
    let figures = match (days.iter().min(), days.iter().max()) {
        (Some(first), Some(last)) => analytics::service::shop_days(&mut tx, *first, *last).await?,
        (None, _) | (_, None) => Vec::new(),
    };
    let standing = fleet::service::standing(&mut tx, None).await?;
    // Shops may be seen by whoever puts boxes into them; what they sell is another permission, perhaps for fewer shops.
    let figures: Vec<ShopDay> = figures.into_iter().filter(|day| sees(&caller, ShopId::from_uuid(day.shop))).collect();
    let row = |(shop, today): (Shop, Date)| row(shop, today, &figures, &standing, now);
    let rows = shops.into_iter().zip(days).map(row).collect();
    let figures = caller.policy.may(Permission::AnalyticsRead);
    caller.page(&List { shell: Shell::new(&caller, Nav::Shops, "Shops"), rows, figures })
}

fn sees(caller: &PageCaller, shop: ShopId) -> bool {
    caller.policy.allows_in(Permission::AnalyticsRead, shop)
}

fn row(shop: Shop, today: Date, figures: &[ShopDay], standing: &Standing, now: Timestamp) -> Row {
    let id = shop.id.as_uuid();
    let of_day = figures.iter().filter(|day| day.shop == id && day.date == today);
    let (net, sales) = of_day
        .filter(|day| day.currency == shop.currency.code())
        .fold((0_i64, 0_i64), |sum, day| (sum.0 + day.figures.net_sales_minor, sum.1 + day.figures.sales));
    let contacts: Vec<Said> = standing.nodes_of(id).map(|node| contact(node, now)).collect();
    Row {
        today: today.to_string(),
        net: format::money(net, shop.currency.code()),
        sales,
        online: contacts.iter().filter(|said| said.level == Level::Good).count(),
        nodes: contacts.len(),
        worst: contacts.iter().map(|said| said.level).max().unwrap_or(Level::Quiet),
        said: completeness(&shop, standing, now),
        shop,
    }
}

fn contact(node: &NodeStanding, now: Timestamp) -> Said {
    words::contact(node.row.last_seen_at.map(timestamp), now)
}

/// What HQ has of a shop, in words.
fn completeness(shop: &Shop, standing: &Standing, now: Timestamp) -> Said {
    let id = shop.id.as_uuid();
    // The box that was silent longest holds what is missing.
    let seen = standing.nodes_of(id).filter_map(|node| node.row.last_seen_at).map(timestamp).min();
    if standing.logs_of(id).next().is_none() && standing.nodes_of(id).next().is_none() {
        let sentence = "No box has joined this shop yet: make a claim code and enrol the first one.".to_owned();
        return Said { level: Level::Quiet, word: "no box yet", sentence };
    }
    words::completeness(standing.logs_of(id), seen, now, |at| day::wall_text(shop, at, now))
}

/// A box in the list of a shop's page.
struct BoxRow {
    node: NodeStanding,
    contact: Said,
    waiting: u64,
}

#[derive(Template)]
#[template(path = "domain/shops/templates/one.html")]
struct One {
    shell: Shell,
    shop: Shop,
    days: day::Days,
    said: Said,
    tiles: day::Tiles,
    report: ShopReport,
    chart: day::Chart,
    boxes: Vec<BoxRow>,
    /// Whether the reader may see what is sold here.
    figures: bool,
    /// Days whose figures changed after somebody had seen them.
    changed: usize,
    currency: String,
    now: OffsetDateTime,
}

async fn one(
    State(app): State<App>,
    caller: PageCan<right::ShopsRead>,
    Path(id): Path<Uuid>,
    Query(asked): Query<day::Asked>,
) -> PageResult {
    let now = app.clock.now();
    let mut tx = caller.begin(&app).await?;
    analytics::service::one_moment(&mut tx).await?;
    let shop = service::get(&mut tx, ShopId::from_uuid(id)).await?;
    let last = analytics::service::last_day(&mut tx, shop.id).await?;
    let days = day::Days::of(&asked, service::today(&shop, now), last);
    let report = analytics::service::shop_report(&mut tx, shop.id, days.from, days.to).await?;
    let looks = analytics::service::looks(&mut tx, Some(shop.id), (days.from, days.to), days.today).await?;
    let standing = fleet::service::standing(&mut tx, Some(shop.id)).await?;
    drop(tx);
    if !caller.caller.read_only() {
        analytics::service::see(&app, caller.caller.tenant, &looks.unseen).await?;
    }
    let said = completeness(&shop, &standing, now);
    let row = |node: NodeStanding| BoxRow {
        contact: contact(&node, now),
        waiting: node.logs.iter().map(fleet::LogState::waiting).sum(),
        node,
    };
    let currency = report.currency.clone().unwrap_or_else(|| shop.currency.code().to_owned());
    caller.page(&One {
        shell: Shell::new(&caller, Nav::Shops, &shop.name),
        figures: sees(&caller, shop.id),
        tiles: day::Tiles::of(&report, &days, &currency),
        chart: day::Chart::of(&report, &days, &currency),
        boxes: standing.nodes.into_iter().map(row).collect(),
        now: utc(now),
        changed: looks.changed,
        days,
        said,
        report,
        currency,
        shop,
    })
}

#[derive(Template)]
#[template(path = "domain/shops/templates/claim.html")]
struct Claim {
    shell: Shell,
    shop: Shop,
    code: String,
    command: String,
    ends: OffsetDateTime,
    plain: bool,
}

/// A form without fields of its own.
#[derive(Debug, Deserialize)]
struct Nothing {}

/// Makes a claim and shows its code, this once: the answer is the page itself, so that the code is nowhere else.
async fn claim(
    State(app): State<App>,
    caller: PageCan<right::FleetWrite>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    let shop = service::get(&mut tx, ShopId::from_uuid(id)).await?;
    let new = NewClaim { by: Some((&caller.caller).into()), ..NewClaim::default() };
    let made = fleet::service::create_claim(&app.db, &mut tx, shop.id, new, app.clock.now()).await;
    let made = made.map_err(ApiError::from)?;
    tx.save().await?;
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let hq = fleet::service::enrol_address(&app, host).unwrap_or_else(|| "https://HEAD-OFFICE:PORT".to_owned());
    caller.page(&Claim {
        shell: Shell::new(&caller, Nav::Shops, "A new box"),
        command: format!("provision enroll --hq {hq} --claim {} --dir /var/lib/tillway/node", made.code),
        plain: hq.starts_with("http://"),
        ends: utc(made.expires_at),
        code: made.code,
        shop,
    })
}

#[derive(Template)]
#[template(path = "domain/shops/templates/new.html")]
struct New {
    shell: Shell,
    form: NewForm,
    error: Option<String>,
}

/// A shop to be made, as typed.
#[derive(Clone, Debug, Default, Deserialize)]
struct NewForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    timezone: String,
    #[serde(default)]
    currency: String,
    #[serde(default)]
    day_starts: String,
}

async fn new(caller: PageCan<right::ShopsCreate>) -> PageResult {
    let form = NewForm { day_starts: "00:00".to_owned(), ..NewForm::default() };
    caller.page(&New { shell: Shell::new(&caller, Nav::Shops, "A new shop"), form, error: None })
}

async fn create(State(app): State<App>, caller: PageCan<right::ShopsCreate>, Form(form): Form<NewForm>) -> PageResult {
    let day_starts = form.day_starts.trim();
    let new = NewShop {
        day_starts: if day_starts.is_empty() { "00:00".to_owned() } else { day_starts.to_owned() },
        ..NewShop::plain(form.name.trim(), form.timezone.trim(), form.currency.trim())
    };
    let mut tx = caller.begin(&app).await?;
    match service::create(&mut tx, &caller.caller, &new, app.clock.now()).await {
        Ok(shop) => {
            tx.save().await?;
            caller.see_other(
                &format!("/shops/{}", shop.id),
                Flash::done(format!("{} is ready for its first box.", shop.name)),
            )
        }
        Err(error) if error.status == StatusCode::UNPROCESSABLE_ENTITY => {
            let shell = Shell::new(&caller, Nav::Shops, "A new shop");
            caller.page_with(error.status, &New { shell, form, error: Some(error.message) })
        }
        Err(error) => Err(error.into()),
    }
}
