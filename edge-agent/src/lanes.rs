//! Which lanes are online, between the in-store messages (which hear it) and those who show it. Decides nothing.

use std::sync::{Arc, PoisonError, RwLock};

use protocol::id::LaneId;

use crate::core::coordination::{Board, Seen};

/// A handle on the board of lanes. Clones see the same.
#[derive(Clone, Debug, Default)]
pub struct Lanes(Arc<RwLock<Board>>);

impl Lanes {
    /// Lanes that are connected to the in-store messages, by id. Empty on a node without them.
    pub fn online(&self) -> Vec<LaneId> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).online()
    }

    /// What is known of a lane; none when it was not heard of since the connection to the broker stands.
    pub fn seen(&self, lane: LaneId) -> Option<Seen> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).seen(lane)
    }

    /// Shows another board from now on.
    pub fn follow(&self, board: &Board) {
        board.clone_into(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}
