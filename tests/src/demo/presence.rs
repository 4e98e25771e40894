//! The till's word on the shop's MQTT: that it is there, and, as its last will, that it is gone. Reconnects by itself, as
//! the client library of a real till does.

use std::net::SocketAddr;
use std::time::Duration;

use protocol::id::{LaneId, ShopId};
use protocol::lane_message::{Body as _, Moment, Presence, Reach, V1};
use protocol::timestamp::Timestamp;
use protocol::topic::{Place, Topic};
use rumqttc::{AsyncClient, Event, LastWill, MqttOptions, Packet, QoS};
use tokio::sync::watch;

use crate::lane::Lane;

/// A till that is silent for half as long again is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// How long a till rests before it dials again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What a till tells.
pub struct Till {
    options: MqttOptions,
    topic: String,
    here: Vec<u8>,
}

impl Till {
    /// A paired till that reaches the broker at `door`.
    ///
    /// # Errors
    /// When its ids are none.
    pub fn new(lane: &Lane, name: &str, shop: &str, door: SocketAddr) -> anyhow::Result<Self> {
        let (id, shop): (LaneId, ShopId) = (lane.id.parse()?, shop.parse()?);
        let topic = Topic::new(shop, Place::LanePresence(id)).to_string();
        let now = Moment(Timestamp(jiff::Timestamp::now().as_millisecond()));
        let says = |state| {
            Presence { v: V1, state, name: name.to_owned(), since: now, software: None, boot: None, change: None }
                .write()
        };
        let (here, gone) = (says(Reach::Online)?, says(Reach::Offline)?);
        let mut options = MqttOptions::new(&lane.id, door.ip().to_string(), door.port());
        options.set_credentials(&lane.id, lane.token());
        options.set_keep_alive(KEEP_ALIVE);
        options.set_last_will(LastWill::new(&topic, gone, QoS::AtLeastOnce, true));
        Ok(Self { options, topic, here })
    }

    /// Stays connected until the end.
    pub async fn stay(self, mut end: watch::Receiver<bool>) {
        let (client, mut events) = AsyncClient::new(self.options, 8);
        while !*end.borrow() {
            let event = tokio::select! {
                event = events.poll() => event,
                ended = end.wait_for(|ended| *ended) => {
                    drop(ended);
                    break;
                }
            };
            match event {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    let told = client.try_publish(&self.topic, QoS::AtLeastOnce, true, self.here.clone());
                    if let Err(error) = told {
                        tracing::debug!(%error, "the till's word did not fit");
                    }
                }
                Ok(_) => {}
                Err(_) => tokio::time::sleep(AGAIN_AFTER).await,
            }
        }
    }
}
