//! What can be done with the catalogue. Every change goes through [`change`] or [`remove`]: the catalogue's row is
//! locked, the version rises by one if anything became different, and `pricing` writes the revision down.

use protocol::collection::{Catalogue, Collection, Product, Version};
use protocol::id::PersonId;
use protocol::limits;
use protocol::tax::TaxRate;
use protocol::timestamp::Timestamp;
use std::collections::{BTreeMap, HashMap};

pub use super::edits::{Edit, edit, withdraw};
use super::import::{self, FileError, Parsed};
use super::rules;
use super::store::{self, Head, Since};
use super::types::{Change, ImportReport, LineReport, Outcome, ProductPage, ProductView, Wanted};
use crate::app::App;
use crate::auth::guard::Caller;
use crate::db::{DbError, TenantTx};
use crate::domain::audit::Actor;
use crate::domain::pricing::service as pricing;
use crate::domain::pricing::types::Source;
use crate::http::ApiError;

/// Why a change of the catalogue was not made.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The database refused or could not be reached.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The file cannot be read as a whole.
    #[error(transparent)]
    File(#[from] FileError),
    /// More products than a catalogue may have.
    #[error("the catalogue would have {0} products; at most {max} are allowed: remove some first", max = limits::PRODUCTS)]
    TooMany(i64),
    /// It is not as whoever changes it has seen it.
    #[error("{}", .0.message)]
    Refused(ApiError),
    /// The worker that reads files ended.
    #[error("the file could not be read: {0}")]
    Worker(String),
}

/// Who changes what by which way, and when.
#[derive(Clone, Copy, Debug)]
pub struct By {
    /// The person.
    pub person: PersonId,
    /// The person as the record of what was done names them.
    pub actor: Actor,
    /// The way.
    pub source: Source,
    /// When.
    pub at: Timestamp,
}

impl By {
    /// A caller, by some way.
    pub fn of(caller: &Caller, source: Source, at: Timestamp) -> Self {
        Self { person: caller.person, actor: caller.into(), source, at }
    }
}

/// What a change came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The version that now holds.
    pub version: u64,
    /// What became different.
    pub changes: Vec<Change>,
}

/// Makes products as wanted, within the caller's transaction. Codes must differ from each other.
///
/// # Errors
/// [`CatalogError::TooMany`] if the catalogue would grow beyond [`limits::PRODUCTS`].
pub async fn change(tx: &mut TenantTx, by: By, wanted: &[Wanted]) -> Result<Changed, CatalogError> {
    let tenant = tx.tenant().as_uuid();
    let head = store::lock_head(tx.conn(), tenant, by.at).await.map_err(DbError::from)?;
    let version = head.version + 1;
    let changes = store::upsert(tx.conn(), tenant, version, by.at, wanted).await.map_err(DbError::from)?;
    if changes.is_empty() {
        return Ok(Changed { version: unsigned(head.version), changes });
    }
    let added = i64::try_from(changes.iter().filter(|change| change.old_e4.is_none()).count()).unwrap_or(i64::MAX);
    let live = i64::from(head.live).saturating_add(added);
    let head = Head { version, live: i32::try_from(live).map_err(|_| CatalogError::TooMany(live))? };
    if usize::try_from(live).is_ok_and(|live| live > limits::PRODUCTS) {
        return Err(CatalogError::TooMany(live));
    }
    store::save_head(tx.conn(), tenant, head, by.at).await.map_err(DbError::from)?;
    pricing::revise(tx, by, version, &changes).await?;
    Ok(Changed { version: unsigned(version), changes })
}

/// Takes a product out of sale, within the caller's transaction. `None` if it is not sold.
///
/// # Errors
/// Whatever the database met.
pub async fn remove(tx: &mut TenantTx, by: By, code: &str) -> Result<Option<u64>, DbError> {
    let tenant = tx.tenant().as_uuid();
    let head = store::lock_head(tx.conn(), tenant, by.at).await?;
    let version = head.version + 1;
    if !store::remove(tx.conn(), tenant, code, version, by.at).await? {
        return Ok(None);
    }
    let head = Head { version, live: (head.live - 1).max(0) };
    store::save_head(tx.conn(), tenant, head, by.at).await?;
    pricing::revise_removal(tx, by, version, code).await?;
    Ok(Some(unsigned(version)))
}

/// Holds every other change of the catalogue back until the transaction ends.
///
/// # Errors
/// Whatever the database met.
pub async fn lock(tx: &mut TenantTx, at: Timestamp) -> Result<(), DbError> {
    let tenant = tx.tenant().as_uuid();
    store::lock_head(tx.conn(), tenant, at).await?;
    Ok(())
}

/// Whether a text could be the code of a product at all.
pub fn could_be_code(text: &str) -> bool {
    rules::check_code(text).is_ok()
}

/// One product that is sold.
///
/// # Errors
/// Whatever the database met.
pub async fn one(tx: &mut TenantTx, code: &str) -> Result<Option<ProductView>, DbError> {
    let tenant = tx.tenant().as_uuid();
    Ok(store::one(tx.conn(), tenant, code).await?)
}

/// One page of products by code.
///
/// # Errors
/// Whatever the database met.
pub async fn list(tx: &mut TenantTx, text: &str, after: &str, limit: u32) -> Result<ProductPage, DbError> {
    let tenant = tx.tenant().as_uuid();
    let limit = limit.clamp(1, limits::PAGE_ROWS);
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut products = store::list(tx.conn(), tenant, text.trim(), after, i64::from(limit) + 1).await?;
    let more = products.len() > wanted;
    products.truncate(wanted);
    let next = products.last().filter(|_| more).map(|product| product.code.clone());
    Ok(ProductPage { products, next })
}

/// Takes a file in: good lines in one transaction and one version, bad ones reported. The same file again
/// changes nothing.
///
/// # Errors
/// [`CatalogError::File`] when nothing of it can be read.
pub async fn import(app: &App, caller: &Caller, bytes: bytes::Bytes) -> Result<ImportReport, CatalogError> {
    let parsed = read_file(bytes).await?;
    let by = By::of(caller, Source::Import, app.clock.now());
    let mut tx = TenantTx::begin(&app.db, caller.tenant).await?;
    let report = take_in(&mut tx, by, parsed).await?;
    tx.save().await?;
    if report.changed > 0 {
        app.hint(caller.tenant, Collection::Catalogue);
    }
    Ok(report)
}

/// Reads a file. Up to 32 MiB of text: not on a thread that serves others.
///
/// # Errors
/// [`CatalogError::File`] when nothing of it can be read.
pub(super) async fn read_file(bytes: bytes::Bytes) -> Result<Parsed, CatalogError> {
    let parsed = tokio::task::spawn_blocking(move || import::parse(&bytes)).await;
    Ok(parsed.map_err(|error| CatalogError::Worker(error.to_string()))??)
}

/// Takes the good lines of a file in, within the caller's transaction; nothing is kept until that is saved.
///
/// # Errors
/// As [`change`].
pub(super) async fn take_in(tx: &mut TenantTx, by: By, parsed: Parsed) -> Result<ImportReport, CatalogError> {
    let (numbers, wanted): (Vec<u64>, Vec<Wanted>) = parsed.good.into_iter().unzip();
    let changed = change(tx, by, &wanted).await?;
    let codes = numbers.into_iter().zip(wanted.into_iter().map(|wanted| wanted.code));
    Ok(report(&changed, codes, parsed.bad))
}

/// The version of the catalogue, and how many products are sold.
///
/// # Errors
/// Whatever the database met.
pub async fn head(tx: &mut TenantTx) -> Result<(u64, u64), DbError> {
    let tenant = tx.tenant().as_uuid();
    let head = store::read_head(tx.conn(), tenant).await?;
    Ok((unsigned(head.version), unsigned(i64::from(head.live))))
}

fn report(changed: &Changed, good: impl Iterator<Item = (u64, String)>, bad: Vec<LineReport>) -> ImportReport {
    let became: HashMap<&str, bool> =
        changed.changes.iter().map(|change| (change.code.as_str(), change.old_e4.is_none())).collect();
    let mut report = ImportReport {
        accepted: 0,
        added: 0,
        changed: 0,
        unchanged: 0,
        rejected: u64::try_from(bad.len()).unwrap_or(u64::MAX),
        version: changed.version,
        lines: bad,
    };
    for (line, code) in good {
        report.accepted += 1;
        let outcome = match became.get(code.as_str()) {
            Some(true) => Outcome::Added,
            Some(false) => Outcome::Changed,
            None => Outcome::Unchanged,
        };
        match outcome {
            Outcome::Added => {
                report.added += 1;
                report.changed += 1;
            }
            Outcome::Changed => report.changed += 1,
            Outcome::Unchanged | Outcome::Rejected => report.unchanged += 1,
        }
        report.lines.push(LineReport { line, code, outcome, field: None, message: String::new() });
    }
    report.lines.sort_by_key(|line| line.line);
    report
}

/// What a node needs to come from `have` to the present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Current,
    /// Everything.
    Whole(Catalogue),
    /// What changed.
    Changes {
        /// The version it leads to.
        to: Version,
        /// New or different products.
        upserts: Vec<Product>,
        /// Codes sold no more.
        removals: Vec<String>,
    },
}

/// The step from `have` to the present: the smaller of what changed and the whole. A node that claims a version
/// HQ never had gets the whole; a tenant without any catalogue sends nothing, so that no shop is emptied.
///
/// # Errors
/// Whatever the database met.
pub async fn step(tx: &mut TenantTx, have: Version) -> Result<Step, DbError> {
    let tenant = tx.tenant().as_uuid();
    let head = store::read_head(tx.conn(), tenant).await?;
    if head.version == 0 || have.0 == unsigned(head.version) {
        return Ok(Step::Current);
    }
    let from = i64::try_from(have.0).ok().filter(|from| *from < head.version);
    let delta = match from {
        Some(from) if from > 0 => store::behind(tx.conn(), tenant, from).await? < i64::from(head.live).max(1),
        Some(_) | None => false,
    };
    let (version, changes) = match from {
        Some(from) if delta => store::since(tx.conn(), tenant, from, true).await?,
        Some(_) | None => store::since(tx.conn(), tenant, 0, false).await?,
    };
    let to = Version(unsigned(version));
    let mut upserts = Vec::with_capacity(changes.len());
    let mut removals = Vec::new();
    for change in changes {
        match change {
            Since::Live(view) => upserts.push(as_sold(view)),
            Since::Gone(code) => removals.push(code),
        }
    }
    if delta {
        return Ok(Step::Changes { to, upserts, removals });
    }
    let products: BTreeMap<String, Product> =
        upserts.into_iter().map(|product| (product.code.clone(), product)).collect();
    Ok(Step::Whole(Catalogue { version: to, products }))
}

fn as_sold(view: ProductView) -> Product {
    Product {
        code: view.code,
        description: view.description,
        unit_price: view.unit_price,
        // The column holds nothing beyond the limit, so the rate is always one.
        tax_rate: TaxRate::from_ppm(view.tax_rate_ppm).unwrap_or_default(),
        unit: view.unit,
        barcodes: view.barcodes,
    }
}

fn unsigned(version: i64) -> u64 {
    u64::try_from(version).unwrap_or(0)
}
