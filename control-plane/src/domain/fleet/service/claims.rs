//! Making claims. The code is known only to whoever asked; HQ keeps a hash of its secret.

use protocol::enroll::{ClaimCode, ClaimSecret};
use protocol::id::ShopId;
use protocol::limits;
use protocol::timestamp::Timestamp;
use serde_json::json;

use super::super::error::FleetError;
use super::super::rules;
use super::super::store::{self, ClaimRow};
use super::super::types::{ClaimMade, NewClaim};
use crate::app::App;
use crate::db::{Db, DbError, SystemReason, SystemTx, TenantTx};
use crate::domain::audit::{self, Actor, Entry};
use crate::domain::shops;
use crate::rng;

/// The address that `provision enroll --hq` is given: the encrypted door as whoever asked reached us, else the plain
/// one, which enrols boxes of the same machine alone. None while head office is starting.
pub fn enrol_address(app: &App, host: Option<&str>) -> Option<String> {
    let places = app.places();
    let tcp = places.tcp.map(|tcp| format!("https://{}", rules::address_for_node(&tcp, host)));
    tcp.or(places.http)
}

/// Ends the claims of the transaction's tenant that no box has used; how many. Its account is closed.
///
/// # Errors
/// Whatever the database met.
pub async fn end_claims(tx: &mut TenantTx, now: Timestamp) -> Result<u64, DbError> {
    store::end_claims(tx, now).await
}

/// Makes a claim for a node of `shop` in the transaction of its tenant: one-time, for 24 hours. `db` is asked for
/// the certificate of the device CA alone, so that the command line needs no key.
///
/// # Errors
/// [`FleetError::NoShop`] (also for another tenant's), [`FleetError::TooManyClaims`], [`FleetError::NoCa`].
pub async fn create_claim(
    db: &Db,
    tx: &mut TenantTx,
    shop: ShopId,
    new: NewClaim,
    now: Timestamp,
) -> Result<ClaimMade, FleetError> {
    let mut system = SystemTx::begin(db, SystemReason::Keys).await?;
    let ca = store::device_ca(system.conn()).await?.ok_or(FleetError::NoCa)?;
    drop(system);
    if shops::service::settings(tx, shop).await?.is_none() {
        return Err(FleetError::NoShop);
    }
    if store::open_claims(tx, shop, now).await? >= limits::OPEN_CLAIMS {
        return Err(FleetError::TooManyClaims);
    }
    let secret = ClaimSecret::from_bytes(rng::bytes());
    let claim = ClaimRow {
        id: rng::id(now),
        shop,
        role: new.role,
        secret_hash: secret.hash(),
        by: new.by.and_then(|by| by.person).map(|person| person.as_uuid()),
        created_at: now,
        expires_at: rules::claim_ends(now),
    };
    store::insert_claim(tx, &claim).await?;
    let entry = Entry::new("fleet.claim_made", "shop", shop).diff(json!({ "claim": claim.id }));
    audit::service::record(tx, new.by.unwrap_or(Actor::COMMAND), &entry, now).await?;
    tracing::info!(tenant = %tx.tenant(), %shop, claim = %claim.id, "claim made");
    Ok(ClaimMade { claim_id: claim.id, code: ClaimCode::new(secret, &ca).to_string(), expires_at: claim.expires_at })
}
