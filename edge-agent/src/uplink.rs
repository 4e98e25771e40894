//! The uplink of a node: dials HQ over QUIC, drives `session::edge`, reads the logs for it, signs checkpoints, hands
//! deliveries out. It decides nothing: what is sent when is the session's, what a delivery means is the snapshots',
//! when a log forgets is the ledger's. It writes nothing to disk.

mod driver;
mod endpoint;
mod link;
mod probe;
mod status;

use std::time::Duration;

use firmware_config::{HostPort, NodeConfig};
use protocol::collection::{Collection, Version};
use protocol::id::{Seq, Stream};
use protocol::session::edge::Delivered;
use rand::Rng;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

pub use probe::{ProbeError, probe};
pub use status::{Link, Status};

use crate::clock::Clock;
use crate::identity::{Identity, IdentityError};
use crate::ledger::Logs;
use driver::Driver;

/// The logs that travel. The work log stays in the shop.
const STREAMS: [Stream; 2] = [Stream::Fiscal, Stream::Telemetry];
/// Deliveries that wait for the snapshots; the session hands out one per collection.
const DELIVERIES: usize = 4;
/// Time to say goodbye.
const STOP: Duration = Duration::from_secs(3);

/// Where a collection stands at the node, for HQ. Sent after every delivery, whether it was taken or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Which.
    pub collection: Collection,
    /// The version in force.
    pub version: Version,
    /// A delta did not fit: HQ is asked for the whole.
    pub wants_snapshot: bool,
}

/// How far HQ has committed each log without a gap. The ledger may retire up to there, by its own conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled(Vec<(Stream, Seq)>);

impl Settled {
    /// The mark of a log; 0 while nothing is known since the start.
    pub fn upto(&self, stream: Stream) -> Seq {
        self.0.iter().find(|(of, _)| *of == stream).map_or(Seq(0), |(_, upto)| *upto)
    }

    fn set(&mut self, stream: Stream, upto: Seq) {
        self.0.retain(|(of, _)| *of != stream);
        self.0.push((stream, upto));
    }
}

/// What the uplink is started with.
#[derive(Debug)]
pub struct Options {
    /// HQ's QUIC door.
    pub hq: HostPort,
    /// The name its certificate must carry.
    pub server_name: String,
    /// Who we are.
    pub identity: Identity,
    /// What the node holds of each collection.
    pub collections: Vec<(Collection, Version)>,
    /// The time of day.
    pub clock: Clock,
    /// Version of the agent, for HQ.
    pub agent_version: String,
}

impl Options {
    /// From the node's configuration.
    pub fn new(config: &NodeConfig, identity: Identity, collections: Vec<(Collection, Version)>, clock: Clock) -> Self {
        Self {
            hq: config.hq.quic.clone(),
            server_name: config.hq.server_name.clone(),
            identity,
            collections,
            clock,
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// What the rest of the agent hears from the uplink.
#[derive(Debug)]
pub struct Inbox {
    /// Deliveries for the snapshots. Answer each on [`Uplink::applied`].
    pub deliveries: mpsc::Receiver<Delivered>,
    /// Marks for the ledger's retirement.
    pub settled: watch::Receiver<Settled>,
}

/// The running uplink. When it is dropped, it stops.
#[derive(Debug)]
pub struct Uplink {
    status: watch::Receiver<Status>,
    applied: mpsc::Sender<Applied>,
    nudge: watch::Sender<u64>,
    stop: Option<watch::Sender<bool>>,
    task: Option<JoinHandle<()>>,
}

/// Starts the uplink. It dials at once and for ever.
///
/// # Errors
/// [`IdentityError::Tls`]: the identity cannot be used for QUIC. The node sells all the same.
pub fn start(options: Options, logs: Logs) -> Result<(Uplink, Inbox), IdentityError> {
    let tls = endpoint::client_tls(&options)?;
    let (deliveries_in, deliveries) = mpsc::channel(DELIVERIES);
    let (applied, applied_out) = mpsc::channel(DELIVERIES);
    let (settled_in, settled) = watch::channel(Settled::default());
    let (status_in, status) = watch::channel(Status::default());
    let (nudge, nudge_out) = watch::channel(0);
    let (stop, stop_out) = watch::channel(false);
    let mut random = rand::rng();
    let seed = random.next_u64();
    let mut boot_nonce = [0; 16];
    random.fill_bytes(&mut boot_nonce);
    let outlets = driver::Outlets { deliveries: deliveries_in, settled: settled_in, status: status_in };
    let inlets = driver::Inlets { applied: applied_out, nudge: nudge_out, stop: stop_out };
    let driver = Driver::new(options, tls, logs, outlets, seed, boot_nonce);
    let task = tokio::spawn(driver.run(inlets));
    Ok((Uplink { status, applied, nudge, stop: Some(stop), task: Some(task) }, Inbox { deliveries, settled }))
}

impl Uplink {
    /// How it stands, and as it changes.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Where answers to deliveries go.
    pub fn applied(&self) -> mpsc::Sender<Applied> {
        self.applied.clone()
    }

    /// Another address, carrier or route: try at once.
    pub fn network_changed(&self) {
        self.nudge.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Says goodbye to HQ and ends.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        if let Some(task) = self.task.take()
            && tokio::time::timeout(STOP, task).await.is_err()
        {
            tracing::warn!("the uplink did not end in time");
        }
    }
}

#[cfg(test)]
mod tests;
