//! Signing in and out, and being somebody.

use protocol::id::{PersonId, TenantId};
use protocol::timestamp::Timestamp;
use uuid::Uuid;

use super::page_sessions::{self, Entered, Entry};
use super::types::{ChooseTenant, LoginReply, LoginRequest, Me, NeedSecond, Proof, TenantRef, Tokens};
use super::{account, places, rules, sessions, store};
use crate::app::App;
use crate::auth::chosen;
use crate::auth::guard::Caller;
use crate::auth::policy::BuiltIn;
use crate::auth::throttle::{self, Bound, TooMany, Try};
use crate::db::{DbError, SystemReason, SystemTx, TenantTx};
use crate::domain::roles::types::{Assignment, At, Role};
use crate::domain::{mfa, roles, tenants};
use crate::http::context::Context;
use crate::http::rate::network;
use crate::http::{ApiError, ApiResult};
use crate::rng;

/// Signs a person in, or answers which tenants there are to choose from.
///
/// # Errors
/// AUTHN with the same words and in the same time for an unknown e-mail, a wrong password and a foreign tenant;
/// RATE_LIMIT after five tries in fifteen minutes.
pub async fn login(app: &App, request: &LoginRequest, context: &Context) -> ApiResult<LoginReply> {
    let (person, memberships) = prove(app, &request.email, &request.password, context, None).await?;
    settle_api(app, person, memberships, request.tenant, Proof::Password, context).await
}

/// Goes on for somebody who has proved who they are: the session, the second factor, or the choice of a tenant.
async fn settle_api(
    app: &App,
    person: PersonId,
    mut tenants: Vec<TenantRef>,
    wanted: Option<Uuid>,
    proof: Proof,
    context: &Context,
) -> ApiResult<LoginReply> {
    tenants.retain(|tenant| wanted.is_none_or(|wanted| wanted == tenant.id.as_uuid()));
    match (tenants.len(), tenants.pop()) {
        (0, _) | (_, None) => Err(refused()),
        (1, Some(tenant)) => {
            if !proof.mfa()
                && let Some(mfa) = mfa::service::ask(app, person, tenant.id).await?
            {
                return Ok(LoginReply::Second(NeedSecond { mfa }));
            }
            open_api(app, tenant.id, person, proof, context).await.map(LoginReply::Tokens)
        }
        (_, Some(last)) => {
            tenants.push(last);
            Ok(LoginReply::Choose(ChooseTenant { tenants }))
        }
    }
}

/// Signs in somebody whom a passkey proved.
///
/// # Errors
/// AUTHN where they do not belong to the tenant that they name.
pub async fn enter_api(
    app: &App,
    person: PersonId,
    wanted: Option<Uuid>,
    proof: Proof,
    context: &Context,
) -> ApiResult<LoginReply> {
    let tenants = tenants_of(app, person).await?;
    settle_api(app, person, tenants, wanted, proof, context).await
}

/// The same at the pages. `browser` is what the browser's own cookie says.
///
/// # Errors
/// AUTHN for whoever belongs nowhere any more.
pub(crate) async fn enter_page(
    app: &App,
    person: PersonId,
    proof: Proof,
    context: &Context,
    browser: Option<&str>,
) -> ApiResult<Entered> {
    let tenants = tenants_of(app, person).await?;
    page_sessions::settle(app, person, tenants, proof, context, browser).await
}

/// Begins a session of the API for somebody who has proved everything that is asked.
///
/// # Errors
/// Whatever the database met.
pub async fn open_api(
    app: &App,
    tenant: TenantId,
    person: PersonId,
    proof: Proof,
    context: &Context,
) -> ApiResult<Tokens> {
    signed_in(person, tenant, context);
    sessions::begin(app, tenant, person, proof, context).await
}

/// Begins a session of a browser for somebody who has proved everything that is asked.
///
/// # Errors
/// Whatever the database met.
pub(crate) async fn open_page(
    app: &App,
    tenant: TenantId,
    person: PersonId,
    proof: Proof,
    context: &Context,
    browser: Option<&str>,
) -> ApiResult<Entry> {
    page_sessions::begin(app, tenant, person, proof, context, browser).await
}

/// Whether this is the password of somebody who is signed in. Whoever asks counts the tries.
///
/// # Errors
/// Whatever the database met.
pub async fn is_password(app: &App, person: PersonId, password: &str) -> ApiResult<bool> {
    if password.len() > chosen::LONGEST {
        return Ok(false);
    }
    let mut tx = SystemTx::begin(&app.db, SystemReason::SignIn).await?;
    let phc = store::phc_of(&mut tx, person).await?;
    drop(tx);
    app.hasher.verify(password, phc).await
}

fn refused() -> ApiError {
    ApiError::authn("the e-mail, the password or the tenant is wrong")
}

/// Counts and notes a sign-in.
pub(super) fn signed_in(person: PersonId, tenant: TenantId, context: &Context) {
    let address = network(context.address());
    metrics::counter!("tillway_sign_ins_total", "outcome" => "signed_in").increment(1);
    tracing::info!(target: "audit", %person, %tenant, %address, "signed in");
}

/// Who a password proves somebody to be, and where they belong. Throttled. `browser` is what the browser's own cookie says.
pub(super) async fn prove(
    app: &App,
    email: &str,
    password: &str,
    context: &Context,
    browser: Option<&str>,
) -> ApiResult<(PersonId, Vec<TenantRef>)> {
    let key = email_key(email);
    let key = key.ok_or_else(|| ApiError::field("email", "not an e-mail address such as owner@example.com"))?;
    if password.len() > chosen::LONGEST {
        // Nobody has such a password: nothing is counted, read or hashed for it.
        return Err(ApiError::field("password", chosen::Refused::TooLong));
    }
    let address = network(context.address()).to_string();
    let marks = places::marks(&address, browser);
    let mut tx = SystemTx::begin(&app.db, SystemReason::SignIn).await?;
    let person = store::person_trying(&mut tx, &key, &marks).await?;
    let (of_network, of_browser) = person.as_ref().map_or((false, false), |who| (who.network_known, who.browser_known));
    let mark = marks.browser_text();
    let tried = Try {
        email_key: &key,
        address: &address,
        browser: mark.as_deref().filter(|_| of_browser),
        known: of_network || of_browser,
        now: app.clock.now(),
    };
    let too_many = throttle::count(&mut tx, tried).await?;
    tx.save().await?;
    let (id, phc) = person.map(|person| (PersonId::from_uuid(person.person_id), person.phc)).unzip();
    if let Some(too_many) = too_many {
        return Err(throttled(app, too_many, id, context).await);
    }
    let right = app.hasher.verify(password, phc.flatten()).await?;
    let Some(person) = id.filter(|_| right) else {
        metrics::counter!("tillway_sign_ins_total", "outcome" => "refused").increment(1);
        tracing::info!(target: "audit", %address, "sign-in refused");
        return Err(refused());
    };
    let mut tx = SystemTx::begin(&app.db, SystemReason::SignIn).await?;
    throttle::forget(&mut tx, tried).await?;
    store::know_place(&mut tx, person, &marks.network, tried.now).await?;
    let memberships = store::memberships(&mut tx, person).await?;
    tx.save().await?;
    Ok((person, refs(memberships)))
}

/// Says that there were too many tries; the first of a window is worth a line.
async fn throttled(app: &App, too_many: TooMany, person: Option<PersonId>, context: &Context) -> ApiError {
    let address = network(context.address()).to_string();
    metrics::counter!("tillway_sign_ins_total", "outcome" => "throttled").increment(1);
    if too_many.first {
        let bound = match too_many.bound {
            Bound::Place => "place",
            Bound::Email => "email",
            Bound::Address => "address",
        };
        tracing::warn!(target: "audit", bound, address, known = person.is_some(), "sign-in throttled");
        if let Some(person) = person {
            // The refusal stands, whether or not it can be written down.
            let noted = account::note_everywhere(app, person, context, "account.sign_in_throttled").await;
            if let Err(error) = noted {
                tracing::warn!(error = error.message, "a throttled sign-in is missing from the record");
            }
        }
    }
    ApiError::rate_limit(
        "too many tries to sign in; wait, then try again, or set a new password by mail",
        too_many.seconds,
    )
}

fn refs(memberships: Vec<(Uuid, String)>) -> Vec<TenantRef> {
    memberships.into_iter().map(|(id, name)| TenantRef { id: TenantId::from_uuid(id), name }).collect()
}

/// Where a person belongs.
///
/// # Errors
/// Whatever the database met.
pub async fn tenants_of(app: &App, person: PersonId) -> ApiResult<Vec<TenantRef>> {
    let mut tx = SystemTx::begin(&app.db, SystemReason::SignIn).await?;
    Ok(refs(store::memberships(&mut tx, person).await?))
}

/// The e-mail of somebody who is signed in.
///
/// # Errors
/// Whatever the database met.
pub async fn email(app: &App, person: PersonId) -> ApiResult<String> {
    let mut tx = SystemTx::begin(&app.db, SystemReason::SignIn).await?;
    email_within(&mut tx, person).await
}

/// The same, for whoever has a transaction open: a second one beside it would wait for a connection that others wait with.
///
/// # Errors
/// Whatever the database met.
pub async fn email_within(tx: &mut SystemTx, person: PersonId) -> ApiResult<String> {
    store::email_of(tx, person).await?.ok_or_else(|| ApiError::not_found("person"))
}

pub use super::page_sessions::{PageSession, page_caller};
pub use super::rules::email_key;

/// Exchanges a refresh token, which works once, for the next pair.
///
/// # Errors
/// AUTHN; a token that comes twice ends its session.
pub async fn refresh(app: &App, token: &str) -> ApiResult<Tokens> {
    sessions::carry_on(app, token).await
}

/// Ends the caller's session at once.
///
/// # Errors
/// Whatever the database met.
pub async fn logout(app: &App, caller: &Caller) -> ApiResult<()> {
    sessions::end(app, caller).await
}

/// Who the caller is.
///
/// # Errors
/// Whatever the database met.
pub async fn me(app: &App, caller: &Caller) -> ApiResult<Me> {
    let mut tx = SystemTx::begin(&app.db, SystemReason::SignIn).await?;
    let email = store::email_of(&mut tx, caller.person).await?;
    drop(tx);
    let mut tx = TenantTx::begin(&app.db, caller.tenant).await?;
    let name = tenants::service::name(&mut tx).await?;
    Ok(Me {
        person_id: caller.person,
        email: email.ok_or_else(|| ApiError::not_found("person"))?,
        tenant: TenantRef { id: caller.tenant, name: name.ok_or_else(|| ApiError::not_found("tenant"))? },
        session_id: caller.session,
    })
}

/// The person behind an e-mail; made if there is none. One who is known must give the right password.
///
/// # Errors
/// VALIDATION for an e-mail or password that will not do; CONFLICT for the wrong password of a known person.
pub async fn ensure_person(app: &App, email: &str, password: &str) -> ApiResult<PersonId> {
    let key = email_key(email);
    let key = key.ok_or_else(|| ApiError::field("email", "not an e-mail address such as owner@example.com"))?;
    let known = {
        let mut tx = SystemTx::begin(&app.db, SystemReason::CreateTenant).await?;
        store::person_by_email(&mut tx, &key).await?
    };
    if let Some(known) = known {
        if app.hasher.verify(password, known.phc).await? {
            return Ok(PersonId::from_uuid(known.person_id));
        }
        return Err(ApiError::conflict("a person with this e-mail exists and has another password: give that one"));
    }
    let phc = app.hasher.hash_for(password, &[email]).await?;
    let now = app.clock.now();
    let person = PersonId::from_uuid(rng::id(now));
    let mut tx = SystemTx::begin(&app.db, SystemReason::CreateTenant).await?;
    store::insert_person(&mut tx, person, email.trim(), &key, &phc, now).await?;
    tx.save().await?;
    Ok(person)
}

/// Who an e-mail and a password prove somebody to be, throttled like a sign-in, without signing them in.
///
/// # Errors
/// AUTHN; RATE_LIMIT.
pub async fn who_is(app: &App, email: &str, password: &str, context: &Context) -> ApiResult<PersonId> {
    Ok(prove(app, email, password, context, None).await?.0)
}

/// A new person, who chose this password; `about` are words that a guesser would begin with.
///
/// # Errors
/// VALIDATION for a password that may not be chosen; CONFLICT if somebody took the e-mail a moment ago.
pub async fn make_person(
    app: &App,
    email: &str,
    name: Option<&str>,
    password: &str,
    about: &[&str],
) -> ApiResult<PersonId> {
    let key = email_key(email);
    let key = key.ok_or_else(|| ApiError::field("email", "not an e-mail address such as owner@example.com"))?;
    let phc = app.hasher.hash_for(password, about).await?;
    let now = app.clock.now();
    let person = PersonId::from_uuid(rng::id(now));
    let mut tx = SystemTx::begin(&app.db, SystemReason::Account).await?;
    store::insert_person(&mut tx, person, email.trim(), &key, &phc, now).await?;
    account::name_newcomer(&mut tx, person, name).await?;
    tx.save().await?;
    Ok(person)
}

/// Who has this e-mail; none also for what is no e-mail.
///
/// # Errors
/// Whatever the statement met.
pub async fn person_of_email(tx: &mut SystemTx, email: &str) -> Result<Option<PersonId>, DbError> {
    let Some(key) = email_key(email) else { return Ok(None) };
    Ok(store::person_by_email(tx, &key).await?.map(|person| PersonId::from_uuid(person.person_id)))
}

/// Makes a person a member of the transaction's tenant; what they may is given by roles.
///
/// # Errors
/// Whatever the statement met.
pub async fn add_member(tx: &mut TenantTx, person: PersonId, now: Timestamp) -> Result<(), DbError> {
    store::insert_member(tx, person, now).await
}

/// The person behind an e-mail that was proved, or a new one with the password of this hash. Who is known keeps their own.
///
/// # Errors
/// VALIDATION for what is no e-mail; whatever the statements met.
pub async fn person_with_hash(app: &App, email: &str, name: &str, phc: Option<&str>) -> ApiResult<PersonId> {
    let key = email_key(email).ok_or_else(|| ApiError::field("email", "not an e-mail address"))?;
    let mut tx = SystemTx::begin(&app.db, SystemReason::Register).await?;
    if let Some(known) = store::person_by_email(&mut tx, &key).await? {
        return Ok(PersonId::from_uuid(known.person_id));
    }
    let phc = phc.ok_or_else(|| ApiError::internal("a registration without a password"))?;
    let now = app.clock.now();
    let person = PersonId::from_uuid(rng::id(now));
    store::insert_person(&mut tx, person, email.trim(), &key, phc, now).await?;
    store::name_person(&mut tx, person, name).await?;
    tx.save().await?;
    Ok(person)
}

/// Makes a person a member of the transaction's tenant with a role, or gives a member that role.
///
/// # Errors
/// Whatever the statements met.
pub async fn add_with_role(tx: &mut TenantTx, person: PersonId, role: BuiltIn, now: Timestamp) -> Result<(), DbError> {
    store::ensure_member(tx, person, now).await?;
    roles::service::assign(tx, &Assignment { person, role: Role::BuiltIn(role), at: At::Tenant }, None, now).await
}

/// Begins the session of a guest, whom the transaction's tenant let in until `ends`. Answers the text of its cookie.
///
/// # Errors
/// Whatever the statement met.
pub async fn begin_guest(
    tx: &mut TenantTx,
    person: PersonId,
    impersonation: Uuid,
    ends: Timestamp,
    context: &Context,
    now: Timestamp,
) -> Result<String, DbError> {
    let key = rules::PageKey::new(tx.tenant(), rng::bytes());
    let (address, agent) = (context.address().to_string(), context.agent());
    let guest =
        store::Guest { session: rng::id(now), person, impersonation, hash: key.hash(), address, agent, ends, now };
    store::insert_guest(tx, &guest).await?;
    Ok(key.text())
}

/// Makes a person an owner of the transaction's tenant.
///
/// # Errors
/// Whatever the statement met.
pub async fn add_owner(tx: &mut TenantTx, person: PersonId, now: Timestamp) -> Result<(), DbError> {
    add_member(tx, person, now).await?;
    let owner = Assignment { person, role: Role::BuiltIn(BuiltIn::Owner), at: At::Tenant };
    roles::service::assign(tx, &owner, None, now).await
}

/// Removes sessions that ended or expired before `before`; answers how many.
///
/// # Errors
/// Whatever the statement met.
pub async fn prune(tx: &mut TenantTx, before: Timestamp) -> Result<u64, DbError> {
    store::prune_sessions(tx, before).await
}

/// Forgets browsers and networks that nobody used since `before`, and links that ended before it.
///
/// # Errors
/// Whatever the statement met.
pub async fn prune_places(tx: &mut SystemTx, before: Timestamp) -> Result<u64, DbError> {
    account::prune_links(tx, before).await?;
    store::prune_places(tx, before).await
}
