//! The SQL of registrations.

use protocol::timestamp::Timestamp;
use time::OffsetDateTime;
use uuid::Uuid;

use super::types::{FirstShop, Registration, Stage};
use crate::clock::utc;
use crate::db::{DbError, SystemTx};

/// A registration as it begins.
#[derive(Clone, Debug)]
pub(super) struct New<'a> {
    pub(super) id: Uuid,
    pub(super) tenant: Uuid,
    pub(super) stage: Stage,
    pub(super) company: &'a str,
    pub(super) email: &'a str,
    pub(super) email_key: &'a str,
    pub(super) person_name: &'a str,
    pub(super) phc: Option<&'a str>,
    pub(super) person: Option<Uuid>,
    pub(super) country: Option<&'a str>,
    pub(super) shop: Option<&'a FirstShop>,
    pub(super) link: Option<([u8; 32], Timestamp)>,
    pub(super) now: Timestamp,
}

/// A row.
#[derive(Clone, sqlx::FromRow)]
pub(super) struct Row {
    pub(super) registration_id: Uuid,
    pub(super) state: String,
    pub(super) company: String,
    pub(super) email: String,
    pub(super) person_name: String,
    pub(super) phc: Option<String>,
    pub(super) person_id: Option<Uuid>,
    pub(super) country: Option<String>,
    pub(super) shop_name: Option<String>,
    pub(super) shop_timezone: Option<String>,
    pub(super) shop_currency: Option<String>,
    pub(super) link_ends_at: Option<OffsetDateTime>,
    pub(super) tries: i16,
    pub(super) made_at: OffsetDateTime,
    pub(super) confirmed_at: Option<OffsetDateTime>,
    pub(super) decided_at: Option<OffsetDateTime>,
    pub(super) reason: Option<String>,
    pub(super) tenant_id: Uuid,
}

impl Row {
    pub(super) fn stage(&self) -> Result<Stage, DbError> {
        Stage::of(&self.state).ok_or_else(|| DbError::Unfit(format!("a registration is {:?}", self.state)))
    }

    pub(super) fn shop(&self) -> Option<FirstShop> {
        let (name, timezone) = (self.shop_name.clone()?, self.shop_timezone.clone()?);
        Some(FirstShop { name, timezone, currency: self.shop_currency.clone()? })
    }

    pub(super) fn seen(self) -> Result<Registration, DbError> {
        let (state, shop) = (self.stage()?, self.shop());
        Ok(Registration {
            id: self.registration_id,
            state,
            company: self.company,
            email: self.email,
            person_name: self.person_name,
            known: self.person_id.is_some(),
            country: self.country,
            shop,
            made_at: self.made_at,
            confirmed_at: self.confirmed_at,
            decided_at: self.decided_at,
            reason: self.reason,
            tenant_id: (state == Stage::Approved).then_some(self.tenant_id),
        })
    }
}

const COLUMNS: &str = "SELECT registration_id, state, company, email, person_name, phc, person_id, country, shop_name,
    shop_timezone, shop_currency, link_ends_at, tries, made_at, confirmed_at, decided_at, reason, tenant_id
    FROM platform.registrations ";

/// A statement over the columns; the rest is ours, with no word of anybody else in it.
fn select(rest: &'static str) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(format!("{COLUMNS}{rest}"))
}

pub(super) async fn insert(tx: &mut SystemTx, new: &New<'_>) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO platform.registrations (registration_id, tenant_id, state, company, email, email_key, person_name, phc,
             person_id, country, shop_name, shop_timezone, shop_currency, link_hash, link_ends_at, made_at, confirmed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
    )
    .bind(new.id)
    .bind(new.tenant)
    .bind(new.stage.name())
    .bind(new.company)
    .bind(new.email)
    .bind(new.email_key)
    .bind(new.person_name)
    .bind(new.phc)
    .bind(new.person)
    .bind(new.country)
    .bind(new.shop.map(|shop| &shop.name))
    .bind(new.shop.map(|shop| &shop.timezone))
    .bind(new.shop.map(|shop| &shop.currency))
    .bind(new.link.map(|(hash, _)| hash.to_vec()))
    .bind(new.link.map(|(_, ends)| utc(ends)))
    .bind(utc(new.now))
    .bind((new.stage != Stage::Unconfirmed).then(|| utc(new.now)))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How many wait for their mail to be answered.
pub(super) async fn open(tx: &mut SystemTx, most: i64) -> Result<i64, DbError> {
    let sql = "SELECT count(*) FROM (SELECT FROM platform.registrations WHERE state = 'unconfirmed' LIMIT $1) r";
    Ok(sqlx::query_scalar(sql).bind(most).fetch_one(tx.conn()).await?)
}

pub(super) async fn by_link(tx: &mut SystemTx, hash: &[u8; 32]) -> Result<Option<Row>, DbError> {
    Ok(sqlx::query_as(select("WHERE link_hash = $1 FOR UPDATE")).bind(hash).fetch_optional(tx.conn()).await?)
}

/// The newest of an address that was not confirmed.
pub(super) async fn newest_open(tx: &mut SystemTx, email_key: &str) -> Result<Option<Row>, DbError> {
    let rest = "WHERE email_key = $1 AND state = 'unconfirmed' ORDER BY made_at DESC LIMIT 1 FOR UPDATE";
    Ok(sqlx::query_as(select(rest)).bind(email_key).fetch_optional(tx.conn()).await?)
}

pub(super) async fn locked(tx: &mut SystemTx, id: Uuid) -> Result<Option<Row>, DbError> {
    Ok(sqlx::query_as(select("WHERE registration_id = $1 FOR UPDATE")).bind(id).fetch_optional(tx.conn()).await?)
}

/// Those of a state, oldest first, behind an id.
pub(super) async fn list(
    tx: &mut SystemTx,
    stage: Option<Stage>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Row>, DbError> {
    let rest = "WHERE ($1::text IS NULL OR state = $1) AND ($2::uuid IS NULL OR registration_id > $2)
                ORDER BY registration_id LIMIT $3";
    let rows = sqlx::query_as(select(rest)).bind(stage.map(Stage::name)).bind(after).bind(limit);
    Ok(rows.fetch_all(tx.conn()).await?)
}

pub(super) async fn relink(tx: &mut SystemTx, id: Uuid, hash: &[u8; 32], ends: Timestamp) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE platform.registrations SET link_hash = $2, link_ends_at = $3, tries = 0 WHERE registration_id = $1",
    )
    .bind(id)
    .bind(hash)
    .bind(utc(ends))
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn count_try(tx: &mut SystemTx, id: Uuid) -> Result<(), DbError> {
    let sql = "UPDATE platform.registrations SET tries = tries + 1 WHERE registration_id = $1";
    sqlx::query(sql).bind(id).execute(tx.conn()).await?;
    Ok(())
}

/// The address is proved; the link is used up.
pub(super) async fn confirm(tx: &mut SystemTx, id: Uuid, now: Timestamp) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE platform.registrations SET state = 'waiting', confirmed_at = $2, link_hash = NULL, link_ends_at = NULL
         WHERE registration_id = $1 AND state = 'unconfirmed'",
    )
    .bind(id)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Decided, by whom; what the password was is needed no more.
pub(super) async fn decide(
    tx: &mut SystemTx,
    id: Uuid,
    (stage, reason): (Stage, Option<&str>),
    by: Uuid,
    now: Timestamp,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE platform.registrations SET state = $2, reason = $3, decided_by = $4, decided_at = $5, phc = NULL
         WHERE registration_id = $1 AND state = 'waiting'",
    )
    .bind(id)
    .bind(stage.name())
    .bind(reason)
    .bind(by)
    .bind(utc(now))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Forgets those whose mail nobody answered, and those refused long ago.
pub(super) async fn prune(tx: &mut SystemTx, unconfirmed: Timestamp, refused: Timestamp) -> Result<u64, DbError> {
    let done = sqlx::query(
        "DELETE FROM platform.registrations
         WHERE (state = 'unconfirmed' AND made_at < $1) OR (state = 'refused' AND decided_at < $2)",
    )
    .bind(utc(unconfirmed))
    .bind(utc(refused))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}
