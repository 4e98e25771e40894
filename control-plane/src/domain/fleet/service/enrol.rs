//! Enrolment: a box with a claim becomes a node, in one transaction, or nothing happened. The same box with the
//! same key may ask again within the claim's day (its answer may have been lost) and stays the same node.

use protocol::enroll::{EnrollReply, EnrollRequest, HQ_SERVER_NAME, NodeUrn};
use protocol::id::{NodeId, ShopId, Term};
use protocol::timestamp::Timestamp;
use uuid::Uuid;

use super::super::authority::{Authority, DeviceCsr, SealedShopCa, TerminalCsr};
use super::super::error::{ClaimRefusal, FleetError};
use super::super::rules::{self, BoxFacts};
use super::super::store::{self, EnrolledNode};
use crate::app::App;
use crate::db::{SystemReason, SystemTx, TenantTx};
use crate::domain::{shops, tenants};
use crate::rng;

/// How the box reached HQ.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The `Host` it asked for.
    pub host: Option<String>,
}

/// Makes a node of the box that holds the claim.
///
/// # Errors
/// [`FleetError`]; nothing was kept then. A refusal says nothing of the tenant.
pub async fn enrol(app: &App, caller: &Caller, request: &EnrollRequest) -> Result<EnrollReply, FleetError> {
    let fleet = app.fleet.get()?;
    let places = app.places();
    let quic = places.quic.ok_or(FleetError::Starting)?;
    let now = app.clock.now();
    // All of this costs no database and refuses garbage first.
    let facts = rules::box_facts(request)?;
    let csr = DeviceCsr::parse(&request.csr)?;
    let terminal_csr = request.terminal_csr.as_deref().map(TerminalCsr::parse).transpose()?;

    let mut system = SystemTx::begin(&app.db, SystemReason::Enrolment).await?;
    let found = store::find_claim(system.conn(), &request.secret.hash()).await?;
    drop(system);
    let (tenant, claim) = found.ok_or(ClaimRefusal::Unknown)?;

    let mut tx = TenantTx::begin(&app.db, tenant).await?;
    if tenants::service::is_closed(&mut tx).await? {
        return Err(ClaimRefusal::Unknown.into());
    }
    let (node, enrolled) = claimed_node(&mut tx, claim, &facts, &csr, now).await?;
    let EnrolledNode { shop, name, term } = enrolled;
    let settings = shops::service::settings(&mut tx, shop).await?.ok_or(FleetError::NoShop)?;
    let urn = NodeUrn { tenant, shop, node, term };
    let issued = fleet.authority().issue_node(&csr, &urn, now)?;
    store::insert_certificate(&mut tx, (node, term), &issued, csr.public_key()).await?;
    let shop_ca = shop_authority(&mut tx, fleet.authority(), shop, &settings.name, now).await?;
    let terminal_chain = match &terminal_csr {
        Some(csr) => {
            let box_names = (facts.hostname.as_deref(), facts.addresses.as_slice());
            Some(fleet.authority().issue_terminal((tenant, shop), &shop_ca, csr, box_names, now)?)
        }
        None => None,
    };
    tx.save().await?;
    metrics::counter!("tillway_enrolments_total").increment(1);
    tracing::info!(%tenant, %shop, %node, term = term.0, name, version = facts.agent_version, "node enrolled");
    let host = caller.host.as_deref();
    Ok(EnrollReply {
        tenant_id: tenant,
        shop_id: shop,
        node_id: node,
        term,
        name,
        certificate_chain: issued.chain,
        device_ca: fleet.authority().pem().to_owned(),
        shop_ca: shop_ca.certificate,
        terminal_chain,
        certificate_expires_at: issued.validity.1,
        quic: rules::address_for_node(&quic, host),
        tcp: places.tcp.map(|tcp| rules::address_for_node(&tcp, host)),
        server_name: HQ_SERVER_NAME.to_owned(),
        shop: settings,
        hq_time: now,
    })
}

/// Uses the claim up for a new node, or finds the node that this very key became with it before.
async fn claimed_node(
    tx: &mut TenantTx,
    claim: Uuid,
    facts: &BoxFacts,
    csr: &DeviceCsr,
    now: Timestamp,
) -> Result<(NodeId, EnrolledNode), FleetError> {
    let node = NodeId::from_uuid(rng::id(now));
    if let Some((shop, role)) = store::consume_claim(tx, claim, node, now).await? {
        let enrolled = EnrolledNode { shop, name: rules::node_name(facts, node), term: Term(1) };
        store::insert_node(tx, node, &enrolled, (&role, claim), now).await?;
        return Ok((node, enrolled));
    }
    let (user, day_left) = store::claim_user(tx, claim, now).await?.ok_or(ClaimRefusal::Unknown)?;
    if let (Some(node), true) = (user, day_left)
        && let Some(enrolled) = store::node_of_key(tx, node, csr.public_key()).await?
    {
        tracing::info!(tenant = %tx.tenant(), %node, "enrolment repeated by the same key");
        return Ok((node, enrolled));
    }
    Err(rules::refusal(user.is_some()).into())
}

/// The shop's CA, made with its first node.
async fn shop_authority(
    tx: &mut TenantTx,
    authority: &Authority,
    shop: ShopId,
    name: &str,
    now: Timestamp,
) -> Result<SealedShopCa, FleetError> {
    if let Some(ca) = store::shop_ca(tx, shop).await? {
        return Ok(ca);
    }
    let made = authority.new_shop_ca(tx.tenant(), shop, name, now)?;
    store::insert_shop_ca(tx, shop, &made, now).await?;
    // Another enrolment of the same shop may have been faster; its CA counts.
    Ok(store::shop_ca(tx, shop).await?.unwrap_or(made))
}
