//! The live page: today's figures and the last tickets. Whole without a script; with one, [`super::stream`] keeps it
//! true.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;
use uuid::Uuid;

use crate::app::App;
use crate::auth::policy::right;
use crate::domain::sales::live::rules::{LiveFigures, LiveShop, LiveState, LiveTicket};
use crate::domain::sales::live::service;
use crate::domain::sales::query::read_id;
use crate::http::{ApiError, ApiResult, Query};
use crate::web::{Nav, PageCan, PageResult, Shell, format};

/// Which shop, and what the browser has seen.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct LiveQuery {
    #[serde(default)]
    pub(super) shop: String,
    #[serde(default)]
    pub(super) last: String,
}

#[derive(Template)]
#[template(path = "domain/sales/templates/live.html")]
struct LivePage<'a> {
    shell: Shell,
    shops: &'a [LiveShop],
    only: Option<Uuid>,
    state: &'a LiveState,
    figures: String,
    rows: Vec<String>,
    id: String,
    now: String,
    stream: String,
}

#[derive(Template)]
#[template(path = "domain/sales/templates/live_figures.html")]
struct FiguresPart<'a> {
    state: &'a LiveState,
    none: LiveFigures,
    day: String,
}

#[derive(Template)]
#[template(path = "domain/sales/templates/live_row.html")]
struct RowPart<'a> {
    ticket: &'a LiveTicket,
    shop: &'a str,
    zone: &'a str,
    today: bool,
    one_shop: bool,
    now: time::OffsetDateTime,
}

impl LivePage<'_> {
    /// The state as the chart takes it.
    fn chart(&self) -> Option<&LiveFigures> {
        chart_of(self.state)
    }

    fn is_chosen(&self, shop: &Uuid) -> bool {
        self.only == Some(*shop)
    }

    fn labels() -> String {
        let hours: Vec<String> = (0..24).map(|hour| format!("{hour:02}")).collect();
        serde_json::to_string(&hours).unwrap_or_default()
    }

    fn values(figures: &LiveFigures) -> String {
        serde_json::to_string(&figures.hours).unwrap_or_default()
    }

    fn exponent(figures: &LiveFigures) -> u32 {
        figures.currency.parse::<protocol::money::Currency>().map_or(2, |currency| currency.exponent())
    }
}

/// What the chart shows: the one currency there is. Of several none is drawn, for they have no common axis.
pub(super) fn chart_of(state: &LiveState) -> Option<&LiveFigures> {
    match state.figures.as_slice() {
        [only] => Some(only),
        _ => None,
    }
}

/// A row's name in the page and in the stream.
pub(super) fn key_of(ticket: &LiveTicket) -> String {
    ticket.key()
}

/// The newest ticket in words, for people who hear the page.
pub(super) fn spoken(state: &LiveState, shops: &[LiveShop]) -> Option<String> {
    let row = &state.tickets.first()?.row;
    let shop = shops.iter().find(|shop| shop.id == row.shop_id).map_or("a former shop", |shop| shop.name.as_str());
    Some(format!("New {}: {}, {shop}", row.kind, format::money(row.total_minor, &row.currency)))
}

/// The shop that was asked for, if it is one of theirs.
pub(super) fn chosen(shops: &[LiveShop], text: &str) -> ApiResult<Option<Uuid>> {
    let only = read_id("shop", text).map_err(|_| ApiError::not_found("shop"))?;
    match only {
        Some(id) if shops.iter().all(|shop| shop.id != id) => Err(ApiError::not_found("shop")),
        only => Ok(only),
    }
}

/// The figures as HTML.
pub(super) fn figures_html(state: &LiveState, shops: &[LiveShop], only: Option<Uuid>) -> ApiResult<String> {
    let currency = shops.iter().find(|shop| only.is_none_or(|only| only == shop.id)).map(|shop| shop.currency.clone());
    let none = LiveFigures { currency: currency.unwrap_or_default(), ..LiveFigures::default() };
    let day = state.day.map(|day| format::day(day.to_string())).unwrap_or_default();
    FiguresPart { state, none, day }.render().map_err(ApiError::internal)
}

/// One ticket as a row.
pub(super) fn row_html(
    ticket: &LiveTicket,
    shops: &[LiveShop],
    only: Option<Uuid>,
    now: time::OffsetDateTime,
) -> ApiResult<String> {
    let shop = shops.iter().find(|shop| shop.id == ticket.row.shop_id);
    let (name, zone) = shop.map_or(("A former shop", "UTC"), |shop| (shop.name.as_str(), shop.zone.as_str()));
    let today = shop.is_some_and(|shop| shop.today.to_string() == ticket.row.business_date);
    let part = RowPart { ticket, shop: name, zone, today, one_shop: only.is_some(), now };
    part.render().map_err(ApiError::internal)
}

/// `GET /`
pub(super) async fn page(
    State(app): State<App>,
    caller: PageCan<right::SalesRead>,
    Query(query): Query<LiveQuery>,
) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    let shops = service::shops(&mut tx, app.clock.now()).await?;
    let only = chosen(&shops, &query.shop)?;
    let state = service::state(&mut tx, &shops, only).await?;
    drop(tx);
    let now = app.clock.utc();
    let rows: ApiResult<Vec<String>> = state.tickets.iter().map(|ticket| row_html(ticket, &shops, only, now)).collect();
    let stream = match only {
        Some(shop) => format!("/sales/live/events?shop={shop}"),
        None => "/sales/live/events?shop=".to_owned(),
    };
    caller.page(&LivePage {
        shell: Shell::new(&caller, Nav::Live, "Live sales"),
        shops: &shops,
        only,
        figures: figures_html(&state, &shops, only)?,
        rows: rows?,
        id: state.id(),
        now: format::iso(now),
        state: &state,
        stream,
    })
}
