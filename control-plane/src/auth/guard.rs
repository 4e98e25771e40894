//! The guard: a handler that names [`Caller`] in its signature runs only for somebody who is signed in, and
//! knows who. An ended session is refused at once.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use protocol::id::{PersonId, TenantId};
use uuid::Uuid;

use crate::app::App;
use crate::http::context::Context;
use crate::http::{ApiError, ApiResult};

/// Who asks, and for which tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The tenant of the token; never one from a path or body.
    pub tenant: TenantId,
    /// The person.
    pub person: PersonId,
    /// Their session.
    pub session: Uuid,
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> ApiResult<Self> {
        let value = parts.headers.get(header::AUTHORIZATION);
        let value = value.ok_or_else(|| ApiError::authn("sign in and send the header Authorization: Bearer TOKEN"))?;
        let token = value.to_str().ok().and_then(bearer);
        let token = token.ok_or_else(|| ApiError::authn("the header Authorization is not like Bearer TOKEN"))?;
        let now = app.clock.now();
        let access = app.keys.verify(&app.db, token, now).await.map_err(|error| ApiError::authn(error.to_string()))?;
        let standing = app.db.session_standing(access.tenant, access.session, now).await?;
        if standing != Some(access.person) {
            return Err(ApiError::authn("the session has ended: sign in again"));
        }
        let caller = Self { tenant: access.tenant, person: access.person, session: access.session };
        if let Some(context) = parts.extensions.get::<Context>() {
            context.set_caller(caller);
        }
        app.gates.tenant(caller.tenant)?;
        Ok(caller)
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
