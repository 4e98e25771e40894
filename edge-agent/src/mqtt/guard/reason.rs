//! Why the guard shuts a client out: as words for a person, as a label for the metric, as the code each protocol has
//! for it.

use protocol::topic::TopicError;

use super::packet::{Fault, Version, packet, put_binary};
use super::property::{self, id};

/// Why a client is shut out, or not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Bytes that are no packet.
    #[error("{0}")]
    Broken(Fault),
    /// A packet that has no place here.
    #[error("{0}")]
    Protocol(&'static str),
    /// Neither 3.1.1 nor 5.
    #[error("this node speaks MQTT 3.1.1 and 5")]
    Version,
    /// The login is wrong.
    #[error("wrong login: the user is the lane's id, the password its token from pairing")]
    Login,
    /// A client id that does not belong to the lane.
    #[error("the client id is the lane's id, or begins with it and a dot")]
    ClientId,
    /// Another way of signing in than user and password.
    #[error("no other way of signing in than user and password is offered")]
    AuthMethod,
    /// A topic that the client may not publish to.
    #[error("{0}")]
    Topic(TopicError),
    /// A message that may not be retained.
    #[error("messages on this topic are not retained")]
    Retain,
    /// QoS 2.
    #[error("QoS 2 is not offered; use 0 or 1")]
    Qos,
    /// A number instead of a topic.
    #[error("topic aliases are not offered")]
    Alias,
    /// A will beyond its size.
    #[error("the last will is larger than {} bytes", protocol::limits::MQTT_WILL_BYTES)]
    WillSize,
    /// The client sends too much.
    #[error("too many messages, or too many bytes, in a second")]
    Flood,
    /// More of something than one client may have.
    #[error("{0}")]
    Quota(&'static str),
    /// It said nothing for one and a half times its keep-alive, or did not finish a packet.
    #[error("nothing was heard within the keep-alive")]
    KeepAlive,
    /// It never said who it is.
    #[error("no CONNECT within {} s", protocol::limits::MQTT_CONNECT_MS / 1_000)]
    Silent,
    /// It does not take what it is sent.
    #[error("it does not take its messages")]
    Slow,
    /// A message for it is larger than what it takes.
    #[error("a message is larger than the client takes")]
    ClientTooSmall,
    /// The same client id connected again.
    #[error("the same client id connected again")]
    TakenOver,
    /// Its token no longer works.
    #[error("the lane's token was taken away")]
    Revoked,
    /// The node ends.
    #[error("the node is stopping")]
    Stopping,
    /// The broker inside is not there.
    #[error("the broker is not there; try again in a moment")]
    Unavailable,
}

impl Reason {
    /// Label of the metric.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Broken(Fault::Malformed(_)) => "malformed",
            Self::Broken(Fault::TooLarge(_)) | Self::WillSize => "too_large",
            Self::Protocol(_) => "protocol",
            Self::Version => "version",
            Self::Login => "login",
            Self::ClientId => "client_id",
            Self::AuthMethod => "auth_method",
            Self::Topic(_) => "rights",
            Self::Retain => "retain",
            Self::Qos => "qos",
            Self::Alias => "alias",
            Self::Flood => "flood",
            Self::Quota(_) => "quota",
            Self::KeepAlive => "keep_alive",
            Self::Silent => "silent",
            Self::Slow => "slow",
            Self::ClientTooSmall => "client_too_small",
            Self::TakenOver => "taken_over",
            Self::Revoked => "revoked",
            Self::Stopping => "stopping",
            Self::Unavailable => "unavailable",
        }
    }

    /// The reason code of MQTT 5, in CONNACK and DISCONNECT alike.
    pub const fn code(self) -> u8 {
        match self {
            Self::Broken(Fault::Malformed(_)) => 0x81,
            Self::Broken(Fault::TooLarge(_)) | Self::WillSize | Self::ClientTooSmall => 0x95,
            Self::Protocol(_) => 0x82,
            Self::Version => 0x84,
            Self::Login => 0x86,
            Self::ClientId => 0x85,
            Self::AuthMethod => 0x8C,
            Self::Topic(error) => topic_code(error),
            Self::Retain => 0x9A,
            Self::Qos => 0x9B,
            Self::Alias => 0x94,
            Self::Flood => 0x96,
            Self::Quota(_) => 0x97,
            Self::KeepAlive | Self::Silent => 0x8D,
            Self::Slow => 0x93,
            Self::TakenOver => 0x8E,
            Self::Revoked => 0x87,
            Self::Stopping => 0x8B,
            Self::Unavailable => 0x88,
        }
    }

    /// The return code of a CONNACK of 3.1.1; `None` where the protocol says to close without one.
    const fn return_code(self) -> Option<u8> {
        match self {
            Self::Version => Some(1),
            Self::ClientId => Some(2),
            Self::Unavailable | Self::Stopping | Self::Quota(_) => Some(3),
            Self::Login => Some(4),
            Self::Topic(_) | Self::Retain | Self::Qos | Self::WillSize | Self::Revoked => Some(5),
            Self::Broken(_)
            | Self::Protocol(_)
            | Self::AuthMethod
            | Self::Alias
            | Self::Flood
            | Self::KeepAlive
            | Self::Silent
            | Self::Slow
            | Self::ClientTooSmall
            | Self::TakenOver => None,
        }
    }

    /// The CONNACK that says no.
    pub fn refusal(self, version: Version) -> Option<Vec<u8>> {
        match version {
            Version::V4 => self.return_code().map(|code| packet(0x20, &[0, code])),
            Version::V5 => Some(packet(0x20, &self.body(&[0, self.code()]))),
        }
    }

    /// The DISCONNECT that says why; 3.1.1 has none. Nor has a client that did nothing wrong and shall come again:
    /// libraries take the word for an order to stay away, and a connection that only ends for an accident.
    pub fn farewell(self, version: Version) -> Option<Vec<u8>> {
        match version {
            Version::V4 => None,
            Version::V5 if matches!(self, Self::Stopping | Self::Unavailable) => None,
            Version::V5 => Some(packet(0xE0, &self.body(&[self.disconnect_code()]))),
        }
    }

    /// DISCONNECT lacks a few of the codes of CONNACK.
    const fn disconnect_code(self) -> u8 {
        match self.code() {
            0x84 | 0x85 | 0x86 | 0x8C => 0x82,
            // A broker that goes away under a client that was in.
            0x88 => 0x8B,
            code => code,
        }
    }

    fn body(self, head: &[u8]) -> Vec<u8> {
        let mut words = vec![id::REASON];
        put_binary(&mut words, self.to_string().as_bytes());
        let mut body = head.to_vec();
        property::put(&mut body, &words);
        body
    }
}

/// Whether a topic cannot be one, or is not for this client.
const fn shapeless(error: TopicError) -> bool {
    match error {
        TopicError::Length | TopicError::Character | TopicError::Wildcard | TopicError::Depth => true,
        TopicError::Dollar | TopicError::Unknown | TopicError::Id | TopicError::Shop | TopicError::Right => false,
    }
}

const fn topic_code(error: TopicError) -> u8 {
    if shapeless(error) { 0x90 } else { 0x87 }
}

/// What a SUBACK says of a filter that is refused.
pub fn filter_code(version: Version, error: TopicError, filter: &str) -> u8 {
    match version {
        Version::V4 => 0x80,
        Version::V5 if filter.starts_with("$share/") => 0x9E,
        Version::V5 if shapeless(error) => 0x8F,
        Version::V5 => 0x87,
    }
}

impl From<Fault> for Reason {
    fn from(fault: Fault) -> Self {
        Self::Broken(fault)
    }
}

impl From<TopicError> for Reason {
    fn from(error: TopicError) -> Self {
        Self::Topic(error)
    }
}
