//! Staff over JSON.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use protocol::collection::Collection;
use protocol::id::{ShopId, StaffId};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::types::{Member, NewPin, NewStaff, RulesOfShop, ShopRules, StaffPatch};
use super::{pins, service};
use crate::app::App;
use crate::auth::guard::Can;
use crate::auth::policy::right;
use crate::domain::audit::Actor;
use crate::http::error::ErrorBody;
use crate::http::idempotency::Write;
use crate::http::{ApiResult, Data, IfMatch, Json, Once, Paging, Path, Query, Tagged};

/// The routes of staff.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update))
        .routes(routes!(set_pin))
        .routes(routes!(end))
        .routes(routes!(rules, set_rules))
}

/// The name of the list in its cursors.
const LIST: &str = "staff";

/// What to list.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct ListQuery {
    /// Also those who work here no more.
    #[serde(default)]
    ended: bool,
}

/// Who works at the lanes of the shops that the caller may see, by name, page by page.
#[utoipa::path(get, path = "/v1/staff", tag = "staff", operation_id = "list_staff", params(Paging,
    ("ended" = Option<bool>, Query, description = "also those who work here no more")), responses(
    (status = 200, body = Data<Vec<Member>>), (status = 401, body = ErrorBody)))]
async fn list(
    State(app): State<App>,
    can: Can<right::StaffRead>,
    paging: Paging,
    Query(asked): Query<ListQuery>,
) -> ApiResult<Data<Vec<Member>>> {
    let after: Option<(String, Uuid)> = paging.after(LIST)?;
    let mut tx = can.begin(&app).await?;
    let staff = service::page(&mut tx, can.scope(), asked.ended, after.as_ref(), paging.fetch()).await?;
    paging.page(LIST, staff, |member| (member.name.clone(), member.id.as_uuid()))
}

/// Add somebody. They can sign in at a lane once they have a PIN.
#[utoipa::path(post, path = "/v1/staff", tag = "staff", operation_id = "create_staff", request_body = NewStaff,
    params(("Idempotency-Key" = Option<String>, Header, description = "repeats answer the same, once done")),
    responses((status = 201, body = Data<Member>), (status = 401, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn create(State(app): State<App>, can: Can<right::StaffWrite>, write: Write<NewStaff>) -> ApiResult<Response> {
    let mut once = Once::begin(&app, &can, write.key.as_ref()).await?;
    if let Some(reply) = once.replay() {
        return Ok(reply);
    }
    let member = service::create(once.tx(), can.scope(), Actor::from(&*can), write.body, app.clock.now()).await?;
    let reply = once.save_tagged(StatusCode::CREATED, member.version, member).await?;
    app.hint(can.tenant, Collection::Staff);
    Ok(reply)
}

/// One of them.
#[utoipa::path(get, path = "/v1/staff/{id}", tag = "staff", operation_id = "get_staff", params(("id" = Uuid, Path)),
    responses((status = 200, body = Data<Member>), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn get(State(app): State<App>, can: Can<right::StaffRead>, Path(id): Path<Uuid>) -> ApiResult<Tagged<Member>> {
    let mut tx = can.begin(&app).await?;
    let member = service::get(&mut tx, can.scope(), StaffId::from_uuid(id)).await?;
    let version = member.version;
    Ok(Data::new(member).tagged(version))
}

/// Change somebody; the nodes of their shops know at once.
#[utoipa::path(patch, path = "/v1/staff/{id}", tag = "staff", operation_id = "update_staff", params(("id" = Uuid, Path),
    ("If-Match" = String, Header, description = "the ETag that you read, or *"),
    ("Idempotency-Key" = Option<String>, Header, description = "repeats answer the same, once done")),
    request_body = StaffPatch, responses((status = 200, body = Data<Member>), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn update(
    State(app): State<App>,
    can: Can<right::StaffWrite>,
    Path(id): Path<Uuid>,
    seen: IfMatch,
    write: Write<StaffPatch>,
) -> ApiResult<Response> {
    let mut once = Once::begin(&app, &can, write.key.as_ref()).await?;
    if let Some(reply) = once.replay() {
        return Ok(reply);
    }
    let (who, by) = ((StaffId::from_uuid(id), &seen), Actor::from(&*can));
    let member = service::update(once.tx(), can.scope(), by, who, write.body, app.clock.now()).await?;
    let reply = once.save_tagged(StatusCode::OK, member.version, member).await?;
    app.hint(can.tenant, Collection::Staff);
    Ok(reply)
}

/// Set somebody's PIN. It is kept as a slow verifier and never answered; setting the same again changes nothing that
/// can be seen. Takes no Idempotency-Key: what is kept under one would be worth a guess.
#[utoipa::path(put, path = "/v1/staff/{id}/pin", tag = "staff", operation_id = "set_staff_pin",
    params(("id" = Uuid, Path)), request_body = NewPin,
    responses((status = 200, body = Data<Member>), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody),
    (status = 422, body = ErrorBody)))]
async fn set_pin(
    State(app): State<App>,
    can: Can<right::StaffWrite>,
    Path(id): Path<Uuid>,
    Json(new): Json<NewPin>,
) -> ApiResult<Tagged<Member>> {
    let member = pins::set(&app, &can, can.scope(), StaffId::from_uuid(id), new).await?;
    app.hint(can.tenant, Collection::Staff);
    let version = member.version;
    Ok(Data::new(member).tagged(version))
}

/// End somebody's time: they lose every right at the lanes as soon as a node hears of it.
#[utoipa::path(post, path = "/v1/staff/{id}/end", tag = "staff", operation_id = "end_staff",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = Data<Member>), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody)))]
async fn end(State(app): State<App>, can: Can<right::StaffWrite>, Path(id): Path<Uuid>) -> ApiResult<Data<Member>> {
    let mut tx = can.begin(&app).await?;
    let now = app.clock.now();
    let member = service::end(&mut tx, can.scope(), Actor::from(&*can), StaffId::from_uuid(id), now).await?;
    tx.save().await?;
    app.hint(can.tenant, Collection::Staff);
    Ok(Data::new(member))
}

/// What needs a second person at the lanes of a shop.
#[utoipa::path(get, path = "/v1/shops/{id}/staff-rules", tag = "staff", operation_id = "get_staff_rules",
    params(("id" = Uuid, Path)), responses((status = 200, body = Data<RulesOfShop>), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody)))]
async fn rules(
    State(app): State<App>,
    can: Can<right::StaffRead>,
    Path(id): Path<Uuid>,
) -> ApiResult<Tagged<RulesOfShop>> {
    let shop = can.shop(ShopId::from_uuid(id))?;
    let mut tx = can.begin(&app).await?;
    let rules = service::rules_of(&mut tx, shop).await?;
    let version = rules.version;
    Ok(Data::new(rules).tagged(version))
}

/// Set what needs a second person at the lanes of a shop; its nodes know at once.
#[utoipa::path(put, path = "/v1/shops/{id}/staff-rules", tag = "staff", operation_id = "set_staff_rules",
    params(("id" = Uuid, Path), ("If-Match" = String, Header, description = "the ETag that you read, or *"),
    ("Idempotency-Key" = Option<String>, Header, description = "repeats answer the same, once done")),
    request_body = ShopRules, responses((status = 200, body = Data<RulesOfShop>), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn set_rules(
    State(app): State<App>,
    can: Can<right::StaffWrite>,
    Path(id): Path<Uuid>,
    seen: IfMatch,
    write: Write<ShopRules>,
) -> ApiResult<Response> {
    let shop = can.shop(ShopId::from_uuid(id))?;
    let mut once = Once::begin(&app, &can, write.key.as_ref()).await?;
    if let Some(reply) = once.replay() {
        return Ok(reply);
    }
    let now = app.clock.now();
    let rules = service::set_rules(once.tx(), Actor::from(&*can), shop, &seen, &write.body, now).await?;
    let reply = once.save_tagged(StatusCode::OK, rules.version, rules).await?;
    app.hint(can.tenant, Collection::Staff);
    Ok(reply)
}
