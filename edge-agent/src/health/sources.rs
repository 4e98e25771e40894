//! Where the facts of the status page come from: the logs, the disk, the lanes, and what other rooms say of themselves
//! through the seams that `agent.rs` fills. Judges nothing; `core::status` does.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use firmware_config::NodeConfig;
use firmware_config::layout::Layout;
use protocol::event::FiscalEvent;
use protocol::id::{LaneId, Seq, Stream};
use protocol::timestamp::Timestamp;
use tokio::sync::watch;

use super::recent::Recent;
use super::scrub::Findings;
use crate::clock::Clock;
use crate::core::health::{Mqtt, Report};
use crate::core::status::{Certificate, Device, Door, Lane, Ledger, NodeStatus, Uplink, Who, days_of_selling};
use crate::desk::Desk;
use crate::identity;
use crate::invite;
use crate::ledger::Logs;
use crate::snapshot::Snapshots;

/// How long the page waits for the lanes; a desk that is busy for longer is shown without them.
const LANES_WITHIN: Duration = Duration::from_secs(2);

/// What a room answers when it is asked how it stands.
pub type Seam<T> = OnceLock<Box<dyn Fn() -> T + Send + Sync>>;

/// Rooms that start after the doors are open say here how they stand; one that is not there is left out.
#[derive(Default)]
pub struct Seams {
    /// The way to head office.
    pub uplink: Seam<Uplink>,
    /// Peripherals.
    pub devices: Seam<Vec<Device>>,
    /// Lanes that are there now.
    pub online: Seam<BTreeSet<LaneId>>,
    /// Addresses.
    pub places: OnceLock<Places>,
}

/// Where the node listens.
#[derive(Clone, Debug)]
pub struct Places {
    /// Plain HTTP, for this box alone.
    pub loopback: SocketAddr,
    /// HTTPS for the shop's network; none while it is shut.
    pub lan: Option<SocketAddr>,
    /// The others, by what they are for.
    pub others: Vec<(String, SocketAddr)>,
}

/// Everything the page is made from.
pub struct Sources {
    /// Who the node is and where head office is.
    pub config: NodeConfig,
    /// Its files.
    pub layout: Layout,
    /// Its time.
    pub clock: Clock,
    /// Since when it runs.
    pub since: Timestamp,
    /// Settings in force.
    pub snapshots: Snapshots,
    /// The records.
    pub logs: Logs,
    /// The lanes.
    pub desk: Desk,
    /// Whether it can sell.
    pub health: watch::Receiver<Report>,
    /// How the shop's MQTT stands.
    pub mqtt: watch::Receiver<Option<Mqtt>>,
    /// What the check of all records found.
    pub findings: Findings,
    /// The last warnings and errors.
    pub recent: Recent,
    /// What other rooms say.
    pub seams: Seams,
}

impl Sources {
    /// How the node stands now.
    pub async fn status(self: &std::sync::Arc<Self>) -> NodeStatus {
        let lanes = match tokio::time::timeout(LANES_WITHIN, self.desk.lanes()).await {
            Ok(Ok(lanes)) => lanes.into_iter().map(|lane| (lane.id, lane.name)).collect(),
            Ok(Err(_)) | Err(_) => Vec::new(),
        };
        let sources = std::sync::Arc::clone(self);
        let gathered = tokio::task::spawn_blocking(move || sources.gather(lanes)).await;
        gathered.unwrap_or_else(|error| {
            tracing::error!(%error, "the status could not be gathered");
            NodeStatus {
                problems: vec!["the status could not be gathered; see the log".to_owned()],
                ..NodeStatus::default()
            }
            .judged()
        })
    }

    fn gather(&self, lanes: Vec<(LaneId, String)>) -> NodeStatus {
        let Report { problems, warnings } = self.health.borrow().clone();
        let online = self.seams.online.get().map(|ask| ask());
        let lane = |(lane_id, name): (LaneId, String)| {
            let online = online.as_ref().map(|online| online.contains(&lane_id));
            Lane { lane_id, name, online }
        };
        NodeStatus {
            at: self.clock.now(),
            ready: problems.is_empty(),
            problems,
            warnings,
            node: self.who(),
            uplink: self.uplink(),
            certificates: certificates(&self.layout),
            ledger: self.ledger(),
            devices: self.seams.devices.get().map(|ask| ask()).unwrap_or_default(),
            lanes: lanes.into_iter().map(lane).collect(),
            mqtt: self.mqtt.borrow().clone(),
            doors: self.doors(),
            remarks: self.recent.newest_first(),
            ..NodeStatus::default()
        }
        .judged()
    }

    /// Where a till finds this node.
    pub fn till_url(&self) -> String {
        self.seams.places.get().map(|places| invite::url(places.lan, places.loopback)).unwrap_or_default()
    }

    /// The doors by the address that others would use now: a box may get another one while it runs.
    fn doors(&self) -> Vec<Door> {
        let Some(places) = self.seams.places.get() else { return Vec::new() };
        let door = |what: &str, address: String| Door { what: what.to_owned(), address };
        let lan = match places.lan {
            Some(_) => door("Tills", self.till_url()),
            None => door("Tills", "shut: there is no certificate for it".to_owned()),
        };
        let others = places.others.iter().map(|(what, address)| door(what, invite::lan(*address).to_string()));
        [lan, door("This box", format!("http://{}", places.loopback))].into_iter().chain(others).collect()
    }

    fn who(&self) -> Who {
        let (node, shop) = (&self.config.node, self.snapshots.shop());
        Who {
            name: node.name.clone(),
            shop: shop.as_ref().map(|shop| shop.settings.name.clone()),
            tenant_id: node.tenant_id.to_string(),
            shop_id: node.shop_id.to_string(),
            node_id: node.node_id.to_string(),
            term: node.term.0,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            since: self.since,
            pid: std::process::id(),
            memory_kib: memory_kib("/proc/self/status", "VmRSS:"),
            zone: shop.map(|shop| shop.settings.zone.clone()),
        }
    }

    fn uplink(&self) -> Uplink {
        let mut uplink = self.seams.uplink.get().map(|ask| ask()).unwrap_or_default();
        uplink.address = self.config.hq.quic.to_string();
        let head = self.logs.head(Stream::Fiscal);
        uplink.waiting = uplink.waiting.min(head.durable.0);
        if uplink.waiting > 0 {
            // Confirmations come in order but for a moment, so that the oldest one is as far back as there are many.
            let oldest = Seq(head.durable.0 - uplink.waiting + 1).max(head.first_kept);
            uplink.waiting_since = written_at(&self.logs, oldest);
        }
        uplink
    }

    fn ledger(&self) -> Ledger {
        let head = self.logs.head(Stream::Fiscal);
        let free_bytes = free_bytes(self.layout.data());
        let (segments, bytes) = segments(&self.layout.log(Stream::Fiscal));
        let last_at = written_at(&self.logs, head.durable);
        let first_at = written_at(&self.logs, head.first_kept);
        let free_days = free_bytes.zip(first_at.zip(last_at));
        Ledger {
            seq: head.durable.0,
            last_at,
            first_kept: head.first_kept.0,
            segments,
            bytes,
            free_bytes,
            free_days: free_days.and_then(|(free, (first, last))| days_of_selling(free, bytes, first, last)),
            damage: self.findings.damage(),
            checked_at: self.findings.checked_at(),
        }
    }
}

/// Free bytes where something stands, as far as the file system tells.
pub fn free_bytes(path: &Path) -> Option<u64> {
    rustix::fs::statvfs(path).ok().map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize))
}

/// The certificates a node lives by, as far as they can be read.
pub fn certificates(layout: &Layout) -> Vec<Certificate> {
    [("head office", layout.device_certificate()), ("the tills", layout.terminal_certificate())]
        .into_iter()
        .filter_map(|(what, path)| {
            let identity::Validity { from, ends } = identity::validity(&path).ok()?;
            Some(Certificate { what: what.to_owned(), from, ends })
        })
        .collect()
}

/// A figure of a file in `/proc` that is written in kB.
pub fn memory_kib(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse().ok())
}

/// When a fiscal record was written; none if it is not there or says nothing of it.
fn written_at(logs: &Logs, seq: Seq) -> Option<Timestamp> {
    let record = logs.read_one(Stream::Fiscal, seq).ok()??;
    Some(FiscalEvent::decode(&record.event).ok()??.occurred().recorded_at)
}

/// Segment files of a log over all its terms, and their bytes.
fn segments(log: &Path) -> (usize, u64) {
    let list = |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten();
    let files = list(log).flat_map(|term| list(&term.path()).collect::<Vec<_>>());
    files
        .filter(|file| file.path().extension().is_some_and(|kind| kind == "seg"))
        .filter_map(|file| file.metadata().ok())
        .fold((0, 0), |(count, bytes), file| (count + 1, bytes + file.len()))
}
