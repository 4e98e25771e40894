//! Ties the node's client of the in-store messages to the rooms it speaks for, and lets the MQTT doors close only after
//! it has said good-bye. Knows who meets whom; what is said is none of its business.

use std::time::Duration;

use tokio::sync::{broadcast, watch};
use uuid::Uuid;

use crate::core::change::Change;
use crate::core::coordination::Me;
use crate::device::Devices;
use crate::health::sources::Sources;
use crate::lanes::Lanes;
use crate::mqtt::client;
use crate::mqtt::{Credentials, Mqtt};
use crate::stop;

/// How long the broker has to pass the good-bye on before the lanes' connections end.
const GOOD_BYE: Duration = Duration::from_millis(250);

/// The word that closes the MQTT doors, and where it is heard.
pub(super) struct Closing {
    say: watch::Sender<bool>,
    /// Turns true once the client has taken its leave.
    pub(super) heard: watch::Receiver<bool>,
}

impl Default for Closing {
    fn default() -> Self {
        let (say, heard) = watch::channel(false);
        Self { say, heard }
    }
}

/// Starts the client if there is a broker to talk to, and shows the status page who is online.
pub(super) fn start(
    mqtt: Option<&Mqtt>,
    sources: &Sources,
    devices: &Devices,
    changes: &broadcast::Sender<Change>,
    lanes: &Lanes,
    closing: Closing,
    stopping: &watch::Receiver<bool>,
) {
    let client = mqtt.and_then(|mqtt| mqtt.plain.map(|address| (address, mqtt.own.clone())));
    let mut stopping = stopping.clone();
    let Some((address, Credentials { username, password })) = client else {
        if mqtt.is_some() {
            tracing::warn!("the plain MQTT door is shut: the node itself says nothing over MQTT, lanes still do");
        }
        tokio::spawn(async move {
            stop::asked(&mut stopping).await;
            closing.say.send_replace(true);
        });
        return;
    };
    let shown = lanes.clone();
    if sources.seams.online.set(Box::new(move || shown.online().into_iter().collect())).is_err() {
        tracing::debug!("the page knew who is online before");
    }
    let node = &sources.config.node;
    let client = client::start(client::Parts {
        address,
        username,
        password,
        me: Me {
            shop: node.shop_id,
            node: node.node_id,
            name: node.name.clone(),
            software: env!("CARGO_PKG_VERSION").to_owned(),
            boot: Uuid::new_v4(),
        },
        desk: sources.desk.clone(),
        snapshots: sources.snapshots.clone(),
        devices: devices.clone(),
        changes: changes.clone(),
        clock: sources.clock.clone(),
        lanes: lanes.clone(),
        stopping,
    });
    tokio::spawn(async move {
        if let Err(error) = client.await {
            tracing::error!(%error, "the client of the in-store messages died");
        }
        tokio::time::sleep(GOOD_BYE).await;
        closing.say.send_replace(true);
    });
}
