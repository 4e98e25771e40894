//! Passkeys: adding one, and believing one. The challenge waits in the database, bound to the session or the sign-in that
//! asked for it, and the first answer takes it out. The person must have been verified by the device itself.

use protocol::id::PersonId;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;
use webauthn_rs::prelude::{
    AuthenticationResult, DiscoverableAuthentication, DiscoverableKey, Passkey, PasskeyAuthentication,
    PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, WebauthnError,
};

use super::party;
use super::rules::{self, CEREMONY_MILLIS};
use super::store::{self, NewCeremony, NewKey, PasskeyRow};
use super::types::{Challenge, PasskeyAnswer};
use crate::app::App;
use crate::db::{DbError, SystemTx};
use crate::http::{ApiError, ApiResult};
use crate::rng;

/// What a ceremony is for, and what it is bound to.
#[derive(Clone, Copy, Debug)]
pub(super) enum For<'a> {
    /// A new passkey of somebody who is signed in.
    Add(PersonId, &'a str),
    /// The second step of a sign-in.
    Second(PersonId, &'a str),
    /// Proving again who one is.
    StepUp(PersonId, &'a str),
    /// Signing in with the passkey alone: the passkey says who it is.
    SignIn,
}

impl<'a> For<'a> {
    const fn kind(self) -> &'static str {
        match self {
            Self::Add(..) => "add",
            Self::Second(..) => "second",
            Self::StepUp(..) => "step_up",
            Self::SignIn => "sign_in",
        }
    }

    const fn place(self) -> (Option<PersonId>, &'a str) {
        match self {
            Self::Add(person, bound) | Self::Second(person, bound) | Self::StepUp(person, bound) => {
                (Some(person), bound)
            }
            Self::SignIn => (None, ""),
        }
    }
}

/// Asks for a passkey.
pub(super) async fn ask(app: &App, tx: &mut SystemTx, what: For<'_>) -> ApiResult<Challenge> {
    let party = party::of(app)?;
    let known = match what.place().0 {
        Some(person) => store::passkeys(tx, person).await?,
        None => Vec::new(),
    };
    let (options, state) = match what {
        For::Add(person, _) => {
            if known.len() >= rules::PASSKEYS {
                return Err(ApiError::conflict(format!("{} passkeys are enough; remove one first", rules::PASSKEYS)));
            }
            let email = crate::domain::identity::service::email_within(tx, person).await?;
            let others = keys(&known).map(|key| key.cred_id().clone()).collect();
            let begun = party.start_passkey_registration(person.as_uuid(), &email, &email, Some(others));
            let (options, state) = begun.map_err(ApiError::internal)?;
            (discoverable(json!(options)), json!(state))
        }
        For::Second(..) | For::StepUp(..) => {
            let keys: Vec<Passkey> = keys(&known).collect();
            if keys.is_empty() {
                return Err(ApiError::conflict("this person has no passkey: use another way"));
            }
            let (options, state) = party.start_passkey_authentication(&keys).map_err(ApiError::internal)?;
            (json!(options), json!(state))
        }
        For::SignIn => {
            let (options, state) = party.start_discoverable_authentication().map_err(ApiError::internal)?;
            (json!({ "publicKey": json!(options)["publicKey"] }), json!(state))
        }
    };
    let now = app.clock.now();
    let secret = rng::bytes();
    let ceremony = rules::token_text(&secret);
    let hash = rules::token_hash(&ceremony).unwrap_or_default();
    let (person, bound_to) = what.place();
    let ends = now.plus_millis(CEREMONY_MILLIS);
    let new = NewCeremony { hash: &hash, kind: what.kind(), person, bound_to, state: &state, now, ends };
    store::put_ceremony(tx, &new).await?;
    Ok(Challenge { ceremony, options })
}

/// Has the device keep the passkey under our name where it can, so that it signs in alone.
fn discoverable(mut options: Value) -> Value {
    if let Some(wanted) = options.pointer_mut("/publicKey/authenticatorSelection").and_then(Value::as_object_mut) {
        wanted.insert("residentKey".to_owned(), json!("preferred"));
        wanted.insert("requireResidentKey".to_owned(), json!(false));
    }
    options
}

fn keys(rows: &[PasskeyRow]) -> impl Iterator<Item = Passkey> + '_ {
    rows.iter().filter_map(|row| serde_json::from_value(row.credential.clone()).ok())
}

/// The state of the ceremony, taken out, and the answer; none for what is not of it.
async fn taken<S: DeserializeOwned, C: DeserializeOwned>(
    app: &App,
    tx: &mut SystemTx,
    what: For<'_>,
    ceremony: &str,
    credential: &Value,
) -> ApiResult<Option<(S, C)>> {
    let Some(hash) = rules::token_hash(ceremony) else { return Ok(None) };
    let (person, bound) = what.place();
    let state = store::take_ceremony(tx, &hash, what.kind(), person, bound, app.clock.now()).await?;
    let Some(state) = state else { return Ok(None) };
    let state = serde_json::from_value(state).map_err(ApiError::internal)?;
    Ok(serde_json::from_value(credential.clone()).ok().map(|credential| (state, credential)))
}

fn refused(error: &WebauthnError) {
    tracing::info!(target: "audit", ?error, "a passkey was refused");
}

/// Adds the passkey that answered. None when it did not answer this challenge.
pub(super) async fn add(
    app: &App,
    tx: &mut SystemTx,
    what: For<'_>,
    answer: &PasskeyAnswer,
    name: &str,
) -> ApiResult<Option<Uuid>> {
    let Some(person) = what.place().0 else { return Ok(None) };
    let (ceremony, credential) = (&answer.ceremony, &answer.credential);
    let taken = taken::<PasskeyRegistration, RegisterPublicKeyCredential>(app, tx, what, ceremony, credential).await?;
    let Some((state, credential)) = taken else { return Ok(None) };
    let key = match party::of(app)?.finish_passkey_registration(&credential, &state) {
        Ok(key) => key,
        Err(error) => {
            refused(&error);
            return Ok(None);
        }
    };
    let now = app.clock.now();
    let (id, kept) = (rng::id(now), json!(key));
    let new = NewKey { id, person, credential_id: key.cred_id().as_ref(), credential: &kept, name, now };
    match store::add_passkey(tx, &new).await {
        Ok(()) => Ok(Some(id)),
        Err(DbError::Taken { .. }) => Err(ApiError::conflict("this passkey is there already")),
        Err(error) => Err(error.into()),
    }
}

/// Whether one of the person's passkeys answered this very challenge.
pub(super) async fn believe(app: &App, tx: &mut SystemTx, what: For<'_>, answer: &PasskeyAnswer) -> ApiResult<bool> {
    let Some(person) = what.place().0 else { return Ok(false) };
    let (ceremony, credential) = (&answer.ceremony, &answer.credential);
    let taken = taken::<PasskeyAuthentication, PublicKeyCredential>(app, tx, what, ceremony, credential).await?;
    let Some((state, credential)) = taken else { return Ok(false) };
    match party::of(app)?.finish_passkey_authentication(&credential, &state) {
        Ok(result) => note(app, tx, person, &result).await,
        Err(error) => {
            refused(&error);
            Ok(false)
        }
    }
}

/// Who signs in with the passkey alone.
pub(super) async fn recognise(app: &App, tx: &mut SystemTx, answer: &PasskeyAnswer) -> ApiResult<Option<PersonId>> {
    let (ceremony, credential) = (&answer.ceremony, &answer.credential);
    let taken =
        taken::<DiscoverableAuthentication, PublicKeyCredential>(app, tx, For::SignIn, ceremony, credential).await?;
    let Some((state, credential)) = taken else { return Ok(None) };
    let party = party::of(app)?;
    let Ok((person, id)) = party.identify_discoverable_authentication(&credential) else { return Ok(None) };
    let person = PersonId::from_uuid(person);
    let known = store::passkeys(tx, person).await?;
    let Some(key) = keys(&known).find(|key| AsRef::<[u8]>::as_ref(key.cred_id()) == id) else { return Ok(None) };
    match party.finish_discoverable_authentication_v2(&credential, state, DiscoverableKey::from(key)) {
        Ok(result) => Ok(note(app, tx, person, &result).await?.then_some(person)),
        Err(error) => {
            refused(&error);
            Ok(None)
        }
    }
}

/// Notes a use: the counter may only rise, also when two come at once.
async fn note(app: &App, tx: &mut SystemTx, person: PersonId, result: &AuthenticationResult) -> ApiResult<bool> {
    if !result.user_verified() {
        return Ok(false);
    }
    for row in store::passkeys(tx, person).await? {
        let Ok(mut key) = serde_json::from_value::<Passkey>(row.credential.clone()) else { continue };
        if key.update_credential(result).is_some() {
            let counter = i64::from(result.counter());
            let used = store::use_passkey(tx, row.passkey_id, &json!(key), counter, app.clock.now()).await?;
            if !used {
                tracing::warn!(target: "audit", %person, counter, known = row.counter, "a passkey's counter went back");
            }
            return Ok(used);
        }
    }
    Ok(false)
}
