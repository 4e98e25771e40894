//! The second step of a sign-in: the password was right, now a code or a passkey. Throttled per person like passwords,
//! and each code, challenge and token works once.

use protocol::id::{PersonId, TenantId};

use super::passkeys::{self, For};
use super::rules::{self, STEP_MILLIS};
use super::store::{self, Have};
use super::types::{Challenge, Method, PasskeyAnswer, Second};
use crate::app::App;
use crate::auth::throttle::{self, Try};
use crate::db::{SystemReason, SystemTx};
use crate::http::{ApiError, ApiResult};
use crate::rng;

/// What somebody shows to prove who they are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shown<'a> {
    /// A code of an authenticator app.
    Totp(&'a str),
    /// A recovery code.
    Recovery(&'a str),
    /// A passkey's answer.
    Passkey(&'a PasskeyAnswer),
}

/// What a person has, best first.
pub(super) fn methods(have: Have) -> Vec<Method> {
    let all = [(have.passkeys > 0, Method::Passkey), (have.totp, Method::Totp), (have.codes > 0, Method::Recovery)];
    all.into_iter().filter(|(has, _)| *has).map(|(_, method)| method).collect()
}

/// What is asked of a person whose password was right; none of one who has no second factor.
pub(super) async fn ask(app: &App, person: PersonId, tenant: TenantId) -> ApiResult<Option<Second>> {
    let now = app.clock.now();
    let mut tx = SystemTx::begin(&app.db, SystemReason::SignIn).await?;
    let have = store::have(&mut tx, person).await?;
    if !have.factor() {
        return Ok(None);
    }
    let token = rules::token_text(&rng::bytes());
    let hash = rules::token_hash(&token).unwrap_or_default();
    store::put_step(&mut tx, &hash, person, tenant, now, now.plus_millis(STEP_MILLIS)).await?;
    tx.save().await?;
    Ok(Some(Second { token, methods: methods(have), expires_in: STEP_MILLIS / 1_000 }))
}

fn late() -> ApiError {
    ApiError::authn("the sign-in took too long: begin again with the password")
}

/// What a sign-in that waits may be ended with.
pub(super) async fn waiting(app: &App, token: &str) -> ApiResult<Vec<Method>> {
    let mut tx = SystemTx::begin(&app.db, SystemReason::SignIn).await?;
    let (_, person, _) = step(app, &mut tx, token).await?;
    Ok(methods(store::have(&mut tx, person).await?))
}

async fn step(app: &App, tx: &mut SystemTx, token: &str) -> ApiResult<([u8; 32], PersonId, TenantId)> {
    let hash = rules::token_hash(token).ok_or_else(late)?;
    let (person, tenant) = store::step(tx, &hash, app.clock.now()).await?.ok_or_else(late)?;
    Ok((hash, PersonId::from_uuid(person), TenantId::from_uuid(tenant)))
}

/// A challenge for a passkey of the person who signs in.
pub(super) async fn challenge(app: &App, token: &str) -> ApiResult<Challenge> {
    let mut tx = SystemTx::begin(&app.db, SystemReason::SignIn).await?;
    let (hash, person, _) = step(app, &mut tx, token).await?;
    let challenge = passkeys::ask(app, &mut tx, For::Second(person, &rng::hex(&hash))).await?;
    tx.save().await?;
    Ok(challenge)
}

/// Ends the waiting with a second factor: who signs in, and where.
pub(super) async fn show(app: &App, token: &str, shown: Shown<'_>) -> ApiResult<(PersonId, TenantId)> {
    let mut tx = SystemTx::begin(&app.db, SystemReason::SignIn).await?;
    let (hash, person, tenant) = step(app, &mut tx, token).await?;
    drop(tx);
    count(app, person).await?;
    let mut tx = SystemTx::begin(&app.db, SystemReason::SignIn).await?;
    let right = believe(app, &mut tx, person, shown, For::Second(person, &rng::hex(&hash))).await?;
    let first = right && store::take_step(&mut tx, &hash).await?;
    if first {
        forget(app, &mut tx, person).await?;
    }
    // Also of a wrong answer: the challenge that it was given to is used up.
    tx.save().await?;
    if !first {
        metrics::counter!("tillway_second_factors_total", "outcome" => "refused").increment(1);
        tracing::info!(target: "audit", %person, "second factor refused");
        return Err(ApiError::authn("the code is wrong or was used before"));
    }
    metrics::counter!("tillway_second_factors_total", "outcome" => "taken").increment(1);
    Ok((person, tenant))
}

/// Counts a try of a person's second factor, before it is looked at.
pub(super) async fn count(app: &App, person: PersonId) -> ApiResult<()> {
    count_under(app, person, &rules::tries_key(person)).await
}

/// Counts a try of a person under a key of its own.
pub(super) async fn count_under(app: &App, person: PersonId, key: &str) -> ApiResult<()> {
    let mut tx = SystemTx::begin(&app.db, SystemReason::SignIn).await?;
    let too_many = throttle::count(&mut tx, tried(app, key)).await?;
    tx.save().await?;
    match too_many {
        None => Ok(()),
        Some(too_many) => {
            metrics::counter!("tillway_second_factors_total", "outcome" => "throttled").increment(1);
            if too_many.first {
                tracing::warn!(target: "audit", %person, "second factor throttled");
            }
            Err(ApiError::rate_limit("too many wrong tries; wait, then try again", too_many.seconds))
        }
    }
}

/// Forgets the tries of a person's second factor after a success.
pub(super) async fn forget(app: &App, tx: &mut SystemTx, person: PersonId) -> ApiResult<()> {
    forget_under(app, tx, &rules::tries_key(person)).await
}

/// Forgets the tries under a key.
pub(super) async fn forget_under(app: &App, tx: &mut SystemTx, key: &str) -> ApiResult<()> {
    Ok(throttle::forget(tx, tried(app, key)).await?)
}

/// One count a person, wherever the tries come from: whoever tries codes has the password already.
fn tried<'a>(app: &App, key: &'a str) -> Try<'a> {
    Try { email_key: key, address: "", browser: None, known: true, now: app.clock.now() }
}

/// Whether what is shown is the person's, and new.
pub(super) async fn believe(
    app: &App,
    tx: &mut SystemTx,
    person: PersonId,
    shown: Shown<'_>,
    what: For<'_>,
) -> ApiResult<bool> {
    match shown {
        Shown::Totp(code) => super::service::take_totp(app, tx, person, code).await,
        Shown::Recovery(code) => match rules::code_hash(person, code) {
            Some(hash) => Ok(store::use_code(tx, person, &hash, app.clock.now()).await?),
            None => Ok(false),
        },
        Shown::Passkey(answer) => passkeys::believe(app, tx, what, answer).await,
    }
}
