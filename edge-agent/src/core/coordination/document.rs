//! The description of the in-store messages for whoever writes a till or a screen: an AsyncAPI document as a lane sees
//! it, and a JSON schema per body, both made from the types that are sent.

use protocol::lane_message::{Ask, Device, LaneState, Presence, Price, Reply, Ticket};
use protocol::limits;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// What somebody who listens has to know before the first message.
const GUIDE: &str = "\
What the node of a shop says to its tills over MQTT, and what tills say to it. The messages coordinate and show; money \
moves over the terminal API alone (`/v1/openapi.json`), and nothing that was sold depends on a message.

**Connect** with MQTT 3.1.1 or 5 over TLS to port 8883 of the node (its certificate is of the shop's own CA), or without \
TLS to port 1883 on the node's own machine. User name is the `lane_id` and password the `token` that `POST /v1/pair` \
answered. The client id is the `lane_id`, or begins with the `lane_id` and a dot. QoS 0 and 1. The last will, if there is one, \
is the lane's presence. For a look by hand: `mosquitto_sub -u LANE -P TOKEN -i LANE.look -t 'tw/SHOP/+/+/changed' -v`.

**Begin** by subscribing, then publish your presence, then ask: `{\"v\":1,\"what\":\"all\",\"request_id\":\"1\"}` to \
your `ask` topic; the answer comes in parts on your `reply` topic. Retained messages are a convenience and may be missing.

**Ask again** after each reconnect; when the node's presence names another `boot`; when `change` of the ticket messages \
leaves a number out, or the node's presence names a larger one than you have seen. A few asks at once are answered, \
then one in two seconds.

**Rights** follow from who you are: a lane publishes its own `presence`, `state` and `ask`, and reads everything in its \
shop but the `ask` and `reply` of other lanes. A filter that reaches further is refused: use `tw/SHOP/lane/+/presence`, \
not `tw/SHOP/#`.

**Later versions** may add fields and words: ignore what you do not know. A body of another shape has another `v`.";

/// One kind of topic.
struct Channel {
    key: &'static str,
    address: &'static str,
    body: &'static str,
    /// `send` or `receive`, by a lane.
    actions: &'static [&'static str],
    retain: bool,
    says: &'static str,
}

/// Every kind of topic there is.
const CHANNELS: [Channel; 8] = [
    Channel {
        key: "lanePresence",
        address: "lane/{lane}/presence",
        body: "Presence",
        actions: &["send", "receive"],
        retain: true,
        says: "Whether a lane is there. Sent by the till itself (not by its helpers), its offline form as last will.",
    },
    Channel {
        key: "laneState",
        address: "lane/{lane}/state",
        body: "LaneState",
        actions: &["send", "receive"],
        retain: false,
        says: "What a lane is doing, said by the lane.",
    },
    Channel {
        key: "laneAsk",
        address: "lane/{lane}/ask",
        body: "Ask",
        actions: &["send"],
        retain: false,
        says: "A lane asks the node for how things stand.",
    },
    Channel {
        key: "laneReply",
        address: "lane/{lane}/reply",
        body: "Reply",
        actions: &["receive"],
        retain: false,
        says: "A part of the answer, for the lane that asked.",
    },
    Channel {
        key: "ticketChanged",
        address: "ticket/{ticket}/changed",
        body: "Ticket",
        actions: &["receive"],
        retain: false,
        says: "A ticket was opened, changed, parked, recalled, voided or closed.",
    },
    Channel {
        key: "priceChanged",
        address: "price/{collection}/changed",
        body: "Price",
        actions: &["receive"],
        retain: false,
        says: "A catalogue, the shop's settings or its people took force. Told again when the node connects.",
    },
    Channel {
        key: "deviceState",
        address: "device/{device}/state",
        body: "Device",
        actions: &["receive"],
        retain: true,
        says: "How a device of the node does.",
    },
    Channel {
        key: "nodePresence",
        address: "node/{node}/presence",
        body: "Presence",
        actions: &["receive"],
        retain: true,
        says: "Whether the node is there, since when, and how many ticket messages it has sent.",
    },
];

/// What stands in braces in an address.
const PARAMETERS: [(&str, &str); 6] = [
    ("shop", "Id of the shop, as `GET /v1/shop` answers it"),
    ("lane", "Id of the lane, as `POST /v1/pair` answered it"),
    ("ticket", "Id of the ticket"),
    ("collection", "`catalogue`, `shop` or `staff`"),
    ("device", "Name of the device in the node's configuration"),
    ("node", "Id of the node"),
];

/// The schemas of a body and of all that stands in it, by name.
fn schemas_of<T: ToSchema>() -> Map<String, Value> {
    let mut found = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut found);
    found.into_iter().map(|(name, schema)| (name, serde_json::to_value(schema).unwrap_or_default())).collect()
}

/// Bodies by name, each with the schemas it needs.
fn bodies() -> [(&'static str, Map<String, Value>); 7] {
    [
        ("Presence", schemas_of::<Presence>()),
        ("LaneState", schemas_of::<LaneState>()),
        ("Ask", schemas_of::<Ask>()),
        ("Reply", schemas_of::<Reply>()),
        ("Ticket", schemas_of::<Ticket>()),
        ("Price", schemas_of::<Price>()),
        ("Device", schemas_of::<Device>()),
    ]
}

/// A JSON schema (2020-12) for each body, by its name.
#[must_use]
pub fn schemas() -> Vec<(&'static str, Value)> {
    let alone = |(name, mut all): (&'static str, Map<String, Value>)| {
        let mut schema = all.remove(name).unwrap_or_default();
        if let Some(object) = schema.as_object_mut() {
            object.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
            object.insert("title".into(), json!(name));
            object.insert("$defs".into(), Value::Object(all));
        }
        moved(&mut schema);
        (name, schema)
    };
    bodies().into_iter().map(alone).collect()
}

/// Points references at a schema's own definitions.
fn moved(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(at)) = object.get_mut("$ref") {
                *at = at.replace("#/components/schemas/", "#/$defs/");
            }
            object.values_mut().for_each(moved);
        }
        Value::Array(items) => items.iter_mut().for_each(moved),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The AsyncAPI document.
#[must_use]
pub fn asyncapi() -> Value {
    let (mut channels, mut operations, mut messages) = (Map::new(), Map::new(), Map::new());
    for channel in &CHANNELS {
        let address = format!("tw/{{shop}}/{}", channel.address);
        let used = PARAMETERS.iter().filter(|(name, _)| address.contains(&format!("{{{name}}}")));
        let parameters: Map<String, Value> = used
            .map(|(name, _)| ((*name).to_owned(), json!({ "$ref": format!("#/components/parameters/{name}") })))
            .collect();
        let message = json!({ "$ref": format!("#/components/messages/{}", channel.body) });
        channels.insert(
            channel.key.into(),
            json!({ "address": address, "description": channel.says, "parameters": parameters,
                "messages": { channel.body: message } }),
        );
        for action in channel.actions {
            let operation = json!({
                "action": action,
                "channel": { "$ref": format!("#/channels/{}", channel.key) },
                "summary": channel.says,
                "messages": [{ "$ref": format!("#/channels/{}/messages/{}", channel.key, channel.body) }],
                "bindings": { "mqtt": { "qos": 1, "retain": channel.retain, "bindingVersion": "0.2.0" } },
            });
            operations.insert(format!("{action}.{}", channel.key), operation);
        }
    }
    let mut schemas = Map::new();
    for (name, all) in bodies() {
        let payload = json!({ "$ref": format!("#/components/schemas/{name}") });
        messages.insert(name.into(), json!({ "name": name, "contentType": "application/json", "payload": payload }));
        schemas.extend(all);
    }
    let parameters: Map<String, Value> =
        PARAMETERS.iter().map(|(name, says)| ((*name).to_owned(), json!({ "description": says }))).collect();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tillway in-store messages", "version": env!("CARGO_PKG_VERSION"),
            "description": format!("{GUIDE}\n\n**Limits.** A body has at most {} bytes, a topic {}.",
                limits::LANE_MESSAGE_BYTES, limits::TOPIC_BYTES),
        },
        "defaultContentType": "application/json",
        "servers": {
            "shop": { "host": "{node}:8883", "protocol": "secure-mqtt", "description": "The node on the shop's network",
                "variables": { "node": { "description": "Name or address of the node" } },
                "security": [{ "$ref": "#/components/securitySchemes/lane" }] },
            "box": { "host": "127.0.0.1:1883", "protocol": "mqtt", "description": "The node on its own machine",
                "security": [{ "$ref": "#/components/securitySchemes/lane" }] },
        },
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": messages, "schemas": schemas, "parameters": parameters,
            "securitySchemes": { "lane": { "type": "userPassword",
                "description": "`lane_id` and `token` that `POST /v1/pair` answered" } },
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use protocol::id::{LaneId, NodeId, ShopId};
    use protocol::topic::{Place, Principal, ROOMS, Topic, may_publish, may_retain};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_document_has_the_topics_that_there_are_with_the_rights_they_have() {
        let there: BTreeSet<String> = ROOMS
            .iter()
            .flat_map(|(room, channels)| channels.iter().map(move |channel| format!("{room}/{channel}")))
            .collect();
        let mut told = BTreeSet::new();
        let shop = ShopId::from_uuid(Uuid::from_u128(1));
        let lane = LaneId::from_uuid(Uuid::from_u128(2));
        for channel in &CHANNELS {
            let id = if channel.address.contains("{device}") {
                "counter".to_owned()
            } else if channel.address.contains("{collection}") {
                "catalogue".to_owned()
            } else {
                lane.to_string()
            };
            let (head, tail) = channel.address.split_once('{').unwrap();
            let text = format!("tw/{shop}/{head}{id}{}", tail.split_once('}').unwrap().1);
            let topic: Topic = text.parse().unwrap();
            assert_eq!(may_retain(&topic), channel.retain, "{text}");
            let sends = may_publish(Principal::Lane(lane), shop, &text).is_ok();
            assert_eq!(sends, channel.actions.contains(&"send"), "{text}");
            let node = Principal::Node(NodeId::from_uuid(lane.as_uuid()));
            let receives = may_publish(node, shop, &text).is_ok()
                || matches!(topic.place, Place::LanePresence(_) | Place::LaneState(_));
            assert_eq!(receives, channel.actions.contains(&"receive"), "{text}");
            told.insert(format!("{}/{}", head.trim_end_matches('/'), text.rsplit('/').next().unwrap()));
        }
        assert_eq!(told, there);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn walk(whole: &Value, value: &Value) {
            if let Some(at) = value.get("$ref").and_then(Value::as_str) {
                assert!(whole.pointer(at.trim_start_matches('#')).is_some(), "{at}");
            }
            if let Some(object) = value.as_object() {
                object.values().for_each(|inner| walk(whole, inner));
            }
            value.as_array().into_iter().flatten().for_each(|inner| walk(whole, inner));
        }
        let document = asyncapi();
        walk(&document, &document);
        assert_eq!(document["channels"].as_object().unwrap().len(), CHANNELS.len());
        for (name, schema) in schemas() {
            walk(&schema, &schema);
            assert!(schema["properties"]["v"].is_object(), "{name}");
            assert!(schema["required"].as_array().unwrap().contains(&json!("v")), "{name}");
        }
    }
}
