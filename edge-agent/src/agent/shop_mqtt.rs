//! Opens the shop's MQTT as the configuration says. Knows addresses and certificates; what is said there is none of its
//! business.

use firmware_config::NodeConfig;
use firmware_config::layout::Layout;
use tokio::sync::watch;

use super::Addresses;
use crate::desk::Roster;
use crate::identity::TerminalIdentity;
use crate::mqtt::{self, Mqtt};

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
