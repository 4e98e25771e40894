//! The composition root: opens the database, the doors and the workers in order, and closes them in reverse.
//! One read, top-down, shows everything that runs.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::{App, Places};
use crate::clock::Clock;
use crate::config::{Database, ServeConfig};
use crate::db::embedded::{Embedded, EmbeddedError};
use crate::db::{Db, DbError, Limits};
use crate::http::{docs, server};
use crate::{jobs, telemetry};

/// Why head office did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The private database.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
    /// An address is not to be had.
    #[error("cannot listen on {address} ({door})")]
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
    /// Prometheus.
    pub metrics: Option<SocketAddr>,
    /// Its parts, for tests that look inside.
    pub app: App,
    ending: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    embedded: Option<Embedded>,
}

/// Where the doors are: `<state>/addresses.json`.
#[derive(Debug, Serialize)]
struct Addresses {
    http: SocketAddr,
    metrics: Option<SocketAddr>,
}

/// Starts a head office.
///
/// # Errors
/// Each says what to do about it; whatever was started is stopped again.
pub async fn start(config: ServeConfig, clock: Clock) -> Result<Running, StartError> {
    let (db, embedded) = match &config.database {
        Database::Embedded => {
            let embedded = Embedded::start(&config.state).await?;
            (Db::open(&embedded.record().urls(), Limits::default()), Some(embedded))
        }
        Database::External(urls) => (Db::open(urls, Limits::default()), None),
        Database::Given(db) => (db.clone(), None),
    };
    db.preflight().await?;
    let mut app = App::new(db, clock).await?;
    app.state = Some(config.state.clone());
    app.trust_forwarded = config.trust_forwarded;
    let (ending, ended) = watch::channel(false);
    let mut tasks = Vec::new();

    let http_listener = listen("http", config.http).await?;
    let http = address(&http_listener, config.http);
    if !http.ip().is_loopback() {
        tracing::warn!(%http, "plain HTTP beyond loopback: put a proxy with TLS in front, or use --tcp");
    }
    let metrics = match config.metrics {
        Some(wanted) => {
            let listener = listen("metrics", wanted).await?;
            let at = address(&listener, wanted);
            tasks.push(tokio::spawn(server::accept(listener, metrics_router(app.clone()), ended.clone())));
            Some(at)
        }
        None => None,
    };
    let places = Places { http: Some(format!("http://{}", reachable(http, config.public_host.as_deref()))), ..Places::default() };
    if app.places.set(places).is_err() {
        tracing::debug!("the places were set before");
    }
    tasks.push(tokio::spawn(server::accept(http_listener, docs::router(app.clone()), ended.clone())));
    tasks.push(tokio::spawn(jobs::housekeeping::run(app.clone(), ended.clone())));
    write_addresses(&config.state, &Addresses { http, metrics })?;
    tracing::info!(%http, metrics = metrics.map(tracing::field::display), "head office is open");
    Ok(Running { http, metrics, app, ending, tasks, embedded })
}

impl Running {
    /// Ends in order: no new requests, the running ones answered, then the workers, then the database.
    pub async fn stop(self) {
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
