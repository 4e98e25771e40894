//! Visits over JSON: an operator asks, the company answers.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use protocol::id::TenantId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::types::{NewVisit, Visit};
use super::visits;
use crate::app::App;
use crate::auth::guard::{Caller, Can};
use crate::auth::policy::right;
use crate::http::idempotency::Write;
use crate::http::{ApiResult, Data, Once, Path};

/// Visits that are shown.
pub(super) const MOST: i64 = 50;

/// The routes of visits.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(ask))
        .routes(routes!(withdraw))
        .routes(routes!(list))
        .routes(routes!(allow))
        .routes(routes!(refuse))
        .routes(routes!(end))
}

/// Ask a company to be let in. One visit at a time; an ask waits a day for its answer.
#[utoipa::path(post, path = "/v1/superadmin/tenants/{id}/visits", tag = "operators", operation_id = "ask_visit",
    params(("id" = Uuid, Path),
    ("Idempotency-Key" = Option<String>, Header, description = "repeats answer the same, once done")),
    request_body = NewVisit, responses((status = 201, body = Data<Visit>),
    (status = 409, description = "A visit is asked for or going on")))]
async fn ask(
    State(app): State<App>,
    can: Can<right::PlatformImpersonate>,
    Path(id): Path<Uuid>,
    write: Write<NewVisit>,
) -> ApiResult<Response> {
    let mut once = Once::begin(&app, &can, write.key.as_ref()).await?;
    if let Some(reply) = once.replay() {
        return Ok(reply);
    }
    let visit = visits::ask(&app, &can, once.tx(), TenantId::from_uuid(id), write.body).await?;
    once.save(StatusCode::CREATED, visit).await
}

/// End a visit, or take back an ask.
#[utoipa::path(post, path = "/v1/superadmin/tenants/{tenant_id}/visits/{visit_id}/end", tag = "operators",
    operation_id = "withdraw_visit", params(("tenant_id" = Uuid, Path), ("visit_id" = Uuid, Path)),
    responses((status = 200, body = Data<Visit>), (status = 409, description = "It is over")))]
async fn withdraw(
    State(app): State<App>,
    can: Can<right::PlatformImpersonate>,
    Path((tenant, visit)): Path<(Uuid, Uuid)>,
) -> ApiResult<Data<Visit>> {
    let mut tx = can.begin(&app).await?;
    let visit = visits::end_by_operator(&app, &can, &mut tx, TenantId::from_uuid(tenant), visit).await?;
    tx.save().await?;
    Ok(Data::new(visit))
}

/// Visits of operators, asked for, going on and over, newest first.
#[utoipa::path(get, path = "/v1/company/support", tag = "company", operation_id = "list_visits", responses(
    (status = 200, body = Data<Vec<Visit>>)))]
async fn list(State(app): State<App>, can: Can<right::CompanyRead>) -> ApiResult<Data<Vec<Visit>>> {
    let mut tx = can.begin(&app).await?;
    Ok(Data::new(visits::list(&mut tx, MOST, app.clock.now()).await?))
}

/// Let the operator in who asks.
#[utoipa::path(post, path = "/v1/company/support/{visit_id}/allow", tag = "company", operation_id = "allow_visit",
    params(("visit_id" = Uuid, Path)), responses((status = 200, body = Data<Visit>),
    (status = 409, description = "It is answered already, or too late")))]
async fn allow(State(app): State<App>, can: Can<right::SupportAllow>, Path(id): Path<Uuid>) -> ApiResult<Data<Visit>> {
    let mut tx = can.begin(&app).await?;
    let visit = visits::answer(&mut tx, &can, id, true, app.clock.now()).await?;
    tx.save().await?;
    Ok(Data::new(visit))
}

/// Do not let the operator in.
#[utoipa::path(post, path = "/v1/company/support/{visit_id}/refuse", tag = "company", operation_id = "refuse_visit",
    params(("visit_id" = Uuid, Path)), responses((status = 200, body = Data<Visit>),
    (status = 409, description = "It is answered already, or too late")))]
async fn refuse(State(app): State<App>, can: Can<right::CompanyWrite>, Path(id): Path<Uuid>) -> ApiResult<Data<Visit>> {
    let mut tx = can.begin(&app).await?;
    let visit = visits::answer(&mut tx, &can, id, false, app.clock.now()).await?;
    tx.save().await?;
    Ok(Data::new(visit))
}

/// End a visit at once; also while the account is suspended.
#[utoipa::path(post, path = "/v1/company/support/{visit_id}/end", tag = "company", operation_id = "end_visit",
    params(("visit_id" = Uuid, Path)), responses((status = 200, body = Data<Visit>),
    (status = 409, description = "It is over")))]
async fn end(State(app): State<App>, can: Can<right::CompanyRead>, Path(id): Path<Uuid>) -> ApiResult<Data<Visit>> {
    visits::may_end(&can, can.policy())?;
    // Not the right's own transaction: that one only reads while the account is suspended.
    let mut tx = Caller::begin(&can, &app).await?;
    let visit = visits::end(&mut tx, &can, id, app.clock.now()).await?;
    tx.save().await?;
    Ok(Data::new(visit))
}
