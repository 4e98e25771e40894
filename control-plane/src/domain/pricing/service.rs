//! What can be done with prices, and what a node is sent to know them.

use protocol::collection::{CatalogueDelta, Collection, Delivery, Version};
use protocol::limits;
use protocol::price::UnitPrice;
use serde_json::json;

use super::store;
use super::types::{PriceChange, PriceView, Source};
use crate::app::App;
use crate::auth::guard::Caller;
use crate::db::{DbError, TenantTx};
use crate::domain::audit::{self, Entry};
use crate::domain::catalog::service::{self as catalog, By, CatalogError, Step};
use crate::domain::catalog::types::{Change, Wanted};
use crate::domain::fleet::NodeIdentity;
use crate::domain::{fleet, shops, staff};
use crate::http::IfMatch;

/// Codes that the record of what was done names; the price history has them all.
const CODES_NAMED: usize = 20;

/// Writes a revision of the catalogue down, in the transaction of the change.
///
/// # Errors
/// Whatever the database met.
pub async fn revise(tx: &mut TenantTx, by: By, version: i64, changes: &[Change]) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    let changed = i32::try_from(changes.len()).unwrap_or(i32::MAX);
    store::revise(tx.conn(), tenant, version, by, changed).await?;
    store::price_changes(tx.conn(), tenant, version, changes).await?;
    let named: Vec<&str> = changes.iter().take(CODES_NAMED).map(|change| change.code.as_str()).collect();
    let diff = json!({ "by": by.source.name(), "changed": changed, "codes": named });
    audit::service::record(tx, by.actor, &Entry::new("catalog.changed", "catalogue", version).diff(diff), by.at).await
}

/// Writes down that a product was taken out of sale.
///
/// # Errors
/// Whatever the database met.
pub async fn revise_removal(tx: &mut TenantTx, by: By, version: i64, code: &str) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    store::revise(tx.conn(), tenant, version, by, 1).await?;
    let entry = Entry::new("catalog.removed", "catalogue", version).diff(json!({ "codes": [code] }));
    audit::service::record(tx, by.actor, &entry, by.at).await
}

/// Sets the price of a product that is sold and still as it was `seen`; its nodes are told at once. `None` if there
/// is no such product. The number beside the price is the product's version now.
///
/// # Errors
/// Whatever the database met.
pub async fn set_price(
    app: &App,
    caller: &Caller,
    code: &str,
    seen: &IfMatch,
    price: UnitPrice,
) -> Result<Option<(PriceView, u64)>, CatalogError> {
    let by = By::of(caller, Source::Price, app.clock.now());
    let mut tx = TenantTx::begin(&app.db, caller.tenant).await?;
    // Locked before it is looked at, so that a product taken out of sale meanwhile does not come back.
    catalog::lock(&mut tx, by.at).await?;
    let Some(before) = catalog::one(&mut tx, code).await? else { return Ok(None) };
    seen.check(before.version).map_err(CatalogError::Refused)?;
    let wanted = Wanted {
        code: code.to_owned(),
        description: None,
        unit_price_e4: Some(price.e4()),
        tax_rate_ppm: None,
        unit: None,
        barcodes: None,
    };
    let done = catalog::change(&mut tx, by, &[wanted]).await?;
    tx.save().await?;
    let changed = !done.changes.is_empty();
    if changed {
        app.hint(caller.tenant, Collection::Catalogue);
    }
    let version = if changed { done.version } else { before.version };
    Ok(Some((PriceView { code: code.to_owned(), unit_price: price, version: done.version, changed }, version)))
}

/// The last changes of a price, newest first, before a version (0: from the newest).
///
/// # Errors
/// Whatever the database met.
pub async fn history(tx: &mut TenantTx, code: &str, before: u64, limit: u32) -> Result<Vec<PriceChange>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let before = i64::try_from(before).ok().filter(|version| *version > 0).unwrap_or(i64::MAX);
    let limit = i64::from(limit.clamp(1, limits::PAGE_ROWS));
    Ok(store::history(tx.conn(), tenant, code, before, limit).await?)
}

/// At how many nodes a version of the catalogue has arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The version.
    pub version: u64,
    /// Nodes there are.
    pub nodes: usize,
    /// Nodes that said they hold it, or a later one.
    pub there: usize,
    /// Names of those that did not, at most [`REACH_NAMES`], with what they hold.
    pub behind: Vec<(String, Option<u64>)>,
}

/// Names of nodes that are told one by one.
pub const REACH_NAMES: usize = 8;

/// How far a version of the catalogue has come, by what the nodes say they hold.
///
/// # Errors
/// Whatever the database met.
pub async fn reach(tx: &mut TenantTx, version: u64) -> Result<Reach, DbError> {
    let nodes = fleet::service::standing(tx, None).await?.nodes;
    let held = |node: &fleet::NodeStanding| node.catalogue.map(|held| held.version);
    let behind: Vec<&fleet::NodeStanding> = nodes.iter().filter(|node| held(node).unwrap_or(0) < version).collect();
    Ok(Reach {
        version,
        nodes: nodes.len(),
        there: nodes.len() - behind.len(),
        behind: behind.iter().take(REACH_NAMES).map(|node| (node.row.name.clone(), held(node))).collect(),
    })
}

/// What a node needs of a collection to come from `have` to the present; `None` when it is current. A delta where
/// one leads there and is smaller than the whole, else the whole.
///
/// # Errors
/// Whatever the database met.
pub async fn downlink(
    app: &App,
    who: &NodeIdentity,
    collection: Collection,
    have: Version,
) -> Result<Option<Delivery>, DbError> {
    let mut tx = TenantTx::begin(&app.db, who.tenant).await?;
    // The node just said where it stands: that is how people learn to which shops a price has gone.
    if fleet::service::holds(&mut tx, who.node, collection, have, app.clock.now()).await? {
        tx.save().await?;
        tx = TenantTx::begin(&app.db, who.tenant).await?;
    }
    match collection {
        Collection::Catalogue => Ok(match catalog::step(&mut tx, have).await? {
            Step::Current => None,
            Step::Whole(catalogue) => Some(Delivery::Catalogue(catalogue)),
            Step::Changes { to, upserts, removals } => {
                Some(Delivery::CatalogueDelta(CatalogueDelta { from: have, to, upserts, removals }))
            }
        }),
        Collection::Shop => {
            let settings = shops::service::settings(&mut tx, who.shop).await?;
            Ok(settings.filter(|settings| settings.version != have).map(Delivery::Shop))
        }
        Collection::Staff => {
            let staff = staff::service::collection(&mut tx, &app.sealer, who.shop, have).await?;
            Ok(staff.map(Delivery::Staff))
        }
    }
}
