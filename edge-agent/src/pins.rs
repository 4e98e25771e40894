//! Checking PINs for the doors: one at a time, few waiting, every wrong one written down before it is answered. Sales
//! do not pass here, so that guessing at one lane costs the others nothing.

use std::sync::Arc;

use protocol::id::{LaneId, StaffId};
use protocol::limits;
use protocol::staff::StaffMember;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::core::attendance::{StaffOp, Wrong};
use crate::core::refusal::{Refusal, Why};
use crate::desk::{Desk, Outcome};
use crate::snapshot::Snapshots;

/// Checks PINs. Clones share the turn.
#[derive(Clone, Debug)]
pub struct Pins {
    desk: Desk,
    snapshots: Snapshots,
    clock: Clock,
    /// The one check under way: its 4 MiB are all that the node spends on PINs.
    turn: Arc<Semaphore>,
    /// Those that wait, and it.
    room: Arc<Semaphore>,
}

impl Pins {
    /// Checks against the people in force, counts at the desk.
    pub fn new(desk: Desk, snapshots: Snapshots, clock: Clock) -> Self {
        let room = Arc::new(Semaphore::new(limits::PIN_CHECKS_WAITING + 1));
        Self { desk, snapshots, clock, turn: Arc::new(Semaphore::new(1)), room }
    }

    /// Whether a PIN is that of somebody in the shop; answers with them. An id that nobody has costs the same and is
    /// told the same.
    ///
    /// # Errors
    /// A wrong PIN, too many of them, or too many checks at once.
    pub async fn check(&self, lane: LaneId, staff: StaffId, pin: String) -> Outcome<StaffMember> {
        // Who is stopped takes nobody's place.
        self.desk.may_try(lane, staff).await?;
        let room = Arc::clone(&self.room).try_acquire_owned().map_err(|_| busy())?;
        let this = self.clone();
        // A task of its own: whoever hangs up meanwhile has tried all the same.
        let checked = tokio::spawn(async move {
            let outcome = this.check_in_turn(lane, staff, pin).await;
            drop(room);
            outcome
        });
        checked.await.map_err(|_| Refusal::unavailable("the PIN could not be checked; try again"))?
    }

    async fn check_in_turn(&self, lane: LaneId, staff: StaffId, pin: String) -> Outcome<StaffMember> {
        let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(|_| busy())?;
        // Those before may have used the tries up.
        self.desk.may_try(lane, staff).await?;
        let snapshots = self.snapshots.clone();
        let fits = tokio::task::spawn_blocking(move || snapshots.pin_fits(staff, &pin)).await;
        let fits = fits.map_err(|_| Refusal::unavailable("the PIN could not be checked; try again"))?;
        let member = self.snapshots.staff().and_then(|people| people.member(staff).cloned());
        if let Some(member) = member.filter(|_| fits) {
            return Ok(member);
        }
        let at = self.clock.now();
        self.desk.attend(StaffOp::WrongPin(Wrong { staff, lane, at })).await?;
        drop(turn);
        metrics::counter!("tillway_pins_wrong_total").increment(1);
        tracing::warn!(%lane, %staff, "a wrong PIN");
        Err(Refusal::new(Why::NotAllowed, "the PIN is not right").with(json!({ "reason": "wrong_pin" })))
    }
}

fn busy() -> Refusal {
    metrics::counter!("tillway_pin_checks_refused_total").increment(1);
    Refusal::new(Why::TooOften, "too many PINs are being checked at once; try again in a moment")
        .with(json!({ "reason": "pin_checks_busy", "retry_after": 1 }))
}
