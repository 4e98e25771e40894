//! Routes about paper: what is being printed, what became of it, and another copy for a person who asks. The close of a
//! ticket never waits for any of this.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use protocol::id::{Seq, Term};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Till;
use super::error::{ApiError, ApiResult, ErrorEnvelope};
use super::extract::{Asked, At, Caller, Write};
use super::tickets::pass;
use crate::core::lane::view::Data;
use crate::core::print_queue::{JobKey, JobView, State as Printed};
use crate::spool::CopyWish;

/// Which jobs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JobQuery {
    /// One state, or all.
    state: Option<String>,
}

/// Shows the latest print jobs, the newest first: at most 200, of the last hours.
#[utoipa::path(get, path = "/v1/print-jobs", tag = "printing",
    params(("state" = Option<Printed>, Query, description = "only those in this state")),
    responses((status = 200, body = Data<Vec<JobView>>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn jobs(
    _: Caller,
    State(till): State<Till>,
    Asked(query): Asked<JobQuery>,
) -> ApiResult<Json<Data<Vec<JobView>>>> {
    let state = query.state.map(|state| state.parse::<Printed>()).transpose();
    let state = state.map_err(|error| ApiError::malformed(format!("state: {error}")))?;
    Ok(Json(Data { data: till.spool.jobs(state).await? }))
}

/// Shows one print job. The receipt of a sale is `receipt:TERM:SEQ`.
#[utoipa::path(get, path = "/v1/print-jobs/{job}", tag = "printing", params(("job" = String, Path)),
    responses((status = 200, body = Data<JobView>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn job(_: Caller, State(till): State<Till>, At(job): At<String>) -> ApiResult<Json<Data<JobView>>> {
    let key: JobKey = job.parse().map_err(|error| ApiError::malformed(format!("the path: {error}")))?;
    Ok(Json(Data { data: till.spool.job(key).await? }))
}

/// Where a copy is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PrintBody {
    /// The printer's name in `node.toml`; the one of this lane when it is left out.
    printer: Option<String>,
}

/// Prints a receipt once more, marked COPY; answered when the wish is on the disk, before it is printed.
#[utoipa::path(post, path = "/v1/receipts/{term}/{seq}/print", tag = "printing", request_body = PrintBody,
    params(("term" = u32, Path), ("seq" = u64, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = Data<JobView>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn print(
    State(till): State<Till>,
    At((term, seq)): At<(Term, Seq)>,
    write: Write<PrintBody>,
) -> ApiResult<Response> {
    let (PrintBody { printer }, envelope) = write.split();
    let (lane, key, request_hash) = envelope.opened();
    Ok(pass(till.spool.copy(CopyWish { lane, key, request_hash, term, seq, printer }).await?))
}
