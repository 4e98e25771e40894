//! The overview of several shops: what each sold on each day of a week. Out of the roll-ups, a row per shop and day.

use askama::Template;
use axum::extract::State;
use axum::http::Method;
use protocol::money::{Currency, div_round};
use serde::Deserialize;
use time::{Date, Duration};

use super::rules::days;
use super::service;
use super::types::ShopDay;
use crate::app::App;
use crate::auth::policy::right;
use crate::clock::utc;
use crate::domain::shops;
use crate::http::Query;
use crate::web::{Nav, PageCan, PageResult, Pages, Shell, format};

/// The pages of analytics.
pub fn pages() -> Pages {
    Pages::new().route(Method::GET, "/overview", overview)
}

/// Up to which day.
#[derive(Clone, Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    to: String,
}

/// What a shop sold on one day.
struct Cell {
    day: String,
    long: String,
    net: String,
    exact: String,
    date: Date,
    quiet: bool,
}

struct Row {
    id: String,
    name: String,
    cells: Vec<Cell>,
    total: String,
    sales: i64,
}

#[derive(Template)]
#[template(path = "domain/analytics/templates/overview.html")]
struct Overview {
    shell: Shell,
    heads: Vec<String>,
    rows: Vec<Row>,
    /// Sums by day over all shops; none when they are in several currencies.
    sums: Option<(Vec<String>, String, i64)>,
    from: Date,
    to: Date,
    back: Date,
    forth: Option<Date>,
    today: Date,
}

async fn overview(
    State(app): State<App>,
    caller: PageCan<right::AnalyticsRead>,
    Query(asked): Query<Asked>,
) -> PageResult {
    let now = app.clock.now();
    let mut tx = caller.begin(&app).await?;
    let shops = shops::service::list(&mut tx).await?;
    // The latest day that any shop is in.
    let today = shops.iter().map(|shop| shops::service::today(shop, now)).max().unwrap_or_else(|| utc(now).date());
    let to = asked.to.parse::<protocol::business_day::BusinessDate>().ok().and_then(|day| to_date(&day));
    let to = to.unwrap_or(today);
    let week = Duration::days(6);
    let from = to.checked_sub(week).unwrap_or(to);
    let figures = service::shop_days(&mut tx, from, to).await?;
    // Passed in every shop.
    let passed = shops.iter().map(|shop| shops::service::today(shop, now)).min().unwrap_or(today);
    let looks = service::looks(&mut tx, None, (from, to), passed).await?;
    drop(tx);
    if !caller.caller.read_only() {
        service::see(&app, caller.caller.tenant, &looks.unseen).await?;
    }
    let dates: Vec<Date> = days(from, to).collect();
    let mut rows = Vec::with_capacity(shops.len());
    for shop in &shops {
        let code = shop.currency.code();
        let of_shop: Vec<&ShopDay> =
            figures.iter().filter(|day| day.shop == shop.id.as_uuid() && day.currency == code).collect();
        let net = |date: Date| {
            of_shop.iter().filter(|day| day.date == date).map(|day| day.figures.net_sales_minor).sum::<i64>()
        };
        let cell = |date: &Date| Cell {
            day: short(*date),
            long: format::day(date.to_string()),
            net: whole(net(*date), code),
            exact: format::money(net(*date), code),
            date: *date,
            quiet: !of_shop.iter().any(|day| day.date == *date),
        };
        rows.push(Row {
            id: shop.id.to_string(),
            name: shop.name.clone(),
            cells: dates.iter().map(cell).collect(),
            total: whole(sum(&of_shop), code),
            sales: of_shop.iter().map(|day| day.figures.sales).sum(),
        });
    }
    let mut codes: Vec<&str> = shops.iter().map(|shop| shop.currency.code()).collect();
    codes.sort_unstable();
    codes.dedup();
    let sums = match codes.as_slice() {
        [code] if shops.len() > 1 => {
            let counted: Vec<&ShopDay> = figures.iter().filter(|day| day.currency == *code).collect();
            let of = |date: &Date| {
                counted.iter().filter(|day| day.date == *date).map(|day| day.figures.net_sales_minor).sum::<i64>()
            };
            let all = sum(&counted);
            let sales = counted.iter().map(|day| day.figures.sales).sum();
            Some((dates.iter().map(|date| whole(of(date), code)).collect(), whole(all, code), sales))
        }
        _ => None,
    };
    let later = to.checked_add(Duration::days(7)).filter(|_| to < today).map(|later| later.min(today));
    caller.page(&Overview {
        shell: Shell::new(&caller, Nav::Shops, "Shops by day"),
        heads: dates.iter().map(|date| short(*date)).collect(),
        rows,
        sums,
        back: to.checked_sub(Duration::days(7)).unwrap_or(to),
        forth: later,
        from,
        to,
        today,
    })
}

fn to_date(day: &protocol::business_day::BusinessDate) -> Option<Date> {
    let civil = day.date();
    let month = u8::try_from(civil.month()).ok().and_then(|month| time::Month::try_from(month).ok())?;
    Date::from_calendar_date(i32::from(civil.year()), month, u8::try_from(civil.day()).ok()?).ok()
}

fn sum(days: &[&ShopDay]) -> i64 {
    days.iter().map(|day| day.figures.net_sales_minor).sum()
}

/// An amount in whole pounds or whatever it is in: a week of several shops on one screen has no room for pence.
fn whole(minor: i64, code: &str) -> String {
    let exponent = code.parse::<Currency>().map_or(2, |currency| currency.exponent());
    let scale = 10_i64.checked_pow(exponent).unwrap_or(1);
    let rounded = i64::try_from(div_round(i128::from(minor), i128::from(scale))).unwrap_or(i64::MAX);
    let text = format::money(rounded.saturating_mul(scale), code);
    let point = format!(".{}", "0".repeat(usize::try_from(exponent).unwrap_or(0)));
    if exponent == 0 { text } else { text.replace(&point, "") }
}

/// `Wed 1`.
fn short(date: Date) -> String {
    let text = format::day(date.to_string());
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}
