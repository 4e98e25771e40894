//! Routes of tickets: open, show, park, recall, void, close; lines, discount, tenders. Each reads a request,
//! asks the lanes and passes their answer on as it is.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use protocol::id::TicketId;
use serde::Deserialize;

use super::Till;
use super::body::{
    Approving, CloseBody, Empty, LineBody, LineChangeBody, NoteBody, OpenBody, ReasonBody, TenderBody,
    TicketDiscountBody,
};
use super::error::{ApiError, ApiResult, ErrorEnvelope};
use super::extract::{Asked, At, Caller, Write};
use crate::core::lane::receipt::ReceiptAnswer;
use crate::core::lane::view::{Data, LineAnswer, TicketView};
use crate::core::lane::{Answer, Command, Edit};
use crate::desk::Listed;

/// Passes an answer on.
pub(super) fn pass(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    (status, [(header::CONTENT_TYPE, "application/json")], answer.body).into_response()
}

async fn edit<T: Approving>(
    till: &Till,
    ticket: TicketId,
    write: Write<T>,
    read: impl FnOnce(T) -> ApiResult<Edit>,
) -> ApiResult<Response> {
    let (mut body, envelope) = write.split();
    let approval = body.approval();
    let edit = read(body)?;
    envelope.approved(till, approval).await?.send(till, Command::Edit { ticket, edit }).await.map(pass)
}

/// Opens a ticket.
#[utoipa::path(post, path = "/v1/tickets", tag = "tickets", request_body = OpenBody,
    params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = Data<TicketView>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn open(State(till): State<Till>, write: Write<OpenBody>) -> ApiResult<Response> {
    let (OpenBody { kind, reference, at, approval }, envelope) = write.split();
    envelope.approved(&till, approval).await?.send(&till, Command::Open { kind, reference, at }).await.map(pass)
}

/// Which tickets to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// `open`, `parked`, or all when left out.
    state: Option<String>,
}

/// Lists open tickets.
#[utoipa::path(get, path = "/v1/tickets", tag = "tickets", params(("state" = Option<String>, Query, description = "`open`, `parked`, or all when left out")),
    responses((status = 200, body = Data<Vec<TicketView>>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn list(_: Caller, State(till): State<Till>, Asked(query): Asked<ListQuery>) -> ApiResult<Response> {
    let listed = match query.state.as_deref() {
        None => Listed::All,
        Some("open") => Listed::Open,
        Some("parked") => Listed::Parked,
        Some(_) => return Err(ApiError::malformed("state: `open` or `parked`")),
    };
    let body = till.desk.tickets(listed).await?;
    Ok(pass(Answer { status: 200, body }))
}

/// Shows an open ticket.
#[utoipa::path(get, path = "/v1/tickets/{id}", tag = "tickets", params(("id" = String, Path)),
    responses((status = 200, body = Data<TicketView>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn show(_: Caller, State(till): State<Till>, At(id): At<TicketId>) -> ApiResult<Response> {
    let body = till.desk.ticket(id).await?;
    Ok(pass(Answer { status: 200, body }))
}

/// Rings a line: by code, at an open price, or back against a receipt.
#[utoipa::path(post, path = "/v1/tickets/{id}/lines", tag = "lines", request_body = LineBody,
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = Data<LineAnswer>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn add_line(
    State(till): State<Till>,
    At(id): At<TicketId>,
    write: Write<LineBody>,
) -> ApiResult<Response> {
    edit(&till, id, write, LineBody::read).await
}

/// Changes a line.
#[utoipa::path(patch, path = "/v1/tickets/{id}/lines/{no}", tag = "lines", request_body = LineChangeBody,
    params(("id" = String, Path), ("no" = u16, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Data<LineAnswer>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn change_line(
    State(till): State<Till>,
    At((id, no)): At<(TicketId, u16)>,
    write: Write<LineChangeBody>,
) -> ApiResult<Response> {
    edit(&till, id, write, |body| body.read(no)).await
}

/// Takes a line back.
#[utoipa::path(post, path = "/v1/tickets/{id}/lines/{no}/void", tag = "lines", request_body = ReasonBody,
    params(("id" = String, Path), ("no" = u16, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Data<LineAnswer>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn void_line(
    State(till): State<Till>,
    At((id, line_no)): At<(TicketId, u16)>,
    write: Write<ReasonBody>,
) -> ApiResult<Response> {
    edit(&till, id, write, |body| Ok(Edit::VoidLine { line_no, reason: body.reason })).await
}

/// Sets or clears the discount on the whole.
#[utoipa::path(put, path = "/v1/tickets/{id}/discount", tag = "tickets", request_body = TicketDiscountBody,
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Data<TicketView>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn set_discount(
    State(till): State<Till>,
    At(id): At<TicketId>,
    write: Write<TicketDiscountBody>,
) -> ApiResult<Response> {
    edit(&till, id, write, TicketDiscountBody::read).await
}

/// Records a payment.
#[utoipa::path(post, path = "/v1/tickets/{id}/tenders", tag = "tenders", request_body = TenderBody,
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Data<TicketView>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn add_tender(
    State(till): State<Till>,
    At(id): At<TicketId>,
    write: Write<TenderBody>,
) -> ApiResult<Response> {
    edit(&till, id, write, |body| Ok(Edit::AddTender(body.into()))).await
}

/// Takes a payment back.
#[utoipa::path(post, path = "/v1/tickets/{id}/tenders/{n}/remove", tag = "tenders", request_body = Empty,
    params(("id" = String, Path), ("n" = u16, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Data<TicketView>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn remove_tender(
    State(till): State<Till>,
    At((id, number)): At<(TicketId, u16)>,
    write: Write<Empty>,
) -> ApiResult<Response> {
    edit(&till, id, write, |Empty {}| Ok(Edit::RemoveTender(number))).await
}

/// Puts a ticket aside for any lane to take up.
#[utoipa::path(post, path = "/v1/tickets/{id}/park", tag = "tickets", request_body = NoteBody,
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Data<TicketView>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn park(
    State(till): State<Till>,
    At(id): At<TicketId>,
    write: Write<NoteBody>,
) -> ApiResult<Response> {
    edit(&till, id, write, |body| Ok(Edit::Park(body.note))).await
}

/// Takes a parked ticket up on this lane.
#[utoipa::path(post, path = "/v1/tickets/{id}/recall", tag = "tickets", request_body = Empty,
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Data<TicketView>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn recall(State(till): State<Till>, At(id): At<TicketId>, write: Write<Empty>) -> ApiResult<Response> {
    edit(&till, id, write, |Empty {}| Ok(Edit::Recall)).await
}

/// Gives a ticket up as a whole.
#[utoipa::path(post, path = "/v1/tickets/{id}/void", tag = "tickets", request_body = ReasonBody,
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Data<TicketView>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn void(
    State(till): State<Till>,
    At(id): At<TicketId>,
    write: Write<ReasonBody>,
) -> ApiResult<Response> {
    edit(&till, id, write, |body| Ok(Edit::Void(body.reason))).await
}

/// Closes a ticket; answered when its record is on the disk.
#[utoipa::path(post, path = "/v1/tickets/{id}/close", tag = "tickets", request_body = CloseBody,
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Data<ReceiptAnswer>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn close(
    State(till): State<Till>,
    At(ticket): At<TicketId>,
    write: Write<CloseBody>,
) -> ApiResult<Response> {
    let (CloseBody { tenders, revision, approval }, envelope) = write.split();
    let envelope = envelope.approved(&till, approval).await?;
    let tenders = tenders.into_iter().map(Into::into).collect();
    let answer = envelope.send(&till, Command::Close { ticket, tenders, revision }).await?;
    let record = crate::telemetry::sale::record_of(&answer.body);
    let mut response = pass(answer);
    if let Some(record) = record {
        response.extensions_mut().insert(record);
    }
    Ok(response)
}
