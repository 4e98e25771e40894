//! Composition root: every task and every bounded channel of a node, top-down, in one read. Wires; decides
//! nothing. A node starts and sells with no internet, and with no index.

mod coordination;
mod disk;
mod doors;
mod printing;
mod shop_mqtt;
mod status;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use firmware_config::NodeConfig;
use firmware_config::layout::Layout;
use protocol::collection::Collection;
use protocol::limits;
use protocol::session::edge::Delivered;
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::core::change::Change;
use crate::desk::Desk;
use crate::device::Devices;
use crate::identity::Identity;
use crate::lane;
use crate::lanes::Lanes;
use crate::ledger::Logs;
use crate::mqtt::Mqtt;
use crate::pins::Pins;
use crate::snapshot::{ApplyError, Snapshots};
use crate::store::index::Index;
use crate::terminal::Till;
use crate::{health, peripheral, retention, stop, store, telemetry, uplink};

/// What an agent is started with.
pub struct AgentOptions {
    /// What it is told to be.
    pub config: NodeConfig,
    /// The node's folder, where `node.toml` stands.
    pub dir: PathBuf,
    /// Its time.
    pub clock: Clock,
}

/// The addresses a running agent took; also in `addresses.json` for tools on the box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// Plain HTTP on loopback.
    pub terminal_http: SocketAddr,
    /// HTTPS on the shop's LAN; none when its certificate could not be read.
    pub terminal_https: Option<SocketAddr>,
    /// MQTT with TLS on the shop's LAN.
    #[serde(default)]
    pub mqtt_tls: Option<SocketAddr>,
    /// Plain MQTT on loopback.
    #[serde(default)]
    pub mqtt_plain: Option<SocketAddr>,
    /// Prometheus.
    pub metrics: Option<SocketAddr>,
}

/// A running agent. Dropping it without [`Self::stop`] shuts its doors at once; nobody waits for what is under way.
pub struct Running {
    /// Where it listens.
    pub addresses: Addresses,
    /// The socket for tools on the box.
    pub control_socket: PathBuf,
    /// Catalogue and settings in force; what HQ sends is applied here.
    pub snapshots: Snapshots,
    /// The logs.
    pub logs: Logs,
    /// Where the lanes are asked.
    pub desk: Desk,
    /// What the devices are doing.
    pub devices: Devices,
    /// How the node stands.
    pub sources: Arc<health::sources::Sources>,
    /// The shop's MQTT, if it is configured.
    pub mqtt: Option<Mqtt>,
    changes: broadcast::Sender<Change>,
    stopping: watch::Sender<bool>,
    doors: JoinSet<()>,
    lanes: tokio::task::JoinHandle<()>,
    /// Ends with the agent, in whatever state.
    background: JoinSet<()>,
    /// Head office, if the node has an identity.
    pub uplink: Option<uplink::Uplink>,
    index: Arc<store::Opened>,
}

/// How long a clean stop may take before it is given up; what was acknowledged is on the disk anyway.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Starts an agent: logs, index, snapshots, lanes, doors, uplink. Answers when lanes can sell.
///
/// # Errors
/// Logs that cannot be opened, an index that cannot even be made anew, addresses that are taken.
pub async fn start(options: AgentOptions) -> anyhow::Result<Running> {
    let AgentOptions { config, dir, clock } = options;
    let layout = Layout::new(&dir, &config);
    let (stopper, stopping) = watch::channel(false);
    let (changes, _) = broadcast::channel(limits::CHANGES_WAITING);
    let recorder = telemetry::recorder()?;

    let (logs, opened, snapshots) = disk::open_disk(&config, &layout, changes.clone()).await?;
    let index = Arc::new(Index::open(&opened.db).context("the index does not open")?);

    let parts = lane::Parts {
        logs: logs.clone(),
        index: Arc::clone(&index),
        snapshots: snapshots.clone(),
        clock: clock.clone(),
        changes: changes.clone(),
        stopping: stopping.clone(),
    };
    let lanes = lane::start(parts).await.context("the lanes cannot be restored from the logs")?;
    if let Some(rebuilt) = &opened.rebuilt {
        disk::report_rebuilt(&logs, rebuilt, lanes.caught_up);
    }

    let devices = Devices::default();
    let printing = printing::start(peripheral::Parts {
        printers: config.printers.clone(),
        logs: logs.clone(),
        index: Arc::clone(&index),
        clock: clock.clone(),
        changes: changes.clone(),
        devices: devices.clone(),
        desk: lanes.desk.clone(),
        render: printing::render(config.node.node_id, snapshots.clone()),
        stopping: stopping.clone(),
    })
    .await;

    let patient = health::scrub::Patient { logs: layout.logs(), node: config.node.node_id, clock: clock.clone() };
    let findings = health::scrub::start(patient, stopping.clone());
    let (mqtt_says, mqtt_stands) = watch::channel(None);
    let subject = health::Subject {
        layout: layout.clone(),
        snapshots: snapshots.clone(),
        index,
        findings: findings.clone(),
        mqtt: mqtt_stands.clone(),
        clock: clock.clone(),
    };
    let (reports, health_task) = health::start(subject, stopping.clone());
    let desk = lanes.desk.clone();
    let sources = Arc::new(health::sources::Sources {
        config: config.clone(),
        layout: layout.clone(),
        since: clock.now(),
        clock: clock.clone(),
        snapshots: snapshots.clone(),
        logs: logs.clone(),
        desk: desk.clone(),
        health: reports.clone(),
        mqtt: mqtt_stands,
        findings,
        recent: health::recent::Recent::of_process(),
        seams: health::sources::Seams::default(),
    });
    let online = Lanes::default();
    let till = Till {
        pins: Pins::new(lanes.desk.clone(), snapshots.clone(), clock.clone()),
        desk: lanes.desk,
        roster: lanes.roster,
        lanes: online.clone(),
        snapshots: snapshots.clone(),
        logs: logs.clone(),
        spool: printing.spool,
        clock: clock.clone(),
        changes: changes.clone(),
        health: reports,
        stopping: stopping.clone(),
        sockets: Till::sockets(),
        throttle: Arc::default(),
    };

    let mut bound = Vec::new();
    let mut addresses = doors::open_doors(&mut bound, &config, &layout, &till, &sources, &recorder, &stopping).await?;
    let closing = coordination::Closing::default();
    let mqtt = shop_mqtt::open(&config, &layout, &till.roster, &mut addresses, &closing.heard);
    coordination::start(mqtt.as_ref(), &sources, &devices, &changes, &online, closing, &stopping);
    status::show_places(&sources, &addresses);
    status::show_devices(&sources, &devices);
    if let Some(task) = printing.task {
        bound.push(Box::pin(async move { drop(task.await) }));
    }
    let mut background = JoinSet::new();
    background.spawn(telemetry::upkeep(recorder, layout.clone()));
    background.spawn(async move { drop(health_task.await) });
    if let Some(mqtt) = &mqtt {
        background.spawn(shop_mqtt::tell(mqtt.broker.clone(), mqtt.shut.clone(), mqtt_says, stopping.clone()));
    }

    let uplink = start_uplink(&mut background, &layout, &sources, &stopping);

    doors::write_addresses(&layout, &addresses)?;
    let open: JoinSet<()> = bound.into_iter().collect();
    tracing::info!(
        node = %config.node.node_id, name = config.node.name, term = config.node.term.0,
        terminal_http = %addresses.terminal_http,
        terminal_https = addresses.terminal_https.map(tracing::field::display),
        metrics = addresses.metrics.map(tracing::field::display),
        mqtt_tls = addresses.mqtt_tls.map(tracing::field::display),
        mqtt_plain = addresses.mqtt_plain.map(tracing::field::display),
        "the node is open"
    );
    let control_socket = layout.control_socket();
    let index = Arc::new(opened);
    Ok(Running {
        addresses,
        control_socket,
        snapshots,
        logs,
        desk,
        devices,
        sources,
        mqtt,
        changes,
        stopping: stopper,
        doors: open,
        lanes: lanes.task,
        background,
        uplink,
        index,
    })
}

/// Connects the node to head office: deliveries go into the snapshots, marks to the logs. Without a usable
/// identity there is no uplink, and the node sells all the same.
fn start_uplink(
    background: &mut JoinSet<()>,
    layout: &Layout,
    sources: &Arc<health::sources::Sources>,
    stopping: &watch::Receiver<bool>,
) -> Option<uplink::Uplink> {
    let health::sources::Sources { config, snapshots, logs, clock, .. } = &**sources;
    let collections = Collection::ALL.map(|collection| (collection, snapshots.have(collection))).to_vec();
    let started = Identity::load(layout, &config.node).and_then(|identity| {
        let options = uplink::Options::new(config, identity, collections, clock.clone());
        uplink::start(options, logs.clone())
    });
    match started {
        Ok((uplink, inbox)) => {
            status::follow_uplink(background, sources, Ok((&uplink, inbox.settled.clone())));
            let unsent = inbox.settled.clone();
            background.spawn(telemetry::backlog::run(logs.clone(), clock.clone(), unsent, stopping.clone()));
            background.spawn(deliver(inbox.deliveries, uplink.applied(), snapshots.clone()));
            background.spawn(retention::run(logs.clone(), clock.clone(), inbox.settled, stopping.clone()));
            Some(uplink)
        }
        Err(error) => {
            status::follow_uplink(background, sources, Err(error.to_string()));
            tracing::error!(%error, "no uplink: the node sells, head office hears nothing");
            metrics::counter!("tillway_uplink_identity_failures_total").increment(1);
            None
        }
    }
}

/// Applies what HQ sends, one at a time, and answers where the collection stands.
async fn deliver(
    mut deliveries: mpsc::Receiver<Delivered>,
    applied: mpsc::Sender<uplink::Applied>,
    snapshots: Snapshots,
) {
    while let Some(delivered) = deliveries.recv().await {
        let (collection, into) = (delivered.collection, snapshots.clone());
        let taken = tokio::task::spawn_blocking(move || into.apply(delivered.bytes)).await;
        let wants_snapshot = match taken {
            Ok(Ok(_)) => false,
            Ok(Err(ApplyError::Gap { .. })) => true,
            Ok(Err(error)) => {
                tracing::error!(%error, collection = collection.name(), "a delivery was not taken");
                metrics::counter!("tillway_deliveries_refused_total").increment(1);
                false
            }
            Err(error) => {
                tracing::error!(%error, "taking a delivery died");
                false
            }
        };
        let version = snapshots.have(collection);
        if applied.send(uplink::Applied { collection, version, wants_snapshot }).await.is_err() {
            return;
        }
    }
}

impl Running {
    /// Stops cleanly, as [`Self::close`], and lets go of everything.
    pub async fn stop(mut self) {
        self.close().await;
    }

    /// Closes the node: no new requests, answers to those under way, everything on the disk. What is left afterwards
    /// is memory.
    pub async fn close(&mut self) {
        if self.stopping.send(true).is_err() {
            tracing::debug!("nobody was left to be stopped");
        }
        let ended = tokio::time::timeout(STOP_TIMEOUT, async {
            while self.doors.join_next().await.is_some() {}
            if let Some(mqtt) = &mut self.mqtt {
                mqtt.ended().await;
            }
            if let Err(error) = (&mut self.lanes).await {
                tracing::error!(%error, "the lanes ended badly");
            }
        });
        if ended.await.is_err() {
            tracing::warn!("the node did not stop in time; what was acknowledged is on the disk");
        }
        // What was just sold goes up first, as far as the moment allows.
        if let Some(uplink) = self.uplink.take() {
            uplink.stop().await;
        }
        self.background.shutdown().await;
        let index = Arc::clone(&self.index);
        let synced = tokio::task::spawn_blocking(move || index.sync()).await;
        if let Ok(Err(error)) = synced {
            tracing::warn!(%error, "the index was not synced; the next start catches up");
        }
        tracing::info!("the node is closed");
    }

    /// What changes, as the tills hear it.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Turns true when the node stops.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// Resolves when something asked the node to stop.
    pub async fn stopped(&self) {
        stop::asked(&mut self.stopping.subscribe()).await;
    }
}
