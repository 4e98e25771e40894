//! All SQL of the catalogue. Decides nothing.

use protocol::timestamp::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::rules::unit_of;
use super::types::{Change, ImportSummary, ProductView, Wanted};
use crate::clock::utc;

/// The catalogue's own row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Its version.
    pub version: i64,
    /// Products that are sold.
    pub live: i32,
}

/// A product or a tombstone after some version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    /// It is sold, like this.
    Live(ProductView),
    /// It is sold no more.
    Gone(String),
}

const READ_HEAD: &str = "SELECT version, live FROM app.catalogues WHERE tenant_id = $1";
const LOCK_HEAD: &str = "SELECT version, live FROM app.catalogues WHERE tenant_id = $1 FOR UPDATE";
const MAKE_HEAD: &str = "INSERT INTO app.catalogues (tenant_id, version, changed_at) VALUES ($1, 0, $2)
    ON CONFLICT DO NOTHING";
const SAVE_HEAD: &str = "UPDATE app.catalogues SET version = $2, live = $3, changed_at = $4 WHERE tenant_id = $1";
const UPSERT: &str = "WITH wanted AS (
        SELECT * FROM unnest($4::text[], $5::text[], $6::bigint[], $7::integer[], $8::smallint[], $9::text[])
            AS w (code, description, unit_price_e4, tax_rate_ppm, unit, barcodes)
    ), changed AS (
        SELECT w.code, p.unit_price_e4 AS old_e4,
               coalesce(w.description, p.description, '') AS description,
               coalesce(w.unit_price_e4, p.unit_price_e4) AS unit_price_e4,
               coalesce(w.tax_rate_ppm, p.tax_rate_ppm, 0) AS tax_rate_ppm,
               coalesce(w.unit, p.unit, 0) AS unit,
               coalesce(string_to_array(w.barcodes, ' '), p.barcodes, '{}') AS barcodes
        FROM wanted w
        LEFT JOIN app.products p ON p.tenant_id = $1 AND p.code = w.code AND p.deleted_at IS NULL
        WHERE p.code IS NULL OR w.description <> p.description OR w.unit_price_e4 <> p.unit_price_e4
           OR w.tax_rate_ppm <> p.tax_rate_ppm OR w.unit <> p.unit
           OR string_to_array(w.barcodes, ' ') <> p.barcodes
    ), written AS (
        INSERT INTO app.products (tenant_id, version, created_at, updated_at, code, description, unit_price_e4,
                                  tax_rate_ppm, unit, barcodes)
        SELECT $1, $2, $3, $3, code, description, unit_price_e4, tax_rate_ppm, unit, barcodes FROM changed
        ON CONFLICT (tenant_id, code) DO UPDATE SET version = excluded.version, updated_at = excluded.updated_at,
            description = excluded.description, unit_price_e4 = excluded.unit_price_e4,
            tax_rate_ppm = excluded.tax_rate_ppm, unit = excluded.unit, barcodes = excluded.barcodes,
            deleted_at = NULL
    )
    SELECT code, old_e4, unit_price_e4 FROM changed";
const REMOVE: &str = "UPDATE app.products SET deleted_at = $3, updated_at = $3, version = $4
    WHERE tenant_id = $1 AND code = $2 AND deleted_at IS NULL";
const ONE: &str = "SELECT code, description, unit_price_e4, tax_rate_ppm, unit, barcodes, version FROM app.products
    WHERE tenant_id = $1 AND code = $2 AND deleted_at IS NULL";
const LIST: &str = "SELECT code, description, unit_price_e4, tax_rate_ppm, unit, barcodes, version FROM app.products
    WHERE tenant_id = $1 AND deleted_at IS NULL AND code > $2
      AND (code ILIKE $3 OR description ILIKE ALL ($4) OR $5 = ANY (barcodes))
    ORDER BY code LIMIT $6";
const BEHIND: &str = "SELECT count(*) AS behind FROM app.products WHERE tenant_id = $1 AND version > $2";
// One statement, one snapshot: the version and the products that go with it.
const SINCE: &str = "SELECT c.version AS head, p.code, p.description, p.unit_price_e4, p.tax_rate_ppm, p.unit,
        p.barcodes, p.version, p.deleted_at IS NOT NULL AS gone
    FROM app.catalogues c
    LEFT JOIN app.products p ON p.tenant_id = c.tenant_id AND p.version > $2 AND ($3 OR p.deleted_at IS NULL)
    WHERE c.tenant_id = $1";

const KEEP_IMPORT: &str = "INSERT INTO app.catalogue_imports (tenant_id, import_id, person_id, made_at, rehearsal,
        file_name, added, changed, unchanged, rejected, version, report)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
const FORGET_IMPORTS: &str = "DELETE FROM app.catalogue_imports WHERE tenant_id = $1 AND import_id NOT IN (
        SELECT import_id FROM app.catalogue_imports WHERE tenant_id = $1 ORDER BY import_id DESC LIMIT $2)";
const IMPORTS: &str = "SELECT import_id, made_at, rehearsal, file_name, added, changed, unchanged, rejected, version
    FROM app.catalogue_imports WHERE tenant_id = $1 ORDER BY import_id DESC LIMIT $2";
const IMPORT: &str =
    "SELECT import_id, made_at, rehearsal, file_name, added, changed, unchanged, rejected, version, report
    FROM app.catalogue_imports WHERE tenant_id = $1 AND import_id = $2";

/// Every statement of this file, for the test that prepares them all.
pub const STATEMENTS: &[&str] = &[
    READ_HEAD,
    LOCK_HEAD,
    MAKE_HEAD,
    SAVE_HEAD,
    UPSERT,
    REMOVE,
    ONE,
    LIST,
    BEHIND,
    SINCE,
    KEEP_IMPORT,
    FORGET_IMPORTS,
    IMPORTS,
    IMPORT,
];

/// Keeps an import's report and forgets the oldest beyond a number.
pub async fn keep_import(
    conn: &mut PgConnection,
    tenant: Uuid,
    person: Uuid,
    import: &ImportSummary,
    report: &[u8],
    kept: i64,
) -> Result<(), sqlx::Error> {
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let query = sqlx::query(KEEP_IMPORT).bind(tenant).bind(import.id).bind(person).bind(import.made_at);
    let query = query.bind(import.rehearsal).bind(&import.file_name).bind(signed(import.added));
    let query = query.bind(signed(import.changed)).bind(signed(import.unchanged)).bind(signed(import.rejected));
    query.bind(signed(import.version)).bind(report).execute(&mut *conn).await?;
    sqlx::query(FORGET_IMPORTS).bind(tenant).bind(kept).execute(conn).await.map(drop)
}

/// The imports that are kept, the newest first.
pub async fn imports(conn: &mut PgConnection, tenant: Uuid, limit: i64) -> Result<Vec<ImportSummary>, sqlx::Error> {
    sqlx::query(IMPORTS).bind(tenant).bind(limit).fetch_all(conn).await?.iter().map(summary).collect()
}

/// One import and its packed report.
pub async fn one_import(
    conn: &mut PgConnection,
    tenant: Uuid,
    id: Uuid,
) -> Result<Option<(ImportSummary, Vec<u8>)>, sqlx::Error> {
    let row = sqlx::query(IMPORT).bind(tenant).bind(id).fetch_optional(conn).await?;
    row.map(|row| Ok((summary(&row)?, row.try_get("report")?))).transpose()
}

fn summary(row: &PgRow) -> Result<ImportSummary, sqlx::Error> {
    let whole = |name: &str| Ok::<u64, sqlx::Error>(u64::try_from(row.try_get::<i64, _>(name)?).unwrap_or(0));
    Ok(ImportSummary {
        id: row.try_get("import_id")?,
        made_at: row.try_get("made_at")?,
        rehearsal: row.try_get("rehearsal")?,
        file_name: row.try_get("file_name")?,
        added: whole("added")?,
        changed: whole("changed")?,
        unchanged: whole("unchanged")?,
        rejected: whole("rejected")?,
        version: whole("version")?,
    })
}

fn head(row: &PgRow) -> Result<Head, sqlx::Error> {
    Ok(Head { version: row.try_get("version")?, live: row.try_get("live")? })
}

fn product(row: &PgRow) -> Result<ProductView, sqlx::Error> {
    let price: i64 = row.try_get("unit_price_e4")?;
    let rate: i32 = row.try_get("tax_rate_ppm")?;
    let version: i64 = row.try_get("version")?;
    Ok(ProductView {
        code: row.try_get("code")?,
        description: row.try_get("description")?,
        unit_price: protocol::price::UnitPrice::from_e4(price).map_err(|error| sqlx::Error::Decode(error.into()))?,
        tax_rate_ppm: u32::try_from(rate).unwrap_or(0),
        unit: unit_of(row.try_get("unit")?),
        barcodes: row.try_get("barcodes")?,
        version: u64::try_from(version).unwrap_or(0),
    })
}

/// The catalogue's row as it stands; a tenant that never had one stands at version 0.
pub async fn read_head(conn: &mut PgConnection, tenant: Uuid) -> Result<Head, sqlx::Error> {
    let row = sqlx::query(READ_HEAD).bind(tenant).fetch_optional(conn).await?;
    row.as_ref().map_or(Ok(Head::default()), head)
}

/// The catalogue's row, made if need be, locked until the transaction ends.
pub async fn lock_head(conn: &mut PgConnection, tenant: Uuid, at: Timestamp) -> Result<Head, sqlx::Error> {
    if let Some(row) = sqlx::query(LOCK_HEAD).bind(tenant).fetch_optional(&mut *conn).await? {
        return head(&row);
    }
    sqlx::query(MAKE_HEAD).bind(tenant).bind(utc(at)).execute(&mut *conn).await?;
    head(&sqlx::query(LOCK_HEAD).bind(tenant).fetch_one(conn).await?)
}

/// Moves the locked catalogue to a version.
pub async fn save_head(conn: &mut PgConnection, tenant: Uuid, head: Head, at: Timestamp) -> Result<u64, sqlx::Error> {
    let query = sqlx::query(SAVE_HEAD).bind(tenant).bind(head.version).bind(head.live).bind(utc(at));
    query.execute(conn).await.map(|done| done.rows_affected())
}

/// Makes products as wanted, under a version; answers those that became different. One statement for all.
pub async fn upsert(
    conn: &mut PgConnection,
    tenant: Uuid,
    version: i64,
    at: Timestamp,
    wanted: &[Wanted],
) -> Result<Vec<Change>, sqlx::Error> {
    let codes: Vec<&str> = wanted.iter().map(|w| w.code.as_str()).collect();
    let descriptions: Vec<Option<&str>> = wanted.iter().map(|w| w.description.as_deref()).collect();
    let prices: Vec<Option<i64>> = wanted.iter().map(|w| w.unit_price_e4).collect();
    let rates: Vec<Option<i32>> = wanted.iter().map(|w| w.tax_rate_ppm).collect();
    let units: Vec<Option<i16>> = wanted.iter().map(|w| w.unit).collect();
    // Barcodes hold no blanks, so that one text per product carries them through `unnest`.
    let barcodes: Vec<Option<String>> = wanted.iter().map(|w| w.barcodes.as_ref().map(|all| all.join(" "))).collect();
    let query = sqlx::query(UPSERT).bind(tenant).bind(version).bind(utc(at)).bind(codes).bind(descriptions);
    let rows = query.bind(prices).bind(rates).bind(units).bind(barcodes).fetch_all(conn).await?;
    let change = |row: &PgRow| {
        Ok(Change { code: row.try_get("code")?, old_e4: row.try_get("old_e4")?, new_e4: row.try_get("unit_price_e4")? })
    };
    rows.iter().map(change).collect()
}

/// Marks a product as sold no more; answers whether it was sold.
pub async fn remove(
    conn: &mut PgConnection,
    tenant: Uuid,
    code: &str,
    version: i64,
    at: Timestamp,
) -> Result<bool, sqlx::Error> {
    let query = sqlx::query(REMOVE).bind(tenant).bind(code).bind(utc(at)).bind(version);
    query.execute(conn).await.map(|done| done.rows_affected() == 1)
}

/// One product that is sold.
pub async fn one(conn: &mut PgConnection, tenant: Uuid, code: &str) -> Result<Option<ProductView>, sqlx::Error> {
    sqlx::query(ONE).bind(tenant).bind(code).fetch_optional(conn).await?.as_ref().map(product).transpose()
}

/// Products after a code, by code: those whose code starts with the text, whose description has all its words,
/// or that carry it as a barcode.
pub async fn list(
    conn: &mut PgConnection,
    tenant: Uuid,
    text: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<ProductView>, sqlx::Error> {
    let words: Vec<String> = text.split_whitespace().map(|word| format!("%{}%", escape(word))).collect();
    let prefix = format!("{}%", escape(text));
    let query = sqlx::query(LIST).bind(tenant).bind(after).bind(prefix).bind(words).bind(text).bind(limit);
    query.fetch_all(conn).await?.iter().map(product).collect()
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// How many products changed after a version.
pub async fn behind(conn: &mut PgConnection, tenant: Uuid, version: i64) -> Result<i64, sqlx::Error> {
    sqlx::query(BEHIND).bind(tenant).bind(version).fetch_one(conn).await?.try_get("behind")
}

/// What changed after a version, with the version it leads to; with `tombstones` also what is sold no more.
pub async fn since(
    conn: &mut PgConnection,
    tenant: Uuid,
    version: i64,
    tombstones: bool,
) -> Result<(i64, Vec<Since>), sqlx::Error> {
    let rows = sqlx::query(SINCE).bind(tenant).bind(version).bind(tombstones).fetch_all(conn).await?;
    let head: i64 = rows.first().map_or(Ok(0), |row| row.try_get("head"))?;
    let mut changes = Vec::with_capacity(rows.len());
    for row in &rows {
        let Some(code) = row.try_get::<Option<String>, _>("code")? else { continue };
        changes.push(if row.try_get("gone")? { Since::Gone(code) } else { Since::Live(product(row)?) });
    }
    Ok((head, changes))
}
