//! People and invitations over JSON.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use protocol::id::PersonId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::service;
use super::types::{Accept, AcceptSignedIn, Invitation, Joined, Member, NewInvitation};
use crate::app::App;
use crate::auth::guard::{Caller, Can};
use crate::auth::policy::right;
use crate::domain::identity::account::types::{Ended, Session};
use crate::http::context::Context;
use crate::http::error::ErrorBody;
use crate::http::idempotency::Write;
use crate::http::{ApiResult, Data, Json, Once, Paging, Path};

/// The routes of people.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one, end))
        .routes(routes!(sessions, end_sessions))
        .routes(routes!(end_session))
        .routes(routes!(invitations, invite))
        .routes(routes!(revoke))
        .routes(routes!(resend))
        .routes(routes!(accept))
        .routes(routes!(accept_signed_in))
}

/// The names of the lists in their cursors.
const LIST: &str = "people";
const INVITATIONS: &str = "invitations";

/// The members of the company, page by page.
#[utoipa::path(get, path = "/v1/people", tag = "people", operation_id = "list_people", params(Paging), responses(
    (status = 200, body = Data<Vec<Member>>), (status = 401, body = ErrorBody)))]
async fn list(State(app): State<App>, caller: Can<right::PeopleRead>, paging: Paging) -> ApiResult<Data<Vec<Member>>> {
    let after = paging.after(LIST)?;
    let mut tx = caller.begin(&app).await?;
    let members = service::list(&app, &mut tx, after, paging.fetch()).await?;
    paging.page(LIST, members, |member| member.id)
}

/// One member.
#[utoipa::path(get, path = "/v1/people/{id}", tag = "people", operation_id = "get_person", params(("id" = Uuid, Path)),
    responses((status = 200, body = Data<Member>), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn one(State(app): State<App>, caller: Can<right::PeopleRead>, Path(id): Path<Uuid>) -> ApiResult<Data<Member>> {
    let mut tx = caller.begin(&app).await?;
    service::one(&app, &mut tx, PersonId::from_uuid(id)).await.map(Data::new)
}

/// End a membership: roles, sessions, keys and open invitations of theirs end with it, at once. Not the last owner's.
#[utoipa::path(delete, path = "/v1/people/{id}", tag = "people", operation_id = "end_membership",
    params(("id" = Uuid, Path)), responses((status = 204, description = "ended"), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
async fn end(State(app): State<App>, caller: Can<right::PeopleWrite>, Path(id): Path<Uuid>) -> ApiResult<StatusCode> {
    let mut tx = caller.begin(&app).await?;
    service::end(&app, &mut tx, &caller, caller.policy(), PersonId::from_uuid(id)).await?;
    tx.save().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A member's sessions, the last used first.
#[utoipa::path(get, path = "/v1/people/{id}/sessions", tag = "people", operation_id = "list_sessions_of_person",
    params(("id" = Uuid, Path)), responses((status = 200, body = Data<Vec<Session>>), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody)))]
async fn sessions(
    State(app): State<App>,
    caller: Can<right::PeopleWrite>,
    Path(id): Path<Uuid>,
) -> ApiResult<Data<Vec<Session>>> {
    let mut tx = caller.begin(&app).await?;
    service::sessions(&app, &mut tx, &caller, PersonId::from_uuid(id)).await.map(Data::new)
}

/// End all sessions of a member, at once.
#[utoipa::path(delete, path = "/v1/people/{id}/sessions", tag = "people", operation_id = "end_sessions_of_person",
    params(("id" = Uuid, Path)), responses((status = 200, body = Data<Ended>), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
async fn end_sessions(
    State(app): State<App>,
    caller: Can<right::PeopleWrite>,
    Path(id): Path<Uuid>,
) -> ApiResult<Data<Ended>> {
    let mut tx = caller.begin(&app).await?;
    let which = (PersonId::from_uuid(id), None);
    let ended = service::sessions_end(&app, &mut tx, &caller, caller.policy(), which).await?;
    tx.save().await?;
    Ok(Data::new(ended))
}

/// End one session of a member, at once.
#[utoipa::path(delete, path = "/v1/people/{id}/sessions/{session_id}", tag = "people",
    operation_id = "end_session_of_person", params(("id" = Uuid, Path), ("session_id" = Uuid, Path)),
    responses((status = 204, description = "ended"), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody)))]
async fn end_session(
    State(app): State<App>,
    caller: Can<right::PeopleWrite>,
    Path((id, session)): Path<(Uuid, Uuid)>,
) -> ApiResult<StatusCode> {
    let mut tx = caller.begin(&app).await?;
    let which = (PersonId::from_uuid(id), Some(session));
    service::sessions_end(&app, &mut tx, &caller, caller.policy(), which).await?;
    tx.save().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Open invitations, the newest first.
#[utoipa::path(get, path = "/v1/invitations", tag = "people", operation_id = "list_invitations", params(Paging),
    responses((status = 200, body = Data<Vec<Invitation>>), (status = 401, body = ErrorBody)))]
async fn invitations(
    State(app): State<App>,
    caller: Can<right::PeopleRead>,
    paging: Paging,
) -> ApiResult<Data<Vec<Invitation>>> {
    let after = paging.after(INVITATIONS)?;
    let mut tx = caller.begin(&app).await?;
    let open = service::invitations(&app, &mut tx, after, paging.fetch()).await?;
    paging.page(INVITATIONS, open, |invitation| invitation.id)
}

/// Invite somebody: a link by mail, good for a week. Nobody gives more than they have.
#[utoipa::path(post, path = "/v1/invitations", tag = "people", operation_id = "create_invitation",
    request_body = NewInvitation,
    params(("Idempotency-Key" = Option<String>, Header, description = "repeats answer the same, once done")),
    responses((status = 201, body = Data<Invitation>), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 422, body = ErrorBody), (status = 429, body = ErrorBody)))]
async fn invite(
    State(app): State<App>,
    caller: Can<right::PeopleWrite>,
    write: Write<NewInvitation>,
) -> ApiResult<Response> {
    let mut once = Once::begin(&app, &caller, write.key.as_ref()).await?;
    if let Some(reply) = once.replay() {
        return Ok(reply);
    }
    let made = service::invite(&app, once.tx(), &caller, caller.policy(), &write.body).await?;
    once.save(StatusCode::CREATED, made).await
}

/// Revoke an open invitation; its link is good no more.
#[utoipa::path(delete, path = "/v1/invitations/{id}", tag = "people", operation_id = "revoke_invitation",
    params(("id" = Uuid, Path)), responses((status = 204, description = "revoked"), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody)))]
async fn revoke(
    State(app): State<App>,
    caller: Can<right::PeopleWrite>,
    Path(id): Path<Uuid>,
) -> ApiResult<StatusCode> {
    let mut tx = caller.begin(&app).await?;
    service::revoke(&app, &mut tx, &caller, id).await?;
    tx.save().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Send an invitation again, with a new link, for another week.
#[utoipa::path(post, path = "/v1/invitations/{id}/resend", tag = "people", operation_id = "resend_invitation",
    params(("id" = Uuid, Path)), responses((status = 200, body = Data<Invitation>), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 429, body = ErrorBody)))]
async fn resend(
    State(app): State<App>,
    caller: Can<right::PeopleWrite>,
    Path(id): Path<Uuid>,
) -> ApiResult<Data<Invitation>> {
    let mut tx = caller.begin(&app).await?;
    let sent = service::resend(&app, &mut tx, &caller, caller.policy(), id).await?;
    tx.save().await?;
    Ok(Data::new(sent))
}

/// Accept an invitation by its link: as somebody new, or with the password of this e-mail. It signs nobody in.
#[utoipa::path(post, path = "/v1/invitations/accept", tag = "people", operation_id = "accept_invitation", security(()),
    request_body = Accept, responses((status = 200, body = Data<Joined>), (status = 401, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 422, body = ErrorBody), (status = 429, body = ErrorBody)))]
async fn accept(State(app): State<App>, context: Context, Json(request): Json<Accept>) -> ApiResult<Data<Joined>> {
    app.gates.sign_in(context.address())?;
    service::accept(&app, &request, &context).await.map(Data::new)
}

/// Accept an invitation as somebody who is signed in with the e-mail that was invited.
#[utoipa::path(post, path = "/v1/me/invitations/accept", tag = "me", operation_id = "accept_invitation_signed_in",
    request_body = AcceptSignedIn, responses((status = 200, body = Data<Joined>), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
async fn accept_signed_in(
    State(app): State<App>,
    caller: Caller,
    Json(request): Json<AcceptSignedIn>,
) -> ApiResult<Data<Joined>> {
    service::accept_signed_in(&app, &caller, &request).await.map(Data::new)
}
