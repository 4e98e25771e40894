//! Changes by a person who has looked at a product: made only if it still stands as they saw it, so that two people
//! at two desks never undo each other unseen. Imports and the API say what is wanted whatever there was: `service`.

use protocol::collection::Collection;
use protocol::id::TenantId;

use super::service::{By, CatalogError, change, lock, one, remove};
use super::types::{ProductView, Wanted};
use crate::app::App;
use crate::db::TenantTx;

/// Why a product was not changed by a person who had looked at it.
#[derive(Debug)]
pub enum Edit {
    /// It is as said now; the catalogue version that holds it, and whether anything became different.
    Done(u64, bool),
    /// Somebody was faster: the product as it stands. Nothing was changed.
    Moved(Box<ProductView>),
    /// It is there already (a new product), with this version.
    Taken(u64),
    /// It is not sold.
    Gone,
}

/// Makes a product as wanted if it stands as the person saw it: `seen` is the version they looked at, none for a
/// product that is to be new. The nodes are told after the commit.
///
/// # Errors
/// As [`change`].
pub async fn edit(
    app: &App,
    tenant: TenantId,
    by: By,
    wanted: Wanted,
    seen: Option<u64>,
) -> Result<Edit, CatalogError> {
    let mut tx = TenantTx::begin(&app.db, tenant).await?;
    // Locked before it is looked at, so that what the person saw is what is changed.
    lock(&mut tx, by.at).await?;
    match (one(&mut tx, &wanted.code).await?, seen) {
        (None, Some(_)) => return Ok(Edit::Gone),
        (Some(found), None) => return Ok(Edit::Taken(found.version)),
        (Some(found), Some(seen)) if found.version != seen => return Ok(Edit::Moved(Box::new(found))),
        (Some(_), Some(_)) | (None, None) => {}
    }
    let done = change(&mut tx, by, std::slice::from_ref(&wanted)).await?;
    tx.save().await?;
    let changed = !done.changes.is_empty();
    if changed {
        app.hint(tenant, Collection::Catalogue);
    }
    Ok(Edit::Done(done.version, changed))
}

/// Takes a product out of sale if it stands as the person saw it.
///
/// # Errors
/// Whatever the database met.
pub async fn withdraw(app: &App, tenant: TenantId, by: By, code: &str, seen: u64) -> Result<Edit, CatalogError> {
    let mut tx = TenantTx::begin(&app.db, tenant).await?;
    lock(&mut tx, by.at).await?;
    match one(&mut tx, code).await? {
        None => return Ok(Edit::Gone),
        Some(found) if found.version != seen => return Ok(Edit::Moved(Box::new(found))),
        Some(_) => {}
    }
    let Some(version) = remove(&mut tx, by, code).await? else { return Ok(Edit::Gone) };
    tx.save().await?;
    app.hint(tenant, Collection::Catalogue);
    Ok(Edit::Done(version, true))
}
