//! Registering, proving the address, approving and refusing. Whether an address is known is told to nobody but its owner, by
//! mail: the answer is the same, and so is what it costs.

use protocol::id::{PersonId, TenantId};
use protocol::timestamp::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::rules::{self, LINK_MILLIS, LINK_MINUTES, Step};
use super::store::{self, New};
use super::types::{AnotherCompany, Confirmation, FirstShop, LookIntoMail, Mine, NewRegistration, Registration, Stage};
use crate::app::App;
use crate::auth::guard::Caller;
use crate::auth::{chosen, throttle};
use crate::clock::timestamp;
use crate::db::{DbError, SystemReason, SystemTx, TenantTx};
use crate::domain::notifications::{self, Template, To};
use crate::domain::shops::types::NewShop;
use crate::domain::tenants::{life, rules as words, service as tenants};
use crate::domain::{identity, shops};
use crate::http::context::Context;
use crate::http::rate::network;
use crate::http::{ApiError, ApiResult};
use crate::rng;

const LOOK: LookIntoMail = LookIntoMail {
    message: "A mail is on its way to that address. Open its link within 24 hours; the rest is said there.",
};
const PERSON_CHARS: usize = 120;
const STALE: &str = "The link is not good any more: it is used up, replaced by a newer one, or older than 24 hours.";

/// What of a registration was looked at.
struct Asked {
    company: String,
    country: Option<String>,
    shop: Option<FirstShop>,
}

fn look(company: &str, country: Option<&str>, shop: Option<FirstShop>, terms: bool) -> ApiResult<Asked> {
    let company = words::name(company).map_err(|why| ApiError::field("company", why))?;
    let country = rules::country(country).map_err(|why| ApiError::field("country", why))?;
    if let Some(shop) = &shop {
        shops::service::check(&plain(shop))
            .map_err(|error| ApiError { message: format!("shop: {}", error.message), ..error })?;
    }
    if !terms {
        return Err(ApiError::field("accept_terms", "read the terms and accept them to register"));
    }
    Ok(Asked { company, country, shop })
}

fn plain(shop: &FirstShop) -> NewShop {
    NewShop::plain(shop.name.trim(), shop.timezone.trim(), shop.currency.trim())
}

/// Takes a registration in and sends the mail that proves the address.
///
/// # Errors
/// VALIDATION naming the field; RATE_LIMIT for a network that registers again and again, and when too many wait.
pub async fn register(app: &App, new: NewRegistration, context: &Context) -> ApiResult<LookIntoMail> {
    let key = identity::rules::email_key(&new.email);
    let key = key.ok_or_else(|| ApiError::field("email", "not an e-mail address such as owner@example.com"))?;
    let asked = look(&new.company, new.country.as_deref(), new.shop, new.accept_terms)?;
    let person_name = new.name.trim();
    if person_name.chars().count() > PERSON_CHARS || person_name.chars().any(char::is_control) {
        return Err(ApiError::field("name", format!("at most {PERSON_CHARS} characters, on one line")));
    }
    chosen::check(&new.password, &[&new.email, &asked.company]).map_err(|why| ApiError::field("password", why))?;
    admit(app, context).await?;
    // For a known address too: the same work.
    let phc = app.hasher.hash_for(&new.password, &[&new.email, &asked.company]).await?;
    let now = app.clock.now();
    let mut tx = SystemTx::begin(&app.db, SystemReason::Register).await?;
    let known = identity::service::person_of_email(&mut tx, &key).await?.is_some();
    if !throttle::count_mail(&mut tx, &key, "register", now).await? {
        // The owner of the address hears nothing more for a while; whoever asks hears the same as ever.
        tx.save().await?;
        return Ok(LOOK);
    }
    let to = To::address(new.email.trim());
    if known {
        let link = format!("{}/register", app.public_url());
        notifications::service::mail_platform(app, &mut tx, &to, &Template::AlreadyKnown { link }).await?;
    } else {
        let secret = rng::bytes();
        let link = hash(&secret)?;
        let row = New {
            id: rng::id(now),
            tenant: rng::id(now),
            stage: Stage::Unconfirmed,
            company: &asked.company,
            email: new.email.trim(),
            email_key: &key,
            person_name,
            phc: Some(&phc),
            person: None,
            country: asked.country.as_deref(),
            shop: asked.shop.as_ref(),
            link: Some((link, now.plus_millis(LINK_MILLIS))),
            now,
        };
        store::insert(&mut tx, &row).await?;
        notifications::service::mail_platform(app, &mut tx, &to, &letter(app, &secret)).await?;
    }
    tx.save().await?;
    metrics::counter!("tillway_registrations_total").increment(1);
    Ok(LOOK)
}

fn hash(secret: &[u8; 32]) -> ApiResult<[u8; 32]> {
    rules::token_hash(&rules::token_text(secret)).ok_or_else(|| ApiError::internal("a link of ours cannot be read"))
}

fn letter(app: &App, secret: &[u8; 32]) -> Template {
    let link = format!("{}/register/confirm?token={}", app.public_url(), rules::token_text(secret));
    Template::ConfirmEmail { link, good_for_minutes: LINK_MINUTES }
}

/// Counts a registration of a network before anything costs.
async fn admit(app: &App, context: &Context) -> ApiResult<()> {
    let address = network(context.address()).to_string();
    let mut tx = SystemTx::begin(&app.db, SystemReason::Register).await?;
    let wait = throttle::count_of_network(&mut tx, "register", &address, rules::OF_NETWORK, app.clock.now()).await?;
    let open = store::open(&mut tx, rules::OPEN).await?;
    tx.save().await?;
    if let Some(seconds) = wait {
        metrics::counter!("tillway_registrations_throttled_total").increment(1);
        return Err(ApiError::rate_limit("too many registrations came from here; wait, then try again", seconds));
    }
    if open >= rules::OPEN {
        tracing::warn!(open, "too many registrations wait for their mail to be answered; new ones are refused");
        return Err(ApiError::rate_limit("too many people register right now; try again in an hour", 3_600));
    }
    Ok(())
}

/// Sends another link; the one before is good no more.
///
/// # Errors
/// VALIDATION for what is no e-mail; RATE_LIMIT as [`register`].
pub async fn resend(app: &App, email: &str, context: &Context) -> ApiResult<LookIntoMail> {
    let key = identity::rules::email_key(email);
    let key = key.ok_or_else(|| ApiError::field("email", "not an e-mail address such as owner@example.com"))?;
    admit(app, context).await?;
    let now = app.clock.now();
    let mut tx = SystemTx::begin(&app.db, SystemReason::Register).await?;
    let may = throttle::count_mail(&mut tx, &key, "register", now).await?;
    if let Some(row) = store::newest_open(&mut tx, &key).await?.filter(|_| may) {
        rules::after(row.stage()?, Step::Resend).map_err(ApiError::conflict)?;
        let secret = rng::bytes();
        store::relink(&mut tx, row.registration_id, &hash(&secret)?, now.plus_millis(LINK_MILLIS)).await?;
        notifications::service::mail_platform(app, &mut tx, &To::address(row.email), &letter(app, &secret)).await?;
    }
    tx.save().await?;
    Ok(LOOK)
}

fn stale() -> ApiError {
    ApiError::validation(STALE).with(json!({ "field": "token" }))
}

/// The company and address behind a link that is good.
///
/// # Errors
/// VALIDATION for one that is not.
pub async fn of_link(app: &App, token: &str) -> ApiResult<(String, String)> {
    let hash = rules::token_hash(token).ok_or_else(stale)?;
    let mut tx = SystemTx::begin(&app.db, SystemReason::Register).await?;
    let row = store::by_link(&mut tx, &hash).await?.filter(|row| good(row, app.clock.now()));
    row.map(|row| (row.company, row.email)).ok_or_else(stale)
}

fn good(row: &store::Row, now: Timestamp) -> bool {
    row.tries < rules::TRIES && row.link_ends_at.is_some_and(|ends| timestamp(ends) > now)
}

/// The address is proved, by whoever also knows the password: a mail alone confirms nobody else's registration.
///
/// # Errors
/// VALIDATION for a link that is not good, or another password; CONFLICT when that company waits already.
pub async fn confirm(app: &App, asked: &Confirmation, context: &Context) -> ApiResult<Mine> {
    app.gates.sign_in(context.address())?;
    let hash = rules::token_hash(&asked.token).ok_or_else(stale)?;
    let now = app.clock.now();
    let mut tx = SystemTx::begin(&app.db, SystemReason::Register).await?;
    let row = store::by_link(&mut tx, &hash).await?.filter(|row| good(row, now)).ok_or_else(stale)?;
    // Counted before it is looked at: many at once count as many.
    store::count_try(&mut tx, row.registration_id).await?;
    tx.save().await?;
    if !app.hasher.verify(&asked.password, row.phc.clone()).await? {
        return Err(ApiError::field("password", "this is not the password that was chosen at registering"));
    }
    let mut tx = SystemTx::begin(&app.db, SystemReason::Register).await?;
    let row = store::by_link(&mut tx, &hash).await?.ok_or_else(stale)?;
    let state = rules::after(row.stage()?, Step::Confirm).map_err(ApiError::conflict)?;
    store::confirm(&mut tx, row.registration_id, now).await.map_err(waiting_already)?;
    tx.save().await?;
    tracing::info!(target: "audit", registration = %row.registration_id, "a registration waits for approval");
    Ok(Mine { id: row.registration_id, company: row.company, state })
}

fn waiting_already(error: DbError) -> ApiError {
    ApiError::or_taken(error, "this company waits for approval already; a mail will tell you")
}

/// Another company of somebody who is signed in: their address is proved already.
///
/// # Errors
/// VALIDATION naming the field; CONFLICT when that company waits already; RATE_LIMIT.
pub async fn another(app: &App, caller: &Caller, new: AnotherCompany, context: &Context) -> ApiResult<Mine> {
    let asked = look(&new.company, new.country.as_deref(), new.shop, new.accept_terms)?;
    admit(app, context).await?;
    let email = identity::service::email(app, caller.person).await?;
    let key = identity::rules::email_key(&email).ok_or_else(|| ApiError::internal("an e-mail that is none"))?;
    let now = app.clock.now();
    let id = rng::id(now);
    let row = New {
        id,
        tenant: rng::id(now),
        stage: Stage::Waiting,
        company: &asked.company,
        email: &email,
        email_key: &key,
        person_name: "",
        phc: None,
        person: Some(caller.person.as_uuid()),
        country: asked.country.as_deref(),
        shop: asked.shop.as_ref(),
        link: None,
        now,
    };
    let mut tx = SystemTx::begin(&app.db, SystemReason::Register).await?;
    store::insert(&mut tx, &row).await.map_err(waiting_already)?;
    tx.save().await?;
    Ok(Mine { id, company: asked.company, state: Stage::Waiting })
}

/// Registrations of a stage, oldest first, behind an id.
///
/// # Errors
/// Whatever the statement met.
pub async fn list(
    app: &App,
    stage: Option<Stage>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Registration>, DbError> {
    let mut tx = SystemTx::begin(&app.db, SystemReason::Operators).await?;
    store::list(&mut tx, stage, after, limit).await?.into_iter().map(store::Row::seen).collect()
}

/// Takes a company in: its owner, the company with its first shop, the record and the mail. The ids stand in the registration,
/// so that an approval that broke off after the company was made finds it and only notes that it is decided.
///
/// # Errors
/// NOT_FOUND; CONFLICT when it is decided already or was never confirmed.
pub async fn approve(app: &App, by: &Caller, id: Uuid) -> ApiResult<Registration> {
    let now = app.clock.now();
    // Held until it is decided: of two operators one comes second, and hears so.
    let mut tx = SystemTx::begin(&app.db, SystemReason::Operators).await?;
    let row = store::locked(&mut tx, id).await?.ok_or_else(|| ApiError::not_found("registration"))?;
    let stage = rules::after(row.stage()?, Step::Approve).map_err(ApiError::conflict)?;
    let owner = match row.person_id {
        Some(known) => PersonId::from_uuid(known),
        None => identity::service::person_with_hash(app, &row.email, &row.person_name, row.phc.as_deref()).await?,
    };
    let tenant = TenantId::from_uuid(row.tenant_id);
    match provision(app, by, tenant, owner, &row).await {
        Ok(()) => {}
        Err(Provision::There) => tracing::info!(%tenant, "an approval that broke off is finished"),
        Err(Provision::Failed(error)) => return Err(error),
    }
    if !store::decide(&mut tx, id, (stage, None), by.person.as_uuid(), now).await? {
        return Err(ApiError::conflict("the registration was decided meanwhile"));
    }
    let row = store::locked(&mut tx, id).await?.ok_or_else(|| ApiError::not_found("registration"))?;
    tx.save().await?;
    tracing::info!(target: "audit", registration = %id, %tenant, %owner, "a registration was approved");
    Ok(row.seen()?)
}

enum Provision {
    There,
    Failed(ApiError),
}

impl<E: Into<ApiError>> From<E> for Provision {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// The company, in one transaction. Modules are as the registry says: no rows of its own.
async fn provision(
    app: &App,
    by: &Caller,
    tenant: TenantId,
    owner: PersonId,
    row: &store::Row,
) -> Result<(), Provision> {
    let now = app.clock.now();
    let mut tx = TenantTx::begin(&app.db, tenant).await?;
    match tenants::begin(&mut tx, &row.company, owner, by, now).await {
        Ok(()) => {}
        Err(DbError::Taken { constraint }) if constraint == "tenants_pkey" => return Err(Provision::There),
        Err(error) => return Err(error.into()),
    }
    if let Some(shop) = row.shop() {
        shops::service::create(&mut tx, by, &plain(&shop), now).await?;
    }
    let link = format!("{}/sign-in?next=/start", app.public_url());
    let letter = Template::TenantApproved { tenant: row.company.clone(), link };
    notifications::service::mail(app, &mut tx, &To::person(owner), &letter).await?;
    Ok(tx.save().await?)
}

/// Does not take a company in; whoever asked hears why.
///
/// # Errors
/// VALIDATION for the reason; NOT_FOUND; CONFLICT when it is decided already.
pub async fn refuse(app: &App, by: &Caller, id: Uuid, reason: &str) -> ApiResult<Registration> {
    let reason = life::reason(reason)?;
    let now = app.clock.now();
    let mut tx = SystemTx::begin(&app.db, SystemReason::Operators).await?;
    let row = store::locked(&mut tx, id).await?.ok_or_else(|| ApiError::not_found("registration"))?;
    let stage = rules::after(row.stage()?, Step::Refuse).map_err(ApiError::conflict)?;
    store::decide(&mut tx, id, (stage, Some(&reason)), by.person.as_uuid(), now).await?;
    let letter = Template::TenantRefused { tenant: row.company.clone(), reason };
    notifications::service::mail_platform(app, &mut tx, &To::address(&row.email), &letter).await?;
    let row = store::locked(&mut tx, id).await?.ok_or_else(|| ApiError::not_found("registration"))?;
    tx.save().await?;
    Ok(row.seen()?)
}

/// Forgets registrations whose time is over.
///
/// # Errors
/// Whatever the statement met.
pub async fn prune(tx: &mut SystemTx, now: Timestamp) -> Result<u64, DbError> {
    store::prune(tx, now.plus_millis(-rules::UNCONFIRMED_MILLIS), now.plus_millis(-rules::REFUSED_MILLIS)).await
}
