//! The connection of the client: polls it, renews it, and passes on what happened. Decides nothing.

use std::sync::Arc;

use rumqttc::{EventLoop, Outgoing, Packet, SubscribeReasonCode};
use tokio::sync::{Notify, mpsc};

use super::last_will;
use crate::clock::Clock;
use crate::core::backoff::Pace;
use crate::core::coordination::Me;

/// First ceiling of the wait before the next try, in milliseconds: the broker is in this process.
const BASE_MS: u64 = 200;
/// Largest ceiling.
const CAP_MS: u64 = 5_000;

/// What happened on the connection.
#[derive(Debug)]
pub(super) enum Event {
    /// It stands; nothing is subscribed yet.
    Connected,
    /// It is gone, and is being renewed.
    Disconnected,
    /// A lane said something.
    Heard {
        /// Where.
        topic: String,
        /// What.
        body: bytes::Bytes,
    },
}

/// The task of the connection.
pub(super) struct Driver {
    pub(super) eventloop: EventLoop,
    pub(super) events: mpsc::Sender<Event>,
    /// Told when the connection takes more.
    pub(super) room: Arc<Notify>,
    pub(super) me: Me,
    pub(super) clock: Clock,
}

impl Driver {
    /// Runs until the client says good-bye.
    pub(super) async fn run(mut self) {
        let mut pace = Pace::new(BASE_MS, CAP_MS, self.me.boot.as_u64_pair().0);
        let mut connected = false;
        self.renew_will();
        loop {
            match self.eventloop.poll().await {
                Ok(rumqttc::Event::Incoming(packet)) => match packet {
                    Packet::ConnAck(_) => {
                        connected = true;
                        pace.forgive();
                        pass(&self.events, Event::Connected).await;
                    }
                    Packet::Publish(publish) => {
                        pass(&self.events, Event::Heard { topic: publish.topic, body: publish.payload }).await;
                    }
                    Packet::SubAck(ack) if ack.return_codes.contains(&SubscribeReasonCode::Failure) => {
                        tracing::error!("the broker refused a subscription of the node: lanes are not heard");
                    }
                    Packet::Connect(_)
                    | Packet::PubAck(_)
                    | Packet::PubRec(_)
                    | Packet::PubRel(_)
                    | Packet::PubComp(_)
                    | Packet::Subscribe(_)
                    | Packet::SubAck(_)
                    | Packet::Unsubscribe(_)
                    | Packet::UnsubAck(_)
                    | Packet::PingReq
                    | Packet::PingResp
                    | Packet::Disconnect => {}
                },
                Ok(rumqttc::Event::Outgoing(Outgoing::Disconnect)) => return,
                Ok(rumqttc::Event::Outgoing(_)) => self.room.notify_one(),
                Err(error) => {
                    if std::mem::take(&mut connected) {
                        tracing::warn!(%error, "the in-store messages lost their connection");
                        pass(&self.events, Event::Disconnected).await;
                    } else {
                        tracing::debug!(%error, "the in-store messages are not connected");
                    }
                    tokio::time::sleep(pace.failed()).await;
                    self.renew_will();
                }
            }
        }
    }

    /// The will names the time of the connection it belongs to.
    fn renew_will(&mut self) {
        let will = last_will(&self.me, &self.clock);
        self.eventloop.mqtt_options.set_last_will(will);
    }
}

/// Passes an event on. A client that takes leave listens no more.
async fn pass(events: &mpsc::Sender<Event>, event: Event) {
    if events.send(event).await.is_err() {
        tracing::trace!("an event after the good-bye");
    }
}
