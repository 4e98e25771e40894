//! Setting PINs: which may be chosen, that nobody in the same shop has it, and how it is kept. The PIN is gone when the
//! answer is sent.

use std::time::Duration;

use protocol::id::StaffId;
use protocol::limits;
use protocol::staff::{PinVerifier, check_pin};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::types::{Member, NewPin};
use super::{of_shop, service, store};
use crate::app::App;
use crate::auth::guard::{Acts, Caller};
use crate::auth::policy::Scope;
use crate::auth::seal::Sealer;
use crate::auth::throttle;
use crate::db::{SystemReason, SystemTx, TenantTx};
use crate::domain::audit::Actor;
use crate::http::{ApiError, ApiResult};
use crate::rng;

/// What the sealed verifiers are for.
const PURPOSE: &str = "staff.pin";
/// One at a time: a PIN is compared with all of a shop, and two who choose the same must not pass each other.
static TURN: Semaphore = Semaphore::const_new(1);
/// PINs that one person sets in one shop within a window of [`throttle::WINDOW_MILLIS`]: more look for a PIN that is taken.
const PINS: i32 = 10;
/// How long somebody waits for their turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens a verifier.
pub(super) fn open(sealer: &Sealer, staff: Uuid, salt: &[u8], sealed: &[u8]) -> Option<PinVerifier> {
    let plain = sealer.open(PURPOSE, staff.as_bytes(), sealed)?;
    let (scheme, hash) = plain.split_first()?;
    Some(PinVerifier { scheme: *scheme, salt: salt.try_into().ok()?, hash: hash.try_into().ok()? })
}

fn seal(sealer: &Sealer, staff: StaffId, verifier: &PinVerifier) -> Vec<u8> {
    let plain: Vec<u8> = std::iter::once(verifier.scheme).chain(verifier.hash).collect();
    sealer.seal(PURPOSE, staff.as_uuid().as_bytes(), &plain)
}

/// Sets somebody's PIN. The caller hints the collection `Staff` afterwards.
///
/// # Errors
/// VALIDATION for a PIN that is soon guessed or that somebody in the same shop has; RATE_LIMIT for whoever sets many; what
/// [`service::update`] refuses.
pub async fn set(app: &App, who: &impl Acts, scope: &Scope, id: StaffId, new: NewPin) -> ApiResult<Member> {
    let busy = || ApiError::unavailable("other PINs are being set; try again in a moment");
    let _turn = tokio::time::timeout(PATIENCE, TURN.acquire()).await.map_err(|_| busy())?.map_err(|_| busy())?;
    let mut tx = TenantTx::begin_within(&app.db, who.caller().tenant, &who.bounds()).await?;
    let row = service::mine(&mut tx, scope, id).await?;
    check_pin(&new.pin).map_err(|fault| ApiError::field("pin", fault))?;
    let most = i64::try_from(limits::STAFF_OF_SHOP).unwrap_or(i64::MAX);
    let others = store::beside(&mut tx, id, row.all_shops, &row.shop_ids, most).await?;
    // Nothing is held while it is computed.
    drop(tx);
    count(app, who.caller(), service::bare_shops(&row).as_deref()).await?;
    let others: Vec<PinVerifier> = others.iter().filter_map(|row| of_shop::verifier(row, &app.sealer)).collect();
    let salt = rng::bytes();
    let made = tokio::task::spawn_blocking(move || {
        if others.iter().any(|other| other.fits(&new.pin, None)) {
            return Ok(None);
        }
        let made = PinVerifier::of(&new.pin, salt);
        made.map(Some).ok_or_else(|| ApiError::unavailable("there is no memory for this now"))
    });
    let verifier = made.await.map_err(ApiError::internal)??;
    let now = app.clock.now();
    let mut tx = TenantTx::begin_within(&app.db, who.caller().tenant, &who.bounds()).await?;
    let Some(verifier) = verifier else {
        // Whoever learned a PIN of somebody this way is on record.
        service::record_taken(&mut tx, Actor::from(who.caller()), id, now).await?;
        tx.save().await?;
        return Err(ApiError::field("pin", "somebody they work with has this PIN; choose another"));
    };
    let row = service::mine(&mut tx, scope, id).await?;
    store::set_pin(&mut tx, id, &verifier.salt, &seal(&app.sealer, id, &verifier), now).await?;
    store::bump(&mut tx, service::bare_shops(&row).as_deref(), now).await?;
    service::record_pin(&mut tx, Actor::from(who.caller()), id, now).await?;
    let member = service::get(&mut tx, scope, id).await?;
    tx.save().await?;
    Ok(member)
}

/// Counts a PIN that somebody sets, in each shop that it is for (none: all of them, which is a count of its own), before it
/// is compared: "somebody has it" must not answer for ten thousand PINs.
async fn count(app: &App, by: &Caller, shops: Option<&[Uuid]>) -> ApiResult<()> {
    let now = app.clock.now();
    let key = format!("PINs by {} of {}", by.person, by.tenant);
    let everywhere = [Uuid::nil()];
    let mut tx = SystemTx::begin(&app.db, SystemReason::Account).await?;
    let mut wait = None;
    for shop in shops.unwrap_or(&everywhere) {
        wait = wait.max(throttle::count_at(&mut tx, &key, &shop.to_string(), PINS, now).await?);
    }
    tx.save().await?;
    wait.map_or(Ok(()), |seconds| {
        Err(ApiError::rate_limit("too many PINs were set in this shop just now; wait, then go on", seconds))
    })
}
