//! Who somebody is: their name and their e-mail, for themselves and for the members of their tenants.

use std::collections::HashMap;

use protocol::id::PersonId;
use serde_json::json;
use uuid::Uuid;

use super::store;
use super::types::{Account, AccountPatch};
use crate::app::App;
use crate::auth::guard::Caller;
use crate::db::{DbError, SystemReason, SystemTx};
use crate::domain::audit::{self, Entry};
use crate::domain::tenants;
use crate::http::{ApiError, ApiResult};

/// Longest name, in characters.
pub const NAME_CHARS: usize = 120;

/// A person as others of their tenant see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// Their e-mail.
    pub email: String,
    /// Their name, if they gave one.
    pub name: Option<String>,
}

impl Who {
    /// The name, or the e-mail where there is none.
    pub fn shown(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.email)
    }
}

/// Who these people are. Only for people that a tenant is known to have: e-mails are nobody else's business.
///
/// # Errors
/// Whatever the database met.
pub async fn who(app: &App, people: &[PersonId]) -> Result<HashMap<PersonId, Who>, DbError> {
    if people.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = people.iter().map(|person| person.as_uuid()).collect();
    let mut tx = SystemTx::begin(&app.db, SystemReason::Account).await?;
    let found = store::profiles(&mut tx, &ids).await?;
    let who = |row: store::Profile| (PersonId::from_uuid(row.person_id), Who { email: row.email, name: row.name });
    Ok(found.into_iter().map(who).collect())
}

/// The caller's own account.
///
/// # Errors
/// Whatever the database met.
pub async fn account(app: &App, caller: &Caller) -> ApiResult<Account> {
    let who = who(app, &[caller.person]).await?.remove(&caller.person);
    let who = who.ok_or_else(|| ApiError::not_found("person"))?;
    let mut tx = caller.begin(app).await?;
    let tenant = tenants::service::name(&mut tx).await?.ok_or_else(|| ApiError::not_found("tenant"))?;
    Ok(Account::new(caller.person, (who.email, who.name), (caller.tenant, tenant), caller.session))
}

/// A name as it is kept: trimmed; none when nothing is left.
///
/// # Errors
/// VALIDATION for one that is too long or has control characters.
pub fn tidy_name(name: &str) -> ApiResult<Option<String>> {
    let name = name.trim();
    if name.chars().count() > NAME_CHARS || name.chars().any(char::is_control) {
        return Err(ApiError::field("name", format!("give 1 to {NAME_CHARS} characters on one line")));
    }
    Ok(Some(name.to_owned()).filter(|name| !name.is_empty()))
}

/// Changes the caller's name.
///
/// # Errors
/// VALIDATION; whatever the database met.
pub async fn rename(app: &App, caller: &Caller, patch: &AccountPatch) -> ApiResult<Account> {
    let name = patch.name.as_deref().map(tidy_name).transpose()?.flatten();
    let mut tx = caller.begin(app).await?;
    let entry = Entry::new("account.renamed", "person", caller.person).diff(json!({ "has_name": name.is_some() }));
    audit::service::record(&mut tx, caller, &entry, app.clock.now()).await?;
    let mut own = SystemTx::begin(&app.db, SystemReason::Account).await?;
    if !store::rename(&mut own, caller.person, name.as_deref()).await? {
        return Err(ApiError::not_found("person"));
    }
    own.save().await?;
    tx.save().await?;
    account(app, caller).await
}
