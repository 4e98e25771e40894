//! Bodies of the in-store MQTT messages: JSON that a person can read, versioned, bounded, open to fields that a
//! later version adds. Knows no topic, no broker and nothing of where the facts come from.

mod bodies;
mod reply;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::limits;
use crate::timestamp::Timestamp;

pub use bodies::{
    Activity, Ask, Device, DeviceCondition, DeviceKind, LaneState, Presence, Price, Reach, Ticket, TicketStanding, What,
};
pub use reply::{CollectionNow, Content, LaneNow, Packed, Part, Reply, TicketNow, pack};

/// The version every body of this module names.
pub const VERSION: u64 = 1;

/// Why a body is not taken.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// Longer than [`limits::LANE_MESSAGE_BYTES`].
    #[error("a body has at most {most} bytes, this one has {0}", most = limits::LANE_MESSAGE_BYTES)]
    TooLong(usize),
    /// Not the JSON that is expected, or of another version.
    #[error("the body cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A field beyond its limit.
    #[error("{0} is too long, or has characters that do not belong there")]
    Field(&'static str),
}

/// A body of a message.
pub trait Body: Serialize + DeserializeOwned {
    /// Checks the limits that the types do not know.
    ///
    /// # Errors
    /// The field that breaks its limit.
    fn check(&self) -> Result<(), MessageError>;

    /// Reads a body. Its length is looked at before anything is allocated for it.
    ///
    /// # Errors
    /// Too long, no such JSON, another version, a field beyond its limit.
    fn read(bytes: &[u8]) -> Result<Self, MessageError> {
        if bytes.len() > limits::LANE_MESSAGE_BYTES {
            return Err(MessageError::TooLong(bytes.len()));
        }
        let body: Self = serde_json::from_slice(bytes)?;
        body.check()?;
        Ok(body)
    }

    /// The JSON of the body.
    ///
    /// # Errors
    /// A body beyond the limits: nobody would read it.
    fn write(&self) -> Result<Vec<u8>, MessageError> {
        self.check()?;
        let bytes = serde_json::to_vec(self)?;
        if bytes.len() > limits::LANE_MESSAGE_BYTES { Err(MessageError::TooLong(bytes.len())) } else { Ok(bytes) }
    }
}

/// The version number in a body: written as 1, and nothing else is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct V1;

impl Serialize for V1 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(VERSION)
    }
}

impl<'de> Deserialize<'de> for V1 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            VERSION => Ok(Self),
            other => Err(de::Error::custom(format!("version {other} of the body; this program reads {VERSION}"))),
        }
    }
}

impl PartialSchema for V1 {
    fn schema() -> RefOr<Schema> {
        let one = ObjectBuilder::new().schema_type(SchemaType::Type(Type::Integer));
        one.description(Some("Version of the body.")).minimum(Some(1)).maximum(Some(1)).into()
    }
}
impl ToSchema for V1 {}

/// A point in time as RFC 3339 text in UTC with milliseconds, such as `2026-03-01T09:30:00.000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Timestamp);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let at: jiff::Timestamp = text.parse().map_err(|error| de::Error::custom(format!("{text:?}: {error}")))?;
        Ok(Self(Timestamp(at.as_millisecond())))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialSchema for Moment {
    fn schema() -> RefOr<Schema> {
        let time = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
        time.format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).into()
    }
}
impl ToSchema for Moment {}

/// Text of at most `most` bytes without control characters.
fn plain(field: &'static str, text: &str, most: usize) -> Result<(), MessageError> {
    if text.len() <= most && !text.chars().any(char::is_control) { Ok(()) } else { Err(MessageError::Field(field)) }
}
