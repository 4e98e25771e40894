//! Notifications over JSON: a person's own, whatever their roles.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::service;
use super::types::{Choice, Chosen, Told};
use crate::app::App;
use crate::auth::guard::Caller;
use crate::http::error::ErrorBody;
use crate::http::{ApiResult, Data, Json, Paging, Path};

/// The name of the list in its cursors.
const LIST: &str = "notifications";

/// The routes of notifications.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(unread))
        .routes(routes!(read_all))
        .routes(routes!(read_one))
        .routes(routes!(choices, choose))
}

/// How many wait to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
struct Unread {
    /// How many; 100 stands for 100 or more.
    unread: i64,
}

/// What you were told, newest first.
#[utoipa::path(get, path = "/v1/notifications", tag = "notifications", operation_id = "list_notifications",
    params(Paging), responses((status = 200, body = Data<Vec<Told>>), (status = 401, body = ErrorBody)))]
async fn list(State(app): State<App>, caller: Caller, paging: Paging) -> ApiResult<Data<Vec<Told>>> {
    let before: Option<Uuid> = paging.after(LIST)?;
    let mut tx = caller.begin(&app).await?;
    let page = service::list(&mut tx, caller.person, before, paging.limit()).await?;
    paging.cut(LIST, page.notices, page.next)
}

/// How many you have not read.
#[utoipa::path(get, path = "/v1/notifications/unread", tag = "notifications", operation_id = "get_unread_notifications",
    responses((status = 200, body = Data<Unread>), (status = 401, body = ErrorBody)))]
async fn unread(State(app): State<App>, caller: Caller) -> ApiResult<Data<Unread>> {
    let mut tx = caller.begin(&app).await?;
    Ok(Data::new(Unread { unread: service::unread(&mut tx, caller.person).await? }))
}

/// You have read all of them.
#[utoipa::path(post, path = "/v1/notifications/read", tag = "notifications", operation_id = "read_all_notifications",
    responses((status = 200, body = Data<Unread>), (status = 401, body = ErrorBody)))]
async fn read_all(State(app): State<App>, caller: Caller) -> ApiResult<Data<Unread>> {
    let mut tx = caller.begin(&app).await?;
    service::read_all(&mut tx, caller.person, app.clock.now()).await?;
    tx.save().await?;
    Ok(Data::new(Unread { unread: 0 }))
}

/// You have read one of them. Answers how many are left.
#[utoipa::path(post, path = "/v1/notifications/{notice_id}/read", tag = "notifications",
    operation_id = "read_notification", params(("notice_id" = Uuid, Path)),
    responses((status = 200, body = Data<Unread>), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn read_one(State(app): State<App>, caller: Caller, Path(notice): Path<Uuid>) -> ApiResult<Data<Unread>> {
    let mut tx = caller.begin(&app).await?;
    service::read(&mut tx, caller.person, notice, app.clock.now()).await?;
    let unread = service::unread(&mut tx, caller.person).await?;
    tx.save().await?;
    Ok(Data::new(Unread { unread }))
}

/// Which kinds come to you by mail too.
#[utoipa::path(get, path = "/v1/notifications/preferences", tag = "notifications",
    operation_id = "get_notification_preferences",
    responses((status = 200, body = Data<Vec<Choice>>), (status = 401, body = ErrorBody)))]
async fn choices(State(app): State<App>, caller: Caller) -> ApiResult<Data<Vec<Choice>>> {
    let mut tx = caller.begin(&app).await?;
    Ok(Data::new(service::choices(&mut tx, caller.person).await?))
}

/// Choose which kinds come to you by mail too. Kinds that are not named stay as they are.
#[utoipa::path(put, path = "/v1/notifications/preferences", tag = "notifications",
    operation_id = "set_notification_preferences", request_body = Chosen,
    responses((status = 200, body = Data<Vec<Choice>>), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn choose(State(app): State<App>, caller: Caller, Json(chosen): Json<Chosen>) -> ApiResult<Data<Vec<Choice>>> {
    service::own(&caller)?;
    let mut tx = caller.begin(&app).await?;
    let choices = service::choose(&mut tx, caller.person, chosen).await?;
    tx.save().await?;
    Ok(Data::new(choices))
}
