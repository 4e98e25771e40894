//! Everything that is alive on the shop floor: open tickets and pairings, as the work log tells them. The same
//! code follows the log at a start and while the lanes work.

use std::collections::BTreeMap;

use protocol::event::Approval;
use protocol::id::TicketId;

use super::work::{TicketChangedV2, WorkEvent};
use crate::core::attendance::Attendance;
use crate::core::lane::{Op, OpenTicket};
use crate::core::pairing::{PairingOp, Pairings};

/// Open tickets and pairings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Floor {
    /// By id; ids rise with time, so lists are in the order of opening.
    pub(super) tickets: BTreeMap<TicketId, OpenTicket>,
    /// Codes and lanes.
    pub(super) pairings: Pairings,
    /// Who is signed in.
    pub(super) attendance: Attendance,
    /// What was approved on open tickets; most have nothing.
    pub(super) approvals: BTreeMap<TicketId, Vec<Approval>>,
}

impl Floor {
    /// Goes through a change of a ticket.
    pub(super) fn change(&mut self, changed: &TicketChangedV2) {
        if let Some(asked) = &changed.asked {
            self.attendance.touch(asked.lane, changed.at);
        }
        if !changed.approvals.is_empty() {
            self.approvals.entry(changed.ticket).or_default().extend(changed.approvals.iter().cloned());
        }
        match &changed.op {
            Op::Open(ticket) => {
                self.tickets.insert(changed.ticket, ticket.as_ref().clone());
            }
            Op::Void { .. } | Op::Closed { .. } => {
                self.forget(changed.ticket);
            }
            Op::AddLine { .. }
            | Op::ChangeLine { .. }
            | Op::VoidLine { .. }
            | Op::SetDiscount(_)
            | Op::AddTender(_)
            | Op::RemoveTender(_)
            | Op::Park(_)
            | Op::Recall(_) => {
                if let Some(ticket) = self.tickets.get_mut(&changed.ticket) {
                    ticket.apply(&changed.op);
                }
            }
        }
    }
}

impl Floor {
    /// A ticket is open no longer.
    pub(super) fn forget(&mut self, ticket: TicketId) {
        self.tickets.remove(&ticket);
        self.approvals.remove(&ticket);
    }

    /// Goes through a change of the pairings. Whoever holds a lane's new token is not who was signed in there.
    pub(super) fn pairing(&mut self, op: &PairingOp) {
        match op {
            PairingOp::Paired { lane, .. } => self.attendance.leave(lane.id),
            PairingOp::Revoked(lane) => self.attendance.leave(*lane),
            PairingOp::CodeMade(_) => {}
        }
        self.pairings.apply(op);
    }
}

/// Follows the work log from a point on. A carrying replaces everything once it is complete; one that a power
/// cut left incomplete is as if it had never begun.
#[derive(Debug, Default)]
pub(super) struct Follower {
    floor: Floor,
    carrying: Option<Floor>,
}

impl Follower {
    /// Follows one event.
    pub(super) fn follow(&mut self, event: &WorkEvent) {
        match event {
            WorkEvent::Ticket(changed) => {
                // The actor writes nothing between a beginning and its end: a change means it was cut off.
                self.carrying = None;
                self.floor.change(changed);
            }
            WorkEvent::Pairing(op) => {
                self.carrying = None;
                self.floor.pairing(op);
            }
            WorkEvent::Staff(op) => {
                self.carrying = None;
                self.floor.attendance.apply(op);
            }
            WorkEvent::CarryBegin => self.carrying = Some(Floor::default()),
            WorkEvent::TicketCarried(ticket) => {
                if let Some(carrying) = &mut self.carrying {
                    carrying.tickets.insert(ticket.id, ticket.as_ref().clone());
                }
            }
            WorkEvent::PairingsCarried(pairings) => {
                if let Some(carrying) = &mut self.carrying {
                    carrying.pairings = pairings.clone();
                }
            }
            WorkEvent::AttendanceCarried(attendance) => {
                if let Some(carrying) = &mut self.carrying {
                    carrying.attendance = attendance.clone();
                }
            }
            WorkEvent::ApprovalsCarried(carried) => {
                if let Some(carrying) = &mut self.carrying {
                    carrying.approvals.insert(carried.ticket, carried.approvals.clone());
                }
            }
            WorkEvent::CarryEnd => {
                if let Some(carried) = self.carrying.take() {
                    self.floor = carried;
                }
            }
        }
    }

    /// What is alive.
    pub(super) fn into_floor(self) -> Floor {
        self.floor
    }
}

#[cfg(test)]
mod tests {
    use protocol::timestamp::Timestamp;

    use super::*;
    use crate::core::pairing::{Code, PairingOp};

    fn code(n: u8) -> WorkEvent {
        WorkEvent::Pairing(PairingOp::CodeMade(Code { hash: [n; 32], expires_at: Timestamp(1), left: 1 }))
    }

    fn follow(events: &[WorkEvent]) -> Floor {
        let mut follower = Follower::default();
        for event in events {
            let raw = event.encode().unwrap();
            follower.follow(&WorkEvent::decode(&raw).unwrap().unwrap());
        }
        follower.into_floor()
    }

    #[test]
    fn a_complete_carrying_replaces_what_was_before() {
        let carried = follow(&[code(9)]).pairings;
        let floor =
            follow(&[code(1), WorkEvent::CarryBegin, WorkEvent::PairingsCarried(carried.clone()), WorkEvent::CarryEnd]);
        assert_eq!(floor.pairings, carried);
    }

    #[test]
    fn a_carrying_that_was_cut_off_changes_nothing() {
        let carried = follow(&[code(9)]).pairings;
        let cut = [code(1), WorkEvent::CarryBegin, WorkEvent::PairingsCarried(carried), code(2), WorkEvent::CarryEnd];
        assert_eq!(follow(&cut), follow(&[code(1), code(2)]));
    }
}
