//! Sessions as their person sees them, and as an owner of the tenant does. What ends here is refused everywhere with the next
//! request: every request asks for its session.

use protocol::id::PersonId;
use uuid::Uuid;

use super::store::{self, Which};
use super::types::{Ended, Session};
use crate::app::App;
use crate::auth::guard::{Acts, Caller};
use crate::db::{DbError, TenantTx};
use crate::domain::audit::{self, Entry};
use crate::http::{ApiError, ApiResult};

/// Sessions that are shown, the last used first. Nobody has more by hand.
const MOST: i64 = 200;

/// A person's sessions in the transaction's tenant that stand, the last used first.
///
/// # Errors
/// Whatever the statement met.
pub async fn list(app: &App, tx: &mut TenantTx, person: PersonId, this: Uuid) -> Result<Vec<Session>, DbError> {
    let rows = store::sessions(tx, person, app.clock.now(), MOST).await?;
    let session = |row: store::SessionRow| Session {
        id: row.session_id,
        this: row.session_id == this,
        kind: if row.browser { "browser" } else { "api" },
        method: row.method,
        address: row.address,
        agent: row.user_agent,
        began_at: row.created_at,
        used_at: row.used_at,
        expires_at: row.expires_at,
    };
    Ok(rows.into_iter().map(session).collect())
}

/// Ends one of the caller's own sessions.
///
/// # Errors
/// NOT_FOUND, also for another person's.
pub async fn end_own(app: &App, caller: &Caller, session: Uuid) -> ApiResult<()> {
    let mut tx = caller.begin(app).await?;
    end(app, &mut tx, caller, (caller.person, Which::One(session)), "ended_by_person").await?;
    Ok(tx.save().await?)
}

/// Ends all of the caller's sessions in the tenant but the one that asks.
///
/// # Errors
/// Whatever the database met.
pub async fn end_others(app: &App, caller: &Caller) -> ApiResult<Ended> {
    let mut tx = caller.begin(app).await?;
    let ended = end(app, &mut tx, caller, (caller.person, Which::Others(caller.session)), "ended_by_person").await?;
    tx.save().await?;
    Ok(ended)
}

/// Ends one session of a member, or all of them, in the transaction of somebody who may.
///
/// # Errors
/// NOT_FOUND for one that is not that member's.
pub async fn end_of_member(
    app: &App,
    tx: &mut TenantTx,
    by: &impl Acts,
    person: PersonId,
    session: Option<Uuid>,
) -> ApiResult<Ended> {
    let which = session.map_or(Which::All, Which::One);
    end(app, tx, by.caller(), (person, which), "ended_by_company").await
}

/// Ends all sessions of somebody whose membership ends in this transaction.
///
/// # Errors
/// Whatever the statement met.
pub async fn end_with_membership(app: &App, tx: &mut TenantTx, person: PersonId) -> Result<u64, DbError> {
    store::end(tx, person, Which::All, "membership_ended", app.clock.now()).await
}

async fn end(
    app: &App,
    tx: &mut TenantTx,
    by: &Caller,
    (person, which): (PersonId, Which),
    reason: &'static str,
) -> ApiResult<Ended> {
    let now = app.clock.now();
    let ended = store::end(tx, person, which, reason, now).await?;
    if ended == 0 && matches!(which, Which::One(_)) {
        return Err(ApiError::not_found("session"));
    }
    let entry = Entry::new("sessions.ended", "person", person).diff(serde_json::json!({ "sessions_ended": ended }));
    audit::service::record(tx, by, &entry, now).await?;
    Ok(Ended { ended })
}
