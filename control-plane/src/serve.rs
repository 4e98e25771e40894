//! The composition root: opens the database, the doors and the workers in order, and closes them in reverse.
//! One read, top-down, shows everything that runs.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::{App, Places};
use crate::auth::seal::{SealError, Sealer};
use crate::clock::Clock;
use crate::config::{Database, ServeConfig};
use crate::db::embedded::{Embedded, EmbeddedError};
use crate::db::{Db, DbError, Limits};
use crate::domain::fleet::{Fleet, FleetError};
use crate::gateway::{self, Gateway, GatewayConfig, GatewayError};
use crate::http::{docs, server, tls};
use crate::mail::{MailSetupError, Outbox};
use crate::outbound::Outbound;
use crate::{domain, jobs, telemetry};

/// How long a start waits for the state directory.
const LOCK_PATIENCE: Duration = Duration::from_secs(15);

/// Why head office did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The private database.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
    /// The device CA.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// The keys that seal secrets.
    #[error(transparent)]
    Secrets(#[from] SealError),
    /// Mail.
    #[error(transparent)]
    Mail(#[from] MailSetupError),
    /// The door of the nodes.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// An address is not to be had.
    #[error("cannot listen on {address}: give --{door} another address, or end the program that is there")]
    Listen {
        /// Which door.
        door: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The addresses could not be written down.
    #[error("cannot write {0}")]
    Addresses(String, #[source] std::io::Error),
}

/// A head office that runs until it is stopped.
#[derive(Debug)]
pub struct Running {
    /// Plain HTTP.
    pub http: SocketAddr,
    /// QUIC.
    pub quic: SocketAddr,
    /// TLS over TCP.
    pub tcp: Option<SocketAddr>,
    /// Prometheus.
    pub metrics: Option<SocketAddr>,
    /// Its parts, for tests that look inside.
    pub app: App,
    ending: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    gateway: Option<Gateway>,
    embedded: Option<Embedded>,
}

/// Where the doors are: `<state>/addresses.json`.
#[derive(Debug, Serialize)]
struct Addresses {
    http: SocketAddr,
    quic: SocketAddr,
    tcp: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
}

/// Starts a head office.
///
/// # Errors
/// Each says what to do about it; whatever was started is stopped again.
pub async fn start(config: ServeConfig, clock: Clock) -> Result<Running, StartError> {
    let (db, embedded) = match &config.database {
        Database::Embedded => {
            let embedded = start_embedded(&config.state).await?;
            (Db::open(&embedded.record().urls(), Limits::default()), Some(embedded))
        }
        Database::External(urls) => (Db::open(urls, Limits::default()), None),
        Database::Given(db) => (db.clone(), None),
    };
    db.preflight().await?;
    let mut app = App::new(db, clock).await?;
    app.state = Some(config.state.clone());
    app.trust_forwarded = config.trust_forwarded;
    app.cors_origins = config.cors_origins.clone().into();
    app.outbound = Outbound::new(config.private_providers);
    app.sealer = match &config.secrets_key {
        Some(path) => Sealer::of_file(path)?,
        None => Sealer::of_state(&config.state)?,
    };
    app.sealer.settle(&app.db, app.clock.now()).await?;
    app.outbox = Arc::new(Outbox::open(&config.mail, &config.state)?);
    if let Some(folder) = app.outbox.folder() {
        tracing::warn!(folder = %folder.display(), "without --smtp-url mail is not sent but kept as files");
    }
    let names = config.public_host.iter().cloned().collect();
    app.fleet.set(Fleet::open(&config.state.join("ca"), &app.db, &app.clock, names).await?);
    let (ending, ended) = watch::channel(false);
    let mut running = Running {
        http: config.http,
        quic: config.quic,
        tcp: None,
        metrics: None,
        app,
        ending,
        tasks: Vec::new(),
        gateway: None,
        embedded,
    };
    open_doors(&mut running, &config, &ended).await?;
    running.spawn(telemetry::upkeep(ended.clone()));
    running.spawn(jobs::Runner::new(running.app.clone(), domain::handlers()).run(ended.clone()));
    running.spawn(jobs::gauges::run(running.app.clone(), domain::handlers(), ended.clone()));
    running.spawn(jobs::watch::run(running.app.clone(), ended.clone()));
    running.spawn(jobs::housekeeping::run(running.app.clone(), ended));
    let Running { http, quic, tcp, metrics, .. } = running;
    write_addresses(&config.state, &Addresses { http, quic, tcp, metrics })?;
    tracing::info!(
        %http, %quic, tcp = tcp.map(tracing::field::display), metrics = metrics.map(tracing::field::display),
        "head office is open"
    );
    Ok(running)
}

/// A command may hold the private database for the second that it takes, and an old head office may still be
/// closing: both are waited for.
async fn start_embedded(state: &Path) -> Result<Embedded, EmbeddedError> {
    let (begun, mut said) = (Instant::now(), false);
    loop {
        match Embedded::start(state).await {
            Err(EmbeddedError::Locked { folder }) if begun.elapsed() < LOCK_PATIENCE => {
                if !std::mem::replace(&mut said, true) {
                    let seconds = LOCK_PATIENCE.as_secs();
                    tracing::info!(state = %folder.display(), seconds, "the state directory is in use; waiting for it");
                }
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
            other => return other,
        }
    }
}

/// Binds every door before the first request is taken, so that each place is known when it is asked for.
async fn open_doors(
    running: &mut Running,
    config: &ServeConfig,
    ended: &watch::Receiver<bool>,
) -> Result<(), StartError> {
    let http = listen("http", config.http).await?;
    let tcp = match config.tcp {
        Some(wanted) => Some(listen("tcp", wanted).await?),
        None => None,
    };
    let metrics = match config.metrics {
        Some(wanted) => Some(listen("metrics", wanted).await?),
        None => None,
    };
    let listen = GatewayConfig {
        listen: config.quic,
        tls: running.app.fleet.get()?.quic_tls().map_err(FleetError::from)?,
        drain_per_second: config.drain_per_second,
    };
    let gateway = gateway::start(running.app.clone(), listen)?;
    running.http = address(&http, config.http);
    running.quic = gateway.local_addr();
    running.gateway = Some(gateway);
    running.tcp = tcp.as_ref().zip(config.tcp).map(|(listener, wanted)| address(listener, wanted));
    running.metrics = metrics.as_ref().zip(config.metrics).map(|(listener, wanted)| address(listener, wanted));
    if !running.http.ip().is_loopback() {
        tracing::warn!(http = %running.http, "plain HTTP beyond loopback: put a proxy with TLS in front, or use --tcp");
    }
    let host = config.public_host.as_deref();
    if host.is_none()
        && (running.quic.ip().is_unspecified() || running.tcp.is_some_and(|tcp| tcp.ip().is_unspecified()))
    {
        tracing::warn!(
            told = reachable(running.quic, None),
            "without --public-host nodes are told to call this machine by an address that only works here"
        );
    }
    let places = Places {
        http: Some(format!("http://{}", reachable(running.http, host))),
        quic: Some(reachable(running.quic, host)),
        tcp: running.tcp.map(|tcp| reachable(tcp, host)),
        public: config.public_url.clone().or_else(|| {
            // People come by HTTPS where there is a name and a door for it.
            host.zip(running.tcp).map(|(_, tcp)| format!("https://{}", reachable(tcp, host)))
        }),
    };
    if running.app.places.set(places).is_err() {
        tracing::debug!("the places were set before");
    }
    let app = running.app.clone();
    let router = docs::router(app.clone());
    if let Some(listener) = tcp {
        let config = app.fleet.get()?.tcp_tls().map_err(FleetError::from)?;
        running.spawn(tls::accept(listener, config, router.clone(), ended.clone()));
    }
    if let Some(listener) = metrics {
        running.spawn(server::accept(listener, metrics_router(app), ended.clone()));
    }
    running.spawn(server::accept(http, router, ended.clone()));
    Ok(())
}

impl Running {
    fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push(tokio::spawn(work));
    }

    /// Ends in order: nodes are told to come back later, no new requests, the running ones answered, then the workers, then the database.
    pub async fn stop(self) {
        if let Some(gateway) = self.gateway {
            gateway.stop().await;
        }
        self.app.web.close();
        self.ending.send_replace(true);
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task did not end in order");
            }
        }
        self.app.db.close().await;
        if let Some(embedded) = self.embedded {
            embedded.stop().await;
        }
        tracing::info!("head office is closed");
    }

    /// Turns true when the doors close.
    pub fn ended(&self) -> watch::Receiver<bool> {
        self.ending.subscribe()
    }

    /// The private database, if this head office has one.
    pub const fn embedded(&self) -> Option<&Embedded> {
        self.embedded.as_ref()
    }
}

async fn listen(door: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { door, address, source })
}

fn address(listener: &TcpListener, wanted: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(wanted)
}

/// How others reach what listens here.
fn reachable(bound: SocketAddr, host: Option<&str>) -> String {
    match host {
        Some(host) => format!("{host}:{}", bound.port()),
        None if bound.ip().is_unspecified() => SocketAddr::new(IpAddr::from([127, 0, 0, 1]), bound.port()).to_string(),
        None => bound.to_string(),
    }
}

fn metrics_router(app: App) -> axum::Router {
    axum::Router::new().route(
        "/metrics",
        axum::routing::get(move || {
            let app = app.clone();
            async move {
                telemetry::observe();
                let (busy, open, limit) = app.db.gauges();
                metrics::gauge!("tillway_db_connections_busy").set(busy);
                metrics::gauge!("tillway_db_connections_open").set(open);
                metrics::gauge!("tillway_db_connections_limit").set(limit);
                telemetry::metrics().map(|handle| handle.render()).unwrap_or_default()
            }
        }),
    )
}

fn write_addresses(state: &Path, addresses: &Addresses) -> Result<(), StartError> {
    let path = state.join("addresses.json");
    let next = state.join("addresses.json.new");
    let text = serde_json::to_vec_pretty(addresses).unwrap_or_default();
    std::fs::create_dir_all(state)
        .and_then(|()| std::fs::write(&next, text))
        .and_then(|()| std::fs::rename(&next, &path))
        .map_err(|source| StartError::Addresses(path.display().to_string(), source))
}

#[cfg(test)]
mod tests;
