//! The pages of a company's settings: what it says of itself, its logo and colour, closing its account.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use protocol::limits;
use serde::Deserialize;

use super::types::{Company, CompanyPatch, State as Standing};
use super::{company, life, pages_start, registrations, routes, rules, service};
use crate::app::App;
use crate::auth::policy::{Permission, right};
use crate::domain::audit;
use crate::http::{ApiError, ApiResult, IfMatch, body};
use crate::web::{Flash, Form, Nav, PageCaller, PageCan, PageResult, Pages, Shell, form, format, multipart};

/// The pages of tenants.
pub fn pages() -> Pages {
    Pages::new()
        .merge(registrations::pages::pages())
        .route(Method::GET, "/start", pages_start::start)
        .route(Method::GET, "/settings", show)
        .route(Method::POST, "/settings", change)
        .route(Method::POST, "/settings/logo", put_logo)
        .route(Method::POST, "/settings/logo/remove", remove_logo)
        .route(Method::GET, "/settings/close", ask_close)
        .route(Method::POST, "/settings/close", close)
        .route(Method::POST, "/settings/keep", keep)
        .route(Method::GET, "/company/logo", logo)
        .route(Method::GET, "/company/brand.css", brand)
}

#[derive(Template)]
#[template(path = "domain/tenants/templates/settings.html")]
struct Settings {
    shell: Shell,
    company: Company,
    typed: Typed,
    error: Option<String>,
}

impl Settings {
    fn locales() -> [&'static str; 6] {
        rules::LOCALES
    }
}

#[derive(Template)]
#[template(path = "domain/tenants/templates/close.html")]
struct Close {
    shell: Shell,
    name: String,
    days: i64,
    error: Option<String>,
}

/// The settings as they were typed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Typed {
    name: String,
    display_name: String,
    accent: String,
    locale: String,
    seen: i64,
}

impl Typed {
    fn of(company: &Company) -> Self {
        Self {
            name: company.name.clone(),
            display_name: company.display_name.clone().unwrap_or_default(),
            accent: company.accent.clone().unwrap_or_default(),
            locale: company.locale.clone(),
            seen: company.version,
        }
    }
}

async fn show(State(app): State<App>, caller: PageCan<right::CompanyRead>) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    let company = company::get(&mut tx).await?;
    let typed = Typed::of(&company);
    caller.page(&Settings { shell: Shell::new(&caller, Nav::Settings, "Settings"), company, typed, error: None })
}

/// The page again with what went wrong; what no person can mend is an error page.
async fn again(app: &App, caller: &PageCaller, typed: Option<Typed>, refused: ApiError) -> PageResult {
    if refused.status != StatusCode::UNPROCESSABLE_ENTITY {
        return Err(refused.into());
    }
    let mut tx = caller.begin(app).await?;
    let company = company::get(&mut tx).await?;
    let typed = typed.unwrap_or_else(|| Typed::of(&company));
    let shell = Shell::new(caller, Nav::Settings, "Settings");
    caller.page_with(refused.status, &Settings { shell, company, typed, error: Some(refused.message) })
}

async fn change(State(app): State<App>, caller: PageCan<right::CompanyWrite>, Form(typed): Form<Typed>) -> PageResult {
    let patch = CompanyPatch {
        name: Some(typed.name.clone()),
        display_name: Some(typed.display_name.clone()),
        accent: Some(typed.accent.clone()),
        locale: Some(typed.locale.clone()),
    };
    let now = app.clock.now();
    let mut tx = caller.begin(&app).await?;
    let before = company::get(&mut tx).await?;
    if before.version != typed.seen {
        let said = "Somebody else changed the settings while you did. This is what stands now.";
        return caller.see_other("/settings", Flash::failed(said));
    }
    match company::update(&mut tx, &IfMatch::any(), patch, now).await {
        Ok((_, entry)) => {
            audit::service::record(&mut tx, &caller.caller, &entry, now).await?;
            tx.save().await?;
            caller.see_other("/settings", Flash::done("Saved."))
        }
        Err(refused) => {
            drop(tx);
            again(&app, &caller, Some(typed), refused).await
        }
    }
}

async fn put_logo(
    State(app): State<App>,
    caller: PageCan<right::CompanyWrite>,
    headers: HeaderMap,
    sent: axum::body::Body,
) -> PageResult {
    let bytes = body::read(sent, limits::HTTP_BODY_BYTES).await?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let parts = multipart::boundary(kind).map_or_else(Vec::new, |boundary| multipart::parts(&bytes, boundary));
    let part = |name: &str| parts.iter().find(|part| part.name == name).map(|part| part.content.clone());
    let token = part("csrf").unwrap_or_default();
    form::check(&caller, &headers, &String::from_utf8_lossy(&token))?;
    let Some(file) = part("logo").filter(|file| !file.is_empty()) else {
        return again(&app, &caller, None, ApiError::validation("Choose a file first.")).await;
    };
    save_logo(&app, &caller, Some(&file), "The logo stands above your pages.").await
}

#[derive(Deserialize)]
struct Nothing {}

async fn remove_logo(
    State(app): State<App>,
    caller: PageCan<right::CompanyWrite>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    save_logo(&app, &caller, None, "The logo is gone.").await
}

async fn save_logo(app: &App, caller: &PageCan<right::CompanyWrite>, file: Option<&[u8]>, said: &str) -> PageResult {
    let now = app.clock.now();
    let mut tx = caller.begin(app).await?;
    match company::set_logo(&mut tx, file, now).await {
        Ok(entry) => {
            audit::service::record(&mut tx, &caller.caller, &entry, now).await?;
            tx.save().await?;
            caller.see_other("/settings", Flash::done(said))
        }
        Err(refused) => {
            drop(tx);
            again(app, caller, None, refused).await
        }
    }
}

async fn ask_close(State(app): State<App>, caller: PageCan<right::CompanyClose>) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    let name = service::account(&mut tx).await?.name;
    let shell = Shell::new(&caller, Nav::Settings, "Close the account");
    caller.page(&Close { shell, name, days: rules::GRACE_DAYS, error: None })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ToClose {
    name: String,
}

async fn close(State(app): State<App>, caller: PageCan<right::CompanyClose>, Form(asked): Form<ToClose>) -> PageResult {
    let now = app.clock.now();
    let mut tx = caller.begin(&app).await?;
    let name = service::account(&mut tx).await?.name;
    if routes::typed(&asked.name, &name).is_err() {
        let shell = Shell::new(&caller, Nav::Settings, "Close the account");
        let error = Some("This is not the name as it stands. Type it exactly, to be sure.".to_owned());
        return caller
            .page_with(StatusCode::UNPROCESSABLE_ENTITY, &Close { shell, name, days: rules::GRACE_DAYS, error });
    }
    let done: ApiResult<()> = async {
        let entry = life::begin_closing(&mut tx, now).await?;
        audit::service::record(&mut tx, &caller.caller, &entry, now).await?;
        Ok(tx.save().await?)
    }
    .await;
    told(&caller, done, "The account will be closed. Until then you can keep it, here.")
}

async fn keep(
    State(app): State<App>,
    caller: PageCan<right::CompanyClose>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    let now = app.clock.now();
    let mut tx = caller.begin(&app).await?;
    let done: ApiResult<()> = async {
        let entry = life::keep_open(&mut tx, now).await?;
        audit::service::record(&mut tx, &caller.caller, &entry, now).await?;
        Ok(tx.save().await?)
    }
    .await;
    told(&caller, done, "The account stays.")
}

/// Back to the settings, with what came of it.
fn told(caller: &PageCaller, done: ApiResult<()>, good: &str) -> PageResult {
    match done {
        Ok(()) => caller.see_other("/settings", Flash::done(good)),
        Err(refused) if refused.status == StatusCode::CONFLICT => {
            caller.see_other("/settings", Flash::failed(format!("Nothing was changed: {}.", refused.message)))
        }
        Err(refused) => Err(refused.into()),
    }
}

/// The logo: a picture and nothing else, whatever a browser makes of it.
async fn logo(State(app): State<App>, caller: PageCaller) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    let bytes = company::logo(&mut tx).await?;
    let mut response = (StatusCode::OK, bytes).into_response();
    own(response.headers_mut(), HeaderValue::from_static("image/png"));
    Ok(response)
}

/// The company's colour, for its mark alone: words keep colours that can be read.
async fn brand(State(app): State<App>, caller: PageCaller) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    let accent = company::get(&mut tx).await?.accent.ok_or_else(|| ApiError::not_found("colour"))?;
    let mut response: Response = (StatusCode::OK, format!(":root{{--brand:{accent}}}\n")).into_response();
    own(response.headers_mut(), HeaderValue::from_static("text/css; charset=utf-8"));
    Ok(response)
}

fn own(headers: &mut HeaderMap, kind: HeaderValue) {
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
}
