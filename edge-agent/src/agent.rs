//! Composition root: every task and every bounded channel of a node, top-down, in one read. Wires; decides
//! nothing. A node starts and sells with no internet, and with no index.

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
use tokio::net::UnixListener;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::clock::Clock;
use crate::desk::Desk;
use crate::identity::{Identity, TerminalIdentity};
use crate::lane;
use crate::ledger::{Logs, Loss, Options};
use crate::snapshot::{ApplyError, Snapshots};
use crate::store::index::Index;
use crate::terminal::serve::{Connections, bind, serve_tcp, serve_unix};
use crate::terminal::{self, Till, control};
use crate::{health, retention, stop, store, telemetry, uplink};

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

    let (logs, opened, snapshots) = open_disk(&config, &layout, changes.clone()).await?;
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
        report_rebuilt(&logs, rebuilt, lanes.caught_up);
    }

    let subject = health::Subject { data: layout.data().to_owned(), snapshots: snapshots.clone(), index };
    let (reports, health_task) = health::start(subject, stopping.clone());
    let desk = lanes.desk.clone();
    let till = Till {
        desk: lanes.desk,
        roster: lanes.roster,
        snapshots: snapshots.clone(),
        logs: logs.clone(),
        clock: clock.clone(),
        changes,
        health: reports,
        stopping: stopping.clone(),
        sockets: Till::sockets(),
        throttle: Arc::default(),
    };

    let mut doors = JoinSet::new();
    let addresses = open_doors(&mut doors, &config, &layout, &till, &recorder, &stopping).await?;
    let mut background = JoinSet::new();
    background.spawn(telemetry::upkeep(recorder));
    background.spawn(async move { drop(health_task.await) });

    let uplink = start_uplink(&mut background, &config, &layout, &snapshots, &logs, &clock, &stopping);

    write_addresses(&layout, &addresses)?;
    tracing::info!(
        node = %config.node.node_id, name = config.node.name, term = config.node.term.0,
        terminal_http = %addresses.terminal_http,
        terminal_https = addresses.terminal_https.map(tracing::field::display),
        metrics = addresses.metrics.map(tracing::field::display),
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
        stopping: stopper,
        doors,
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
    config: &NodeConfig,
    layout: &Layout,
    snapshots: &Snapshots,
    logs: &Logs,
    clock: &Clock,
    stopping: &watch::Receiver<bool>,
) -> Option<uplink::Uplink> {
    let collections = Collection::ALL.map(|collection| (collection, snapshots.have(collection))).to_vec();
    let started = Identity::load(layout, &config.node).and_then(|identity| {
        let options = uplink::Options::new(config, identity, collections, clock.clone());
        uplink::start(options, logs.clone())
    });
    match started {
        Ok((uplink, inbox)) => {
            background.spawn(deliver(inbox.deliveries, uplink.applied(), snapshots.clone()));
            background.spawn(retention::run(logs.clone(), clock.clone(), inbox.settled, stopping.clone()));
            Some(uplink)
        }
        Err(error) => {
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

/// Everything that stands on the disk, opened on a thread that may block.
async fn open_disk(
    config: &NodeConfig,
    layout: &Layout,
    changes: broadcast::Sender<crate::core::change::Change>,
) -> anyhow::Result<(Logs, store::Opened, Snapshots)> {
    let (node, term, layout) = (config.node.node_id, config.node.term, layout.clone());
    tokio::task::spawn_blocking(move || {
        let (logs, report) = Logs::open(&layout.logs(), node, term, Options::default())?;
        for loss in report.losses() {
            let Loss { damage, set_aside, new } = loss;
            tracing::error!(
                stream = %damage.stream, term = damage.term.0, first = damage.first.0, last = damage.last.0,
                segment = damage.segment.0, offset = damage.offset, bytes = damage.bytes, new,
                copy = set_aside.as_ref().map(|copy| tracing::field::display(copy.display())),
                "a part of a log is damaged: its bytes are copied aside, all other records are read; \
                 see `edge-agent journal verify`"
            );
        }
        let opened = store::open(&layout.index())?;
        let snapshots = Snapshots::open(&layout, changes)?;
        anyhow::Ok((logs, opened, snapshots))
    })
    .await?
}

/// Opens the doors: loopback, LAN, control socket, metrics.
async fn open_doors(
    doors: &mut JoinSet<()>,
    config: &NodeConfig,
    layout: &Layout,
    till: &Till,
    recorder: &metrics_exporter_prometheus::PrometheusHandle,
    stopping: &watch::Receiver<bool>,
) -> anyhow::Result<Addresses> {
    let router = terminal::router(till.clone());
    let connections = Arc::new(Connections::default());

    let http = config.terminal.http;
    anyhow::ensure!(http.ip().is_loopback(), "terminal.http {http} is not loopback: it carries tokens in clear");
    let listener = bind(http).await.with_context(|| format!("cannot listen on terminal.http {http}: is another program there? change it in node.toml, or end that program"))?;
    let terminal_http = listener.local_addr()?;
    doors.spawn(serve_tcp(listener, None, router.clone(), Arc::clone(&connections), stopping.clone()));

    let https = config.terminal.https;
    let terminal_https = match TerminalIdentity::load(layout) {
        Ok(identity) => {
            let acceptor = TlsAcceptor::from(identity.tls());
            let listener = bind(https).await.with_context(|| format!("cannot listen on terminal.https {https}: is another program there? change it in node.toml, or end that program"))?;
            let address = listener.local_addr()?;
            doors.spawn(serve_tcp(listener, Some(acceptor), router, connections, stopping.clone()));
            Some(address)
        }
        // A certificate stops no sale: lanes on this box go on.
        Err(error) => {
            tracing::error!(%error, "the door on the shop's LAN stays shut");
            None
        }
    };

    let metrics = match &config.metrics {
        Some(metrics) => {
            let address = metrics.listen;
            match bind(address).await {
                Ok(listener) => {
                    let address = listener.local_addr()?;
                    let router = telemetry::router(recorder.clone());
                    doors.spawn(serve_tcp(listener, None, router, Arc::default(), stopping.clone()));
                    Some(address)
                }
                // Nobody watching is no reason not to sell.
                Err(error) => {
                    tracing::error!(%error, %address, "the door for monitoring stays shut: is another program at \
                        metrics.listen? change it in node.toml, or end that program");
                    None
                }
            }
        }
        None => None,
    };

    let socket = bind_control(layout)?;
    doors.spawn(serve_unix(socket, control::router(till.clone()), stopping.clone()));
    Ok(Addresses { terminal_http, terminal_https, metrics })
}

/// The control socket, for its owner alone. A socket left by an agent that was killed makes room: the lock of
/// the logs says that no other one runs.
fn bind_control(layout: &Layout) -> anyhow::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    let path = layout.control_socket();
    match std::fs::remove_file(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot remove the old {}", path.display())),
    }
    let listener = UnixListener::bind(&path)
        .with_context(|| format!("cannot make {} (a path of at most 100 bytes?)", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn write_addresses(layout: &Layout, addresses: &Addresses) -> anyhow::Result<()> {
    let (path, temporary) = (layout.addresses(), layout.addresses().with_extension("tmp"));
    std::fs::write(&temporary, serde_json::to_vec(addresses)?)?;
    std::fs::rename(&temporary, &path).with_context(|| format!("cannot write {}", path.display()))
}

/// Says in the telemetry log that the index had to be made anew, so that HQ can show it.
fn report_rebuilt(logs: &Logs, rebuilt: &store::Rebuilt, records: u64) {
    match rebuilt {
        store::Rebuilt::Missing if records == 0 => tracing::info!("a new index was made: there are no records yet"),
        store::Rebuilt::Missing => tracing::warn!(records, "there was no index: it was rebuilt from the logs"),
        store::Rebuilt::SetAside { reason, to } => tracing::warn!(
            records, reason, set_aside = %to.display(), "the index would not open: it was rebuilt from the logs"
        ),
    }
    metrics::counter!("tillway_index_rebuilds_total").increment(1);
    let reason = match rebuilt {
        store::Rebuilt::Missing => "missing".to_owned(),
        store::Rebuilt::SetAside { reason, .. } => reason.clone(),
    };
    let event = telemetry::IndexRebuiltV1 { reason, records };
    let noted = event
        .encode()
        .map_err(anyhow::Error::from)
        .and_then(|raw| logs.append_unsynced(protocol::id::Stream::Telemetry, raw).map_err(anyhow::Error::from));
    if let Err(error) = noted {
        tracing::warn!(%error, "the rebuilding was not noted in the telemetry log");
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

    /// Resolves when something asked the node to stop.
    pub async fn stopped(&self) {
        stop::asked(&mut self.stopping.subscribe()).await;
    }
}
