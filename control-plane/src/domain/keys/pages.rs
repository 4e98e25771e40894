//! The page of keys: which there are, and a new one, whose secret is shown this once.

use askama::Template;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::rules::USUAL_DAYS;
use super::service;
use super::types::{Key, KeyMade, NewKey};
use crate::app::App;
use crate::auth::guard::Via;
use crate::auth::policy::{Module, Permission, Weight, right};
use crate::clock::utc;
use crate::domain::shops;
use crate::domain::shops::types::Shop;
use crate::http::error::Code;
use crate::http::{ApiError, Path};
use crate::web::caller::PageCan;
use crate::web::{Flash, Form, Nav, PageResult, Pages, Shell, format};

/// The pages of keys.
pub fn pages() -> Pages {
    Pages::new()
        .route(Method::GET, "/settings/keys", list)
        .route(Method::POST, "/settings/keys", create)
        .route(Method::GET, "/settings/keys/new", new)
        .route(Method::POST, "/settings/keys/{id}/revoke", revoke)
}

/// Keys that the page shows; no company needs more.
const SHOWN: i64 = 200;

#[derive(Template)]
#[template(path = "domain/keys/templates/list.html")]
struct ListPage {
    shell: Shell,
    keys: Vec<Key>,
    now: OffsetDateTime,
}

async fn list(State(app): State<App>, caller: PageCan<right::KeysRead>) -> PageResult {
    let now = app.clock.now();
    let mut tx = caller.begin(&app).await?;
    let keys = service::list(&mut tx, None, SHOWN, now).await?;
    caller.page(&ListPage { shell: Shell::new(&caller, Nav::Keys, "Keys for programs"), keys, now: utc(now) })
}

/// A key as typed.
#[derive(Clone, Debug, Default, Deserialize)]
struct KeyForm {
    #[serde(default)]
    name: String,
    /// Permissions by name, one in a line: what the form's boxes say together.
    #[serde(default)]
    may: String,
    /// Empty: the whole company; else a shop.
    #[serde(default)]
    shop: String,
    #[serde(default)]
    days: String,
}

#[derive(Template)]
#[template(path = "domain/keys/templates/new.html")]
struct NewPage {
    shell: Shell,
    choices: Vec<Permission>,
    shops: Vec<Shop>,
    form: KeyForm,
    error: Option<String>,
}

async fn show(app: &App, caller: &PageCan<right::KeysWrite>, form: KeyForm, wrong: Option<ApiError>) -> PageResult {
    let status = wrong.as_ref().map_or(StatusCode::OK, |error| error.status);
    let error = wrong.map(|error| error.message);
    let mut tx = caller.begin(app).await?;
    let shops = shops::service::list(&mut tx).await?;
    let shell = Shell::new(caller, Nav::Keys, "A new key");
    let fits = |permission: &Permission| permission.weight() != Weight::Sensitive && shell.may(*permission);
    let choices = Permission::ALL.iter().copied().filter(fits).filter(|known| known.module() != Module::Platform);
    let choices = choices.collect();
    caller.page_with(status, &NewPage { shell, choices, shops, form, error })
}

async fn new(State(app): State<App>, caller: PageCan<right::KeysWrite>) -> PageResult {
    show(&app, &caller, KeyForm { days: USUAL_DAYS.to_string(), ..KeyForm::default() }, None).await
}

#[derive(Template)]
#[template(path = "domain/keys/templates/made.html")]
struct MadePage {
    shell: Shell,
    key: Key,
    secret: String,
}

/// What a form asks for.
fn asked(form: &KeyForm) -> Result<NewKey, ApiError> {
    let names = form.may.split_whitespace();
    let permissions: Option<Vec<Permission>> = names.map(Permission::of_name).collect();
    let permissions = permissions.ok_or_else(|| ApiError::field("permissions", "there is no such permission"))?;
    let shop_ids = match form.shop.as_str() {
        "" => None,
        id => Some(vec![id.parse::<Uuid>().map_err(|_| ApiError::not_found("shop"))?]),
    };
    let days = form.days.trim().parse().map_err(|_| ApiError::field("days", "give a whole number"))?;
    Ok(NewKey { name: form.name.clone(), permissions, shop_ids, days })
}

/// Makes a key and shows its secret: the answer is the page itself, so that the secret is nowhere else.
async fn create(State(app): State<App>, caller: PageCan<right::KeysWrite>, Form(form): Form<KeyForm>) -> PageResult {
    if caller.caller.via != Via::Session {
        return Err(ApiError::authz("Only a member makes keys.").into());
    }
    let now = app.clock.now();
    let mut tx = caller.begin(&app).await?;
    let made = match asked(&form) {
        Ok(new) => service::create(&mut tx, &caller.caller, caller.right().policy(), &new, now).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(KeyMade { key, secret }) => {
            tx.save().await?;
            let shell = Shell::new(&caller, Nav::Keys, "A new key");
            caller.page(&MadePage { shell, key, secret: secret.unwrap_or_default() })
        }
        Err(error) if error.code == Code::Internal || error.code == Code::NotFound => Err(error.into()),
        Err(error) => {
            drop(tx);
            show(&app, &caller, form, Some(error)).await
        }
    }
}

#[derive(Deserialize)]
struct Nothing {}

async fn revoke(
    State(app): State<App>,
    caller: PageCan<right::KeysWrite>,
    Path(id): Path<Uuid>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    service::revoke(&mut tx, &caller.caller, id, app.clock.now()).await?;
    tx.save().await?;
    caller.see_other("/settings/keys", Flash::done("The key is revoked. Programs that use it are refused from now on."))
}
