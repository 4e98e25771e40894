//! The daily watch over isolation in production: the rules of the catalogue and what could be astray in the rows, as the
//! tests hold them. What it finds is a metric, a line in the log and a notice to every operator. It mends nothing.

use std::time::Duration;

use protocol::timestamp::Timestamp;
use tokio::sync::watch;

use crate::app::App;
use crate::auth::policy::PLATFORM_TENANT;
use crate::db::{DbError, TenantTx, astray, members};
use crate::domain::notifications::{self, Kind, Notice};
use crate::domain::tenants;
use crate::telemetry;

const EVERY: Duration = Duration::from_secs(24 * 3_600);
/// Findings that a notice repeats; the log has all.
const TOLD: usize = 5;

/// Runs until `ending` turns true.
pub async fn run(app: App, mut ending: watch::Receiver<bool>) {
    loop {
        // A round that fails is a line of telemetry::job; the next one comes.
        let done = telemetry::job("isolation", once(&app, app.clock.now())).await;
        drop(done);
        if tokio::time::timeout(EVERY, ending.wait_for(|ending| *ending)).await.is_ok() {
            return;
        }
    }
}

/// One round: everything that was found, in words.
///
/// # Errors
/// Whatever the database met.
pub async fn once(app: &App, now: Timestamp) -> Result<Vec<String>, DbError> {
    let mut found = app.db.breaches().await?;
    for tenant in tenants::service::all(app).await? {
        let mut tx = TenantTx::begin(&app.db, tenant).await?;
        found.extend(astray(&mut tx).await?.into_iter().map(|(what, rows)| format!("{tenant}: {rows} {what}")));
    }
    metrics::gauge!("tillway_isolation_breaches").set(f64::from(u32::try_from(found.len()).unwrap_or(u32::MAX)));
    for finding in &found {
        tracing::error!(target: "audit", finding, "isolation is breached");
    }
    if !found.is_empty() {
        tell(app, &found, now).await?;
    }
    Ok(found)
}

/// Tells every operator.
async fn tell(app: &App, found: &[String], now: Timestamp) -> Result<(), DbError> {
    let mut tx = TenantTx::begin(&app.db, PLATFORM_TENANT).await?;
    let first: Vec<&str> = found.iter().take(TOLD).map(String::as_str).collect();
    let body = format!("The daily check found {}: {}", found.len(), first.join("; "));
    let notice = Notice::new(Kind::Security, "Isolation of tenants is breached", body);
    for operator in members(&mut tx).await? {
        notifications::service::tell(&mut tx, operator, &notice, now).await?;
    }
    tx.save().await
}
