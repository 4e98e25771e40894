//! Sessions of browsers: an opaque key in a cookie, its hash beside the session. And the ticket that says "this person
//! gave the password a moment ago" while they choose one of several tenants.

use protocol::id::{PersonId, TenantId};
use uuid::Uuid;

use super::places;
use super::rules::{self, PAGE_IDLE_MILLIS, PAGE_MILLIS, PAGE_NOTE_MILLIS, PageKey};
use super::service::{prove, signed_in, tenants_of};
use super::store::{self, NewSession};
use super::types::{Proof, TenantRef};
use crate::app::App;
use crate::auth::guard::Standing;
use crate::auth::token::Access;
use crate::db::{PageTimes, SystemReason, SystemTx, TenantTx};
use crate::domain::mfa::{self, Second};
use crate::domain::sso;
use crate::http::context::Context;
use crate::http::{ApiError, ApiResult};
use crate::rng::{self, hex};

/// The step of a sign-in that its ticket leads to.
const CHOOSE: &str = "choose";
/// The same of somebody whose passkey said who they are.
const CHOOSE_BY_PASSKEY: &str = "choose by passkey";

/// A page session that stands.
#[derive(Clone, Debug)]
pub struct PageSession {
    /// Who, with what they may.
    pub standing: Standing,
    /// Of which tenant.
    pub tenant_name: String,
    /// What the session's forms carry.
    pub csrf: String,
}

/// What came of a sign-in at the page.
#[derive(Debug)]
pub(crate) enum Entered {
    /// In.
    In(Entry),
    /// A second factor is asked for.
    Second(Second),
    /// Several tenants: which? The ticket goes back with the answer.
    Choose { ticket: String, tenants: Vec<TenantRef> },
}

/// What a browser keeps that has come in: the text of the session's cookie, and of the browser's own.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(super) key: String,
    pub(super) browser: String,
}

/// The session that a cookie names, if it stands. `used` says that a person is there, which keeps it from ending; a
/// script that looks by itself does not.
///
/// # Errors
/// Whatever the database met.
pub async fn page_caller(app: &App, cookie: &str, used: bool) -> ApiResult<Option<PageSession>> {
    let Some(key) = PageKey::read(cookie) else { return Ok(None) };
    let now = app.clock.now();
    let times = PageTimes {
        now,
        idle_since: now.plus_millis(-PAGE_IDLE_MILLIS),
        note_since: used.then(|| now.plus_millis(-PAGE_NOTE_MILLIS)),
    };
    let found = app.db.page_state(key.tenant, &key.hash(), times).await?;
    Ok(found.map(|(session, tenant_name, state)| PageSession {
        standing: Standing::of(key.tenant, session, &state),
        tenant_name,
        csrf: rules::csrf(&key),
    }))
}

/// Signs in with a password.
pub(super) async fn enter(
    app: &App,
    email: &str,
    password: &str,
    context: &Context,
    browser: Option<&str>,
) -> ApiResult<Entered> {
    let (person, tenants) = prove(app, email, password, context, browser).await?;
    settle(app, person, tenants, Proof::Password, context, browser).await
}

/// Goes on for somebody who has proved who they are.
pub(super) async fn settle(
    app: &App,
    person: PersonId,
    tenants: Vec<TenantRef>,
    proof: Proof,
    context: &Context,
    browser: Option<&str>,
) -> ApiResult<Entered> {
    match tenants.as_slice() {
        [] => Err(ApiError::authn("This person belongs to no company any more.")),
        [only] => arrive(app, only.id, person, proof, context, browser).await,
        _ => {
            let access = Access { tenant: nowhere(), person, session: password_stamp(app, person).await? };
            let ticket =
                app.keys.sign_ticket(choose_step(proof), access, app.clock.now()).map_err(ApiError::internal)?;
            Ok(Entered::Choose { ticket, tenants })
        }
    }
}

/// Goes on after the choice. The ticket lives as long as an access token and opens nothing else.
pub(super) async fn choose(
    app: &App,
    ticket: &str,
    tenant: Uuid,
    context: &Context,
    browser: Option<&str>,
) -> ApiResult<Entered> {
    let stale = || ApiError::authn("The choice took too long. Sign in again.");
    let now = app.clock.now();
    let (access, proof) = match app.keys.verify_ticket(&app.db, CHOOSE, ticket, now).await {
        Ok(access) => (access, Proof::Password),
        Err(_) => {
            let access = app.keys.verify_ticket(&app.db, CHOOSE_BY_PASSKEY, ticket, now).await;
            (access.map_err(|_| stale())?, Proof::Passkey)
        }
    };
    if access.session != password_stamp(app, access.person).await? {
        // Somebody who took the account back with a new password must not find the old one still choosing.
        return Err(stale());
    }
    let tenants = tenants_of(app, access.person).await?;
    let chosen = tenants.iter().find(|known| known.id.as_uuid() == tenant).ok_or_else(stale)?;
    arrive(app, chosen.id, access.person, proof, context, browser).await
}

const fn choose_step(proof: Proof) -> &'static str {
    match proof {
        Proof::Password | Proof::PasswordAndFactor => CHOOSE,
        Proof::Passkey => CHOOSE_BY_PASSKEY,
    }
}

/// Opens the session, unless a second factor is still to come.
pub(super) async fn arrive(
    app: &App,
    tenant: TenantId,
    person: PersonId,
    proof: Proof,
    context: &Context,
    browser: Option<&str>,
) -> ApiResult<Entered> {
    if !proof.mfa()
        && let Some(second) = mfa::service::ask(app, person, tenant).await?
    {
        return Ok(Entered::Second(second));
    }
    begin(app, tenant, person, proof, context, browser).await.map(Entered::In)
}

/// Changes with the person's password and says nothing about it: what a ticket is good under.
async fn password_stamp(app: &App, person: PersonId) -> ApiResult<Uuid> {
    let mut tx = SystemTx::begin(&app.db, SystemReason::SignIn).await?;
    let phc = store::phc_of(&mut tx, person).await?.unwrap_or_default();
    let hash = blake3::derive_key("tillway head office 2026 password behind a ticket", phc.as_bytes());
    let [stamp, _] = hash.as_chunks::<16>().0 else { return Err(ApiError::internal("a hash of another length")) };
    Ok(Uuid::from_bytes(*stamp))
}

fn nowhere() -> TenantId {
    TenantId::from_uuid(Uuid::nil())
}

pub(super) async fn begin(
    app: &App,
    tenant: TenantId,
    person: PersonId,
    proof: Proof,
    context: &Context,
    browser: Option<&str>,
) -> ApiResult<Entry> {
    let now = app.clock.now();
    let session = rng::id(now);
    let key = PageKey::new(tenant, rng::bytes());
    let address = context.address().to_string();
    let expires = now.plus_millis(PAGE_MILLIS);
    let mut tx = TenantTx::begin(&app.db, tenant).await?;
    sso::service::password_allowed(&mut tx, person, proof.mfa()).await?;
    let (method, mfa) = (proof.method(), proof.mfa());
    let new = NewSession { session, person, address: &address, agent: context.agent(), method, mfa, now, expires };
    store::insert_session(&mut tx, &new).await?;
    store::set_page_key(&mut tx, session, &key.hash()).await?;
    tx.save().await?;
    signed_in(person, tenant, context);
    let browser = know_browser(app, person, browser).await?;
    Ok(Entry { key: key.text(), browser })
}

/// Remembers that a person uses this browser; answers what its cookie shall say.
async fn know_browser(app: &App, person: PersonId, cookie: Option<&str>) -> ApiResult<String> {
    let known = cookie.and_then(|cookie| Some((cookie.to_owned(), places::of_browser(cookie)?)));
    let (cookie, mark) = match known {
        Some(known) => known,
        None => {
            let cookie = hex(&rng::bytes::<32>());
            let mark =
                places::of_browser(&cookie).ok_or_else(|| ApiError::internal("a cookie of ours cannot be read"))?;
            (cookie, mark)
        }
    };
    let mut tx = SystemTx::begin(&app.db, SystemReason::SignIn).await?;
    store::know_place(&mut tx, person, &mark, app.clock.now()).await?;
    tx.save().await?;
    Ok(cookie)
}
