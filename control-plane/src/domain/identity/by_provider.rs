//! People and sessions that begin because somebody else vouches for them: single sign-on. Who that is, and whether they
//! are believed, is decided by the noun `sso`.

mod store;

use protocol::id::{PersonId, TenantId};
use protocol::timestamp::Timestamp;

use super::rules::{PAGE_MILLIS, PageKey, email_key};
use super::service::signed_in;
use super::store as people;
use crate::app::App;
use crate::db::{SystemReason, SystemTx, TenantTx};
use crate::http::ApiResult;
use crate::http::context::Context;
use crate::rng;

/// Seconds that the browser keeps the cookie of such a session.
pub const COOKIE_SECONDS: i64 = PAGE_MILLIS / 1_000;

/// What the one who vouches says of how somebody proved themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// With a second factor.
    pub mfa: bool,
    /// A moment ago.
    pub fresh: bool,
}

/// Begins a page session; answers the text of its cookie.
///
/// # Errors
/// Whatever the database met.
pub async fn begin(
    app: &App,
    tenant: TenantId,
    person: PersonId,
    context: &Context,
    proof: Proof,
) -> ApiResult<String> {
    let now = app.clock.now();
    let session = rng::id(now);
    let key = PageKey::new(tenant, rng::bytes());
    let address = context.address().to_string();
    let expires = now.plus_millis(PAGE_MILLIS);
    let mut tx = TenantTx::begin(&app.db, tenant).await?;
    let new = store::NewSession {
        session,
        person,
        address: &address,
        agent: context.agent(),
        now,
        expires,
        page: key.hash(),
        mfa: proof.mfa.then_some(now),
        fresh: proof.fresh.then_some(now),
    };
    store::insert_session(&mut tx, &new).await?;
    tx.save().await?;
    signed_in(person, tenant, context);
    Ok(key.text())
}

/// A new person with this e-mail and no password, as a member of the transaction's tenant; none if the e-mail is
/// somebody's. The person is kept even if the transaction is not: without a password and a membership they are nobody, and
/// the next try takes them.
///
/// # Errors
/// Whatever the database met.
pub async fn newcomer(app: &App, tx: &mut TenantTx, email: &str, now: Timestamp) -> ApiResult<Option<PersonId>> {
    let Some(key) = email_key(email) else { return Ok(None) };
    let mut system = SystemTx::begin(&app.db, SystemReason::SignIn).await?;
    let made = store::newcomer(&mut system, PersonId::from_uuid(rng::id(now)), email.trim(), &key, now).await?;
    system.save().await?;
    if let Some(person) = made {
        people::insert_member(tx, person, now).await?;
    }
    Ok(made)
}
