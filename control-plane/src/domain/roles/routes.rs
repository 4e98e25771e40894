//! Roles over JSON.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use protocol::id::ShopId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::service;
use super::types::{AssignmentView, ExplainQuery, Explained, HeldQuery, NewAssignment, RoleBody, RoleView};
use crate::app::App;
use crate::auth::guard::Can;
use crate::auth::policy::{Permission, right};
use crate::http::error::ErrorBody;
use crate::http::idempotency::Write;
use crate::http::{ApiError, ApiResult, Data, IfMatch, Json, Once, Paging, Path, Query, Tagged};

/// The routes of roles.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(one, update, remove))
        .routes(routes!(held, give))
        .routes(routes!(take))
        .routes(routes!(explain))
}

/// The roles there are: built-in ones and the company's own.
#[utoipa::path(get, path = "/v1/rbac/roles", tag = "rbac", operation_id = "list_roles", responses(
    (status = 200, body = Data<Vec<RoleView>>)))]
async fn list(State(app): State<App>, can: Can<right::RolesRead>) -> ApiResult<Data<Vec<RoleView>>> {
    let mut tx = can.begin(&app).await?;
    Ok(Data::new(service::list(&mut tx).await?))
}

/// Make a role of the company's own. Nobody gives more than they have.
#[utoipa::path(post, path = "/v1/rbac/roles", tag = "rbac", operation_id = "create_role", request_body = RoleBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "repeats answer the same, once done")),
    responses((status = 201, body = Data<RoleView>), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn create(State(app): State<App>, can: Can<right::RolesWrite>, write: Write<RoleBody>) -> ApiResult<Response> {
    let mut once = Once::begin(&app, &can, write.key.as_ref()).await?;
    if let Some(reply) = once.replay() {
        return Ok(reply);
    }
    let role = service::create(once.tx(), &can, can.policy(), &write.body, app.clock.now()).await?;
    once.save_tagged(StatusCode::CREATED, role.version, role).await
}

/// One role.
#[utoipa::path(get, path = "/v1/rbac/roles/{id}", tag = "rbac", operation_id = "get_role", params(("id" = String, Path)),
    responses((status = 200, body = Data<RoleView>), (status = 404, body = ErrorBody)))]
async fn one(
    State(app): State<App>,
    can: Can<right::RolesRead>,
    Path(id): Path<String>,
) -> ApiResult<Tagged<RoleView>> {
    let mut tx = can.begin(&app).await?;
    let role = service::one(&mut tx, &id).await?;
    let version = role.version;
    Ok(Data::new(role).tagged(version))
}

/// Change a role of the company's own, for everybody who holds it, at once.
#[utoipa::path(put, path = "/v1/rbac/roles/{id}", tag = "rbac", operation_id = "update_role", params(("id" = String, Path),
    ("If-Match" = String, Header, description = "the ETag that you read, or *")), request_body = RoleBody,
    responses((status = 200, body = Data<RoleView>), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 422, body = ErrorBody)))]
async fn update(
    State(app): State<App>,
    can: Can<right::RolesWrite>,
    Path(id): Path<String>,
    seen: IfMatch,
    Json(role): Json<RoleBody>,
) -> ApiResult<Tagged<RoleView>> {
    let id = own(&id)?;
    let mut tx = can.begin(&app).await?;
    let role = service::update(&mut tx, &can, can.policy(), id, &seen, &role, app.clock.now()).await?;
    tx.save().await?;
    let version = role.version;
    Ok(Data::new(role).tagged(version))
}

/// Remove a role that nobody holds.
#[utoipa::path(delete, path = "/v1/rbac/roles/{id}", tag = "rbac", operation_id = "delete_role", params(("id" = String, Path),
    ("If-Match" = String, Header, description = "the ETag that you read, or *")),
    responses((status = 204, description = "removed"), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn remove(
    State(app): State<App>,
    can: Can<right::RolesWrite>,
    Path(id): Path<String>,
    seen: IfMatch,
) -> ApiResult<StatusCode> {
    let id = own(&id)?;
    let mut tx = can.begin(&app).await?;
    service::remove(&mut tx, &can, id, &seen, app.clock.now()).await?;
    tx.save().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Built-in roles are the same everywhere.
fn own(id: &str) -> ApiResult<Uuid> {
    if crate::auth::policy::BuiltIn::of_name(id).is_some() {
        return Err(ApiError::conflict("built-in roles cannot be changed: make a role of your own beside it"));
    }
    id.parse().map_err(|_| ApiError::not_found("role"))
}

/// The name of the list in its cursors.
const HELD: &str = "assignments";

/// Who holds which role where.
#[utoipa::path(get, path = "/v1/rbac/assignments", tag = "rbac", operation_id = "list_assignments",
    params(HeldQuery, Paging), responses((status = 200, body = Data<Vec<AssignmentView>>)))]
async fn held(
    State(app): State<App>,
    can: Can<right::RolesRead>,
    Query(query): Query<HeldQuery>,
    paging: Paging,
) -> ApiResult<Data<Vec<AssignmentView>>> {
    let after: Option<Uuid> = paging.after(HELD)?;
    let mut tx = can.begin(&app).await?;
    let rows = service::held(&mut tx, query.person_id, after, paging.fetch()).await?;
    paging.page(HELD, rows, |row| row.id)
}

/// Give a member a role, for the whole company, a region or a shop. Nobody gives more than they have.
#[utoipa::path(post, path = "/v1/rbac/assignments", tag = "rbac", operation_id = "create_assignment",
    request_body = NewAssignment,
    params(("Idempotency-Key" = Option<String>, Header, description = "repeats answer the same, once done")),
    responses((status = 201, body = Data<AssignmentView>), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn give(State(app): State<App>, can: Can<right::RolesWrite>, write: Write<NewAssignment>) -> ApiResult<Response> {
    let mut once = Once::begin(&app, &can, write.key.as_ref()).await?;
    if let Some(reply) = once.replay() {
        return Ok(reply);
    }
    let given = service::give(once.tx(), &can, can.policy(), &write.body, app.clock.now()).await?;
    once.save(StatusCode::CREATED, given).await
}

/// Take a role away, at once.
#[utoipa::path(delete, path = "/v1/rbac/assignments/{id}", tag = "rbac", operation_id = "delete_assignment",
    params(("id" = Uuid, Path)), responses((status = 204, description = "taken away"), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody)))]
async fn take(State(app): State<App>, can: Can<right::RolesWrite>, Path(id): Path<Uuid>) -> ApiResult<StatusCode> {
    let mut tx = can.begin(&app).await?;
    service::take(&mut tx, &can, can.policy(), id, app.clock.now()).await?;
    tx.save().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Why somebody may or may not do something.
#[utoipa::path(get, path = "/v1/rbac/explain", tag = "rbac", operation_id = "explain_permission", params(ExplainQuery),
    responses((status = 200, body = Data<Explained>), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn explain(
    State(app): State<App>,
    can: Can<right::RolesRead>,
    Query(query): Query<ExplainQuery>,
) -> ApiResult<Data<Explained>> {
    let permission = Permission::of_name(&query.permission);
    let permission = permission.ok_or_else(|| ApiError::field("permission", "there is no such permission"))?;
    let mut tx = can.begin(&app).await?;
    let shop = query.shop_id.map(ShopId::from_uuid);
    service::explain(&mut tx, query.person_id, permission, shop).await.map(Data::new)
}
