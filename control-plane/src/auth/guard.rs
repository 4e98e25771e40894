//! The guard: a handler that names [`Caller`] in its signature runs only for somebody who is signed in; one that names
//! [`Can`] only for somebody who holds that permission, and its transaction sees no more than they may. An ended session is
//! refused at once, and so is what was revoked.

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use protocol::id::{PersonId, ShopId, TenantId};
use protocol::timestamp::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::keys;
use super::policy::cache::Principal;
use super::policy::{Level, Module, PLATFORM_TENANT, Permission, Policy, Right, Scope, Weight};
use crate::app::App;
use crate::db::{Bounds, SessionState, TenantTx};
use crate::http::context::Context;
use crate::http::{ApiError, ApiResult};

/// How long a step-up is good, in milliseconds.
pub const STEP_UP_MILLIS: i64 = 10 * 60 * 1_000;

/// As what somebody asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// A member of the tenant.
    Session,
    /// A key of a program; it acts for who made it.
    Key,
    /// An operator whom the tenant let in.
    Guest {
        /// Which permission to look in.
        impersonation: Uuid,
        /// Whether they may change things.
        writes: bool,
    },
}

impl Via {
    /// Its name in the record of what was done.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Key => "key",
            Self::Guest { .. } => "guest",
        }
    }
}

/// Who asks, and for which tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The tenant of the token; never one from a path or body.
    pub tenant: TenantId,
    /// The person. For a key: who made it. For a guest: the operator.
    pub person: PersonId,
    /// Their session, or the key.
    pub session: Uuid,
    /// As what.
    pub via: Via,
    /// The request, as the log and the record of what was done name it; nil where there is none.
    pub request: Uuid,
    /// Whether the tenant is suspended: then it may look and not change.
    pub suspended: bool,
    /// Whether the session was proved by a second factor.
    pub mfa: bool,
    /// When the person last proved themselves in this session.
    pub stepped_up_at: Option<Timestamp>,
}

/// A caller with what they may do.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Who.
    pub caller: Caller,
    /// The tenant's policy version now.
    pub version: i64,
}

impl Caller {
    /// Somebody, as far as tests and commands go: a member without second factor who has just signed in.
    pub const fn member(tenant: TenantId, person: PersonId, session: Uuid) -> Self {
        let (via, request) = (Via::Session, Uuid::nil());
        Self { tenant, person, session, via, request, suspended: false, mfa: false, stepped_up_at: None }
    }

    /// Whether they may change nothing, whatever their roles say.
    pub const fn read_only(&self) -> bool {
        self.suspended || matches!(self.via, Via::Guest { writes: false, .. })
    }

    /// Whether they proved themselves a moment ago.
    pub fn stepped_up(&self, now: Timestamp) -> bool {
        self.stepped_up_at.is_some_and(|at| now.millis_since(at) < STEP_UP_MILLIS)
    }

    /// A transaction about what is the caller's own.
    ///
    /// # Errors
    /// Whatever the database met.
    pub async fn begin(&self, app: &App) -> ApiResult<TenantTx> {
        Ok(TenantTx::begin(&app.db, self.tenant).await?)
    }

    /// Whose policy to ask.
    const fn principal(&self) -> Principal {
        match self.via {
            Via::Session => Principal::Person(self.person),
            Via::Key => Principal::Key { key: self.session, maker: self.person },
            Via::Guest { writes, .. } => Principal::Guest { writes },
        }
    }
}

impl Standing {
    /// What a session that stands proves.
    pub fn of(tenant: TenantId, session: Uuid, state: &SessionState) -> Self {
        let via =
            state.impersonation.map_or(Via::Session, |id| Via::Guest { impersonation: id, writes: state.guest_writes });
        let caller = Caller {
            tenant,
            person: state.person,
            session,
            via,
            request: Uuid::nil(),
            suspended: state.suspended,
            mfa: state.mfa_at.is_some(),
            stepped_up_at: state.stepped_up_at,
        };
        Self { caller, version: state.policy_version }
    }

    /// What they may do.
    ///
    /// # Errors
    /// Whatever the database met.
    pub async fn policy(&self, app: &App) -> ApiResult<Arc<Policy>> {
        Ok(app.policies.of(&app.db, self.caller.tenant, self.caller.principal(), self.version).await?)
    }
}

/// Why somebody may not do what they ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// They do not hold the permission.
    Permission,
    /// A role of theirs asks for a second factor, and the session has none.
    MfaRequired,
    /// The permission wants them to prove themselves again.
    StepUpRequired,
    /// The tenant is suspended.
    Suspended,
    /// They were let in to look.
    ReadOnly,
}

impl Refusal {
    /// Its name for a program.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Permission => "permission",
            Self::MfaRequired => "mfa_required",
            Self::StepUpRequired => "step_up_required",
            Self::Suspended => "suspended",
            Self::ReadOnly => "read_only",
        }
    }

    fn says(self, permission: Permission) -> String {
        match self {
            Self::Permission => {
                let does = permission.describe().to_lowercase();
                format!("you may not {does}: ask an owner of the company for the permission {permission}")
            }
            Self::MfaRequired => "your role asks for a second factor: set one up under your security settings, then go on".to_owned(),
            Self::StepUpRequired => {
                "confirm that it is you: give your password or second factor again (POST /v1/auth/step-up), then repeat this".to_owned()
            }
            Self::Suspended => "the company's account is suspended: everything can be read, nothing changed".to_owned(),
            Self::ReadOnly => "you were let in to look, not to change anything".to_owned(),
        }
    }

    /// As an answer to somebody of a tenant: what belongs to the platform does not exist for others.
    pub fn told_to(self, tenant: TenantId, permission: Permission) -> ApiError {
        let hidden = permission.module() == Module::Platform && tenant != PLATFORM_TENANT;
        if hidden { ApiError::not_found("thing") } else { self.error(permission) }
    }

    /// As an answer of the API.
    pub fn error(self, permission: Permission) -> ApiError {
        ApiError::authz(self.says(permission)).with(json!({ "reason": self.name(), "permission": permission.name() }))
    }
}

/// Whether a caller may use a permission now, and for which shops.
///
/// # Errors
/// The [`Refusal`], with a line in the log: who is refused what is worth knowing.
pub fn decide(caller: &Caller, policy: &Policy, permission: Permission, now: Timestamp) -> Result<Scope, Refusal> {
    let decided = judge(caller, policy, permission, now);
    if let Err(refusal) = &decided {
        let (tenant, person) = (caller.tenant, caller.person);
        metrics::counter!("tillway_refusals_total", "reason" => refusal.name()).increment(1);
        tracing::info!(target: "audit", %tenant, %person, %permission, reason = refusal.name(), "refused");
    }
    decided
}

fn judge(caller: &Caller, policy: &Policy, permission: Permission, now: Timestamp) -> Result<Scope, Refusal> {
    if policy.wants_mfa() && !caller.mfa {
        return Err(Refusal::MfaRequired);
    }
    let scope = policy.scope(permission).ok_or(Refusal::Permission)?;
    if permission.level() == Level::Write && caller.read_only() {
        return Err(if caller.suspended { Refusal::Suspended } else { Refusal::ReadOnly });
    }
    match permission.weight() {
        Weight::Plain | Weight::Money => Ok(scope),
        Weight::Sensitive if caller.stepped_up(now) => Ok(scope),
        Weight::Sensitive => Err(Refusal::StepUpRequired),
    }
}

/// Somebody who holds the permission `R`: the right to act, in the signature of the handler.
#[derive(Debug)]
pub struct Can<R> {
    caller: Caller,
    scope: Scope,
    policy: Arc<Policy>,
    right: PhantomData<R>,
}

// By hand: a right is a type, not a value that would have to be copied.
impl<R> Clone for Can<R> {
    fn clone(&self) -> Self {
        let (caller, scope, policy) = (self.caller, self.scope.clone(), Arc::clone(&self.policy));
        Self { caller, scope, policy, right: PhantomData }
    }
}

impl<R> Deref for Can<R> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl<R: Right> Can<R> {
    /// Decides about a caller whose policy is at hand: what the guards do.
    ///
    /// # Errors
    /// The [`Refusal`].
    pub fn decide(caller: Caller, policy: &Arc<Policy>, now: Timestamp) -> Result<Self, Refusal> {
        let scope = decide(&caller, policy, R::PERMISSION, now)?;
        Ok(Self { caller, scope, policy: Arc::clone(policy), right: PhantomData })
    }

    /// For which shops.
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// All that they may.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// A transaction that sees the shops of the permission's scope and no other, and changes nothing for those who may only
    /// look.
    ///
    /// # Errors
    /// Whatever the database met.
    pub async fn begin(&self, app: &App) -> ApiResult<TenantTx> {
        Ok(TenantTx::begin_within(&app.db, self.caller.tenant, &self.bounds()).await?)
    }

    /// That a shop is in their scope; what they may not see does not exist.
    ///
    /// # Errors
    /// NOT_FOUND.
    pub fn shop(&self, shop: ShopId) -> ApiResult<ShopId> {
        if self.scope.includes(shop) { Ok(shop) } else { Err(ApiError::not_found("shop")) }
    }
}

/// Somebody who acts, with the bounds of their transactions.
pub trait Acts {
    /// Who.
    fn caller(&self) -> &Caller;
    /// Their bounds.
    fn bounds(&self) -> Bounds<'_>;
}

impl Acts for Caller {
    fn caller(&self) -> &Caller {
        self
    }

    fn bounds(&self) -> Bounds<'_> {
        Bounds::default()
    }
}

impl<R: Right> Acts for Can<R> {
    fn caller(&self) -> &Caller {
        &self.caller
    }

    fn bounds(&self) -> Bounds<'_> {
        let shops = match &self.scope {
            Scope::Everywhere => None,
            Scope::Shops(shops) => Some(&**shops),
        };
        Bounds { shops, read_only: self.caller.read_only() }
    }
}

/// Who carries the token of a request.
pub(crate) async fn authenticate(parts: &Parts, app: &App) -> ApiResult<Standing> {
    let value = parts.headers.get(header::AUTHORIZATION);
    let value = value.ok_or_else(|| ApiError::authn("sign in and send the header Authorization: Bearer TOKEN"))?;
    let token = value.to_str().ok().and_then(bearer);
    let token = token.ok_or_else(|| ApiError::authn("the header Authorization is not like Bearer TOKEN"))?;
    let now = app.clock.now();
    let ended = || ApiError::authn("the session has ended: sign in again");
    let mut standing = if token.starts_with(keys::PREFIX) {
        let found = keys::standing(app, token).await?;
        found.ok_or_else(|| ApiError::authn("the key does not exist, has ended or has expired: make a new one"))?
    } else {
        let access = app.keys.verify(&app.db, token, now).await.map_err(|error| ApiError::authn(error.to_string()))?;
        let found = app.db.session_state(access.tenant, access.session, now).await?;
        let standing = found.map(|state| Standing::of(access.tenant, access.session, &state)).ok_or_else(ended)?;
        if standing.caller.person != access.person {
            return Err(ended());
        }
        standing
    };
    admit(parts, app, &mut standing)?;
    Ok(standing)
}

/// Notes who asks, and that their tenant does not ask too often.
pub(crate) fn admit(parts: &Parts, app: &App, standing: &mut Standing) -> ApiResult<()> {
    if let Some(context) = parts.extensions.get::<Context>() {
        standing.caller.request = context.id();
        context.set_caller(standing.caller);
    }
    app.gates.tenant(standing.caller.tenant)
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        let caller = authenticate(parts, app).await?.caller;
        match caller.via {
            Via::Session => Ok(caller),
            // What is a person's own is nobody else's business.
            Via::Key => Err(ApiError::authz("a key cannot do that: it is a person's own; sign in")),
            Via::Guest { .. } => Err(ApiError::authz("a guest has nothing of their own here")),
        }
    }
}

impl<R: Right> FromRequestParts<App> for Can<R> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        let standing = authenticate(parts, app).await?;
        let policy = standing.policy(app).await?;
        let tenant = standing.caller.tenant;
        let refused = |refusal: Refusal| refusal.told_to(tenant, R::PERMISSION);
        Self::decide(standing.caller, &policy, app.clock.now()).map_err(refused)
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
