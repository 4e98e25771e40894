//! The nouns of the fleet. Pure: no SQL, no HTTP.

use crate::domain::audit::Actor;
use protocol::id::{NodeId, ShopId, TenantId, Term};
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// What a node is in its shop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeRole {
    /// It sells.
    #[default]
    Primary,
}

impl NodeRole {
    /// The name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
        }
    }
}

/// What a claim is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewClaim {
    /// What the node will be.
    pub role: NodeRole,
    /// Who asks; `None` on the command line.
    pub by: Option<Actor>,
}

/// A claim, at the one moment when its code is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimMade {
    /// Its id.
    pub claim_id: Uuid,
    /// The code for the person at the box. HQ does not keep it.
    pub code: String,
    /// When it ends unused.
    pub expires_at: Timestamp,
}

/// Who is at the other end of a connection, by its certificate and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeIdentity {
    /// The tenant.
    pub tenant: TenantId,
    /// The shop.
    pub shop: ShopId,
    /// The node.
    pub node: NodeId,
    /// The term of its certificate, which is the term in force.
    pub term: Term,
}

/// The way a node reached HQ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// QUIC over UDP.
    Quic,
    /// TLS over TCP.
    Tcp,
}

impl Carrier {
    /// The name in the database and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::Tcp => "tcp",
        }
    }
}

/// What a node says of itself, and how it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeReport {
    /// Version of its software.
    pub agent_version: String,
    /// Its clock when it said so.
    pub clock: Timestamp,
    /// A number it chose at its start: two live sessions with different ones are two boxes.
    pub boot_nonce: Vec<u8>,
    /// The way it came.
    pub carrier: Carrier,
    /// The address it came from.
    pub address: String,
    /// Whether a session begins (otherwise one goes on).
    pub connected: bool,
}

/// What became of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is the newest.
    Newest,
    /// A newer one is known.
    Older,
    /// The same position was sworn with another hash before: forgery or two boxes. Counted and alarmed.
    Contradiction,
}

/// A node in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct NodeRow {
    /// The node.
    pub node_id: Uuid,
    /// Its shop.
    pub shop_id: Uuid,
    /// What people call it.
    pub name: String,
    /// What it is.
    pub role: String,
    /// The term in force.
    pub term: i64,
    /// When it enrolled.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String)]
    pub enrolled_at: time::OffsetDateTime,
    /// Last contact; none yet when absent.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>)]
    pub last_seen_at: Option<time::OffsetDateTime>,
    /// Version of its software, as it said.
    pub agent_version: Option<String>,
    /// `quic` or `tcp`.
    pub carrier: Option<String>,
    /// Its clock less HQ's in milliseconds, at the last report.
    pub clock_skew_millis: Option<i64>,
    /// End of its newest certificate.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>)]
    pub certificate_expires_at: Option<time::OffsetDateTime>,
    /// Where its logs stand, by its last signed checkpoints.
    pub logs: Vec<LogPosition>,
}

/// Where a log stands, by a signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LogPosition {
    /// fiscal, work or telemetry.
    pub stream: &'static str,
    /// The term.
    pub term: i64,
    /// The last durable record.
    pub seq: i64,
    /// When, by the node's clock.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String)]
    pub at: time::OffsetDateTime,
    /// Checkpoints that contradicted each other; must be 0.
    pub contradictions: i64,
}

/// Whether HQ has everything that one node holds of one term.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct NodeCompleteness {
    /// The node.
    pub node_id: Uuid,
    /// The term.
    pub term: u32,
    /// Events in its fiscal log by its last signed checkpoint; 0 while nothing was sworn and nothing came, absent
    /// (unknown) once events came before the first checkpoint.
    pub stored: Option<u64>,
    /// Events HQ holds.
    pub received: u64,
    /// Positions missing below the highest that HQ holds.
    pub gaps: u64,
    /// Events that came again and were ignored.
    pub resent: u64,
    /// Anything counted more than once, recomputed; must be 0.
    pub duplicates: u64,
    /// Whether HQ's chain has the hash that the node swore at the checkpoint's position.
    pub head_hash_equal: bool,
    /// When the checkpoint was made, by the node's clock.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>)]
    pub checkpoint_at: Option<time::OffsetDateTime>,
    /// Checkpoints that contradicted each other; must be 0.
    pub contradictions: u64,
}

/// The completeness of a shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ShopCompleteness {
    /// One entry per node and term.
    pub nodes: Vec<NodeCompleteness>,
}

/// One fiscal log of a node and what the node last swore of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwornLog {
    /// The node.
    pub node: NodeId,
    /// The term.
    pub term: Term,
    /// The shop.
    pub shop: ShopId,
    /// What people call the node.
    pub name: String,
    /// Whether the term is in force: the node still writes it.
    pub reigns: bool,
    /// The last durable record it swore to.
    pub seq: Option<u64>,
    /// The hash there.
    pub head_hash: Option<[u8; 32]>,
    /// When, by the node's clock.
    pub at: Option<time::OffsetDateTime>,
    /// Checkpoints that contradicted each other; must be 0.
    pub contradictions: u64,
}

/// What a node says it holds of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The version; 0 is nothing.
    pub version: u64,
    /// When it first said so.
    pub said_at: time::OffsetDateTime,
}

/// One log as HQ and the shop see it, by cursors and checkpoints alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogState {
    /// The node.
    pub node: NodeId,
    /// The term.
    pub term: Term,
    /// The shop.
    pub shop: ShopId,
    /// Whether the node still writes it.
    pub reigns: bool,
    /// Records in the shop, by the last checkpoint; unknown before the first.
    pub stored: Option<u64>,
    /// When that was, by the node's clock.
    pub sworn_at: Option<time::OffsetDateTime>,
    /// Records HQ holds.
    pub received: u64,
    /// Positions missing below the highest that HQ holds.
    pub gaps: u64,
    /// When anything of it last came in.
    pub moved_at: Option<time::OffsetDateTime>,
    /// Whether something about it contradicts itself: two oaths, two contents, another chain.
    pub contradicts: bool,
}

impl LogState {
    /// Records that HQ knows of and does not hold.
    pub fn waiting(&self) -> u64 {
        self.stored.unwrap_or(0).saturating_sub(self.received).max(self.gaps)
    }
}

/// A node with everything a page shows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStanding {
    /// The node, without its logs' positions.
    pub row: NodeRow,
    /// Its fiscal logs, by term.
    pub logs: Vec<LogState>,
    /// What it holds of the catalogue; none when it never said.
    pub catalogue: Option<Held>,
}

/// The nodes of a shop or of all, and the logs of nodes that are no more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The nodes in force, by id.
    pub nodes: Vec<NodeStanding>,
    /// Logs whose node was retired.
    pub orphans: Vec<LogState>,
}

impl Standing {
    /// All logs of a shop, of nodes in force or not.
    pub fn logs_of(&self, shop: Uuid) -> impl Iterator<Item = &LogState> {
        let logs = self.nodes.iter().flat_map(|node| &node.logs).chain(&self.orphans);
        logs.filter(move |log| log.shop.as_uuid() == shop)
    }

    /// The nodes of a shop.
    pub fn nodes_of(&self, shop: Uuid) -> impl Iterator<Item = &NodeStanding> {
        self.nodes.iter().filter(move |node| node.row.shop_id == shop)
    }
}

/// A node for its own page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeDetail {
    /// What the list shows of it, with the positions of all its logs.
    pub standing: NodeStanding,
    /// The address it last came from.
    pub address: Option<String>,
    /// When its last session began.
    pub connected_at: Option<time::OffsetDateTime>,
}
