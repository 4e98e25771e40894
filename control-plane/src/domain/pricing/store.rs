//! All SQL of pricing. Decides nothing.

use protocol::price::UnitPrice;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::types::PriceChange;
use crate::clock::utc;
use crate::domain::catalog::service::By;
use crate::domain::catalog::types::Change;

const REVISE: &str = "INSERT INTO app.catalogue_revisions (tenant_id, version, source, person_id, changed, made_at)
    VALUES ($1, $2, $3, $4, $5, $6)";
const PRICE_CHANGES: &str = "INSERT INTO app.price_changes (tenant_id, version, code, old_e4, new_e4)
    SELECT $1, $2, c.* FROM unnest($3::text[], $4::bigint[], $5::bigint[]) AS c (code, old_e4, new_e4)
    WHERE c.old_e4 IS DISTINCT FROM c.new_e4";
const HISTORY: &str = "SELECT c.version, c.old_e4, c.new_e4, r.source, r.person_id, r.made_at
    FROM app.price_changes c
    JOIN app.catalogue_revisions r ON r.tenant_id = c.tenant_id AND r.version = c.version
    WHERE c.tenant_id = $1 AND c.code = $2 AND c.version < $3
    ORDER BY c.version DESC LIMIT $4";

/// Every statement of this file, for the test that prepares them all.
pub const STATEMENTS: &[&str] = &[REVISE, PRICE_CHANGES, HISTORY];

/// Writes a revision down.
pub async fn revise(
    conn: &mut PgConnection,
    tenant: Uuid,
    version: i64,
    by: By,
    changed: i32,
) -> Result<(), sqlx::Error> {
    let query = sqlx::query(REVISE).bind(tenant).bind(version).bind(by.source.name()).bind(by.person.as_uuid());
    query.bind(changed).bind(utc(by.at)).execute(conn).await.map(drop)
}

/// Writes the price changes of a revision down.
pub async fn price_changes(
    conn: &mut PgConnection,
    tenant: Uuid,
    version: i64,
    changes: &[Change],
) -> Result<(), sqlx::Error> {
    let codes: Vec<&str> = changes.iter().map(|change| change.code.as_str()).collect();
    let old: Vec<Option<i64>> = changes.iter().map(|change| change.old_e4).collect();
    let new: Vec<i64> = changes.iter().map(|change| change.new_e4).collect();
    let query = sqlx::query(PRICE_CHANGES).bind(tenant).bind(version).bind(codes).bind(old).bind(new);
    query.execute(conn).await.map(drop)
}

/// Changes of one price before a version, newest first.
pub async fn history(
    conn: &mut PgConnection,
    tenant: Uuid,
    code: &str,
    before: i64,
    limit: i64,
) -> Result<Vec<PriceChange>, sqlx::Error> {
    let rows = sqlx::query(HISTORY).bind(tenant).bind(code).bind(before).bind(limit).fetch_all(conn).await?;
    rows.iter().map(change).collect()
}

fn change(row: &PgRow) -> Result<PriceChange, sqlx::Error> {
    let price = |e4: i64| UnitPrice::from_e4(e4).map_err(|error| sqlx::Error::Decode(error.into()));
    let version: i64 = row.try_get("version")?;
    Ok(PriceChange {
        version: u64::try_from(version).unwrap_or(0),
        old_price: row.try_get::<Option<i64>, _>("old_e4")?.map(price).transpose()?,
        new_price: price(row.try_get("new_e4")?)?,
        source: row.try_get("source")?,
        person_id: row.try_get("person_id")?,
        made_at: row.try_get("made_at")?,
    })
}
