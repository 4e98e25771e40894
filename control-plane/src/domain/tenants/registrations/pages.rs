//! The pages of registering: the form, the mail, the link. No SQL, no decisions.

use askama::Template;
use axum::extract::{FromRequestParts as _, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, header};
use axum::response::Response;
use serde::Deserialize;

use super::service;
use super::types::{AnotherCompany, Confirmation, FirstShop, NewRegistration};
use crate::app::App;
use crate::auth::guard::Via;
use crate::http::context::Context;
use crate::http::error::Code;
use crate::http::{ApiError, ApiResult};
use crate::web::respond;
use crate::web::{Form, OpenForm, PageCaller, PageResult, Pages};

/// The pages of registrations.
pub fn pages() -> Pages {
    Pages::new()
        .open(Method::GET, "/register", ask)
        .open(Method::POST, "/register", register)
        .route(Method::POST, "/register/another", another)
        .open(Method::GET, "/register/confirm", look)
        .open(Method::POST, "/register/confirm", confirm)
        .open(Method::GET, "/register/resend", again)
        .open(Method::POST, "/register/resend", resend)
        .open(Method::GET, "/terms", terms)
}

/// What was typed; it stands there again when something is wrong with it, but for the password.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Typed {
    company: String,
    email: String,
    name: String,
    password: String,
    country: String,
    shop_name: String,
    shop_timezone: String,
    shop_currency: String,
    accept_terms: String,
}

impl Typed {
    fn shop(&self) -> Option<FirstShop> {
        let shop = [&self.shop_name, &self.shop_timezone, &self.shop_currency].map(|text| text.trim().to_owned());
        if shop.iter().all(String::is_empty) {
            return None;
        }
        let [name, timezone, currency] = shop;
        Some(FirstShop { name, timezone, currency: currency.to_uppercase() })
    }

    fn country(&self) -> Option<String> {
        Some(self.country.clone()).filter(|country| !country.trim().is_empty())
    }
}

#[derive(Template)]
#[template(path = "domain/tenants/templates/register.html")]
struct Register<'a> {
    typed: &'a Typed,
    /// Who is signed in, and the proof that their form carries.
    signed_in: Option<(&'a str, String)>,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "domain/tenants/templates/register_said.html")]
struct Said<'a> {
    title: &'a str,
    text: &'a str,
    /// Where else to go: (address, words).
    next: Option<(&'a str, &'a str)>,
}

#[derive(Template)]
#[template(path = "domain/tenants/templates/register_confirm.html")]
struct Confirm<'a> {
    token: &'a str,
    company: &'a str,
    email: &'a str,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "domain/tenants/templates/register_resend.html")]
struct Again<'a> {
    email: &'a str,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "domain/tenants/templates/terms.html")]
struct Terms;

/// What a person can mend is said above the form; the rest is an error page.
fn mendable(refused: ApiError) -> ApiResult<ApiError> {
    match refused.code {
        Code::Validation | Code::RateLimit | Code::Conflict => Ok(refused),
        Code::Authn | Code::Authz | Code::NotFound | Code::Internal => Err(refused),
    }
}

fn with_status(refused: &ApiError, page: &impl Template) -> PageResult {
    let mut response = respond::html(refused.status, page)?;
    if let Some(seconds) = refused.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response.extensions_mut().insert(refused.code);
    Ok(response)
}

fn ok(page: &impl Template) -> PageResult {
    Ok(respond::html(axum::http::StatusCode::OK, page)?)
}

async fn ask(State(app): State<App>, mut parts: Parts) -> PageResult {
    let caller = PageCaller::from_request_parts(&mut parts, &app).await.ok();
    let caller = caller.filter(|caller| caller.caller.via == Via::Session);
    let signed_in = caller.as_ref().map(|caller| (caller.email.as_ref(), caller.csrf_field()));
    ok(&Register { typed: &Typed::default(), signed_in, error: None })
}

async fn register(State(app): State<App>, context: Context, OpenForm(typed): OpenForm<Typed>) -> PageResult {
    let new = NewRegistration {
        company: typed.company.clone(),
        email: typed.email.clone(),
        name: typed.name.clone(),
        password: typed.password.clone(),
        country: typed.country(),
        shop: typed.shop(),
        accept_terms: !typed.accept_terms.is_empty(),
    };
    let done = match app.gates.sign_in(context.address()) {
        Ok(()) => service::register(&app, new, &context).await,
        Err(refused) => Err(refused),
    };
    match done {
        Ok(_) => sent(&typed.email),
        Err(refused) => {
            let refused = mendable(refused)?;
            with_status(&refused, &Register { typed: &typed, signed_in: None, error: Some(words(&refused)) })
        }
    }
}

/// A message without the name of the field that a program wants.
fn words(refused: &ApiError) -> String {
    let field = refused.details.as_ref().and_then(|details| details["field"].as_str());
    let text = field.and_then(|field| refused.message.strip_prefix(&format!("{field}: "))).unwrap_or(&refused.message);
    let label = match field {
        Some("company") => "Company",
        Some("email") => "E-mail",
        Some("name") => "Name",
        Some("password") => "Password",
        Some("country") => "Country",
        Some("timezone") => "Time zone",
        Some("currency") => "Currency",
        Some("accept_terms") => "Terms",
        Some(_) | None => return text.to_owned(),
    };
    format!("{label}: {text}")
}

fn sent(email: &str) -> PageResult {
    let text = format!(
        "A mail is on its way to {}. Open its link within 24 hours. Nothing came? Look among unwanted mail, then have it sent again.",
        email.trim()
    );
    ok(&Said { title: "Look into your mail", text: &text, next: Some(("/register/resend", "Send it again")) })
}

async fn another(State(app): State<App>, caller: PageCaller, context: Context, Form(typed): Form<Typed>) -> PageResult {
    if caller.caller.via != Via::Session {
        return Err(ApiError::authz("You are a guest here; register a company with your own sign-in.").into());
    }
    let new = AnotherCompany {
        company: typed.company.clone(),
        country: typed.country(),
        shop: typed.shop(),
        accept_terms: !typed.accept_terms.is_empty(),
    };
    match service::another(&app, &caller.caller, new, &context).await {
        Ok(mine) => waits(&mine.company, Some(("/", "Back to head office"))),
        Err(refused) => {
            let refused = mendable(refused)?;
            let signed_in = Some((caller.email.as_ref(), caller.csrf_field()));
            with_status(&refused, &Register { typed: &typed, signed_in, error: Some(words(&refused)) })
        }
    }
}

fn waits(company: &str, next: Option<(&str, &str)>) -> PageResult {
    let text =
        format!("{company} waits for somebody of Tillway to look at it. A mail tells you as soon as that is done.");
    ok(&Said { title: "Thank you", text: &text, next })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Link {
    token: String,
    password: String,
}

/// Shows what the link is for. It only counts when it is sent: programs that look into mail follow links, too.
async fn look(State(app): State<App>, context: Context, Query(link): Query<Link>) -> PageResult {
    app.gates.sign_in(context.address())?;
    match service::of_link(&app, &link.token).await {
        Ok((company, email)) => ok(&Confirm { token: &link.token, company: &company, email: &email, error: None }),
        Err(refused) => stale(refused),
    }
}

fn stale(refused: ApiError) -> PageResult {
    let refused = mendable(refused)?;
    let next = Some(("/register/resend", "Send another link"));
    with_status(&refused, &Said { title: "This link is not good", text: &refused.message, next })
}

async fn confirm(State(app): State<App>, context: Context, OpenForm(link): OpenForm<Link>) -> PageResult {
    let asked = Confirmation { token: link.token.clone(), password: link.password };
    let refused = match service::confirm(&app, &asked, &context).await {
        Ok(mine) => return waits(&mine.company, None),
        Err(refused) => mendable(refused)?,
    };
    if refused.details.as_ref().is_some_and(|details| details["field"] == "password")
        && let Ok((company, email)) = service::of_link(&app, &link.token).await
    {
        let error = Some(words(&refused));
        return with_status(&refused, &Confirm { token: &link.token, company: &company, email: &email, error });
    }
    stale(refused)
}

async fn again() -> Result<Response, ApiError> {
    respond::html(axum::http::StatusCode::OK, &Again { email: "", error: None })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Address {
    email: String,
}

async fn resend(State(app): State<App>, context: Context, OpenForm(asked): OpenForm<Address>) -> PageResult {
    let done = match app.gates.sign_in(context.address()) {
        Ok(()) => service::resend(&app, &asked.email, &context).await,
        Err(refused) => Err(refused),
    };
    match done {
        Ok(_) => sent(&asked.email),
        Err(refused) => {
            let refused = mendable(refused)?;
            with_status(&refused, &Again { email: &asked.email, error: Some(words(&refused)) })
        }
    }
}

async fn terms() -> Result<Response, ApiError> {
    respond::html(axum::http::StatusCode::OK, &Terms)
}
