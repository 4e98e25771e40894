//! Who is signed in at which lane, and which PINs were wrong lately. Durable by the work log: a restart neither signs
//! anybody out nor gives anybody new tries. Sees no PIN.

use std::collections::{BTreeMap, VecDeque};

use protocol::id::{LaneId, StaffId};
use protocol::limits;
use protocol::staff::{Staff, StaffMember};
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::refusal::{Refusal, Why};

/// Somebody at a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Who.
    pub staff: StaffId,
    /// Since when.
    pub since: Timestamp,
    /// When something was last rung.
    pub active: Timestamp,
}

/// A wrong PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrong {
    /// Whose it should have been.
    pub staff: StaffId,
    /// Where it was typed.
    pub lane: LaneId,
    /// When.
    pub at: Timestamp,
}

/// A change, as the work log keeps it. New variants only at the end: it is disk format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StaffOp {
    /// Somebody signed in at a lane; whoever was there before is out.
    SignedIn {
        /// The lane.
        lane: LaneId,
        /// Who.
        staff: StaffId,
        /// When.
        at: Timestamp,
    },
    /// The lane is nobody's.
    SignedOut {
        /// The lane.
        lane: LaneId,
    },
    /// A PIN was wrong.
    WrongPin(Wrong),
}

/// All of it. At most a session for each lane, and a lane's tries before it is stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendance {
    sessions: BTreeMap<LaneId, Session>,
    wrong: VecDeque<Wrong>,
}

/// Wrong PINs that are remembered: every lane's.
const REMEMBERED: usize = limits::LANES * limits::PIN_WRONG;

impl Attendance {
    /// Goes through a change.
    pub fn apply(&mut self, op: &StaffOp) {
        match *op {
            StaffOp::SignedIn { lane, staff, at } => {
                self.sessions.insert(lane, Session { staff, since: at, active: at });
            }
            StaffOp::SignedOut { lane } => self.leave(lane),
            StaffOp::WrongPin(wrong) => {
                if self.wrong.len() >= REMEMBERED {
                    self.wrong.pop_front();
                }
                self.wrong.push_back(wrong);
            }
        }
    }

    /// Nobody is at the lane any more.
    pub fn leave(&mut self, lane: LaneId) {
        self.sessions.remove(&lane);
    }

    /// Something was rung on a lane.
    pub fn touch(&mut self, lane: LaneId, at: Timestamp) {
        if let Some(session) = self.sessions.get_mut(&lane) {
            session.active = session.active.max(at);
        }
    }

    /// Who is signed in at a lane: somebody the shop still knows, who may still sign in and did not stay away too long.
    pub fn cashier<'a>(&self, lane: LaneId, now: Timestamp, staff: Option<&'a Staff>) -> Option<&'a StaffMember> {
        let (session, staff) = (self.sessions.get(&lane)?, staff?);
        let idle = i64::from(staff.policy.idle_minutes).saturating_mul(60_000);
        if idle > 0 && now.millis_since(session.active) > idle {
            return None;
        }
        staff.member(session.staff).filter(|member| member.pin.is_some())
    }

    /// Whether another PIN may be tried for somebody at a lane.
    ///
    /// # Errors
    /// Too many were wrong within the window: for them, or on the lane.
    pub fn may_try(&self, lane: LaneId, staff: StaffId, now: Timestamp) -> Result<(), Refusal> {
        // A clock that was set back must not lock anybody out for longer than the window.
        let recent = |wrong: &&Wrong| now.millis_since(wrong.at).saturating_abs() < limits::PIN_WINDOW_MILLIS;
        let free_at = |of: &dyn Fn(&Wrong) -> bool| -> Option<Timestamp> {
            let mut hits: Vec<Timestamp> =
                self.wrong.iter().filter(recent).filter(|wrong| of(wrong)).map(|wrong| wrong.at).collect();
            hits.sort_unstable();
            let first = hits.len().checked_sub(limits::PIN_WRONG)?;
            hits.get(first).map(|at| at.plus_millis(limits::PIN_WINDOW_MILLIS))
        };
        let until = free_at(&|wrong| wrong.staff == staff).max(free_at(&|wrong| wrong.lane == lane));
        let Some(until) = until else { return Ok(()) };
        let seconds = until.millis_since(now).saturating_add(999).max(1_000) / 1_000;
        let minutes = (seconds + 59) / 60;
        let message =
            format!("too many wrong PINs; try again in {minutes} minutes, or ask somebody else at another lane");
        Err(Refusal::new(Why::TooOften, message).with(json!({ "reason": "pin_throttled", "retry_after": seconds })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(n: u128) -> LaneId {
        LaneId::from_uuid(uuid::Uuid::from_u128(n))
    }

    fn staff(n: u128) -> StaffId {
        StaffId::from_uuid(uuid::Uuid::from_u128(n))
    }

    fn wrong(attendance: &mut Attendance, lane: LaneId, staff: StaffId, at: i64) {
        attendance.apply(&StaffOp::WrongPin(Wrong { staff, lane, at: Timestamp(at) }));
    }

    #[test]
    fn five_wrong_pins_stop_the_person_everywhere_and_the_lane_for_everybody() {
        let mut book = Attendance::default();
        for n in 0..5 {
            book.may_try(lane(1), staff(1), Timestamp(n)).unwrap();
            wrong(&mut book, lane(1), staff(1), n);
        }
        let refusal = book.may_try(lane(2), staff(1), Timestamp(5)).unwrap_err();
        assert_eq!(refusal.why, Why::TooOften);
        assert_eq!(refusal.details.unwrap()["retry_after"], 900);
        assert!(book.may_try(lane(1), staff(2), Timestamp(5)).is_err(), "the lane");
        assert!(book.may_try(lane(2), staff(2), Timestamp(5)).is_ok(), "others elsewhere");
        assert!(book.may_try(lane(1), staff(1), Timestamp(limits::PIN_WINDOW_MILLIS)).is_ok(), "and again later");
    }

    #[test]
    fn guessing_over_many_lanes_and_people_stays_bounded() {
        let mut book = Attendance::default();
        for n in 0..10_000_u32 {
            wrong(&mut book, lane(u128::from(n)), staff(u128::from(n)), i64::from(n));
        }
        assert_eq!(book.wrong.len(), REMEMBERED);
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out_for_good() {
        let mut book = Attendance::default();
        for _ in 0..5 {
            wrong(&mut book, lane(1), staff(1), 10 * limits::PIN_WINDOW_MILLIS);
        }
        assert!(book.may_try(lane(1), staff(1), Timestamp(0)).is_ok());
    }
}
