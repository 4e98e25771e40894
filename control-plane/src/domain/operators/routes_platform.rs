//! The registry, jobs and kept mails over JSON, for operators of the platform.

use axum::extract::State;
use protocol::id::TenantId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::service;
use super::types::{JobOf, JobTold, JobsAsked, KeptMail, SetFeature, SetModule};
use crate::app::App;
use crate::auth::guard::{Caller, Can};
use crate::auth::policy::{PLATFORM_TENANT, right};
use crate::db::{SystemReason, SystemTx, TenantTx};
use crate::domain::audit::{self, Entry};
use crate::domain::modules;
use crate::domain::modules::types::ModuleView;
use crate::http::{ApiError, ApiResult, Data, Json, Paging, Path, Query};
use crate::jobs::service as jobs;
use crate::jobs::service::{Filter, Seen};

/// The routes of the platform itself.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(registry, set_module))
        .routes(routes!(set_feature))
        .routes(routes!(list))
        .routes(routes!(retry))
        .routes(routes!(cancel))
        .routes(routes!(mails))
}

/// The name of the list in its cursors.
const JOBS: &str = "jobs";

/// The registry: what there is to be had.
#[utoipa::path(get, path = "/v1/superadmin/modules", tag = "operators", operation_id = "list_registry", responses(
    (status = 200, body = Data<Vec<ModuleView>>)))]
async fn registry(State(app): State<App>, can: Can<right::PlatformTenantsRead>) -> ApiResult<Data<Vec<ModuleView>>> {
    let mut tx = can.begin(&app).await?;
    Ok(Data::new(modules::service::registry(&mut tx).await?))
}

/// Change a module for everybody.
#[utoipa::path(post, path = "/v1/superadmin/modules", tag = "operators", operation_id = "set_module",
    request_body = SetModule, responses((status = 200, body = Data<Vec<ModuleView>>)))]
async fn set_module(
    State(app): State<App>,
    can: Can<right::PlatformModulesWrite>,
    Json(new): Json<SetModule>,
) -> ApiResult<Data<Vec<ModuleView>>> {
    let mut tx = can.begin(&app).await?;
    service::set_module(&app, &can, &mut tx, &new).await?;
    let registry = modules::service::registry(&mut tx).await?;
    tx.save().await?;
    Ok(Data::new(registry))
}

/// Make or change a feature for everybody.
#[utoipa::path(post, path = "/v1/superadmin/features", tag = "operators", operation_id = "set_feature",
    request_body = SetFeature, responses((status = 200, body = Data<Vec<ModuleView>>)))]
async fn set_feature(
    State(app): State<App>,
    can: Can<right::PlatformModulesWrite>,
    Json(new): Json<SetFeature>,
) -> ApiResult<Data<Vec<ModuleView>>> {
    let mut tx = can.begin(&app).await?;
    service::set_feature(&app, &can, &mut tx, &new).await?;
    let registry = modules::service::registry(&mut tx).await?;
    tx.save().await?;
    Ok(Data::new(registry))
}

/// Jobs, newest first; never what they are about.
#[utoipa::path(get, path = "/v1/superadmin/jobs", tag = "operators", operation_id = "list_jobs",
    params(JobsAsked, Paging), responses((status = 200, body = Data<Vec<Seen>>)))]
async fn list(
    State(app): State<App>,
    _can: Can<right::PlatformJobsRead>,
    Query(asked): Query<JobsAsked>,
    paging: Paging,
) -> ApiResult<Data<Vec<Seen>>> {
    let (rows, next) = jobs_of(&app, &asked, paging.after(JOBS)?, paging.limit()).await?;
    paging.cut(JOBS, rows, next)
}

/// Jobs before one.
pub(super) async fn jobs_of(
    app: &App,
    asked: &JobsAsked,
    before: Option<Uuid>,
    limit: u32,
) -> ApiResult<(Vec<Seen>, Option<Uuid>)> {
    if asked.kind.contains('\0') || asked.kind.len() > 64 {
        return Err(ApiError::field("kind", "64 characters at most"));
    }
    let kind = Some(asked.kind.clone()).filter(|kind| !kind.is_empty());
    let tenant = asked.tenant.map(TenantId::from_uuid);
    let mut tx = SystemTx::begin(&app.db, SystemReason::Operators).await?;
    Ok(jobs::list(&mut tx, &Filter { state: asked.state, kind, tenant, before, limit }).await?)
}

/// What may be said about a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Try it again, from the first try.
    Retry,
    /// Call it off.
    Cancel,
}

/// Says it, in the transaction of whose job it is, and notes it in the platform's record.
pub(super) async fn tell_job(
    app: &App,
    by: &Caller,
    platform: &mut TenantTx,
    (job, of): (Uuid, Option<Uuid>),
    word: Word,
) -> ApiResult<()> {
    let now = app.clock.now();
    let (action, none) = match word {
        Word::Retry => ("jobs.retried", "there is no such job that ended without success"),
        Word::Cancel => ("jobs.cancelled", "there is no such job that waits"),
    };
    let entry = Entry::new(action, "job", job).diff(serde_json::json!({ "tenant": of }));
    let told = match of.map(TenantId::from_uuid) {
        // Its record is this very transaction's tenant.
        Some(tenant) if tenant == PLATFORM_TENANT => in_tenant(platform, job, word, now).await?,
        Some(tenant) => {
            let mut tx = TenantTx::begin(&app.db, tenant).await?;
            let told = in_tenant(&mut tx, job, word, now).await?;
            tx.save().await?;
            told
        }
        None => {
            let mut tx = SystemTx::begin(&app.db, SystemReason::Operators).await?;
            let told = match word {
                Word::Retry => jobs::retry_platform(&mut tx, job, now).await.map_err(service::no_job)?,
                Word::Cancel => jobs::cancel_platform(&mut tx, job, now).await?,
            };
            tx.save().await?;
            told
        }
    };
    if !told {
        return Err(ApiError { message: none.to_owned(), ..ApiError::not_found("job") });
    }
    Ok(audit::service::record(platform, by, &entry, now).await?)
}

async fn in_tenant(tx: &mut TenantTx, job: Uuid, word: Word, now: protocol::timestamp::Timestamp) -> ApiResult<bool> {
    match word {
        Word::Retry => jobs::retry(tx, job, now).await.map_err(service::no_job),
        Word::Cancel => Ok(jobs::cancel(tx, job, now).await?),
    }
}

/// Try a job again that was given up.
#[utoipa::path(post, path = "/v1/superadmin/jobs/{id}/retry", tag = "operators", operation_id = "retry_job",
    params(("id" = Uuid, Path)), request_body = JobOf, responses((status = 200, body = Data<JobTold>),
    (status = 409, description = "Another one of its kind and key waits already")))]
async fn retry(
    State(app): State<App>,
    can: Can<right::PlatformJobsWrite>,
    Path(id): Path<Uuid>,
    Json(of): Json<JobOf>,
) -> ApiResult<Data<JobTold>> {
    let mut tx = can.begin(&app).await?;
    tell_job(&app, &can, &mut tx, (id, of.tenant_id), Word::Retry).await?;
    tx.save().await?;
    Ok(Data::new(JobTold { id }))
}

/// Call off a job that waits.
#[utoipa::path(post, path = "/v1/superadmin/jobs/{id}/cancel", tag = "operators", operation_id = "cancel_job",
    params(("id" = Uuid, Path)), request_body = JobOf, responses((status = 200, body = Data<JobTold>)))]
async fn cancel(
    State(app): State<App>,
    can: Can<right::PlatformJobsWrite>,
    Path(id): Path<Uuid>,
    Json(of): Json<JobOf>,
) -> ApiResult<Data<JobTold>> {
    let mut tx = can.begin(&app).await?;
    tell_job(&app, &can, &mut tx, (id, of.tenant_id), Word::Cancel).await?;
    tx.save().await?;
    Ok(Data::new(JobTold { id }))
}

/// Mails that were kept because no server takes them, newest first: which kind, and to which host. What is in them stands in
/// files that only head office's own machine can read.
#[utoipa::path(get, path = "/v1/superadmin/mails", tag = "operators", operation_id = "list_kept_mails", responses(
    (status = 200, body = Data<Vec<KeptMail>>)))]
async fn mails(State(app): State<App>, _can: Can<right::PlatformJobsRead>) -> ApiResult<Data<Vec<KeptMail>>> {
    Ok(Data::new(kept(&app)))
}

/// The kept mails, without what is in them.
pub(super) fn kept(app: &App) -> Vec<KeptMail> {
    let mail = |mail: crate::mail::Outgoing| KeptMail {
        id: mail.id,
        to_host: super::rules::host_of(&mail.to),
        subject: mail.subject,
    };
    app.outbox.captured().into_iter().rev().map(mail).collect()
}
