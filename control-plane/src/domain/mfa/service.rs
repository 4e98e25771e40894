//! What a person does with their second factors: look, add, confirm, remove. Each change wants a step-up, and ends the
//! person's other sessions everywhere when it takes something away.

use protocol::id::{PersonId, TenantId};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::passkeys::{self, For};
use super::rules::{self, SECRET_LEN};
pub use super::step_up::must_be_own;

/// Whether one of these people has a second factor.
///
/// # Errors
/// Whatever the database met.
pub async fn any_has_factor(app: &App, people: &[Uuid]) -> ApiResult<bool> {
    let mut tx = SystemTx::begin(&app.db, SystemReason::SecondFactor).await?;
    Ok(store::any_has_factor(&mut tx, people).await?)
}
use super::step_up::must_own;
use super::types::{Challenge, Codes, NewPasskey, Passkey, PasskeyAnswer, Second, Standing, TotpBegun};
use super::{second, store};
use crate::app::App;
use crate::auth::guard::Caller;
use crate::db::{SystemReason, SystemTx, TenantTx};
use crate::domain::audit::{self, Entry};
use crate::domain::identity;
use crate::domain::identity::account::Ending;
use crate::domain::notifications::{self, Template, To};
use crate::http::context::Context;
use crate::http::{ApiError, ApiResult};
use crate::rng;

/// What a sealed secret is for.
const PURPOSE: &str = "mfa.totp";

/// What is asked of a person whose password was right, before there is a session; none of one who has no second factor.
///
/// # Errors
/// Whatever the database met.
pub async fn ask(app: &App, person: PersonId, tenant: TenantId) -> ApiResult<Option<Second>> {
    second::ask(app, person, tenant).await
}

/// What the caller has.
///
/// # Errors
/// Whatever the database met.
pub async fn standing(app: &App, caller: &Caller) -> ApiResult<Standing> {
    let mut tx = SystemTx::begin(&app.db, SystemReason::SecondFactor).await?;
    let have = store::have(&mut tx, caller.person).await?;
    let rows = store::passkeys(&mut tx, caller.person).await?;
    drop(tx);
    let said = |at: OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
    let passkeys = rows.into_iter().map(|row| Passkey {
        id: row.passkey_id,
        name: row.name,
        created_at: said(row.created_at),
        used_at: row.used_at.map(said),
    });
    let passkeys = passkeys.collect();
    Ok(Standing { totp: have.totp, passkeys, recovery_codes_left: have.codes, session_has_mfa: caller.mfa })
}

/// Makes a secret for an authenticator app; it waits to be confirmed.
///
/// # Errors
/// AUTHZ without a fresh step-up; CONFLICT where an app is set up.
pub async fn begin_totp(app: &App, caller: &Caller) -> ApiResult<TotpBegun> {
    must_own(app, caller).await?;
    let secret = rng::bytes::<SECRET_LEN>();
    let sealed = app.sealer.seal(PURPOSE, caller.person.as_uuid().as_bytes(), &secret);
    let mut tx = SystemTx::begin(&app.db, SystemReason::SecondFactor).await?;
    if !store::put_totp(&mut tx, caller.person, &sealed, app.clock.now()).await? {
        return Err(ApiError::conflict("an authenticator app is set up; remove it first"));
    }
    tx.save().await?;
    shown(app, caller, &secret).await
}

/// The secret that waits to be confirmed, once more.
///
/// # Errors
/// AUTHZ without a fresh step-up; NOT_FOUND where none waits.
pub async fn waiting_totp(app: &App, caller: &Caller) -> ApiResult<TotpBegun> {
    must_own(app, caller).await?;
    let mut tx = SystemTx::begin(&app.db, SystemReason::SecondFactor).await?;
    let row = store::totp(&mut tx, caller.person).await?.filter(|row| !row.confirmed);
    drop(tx);
    let row = row.ok_or_else(|| ApiError::not_found("secret that waits to be confirmed"))?;
    let secret = app.sealer.open(PURPOSE, caller.person.as_uuid().as_bytes(), &row.sealed).ok_or_else(lost)?;
    shown(app, caller, &secret).await
}

fn lost() -> ApiError {
    ApiError::internal(
        "a sealed secret does not open: is this the file of keys (--secrets-key) that it was sealed with?",
    )
}

async fn shown(app: &App, caller: &Caller, secret: &[u8]) -> ApiResult<TotpBegun> {
    let email = identity::service::email(app, caller.person).await?;
    let totp = rules::totp(secret, &email).ok_or_else(lost)?;
    let address = totp.to_url().map_err(|_| lost())?;
    let qr_svg = rules::qr(&address).ok_or_else(lost)?;
    Ok(TotpBegun { secret: totp.secret().to_base32(), address, qr_svg })
}

/// Confirms the secret with a code. From now on the session counts as one with a second factor.
///
/// # Errors
/// VALIDATION for a wrong code; RATE_LIMIT after five.
pub async fn confirm_totp(app: &App, caller: &Caller, context: &Context, code: &str) -> ApiResult<Codes> {
    must_own(app, caller).await?;
    second::count(app, caller.person).await?;
    let now = app.clock.now();
    let person = caller.person;
    let mut tx = SystemTx::begin(&app.db, SystemReason::SecondFactor).await?;
    let row = store::totp(&mut tx, person).await?.filter(|row| !row.confirmed);
    let row = row.ok_or_else(|| ApiError::conflict("there is no secret that waits to be confirmed: begin again"))?;
    let secret = app.sealer.open(PURPOSE, person.as_uuid().as_bytes(), &row.sealed).ok_or_else(lost)?;
    let totp = rules::totp(&secret, "").ok_or_else(lost)?;
    let wrong = || ApiError::field("code", "this is not the code that the app shows now");
    let step = rules::step_of(&totp, code, now).ok_or_else(wrong)?;
    let first = !store::have(&mut tx, person).await?.factor();
    if !store::confirm_totp(&mut tx, person, &row.sealed, step, now).await? {
        return Err(wrong());
    }
    let ending = first.then(|| Ending::of_first_factor(person, Some(caller.session), now));
    if let Some(ending) = ending {
        ending.ask(&mut tx).await?;
    }
    let codes = first_codes(app, &mut tx, person).await?;
    second::forget(app, &mut tx, person).await?;
    tx.save().await?;
    let change = Change::new("mfa.totp_added", "An authenticator app was set up", context);
    added(app, caller, &change, ending).await?;
    Ok(codes)
}

/// Recovery codes for whoever has none.
async fn first_codes(app: &App, tx: &mut SystemTx, person: PersonId) -> ApiResult<Codes> {
    let codes = if store::have(tx, person).await?.codes == 0 { Some(new_codes(app, tx, person).await?) } else { None };
    Ok(Codes { recovery_codes: codes })
}

async fn new_codes(app: &App, tx: &mut SystemTx, person: PersonId) -> ApiResult<Vec<String>> {
    let codes: Vec<String> = (0..rules::CODES).map(|_| rules::code_text(&rng::bytes())).collect();
    let hashes: Vec<[u8; 32]> = codes.iter().filter_map(|code| rules::code_hash(person, code)).collect();
    store::put_codes(tx, person, &hashes, app.clock.now()).await?;
    Ok(codes)
}

/// What was done to a person's second factors.
struct Change {
    action: &'static str,
    /// In words, for the mail.
    says: String,
    diff: serde_json::Value,
    from: String,
}

impl Change {
    fn new(action: &'static str, says: impl Into<String>, context: &Context) -> Self {
        Self { action, says: says.into(), diff: json!({}), from: context.address().to_string() }
    }

    fn of_passkey(mut self, id: Uuid) -> Self {
        self.diff = json!({ "passkey": id });
        self
    }
}

/// A factor was added: the session has proved it. After the first one other sessions end that were begun without.
async fn added(app: &App, caller: &Caller, change: &Change, ending: Option<Ending>) -> ApiResult<()> {
    let mut tx = caller.begin(app).await?;
    store::set_mfa(&mut tx, caller.session, Some(app.clock.now())).await?;
    noted(app, &mut tx, caller, change).await?;
    tx.save().await?;
    match ending {
        Some(ending) => Ok(ending.carry_out(app, caller.into(), "account.sessions_ended", false).await?),
        None => Ok(()),
    }
}

/// Other sessions of the caller end, wherever they belong; the job sees to it whatever happens.
async fn ends_others(app: &App, caller: &Caller, tx: &mut SystemTx) -> ApiResult<Ending> {
    let ending = Ending::of_factor_gone(caller.person, Some(caller.session), app.clock.now());
    ending.ask(tx).await?;
    Ok(ending)
}

/// A factor was taken away: other sessions end, and this one counts as one with a second factor only while there is one.
async fn removed(app: &App, caller: &Caller, change: &Change, left: bool, ending: Ending) -> ApiResult<()> {
    let mut tx = caller.begin(app).await?;
    if !left {
        store::set_mfa(&mut tx, caller.session, None).await?;
    }
    noted(app, &mut tx, caller, change).await?;
    tx.save().await?;
    Ok(ending.carry_out(app, caller.into(), "account.sessions_ended", false).await?)
}

/// Writes down what was done, and tells the person by mail: whoever did not do it themselves must hear of it.
async fn noted(app: &App, tx: &mut TenantTx, caller: &Caller, change: &Change) -> ApiResult<()> {
    let entry = Entry::new(change.action, "person", caller.person).diff(change.diff.clone());
    audit::service::record(tx, caller, &entry, app.clock.now()).await?;
    let link = format!("{}/me/security", app.public_url());
    let template = Template::SignInMethod { what: change.says.clone(), address: change.from.clone(), link };
    Ok(notifications::service::mail(app, tx, &To::person(caller.person), &template).await?)
}

/// Whether this is a code of the person's app that was not used yet. Takes its step.
pub(super) async fn take_totp(app: &App, tx: &mut SystemTx, person: PersonId, code: &str) -> ApiResult<bool> {
    let Some(row) = store::totp(tx, person).await?.filter(|row| row.confirmed) else { return Ok(false) };
    let place = person.as_uuid();
    let secret = app.sealer.open(PURPOSE, place.as_bytes(), &row.sealed).ok_or_else(lost)?;
    let totp = rules::totp(&secret, "").ok_or_else(lost)?;
    let Some(step) = rules::step_of(&totp, code, app.clock.now()) else { return Ok(false) };
    if !store::use_step(tx, person, step).await? {
        return Ok(false);
    }
    if app.sealer.is_old(&row.sealed) {
        let sealed = app.sealer.seal(PURPOSE, place.as_bytes(), &secret);
        store::reseal(tx, person, &row.sealed, &sealed).await?;
    }
    Ok(true)
}

/// Takes everything off somebody who sets their first password: what was there before was not made by them.
///
/// # Errors
/// Whatever the statement met.
pub async fn begin_anew(tx: &mut SystemTx, person: PersonId) -> ApiResult<()> {
    store::remove_all(tx, person).await?;
    Ok(())
}

/// Removes the authenticator app.
///
/// # Errors
/// AUTHZ without a fresh step-up; NOT_FOUND where there is none.
pub async fn remove_totp(app: &App, caller: &Caller, context: &Context) -> ApiResult<()> {
    must_own(app, caller).await?;
    let mut tx = SystemTx::begin(&app.db, SystemReason::SecondFactor).await?;
    if !store::remove_totp(&mut tx, caller.person).await? {
        return Err(ApiError::not_found("authenticator app"));
    }
    let left = still(&mut tx, caller.person).await?;
    let ending = ends_others(app, caller, &mut tx).await?;
    tx.save().await?;
    removed(app, caller, &Change::new("mfa.totp_removed", "The authenticator app was removed", context), left, ending)
        .await
}

/// Whether a factor is left. Recovery codes without one recover nothing: they go.
async fn still(tx: &mut SystemTx, person: PersonId) -> ApiResult<bool> {
    let have = store::have(tx, person).await?;
    let left = have.factor();
    if !left {
        store::put_codes(tx, person, &[], protocol::timestamp::Timestamp(0)).await?;
    }
    Ok(left)
}

/// A challenge for a new passkey.
///
/// # Errors
/// AUTHZ without a fresh step-up; CONFLICT where head office has no name or the person passkeys enough.
pub async fn begin_passkey(app: &App, caller: &Caller) -> ApiResult<Challenge> {
    must_own(app, caller).await?;
    let mut tx = SystemTx::begin(&app.db, SystemReason::SecondFactor).await?;
    let bound = rules::session_key(caller.session);
    let challenge = passkeys::ask(app, &mut tx, For::Add(caller.person, &bound)).await?;
    tx.save().await?;
    Ok(challenge)
}

/// Adds the passkey that answered.
///
/// # Errors
/// VALIDATION for a name or an answer that will not do.
pub async fn add_passkey(app: &App, caller: &Caller, context: &Context, new: NewPasskey) -> ApiResult<Codes> {
    must_own(app, caller).await?;
    let name = named(&new.name)?;
    let answer = PasskeyAnswer { ceremony: new.ceremony, credential: new.credential };
    let mut tx = SystemTx::begin(&app.db, SystemReason::SecondFactor).await?;
    let bound = rules::session_key(caller.session);
    let first = !store::have(&mut tx, caller.person).await?.factor();
    let made = passkeys::add(app, &mut tx, For::Add(caller.person, &bound), &answer, &name).await?;
    let now = app.clock.now();
    let ending = (first && made.is_some()).then(|| Ending::of_first_factor(caller.person, Some(caller.session), now));
    if let Some(ending) = ending {
        ending.ask(&mut tx).await?;
    }
    let codes = match made {
        Some(_) => first_codes(app, &mut tx, caller.person).await?,
        None => Codes { recovery_codes: None },
    };
    tx.save().await?;
    let Some(id) = made else {
        return Err(ApiError::validation("the passkey did not answer, or took too long: try again"));
    };
    let change = Change::new("mfa.passkey_added", format!("The passkey “{name}” was added"), context).of_passkey(id);
    added(app, caller, &change, ending).await?;
    Ok(codes)
}

fn named(name: &str) -> ApiResult<String> {
    rules::name(name).ok_or_else(|| ApiError::field("name", format!("give 1 to {} characters", rules::NAME_CHARS)))
}

/// Gives a passkey another name.
///
/// # Errors
/// VALIDATION for the name; NOT_FOUND.
pub async fn rename_passkey(app: &App, caller: &Caller, id: Uuid, name: &str) -> ApiResult<()> {
    let name = named(name)?;
    let mut tx = SystemTx::begin(&app.db, SystemReason::SecondFactor).await?;
    if !store::rename_passkey(&mut tx, caller.person, id, &name).await? {
        return Err(ApiError::not_found("passkey"));
    }
    Ok(tx.save().await?)
}

/// Removes a passkey.
///
/// # Errors
/// AUTHZ without a fresh step-up; NOT_FOUND.
pub async fn remove_passkey(app: &App, caller: &Caller, context: &Context, id: Uuid) -> ApiResult<()> {
    must_own(app, caller).await?;
    let mut tx = SystemTx::begin(&app.db, SystemReason::SecondFactor).await?;
    if !store::remove_passkey(&mut tx, caller.person, id).await? {
        return Err(ApiError::not_found("passkey"));
    }
    let left = still(&mut tx, caller.person).await?;
    let ending = ends_others(app, caller, &mut tx).await?;
    tx.save().await?;
    let change = Change::new("mfa.passkey_removed", "A passkey was removed", context).of_passkey(id);
    removed(app, caller, &change, left, ending).await
}

/// Ten new recovery codes in place of those before.
///
/// # Errors
/// AUTHZ without a fresh step-up; CONFLICT for whoever has no second factor to recover.
pub async fn renew_codes(app: &App, caller: &Caller, context: &Context) -> ApiResult<Codes> {
    must_own(app, caller).await?;
    let mut tx = SystemTx::begin(&app.db, SystemReason::SecondFactor).await?;
    let have = store::have(&mut tx, caller.person).await?;
    if !have.factor() {
        return Err(ApiError::conflict("set up an authenticator app or a passkey first"));
    }
    let codes = new_codes(app, &mut tx, caller.person).await?;
    tx.save().await?;
    let mut tx = caller.begin(app).await?;
    let change = Change::new("mfa.recovery_codes_renewed", "New recovery codes were made", context);
    noted(app, &mut tx, caller, &change).await?;
    tx.save().await?;
    Ok(Codes { recovery_codes: Some(codes) })
}
