//! The agent's own client of the in-store broker: carries what `core::coordination` decides to the broker and what
//! lanes say to it. Drives the connection in a task of its own; never holds up a sale, whatever the broker does.

mod driver;
mod facts;
#[cfg(test)]
mod tests;

use std::future::pending;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use protocol::limits;
use rumqttc::{AsyncClient, LastWill, MqttOptions, QoS, SubscribeFilter};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::core::change::Change;
use crate::core::coordination::{Coordinator, Facts, Heard, Me, Message, Wanted};
use crate::desk::{Desk, Outcome};
use crate::device::{DeviceState, Devices};
use crate::lanes::Lanes;
use crate::snapshot::Snapshots;
use driver::{Driver, Event};

/// The broker is a few processor cycles away: silence of twice this long is no delay but a fault.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How long the last word may take when the node stops.
const FAREWELL: Duration = Duration::from_secs(1);

/// What the client works with.
pub struct Parts {
    /// The guard's plain door on loopback.
    pub address: SocketAddr,
    /// User name at the door.
    pub username: String,
    /// Password there, of this start only.
    pub password: String,
    /// Who the node is.
    pub me: Me,
    /// Where open tickets and paired lanes are asked.
    pub desk: Desk,
    /// Catalogue and settings in force.
    pub snapshots: Snapshots,
    /// What the devices do.
    pub devices: Devices,
    /// What changes in the shop.
    pub changes: broadcast::Sender<Change>,
    /// The time of day.
    pub clock: Clock,
    /// Where it is shown who is online.
    pub lanes: Lanes,
    /// Turns true when the node stops.
    pub stopping: watch::Receiver<bool>,
}

/// Starts the client. It connects, and connects again, until the node stops; the task ends after its last word.
pub fn start(parts: Parts) -> JoinHandle<()> {
    tokio::spawn(async move {
        let Parts { address, username, password, me, desk, snapshots, devices, changes, clock, lanes, stopping } =
            parts;
        let mut options = MqttOptions::new(&username, address.ip().to_string(), address.port());
        options.set_credentials(username, password);
        options.set_keep_alive(KEEP_ALIVE);
        options.set_clean_session(true);
        options.set_max_packet_size(PACKET_BYTES, PACKET_BYTES);
        options.set_inflight(IN_FLIGHT);
        let (mqtt, eventloop) = AsyncClient::new(options, HANDED_OVER);
        let (events, heard) = mpsc::channel(EVENTS_WAITING);
        let room = Arc::new(Notify::new());
        let driver = Driver { eventloop, events, room: Arc::clone(&room), me: me.clone(), clock: clock.clone() };
        let driver = tokio::spawn(driver.run());
        let client = Client {
            coordinator: Coordinator::new(me.clone()),
            filters: me.filters(),
            mqtt,
            subscribes: false,
            full: false,
            asks: Vec::new(),
            tells_all: false,
            gathering: None,
            sources: Sources { desk, snapshots, devices, clock },
            lanes,
            began: Instant::now(),
            dropped: 0,
        };
        client.run(heard, changes.subscribe(), room, stopping, driver).await;
    })
}

/// A body with its topic and header.
const PACKET_BYTES: usize = limits::LANE_MESSAGE_BYTES + limits::TOPIC_BYTES + 16;
/// Messages handed to the connection and not yet written; the rest waits in the coordinator, where it can be counted.
const HANDED_OVER: usize = 32;
/// Messages the broker has not acknowledged.
const IN_FLIGHT: u16 = 64;
/// Messages of lanes that wait; then the broker waits.
const EVENTS_WAITING: usize = 256;

type Gathering = Pin<Box<dyn Future<Output = Outcome<Facts>> + Send>>;

/// Where facts come from.
#[derive(Clone)]
struct Sources {
    desk: Desk,
    snapshots: Snapshots,
    devices: Devices,
    clock: Clock,
}

struct Client {
    coordinator: Coordinator,
    filters: [String; 3],
    mqtt: AsyncClient,
    /// The subscriptions of a new connection are still to be sent.
    subscribes: bool,
    /// The connection takes no more at the moment.
    full: bool,
    /// Asks that wait for the next gathering.
    asks: Vec<Wanted>,
    /// A new connection wants everything told.
    tells_all: bool,
    /// Under way, with what it will serve.
    gathering: Option<(Gathering, Vec<Wanted>, bool)>,
    sources: Sources,
    lanes: Lanes,
    began: Instant,
    /// As last counted.
    dropped: u64,
}

impl Client {
    async fn run(
        mut self,
        mut heard: mpsc::Receiver<Event>,
        mut changes: broadcast::Receiver<Change>,
        room: Arc<Notify>,
        mut stopping: watch::Receiver<bool>,
        driver: JoinHandle<()>,
    ) {
        let mut devices = self.sources.devices.subscribe();
        loop {
            self.gather();
            self.hand_over();
            tokio::select! {
                event = heard.recv() => match event {
                    Some(event) => self.happened(event),
                    None => return tracing::error!("the client of the in-store messages ended by itself"),
                },
                change = changes.recv() => match change {
                    Ok(change) => self.coordinator.changed(&change, self.sources.clock.now()),
                    Err(RecvError::Lagged(missed)) => self.coordinator.missed(missed),
                    Err(RecvError::Closed) => break,
                },
                device = devices.recv() => self.device(device),
                facts = ready(&mut self.gathering) => self.gathered(facts),
                () = room.notified(), if self.full => self.full = false,
                () = crate::stop::asked(&mut stopping) => break,
            }
        }
        drop(heard);
        self.part(driver).await;
    }

    fn happened(&mut self, event: Event) {
        match event {
            Event::Connected => {
                tracing::info!("the in-store messages are connected");
                self.coordinator.connected(self.sources.clock.now());
                (self.subscribes, self.tells_all) = (true, true);
                self.lanes.follow(self.coordinator.board());
            }
            // Who is online is not known now; what was last heard is shown until the next connection tells.
            Event::Disconnected => {
                self.coordinator.disconnected();
                (self.subscribes, self.tells_all, self.full) = (false, false, false);
                self.asks.clear();
            }
            Event::Heard { topic, body } => {
                let (at, now) = (self.sources.clock.now(), self.began.elapsed());
                match self.coordinator.heard(&topic, &body, at, now) {
                    Heard::Nothing => {}
                    Heard::Board => {
                        let online = self.coordinator.board().online().len();
                        metrics::gauge!("tillway_lanes_online").set(u32::try_from(online).unwrap_or(u32::MAX));
                        self.lanes.follow(self.coordinator.board());
                    }
                    Heard::Wanted(wanted) => {
                        metrics::counter!("tillway_mqtt_asks_total").increment(1);
                        self.asks.push(wanted);
                    }
                }
            }
        }
    }

    fn device(&mut self, device: Result<DeviceState, RecvError>) {
        match device {
            Ok(state) => self.coordinator.device(&facts::device(state)),
            Err(RecvError::Lagged(_)) => {
                for state in self.sources.devices.list() {
                    self.coordinator.device(&facts::device(state));
                }
            }
            // Cannot be: the sender lives in `sources`.
            Err(RecvError::Closed) => {}
        }
    }

    /// Starts one gathering for all who wait; one at a time, so that a shop that asks as one costs one look.
    fn gather(&mut self) {
        if self.gathering.is_none() && (self.tells_all || !self.asks.is_empty()) {
            let (asks, tells_all) = (std::mem::take(&mut self.asks), std::mem::take(&mut self.tells_all));
            self.gathering = Some((Box::pin(facts::gather(self.sources.clone())), asks, tells_all));
        }
    }

    fn gathered(&mut self, facts: Outcome<Facts>) {
        let Some((_, asks, tells_all)) = self.gathering.take() else { return };
        match facts {
            Ok(facts) => {
                if tells_all {
                    self.coordinator.tell_all(&facts);
                }
                for wanted in asks {
                    self.coordinator.answer(wanted, &facts);
                }
            }
            Err(refusal) => {
                tracing::warn!(why = %refusal.message, "the shop's state was not told");
                for wanted in asks {
                    self.coordinator.cannot_answer(wanted, &refusal.message, self.sources.clock.now());
                }
            }
        }
    }

    /// Hands what waits to the connection, as far as it takes it. Never waits.
    fn hand_over(&mut self) {
        let dropped = self.coordinator.dropped();
        metrics::counter!("tillway_mqtt_dropped_total").increment(dropped.saturating_sub(self.dropped));
        self.dropped = dropped;
        if self.full {
            return;
        }
        if self.subscribes {
            let filters = self.filters.iter().map(|filter| SubscribeFilter::new(filter.clone(), QoS::AtLeastOnce));
            self.full = self.mqtt.try_subscribe_many(filters).is_err();
            self.subscribes = self.full;
        }
        while !self.full
            && let Some(Message { topic, retain, body }) = self.coordinator.head()
        {
            if self.mqtt.try_publish(topic.to_string(), QoS::AtLeastOnce, *retain, body.clone()).is_err() {
                self.full = true;
            } else {
                self.coordinator.sent();
                metrics::counter!("tillway_mqtt_published_total").increment(1);
            }
        }
    }

    /// Says good-bye and ends the connection in order; if that takes too long the will says it.
    async fn part(self, driver: JoinHandle<()>) {
        let stop = driver.abort_handle();
        let said = tokio::time::timeout(FAREWELL, async {
            if let Some(Message { topic, retain, body }) = self.coordinator.farewell(self.sources.clock.now()) {
                self.mqtt.publish(topic.to_string(), QoS::AtLeastOnce, retain, body).await?;
                self.mqtt.disconnect().await?;
                drop(driver.await);
            }
            Ok::<_, rumqttc::ClientError>(())
        });
        if !matches!(said.await, Ok(Ok(()))) {
            tracing::debug!("the in-store messages ended without a last word");
        }
        stop.abort();
    }
}

/// The facts once they are gathered; never without a gathering.
async fn ready(gathering: &mut Option<(Gathering, Vec<Wanted>, bool)>) -> Outcome<Facts> {
    match gathering {
        Some((facts, ..)) => facts.await,
        None => pending().await,
    }
}

/// The will as the connection carries it.
fn last_will(me: &Me, clock: &Clock) -> LastWill {
    let Message { topic, retain, body } = me.will(clock.now());
    LastWill::new(topic.to_string(), body, QoS::AtLeastOnce, retain)
}
