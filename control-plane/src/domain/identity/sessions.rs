//! Sessions: begun by a sign-in, carried on by refresh tokens that each work once, ended by signing out or by a
//! refresh token that came twice. There is no grace for an answer that was lost: a thief's second use and a client's repeat
//! look the same, nothing a shop needs hangs on such a session (nodes have certificates, programs have keys), and signing in
//! again is all it costs.

use protocol::id::{PersonId, TenantId};
use uuid::Uuid;

use super::rules::{REFRESH_MILLIS, RefreshToken, SESSION_MILLIS};
use super::store::{self, NewSession};
use super::types::{Proof, Tokens};
use crate::app::App;
use crate::auth::guard::Caller;
use crate::auth::token::{ACCESS_SECONDS, Access};
use crate::clock::timestamp;
use crate::db::TenantTx;
use crate::domain::sso;
use crate::http::context::Context;
use crate::http::{ApiError, ApiResult};
use crate::rng;

/// Begins a session of `person` in `tenant`.
pub(super) async fn begin(
    app: &App,
    tenant: TenantId,
    person: PersonId,
    proof: Proof,
    context: &Context,
) -> ApiResult<Tokens> {
    let now = app.clock.now();
    let session = rng::id(now);
    let refresh = RefreshToken::new(tenant, rng::bytes());
    let address = context.address().to_string();
    let expires = now.plus_millis(SESSION_MILLIS);
    let mut tx = TenantTx::begin(&app.db, tenant).await?;
    sso::service::password_allowed(&mut tx, person, proof.mfa()).await?;
    let (method, mfa) = (proof.method(), proof.mfa());
    let new = NewSession { session, person, address: &address, agent: context.agent(), method, mfa, now, expires };
    store::insert_session(&mut tx, &new).await?;
    store::insert_token(&mut tx, session, &refresh.hash(), now).await?;
    tx.save().await?;
    tokens(app, tenant, person, session, refresh)
}

/// Exchanges a refresh token for the next pair.
pub(super) async fn carry_on(app: &App, text: &str) -> ApiResult<Tokens> {
    let refused = || ApiError::authn("the refresh token is not valid: sign in again");
    let token = RefreshToken::read(text).ok_or_else(refused)?;
    let now = app.clock.now();
    let mut tx = TenantTx::begin(&app.db, token.tenant).await?;
    let row = store::lock_token(&mut tx, &token.hash()).await?.ok_or_else(refused)?;
    let (session, person) = (row.session_id, PersonId::from_uuid(row.person_id));
    if row.used_at.is_some() {
        if store::end_session(&mut tx, session, "refresh_reused", now).await? {
            tracing::warn!(tenant = %token.tenant, %person, %session, "a refresh token came twice; session ended");
            metrics::counter!("tillway_refresh_reused_total").increment(1);
        }
        tx.save().await?;
        return Err(ApiError::authn("this refresh token was used before; the session has ended: sign in again"));
    }
    let idle = now.millis_since(timestamp(row.issued_at)) > REFRESH_MILLIS;
    if row.ended_at.is_some() || !row.belongs || idle || timestamp(row.expires_at) <= now {
        return Err(ApiError::authn("the session has ended: sign in again"));
    }
    if !row.by_provider {
        // Where a provider is the only way in by now, what began with a password goes no further.
        sso::service::password_allowed(&mut tx, person, row.mfa).await?;
    }
    if !store::use_token(&mut tx, &token.hash(), now).await? {
        return Err(refused());
    }
    let next = RefreshToken::new(token.tenant, rng::bytes());
    store::insert_token(&mut tx, session, &next.hash(), now).await?;
    store::note_use(&mut tx, session, now).await?;
    tx.save().await?;
    tokens(app, token.tenant, person, session, next)
}

/// Ends the caller's session.
pub(super) async fn end(app: &App, caller: &Caller) -> ApiResult<()> {
    let mut tx = TenantTx::begin(&app.db, caller.tenant).await?;
    let ended = store::end_session(&mut tx, caller.session, "signed_out", app.clock.now()).await?;
    tx.save().await?;
    tracing::debug!(ended, "signed out");
    Ok(())
}

fn tokens(app: &App, tenant: TenantId, person: PersonId, session: Uuid, refresh: RefreshToken) -> ApiResult<Tokens> {
    let access = Access { tenant, person, session };
    let access_token = app.keys.sign(access, app.clock.now()).map_err(ApiError::internal)?;
    Ok(Tokens {
        access_token,
        token_type: "Bearer",
        expires_in: ACCESS_SECONDS,
        refresh_token: refresh.text(),
        tenant_id: tenant,
        person_id: person,
    })
}
