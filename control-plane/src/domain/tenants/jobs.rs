//! The job of tenants: an account is closed when its thirty days are over.

use protocol::timestamp::Timestamp;
use serde_json::json;

use super::life;
use crate::app::App;
use crate::auth::policy::PLATFORM_TENANT;
use crate::db::{DbError, TenantTx};
use crate::domain::audit::{self, Actor, Entry};
use crate::jobs::{self as work, Handler, Home, Job, JobError, Work};

const CLOSE: &str = "tenant.close";

/// Who does the jobs of this noun.
pub fn handlers() -> Vec<Handler> {
    vec![Handler::new(CLOSE, close)]
}

/// Asks for the transaction's tenant to be closed then. Should it be kept, the job finds nothing to do.
pub(super) async fn close_at(tx: &mut TenantTx, at: Timestamp, now: Timestamp) -> Result<(), DbError> {
    work::enqueue(tx, Job::new(CLOSE, json!({}), now).at(at).attempts(100)).await.map(drop)
}

async fn close(app: App, job: Work) -> Result<(), JobError> {
    let Home::Tenant(tenant) = job.home else { return Err(JobError::Never("an account has a tenant".to_owned())) };
    let now = app.clock.now();
    let mut tx = TenantTx::begin(&app.db, tenant).await?;
    let closed = life::close_if_due(&mut tx, now).await.map_err(|error| JobError::Again(error.message))?;
    let Some(entry) = closed else { return Ok(()) };
    audit::service::record(&mut tx, Actor::JOB, &entry, now).await?;
    let mut platform = TenantTx::begin(&app.db, PLATFORM_TENANT).await?;
    let here = Entry::new(entry.action, "tenant", tenant).diff(entry.diff);
    audit::service::record(&mut platform, Actor::JOB, &here, now).await?;
    work::finish(&mut tx, &job, now).await?;
    tx.save().await?;
    Ok(platform.save().await?)
}
