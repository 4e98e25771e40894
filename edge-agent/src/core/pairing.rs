//! Which lanes may talk to the node: codes that pair so many lanes for ten minutes, tokens of paired lanes,
//! and how often a wrong code may be tried. Only hashes are kept; a code or token is seen once, by its owner.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;

use protocol::id::LaneId;
use protocol::limits;
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use super::refusal::{Refusal, Why};

/// BLAKE3 of a code or token.
pub type SecretHash = [u8; 32];

/// A code that pairs lanes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// Hash of its normal form.
    pub hash: SecretHash,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// How many lanes it still pairs.
    pub left: u16,
}

/// A paired lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// Its id.
    pub id: LaneId,
    /// What people call it.
    pub name: String,
    /// Hash of its token.
    pub token: SecretHash,
    /// Since when.
    pub paired_at: Timestamp,
}

/// A change of the pairings, as the work log keeps it. New variants only at the end: it is disk format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PairingOp {
    /// A code was made.
    CodeMade(Code),
    /// A lane was paired with a code.
    Paired {
        /// The lane.
        lane: Lane,
        /// The code.
        code: SecretHash,
    },
    /// A lane's token no longer works.
    Revoked(LaneId),
}

/// All codes and lanes of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairings {
    codes: Vec<Code>,
    lanes: BTreeMap<LaneId, Lane>,
}

/// How long a code works: DESIGN, "On the shop's LAN".
pub const CODE_MILLIS: i64 = 10 * 60 * 1_000;
/// Codes that work at the same time; the oldest makes room.
const CODES: usize = 16;
/// Bytes of a lane's name.
const NAME_BYTES: usize = 64;
/// Letters and digits that cannot be taken for one another.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Writes a code from random bytes: fifty bits as `XXXXX-XXXXX`.
pub fn code_text(random: [u8; 10]) -> String {
    let letter = |byte: &u8| char::from(*ALPHABET.get(usize::from(byte % 32)).unwrap_or(&b'0'));
    let (head, tail) = random.split_at(5);
    let part = |bytes: &[u8]| bytes.iter().map(letter).collect::<String>();
    format!("{}-{}", part(head), part(tail))
}

/// Hash of a code as a person typed it: case, spaces, dashes and look-alikes do not matter.
pub fn code_hash(text: &str) -> SecretHash {
    let normal: String = text
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| match letter.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect();
    *blake3::hash(normal.as_bytes()).as_bytes()
}

/// Hash of a token.
pub fn token_hash(token: &str) -> SecretHash {
    *blake3::hash(token.as_bytes()).as_bytes()
}

impl Pairings {
    /// The lanes, by id.
    pub fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.values()
    }

    /// Whether a lane is paired.
    pub fn is_paired(&self, lane: LaneId) -> bool {
        self.lanes.contains_key(&lane)
    }

    /// A new code for so many lanes.
    ///
    /// # Errors
    /// No lanes, or more than a node takes.
    pub fn make_code(&self, hash: SecretHash, lanes: u16, now: Timestamp) -> Result<PairingOp, Refusal> {
        if lanes == 0 || usize::from(lanes) > limits::LANES {
            return Err(Refusal::invalid(format!("lanes: between 1 and {}", limits::LANES)));
        }
        Ok(PairingOp::CodeMade(Code { hash, expires_at: now.plus_millis(CODE_MILLIS), left: lanes }))
    }

    /// Pairs a lane.
    ///
    /// # Errors
    /// A code that is wrong, used up or expired (one answer for all three), a bad name, too many lanes.
    pub fn pair(&self, code: SecretHash, lane: Lane, now: Timestamp) -> Result<PairingOp, Refusal> {
        let works = |known: &&Code| known.hash == code && known.left > 0 && known.expires_at > now;
        if !self.codes.iter().any(|known| works(&known)) {
            let message = "the pairing code is wrong, used up or older than ten minutes; \
                           make a new one on the node with `edge-agent pairing create`";
            return Err(Refusal::new(Why::Unauthenticated, message));
        }
        if lane.name.trim().is_empty() || lane.name.len() > NAME_BYTES {
            return Err(Refusal::invalid(format!("name: between 1 and {NAME_BYTES} bytes")));
        }
        let mut lane = lane;
        if self.lanes.len() >= limits::LANES {
            // A till that lost its token takes its own place again; nobody else is pushed out.
            let same = self.lanes.values().find(|known| known.name == lane.name).ok_or_else(|| {
                let most = limits::LANES;
                Refusal::conflict(format!("{most} lanes are paired; revoke one with `edge-agent pairing revoke`"))
            })?;
            lane.id = same.id;
        }
        Ok(PairingOp::Paired { lane, code })
    }

    /// Takes a lane's token away.
    ///
    /// # Errors
    /// A lane that is not there.
    pub fn revoke(&self, lane: LaneId) -> Result<PairingOp, Refusal> {
        if self.is_paired(lane) { Ok(PairingOp::Revoked(lane)) } else { Err(Refusal::not_found("no such lane")) }
    }

    /// Goes through a change.
    pub fn apply(&mut self, op: &PairingOp) {
        match op {
            PairingOp::CodeMade(code) => {
                if self.codes.len() >= CODES {
                    self.codes.remove(0);
                }
                self.codes.push(code.clone());
            }
            PairingOp::Paired { lane, code } => {
                for known in &mut self.codes {
                    if known.hash == *code {
                        known.left = known.left.saturating_sub(1);
                    }
                }
                self.codes.retain(|known| known.left > 0);
                self.lanes.insert(lane.id, lane.clone());
            }
            PairingOp::Revoked(lane) => {
                self.lanes.remove(lane);
            }
        }
    }
}

/// Counts wrong codes: per address, so that one guesser does not lock the others out for long, and over all.
#[derive(Debug)]
pub struct Throttle<Peer> {
    peers: HashMap<Peer, VecDeque<Timestamp>>,
    all: VecDeque<Timestamp>,
}

impl<Peer> Default for Throttle<Peer> {
    fn default() -> Self {
        Self { peers: HashMap::new(), all: VecDeque::new() }
    }
}

impl<Peer: Hash + Eq> Throttle<Peer> {
    const WINDOW_MILLIS: i64 = 60_000;
    const PER_PEER: usize = 10;
    const OVER_ALL: usize = 60;
    const PEERS: usize = 256;

    /// Whether `peer` may try now.
    ///
    /// # Errors
    /// Too many wrong codes within the last minute.
    pub fn may_try(&mut self, peer: Peer, now: Timestamp) -> Result<(), Refusal> {
        let old = |at: &Timestamp| now.millis_since(*at) >= Self::WINDOW_MILLIS;
        let forget = |tries: &mut VecDeque<Timestamp>| {
            while tries.front().is_some_and(old) {
                tries.pop_front();
            }
        };
        forget(&mut self.all);
        self.peers.values_mut().for_each(forget);
        self.peers.retain(|_, tries| !tries.is_empty());
        let mine = self.peers.get(&peer).map_or(0, VecDeque::len);
        if mine >= Self::PER_PEER || self.all.len() >= Self::OVER_ALL {
            return Err(Refusal::new(Why::TooOften, "too many wrong pairing codes; wait a minute"));
        }
        Ok(())
    }

    /// Counts a wrong code.
    pub fn failed(&mut self, peer: Peer, now: Timestamp) {
        if self.all.len() < Self::OVER_ALL {
            self.all.push_back(now);
        }
        if self.peers.len() < Self::PEERS || self.peers.contains_key(&peer) {
            self.peers.entry(peer).or_default().push_back(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(n: u128, name: &str) -> Lane {
        Lane {
            id: LaneId::from_uuid(uuid::Uuid::from_u128(n)),
            name: name.into(),
            token: [0; 32],
            paired_at: Timestamp(0),
        }
    }

    fn with_code(lanes: u16) -> (Pairings, SecretHash) {
        let mut pairings = Pairings::default();
        let hash = code_hash("ABCDE-01234");
        let op = pairings.make_code(hash, lanes, Timestamp(0)).unwrap();
        pairings.apply(&op);
        (pairings, hash)
    }

    #[test]
    fn a_code_pairs_as_many_lanes_as_it_says_and_no_more() {
        let (mut pairings, hash) = with_code(2);
        for n in 1..=2 {
            let op = pairings.pair(hash, lane(n, "till"), Timestamp(1)).unwrap();
            pairings.apply(&op);
        }
        assert_eq!(pairings.pair(hash, lane(3, "till"), Timestamp(1)).unwrap_err().why, Why::Unauthenticated);
        assert_eq!(pairings.lanes().count(), 2);
    }

    #[test]
    fn a_code_dies_after_ten_minutes() {
        let (pairings, hash) = with_code(1);
        assert!(pairings.pair(hash, lane(1, "till"), Timestamp(CODE_MILLIS - 1)).is_ok());
        assert!(pairings.pair(hash, lane(1, "till"), Timestamp(CODE_MILLIS)).is_err());
    }

    #[test]
    fn a_code_may_be_typed_as_people_type() {
        assert_eq!(code_hash("abcde o1234"), code_hash("ABCDE-0l234"));
        assert_ne!(code_hash("ABCDE-01234"), code_hash("ABCDE-01235"));
        let text = code_text([0, 1, 2, 3, 31, 32, 255, 7, 8, 9]);
        assert_eq!(text, "0123Z-0Z789");
    }

    #[test]
    fn a_full_node_takes_a_known_till_back_and_no_new_one() {
        let (mut pairings, hash) = with_code(64);
        for n in 0..limits::LANES {
            pairings.apply(&PairingOp::Paired { lane: lane(n as u128, &format!("till {n}")), code: [9; 32] });
        }
        assert_eq!(pairings.pair(hash, lane(999, "new"), Timestamp(1)).unwrap_err().why, Why::Conflict);
        let PairingOp::Paired { lane: again, .. } = pairings.pair(hash, lane(999, "till 3"), Timestamp(1)).unwrap()
        else {
            panic!("paired")
        };
        assert_eq!(again.id, lane(3, "").id);
    }

    #[test]
    fn guessing_is_slowed_per_address_and_forgiven_after_a_minute() {
        let mut throttle = Throttle::default();
        let (one, two) = ("10.0.0.1", "10.0.0.2");
        for _ in 0..10 {
            throttle.may_try(one, Timestamp(0)).unwrap();
            throttle.failed(one, Timestamp(0));
        }
        assert_eq!(throttle.may_try(one, Timestamp(59_999)).unwrap_err().why, Why::TooOften);
        assert!(throttle.may_try(two, Timestamp(59_999)).is_ok());
        assert!(throttle.may_try(one, Timestamp(60_000)).is_ok());
    }
}
