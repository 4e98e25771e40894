//! Signing in with a passkey alone: the device has it and has verified the person, which is two factors in one.

use protocol::id::PersonId;

use super::passkeys::{self, For};
use super::types::{Challenge, PasskeyAnswer};
use crate::app::App;
use crate::db::{SystemReason, SystemTx};
use crate::http::{ApiError, ApiResult};

/// A challenge for whoever is there.
pub(super) async fn challenge(app: &App) -> ApiResult<Challenge> {
    let mut tx = SystemTx::begin(&app.db, SystemReason::SignIn).await?;
    let challenge = passkeys::ask(app, &mut tx, For::SignIn).await?;
    tx.save().await?;
    Ok(challenge)
}

/// Who answered.
///
/// # Errors
/// AUTHN for a passkey that we do not know, a challenge that was answered before or took too long.
pub(super) async fn recognise(app: &App, answer: &PasskeyAnswer) -> ApiResult<PersonId> {
    let mut tx = SystemTx::begin(&app.db, SystemReason::SignIn).await?;
    let person = passkeys::recognise(app, &mut tx, answer).await?;
    tx.save().await?;
    let Some(person) = person else {
        metrics::counter!("tillway_sign_ins_total", "outcome" => "refused").increment(1);
        tracing::info!(target: "audit", "sign-in with a passkey refused");
        return Err(ApiError::authn("head office does not know this passkey, or it took too long: try again"));
    };
    Ok(person)
}
