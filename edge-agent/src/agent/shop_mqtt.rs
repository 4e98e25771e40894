//! Opens the shop's MQTT as the configuration says, and tells the node's health how it stands. Knows addresses and
//! certificates; what is said there is none of its business.

use std::time::Duration;

use firmware_config::NodeConfig;
use firmware_config::layout::Layout;
use tokio::sync::watch;

use super::Addresses;
use crate::core::health;
use crate::desk::Roster;
use crate::identity::TerminalIdentity;
use crate::mqtt::broker::Current;
use crate::mqtt::{self, Mqtt};
use crate::stop;

/// A broker that is replaced is there again sooner than this; nobody need be told.
const A_MOMENT: Duration = Duration::from_secs(3);

/// Opens the doors of the shop's MQTT, and says where they are. None without the section `[mqtt]`.
pub(super) fn open(
    config: &NodeConfig,
    layout: &Layout,
    roster: &Roster,
    addresses: &mut Addresses,
    stopping: &watch::Receiver<bool>,
) -> Option<Mqtt> {
    let parts = mqtt::Parts {
        doors: config.mqtt?,
        shop: config.node.shop_id,
        node: config.node.node_id,
        // That it cannot be read was said when the terminal's door stayed shut.
        tls: TerminalIdentity::load(layout).ok().map(|identity| identity.tls()),
        roster: roster.clone(),
        stopping: stopping.clone(),
    };
    let mqtt = mqtt::start(parts);
    (addresses.mqtt_tls, addresses.mqtt_plain) = (mqtt.tls, mqtt.plain);
    Some(mqtt)
}

/// Says how the shop's MQTT stands, and again with every change, until the node stops.
pub(super) async fn tell(
    broker: Current,
    shut: Vec<String>,
    says: watch::Sender<Option<health::Mqtt>>,
    mut stopping: watch::Receiver<bool>,
) {
    tokio::select! {
        () = follow(broker, shut, says, A_MOMENT) => {}
        () = stop::asked(&mut stopping) => {}
    }
}

/// Until the broker's keeper has ended, as it does with the node.
async fn follow(mut broker: Current, shut: Vec<String>, says: watch::Sender<Option<health::Mqtt>>, moment: Duration) {
    loop {
        let come = async { broker.wait_for(Option::is_some).await.is_ok() };
        let is_up = tokio::time::timeout(moment, come).await.unwrap_or(false);
        says.send_replace(Some(health::Mqtt { down: !is_up, shut: shut.clone() }));
        if broker.wait_for(|upstream| upstream.is_some() != is_up).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_broker_that_does_not_come_is_told_with_the_doors_that_are_shut() {
        let (broker, current) = watch::channel(None);
        let (says, mut told) = watch::channel(None);
        let shut = vec!["mqtt.plain".to_owned()];
        let task = tokio::spawn(follow(current, shut.clone(), says, Duration::from_millis(1)));
        told.changed().await.unwrap();
        assert_eq!(*told.borrow_and_update(), Some(health::Mqtt { down: true, shut }));
        drop(broker);
        task.await.unwrap();
    }
}
