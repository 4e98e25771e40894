//! The properties of MQTT 5: which a packet may carry, how long each is, which may stand once. Knows not what they mean.

use super::packet::{Fault, Reader, put_varint};

/// Identifiers of properties that the guard looks at or writes.
pub mod id {
    /// Payload is UTF-8.
    pub const PAYLOAD_FORMAT: u8 = 0x01;
    /// Seconds that a message is worth anything.
    pub const MESSAGE_EXPIRY: u8 = 0x02;
    /// What the payload is.
    pub const CONTENT_TYPE: u8 = 0x03;
    /// Where an answer goes.
    pub const RESPONSE_TOPIC: u8 = 0x08;
    /// What an answer is to.
    pub const CORRELATION: u8 = 0x09;
    /// Number of a subscription.
    pub const SUBSCRIPTION: u8 = 0x0B;
    /// Seconds that a session outlives its connection.
    pub const SESSION_EXPIRY: u8 = 0x11;
    /// The client's name as the server chose it.
    pub const ASSIGNED_CLIENT: u8 = 0x12;
    /// Keep-alive as the server wants it.
    pub const SERVER_KEEP_ALIVE: u8 = 0x13;
    /// Another way of signing in.
    pub const AUTH_METHOD: u8 = 0x15;
    /// Its data.
    pub const AUTH_DATA: u8 = 0x16;
    /// Whether reasons are wanted.
    pub const PROBLEM_INFORMATION: u8 = 0x17;
    /// Seconds before a will is published.
    pub const WILL_DELAY: u8 = 0x18;
    /// Whether response information is wanted.
    pub const RESPONSE_INFORMATION: u8 = 0x19;
    /// Words about a reason code.
    pub const REASON: u8 = 0x1F;
    /// Unacknowledged messages a side takes.
    pub const RECEIVE_MAXIMUM: u8 = 0x21;
    /// Topic aliases a side takes.
    pub const ALIAS_MAXIMUM: u8 = 0x22;
    /// A number instead of a topic.
    pub const TOPIC_ALIAS: u8 = 0x23;
    /// Largest QoS of the server.
    pub const MAXIMUM_QOS: u8 = 0x24;
    /// A pair of texts.
    pub const USER: u8 = 0x26;
    /// Largest packet a side takes.
    pub const MAXIMUM_PACKET: u8 = 0x27;
    /// Whether subscriptions may be shared.
    pub const SHARED_AVAILABLE: u8 = 0x2A;
}

/// The value of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Of one to four bytes.
    Number(u32),
    /// A text.
    Text(&'a str),
    /// Bytes, or a pair of texts: of no interest.
    Other,
}

impl Value<'_> {
    /// The number; 0 if it is none.
    pub const fn number(self) -> u32 {
        match self {
            Self::Number(number) => number,
            Self::Text(_) | Self::Other => 0,
        }
    }
}

/// Reads the properties of a packet: each identifier must be among `allowed`, and only user properties may repeat.
/// `visit` sees each one with the bytes it takes.
///
/// # Errors
/// Whatever does not fit, and what `visit` refuses.
pub fn walk<'a>(
    reader: &mut Reader<'a>,
    allowed: &[u8],
    mut visit: impl FnMut(u8, Value<'a>, &'a [u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let length = reader.varint()?;
    let mut inside = Reader::new(reader.take(length)?);
    let mut seen = 0_u64;
    while !inside.rest().is_empty() {
        let before = inside.rest();
        let id = inside.u8()?;
        if !allowed.contains(&id) {
            return Err(Fault::Malformed("a property that this packet may not have"));
        }
        let bit = 1_u64 << u32::from(id & 0x3F);
        if id != id::USER && seen & bit != 0 {
            return Err(Fault::Malformed("a property twice"));
        }
        seen |= bit;
        let value = value(&mut inside, id)?;
        let taken = before.len().saturating_sub(inside.rest().len());
        visit(id, value, before.get(..taken).unwrap_or_default())?;
    }
    Ok(())
}

fn value<'a>(inside: &mut Reader<'a>, id: u8) -> Result<Value<'a>, Fault> {
    Ok(match id {
        id::PAYLOAD_FORMAT | id::PROBLEM_INFORMATION | id::RESPONSE_INFORMATION => match inside.u8()? {
            flag @ (0 | 1) => Value::Number(u32::from(flag)),
            _ => return Err(Fault::Malformed("a flag that is neither 0 nor 1")),
        },
        id::MAXIMUM_QOS | id::SHARED_AVAILABLE => Value::Number(u32::from(inside.u8()?)),
        id::SERVER_KEEP_ALIVE | id::RECEIVE_MAXIMUM | id::ALIAS_MAXIMUM | id::TOPIC_ALIAS => {
            Value::Number(u32::from(inside.u16()?))
        }
        id::MESSAGE_EXPIRY | id::SESSION_EXPIRY | id::WILL_DELAY | id::MAXIMUM_PACKET => Value::Number(inside.u32()?),
        id::SUBSCRIPTION => Value::Number(u32::try_from(inside.varint()?).unwrap_or(u32::MAX)),
        id::CONTENT_TYPE | id::RESPONSE_TOPIC | id::ASSIGNED_CLIENT | id::AUTH_METHOD | id::REASON => {
            Value::Text(inside.text()?)
        }
        id::CORRELATION | id::AUTH_DATA => inside.binary().map(|_| Value::Other)?,
        id::USER => {
            inside.text()?;
            inside.text()?;
            Value::Other
        }
        _ => return Err(Fault::Malformed("an unknown property")),
    })
}

/// Writes properties behind their length.
pub fn put(out: &mut Vec<u8>, properties: &[u8]) {
    put_varint(out, properties.len());
    out.extend_from_slice(properties);
}
