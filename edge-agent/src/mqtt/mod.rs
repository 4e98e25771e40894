//! The shop's MQTT: a broker inside the agent and a guard in front of it. It shows and coordinates; no money moves over
//! it, and nothing that goes wrong here stops a sale.

pub mod broker;
pub mod client;
mod guard;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use protocol::id::{NodeId, ShopId};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::desk::Roster;
use guard::{Door, Guard};

/// How long the node's own client may take to say goodbye once the node stops.
const FAREWELL_WITHIN: Duration = Duration::from_secs(2);

/// What MQTT is started with.
pub struct Parts {
    /// The doors.
    pub doors: firmware_config::Mqtt,
    /// The shop, which stands in every topic.
    pub shop: ShopId,
    /// The node.
    pub node: NodeId,
    /// TLS with the shop's certificate; without it the door on the LAN stays shut.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Whose token is whose.
    pub roster: Roster,
    /// Turns true when the node stops.
    pub stopping: watch::Receiver<bool>,
}

/// A login.
#[derive(Clone)]
pub struct Credentials {
    /// User.
    pub username: String,
    /// Password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// The shop's MQTT, running.
pub struct Mqtt {
    /// TLS on the shop's LAN, if that door is open.
    pub tls: Option<SocketAddr>,
    /// Plain on loopback, if that door is open.
    pub plain: Option<SocketAddr>,
    /// The login of the node's own client, good on the plain door until the node stops.
    pub own: Credentials,
    /// Doors that could not be opened: which, where and why.
    pub shut: Vec<String>,
    /// Whether there is a broker at the moment.
    pub broker: broker::Current,
    tasks: JoinSet<()>,
    _room: Room,
}

/// The thread of the guard: a flood of handshakes and of messages takes one core of the box, and not those that sell.
struct Room {
    handle: Handle,
    /// Dropping it ends the thread.
    _end: Option<oneshot::Sender<()>>,
}

impl Room {
    /// A thread of its own; the agent's threads where there is none to be had.
    fn open() -> Self {
        let opened = Builder::new_current_thread().enable_all().build().and_then(|runtime| {
            let (handle, (end, ended)) = (runtime.handle().clone(), oneshot::channel());
            let work = move || drop(runtime.block_on(ended));
            std::thread::Builder::new().name("mqtt-guard".to_owned()).spawn(work)?;
            Ok(Self { handle, _end: Some(end) })
        });
        opened.unwrap_or_else(|error| {
            tracing::warn!(%error, "no thread for the MQTT doors; they share those of the tills");
            Self { handle: Handle::current(), _end: None }
        })
    }
}

/// Opens the doors. A door that cannot be opened stays shut, with a word in the log: lanes sell without MQTT.
pub fn start(parts: Parts) -> Mqtt {
    let Parts { doors, shop, node, tls, roster, stopping } = parts;
    let secret: [u8; 32] = rand::random();
    let password = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let own = Credentials { username: node.to_string(), password };
    let (stopper, last_to_stop) = watch::channel(false);
    let (broker, sick, keeper) = broker::start(last_to_stop.clone());
    let room = Room::open();
    // Doors are bound where they are served.
    let _inside = room.handle.enter();
    let parts =
        guard::Parts { shop, node, roster, own: own.clone(), broker: broker.clone(), sick, stopping: last_to_stop };
    let guard = Guard::new(parts);
    let mut tasks = JoinSet::new();
    tasks.spawn(stop_last(Arc::clone(&guard), stopping, stopper));
    tasks.spawn(async move { drop(keeper.await) });
    tasks.spawn(Arc::clone(&guard).watch_tokens());
    let mut shut = Vec::new();
    let mut open = |name, address, door| match open(address, name, door, &guard, &mut tasks) {
        Ok(address) => Some(address),
        Err(error) => {
            shut.push(format!("{name} {address} ({error})"));
            None
        }
    };
    let tls = match tls {
        Some(config) => {
            let mut config = rustls::ServerConfig::clone(&config);
            config.alpn_protocols = vec![b"mqtt".to_vec()];
            let door = Door::Tls(TlsAcceptor::from(Arc::new(config)));
            open("mqtt.tls", doors.tls, door)
        }
        // That there is no certificate is said of the tills' door.
        None => None,
    };
    let plain = if doors.plain.ip().is_loopback() {
        open("mqtt.plain", doors.plain, Door::Plain)
    } else {
        tracing::error!(address = %doors.plain, "mqtt.plain is not loopback: it carries tokens in clear and stays shut");
        shut.push(format!("mqtt.plain {} (it is not loopback, and carries tokens in clear)", doors.plain));
        None
    };
    Mqtt { tls, plain, own, shut, broker, tasks, _room: room }
}

/// The node's own client says that it goes, and the lanes hear it, before the doors close.
async fn stop_last(guard: Arc<Guard>, mut stopping: watch::Receiver<bool>, stopper: watch::Sender<bool>) {
    crate::stop::asked(&mut stopping).await;
    let gone = tokio::time::timeout(FAREWELL_WITHIN, guard.node_gone()).await;
    if gone.is_err() {
        tracing::debug!("the node's own MQTT client takes its time; the doors close");
    }
    stopper.send_replace(true);
}

fn open(
    address: SocketAddr,
    key: &str,
    door: Door,
    guard: &Arc<Guard>,
    tasks: &mut JoinSet<()>,
) -> std::io::Result<SocketAddr> {
    let bound = guard::listen(address).and_then(|listener: TcpListener| Ok((listener.local_addr()?, listener)));
    match bound {
        Ok((address, listener)) => {
            tasks.spawn(guard::serve(listener, door, Arc::clone(guard)));
            Ok(address)
        }
        Err(error) => {
            metrics::counter!("tillway_mqtt_doors_shut_total").increment(1);
            tracing::error!(%error, %address, key, "an MQTT door stays shut: is another program there? change the \
                address in node.toml, or end that program");
            Err(error)
        }
    }
}

impl Mqtt {
    /// Waits until everybody has gone; `stopping` must have been said.
    pub async fn ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}
