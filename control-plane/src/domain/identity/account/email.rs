//! Another e-mail: asked for with the password, confirmed by a mail to the new address, and told to the old one, whose owner
//! can stop it. Whether the new address is somebody's already is told to nobody but its owner.

use protocol::id::PersonId;
use serde_json::json;

use super::password::{minutes, prove_own};
use super::store;
use super::types::{EmailChange, EmailNow};
use crate::app::App;
use crate::auth::guard::Caller;
use crate::auth::throttle;
use crate::db::{SystemReason, SystemTx};
use crate::domain::audit::{self, Entry};
use crate::domain::identity::links::{EMAIL_MILLIS, Kind, Link};
use crate::domain::identity::rules;
use crate::domain::notifications::service::mail_platform;
use crate::domain::notifications::{Template, To};
use crate::http::context::Context;
use crate::http::rate::network;
use crate::http::{ApiError, ApiResult};
use crate::rng;

fn stale() -> ApiError {
    ApiError::validation("token: this link has been used, was stopped or is older than a day: ask for the change again")
        .with(json!({ "field": "token" }))
}

/// Asks for another e-mail: mails to both addresses.
///
/// # Errors
/// VALIDATION for what is no e-mail, the same one, or a wrong password; RATE_LIMIT after five wrong ones or three mails.
pub async fn ask(app: &App, caller: &Caller, change: &EmailChange, context: &Context) -> ApiResult<()> {
    let email = change.email.trim();
    let key = rules::email_key(email);
    let key = key.ok_or_else(|| ApiError::field("email", "not an e-mail address such as owner@example.com"))?;
    let (_, old) = prove_own(app, caller.person, &change.password, "password").await?;
    if rules::email_key(&old).as_deref() == Some(&key) {
        return Err(ApiError::field("email", "this is your e-mail already"));
    }
    let now = app.clock.now();
    let mut record = caller.begin(app).await?;
    let entry = Entry::new("account.email_change_asked", "person", caller.person);
    audit::service::record(&mut record, caller, &entry, now).await?;
    let mut tx = SystemTx::begin(&app.db, SystemReason::Account).await?;
    if !throttle::count_mail(&mut tx, &key, "new e-mail", now).await? {
        return Err(ApiError::rate_limit("too many mails to this address; wait, then try again", 15 * 60));
    }
    let (yes, no) = (Link::new(rng::bytes()), Link::new(rng::bytes()));
    let times = (now, now.plus_millis(EMAIL_MILLIS));
    store::insert_link(&mut tx, &yes, Kind::NewEmail, caller.person, Some(email), times).await?;
    store::insert_link(&mut tx, &no, Kind::StopEmail, caller.person, Some(email), times).await?;
    let link = |door: &str, link: &Link| format!("{}/email/{door}/{}", app.public_url(), link.text());
    let confirm = Template::NewEmail { link: link("confirm", &yes), good_for_minutes: minutes(EMAIL_MILLIS) };
    mail_platform(app, &mut tx, &To::address(email), &confirm).await?;
    let told = Template::EmailChanging {
        to: email.to_owned(),
        address: network(context.address()).to_string(),
        link: link("stop", &no),
        good_for_minutes: minutes(EMAIL_MILLIS),
    };
    mail_platform(app, &mut tx, &To::address(old), &told).await?;
    tx.save().await?;
    Ok(record.save().await?)
}

/// Which e-mail a link is about, if it is good. `stop`: the link to the old address.
///
/// # Errors
/// Whatever the database met.
pub async fn look(app: &App, token: &str, stop: bool) -> ApiResult<Option<String>> {
    let Some(link) = Link::read(token) else { return Ok(None) };
    let mut tx = SystemTx::begin(&app.db, SystemReason::Account).await?;
    let found = store::look_at_link(&mut tx, &link, kind(stop), app.clock.now()).await?;
    Ok(found.and_then(|(_, email)| email))
}

const fn kind(stop: bool) -> Kind {
    if stop { Kind::StopEmail } else { Kind::NewEmail }
}

/// The owner of the new address says yes: from now on it signs in.
///
/// # Errors
/// VALIDATION for a link that is not good; CONFLICT when the address belongs to another person, which its owner may know.
pub async fn confirm(app: &App, token: &str, context: &Context) -> ApiResult<EmailNow> {
    let link = Link::read(token).ok_or_else(stale)?;
    let now = app.clock.now();
    let mut tx = SystemTx::begin(&app.db, SystemReason::Account).await?;
    let (person, email) = store::use_link(&mut tx, &link, Kind::NewEmail, now).await?.ok_or_else(stale)?;
    let (person, email) = (PersonId::from_uuid(person), email.ok_or_else(stale)?);
    let key = rules::email_key(&email).ok_or_else(stale)?;
    let (_, old) = store::secret_of(&mut tx, person).await?.ok_or_else(stale)?;
    store::set_email(&mut tx, person, &email, &key).await.map_err(|error| {
        ApiError::or_taken(error, "this address signs in another person already: use another, or that account")
    })?;
    store::drop_links(&mut tx, person, &[Kind::NewEmail, Kind::StopEmail, Kind::Reset], now).await?;
    let told = Template::EmailChanged {
        to: email.clone(),
        address: network(context.address()).to_string(),
        link: format!("{}/forgot", app.public_url()),
    };
    for address in [&old, &email] {
        mail_platform(app, &mut tx, &To::address(address), &told).await?;
    }
    tx.save().await?;
    app.web.forget_email(person);
    super::note_everywhere(app, person, context, "account.email_changed").await?;
    Ok(EmailNow { email })
}

/// The owner of the old address says no: the change is off.
///
/// # Errors
/// VALIDATION for a link that is not good.
pub async fn stop(app: &App, token: &str, context: &Context) -> ApiResult<()> {
    let link = Link::read(token).ok_or_else(stale)?;
    let now = app.clock.now();
    let mut tx = SystemTx::begin(&app.db, SystemReason::Account).await?;
    let (person, _) = store::use_link(&mut tx, &link, Kind::StopEmail, now).await?.ok_or_else(stale)?;
    let person = PersonId::from_uuid(person);
    store::drop_links(&mut tx, person, &[Kind::NewEmail], now).await?;
    tx.save().await?;
    super::note_everywhere(app, person, context, "account.email_change_stopped").await
}
