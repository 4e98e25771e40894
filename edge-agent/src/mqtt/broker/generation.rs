//! One life of the broker: its threads, its ports, the login that it takes, and what it can never forget. rumqttd has
//! no word for "end", so ending it is done here with what it has.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use protocol::limits;
use rumqttd::local::LinkTx;
use rumqttd::protocol::{v4::V4, v5::V5};
use rumqttd::{ConnectionSettings, LinkType, Router, RouterConfig, Server, ServerSettings};
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;

use super::super::guard::packet::Version;
use super::super::guard::upstream;

/// Name of the thread that serves both ports.
pub(super) const SERVER: &str = "mqtt-broker";
/// How rumqttd names the thread that routes.
pub(super) const ROUTER: &str = "router-";
/// Bytes of a segment and segments of a log: a wire keeps nothing, and there is a log for each filter.
const SEGMENT_BYTES: usize = 256 << 10;
const SEGMENTS: usize = 4;
/// Packets that one connection may have on either side of the router.
const PACKETS: usize = 100;
/// How long a new broker may take until it answers.
const UP_WITHIN: Duration = Duration::from_secs(5);

/// Where the broker is and how it is talked to.
pub struct Upstream {
    /// Which life of the broker this is.
    pub number: u64,
    pub(super) v4: SocketAddr,
    pub(super) v5: SocketAddr,
    secret: String,
    names: Mutex<Names>,
    wear: Mutex<Wear>,
    hasher: RandomState,
    /// Ends the router; gone once it was used.
    end_router: Mutex<Option<Box<dyn FnOnce() + Send + Sync>>>,
}

/// Names of connections at the broker. It remembers each name for ever, so they are used again; one that was not taken
/// back properly never is, because the broker would end badly on it.
#[derive(Debug)]
struct Names {
    free: VecDeque<usize>,
    burnt: usize,
}

/// What the broker never forgets, and so may only be given so much of.
#[derive(Debug, Default)]
struct Wear {
    filters: HashSet<String>,
    topics: HashSet<u64>,
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstream").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Upstream {
    /// The login that the broker takes: user and password alike a secret of this life.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// A name for a connection; none when all are taken.
    pub fn name(self: &Arc<Self>) -> Option<Name> {
        let number = self.names.lock().unwrap_or_else(PoisonError::into_inner).free.pop_front()?;
        Some(Name { number, of: Arc::clone(self), clean: false })
    }

    /// Whether a filter may be given to the broker: one it knows, or a new one while there is room.
    pub fn admit_filter(&self, filter: &str) -> bool {
        let mut wear = self.wear.lock().unwrap_or_else(PoisonError::into_inner);
        if wear.filters.contains(filter) {
            return true;
        }
        if wear.filters.len() >= limits::MQTT_BROKER_FILTERS {
            return false;
        }
        wear.filters.insert(filter.to_owned())
    }

    /// Notes a topic of which there is no end, such as a ticket's.
    pub fn note_topic(&self, topic: &[u8]) {
        let hash = self.hasher.hash_one(topic);
        let mut wear = self.wear.lock().unwrap_or_else(PoisonError::into_inner);
        if wear.topics.len() < limits::MQTT_BROKER_TOPICS {
            wear.topics.insert(hash);
        }
    }

    pub(super) fn is_worn(&self) -> bool {
        let wear = self.wear.lock().unwrap_or_else(PoisonError::into_inner);
        wear.filters.len() >= limits::MQTT_BROKER_FILTERS || wear.topics.len() >= limits::MQTT_BROKER_TOPICS
    }

    /// Ends the router as a panic within it does, at once and without a word to anybody. For whoever wants to see what
    /// becomes of the shop then.
    pub fn crash(&self) {
        let end = self.end_router.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(end) = end {
            end();
        }
    }

    pub(super) fn burnt(&self) -> usize {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).burnt
    }
}

/// A name at the broker while it is used.
#[derive(Debug)]
pub struct Name {
    number: usize,
    of: Arc<Upstream>,
    clean: bool,
}

impl Name {
    /// As the broker hears it.
    pub fn text(&self) -> String {
        format!("guard.{}", self.number)
    }

    /// The life of the broker it belongs to.
    pub fn upstream(&self) -> &Upstream {
        &self.of
    }

    /// The broker has let go of the connection: the name may be used again.
    pub fn give_back(mut self) {
        self.clean = true;
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let mut names = self.of.names.lock().unwrap_or_else(PoisonError::into_inner);
        if self.clean {
            names.free.push_back(self.number);
        } else {
            names.burnt += 1;
        }
    }
}

/// A running broker.
pub(super) struct Generation {
    pub(super) upstream: Arc<Upstream>,
    /// Dropping it ends the server.
    end: oneshot::Sender<()>,
    server: JoinHandle<()>,
    router_is_alive: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl Generation {
    /// Starts a broker and waits until it takes the guard's login on both ports.
    pub(super) async fn open(number: u64) -> anyhow::Result<Self> {
        let [v4, v5] = free_ports()?;
        let upstream = Arc::new(Upstream {
            number,
            v4,
            v5,
            secret: rand::random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect(),
            names: Mutex::new(Names { free: (0..limits::MQTT_CONNECTIONS * 2).collect(), burnt: 0 }),
            wear: Mutex::default(),
            hasher: RandomState::new(),
            end_router: Mutex::default(),
        });
        let generation = Self::spawn(Arc::clone(&upstream))?;
        let up = async {
            for version in [Version::V4, Version::V5] {
                let name = upstream.name().context("no name is free")?;
                while upstream::probe(&upstream, version, &name).await.is_err() {
                    anyhow::ensure!(generation.is_alive(), "its threads ended at once");
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                // Not given back: the tries that failed may have left anything behind.
                drop(name);
            }
            Ok(())
        };
        match tokio::time::timeout(UP_WITHIN, up).await {
            Ok(Ok(())) => Ok(generation),
            Ok(Err(error)) => {
                generation.end();
                Err(error)
            }
            Err(_) => {
                generation.end();
                anyhow::bail!("it did not answer within {} s", UP_WITHIN.as_secs())
            }
        }
    }

    fn spawn(upstream: Arc<Upstream>) -> anyhow::Result<Self> {
        let router = Router::new(0, router_config());
        // It starts a thread and panics when there is none to be had.
        let link = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| router.spawn()))
            .map_err(|_| anyhow::anyhow!("no thread for it"))?;
        let (alive, ending, serving) = (link.clone(), link.clone(), link);
        let (end, ended) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (v4, v5) = (settings("v4", upstream.v4, &upstream), settings("v5", upstream.v5, &upstream));
        let server = std::thread::Builder::new().name(SERVER.to_owned()).spawn(move || {
            runtime.block_on(async move {
                let mut v4 = Server::new(v4, serving.clone(), V4);
                let mut v5 = Server::new(v5, serving, V5);
                tokio::select! {
                    ended = v4.start(LinkType::Remote) => tracing::error!(?ended, "the broker's port for 3.1.1 closed"),
                    ended = v5.start(LinkType::Remote) => tracing::error!(?ended, "the broker's port for 5 closed"),
                    _ = ended => {}
                }
            });
        })?;
        let end_router = move || {
            // The router has no end and holds on to itself. A question in the name of a connection that there is not
            // makes it panic, which lets go of its memory and its thread.
            if LinkTx::new(usize::MAX, ending, Arc::default()).shadow("").is_err() {
                tracing::debug!("the router had ended already");
            }
        };
        *upstream.end_router.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(end_router));
        Ok(Self { upstream, end, server, router_is_alive: Arc::new(move || !alive.is_disconnected()) })
    }

    pub(super) fn is_alive(&self) -> bool {
        !self.server.is_finished() && (self.router_is_alive)()
    }

    /// Frees ports, threads and memory. Returns at once; they follow.
    pub(super) fn end(self) {
        drop(self.end);
        self.upstream.crash();
    }
}

fn free_ports() -> anyhow::Result<[SocketAddr; 2]> {
    let bind = || std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port of loopback is free");
    let (v4, v5) = (bind()?, bind()?);
    Ok([v4.local_addr()?, v5.local_addr()?])
}

fn router_config() -> RouterConfig {
    RouterConfig {
        max_connections: limits::MQTT_CONNECTIONS * 2,
        max_outgoing_packet_count: PACKETS as u64,
        max_segment_size: SEGMENT_BYTES,
        max_segment_count: SEGMENTS,
        custom_segment: None,
        initialized_filters: None,
        shared_subscriptions_strategy: rumqttd::Strategy::default(),
    }
}

fn settings(name: &str, listen: SocketAddr, upstream: &Upstream) -> ServerSettings {
    let mut settings = ServerSettings {
        name: name.to_owned(),
        listen,
        tls: None,
        next_connection_delay_ms: 0,
        connections: ConnectionSettings {
            connection_timeout_ms: 5_000,
            max_payload_size: limits::MQTT_PACKET_BYTES,
            max_inflight_count: PACKETS,
            auth: None,
            external_auth: None,
            dynamic_filters: true,
        },
    };
    let secret = upstream.secret.clone();
    settings.set_auth_handler(move |_, user, password| {
        let same = |text: &str| bool::from(text.as_bytes().ct_eq(secret.as_bytes()));
        std::future::ready(same(&user) & same(&password))
    });
    settings
}

#[cfg(test)]
#[path = "generation_tests.rs"]
mod tests;
