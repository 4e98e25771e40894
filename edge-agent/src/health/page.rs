//! The node's page: how it stands, for whoever sits before the box, and a button that makes a pairing code. Only on
//! the loopback door, which `gate` keeps; the LAN door has none of it. Shows; the lane desk makes the code.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{DefaultBodyLimit, Form, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use serde::Deserialize;

use super::sources::Sources;
use super::view::{PairingPage, StatusPage};
use super::{gate, qr};
use crate::core::lane::view::Data;
use crate::core::status::NodeStatus;
use crate::identity::TerminalIdentity;
use crate::invite::Invitation;

/// The form is one small number.
const FORM_BYTES: usize = 1 << 10;

/// The page with all that belongs to it, behind its gate.
pub fn router(sources: Arc<Sources>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/status", get(page))
        .route("/pairing", get(async || Redirect::to("/")).post(pair))
        .route("/status.css", get(css))
        .route("/status.js", get(script))
        .with_state(Arc::clone(&sources))
        .merge(twin(sources))
        .layer(DefaultBodyLimit::max(FORM_BYTES))
        .layer(middleware::from_fn(gate::keep))
}

/// The JSON twin alone: for the control socket too, whose file is its gate.
pub fn twin(sources: Arc<Sources>) -> Router {
    Router::new().route("/v1/status", get(json)).with_state(sources)
}

async fn json(State(sources): State<Arc<Sources>>) -> Json<Data<NodeStatus>> {
    Json(Data { data: sources.status().await })
}

async fn page(State(sources): State<Arc<Sources>>) -> Response {
    let status = sources.status().await;
    shown(StatusCode::OK, &StatusPage::new(&status))
}

async fn css() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("templates/status.css"))
}

async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("templates/status.js"))
}

/// How many tills the code is for.
#[derive(Debug, Deserialize)]
struct Wanted {
    lanes: u16,
}

async fn pair(State(sources): State<Arc<Sources>>, form: Result<Form<Wanted>, FormRejection>) -> Response {
    let Ok(Form(Wanted { lanes })) = form else {
        return refused(&sources, StatusCode::UNPROCESSABLE_ENTITY, "say for how many tills: a number from 1 to 64")
            .await;
    };
    let made = match sources.desk.make_code(lanes).await {
        Ok(made) => made,
        Err(refusal) => return refused(&sources, StatusCode::UNPROCESSABLE_ENTITY, &refusal.message).await,
    };
    let layout = sources.layout.clone();
    let identity = tokio::task::spawn_blocking(move || TerminalIdentity::load(&layout).ok()).await;
    let ca_fingerprint = identity.ok().flatten().map(|identity| identity.ca_fingerprint());
    let invitation = Invitation { url: sources.till_url(), code: made.code, ca_fingerprint };
    let drawn = qr::svg(&invitation.qr_text(), "QR code for the till: address, code and fingerprint");
    tracing::info!(lanes, expires_at = %made.expires_at, "a pairing code was made on the node's page");
    let status = sources.status().await;
    shown(StatusCode::OK, &PairingPage::new(&status, invitation, lanes, made.expires_at, drawn))
}

async fn refused(sources: &Arc<Sources>, code: StatusCode, why: &str) -> Response {
    let status = sources.status().await;
    shown(code, &StatusPage::new(&status).with_complaint(why))
}

fn shown(code: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (code, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "the node's page cannot be drawn");
            (StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be drawn; GET /v1/status says the same")
                .into_response()
        }
    }
}
