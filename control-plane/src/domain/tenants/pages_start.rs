//! The first page of a company: the way to the first sale, by what is there.

use askama::Template;
use axum::extract::State;

use super::types::Step;
use super::{rules, service};
use crate::app::App;
use crate::auth::policy::right;
use crate::web::{Nav, PageCan, PageResult, Shell};

#[derive(Template)]
#[template(path = "domain/tenants/templates/start.html")]
struct Start {
    shell: Shell,
    steps: [Step; 4],
    left: usize,
}

pub(super) async fn start(State(app): State<App>, caller: PageCan<right::CompanyRead>) -> PageResult {
    let mut tx = caller.begin(&app).await?;
    let steps = rules::steps(&service::census(&mut tx).await?);
    let left = steps.iter().filter(|step| !step.done).count();
    caller.page(&Start { shell: Shell::new(&caller, Nav::Settings, "Get going"), steps, left })
}
