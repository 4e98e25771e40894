//! The counter between those who talk to lanes (terminal, control socket, later MQTT) and the lane actor: what
//! can be asked, over one bounded channel. Holds no state and decides nothing.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use protocol::event::StaffMark;
use protocol::id::{LaneId, StaffId, TicketId};
use protocol::lane_message::TicketNow;
use tokio::sync::{mpsc, oneshot};

use crate::core::attendance::StaffOp;
use crate::core::lane::{Answer, Request};
use crate::core::pairing::{Lane, Pairings, SecretHash, token_hash};
use crate::core::refusal::Refusal;

/// An answer, or why there is none.
pub type Outcome<T> = Result<T, Refusal>;
/// Where an answer goes. The asker may be gone; then it is dropped.
pub type ReplyTo<T> = oneshot::Sender<Outcome<T>>;

/// Which open tickets a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// All.
    All,
    /// Those that a lane holds.
    Open,
    /// Those put aside.
    Parked,
}

/// A pairing code with its end, as its maker sees it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCode {
    /// The code.
    pub code: String,
    /// When it stops working.
    pub expires_at: protocol::timestamp::Timestamp,
}

/// A paired lane with its token, as its owner sees it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLane {
    /// The lane.
    pub id: LaneId,
    /// Its name.
    pub name: String,
    /// Its bearer token.
    pub token: String,
}

/// What can be asked of the lane actor.
#[derive(Debug)]
pub enum Ask {
    /// A write under an idempotency key.
    Write(Box<Request>, ReplyTo<Answer>),
    /// An open ticket, as JSON.
    Ticket(TicketId, ReplyTo<Vec<u8>>),
    /// The open tickets, as JSON.
    Tickets(Listed, ReplyTo<Vec<u8>>),
    /// The open tickets in short.
    Overview(ReplyTo<Vec<TicketNow>>),
    /// A code that pairs so many lanes.
    MakeCode(u16, ReplyTo<NewCode>),
    /// Pair a lane: code and name.
    Pair(String, String, ReplyTo<NewLane>),
    /// The paired lanes.
    Lanes(ReplyTo<Vec<Lane>>),
    /// Take a lane's token away.
    Revoke(LaneId, ReplyTo<()>),
    /// May a PIN be tried for somebody at a lane?
    MayTry(LaneId, StaffId, ReplyTo<()>),
    /// Somebody signed in or out, or a PIN was wrong.
    Attend(StaffOp, ReplyTo<()>),
    /// Who is signed in at a lane.
    Cashier(LaneId, ReplyTo<Option<StaffMark>>),
}

/// A cheap handle to ask with.
#[derive(Clone, Debug)]
pub struct Desk {
    asks: mpsc::Sender<Ask>,
}

impl Desk {
    /// A desk and the end at which the lane actor sits. `waiting` asks may wait at most; the next asker waits
    /// outside.
    pub fn new(waiting: usize) -> (Self, mpsc::Receiver<Ask>) {
        let (asks, receiver) = mpsc::channel(waiting);
        (Self { asks }, receiver)
    }

    /// A write under an idempotency key.
    ///
    /// # Errors
    /// Why it was not carried out.
    pub async fn write(&self, request: Request) -> Outcome<Answer> {
        self.ask(|reply| Ask::Write(Box::new(request), reply)).await
    }

    /// An open ticket, as JSON.
    ///
    /// # Errors
    /// It is not there.
    pub async fn ticket(&self, ticket: TicketId) -> Outcome<Vec<u8>> {
        self.ask(|reply| Ask::Ticket(ticket, reply)).await
    }

    /// The open tickets, as JSON.
    ///
    /// # Errors
    /// Only when the node is stopping.
    pub async fn tickets(&self, listed: Listed) -> Outcome<Vec<u8>> {
        self.ask(|reply| Ask::Tickets(listed, reply)).await
    }

    /// The open tickets in short, as the in-store messages show them.
    ///
    /// # Errors
    /// A ticket that cannot be counted; the node is stopping.
    pub async fn overview(&self) -> Outcome<Vec<TicketNow>> {
        self.ask(Ask::Overview).await
    }

    /// A new pairing code.
    ///
    /// # Errors
    /// Too many lanes for one code; the work log cannot be written.
    pub async fn make_code(&self, lanes: u16) -> Outcome<NewCode> {
        self.ask(|reply| Ask::MakeCode(lanes, reply)).await
    }

    /// Pairs a lane.
    ///
    /// # Errors
    /// A wrong code, a bad name, no room.
    pub async fn pair(&self, code: String, name: String) -> Outcome<NewLane> {
        self.ask(|reply| Ask::Pair(code, name, reply)).await
    }

    /// The paired lanes.
    ///
    /// # Errors
    /// Only when the node is stopping.
    pub async fn lanes(&self) -> Outcome<Vec<Lane>> {
        self.ask(Ask::Lanes).await
    }

    /// Takes a lane's token away.
    ///
    /// # Errors
    /// No such lane; the work log cannot be written.
    pub async fn revoke(&self, lane: LaneId) -> Outcome<()> {
        self.ask(|reply| Ask::Revoke(lane, reply)).await
    }

    /// Whether a PIN may be tried for somebody at a lane.
    ///
    /// # Errors
    /// Too many were wrong.
    pub async fn may_try(&self, lane: LaneId, staff: StaffId) -> Outcome<()> {
        self.ask(|reply| Ask::MayTry(lane, staff, reply)).await
    }

    /// Somebody signed in or out, or a PIN was wrong: answered when it is on the disk.
    ///
    /// # Errors
    /// The work log cannot be written.
    pub async fn attend(&self, op: StaffOp) -> Outcome<()> {
        self.ask(|reply| Ask::Attend(op, reply)).await
    }

    /// Who is signed in at a lane.
    ///
    /// # Errors
    /// Only when the node is stopping.
    pub async fn cashier(&self, lane: LaneId) -> Outcome<Option<StaffMark>> {
        self.ask(|reply| Ask::Cashier(lane, reply)).await
    }

    async fn ask<T>(&self, ask: impl FnOnce(ReplyTo<T>) -> Ask) -> Outcome<T> {
        let stopping = || Refusal::unavailable("the node is stopping; try again when it is back");
        let (reply, answer) = oneshot::channel();
        self.asks.send(ask(reply)).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?
    }
}

/// Whose token is whose. The lane actor writes it, every request reads it. Clones see the same.
#[derive(Clone, Debug, Default)]
pub struct Roster(Arc<RwLock<HashMap<SecretHash, LaneId>>>);

impl Roster {
    /// The lane a token belongs to. The token is found by its hash, so that timing tells nothing about it.
    pub fn lane_of(&self, token: &str) -> Option<LaneId> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&token_hash(token)).copied()
    }

    /// Whether a token of this hash still works.
    pub fn knows(&self, token: &SecretHash) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains_key(token)
    }

    /// Takes the pairings into force.
    pub fn follow(&self, pairings: &Pairings) {
        let lanes = pairings.lanes().map(|lane| (lane.token, lane.id)).collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = lanes;
    }
}
