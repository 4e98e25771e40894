//! Registering over JSON.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service;
use super::types::{AnotherCompany, Confirmation, LookIntoMail, Mine, NewRegistration, Resend};
use crate::app::App;
use crate::auth::guard::Caller;
use crate::http::context::Context;
use crate::http::idempotency::Write;
use crate::http::{ApiResult, Data, Json, Once};

/// The routes of registrations.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(confirm))
        .routes(routes!(resend))
        .routes(routes!(another))
}

type Accepted = (StatusCode, Data<LookIntoMail>);

/// Register a company. A mail proves the address; then an operator looks. The answer is the same for an address that is known.
#[utoipa::path(post, path = "/v1/registrations", tag = "registrations", operation_id = "register_company", security(()),
    request_body = NewRegistration, responses((status = 202, body = Data<LookIntoMail>)))]
async fn register(State(app): State<App>, context: Context, Json(new): Json<NewRegistration>) -> ApiResult<Accepted> {
    app.gates.sign_in(context.address())?;
    Ok((StatusCode::ACCEPTED, Data::new(service::register(&app, new, &context).await?)))
}

/// Prove the address with the link of the mail and the password that was chosen.
#[utoipa::path(post, path = "/v1/registrations/confirm", tag = "registrations", operation_id = "confirm_registration",
    security(()), request_body = Confirmation, responses((status = 200, body = Data<Mine>),
    (status = 409, description = "That company waits already")))]
async fn confirm(State(app): State<App>, context: Context, Json(asked): Json<Confirmation>) -> ApiResult<Data<Mine>> {
    service::confirm(&app, &asked, &context).await.map(Data::new)
}

/// Send the mail once more, with another link.
#[utoipa::path(post, path = "/v1/registrations/resend", tag = "registrations", operation_id = "resend_registration",
    security(()), request_body = Resend, responses((status = 202, body = Data<LookIntoMail>)))]
async fn resend(State(app): State<App>, context: Context, Json(asked): Json<Resend>) -> ApiResult<Accepted> {
    app.gates.sign_in(context.address())?;
    Ok((StatusCode::ACCEPTED, Data::new(service::resend(&app, &asked.email, &context).await?)))
}

/// Register another company as the person who is signed in.
#[utoipa::path(post, path = "/v1/me/companies", tag = "registrations", operation_id = "register_another_company",
    params(("Idempotency-Key" = Option<String>, Header, description = "repeats answer the same, once done")),
    request_body = AnotherCompany, responses((status = 201, body = Data<Mine>),
    (status = 409, description = "That company waits already")))]
async fn another(
    State(app): State<App>,
    caller: Caller,
    context: Context,
    write: Write<AnotherCompany>,
) -> ApiResult<Response> {
    let mut once = Once::begin(&app, &caller, write.key.as_ref()).await?;
    if let Some(reply) = once.replay() {
        return Ok(reply);
    }
    let mine = service::another(&app, &caller, write.body, &context).await?;
    once.save(StatusCode::CREATED, mine).await
}
