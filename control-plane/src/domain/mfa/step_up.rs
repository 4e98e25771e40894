//! Proving again who one is, before what is sensitive: with the password, a code or a passkey. A sign-in counts as such.

use super::passkeys::For;
use super::second::{self, Shown};
use super::types::{Challenge, SteppedUp};
use super::{passkeys, rules, store};
use crate::app::App;
use crate::auth::guard::{Caller, STEP_UP_MILLIS};
use crate::db::{SystemReason, SystemTx};
use crate::domain::identity;
use crate::http::error::Code;
use crate::http::{ApiError, ApiResult};

/// What is shown.
#[derive(Clone, Copy, Debug)]
pub(super) enum Proof<'a> {
    /// The password.
    Password(&'a str),
    /// A second factor.
    Factor(Shown<'a>),
}

/// A challenge for one of the caller's passkeys.
pub(super) async fn challenge(app: &App, caller: &Caller) -> ApiResult<Challenge> {
    let mut tx = SystemTx::begin(&app.db, SystemReason::SecondFactor).await?;
    let bound = rules::session_key(caller.session);
    let challenge = passkeys::ask(app, &mut tx, For::StepUp(caller.person, &bound)).await?;
    tx.save().await?;
    Ok(challenge)
}

/// Believes the caller again for a while. A second factor makes the session one with a second factor, too.
///
/// # Errors
/// VALIDATION for what is wrong; RATE_LIMIT after five tries in fifteen minutes.
pub(super) async fn prove(app: &App, caller: &Caller, proof: Proof<'_>) -> ApiResult<SteppedUp> {
    let person = caller.person;
    let key = match proof {
        Proof::Password(_) => rules::password_tries_key(person),
        Proof::Factor(_) => rules::tries_key(person),
    };
    second::count_under(app, person, &key).await?;
    let (right, mfa) = match proof {
        Proof::Password(password) => (identity::service::is_password(app, person, password).await?, false),
        Proof::Factor(shown) => {
            let mut tx = SystemTx::begin(&app.db, SystemReason::SecondFactor).await?;
            let bound = rules::session_key(caller.session);
            let right = second::believe(app, &mut tx, person, shown, For::StepUp(person, &bound)).await?;
            tx.save().await?;
            (right, true)
        }
    };
    if !right {
        tracing::info!(target: "audit", %person, session = %caller.session, "step-up refused");
        return Err(
            ApiError::validation("this is wrong or was used before").with(serde_json::json!({ "reason": "wrong" }))
        );
    }
    let mut tx = SystemTx::begin(&app.db, SystemReason::SecondFactor).await?;
    second::forget_under(app, &mut tx, &key).await?;
    tx.save().await?;
    let mut tx = caller.begin(app).await?;
    store::prove(&mut tx, caller.session, mfa, app.clock.now()).await?;
    tx.save().await?;
    Ok(SteppedUp { expires_in: STEP_UP_MILLIS / 1_000 })
}

/// Refuses unless the caller proved who they are a moment ago, by what is their own.
///
/// # Errors
/// AUTHZ with the reason `step_up_required`.
async fn must_be_fresh(app: &App, caller: &Caller) -> ApiResult<()> {
    if caller.stepped_up(app.clock.now()) {
        return must_be_own(app, caller).await;
    }
    Err(asked())
}

/// Refuses a session that began by a company's provider unless the person proved themselves in it a moment ago, by their own
/// password or factor: a provider speaks for its company, and what is changed here opens others.
///
/// # Errors
/// AUTHZ with the reason `step_up_required`.
pub async fn must_be_own(app: &App, caller: &Caller) -> ApiResult<()> {
    let mut tx = caller.begin(app).await?;
    let since = app.clock.now().plus_millis(-STEP_UP_MILLIS);
    if store::is_own(&mut tx, caller.session, since).await? { Ok(()) } else { Err(asked()) }
}

fn asked() -> ApiError {
    ApiError::authz("prove again who you are: POST /v1/auth/step-up, then repeat this")
        .with(serde_json::json!({ "reason": "step_up_required" }))
}

/// Refuses unless the caller may change second factors: proved a moment ago, and by a factor of their own where there is
/// one. Or the password alone, or a company's provider, would take off what is there for the day the password is stolen.
///
/// # Errors
/// AUTHZ with the reason `step_up_required`, and `factor` where the password is not enough.
pub(super) async fn must_own(app: &App, caller: &Caller) -> ApiResult<()> {
    must_be_fresh(app, caller).await?;
    let mut tx = caller.begin(app).await?;
    let shown = store::showed_factor(&mut tx, caller.session).await?;
    drop(tx);
    if shown {
        return Ok(());
    }
    let mut tx = SystemTx::begin(&app.db, SystemReason::SecondFactor).await?;
    if !store::have(&mut tx, caller.person).await?.factor() {
        return Ok(());
    }
    Err(ApiError::authz(
        "prove again who you are with a second factor: POST /v1/auth/step-up with a code or a passkey, then repeat this",
    )
    .with(serde_json::json!({ "reason": "step_up_required", "factor": true })))
}

/// Whether a refusal asks for a step-up.
pub(super) fn is_asked(error: &ApiError) -> bool {
    error.code == Code::Authz && error.details.as_ref().is_some_and(|details| details["reason"] == "step_up_required")
}
