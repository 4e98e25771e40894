//! What happens to each packet of a client that is in: passed, changed, answered by the guard, or the end. Pure: bytes
//! and the time come in, a verdict goes out; the shell moves bytes. Also remembers what the broker cannot be trusted
//! with: which filters are taken, which messages wait for their acknowledgement and in which order.

use std::collections::{HashSet, VecDeque};
use std::time::Instant;

use protocol::id::ShopId;
use protocol::limits;
use protocol::topic::{Principal, may_publish, may_retain};

use super::bucket::Bucket;
use super::connect::{Connect, Will};
use super::packet::{Fault, Head, Kind, Reader, Version, packet, text};
use super::property::{self, id};
use super::reason::Reason;
use super::subscribe::Pending;
use super::topics::Topics;

/// What is done with a packet of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Up {
    /// Handed on as it is.
    Pass,
    /// This is handed on in its place, if anything, and that is answered.
    Instead {
        /// For the broker.
        broker: Option<Vec<u8>>,
        /// For the client.
        client: Option<Vec<u8>>,
    },
    /// The client says goodbye, with its last will or without.
    Goodbye {
        /// Whether the will is to be said all the same.
        will: bool,
    },
}

/// What is done with a packet of the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Down {
    /// Handed on as it is.
    Pass,
    /// This is handed on in its place.
    Swap(Vec<u8>),
    /// Nobody waits for it.
    Drop,
}

/// Whether a filter that no client had before may be taken; the broker never forgets one.
pub type Admit<'a> = &'a mut dyn FnMut(&str) -> bool;

/// One client that is in.
#[derive(Debug)]
pub struct Judge {
    pub(super) version: Version,
    pub(super) who: Principal,
    pub(super) shop: ShopId,
    pub(super) filters: HashSet<String>,
    pub(super) pending: VecDeque<Pending>,
    /// Messages of QoS 1 on their way to the client. The broker takes acknowledgements only in order, and ends badly
    /// on any other.
    unacked: VecDeque<u16>,
    topics: Topics,
    /// The last packet was a message on a topic that was not remembered.
    new_topic: bool,
    messages: Bucket,
    bytes: Bucket,
    maximum_packet: usize,
    /// Largest QoS of a subscription: 0 for a client that takes fewer messages at once than the broker sends.
    pub(super) granted: u8,
}

/// Messages that the broker sends unacknowledged; it has this number built in.
const BROKER_INFLIGHT: u16 = 100;

const PUBLISH_PROPERTIES: &[u8] = &[
    id::PAYLOAD_FORMAT,
    id::MESSAGE_EXPIRY,
    id::CONTENT_TYPE,
    id::RESPONSE_TOPIC,
    id::CORRELATION,
    id::SUBSCRIPTION,
    id::TOPIC_ALIAS,
    id::USER,
];

/// Checks a last will: rights, QoS, size.
///
/// # Errors
/// Why it is not taken.
pub fn judge_will(who: Principal, shop: ShopId, will: &Will<'_>) -> Result<(), Reason> {
    if will.qos > 1 {
        return Err(Reason::Qos);
    }
    if will.payload.len() > limits::MQTT_WILL_BYTES || will.properties.len() > limits::MQTT_WILL_BYTES {
        return Err(Reason::WillSize);
    }
    let topic = may_publish(who, shop, will.topic)?;
    if will.retain && !may_retain(&topic) { Err(Reason::Retain) } else { Ok(()) }
}

impl Judge {
    /// For a client that said this of itself.
    pub fn new(now: Instant, who: Principal, shop: ShopId, connect: &Connect<'_>) -> Self {
        Self {
            version: connect.version,
            who,
            shop,
            filters: HashSet::new(),
            pending: VecDeque::new(),
            unacked: VecDeque::new(),
            topics: Topics::default(),
            new_topic: false,
            messages: Bucket::new(now, limits::MQTT_MESSAGES_PER_SECOND, limits::MQTT_MESSAGES_AT_ONCE),
            bytes: Bucket::new(now, limits::MQTT_BYTES_PER_SECOND, limits::MQTT_BYTES_AT_ONCE),
            maximum_packet: connect.maximum_packet,
            granted: u8::from(connect.receive_maximum >= BROKER_INFLIGHT),
        }
    }

    /// A whole packet of the client, header included.
    ///
    /// # Errors
    /// Why the client is shut out.
    pub fn up(&mut self, now: Instant, head: Head, frame: &[u8], admit: Admit<'_>) -> Result<Up, Reason> {
        let body = frame.get(head.bytes..head.total()).ok_or(Fault::Malformed("it ends too early"))?;
        self.new_topic = false;
        self.measure(now, head)?;
        let flags = match head.kind {
            Kind::Publish => head.flags,
            Kind::Subscribe | Kind::Unsubscribe => 2,
            Kind::Connect
            | Kind::ConnAck
            | Kind::PubAck
            | Kind::Qos2
            | Kind::SubAck
            | Kind::UnsubAck
            | Kind::PingReq
            | Kind::PingResp
            | Kind::Disconnect
            | Kind::Auth => 0,
        };
        if head.kind != Kind::Qos2 && flags != head.flags {
            return Err(Fault::Malformed("reserved bits that are set").into());
        }
        match head.kind {
            Kind::Publish => self.publish(head.flags, body).map(|()| Up::Pass),
            Kind::PubAck => self.puback(body),
            Kind::Subscribe => self.subscribe(body, admit),
            Kind::Unsubscribe => self.unsubscribe(body),
            Kind::PingReq if body.is_empty() => Ok(Up::Pass),
            Kind::PingReq => Err(Fault::Malformed("a ping with something in it").into()),
            Kind::Disconnect => self.disconnect(body),
            Kind::Connect => Err(Reason::Protocol("a second CONNECT")),
            Kind::Qos2 => Err(Reason::Qos),
            Kind::Auth => Err(Reason::AuthMethod),
            Kind::ConnAck | Kind::SubAck | Kind::UnsubAck | Kind::PingResp => {
                Err(Reason::Protocol("a packet that only a server sends"))
            }
        }
    }

    /// The node does not flood itself; acknowledgements follow from what the client was sent.
    fn measure(&mut self, now: Instant, head: Head) -> Result<(), Reason> {
        let measured = match self.who {
            Principal::Lane(_) => head.kind != Kind::PubAck,
            Principal::Node(_) => false,
        };
        let bytes = u64::try_from(head.total()).unwrap_or(u64::MAX);
        if measured && !(self.messages.take(now, 1) && self.bytes.take(now, bytes)) {
            return Err(Reason::Flood);
        }
        Ok(())
    }

    /// Whether the last packet was a message on a topic that was not lately spoken on.
    pub const fn has_new_topic(&self) -> bool {
        self.new_topic
    }

    fn publish(&mut self, flags: u8, body: &[u8]) -> Result<(), Reason> {
        let mut reader = Reader::new(body);
        let (duplicate, qos, retain) = (flags & 8 != 0, (flags >> 1) & 3, flags & 1 != 0);
        if qos == 3 || (qos == 0 && duplicate) {
            return Err(Fault::Malformed("a message with a QoS that there is not").into());
        }
        let topic = reader.binary()?;
        let known = self.topics.find(topic);
        if known.is_none() {
            text(topic)?;
        }
        if qos == 2 {
            return Err(Reason::Qos);
        }
        if qos == 1 {
            reader.packet_id()?;
        }
        if self.version == Version::V5 {
            let (mut alias, mut numbered) = (false, false);
            property::walk(&mut reader, PUBLISH_PROPERTIES, |id, value, _| {
                alias |= id == id::TOPIC_ALIAS;
                numbered |= id == id::SUBSCRIPTION;
                match (id, value) {
                    (id::RESPONSE_TOPIC, property::Value::Text(text)) if text.contains(['+', '#']) => {
                        Err(Fault::Malformed("a wildcard in a response topic"))
                    }
                    _ => Ok(()),
                }
            })?;
            if alias {
                return Err(Reason::Alias);
            }
            if numbered {
                return Err(Reason::Protocol("a subscription identifier in a message of a client"));
            }
        }
        let retainable = match known {
            Some(retainable) => retainable,
            None => self.allow(topic)?,
        };
        if retain && !retainable { Err(Reason::Retain) } else { Ok(()) }
    }

    /// Works out the right to a topic; whether its messages may be retained.
    fn allow(&mut self, topic: &[u8]) -> Result<bool, Reason> {
        let retainable = may_retain(&may_publish(self.who, self.shop, text(topic)?)?);
        self.topics.remember(topic, retainable);
        self.new_topic = true;
        Ok(retainable)
    }

    /// Handed on without reason and properties: to the broker they are of no use.
    fn puback(&mut self, body: &[u8]) -> Result<Up, Reason> {
        let mut reader = Reader::new(body);
        let id = reader.packet_id()?;
        let bare = reader.rest().is_empty();
        if self.version == Version::V5 {
            tail(&mut reader, &[id::REASON, id::USER])?;
        }
        reader.end()?;
        if self.unacked.pop_front() != Some(id) {
            return Err(Reason::Protocol("an acknowledgement that is not due: they come in the order of the messages"));
        }
        let short = || packet(0x40, &id.to_be_bytes());
        Ok(if bare { Up::Pass } else { Up::Instead { broker: Some(short()), client: None } })
    }

    fn disconnect(&self, body: &[u8]) -> Result<Up, Reason> {
        let mut reader = Reader::new(body);
        let mut code = 0;
        if self.version == Version::V5 {
            code = tail(&mut reader, &[id::SESSION_EXPIRY, id::REASON, id::USER])?;
        }
        reader.end()?;
        Ok(Up::Goodbye { will: code != 0 })
    }

    /// A whole packet of the broker, header included.
    ///
    /// # Errors
    /// Why the client cannot be served on.
    pub fn down(&mut self, head: Head, frame: &[u8]) -> Result<Down, Reason> {
        if frame.len() > self.maximum_packet {
            return Err(Reason::ClientTooSmall);
        }
        let body = frame.get(head.bytes..head.total()).ok_or(Reason::Unavailable)?;
        match head.kind {
            Kind::Publish => {
                if (head.flags >> 1) & 3 == 1 {
                    let mut reader = Reader::new(body);
                    let id = reader.binary().and_then(|_| reader.packet_id()).map_err(|_| Reason::Unavailable)?;
                    if self.unacked.len() >= usize::from(BROKER_INFLIGHT) {
                        return Err(Reason::Unavailable);
                    }
                    self.unacked.push_back(id);
                }
                Ok(Down::Pass)
            }
            Kind::SubAck => Ok(self.suback(body)),
            // The guard has answered already.
            Kind::UnsubAck => Ok(Down::Drop),
            Kind::PubAck | Kind::PingResp => Ok(Down::Pass),
            Kind::Connect
            | Kind::ConnAck
            | Kind::Qos2
            | Kind::Subscribe
            | Kind::Unsubscribe
            | Kind::PingReq
            | Kind::Disconnect
            | Kind::Auth => Err(Reason::Unavailable),
        }
    }
}

/// Reason code and properties as they end a packet of version 5, both of which may be left out; the code.
fn tail(reader: &mut Reader<'_>, allowed: &[u8]) -> Result<u8, Fault> {
    if reader.rest().is_empty() {
        return Ok(0);
    }
    let code = reader.u8()?;
    if !reader.rest().is_empty() {
        property::walk(reader, allowed, |_, _, _| Ok(()))?;
    }
    Ok(code)
}
