//! What a company says of itself: its name, what stands above its pages, colour, logo, locale.

use protocol::timestamp::Timestamp;
use serde_json::{Map, Value};

use super::store::{self, Words};
use super::types::{Company, CompanyPatch};
use super::{rules, service};
use crate::auth::policy;
use crate::db::TenantTx;
use crate::domain::audit::Entry;
use crate::http::{ApiError, ApiResult, IfMatch};

fn usual() -> Words {
    Words { display_name: None, accent: None, locale: rules::LOCALE.to_owned(), logo: false, version: 1 }
}

/// The transaction's company.
///
/// # Errors
/// NOT_FOUND.
pub async fn get(tx: &mut TenantTx) -> ApiResult<Company> {
    let account = service::account(tx).await?;
    let Words { display_name, accent, locale, logo, version } = store::words(tx).await?.unwrap_or_else(usual);
    let (id, state) = (tx.tenant(), account.state());
    let suspended_reason = account.suspended_reason;
    let (name, closes_at) = (account.name, account.closes_at);
    Ok(Company { id, name, display_name, accent, locale, logo, state, suspended_reason, closes_at, version })
}

/// Changes the transaction's company, if it is still as it was `seen`. Answers it, and the line for the record.
///
/// # Errors
/// VALIDATION naming the field; CONFLICT (412) when somebody else changed it.
pub async fn update(
    tx: &mut TenantTx,
    seen: &IfMatch,
    patch: CompanyPatch,
    now: Timestamp,
) -> ApiResult<(Company, Entry)> {
    // The account's row is the lock of both.
    store::account(tx, true).await?.ok_or_else(|| ApiError::not_found("tenant"))?;
    let before = get(tx).await?;
    seen.check(before.version)?;
    let mut words = store::words(tx).await?.unwrap_or_else(usual);
    let mut diff = Map::new();
    if let Some(name) = patch.name {
        let name = rules::name(&name).map_err(|why| ApiError::field("name", why))?;
        if name != before.name {
            store::rename(tx, &name).await?;
            note(&mut diff, "name", Some(before.name), Some(name));
        }
    }
    if let Some(text) = patch.display_name {
        words.display_name = rules::display_name(&text).map_err(|why| ApiError::field("display_name", why))?;
        note(&mut diff, "display_name", before.display_name, words.display_name.clone());
    }
    if let Some(text) = patch.accent {
        words.accent = rules::accent(&text).map_err(|why| ApiError::field("accent", why))?;
        note(&mut diff, "accent", before.accent, words.accent.clone());
    }
    if let Some(text) = patch.locale {
        words.locale = rules::locale(&text).map_err(|why| ApiError::field("locale", why))?;
        note(&mut diff, "locale", Some(before.locale), Some(words.locale.clone()));
    }
    words.version += 1;
    store::set_words(tx, &words, now).await?;
    // The version under which processes remember what stands around the pages.
    policy::bump(tx).await?;
    let entry = Entry::new("company.changed", "tenant", tx.tenant()).diff(Value::Object(diff));
    Ok((get(tx).await?, entry))
}

fn note(diff: &mut Map<String, Value>, field: &str, from: Option<String>, to: Option<String>) {
    if from != to {
        diff.insert(field.to_owned(), serde_json::json!([from, to]));
    }
}

/// Puts a logo (PNG), or takes it away.
///
/// # Errors
/// VALIDATION for what is no small PNG.
pub async fn set_logo(tx: &mut TenantTx, logo: Option<&[u8]>, now: Timestamp) -> ApiResult<Entry> {
    if let Some(bytes) = logo {
        rules::logo(bytes).map_err(|why| ApiError::field("logo", why))?;
    }
    store::account(tx, true).await?.ok_or_else(|| ApiError::not_found("tenant"))?;
    let mut words = store::words(tx).await?.unwrap_or_else(usual);
    words.version += 1;
    store::set_words(tx, &words, now).await?;
    store::set_logo(tx, logo).await?;
    policy::bump(tx).await?;
    let bytes = logo.map(<[u8]>::len);
    Ok(Entry::new("company.logo", "tenant", tx.tenant()).diff(serde_json::json!({ "bytes": bytes })))
}

/// The logo.
///
/// # Errors
/// NOT_FOUND.
pub async fn logo(tx: &mut TenantTx) -> ApiResult<Vec<u8>> {
    store::logo(tx).await?.ok_or_else(|| ApiError::not_found("logo"))
}
