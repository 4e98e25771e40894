//! CONNECT and CONNACK: what a client says of itself, what the broker is told instead, what the client is answered.
//! Judges nothing.

use super::packet::{Fault, Reader, Version, packet, put_binary};
use super::property::{self, id};
use super::reason::Reason;

const CONNECT_PROPERTIES: &[u8] = &[
    id::SESSION_EXPIRY,
    id::AUTH_METHOD,
    id::AUTH_DATA,
    id::PROBLEM_INFORMATION,
    id::RESPONSE_INFORMATION,
    id::RECEIVE_MAXIMUM,
    id::ALIAS_MAXIMUM,
    id::USER,
    id::MAXIMUM_PACKET,
];
const WILL_PROPERTIES: &[u8] = &[
    id::PAYLOAD_FORMAT,
    id::MESSAGE_EXPIRY,
    id::CONTENT_TYPE,
    id::RESPONSE_TOPIC,
    id::CORRELATION,
    id::WILL_DELAY,
    id::USER,
];

/// What a client says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect<'a> {
    /// The protocol it speaks.
    pub version: Version,
    /// Its name; empty when the server may choose.
    pub client_id: &'a str,
    /// Seconds; 0 for none.
    pub keep_alive: u16,
    /// Whether it wants no session from before.
    pub clean: bool,
    /// Seconds that it wants its session kept.
    pub session_expiry: u32,
    /// Messages of QoS 1 that it takes unacknowledged.
    pub receive_maximum: u16,
    /// Largest packet it takes, in bytes.
    pub maximum_packet: usize,
    /// Whether it wants to sign in in another way.
    pub auth_method: bool,
    /// Its last will.
    pub will: Option<Will<'a>>,
    /// User.
    pub username: Option<&'a str>,
    /// Password.
    pub password: Option<&'a [u8]>,
}

/// What is to be said when a client is gone without a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will<'a> {
    /// Where.
    pub topic: &'a str,
    /// What.
    pub payload: &'a [u8],
    /// 0 to 2.
    pub qos: u8,
    /// Whether it stays.
    pub retain: bool,
    /// Properties for the message (5 only), encoded, without a delay: sessions end with their connection.
    pub properties: Vec<u8>,
}

/// Which protocol a CONNECT is of, before the rest is read: an answer must be in the same.
///
/// # Errors
/// Bytes that are no CONNECT, and protocols that are not spoken.
pub fn version(body: &[u8]) -> Result<Version, Reason> {
    let mut reader = Reader::new(body);
    let name = reader.text()?;
    match (name, reader.u8()?) {
        ("MQTT", 4) => Ok(Version::V4),
        ("MQTT", 5) => Ok(Version::V5),
        ("MQTT" | "MQIsdp", _) => Err(Reason::Version),
        _ => Err(Fault::Malformed("this is not MQTT").into()),
    }
}

impl<'a> Connect<'a> {
    /// Reads the body of a CONNECT.
    ///
    /// # Errors
    /// Whatever is against the grammar.
    pub fn read(body: &'a [u8]) -> Result<Self, Reason> {
        let version = version(body)?;
        let mut reader = Reader::new(body);
        reader.text()?;
        reader.u8()?;
        let flags = reader.u8()?;
        let (clean, has_will, will_qos, will_retain) =
            (flags & 2 != 0, flags & 4 != 0, (flags >> 3) & 3, flags & 0x20 != 0);
        let (has_password, has_username) = (flags & 0x40 != 0, flags & 0x80 != 0);
        let fits = flags & 1 == 0
            && will_qos != 3
            && (has_will || (will_qos == 0 && !will_retain))
            && (version == Version::V5 || has_username || !has_password);
        if !fits {
            return Err(Fault::Malformed("flags that contradict each other").into());
        }
        let keep_alive = reader.u16()?;
        let mut connect = Self {
            version,
            client_id: "",
            keep_alive,
            clean,
            session_expiry: 0,
            receive_maximum: u16::MAX,
            maximum_packet: usize::MAX,
            auth_method: false,
            will: None,
            username: None,
            password: None,
        };
        if version == Version::V5 {
            connect.read_properties(&mut reader)?;
        }
        connect.client_id = reader.text()?;
        if has_will {
            let properties = if version == Version::V5 { will_properties(&mut reader)? } else { Vec::new() };
            let (topic, payload) = (reader.text()?, reader.binary()?);
            connect.will = Some(Will { topic, payload, qos: will_qos, retain: will_retain, properties });
        }
        if has_username {
            connect.username = Some(reader.text()?);
        }
        if has_password {
            connect.password = Some(reader.binary()?);
        }
        reader.end()?;
        Ok(connect)
    }

    fn read_properties(&mut self, reader: &mut Reader<'a>) -> Result<(), Reason> {
        let mut zero = false;
        property::walk(reader, CONNECT_PROPERTIES, |id, value, _| {
            let number = value.number();
            match id {
                id::SESSION_EXPIRY => self.session_expiry = number,
                id::RECEIVE_MAXIMUM => {
                    zero |= number == 0;
                    self.receive_maximum = u16::try_from(number).unwrap_or(u16::MAX);
                }
                id::MAXIMUM_PACKET => {
                    zero |= number == 0;
                    self.maximum_packet = usize::try_from(number).unwrap_or(usize::MAX);
                }
                id::AUTH_METHOD => self.auth_method = true,
                _ => {}
            }
            Ok(())
        })?;
        if zero { Err(Reason::Protocol("a maximum of 0 in CONNECT")) } else { Ok(()) }
    }
}

fn will_properties(reader: &mut Reader<'_>) -> Result<Vec<u8>, Fault> {
    let mut kept = Vec::new();
    property::walk(reader, WILL_PROPERTIES, |id, _, bytes| {
        if id != id::WILL_DELAY {
            kept.extend_from_slice(bytes);
        }
        Ok(())
    })?;
    Ok(kept)
}

impl Will<'_> {
    /// The message as its client would have published it.
    pub fn publish(&self, version: Version, packet_id: u16) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.payload.len() + self.topic.len() + self.properties.len() + 8);
        put_binary(&mut body, self.topic.as_bytes());
        if self.qos > 0 {
            body.extend_from_slice(&packet_id.to_be_bytes());
        }
        if version == Version::V5 {
            property::put(&mut body, &self.properties);
        }
        body.extend_from_slice(self.payload);
        packet(0x30 | (self.qos << 1) | u8::from(self.retain), &body)
    }
}

/// The CONNECT that the broker is given: a name of the guard's choice, the guard's own login, no will (the guard says
/// it), a clean session, no aliases, and a keep-alive that never ends: the guard watches.
pub fn for_broker(version: Version, client_id: &str, user: &str, password: &str) -> Vec<u8> {
    let mut body = Vec::with_capacity(128);
    put_binary(&mut body, b"MQTT");
    let level = match version {
        Version::V4 => 4,
        Version::V5 => 5,
    };
    body.extend_from_slice(&[level, 0b1100_0010]);
    body.extend_from_slice(&u16::MAX.to_be_bytes());
    if version == Version::V5 {
        body.push(0);
    }
    for text in [client_id, user, password] {
        put_binary(&mut body, text.as_bytes());
    }
    packet(0x10, &body)
}

/// What a client is told when it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome<'a> {
    /// The protocol it speaks.
    pub version: Version,
    /// Its name, if the guard chose it.
    pub assigned: Option<&'a str>,
    /// Another keep-alive than the one it wanted, in seconds.
    pub keep_alive: Option<u16>,
    /// Whether it wanted a session that outlives its connection.
    pub wanted_session: bool,
}

impl Welcome<'_> {
    /// The CONNACK.
    pub fn packet(&self) -> Vec<u8> {
        match self.version {
            Version::V4 => packet(0x20, &[0, 0]),
            Version::V5 => {
                let largest = u32::try_from(protocol::limits::MQTT_PACKET_BYTES).unwrap_or(u32::MAX);
                let mut properties = vec![id::MAXIMUM_QOS, 1, id::SHARED_AVAILABLE, 0, id::MAXIMUM_PACKET];
                properties.extend_from_slice(&largest.to_be_bytes());
                if self.wanted_session {
                    properties.extend_from_slice(&[id::SESSION_EXPIRY, 0, 0, 0, 0]);
                }
                if let Some(seconds) = self.keep_alive {
                    properties.push(id::SERVER_KEEP_ALIVE);
                    properties.extend_from_slice(&seconds.to_be_bytes());
                }
                if let Some(name) = self.assigned {
                    properties.push(id::ASSIGNED_CLIENT);
                    put_binary(&mut properties, name.as_bytes());
                }
                let mut body = vec![0, 0];
                property::put(&mut body, &properties);
                packet(0x20, &body)
            }
        }
    }
}
