//! The operators' pages of the platform itself: the registry, jobs, kept mails.

use askama::Template;
use axum::extract::State;
use axum::http::Method;
use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::pages::told;
use super::routes_platform::{Word, jobs_of, kept, tell_job};
use super::service;
use super::types::{JobsAsked, KeptMail, SetFeature, SetModule};
use crate::app::App;
use crate::auth::policy::{Permission, right};
use crate::domain::modules;
use crate::domain::modules::types::ModuleView;
use crate::http::{ApiResult, Paging, Path, Query};
use crate::jobs::State as JobState;
use crate::jobs::service::Seen;
use crate::web::{Form, Nav, PageCan, PageResult, Pages, Shell, format};

/// The pages of the platform itself.
pub(super) fn pages() -> Pages {
    Pages::new()
        .route(Method::GET, MODULES, registry)
        .route(Method::POST, MODULES, set_module)
        .route(Method::POST, "/operator/features", set_feature)
        .route(Method::GET, JOBS, list)
        .route(Method::POST, "/operator/jobs/{job_id}", tell)
        .route(Method::GET, "/operator/mails", mails)
}

const MODULES: &str = "/operator/modules";
const JOBS: &str = "/operator/jobs";
/// The name of the list in its cursors.
const LIST: &str = "jobs page";

#[derive(Template)]
#[template(path = "domain/operators/templates/modules.html")]
struct Registry {
    shell: Shell,
    modules: Vec<ModuleView>,
}

#[derive(Template)]
#[template(path = "domain/operators/templates/jobs.html")]
struct Jobs {
    shell: Shell,
    rows: Vec<Seen>,
    state: Option<JobState>,
    next: Option<String>,
    now: OffsetDateTime,
}

impl Jobs {
    /// States to choose from, each with whether it is the chosen one.
    fn states(&self) -> [(&'static str, bool); 5] {
        [JobState::Waiting, JobState::Running, JobState::Done, JobState::Dead, JobState::Cancelled]
            .map(|state| (state.name(), self.state == Some(state)))
    }
}

#[derive(Template)]
#[template(path = "domain/operators/templates/mails.html")]
struct Mails {
    shell: Shell,
    mails: Vec<KeptMail>,
    /// Whether mail is kept at all.
    folder: bool,
}

async fn registry(State(app): State<App>, caller: PageCan<right::PlatformTenantsRead>) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    let modules = modules::service::registry(&mut tx).await?;
    caller.page(&Registry { shell: Shell::new(&caller, Nav::Modules, "Modules"), modules })
}

#[derive(Deserialize)]
struct ModuleForm {
    module: String,
    #[serde(default)]
    available: String,
    #[serde(default)]
    by_default: String,
}

async fn set_module(
    State(app): State<App>,
    caller: PageCan<right::PlatformModulesWrite>,
    Form(form): Form<ModuleForm>,
) -> PageResult {
    let (available, by_default) = (!form.available.is_empty(), !form.by_default.is_empty());
    let new = SetModule { module: form.module, available, by_default };
    let done: ApiResult<()> = async {
        let mut tx = caller.begin(&app).await?;
        service::set_module(&app, &caller.caller, &mut tx, &new).await?;
        Ok(tx.save().await?)
    }
    .await;
    told(&caller, MODULES, done, "Changed for everybody; it is felt at once.")
}

#[derive(Deserialize)]
struct FeatureForm {
    feature: String,
    module: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    by_default: String,
}

async fn set_feature(
    State(app): State<App>,
    caller: PageCan<right::PlatformModulesWrite>,
    Form(form): Form<FeatureForm>,
) -> PageResult {
    let FeatureForm { feature, module, description, by_default } = form;
    let new = SetFeature { feature, module, description, by_default: !by_default.is_empty() };
    let done: ApiResult<()> = async {
        let mut tx = caller.begin(&app).await?;
        service::set_feature(&app, &caller.caller, &mut tx, &new).await?;
        Ok(tx.save().await?)
    }
    .await;
    told(&caller, MODULES, done, "Changed for everybody.")
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    state: String,
}

async fn list(
    State(app): State<App>,
    caller: PageCan<right::PlatformJobsRead>,
    Query(asked): Query<Asked>,
    paging: Paging,
) -> PageResult {
    let state = JobState::of(&asked.state);
    let asked = JobsAsked { state, ..JobsAsked::default() };
    let (rows, next) = jobs_of(&app, &asked, paging.after(LIST)?, paging.limit()).await?;
    let page = paging.cut(LIST, rows, next)?;
    caller.page(&Jobs {
        shell: Shell::new(&caller, Nav::Jobs, "Jobs"),
        rows: page.data,
        state,
        next: page.pagination.and_then(|pagination| pagination.next_cursor),
        now: app.clock.utc(),
    })
}

#[derive(Deserialize)]
struct Tell {
    /// `retry` or `cancel`.
    word: String,
    #[serde(default)]
    tenant: String,
}

async fn tell(
    State(app): State<App>,
    caller: PageCan<right::PlatformJobsWrite>,
    Path(job): Path<Uuid>,
    Form(form): Form<Tell>,
) -> PageResult {
    let word = if form.word == "retry" { Word::Retry } else { Word::Cancel };
    let done: ApiResult<()> = async {
        let mut tx = caller.begin(&app).await?;
        tell_job(&app, &caller.caller, &mut tx, (job, form.tenant.parse().ok()), word).await?;
        Ok(tx.save().await?)
    }
    .await;
    told(&caller, JOBS, done, if word == Word::Retry { "It is tried again." } else { "It is called off." })
}

async fn mails(State(app): State<App>, caller: PageCan<right::PlatformJobsRead>) -> PageResult {
    let (mails, folder) = (kept(&app), app.outbox.folder().is_some());
    caller.page(&Mails { shell: Shell::new(&caller, Nav::Mails, "Mails"), mails, folder })
}
