//! Cashiers at the lanes: who signs in and out, and wrong PINs. Answered when they are on the disk; the PIN itself was
//! checked before, elsewhere.

use protocol::id::{LaneId, Stream};

use super::actor::{Actor, Done, not_written, send};
use super::work::WorkEvent;
use crate::core::attendance::{StaffOp, Wrong};
use crate::core::lane::{Command, Edit};
use crate::core::refusal::Refusal;
use crate::desk::{Outcome, ReplyTo};
use crate::telemetry::PinsStoppedV1;

impl Actor {
    /// Whether a write is a fiscal record: closes and write-offs always, the end of a ticket where people are kept.
    pub(super) fn is_fiscal(&self, command: &Command) -> bool {
        match command {
            Command::Close { .. } | Command::WriteOff { .. } | Command::NoSale { .. } => true,
            Command::Edit { edit: Edit::Void(_), .. } => {
                self.snapshots.staff().is_some_and(|staff| staff.policy.cashier_required || !staff.people.is_empty())
            }
            Command::Open { .. } | Command::Edit { .. } => false,
        }
    }

    /// Who is signed in at a lane.
    pub(super) fn cashier(&self, lane: LaneId) -> Outcome<Option<protocol::event::StaffMark>> {
        let staff = self.snapshots.staff();
        let cashier = self.floor.attendance.cashier(lane, self.clock.now(), staff.as_deref());
        Ok(cashier.map(crate::core::approval::mark))
    }

    /// In force at once, told when it is on the disk.
    pub(super) fn attend(&mut self, op: StaffOp, reply: ReplyTo<()>) {
        let raw = match WorkEvent::Staff(op).encode() {
            Ok(raw) => raw,
            Err(error) => return send(reply, Err(Refusal::invalid(error.to_string()))),
        };
        self.floor.attendance.apply(&op);
        self.since_carry += 1;
        if let StaffOp::WrongPin(wrong) = op {
            self.watch(wrong);
        }
        let logs = self.logs.clone();
        self.jobs.spawn(async move {
            let result = logs.append(Stream::Work, raw).await;
            send(reply, result.map(|_| ()).map_err(|error| not_written(&error)));
            Done::Answered
        });
    }

    /// The try that was one too many is told to head office.
    fn watch(&self, wrong: Wrong) {
        if self.floor.attendance.may_try(wrong.lane, wrong.staff, wrong.at).is_ok() {
            return;
        }
        metrics::counter!("tillway_pins_stopped_total").increment(1);
        tracing::warn!(lane = %wrong.lane, staff = %wrong.staff, "too many wrong PINs: no more are tried for a while");
        let event = PinsStoppedV1 { lane: wrong.lane, staff: wrong.staff, at: wrong.at }.encode();
        match event {
            Ok(raw) => {
                if let Err(error) = self.logs.append_unsynced(Stream::Telemetry, raw) {
                    tracing::warn!(%error, "head office will not hear of the wrong PINs");
                }
            }
            Err(error) => tracing::error!(%error, "the wrong PINs could not be noted"),
        }
    }
}
