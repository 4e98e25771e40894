//! The broker inside: rumqttd, in memory only, on two ports of loopback that answer to nobody but the guard. It runs on
//! threads of its own; when it dies, is worn out or does not answer, another takes its place. Knows no client.

mod generation;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use protocol::limits;
use tokio::sync::{mpsc, watch};

use generation::Generation;
pub use generation::{Name, Upstream};

use super::guard::packet::Version;

/// After a broker did not come up, the next try waits this long.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// A broker that is worn out is replaced at most this often: every client has to come back for it.
const LIVES_AT_LEAST: Duration = Duration::from_secs(3_600);

/// The broker of the moment; `None` while there is none.
pub type Current = watch::Receiver<Option<Arc<Upstream>>>;

impl Upstream {
    /// Both ports. They take nobody but the guard.
    pub const fn addresses(&self) -> [SocketAddr; 2] {
        [self.v4, self.v5]
    }

    /// The port of a protocol.
    pub const fn address(&self, version: Version) -> SocketAddr {
        match version {
            Version::V4 => self.v4,
            Version::V5 => self.v5,
        }
    }
}

/// Whether this thread is one of the broker's: a panic on it is the broker's end, not the agent's.
pub fn is_its_thread() -> bool {
    std::thread::current().name().is_some_and(|name| name == generation::SERVER || name.starts_with(generation::ROUTER))
}

/// Keeps panics of the broker from the hook of the process. Once for all agents of a process.
fn spare_its_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !is_its_thread() {
                before(info)
            }
        }));
    });
}

/// Starts a broker and keeps one there until the node stops. `sick` takes the words of whoever gets no answer from it.
pub fn start(stopping: watch::Receiver<bool>) -> (Current, mpsc::Sender<u64>, tokio::task::JoinHandle<()>) {
    spare_its_panics();
    let (publish, current) = watch::channel(None);
    let (sick, complaints) = mpsc::channel(limits::MQTT_STRANGERS);
    let task = tokio::spawn(keep(publish, complaints, stopping));
    (current, sick, task)
}

async fn keep(
    publish: watch::Sender<Option<Arc<Upstream>>>,
    mut complaints: mpsc::Receiver<u64>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut number = 0;
    loop {
        number += 1;
        let opened = tokio::select! {
            opened = Generation::open(number) => opened,
            () = crate::stop::asked(&mut stopping) => return,
        };
        let generation = match opened {
            Ok(generation) => generation,
            Err(error) => {
                metrics::counter!("tillway_mqtt_broker_failures_total").increment(1);
                tracing::error!(%error, "the MQTT broker does not start; the node sells without it and tries again");
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => continue,
                    () = crate::stop::asked(&mut stopping) => return,
                }
            }
        };
        metrics::gauge!("tillway_mqtt_broker_up").set(1);
        publish.send_replace(Some(Arc::clone(&generation.upstream)));
        let why = tokio::select! {
            why = wears_out(&generation, &mut complaints) => Some(why),
            () = crate::stop::asked(&mut stopping) => None,
        };
        publish.send_replace(None);
        metrics::gauge!("tillway_mqtt_broker_up").set(0);
        generation.end();
        let Some(why) = why else { return };
        metrics::counter!("tillway_mqtt_broker_restarts_total", "reason" => why).increment(1);
        tracing::error!(reason = why, "the MQTT broker is replaced; every client connects again");
        // One that dies as soon as it is up must not take the machine with it.
        tokio::time::sleep(PAUSE / 4).await;
    }
}

/// Resolves with the reason when a broker has to be replaced.
async fn wears_out(generation: &Generation, complaints: &mut mpsc::Receiver<u64>) -> &'static str {
    const ENOUGH: u32 = 3;
    let born = tokio::time::Instant::now();
    let mut tick = tokio::time::interval(LOOK);
    let mut heard = 0;
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            Some(of) = complaints.recv() => heard += u32::from(of == generation.upstream.number),
        }
        if !generation.is_alive() {
            return "died";
        }
        if heard >= ENOUGH || generation.upstream.burnt() >= limits::MQTT_STRANGERS {
            return "no answer";
        }
        if generation.upstream.is_worn() && born.elapsed() >= LIVES_AT_LEAST {
            return "worn out";
        }
    }
}
