//! Nodes that are in: who may connect, what they say of themselves, what they swear, and what HQ shows of it.

use std::sync::Arc;

use protocol::enroll::{NodeUrn, SignedCheckpoint, fingerprint};
use protocol::id::{NodeId, Seq, ShopId, Stream, TenantId};
use protocol::limits;
use ring::signature::{ED25519, UnparsedPublicKey};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::super::error::{AdmitError, CheckpointError, FleetError};
use super::super::rules;
use super::super::store::{self, Sworn};
use super::super::types::{NodeCompleteness, NodeIdentity, NodeReport, NodeRow, Recorded, ShopCompleteness};
use crate::app::App;
use crate::db::{DbError, TenantTx};
use crate::domain::{sales, shops};

/// Lets a node in, or not. The certificate was verified against the device CA by TLS; here HQ's records decide.
/// Everything about the node is read from it.
///
/// # Errors
/// [`AdmitError`]; only [`AdmitError::Db`] is worth trying again.
pub async fn admit(app: &App, cert_der: &[u8]) -> Result<NodeIdentity, AdmitError> {
    let urn = urn_of(cert_der).ok_or(AdmitError::NotANode)?;
    let NodeUrn { tenant, shop, node, term } = urn;
    let mut tx = TenantTx::begin(&app.db, tenant).await?;
    let record = store::certificate(&mut tx, &fingerprint(cert_der), (shop, node)).await?;
    drop(tx);
    if let Err(refused) = rules::admit(record, term.0) {
        metrics::counter!("tillway_nodes_refused_total", "reason" => refused.name()).increment(1);
        tracing::warn!(%tenant, %shop, %node, term = term.0, reason = refused.name(), "node refused");
        return Err(refused);
    }
    Ok(NodeIdentity { tenant, shop, node, term })
}

/// Of each of these certificates (DER) of a tenant's nodes: whether it is in force no longer, because it was
/// revoked, its node was retired, or a later term is in force.
///
/// # Errors
/// Whatever the database met.
pub async fn fallen(app: &App, tenant: TenantId, certificates: &[Arc<[u8]>]) -> Result<Vec<bool>, DbError> {
    let fingerprints: Vec<[u8; 32]> = certificates.iter().map(|der| fingerprint(der)).collect();
    let mut tx = TenantTx::begin(&app.db, tenant).await?;
    store::fallen(&mut tx, &fingerprints).await
}

/// The one name of a node in a certificate; a certificate with none or several names nobody.
fn urn_of(cert_der: &[u8]) -> Option<NodeUrn> {
    let (rest, certificate) = X509Certificate::from_der(cert_der).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let names = certificate.subject_alternative_name().ok()??;
    match names.value.general_names.as_slice() {
        [GeneralName::URI(uri)] => uri.parse().ok(),
        _ => None,
    }
}

/// Notes that a node was heard of. Text that is too long is cut: a contact is not refused for its words.
///
/// # Errors
/// Whatever the database met.
pub async fn seen(app: &App, who: &NodeIdentity, report: NodeReport) -> Result<(), DbError> {
    let cut = |text: &str| text.chars().filter(|c| !c.is_control()).take(64).collect::<String>();
    let mut report = NodeReport { agent_version: cut(&report.agent_version), address: cut(&report.address), ..report };
    report.boot_nonce.truncate(64);
    let mut tx = TenantTx::begin(&app.db, who.tenant).await?;
    store::seen(&mut tx, who.node, &report, app.clock.now()).await?;
    tx.save().await
}

/// Keeps what a node swore, after its signature was verified with the key of a certificate on record.
///
/// # Errors
/// [`CheckpointError`]; nothing was kept then. A contradiction is no error: it is kept count of, and alarmed.
pub async fn record_checkpoint(
    app: &App,
    who: &NodeIdentity,
    signed: SignedCheckpoint,
) -> Result<Recorded, CheckpointError> {
    if signed.checkpoint.term != who.term {
        return Err(CheckpointError::Term);
    }
    if i64::try_from(signed.checkpoint.seq.0).is_err() {
        return Err(CheckpointError::Position);
    }
    let mut tx = TenantTx::begin(&app.db, who.tenant).await?;
    let (message, signature) = (signed.checkpoint.signing_input(who.node), signed.signature.to_bytes());
    let keys = store::public_keys(&mut tx, who).await?;
    let signer =
        keys.into_iter().find(|(key, _)| UnparsedPublicKey::new(&ED25519, key).verify(&message, &signature).is_ok());
    let (_, certificate) = signer.ok_or(CheckpointError::Signature)?;
    let diverges = diverges(&mut tx, who, &signed).await?;
    let (newest, contradicts) = store::checkpoint(&mut tx, who.node, &signed, &certificate, app.clock.now()).await?;
    tx.save().await?;
    if diverges {
        metrics::counter!("tillway_checkpoint_divergences_total").increment(1);
        tracing::error!(tenant = %who.tenant, shop = %who.shop, node = %who.node, term = who.term.0,
            seq = signed.checkpoint.seq.0, "DIVERGENCE: a node swears to another history than the one it sent");
    }
    if contradicts {
        metrics::counter!("tillway_checkpoint_contradictions_total").increment(1);
        tracing::error!(tenant = %who.tenant, shop = %who.shop, node = %who.node, term = who.term.0,
            seq = signed.checkpoint.seq.0, "a node swore two different things about one position of its log");
        return Ok(Recorded::Contradiction);
    }
    Ok(if newest { Recorded::Newest } else { Recorded::Older })
}

/// Whether the chain that HQ made of the node's events says otherwise than what the node swears. While HQ has not
/// come so far, it says nothing.
async fn diverges(tx: &mut TenantTx, who: &NodeIdentity, signed: &SignedCheckpoint) -> Result<bool, DbError> {
    let checkpoint = &signed.checkpoint;
    let known = sales::service::hash_at(tx, who.node, who.term, checkpoint.stream, checkpoint.seq).await?;
    Ok(known.is_some_and(|known| known != checkpoint.head_hash))
}

/// A page of the tenant's nodes, and where the next one starts.
///
/// # Errors
/// Whatever the database met.
pub async fn list(
    tx: &mut TenantTx,
    shop: Option<ShopId>,
    after: Option<NodeId>,
    limit: u32,
) -> Result<(Vec<NodeRow>, Option<NodeId>), DbError> {
    let limit = limit.clamp(1, limits::NODE_PAGE);
    let mut rows = store::nodes(tx, shop, after, i64::from(limit).saturating_add(1)).await?;
    let page = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > page;
    rows.truncate(page);
    let ids: Vec<_> = rows.iter().map(|row| row.node_id).collect();
    for (node, position) in store::positions(tx, &ids).await? {
        if let Some(row) = rows.iter_mut().find(|row| row.node_id == node) {
            row.logs.push(position);
        }
    }
    let next = if more { rows.last().map(|row| NodeId::from_uuid(row.node_id)) } else { None };
    Ok((rows, next))
}

/// Whether HQ has everything that the nodes of a shop hold, by what they swore and what HQ can show.
///
/// # Errors
/// [`FleetError::NoShop`], also for another tenant's.
pub async fn completeness(tx: &mut TenantTx, shop: ShopId) -> Result<ShopCompleteness, FleetError> {
    if shops::service::settings(tx, shop).await?.is_none() {
        return Err(FleetError::NoShop);
    }
    let sworn = store::sworn(tx, shop, Stream::Fiscal as u8).await?;
    let mut received = sales::service::completeness(tx, shop).await?;
    let mut nodes = Vec::with_capacity(sworn.len());
    for (node, term, checkpoint) in sworn {
        let found = received.iter().position(|log| log.node == node && log.term == term);
        let log = found.map(|place| received.swap_remove(place));
        let head_hash_equal = match (&checkpoint, &log) {
            (Some(sworn), Some(log)) => {
                let head = (log.head_seq.0, log.head_hash);
                let at = if head.0 > sworn.seq { hash_at(tx, sworn).await? } else { None };
                rules::head_hash_equal((sworn.seq, sworn.head_hash), head, at)
            }
            // Nothing came and nothing was written: both stand at the beginning of the chain.
            (Some(sworn), None) => {
                sworn.seq == 0 && sworn.head_hash == protocol::ledger::genesis(node, term, Stream::Fiscal)
            }
            // Nothing was sworn and nothing came: as far as anybody knows, both stand at the beginning.
            (None, None) => true,
            (None, Some(_)) => false,
        };
        let stored = match (&checkpoint, &log) {
            (Some(sworn), _) => Some(sworn.seq),
            (None, None) => Some(0),
            (None, Some(_)) => None,
        };
        nodes.push(NodeCompleteness {
            node_id: node.as_uuid(),
            term: term.0,
            stored,
            received: log.as_ref().map_or(0, |log| log.received),
            gaps: log.as_ref().map_or(0, |log| log.gaps),
            resent: log.as_ref().map_or(0, |log| log.resent),
            duplicates: log.as_ref().map_or(0, |log| log.duplicates),
            head_hash_equal,
            checkpoint_at: checkpoint.as_ref().map(|sworn| sworn.at),
            contradictions: checkpoint.as_ref().map_or(0, |sworn| u64::try_from(sworn.contradictions).unwrap_or(0)),
        });
    }
    Ok(ShopCompleteness { nodes })
}

async fn hash_at(tx: &mut TenantTx, sworn: &Sworn) -> Result<Option<[u8; 32]>, DbError> {
    if sworn.seq == 0 {
        return Ok(Some(protocol::ledger::genesis(sworn.node, sworn.term, Stream::Fiscal)));
    }
    sales::service::hash_at(tx, sworn.node, sworn.term, Stream::Fiscal, Seq(sworn.seq)).await
}
