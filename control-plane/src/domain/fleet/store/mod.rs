//! All SQL of the fleet. One function per statement; rows come out as this noun's types.

use protocol::enroll::SignedCheckpoint;
use protocol::id::{NodeId, ShopId, TenantId, Term};
use protocol::timestamp::Timestamp;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::authority::{IssuedNode, SealedShopCa};
use super::rules::CertificateRecord;
use super::types::{NodeIdentity, NodeReport, NodeRole};
use crate::clock::utc;
use crate::db::{DbError, TenantTx};

mod lists;
mod sql;
mod standing;

pub(super) use lists::{Sworn, nodes, positions, sworn};
pub(super) use standing::{held, holds, node, sworn_logs};

#[cfg(test)]
pub(super) use sql::ALL;

/// Registers the device CA unless one is; gives back the one that is.
pub(super) async fn register_device_ca(
    conn: &mut PgConnection,
    certificate: &[u8],
    now: Timestamp,
) -> Result<Vec<u8>, DbError> {
    sqlx::query(sql::REGISTER_CA).bind(certificate).bind(utc(now)).execute(&mut *conn).await?;
    Ok(sqlx::query_scalar(sql::DEVICE_CA).fetch_one(conn).await?)
}

/// The registered device CA (DER).
pub(super) async fn device_ca(conn: &mut PgConnection) -> Result<Option<Vec<u8>>, DbError> {
    Ok(sqlx::query_scalar(sql::DEVICE_CA).fetch_optional(conn).await?)
}

/// Whose claim has this secret. Over all tenants: the box knows none yet.
pub(super) async fn find_claim(
    conn: &mut PgConnection,
    secret_hash: &[u8; 32],
) -> Result<Option<(TenantId, Uuid)>, DbError> {
    let row = sqlx::query(sql::FIND_CLAIM).bind(secret_hash.as_slice()).fetch_optional(conn).await?;
    row.map(|row| Ok((TenantId::from_uuid(row.try_get(0)?), row.try_get(1)?))).transpose()
}

/// A claim to be written.
pub(super) struct ClaimRow {
    pub(super) id: Uuid,
    pub(super) shop: ShopId,
    pub(super) role: NodeRole,
    pub(super) secret_hash: [u8; 32],
    pub(super) by: Option<Uuid>,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Timestamp,
}

pub(super) async fn insert_claim(tx: &mut TenantTx, claim: &ClaimRow) -> Result<(), DbError> {
    sqlx::query(sql::INSERT_CLAIM)
        .bind(tx.tenant().as_uuid())
        .bind(claim.id)
        .bind(claim.shop.as_uuid())
        .bind(claim.role.name())
        .bind(claim.secret_hash.as_slice())
        .bind(claim.by)
        .bind(utc(claim.created_at))
        .bind(utc(claim.expires_at))
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn open_claims(tx: &mut TenantTx, shop: ShopId, now: Timestamp) -> Result<i64, DbError> {
    let query = sqlx::query_scalar(sql::OPEN_CLAIMS).bind(tx.tenant().as_uuid()).bind(shop.as_uuid()).bind(utc(now));
    Ok(query.fetch_one(tx.conn()).await?)
}

/// Uses a claim up for `node`, if it is open; of two at the same time one gets it. Gives its shop and role.
/// Ends the claims that no box has used.
pub(super) async fn end_claims(tx: &mut TenantTx, now: Timestamp) -> Result<u64, DbError> {
    let done = sqlx::query(sql::END_CLAIMS).bind(tx.tenant().as_uuid()).bind(utc(now)).execute(tx.conn()).await?;
    Ok(done.rows_affected())
}

pub(super) async fn consume_claim(
    tx: &mut TenantTx,
    claim: Uuid,
    node: NodeId,
    now: Timestamp,
) -> Result<Option<(ShopId, String)>, DbError> {
    let row = sqlx::query(sql::CONSUME_CLAIM)
        .bind(tx.tenant().as_uuid())
        .bind(claim)
        .bind(utc(now))
        .bind(node.as_uuid())
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| Ok((ShopId::from_uuid(row.try_get(0)?), row.try_get(1)?))).transpose()
}

/// The node that used a claim up, if any, and whether the claim's day has not passed.
pub(super) async fn claim_user(
    tx: &mut TenantTx,
    claim: Uuid,
    now: Timestamp,
) -> Result<Option<(Option<NodeId>, bool)>, DbError> {
    let query = sqlx::query(sql::CLAIM_USER).bind(tx.tenant().as_uuid()).bind(claim).bind(utc(now));
    let row = query.fetch_optional(tx.conn()).await?;
    row.map(|row| Ok((row.try_get::<Option<Uuid>, _>(0)?.map(NodeId::from_uuid), row.try_get(1)?))).transpose()
}

/// A node as enrolment needs it.
pub(super) struct EnrolledNode {
    pub(super) shop: ShopId,
    pub(super) name: String,
    pub(super) term: Term,
}

/// The node, if it stands and has a certificate in force for this very key.
pub(super) async fn node_of_key(
    tx: &mut TenantTx,
    node: NodeId,
    public_key: &[u8],
) -> Result<Option<EnrolledNode>, DbError> {
    let query = sqlx::query(sql::NODE_OF_KEY).bind(tx.tenant().as_uuid()).bind(node.as_uuid()).bind(public_key);
    let row = query.fetch_optional(tx.conn()).await?;
    row.map(|row| {
        Ok(EnrolledNode {
            shop: ShopId::from_uuid(row.try_get(0)?),
            name: row.try_get(1)?,
            term: term(row.try_get(2)?),
        })
    })
    .transpose()
}

/// Writes a node and its first term.
pub(super) async fn insert_node(
    tx: &mut TenantTx,
    node: NodeId,
    enrolled: &EnrolledNode,
    (role, claim): (&str, Uuid),
    now: Timestamp,
) -> Result<(), DbError> {
    let (tenant, id, granted) = (tx.tenant().as_uuid(), node.as_uuid(), i64::from(enrolled.term.0));
    sqlx::query(sql::INSERT_NODE)
        .bind(tenant)
        .bind(id)
        .bind(enrolled.shop.as_uuid())
        .bind(&enrolled.name)
        .bind(role)
        .bind(granted)
        .bind(utc(now))
        .execute(tx.conn())
        .await?;
    let term = sqlx::query(sql::INSERT_TERM).bind(tenant).bind(id).bind(granted).bind(claim).bind(utc(now));
    term.execute(tx.conn()).await?;
    Ok(())
}

/// Records a certificate.
pub(super) async fn insert_certificate(
    tx: &mut TenantTx,
    (node, term): (NodeId, Term),
    issued: &IssuedNode,
    public_key: &[u8],
) -> Result<(), DbError> {
    sqlx::query(sql::INSERT_CERTIFICATE)
        .bind(tx.tenant().as_uuid())
        .bind(issued.fingerprint.as_slice())
        .bind(node.as_uuid())
        .bind(i64::from(term.0))
        .bind(&issued.serial)
        .bind(public_key)
        .bind(utc(issued.validity.0))
        .bind(utc(issued.validity.1))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The CA of a shop.
pub(super) async fn shop_ca(tx: &mut TenantTx, shop: ShopId) -> Result<Option<SealedShopCa>, DbError> {
    let query = sqlx::query(sql::SHOP_CA).bind(tx.tenant().as_uuid()).bind(shop.as_uuid());
    let row = query.fetch_optional(tx.conn()).await?;
    row.map(|row| Ok(SealedShopCa { certificate: row.try_get(0)?, sealed_key: row.try_get(1)? })).transpose()
}

/// Writes the CA of a shop unless somebody else was faster.
pub(super) async fn insert_shop_ca(
    tx: &mut TenantTx,
    shop: ShopId,
    ca: &SealedShopCa,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(sql::INSERT_SHOP_CA)
        .bind(tx.tenant().as_uuid())
        .bind(shop.as_uuid())
        .bind(&ca.certificate)
        .bind(&ca.sealed_key)
        .bind(utc(now))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// What is on record about a certificate of this node.
pub(super) async fn certificate(
    tx: &mut TenantTx,
    fingerprint: &[u8; 32],
    (shop, node): (ShopId, NodeId),
) -> Result<Option<CertificateRecord>, DbError> {
    let row = sqlx::query(sql::CERTIFICATE)
        .bind(tx.tenant().as_uuid())
        .bind(fingerprint.as_slice())
        .bind(node.as_uuid())
        .bind(shop.as_uuid())
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| {
        Ok(CertificateRecord {
            certificate_term: term(row.try_get(0)?).0,
            node_term: term(row.try_get(1)?).0,
            revoked: row.try_get(2)?,
            retired: row.try_get(3)?,
            closed: row.try_get(4)?,
        })
    })
    .transpose()
}

/// Of each of these certificates, by fingerprint: whether it is in force no longer.
pub(super) async fn fallen(tx: &mut TenantTx, fingerprints: &[[u8; 32]]) -> Result<Vec<bool>, DbError> {
    let query = sqlx::query_scalar(sql::FALLEN).bind(tx.tenant().as_uuid()).bind(fingerprints);
    Ok(query.fetch_all(tx.conn()).await?)
}

/// The public keys of this node's certificates of its term, and the certificates' fingerprints.
pub(super) async fn public_keys(tx: &mut TenantTx, who: &NodeIdentity) -> Result<Vec<(Vec<u8>, Vec<u8>)>, DbError> {
    let query = sqlx::query(sql::PUBLIC_KEYS).bind(tx.tenant().as_uuid()).bind(who.node.as_uuid());
    let rows = query.bind(i64::from(who.term.0)).fetch_all(tx.conn()).await?;
    rows.into_iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Notes a contact.
pub(super) async fn seen(tx: &mut TenantTx, node: NodeId, report: &NodeReport, now: Timestamp) -> Result<(), DbError> {
    sqlx::query(sql::SEEN)
        .bind(tx.tenant().as_uuid())
        .bind(node.as_uuid())
        .bind(utc(now))
        .bind(&report.agent_version)
        .bind(&report.boot_nonce)
        .bind(report.carrier.name())
        .bind(&report.address)
        .bind(report.clock.millis_since(now))
        .bind(report.connected)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Keeps a verified checkpoint if it is the newest of its log. Gives (kept, contradicts) as it stood.
pub(super) async fn checkpoint(
    tx: &mut TenantTx,
    node: NodeId,
    signed: &SignedCheckpoint,
    fingerprint: &[u8],
    now: Timestamp,
) -> Result<(bool, bool), DbError> {
    let checkpoint = &signed.checkpoint;
    let seq = i64::try_from(checkpoint.seq.0).unwrap_or(i64::MAX);
    let row = sqlx::query(sql::CHECKPOINT)
        .bind(tx.tenant().as_uuid())
        .bind(node.as_uuid())
        .bind(i64::from(checkpoint.term.0))
        .bind(i16::from(checkpoint.stream as u8))
        .bind(seq)
        .bind(checkpoint.head_hash.as_slice())
        .bind(utc(checkpoint.at))
        .bind(signed.signature.to_bytes().as_slice())
        .bind(fingerprint)
        .bind(utc(now))
        .fetch_one(tx.conn())
        .await?;
    let (stands, hash): (i64, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
    Ok((stands == seq, stands == seq && hash != checkpoint.head_hash))
}

/// The database checks the range; what does not fit cannot be in force.
fn term(number: i64) -> Term {
    Term(u32::try_from(number).unwrap_or(0))
}
