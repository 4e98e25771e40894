//! A password: changed by whoever knows the old one, or set anew by whoever reads the person's mail. The second signs nobody
//! in: whoever set it signs in with it, second factor and all.

use protocol::id::PersonId;
use serde_json::json;

use super::Ending;
use super::store;
use super::types::{PasswordChange, Reset};
use crate::app::App;
use crate::auth::guard::Caller;
use crate::auth::throttle::{self, Try};
use crate::db::{SystemReason, SystemTx};
use crate::domain::audit::Actor;
use crate::domain::identity::links::{Kind, Link, RESET_MILLIS};
use crate::domain::identity::rules;
use crate::domain::mfa;
use crate::domain::notifications::service::mail_platform;
use crate::domain::notifications::{Template, To};
use crate::http::context::Context;
use crate::http::rate::network;
use crate::http::{ApiError, ApiResult};
use crate::jobs::{self, Job, JobError, Work};
use crate::rng;

pub(super) const FORGOT: &str = "account.forgot";

fn stale() -> ApiError {
    ApiError::validation(
        "token: this link has been used, was replaced by a newer one, or is older than 30 minutes: ask for another",
    )
    .with(json!({ "field": "token" }))
}

/// Checks the caller's own password, throttled like a sign-in from where they are: a session that was left open is no place
/// to guess at leisure.
pub(super) async fn prove_own(
    app: &App,
    person: PersonId,
    password: &str,
    field: &str,
) -> ApiResult<(Option<String>, String)> {
    let now = app.clock.now();
    let mut tx = SystemTx::begin(&app.db, SystemReason::Account).await?;
    let known = store::secret_of(&mut tx, person).await?.ok_or_else(|| ApiError::not_found("person"))?;
    let (email_key, address) = (format!("person {person}"), "own password");
    let tried = Try { email_key: &email_key, address, browser: None, known: true, now };
    let too_many = throttle::count(&mut tx, tried).await?;
    tx.save().await?;
    if let Some(too_many) = too_many {
        return Err(ApiError::rate_limit("too many wrong passwords; wait, then try again", too_many.seconds));
    }
    if !app.hasher.verify(password, known.0.clone()).await? {
        return Err(ApiError::field(field, "this is not your present password"));
    }
    let mut tx = SystemTx::begin(&app.db, SystemReason::Account).await?;
    throttle::forget(&mut tx, tried).await?;
    tx.save().await?;
    Ok(known)
}

/// Changes the caller's password.
///
/// # Errors
/// VALIDATION for a wrong present password or a new one that may not be chosen; RATE_LIMIT after five wrong ones.
pub async fn change(app: &App, caller: &Caller, change: &PasswordChange, context: &Context) -> ApiResult<()> {
    // What cannot be chosen is said before anything is counted.
    let names = names(app, caller).await?;
    let about: Vec<&str> = names.iter().map(String::as_str).collect();
    let refused = |why| ApiError::field("new", why);
    crate::auth::chosen::check(&change.new, &about).map_err(refused)?;
    let (was, _) = prove_own(app, caller.person, &change.current, "current").await?;
    if change.new == change.current {
        return Err(refused_same());
    }
    let phc = app.hasher.hash_for(&change.new, &about).await?;
    let now = app.clock.now();
    let mut tx = SystemTx::begin(&app.db, SystemReason::Account).await?;
    if !store::set_password(&mut tx, caller.person, &phc, was.as_deref(), now).await? {
        return Err(ApiError::conflict("the password was changed from elsewhere just now; sign in again"));
    }
    store::drop_links(&mut tx, caller.person, &[Kind::Reset], now).await?;
    let ending = Ending::of_password(caller.person, Some(caller.session), now, false);
    if change.end_others {
        jobs::enqueue_platform(&mut tx, ending.job(now).map_err(ApiError::internal)?).await?;
    }
    tell(app, &mut tx, caller.person, context).await?;
    tx.save().await?;
    if change.end_others {
        ending.carry_out(app, caller.into(), "account.password_changed", true).await?;
    } else {
        note(app, caller).await?;
    }
    Ok(())
}

fn refused_same() -> ApiError {
    ApiError::field("new", "this is the password you have: choose another")
}

async fn note(app: &App, caller: &Caller) -> ApiResult<()> {
    use crate::domain::audit::{self, Entry};
    let mut tx = caller.begin(app).await?;
    let entry = Entry::new("account.password_changed", "person", caller.person).diff(json!({ "sessions_ended": 0 }));
    audit::service::record(&mut tx, caller, &entry, app.clock.now()).await?;
    Ok(tx.save().await?)
}

/// The words that a guesser of this caller's password would begin with.
async fn names(app: &App, caller: &Caller) -> ApiResult<Vec<String>> {
    let account = super::profile::account(app, caller).await?;
    Ok([Some(account.email), account.name, Some(account.tenant.name)].into_iter().flatten().collect())
}

/// Tells the person by mail that their password is another one.
async fn tell(app: &App, tx: &mut SystemTx, person: PersonId, context: &Context) -> ApiResult<()> {
    let address = network(context.address()).to_string();
    let told = Template::PasswordChanged { address, link: format!("{}/forgot", app.public_url()) };
    Ok(mail_platform(app, tx, &To::person(person), &told).await?)
}

/// Somebody says that they forgot the password of this e-mail. Known or not, the same is written and the same is answered;
/// who it is, is looked up later, by a job.
///
/// # Errors
/// VALIDATION for what is no e-mail; whatever the database met.
pub async fn forgot(app: &App, email: &str) -> ApiResult<()> {
    let key = rules::email_key(email);
    let key = key.ok_or_else(|| ApiError::field("email", "not an e-mail address such as owner@example.com"))?;
    let now = app.clock.now();
    let mut tx = SystemTx::begin(&app.db, SystemReason::Account).await?;
    if throttle::count_mail(&mut tx, &key, FORGOT, now).await? {
        jobs::enqueue_platform(&mut tx, Job::new(FORGOT, json!({ "email_key": key }), now)).await?;
    } else {
        tracing::info!(target: "audit", "links to a new password are asked for too often");
    }
    Ok(tx.save().await?)
}

/// The job behind it: sends the link, if there is somebody.
pub(super) async fn answer_forgot(app: App, work: Work) -> Result<(), JobError> {
    let key = work.payload.get("email_key").and_then(serde_json::Value::as_str).unwrap_or_default();
    let now = app.clock.now();
    let mut tx = SystemTx::begin(&app.db, SystemReason::Account).await?;
    let Some(person) = crate::domain::identity::service::person_of_email(&mut tx, key).await? else { return Ok(()) };
    let link = Link::new(rng::bytes());
    store::insert_link(&mut tx, &link, Kind::Reset, person, None, (now, now.plus_millis(RESET_MILLIS))).await?;
    let link = format!("{}/reset/{}", app.public_url(), link.text());
    let letter = Template::PasswordReset { link, good_for_minutes: minutes(RESET_MILLIS) };
    mail_platform(&app, &mut tx, &To::person(person), &letter).await?;
    Ok(tx.save().await?)
}

pub(super) fn minutes(millis: i64) -> u32 {
    u32::try_from(millis / 60_000).unwrap_or(u32::MAX)
}

/// Whether a link to a new password is good now; the page asks before it shows a form.
///
/// # Errors
/// Whatever the database met.
pub async fn link_is_good(app: &App, token: &str) -> ApiResult<bool> {
    let Some(link) = Link::read(token) else { return Ok(false) };
    let mut tx = SystemTx::begin(&app.db, SystemReason::Account).await?;
    Ok(store::look_at_link(&mut tx, &link, Kind::Reset, app.clock.now()).await?.is_some())
}

/// Sets a new password by a link. All sessions end, everywhere; nobody is signed in by it. With the first password go the
/// second factors and the links to providers that were there before.
///
/// # Errors
/// VALIDATION for a link that is not good, and for a password that may not be chosen; the link is good still then.
pub async fn reset(app: &App, reset: &Reset, context: &Context) -> ApiResult<()> {
    let link = Link::read(&reset.token).ok_or_else(stale)?;
    let now = app.clock.now();
    let mut tx = SystemTx::begin(&app.db, SystemReason::Account).await?;
    let (person, _) = store::look_at_link(&mut tx, &link, Kind::Reset, now).await?.ok_or_else(stale)?;
    let person = PersonId::from_uuid(person);
    let (_, email) = store::secret_of(&mut tx, person).await?.ok_or_else(stale)?;
    drop(tx);
    let phc = app.hasher.hash_for(&reset.password, &[&email]).await?;
    let mut tx = SystemTx::begin(&app.db, SystemReason::Account).await?;
    store::use_link(&mut tx, &link, Kind::Reset, now).await?.ok_or_else(stale)?;
    let first = store::secret_of(&mut tx, person).await?.is_none_or(|(had, _)| had.is_none());
    store::set_password(&mut tx, person, &phc, None, now).await?;
    if first {
        // Until now a company's provider alone said who this is. Whatever was set up on its word, it goes.
        mfa::service::begin_anew(&mut tx, person).await?;
    }
    // Somebody who is about to take the e-mail over must begin again.
    store::drop_links(&mut tx, person, &[Kind::Reset, Kind::NewEmail, Kind::StopEmail], now).await?;
    let ending = Ending::of_password(person, None, now, first);
    jobs::enqueue_platform(&mut tx, ending.job(now).map_err(ApiError::internal)?).await?;
    tell(app, &mut tx, person, context).await?;
    tx.save().await?;
    let actor = Actor::door(Some(person), context.id());
    Ok(ending.carry_out(app, actor, "account.password_reset", true).await?)
}
