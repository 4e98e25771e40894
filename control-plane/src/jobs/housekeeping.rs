//! Upkeep: once an hour, what was kept for a time goes when the time is over, and months that ended are summed for the
//! pages that look back over a year. Tenant by tenant, so that no
//! statement sees two of them.

use std::time::Duration;

use protocol::timestamp::Timestamp;
use tokio::sync::watch;

use super::{service, store};
use crate::app::App;
use crate::auth::throttle;
use crate::db::{DbError, SystemReason, SystemTx, TenantTx};
use crate::domain::{identity, notifications, sales, tenants};
use crate::telemetry;

const EVERY: Duration = Duration::from_secs(3_600);
const DAY_MILLIS: i64 = 24 * 3_600 * 1_000;
/// Idempotent answers are kept as long as an edge may be offline and come back with a retry.
pub const IDEMPOTENCY_MILLIS: i64 = 7 * DAY_MILLIS;
/// Ended sessions are kept so that people can see where they were signed in.
pub const SESSION_MILLIS: i64 = 90 * DAY_MILLIS;
/// Records of who reached across tenants.
pub const ACCESS_MILLIS: i64 = 400 * DAY_MILLIS;

/// What one round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Idempotent answers.
    pub idempotency: u64,
    /// Sessions.
    pub sessions: u64,
    /// Sign-in windows.
    pub tries: u64,
    /// Records of system access.
    pub access: u64,
    /// Jobs that are over.
    pub jobs: u64,
    /// Notices to people.
    pub notices: u64,
    /// Months that were summed; nothing that was removed.
    pub months: u64,
}

/// Runs until `ending` turns true.
pub async fn run(app: App, mut ending: watch::Receiver<bool>) {
    loop {
        // At the start too: a head office that is restarted every half hour is upkept all the same.
        if let Ok(Removed { idempotency, sessions, tries, access, jobs, notices, months }) =
            telemetry::job("housekeeping", once(&app, app.clock.now())).await
        {
            tracing::info!(
                idempotency,
                sessions,
                tries,
                access,
                jobs,
                notices,
                months,
                "housekeeping removed what had expired"
            );
        }
        if tokio::time::timeout(EVERY, ending.wait_for(|ending| *ending)).await.is_ok() {
            return;
        }
    }
}

/// One round.
///
/// # Errors
/// Whatever the database met; what was removed before stays removed.
pub async fn once(app: &App, now: Timestamp) -> Result<Removed, DbError> {
    let mut removed = Removed::default();
    for tenant in tenants::service::all(app).await? {
        let mut tx = TenantTx::begin(&app.db, tenant).await?;
        removed.idempotency += store::prune_idempotency(&mut tx, now.plus_millis(-IDEMPOTENCY_MILLIS)).await?;
        removed.sessions += identity::service::prune(&mut tx, now.plus_millis(-SESSION_MILLIS)).await?;
        removed.jobs += service::prune(&mut tx, now).await?;
        removed.notices += notifications::service::prune(&mut tx, now).await?;
        tx.save().await?;
        removed.months += sales::service::roll_years(app, tenant).await?;
    }
    let mut tx = SystemTx::begin(&app.db, SystemReason::Housekeeping).await?;
    removed.tries = store::prune_tries(&mut tx, now.plus_millis(-throttle::WINDOW_MILLIS)).await?;
    removed.access = store::prune_access(&mut tx, now.plus_millis(-ACCESS_MILLIS)).await?;
    identity::service::prune_places(&mut tx, now.plus_millis(-throttle::PLACE_MILLIS)).await?;
    removed.jobs += service::prune_platform(&mut tx, now).await?;
    tenants::registrations::service::prune(&mut tx, now).await?;
    tx.save().await?;
    app.keys.tend(&app.db, now).await?;
    Ok(removed)
}
