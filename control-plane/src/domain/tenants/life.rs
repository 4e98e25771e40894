//! Suspending a company's account, lifting that, closing it after thirty days in which that can be undone. Each answers the
//! line for the record; whoever calls writes it, in the same transaction, with who did it.

use protocol::timestamp::Timestamp;
use serde_json::json;

use super::rules::{self, Change, GRACE_DAYS, REASON_CHARS};
use super::types::Account;
use super::{jobs, store};
use crate::app::App;
use crate::auth::policy::{self, PLATFORM_TENANT};
use crate::clock::{timestamp, utc};
use crate::db::TenantTx;
use crate::domain::audit::Entry;
use crate::domain::fleet;
use crate::domain::notifications::{self, Kind, Notice, Template, To};
use crate::http::{ApiError, ApiResult};

const DAY_MILLIS: i64 = 24 * 3_600 * 1_000;

/// The account, locked, if the change fits it.
async fn fit(tx: &mut TenantTx, change: Change) -> ApiResult<Account> {
    if tx.tenant() == PLATFORM_TENANT {
        // Without its operators nobody could undo it.
        return Err(ApiError::not_found("tenant"));
    }
    let account = store::account(tx, true).await?.ok_or_else(|| ApiError::not_found("tenant"))?;
    rules::may(&account, change).map_err(ApiError::conflict)?;
    Ok(account)
}

async fn keep(tx: &mut TenantTx, account: &Account, now: Timestamp) -> ApiResult<()> {
    store::set_account(tx, account, now).await?;
    Ok(policy::bump(tx).await?)
}

/// A reason that people will read.
///
/// # Errors
/// VALIDATION.
pub fn reason(text: &str) -> ApiResult<String> {
    rules::line(text, REASON_CHARS).map_err(|why| ApiError::field("reason", why))
}

/// Tells every owner, by mail and in the app.
async fn tell(app: &App, tx: &mut TenantTx, letter: &Template, notice: &Notice, now: Timestamp) -> ApiResult<()> {
    for owner in store::owners(tx).await? {
        notifications::service::mail(app, tx, &To::person(owner), letter).await?;
        notifications::service::tell_here(tx, owner, notice, now).await?;
    }
    Ok(())
}

/// Suspends the transaction's tenant: its people look and change nothing, its shops go on selling.
///
/// # Errors
/// VALIDATION for the reason; CONFLICT when it is suspended or closed.
pub async fn suspend(app: &App, tx: &mut TenantTx, why: &str, now: Timestamp) -> ApiResult<Entry> {
    let why = reason(why)?;
    let mut account = fit(tx, Change::Suspend).await?;
    account.suspended_at = Some(utc(now));
    account.suspended_reason = Some(why.clone());
    keep(tx, &account, now).await?;
    let letter = Template::TenantSuspended { tenant: account.name.clone(), reason: why.clone() };
    let notice = Notice::new(Kind::Tenant, "The account is suspended", format!("The reason: {why}")).at("/settings");
    tell(app, tx, &letter, &notice, now).await?;
    Ok(Entry::new("company.suspended", "tenant", tx.tenant()).diff(json!({ "reason": why })))
}

/// Lets the people of the transaction's tenant work again.
///
/// # Errors
/// CONFLICT when it is not suspended.
pub async fn resume(app: &App, tx: &mut TenantTx, now: Timestamp) -> ApiResult<Entry> {
    let mut account = fit(tx, Change::Resume).await?;
    account.suspended_at = None;
    account.suspended_reason = None;
    keep(tx, &account, now).await?;
    let letter =
        Template::TenantResumed { tenant: account.name.clone(), link: format!("{}/sign-in", app.public_url()) };
    let notice = Notice::new(Kind::Tenant, "The account is no longer suspended", "Everybody can work as before.");
    tell(app, tx, &letter, &notice, now).await?;
    Ok(Entry::new("company.resumed", "tenant", tx.tenant()))
}

/// Closes the transaction's tenant in thirty days; until then everything goes on, and it can be undone.
///
/// # Errors
/// CONFLICT when it is to be closed already, or is.
pub async fn begin_closing(tx: &mut TenantTx, now: Timestamp) -> ApiResult<Entry> {
    let mut account = fit(tx, Change::BeginClosing).await?;
    let at = now.plus_millis(GRACE_DAYS * DAY_MILLIS);
    account.closes_at = Some(utc(at));
    keep(tx, &account, now).await?;
    jobs::close_at(tx, at, now).await?;
    let day = utc(at).date();
    let body = format!("{} will be closed on {day}. Until then an owner can keep it, under Settings.", account.name);
    let notice = Notice::new(Kind::Tenant, "The account will be closed", body).at("/settings");
    for owner in store::owners(tx).await? {
        notifications::service::tell(tx, owner, &notice, now).await?;
    }
    Ok(Entry::new("company.closing", "tenant", tx.tenant()).diff(json!({ "closes_on": day.to_string() })))
}

/// Keeps a tenant that was to be closed.
///
/// # Errors
/// CONFLICT when nobody asked to close it.
pub async fn keep_open(tx: &mut TenantTx, now: Timestamp) -> ApiResult<Entry> {
    let mut account = fit(tx, Change::Keep).await?;
    account.closes_at = None;
    keep(tx, &account, now).await?;
    Ok(Entry::new("company.kept", "tenant", tx.tenant()))
}

/// Closes the transaction's tenant if its time has come: sessions and claims end, keys and boxes are refused from the
/// commit on. What it has is kept.
///
/// # Errors
/// Whatever the statements met.
pub async fn close_if_due(tx: &mut TenantTx, now: Timestamp) -> ApiResult<Option<Entry>> {
    let Some(mut account) = store::account(tx, true).await? else { return Ok(None) };
    let due = account.closes_at.map(timestamp).is_some_and(|at| at <= now);
    if !due || rules::may(&account, Change::Close).is_err() {
        // Kept in the meantime, or asked for again and due later.
        return Ok(None);
    }
    account.closed_at = Some(utc(now));
    keep(tx, &account, now).await?;
    let sessions = store::end_sessions(tx, now).await?;
    let claims = fleet::service::end_claims(tx, now).await?;
    let ended = json!({ "sessions_ended": sessions, "claims_ended": claims });
    Ok(Some(Entry::new("company.closed", "tenant", tx.tenant()).diff(ended)))
}
