//! The page of what needs a second person at the lanes of a shop.

use askama::Template;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use protocol::collection::Collection;
use protocol::id::ShopId;
use protocol::money::{decimal_text, parse_decimal};
use serde::Deserialize;
use uuid::Uuid;

use super::pages::fault_of;
use super::service;
use super::types::ShopRules;
use crate::app::App;
use crate::auth::policy::{Permission, right};
use crate::domain::audit::Actor;
use crate::domain::shops;
use crate::domain::shops::types::Shop;
use crate::http::{ApiError, ApiResult, IfMatch, Path};
use crate::web::{Flash, Form, Nav, PageCan, PageResult, Pages, Shell};

pub(super) fn pages() -> Pages {
    Pages::new().route(Method::GET, "/staff/rules/{shop}", one).route(Method::POST, "/staff/rules/{shop}", save)
}

/// Millionths as a percentage.
pub(super) fn percent_text(ppm: u32) -> String {
    crate::web::format::decimal(decimal_text(i64::from(ppm), 4))
}

/// A percentage as millionths; blank is none.
pub(super) fn percent(field: &'static str, text: &str) -> ApiResult<Option<u32>> {
    let text = text.trim().trim_end_matches('%').trim();
    if text.is_empty() {
        return Ok(None);
    }
    let ppm = parse_decimal(text, 4).ok().and_then(|ppm| u32::try_from(ppm).ok()).filter(|ppm| *ppm <= 1_000_000);
    ppm.map(Some).ok_or_else(|| ApiError::field(field, "a percentage from 0 to 100, such as 12.5"))
}

/// The rules as a form has them.
#[derive(Clone, Debug, Default, Deserialize)]
struct Typed {
    #[serde(default)]
    seen: u64,
    #[serde(default)]
    cashier_required: String,
    #[serde(default)]
    idle_minutes: String,
    #[serde(default)]
    void_line: String,
    #[serde(default)]
    void_ticket: String,
    #[serde(default)]
    refund: String,
    #[serde(default)]
    no_sale: String,
    #[serde(default)]
    discount_percent: String,
    #[serde(default)]
    discount: String,
}

impl Typed {
    fn of(rules: &ShopRules, version: u64, digits: u32) -> Self {
        let amount = |minor: Option<i64>| minor.map_or_else(String::new, |minor| decimal_text(minor, digits));
        let yes = |on: bool| if on { "yes".to_owned() } else { String::new() };
        Self {
            seen: version,
            cashier_required: yes(rules.cashier_required),
            idle_minutes: if rules.idle_minutes == 0 { String::new() } else { rules.idle_minutes.to_string() },
            void_line: amount(rules.void_line_above_minor),
            void_ticket: amount(rules.void_ticket_above_minor),
            refund: amount(rules.refund_above_minor),
            no_sale: yes(rules.no_sale),
            discount_percent: rules.discount_above_ppm.map_or_else(String::new, percent_text),
            discount: amount(rules.discount_above_minor),
        }
    }

    fn read(&self, digits: u32) -> ApiResult<ShopRules> {
        let amount = |field: &'static str, text: &str| {
            let text = text.trim();
            if text.is_empty() {
                return Ok(None);
            }
            let minor = parse_decimal(text, digits).ok().filter(|minor| *minor >= 0);
            minor.map(Some).ok_or_else(|| ApiError::field(field, "an amount such as 20.00; blank for none"))
        };
        let idle = self.idle_minutes.trim();
        let idle = if idle.is_empty() { Some(0) } else { idle.parse().ok() };
        Ok(ShopRules {
            cashier_required: self.cashier_required == "yes",
            idle_minutes: idle.ok_or_else(|| ApiError::field("idle_minutes", "whole minutes; blank for never"))?,
            void_line_above_minor: amount("void_line_above_minor", &self.void_line)?,
            void_ticket_above_minor: amount("void_ticket_above_minor", &self.void_ticket)?,
            refund_above_minor: amount("refund_above_minor", &self.refund)?,
            no_sale: self.no_sale == "yes",
            discount_above_ppm: percent("discount_above_ppm", &self.discount_percent)?,
            discount_above_minor: amount("discount_above_minor", &self.discount)?,
        })
    }
}

#[derive(Template)]
#[template(path = "domain/staff/templates/rules.html")]
struct Rules {
    shell: Shell,
    shop: Shop,
    form: Typed,
    fault: Option<(String, String)>,
}

async fn one(State(app): State<App>, caller: PageCan<right::StaffRead>, Path(shop): Path<Uuid>) -> PageResult {
    let shop = caller.right().shop(ShopId::from_uuid(shop))?;
    let mut tx = caller.begin(&app).await?;
    let rules = service::rules_of(&mut tx, shop).await?;
    let shop = shops::service::get(&mut tx, shop).await?;
    let form = Typed::of(&rules.rules, rules.version, shop.currency.exponent());
    let shell = Shell::new(&caller, Nav::Staff, format!("Rules of {}", shop.name));
    caller.page(&Rules { shell, shop, form, fault: None })
}

async fn save(
    State(app): State<App>,
    caller: PageCan<right::StaffWrite>,
    Path(shop): Path<Uuid>,
    Form(form): Form<Typed>,
) -> PageResult {
    let shop = caller.right().shop(ShopId::from_uuid(shop))?;
    let mut tx = caller.begin(&app).await?;
    let shop = shops::service::get(&mut tx, shop).await?;
    let before = service::rules_of(&mut tx, shop.id).await?;
    let saved = match form.read(shop.currency.exponent()) {
        _ if before.version != form.seen => {
            Err(ApiError::field("seen", "somebody changed these rules meanwhile; look, and save again if yours hold"))
        }
        Ok(rules) => {
            let by = Actor::from(&caller.caller);
            service::set_rules(&mut tx, by, shop.id, &IfMatch::any(), &rules, app.clock.now()).await
        }
        Err(error) => Err(error),
    };
    match saved {
        Ok(_) => {
            tx.save().await?;
            app.hint(caller.caller.tenant, Collection::Staff);
            let text = format!("The rules of {} are saved. Its tills know within a second.", shop.name);
            caller.see_other("/staff", Flash::done(text))
        }
        Err(error) => {
            let fault = Some(fault_of(error)?);
            let form = Typed { seen: before.version, ..form };
            let shell = Shell::new(&caller, Nav::Staff, format!("Rules of {}", shop.name));
            caller.page_with(StatusCode::UNPROCESSABLE_ENTITY, &Rules { shell, shop, form, fault })
        }
    }
}
