//! Pairing: codes and tokens are made here, kept as hashes, and shown once. Answered when they are on the disk.

use protocol::id::{LaneId, Stream};

use super::actor::{Actor, Done, not_written, send};
use super::work::WorkEvent;
use crate::core::pairing::{Lane, PairingOp, code_hash, code_text, token_hash};
use crate::core::refusal::Refusal;
use crate::desk::{NewCode, NewLane, ReplyTo};

impl Actor {
    /// Makes a code for so many lanes.
    pub(super) fn make_code(&mut self, lanes: u16, reply: ReplyTo<NewCode>) {
        let code = code_text(rand::random());
        match self.floor.pairings.make_code(code_hash(&code), lanes, self.clock.now()) {
            Ok(op) => {
                let expires_at = self.clock.now().plus_millis(crate::core::pairing::CODE_MILLIS);
                self.change_pairing(op, NewCode { code, expires_at }, reply);
            }
            Err(refusal) => send(reply, Err(refusal)),
        }
    }

    /// Pairs a lane.
    pub(super) fn pair(&mut self, code: &str, name: String, reply: ReplyTo<NewLane>) {
        let secret: [u8; 32] = rand::random();
        let token = protocol::ledger::hex(&secret);
        let id = LaneId::from_uuid(uuid::Builder::from_random_bytes(rand::random()).into_uuid());
        let lane = Lane { id, name, token: token_hash(&token), paired_at: self.clock.now() };
        match self.floor.pairings.pair(code_hash(code), lane, self.clock.now()) {
            Ok(op) => {
                let (id, name) = match &op {
                    PairingOp::Paired { lane, .. } => (lane.id, lane.name.clone()),
                    PairingOp::CodeMade(_) | PairingOp::Revoked(_) => (id, String::new()),
                };
                self.change_pairing(op, NewLane { id, name, token }, reply);
            }
            Err(refusal) => send(reply, Err(refusal)),
        }
    }

    /// Takes a lane's token away.
    pub(super) fn revoke(&mut self, lane: LaneId, reply: ReplyTo<()>) {
        match self.floor.pairings.revoke(lane) {
            Ok(op) => self.change_pairing(op, (), reply),
            Err(refusal) => send(reply, Err(refusal)),
        }
    }

    /// In force at once, so that a code is not used twice; told when it is on the disk.
    fn change_pairing<T: Send + 'static>(&mut self, op: PairingOp, told: T, reply: ReplyTo<T>) {
        self.floor.pairing(&op);
        self.roster.follow(&self.floor.pairings);
        self.since_carry += 1;
        let raw = match WorkEvent::Pairing(op).encode() {
            Ok(raw) => raw,
            Err(error) => return send(reply, Err(Refusal::invalid(error.to_string()))),
        };
        let logs = self.logs.clone();
        self.jobs.spawn(async move {
            let result = logs.append(Stream::Work, raw).await;
            send(reply, result.map(|_| told).map_err(|error| not_written(&error)));
            Done::Answered
        });
    }
}
