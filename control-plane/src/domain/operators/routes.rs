//! Companies and registrations over JSON, for operators of the platform.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use protocol::id::TenantId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::service::{self, Act};
use super::types::{Reason, RegistrationsAsked, SwitchFeature, SwitchModule, TenantDetail, TenantSeen, TenantsAsked};
use super::{routes_platform, routes_visits};
use crate::app::App;
use crate::auth::guard::{Caller, Can};
use crate::auth::policy::right;
use crate::domain::tenants::registrations;
use crate::domain::tenants::registrations::types::Registration;
use crate::http::idempotency::{Key, Write};
use crate::http::{ApiResult, Data, Once, Paging, Path, Query};

/// The routes of operators.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(waiting))
        .routes(routes!(approve))
        .routes(routes!(refuse))
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(suspend))
        .routes(routes!(resume))
        .routes(routes!(close))
        .routes(routes!(keep))
        .routes(routes!(switch_module))
        .routes(routes!(switch_feature))
        .merge(routes_platform::routes())
        .merge(routes_visits::routes())
}

/// The names of the lists in their cursors.
const REGISTRATIONS: &str = "registrations";
const TENANTS: &str = "tenants";

/// Registrations, oldest first.
#[utoipa::path(get, path = "/v1/superadmin/registrations", tag = "operators", operation_id = "list_registrations",
    params(RegistrationsAsked, Paging), responses((status = 200, body = Data<Vec<Registration>>)))]
async fn waiting(
    State(app): State<App>,
    _can: Can<right::PlatformTenantsRead>,
    Query(asked): Query<RegistrationsAsked>,
    paging: Paging,
) -> ApiResult<Data<Vec<Registration>>> {
    let after: Option<Uuid> = paging.after(REGISTRATIONS)?;
    let rows = registrations::service::list(&app, asked.state, after, paging.fetch()).await?;
    paging.page(REGISTRATIONS, rows, |row| row.id)
}

/// Take a company in: its owner, the company with its first shop, and a mail.
#[utoipa::path(post, path = "/v1/superadmin/registrations/{id}/approve", tag = "operators",
    operation_id = "approve_registration", params(("id" = Uuid, Path)),
    responses((status = 200, body = Data<Registration>), (status = 409, description = "Decided already, or not confirmed")))]
async fn approve(
    State(app): State<App>,
    can: Can<right::PlatformTenantsWrite>,
    Path(id): Path<Uuid>,
) -> ApiResult<Data<Registration>> {
    let mut tx = can.begin(&app).await?;
    let done = service::approve(&app, &can, &mut tx, id).await?;
    tx.save().await?;
    Ok(Data::new(done))
}

/// Do not take a company in; whoever asked hears why.
#[utoipa::path(post, path = "/v1/superadmin/registrations/{id}/refuse", tag = "operators",
    operation_id = "refuse_registration", params(("id" = Uuid, Path)), request_body = Reason,
    responses((status = 200, body = Data<Registration>), (status = 409, description = "Decided already, or not confirmed")))]
async fn refuse(
    State(app): State<App>,
    can: Can<right::PlatformTenantsWrite>,
    Path(id): Path<Uuid>,
    write: Write<Reason>,
) -> ApiResult<Data<Registration>> {
    let mut tx = can.begin(&app).await?;
    let done = service::refuse(&app, &can, &mut tx, id, &write.body.reason).await?;
    tx.save().await?;
    Ok(Data::new(done))
}

/// Companies by name, with how they stand and counts.
#[utoipa::path(get, path = "/v1/superadmin/tenants", tag = "operators", operation_id = "list_tenants",
    params(TenantsAsked, Paging), responses((status = 200, body = Data<Vec<TenantSeen>>)))]
async fn list(
    State(app): State<App>,
    _can: Can<right::PlatformTenantsRead>,
    Query(asked): Query<TenantsAsked>,
    paging: Paging,
) -> ApiResult<Data<Vec<TenantSeen>>> {
    let after: Option<(String, Uuid)> = paging.after(TENANTS)?;
    let rows = service::list(&app, &asked.q, asked.state, after.as_ref(), paging.fetch()).await?;
    paging.page(TENANTS, rows, |row| (row.name.clone(), row.id))
}

/// One company: what was switched for it, who visited, what operators did.
#[utoipa::path(get, path = "/v1/superadmin/tenants/{id}", tag = "operators", operation_id = "get_tenant",
    params(("id" = Uuid, Path)), responses((status = 200, body = Data<TenantDetail>)))]
async fn get(
    State(app): State<App>,
    can: Can<right::PlatformTenantsRead>,
    Path(id): Path<Uuid>,
) -> ApiResult<Data<TenantDetail>> {
    let mut tx = can.begin(&app).await?;
    Ok(Data::new(service::detail(&app, &mut tx, TenantId::from_uuid(id)).await?))
}

/// Does it once: the operator's own transaction holds the platform's record and the answer to a repetition.
async fn once(app: &App, once: Once, by: &Caller, tenant: Uuid, act: Act) -> ApiResult<Response> {
    let mut once = once;
    if let Some(reply) = once.replay() {
        return Ok(reply);
    }
    let seen = service::act(app, by, once.tx(), TenantId::from_uuid(tenant), act).await?;
    once.save(StatusCode::OK, seen).await
}

/// Suspend a company: its people look and change nothing, its shops go on selling.
#[utoipa::path(post, path = "/v1/superadmin/tenants/{id}/suspend", tag = "operators", operation_id = "suspend_tenant",
    params(("id" = Uuid, Path),
    ("Idempotency-Key" = Option<String>, Header, description = "repeats answer the same, once done")), request_body = Reason,
    responses((status = 200, body = Data<TenantSeen>), (status = 409, description = "It is suspended already")))]
async fn suspend(
    State(app): State<App>,
    can: Can<right::PlatformTenantsWrite>,
    Path(id): Path<Uuid>,
    write: Write<Reason>,
) -> ApiResult<Response> {
    let begun = Once::begin(&app, &can, write.key.as_ref()).await?;
    once(&app, begun, &can, id, Act::Suspend(write.body.reason)).await
}

/// Let the people of a company work again.
#[utoipa::path(post, path = "/v1/superadmin/tenants/{id}/resume", tag = "operators", operation_id = "resume_tenant",
    params(("id" = Uuid, Path),
    ("Idempotency-Key" = Option<String>, Header, description = "repeats answer the same, once done")),
    responses((status = 200, body = Data<TenantSeen>), (status = 409, description = "It is not suspended")))]
async fn resume(
    State(app): State<App>,
    can: Can<right::PlatformTenantsWrite>,
    Path(id): Path<Uuid>,
    headers: axum::http::HeaderMap,
) -> ApiResult<Response> {
    let key = Key::of(&headers, "POST", &format!("/v1/superadmin/tenants/{id}/resume"), b"")?;
    let begun = Once::begin(&app, &can, key.as_ref()).await?;
    once(&app, begun, &can, id, Act::Resume).await
}

/// Close a company in thirty days; until then it can be kept.
#[utoipa::path(post, path = "/v1/superadmin/tenants/{id}/close", tag = "operators", operation_id = "close_tenant",
    params(("id" = Uuid, Path),
    ("Idempotency-Key" = Option<String>, Header, description = "repeats answer the same, once done")),
    responses((status = 200, body = Data<TenantSeen>), (status = 409, description = "It is to be closed already")))]
async fn close(
    State(app): State<App>,
    can: Can<right::PlatformTenantsWrite>,
    Path(id): Path<Uuid>,
    headers: axum::http::HeaderMap,
) -> ApiResult<Response> {
    let key = Key::of(&headers, "POST", &format!("/v1/superadmin/tenants/{id}/close"), b"")?;
    let begun = Once::begin(&app, &can, key.as_ref()).await?;
    once(&app, begun, &can, id, Act::Close).await
}

/// Keep a company that was to be closed.
#[utoipa::path(post, path = "/v1/superadmin/tenants/{id}/keep", tag = "operators", operation_id = "keep_tenant",
    params(("id" = Uuid, Path),
    ("Idempotency-Key" = Option<String>, Header, description = "repeats answer the same, once done")),
    responses((status = 200, body = Data<TenantSeen>), (status = 409, description = "Nobody asked to close it")))]
async fn keep(
    State(app): State<App>,
    can: Can<right::PlatformTenantsWrite>,
    Path(id): Path<Uuid>,
    headers: axum::http::HeaderMap,
) -> ApiResult<Response> {
    let key = Key::of(&headers, "POST", &format!("/v1/superadmin/tenants/{id}/keep"), b"")?;
    let begun = Once::begin(&app, &can, key.as_ref()).await?;
    once(&app, begun, &can, id, Act::Keep).await
}

/// Switch a module of a company.
#[utoipa::path(post, path = "/v1/superadmin/tenants/{id}/modules", tag = "operators", operation_id = "switch_module",
    params(("id" = Uuid, Path),
    ("Idempotency-Key" = Option<String>, Header, description = "repeats answer the same, once done")), request_body = SwitchModule,
    responses((status = 200, body = Data<TenantSeen>)))]
async fn switch_module(
    State(app): State<App>,
    can: Can<right::PlatformModulesWrite>,
    Path(id): Path<Uuid>,
    write: Write<SwitchModule>,
) -> ApiResult<Response> {
    let begun = Once::begin(&app, &can, write.key.as_ref()).await?;
    once(&app, begun, &can, id, Act::Module(write.body.module, write.body.enabled)).await
}

/// Switch a feature of a company.
#[utoipa::path(post, path = "/v1/superadmin/tenants/{id}/features", tag = "operators", operation_id = "switch_feature",
    params(("id" = Uuid, Path),
    ("Idempotency-Key" = Option<String>, Header, description = "repeats answer the same, once done")), request_body = SwitchFeature,
    responses((status = 200, body = Data<TenantSeen>)))]
async fn switch_feature(
    State(app): State<App>,
    can: Can<right::PlatformModulesWrite>,
    Path(id): Path<Uuid>,
    write: Write<SwitchFeature>,
) -> ApiResult<Response> {
    let begun = Once::begin(&app, &can, write.key.as_ref()).await?;
    once(&app, begun, &can, id, Act::Feature(write.body.feature, write.body.enabled)).await
}
