//! Routes of people: who works here, signing in and out at a lane, opening the drawer without a sale.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use protocol::id::StaffId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Till;
use super::body::{Approving, Empty, NoSaleBody, PinText};
use super::error::{ApiResult, ErrorEnvelope};
use super::extract::{Body, Caller, Write};
use super::tickets::pass;
use crate::core::attendance::StaffOp;
use crate::core::lane::Command;
use crate::core::lane::receipt::{NoSaleView, StaffView};
use crate::core::lane::view::Data;

/// The people of the shop, and who is at this lane.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StaffAnswer {
    /// Whether somebody has to be signed in before anything is rung.
    cashier_required: bool,
    /// A cashier who rings nothing for so many minutes is signed out; 0: never.
    idle_minutes: u16,
    /// Who is signed in at this lane.
    cashier: Option<StaffView>,
    /// Who may sign in, by name.
    people: Vec<StaffView>,
    /// Version of the people; 0 until the first came.
    version: u64,
}

/// Lists who may sign in, and says who is.
#[utoipa::path(get, path = "/v1/staff", tag = "staff",
    responses((status = 200, body = Data<StaffAnswer>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn list(Caller(lane): Caller, State(till): State<Till>) -> ApiResult<Json<Data<StaffAnswer>>> {
    let staff = till.snapshots.staff().unwrap_or_default();
    let cashier = till.desk.cashier(lane).await?;
    let mut people: Vec<StaffView> = staff
        .people
        .iter()
        .filter(|member| member.pin.is_some())
        .map(|member| StaffView { staff_id: member.id, name: member.short_name.clone() })
        .collect();
    people.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Json(Data {
        data: StaffAnswer {
            cashier_required: staff.policy.cashier_required,
            idle_minutes: staff.policy.idle_minutes,
            cashier: cashier.as_ref().map(StaffView::from),
            people,
            version: staff.version.0,
        },
    }))
}

/// Somebody with their PIN.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"staff_id": "0190a1b2-c3d4-7e5f-8a6b-000000000007", "pin": "4711"}))]
pub(super) struct SignInBody {
    /// Who.
    #[schema(value_type = String)]
    staff_id: StaffId,
    /// Four to eight digits.
    #[schema(value_type = String)]
    pin: PinText,
}

/// Somebody who signed in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignedIn {
    /// Who.
    cashier: StaffView,
    /// What they may do: `sell`, `void`, `refund`, `no_sale`, `discount`, `approve`, `late_entry`.
    rights: Vec<&'static str>,
}

/// Signs somebody in at this lane, until they sign out, somebody else signs in, or nothing was rung for too long.
#[utoipa::path(post, path = "/v1/staff/sign-in", tag = "staff", request_body = SignInBody,
    responses((status = 200, body = Data<SignedIn>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn sign_in(
    Caller(lane): Caller,
    State(till): State<Till>,
    body: Body<SignInBody>,
) -> ApiResult<Json<Data<SignedIn>>> {
    let SignInBody { staff_id, pin } = body.value;
    let member = till.pins.check(lane, staff_id, pin.take()?).await?;
    till.desk.attend(StaffOp::SignedIn { lane, staff: member.id, at: till.clock.now() }).await?;
    tracing::info!(%lane, staff = %member.id, "a cashier signed in");
    let rights = member.rights.list().map(protocol::staff::Right::name).collect();
    let cashier = StaffView { staff_id: member.id, name: member.short_name };
    Ok(Json(Data { data: SignedIn { cashier, rights } }))
}

/// A lane that is nobody's.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SignedOut {
    /// Always true.
    signed_out: bool,
}

/// Signs whoever is at this lane out. Its open tickets stay.
#[utoipa::path(post, path = "/v1/staff/sign-out", tag = "staff", request_body = Empty,
    responses((status = 200, body = Data<SignedOut>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn sign_out(
    Caller(lane): Caller,
    State(till): State<Till>,
    _: Body<Empty>,
) -> ApiResult<Json<Data<SignedOut>>> {
    till.desk.attend(StaffOp::SignedOut { lane }).await?;
    Ok(Json(Data { data: SignedOut { signed_out: true } }))
}

/// Opens the drawer without a sale; answered when its record is on the disk.
#[utoipa::path(post, path = "/v1/no-sales", tag = "staff", request_body = NoSaleBody,
    params(("Idempotency-Key" = String, Header)),
    responses((status = 200, body = Data<NoSaleView>), (status = "4XX", body = ErrorEnvelope)))]
pub(super) async fn no_sale(State(till): State<Till>, write: Write<NoSaleBody>) -> ApiResult<Response> {
    let (mut body, envelope) = write.split();
    let approval = body.approval();
    let envelope = envelope.approved(&till, approval).await?;
    envelope.send(&till, Command::NoSale { reason: body.reason }).await.map(pass)
}
