//! Frames: what travels between a node and HQ. A frame is a header of sixteen bytes (channel, kind, version, zero,
//! body length, CRC-32C of the body, CRC-32C of the header) and a postcard body, one frozen struct per kind and
//! version ([`v1`]). The header is checked before a byte of the body is kept, the body before it is decoded.
//! Knows nothing of who may send what when: that is the session's.

pub(crate) mod batch;
mod reader;
pub mod v1;

pub use batch::{BatchError, fits_in_batch, pack};
pub use reader::FrameReader;

use crate::collection::Collection;
use crate::id::Stream;
use crate::limits;

/// Bytes before the body.
pub const HEADER_BYTES: usize = 16;
/// Kinds from here on may be ignored by whoever does not know them; an unknown kind below is an error.
pub const OPTIONAL_KINDS: u8 = 128;

/// Where a frame belongs. Frames of one channel stay in order; channels overtake each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Hello, acknowledgements, offers, close: small and urgent.
    Control,
    /// Events as they happen.
    Live(Stream),
    /// Events HQ has missed so far.
    Backlog(Stream),
    /// A downlink transfer.
    Down(Collection),
}

impl Channel {
    /// The byte in the header.
    pub const fn to_u8(self) -> u8 {
        match self {
            Self::Control => 0,
            Self::Live(stream) => 0x10 | stream as u8,
            Self::Backlog(stream) => 0x20 | stream as u8,
            Self::Down(collection) => 0x40 | collection as u8,
        }
    }

    /// Reads the byte in the header.
    pub fn from_u8(byte: u8) -> Option<Self> {
        match byte & 0xF0 {
            0x00 if byte == 0 => Some(Self::Control),
            0x10 => Stream::from_u8(byte & 0x0F).map(Self::Live),
            0x20 => Stream::from_u8(byte & 0x0F).map(Self::Backlog),
            0x40 => collection_from_u8(byte & 0x0F).map(Self::Down),
            _ => None,
        }
    }

    /// What a link sends first: the larger number.
    pub const fn priority(self) -> i32 {
        match self {
            Self::Control => 3,
            Self::Live(_) => 2,
            Self::Backlog(_) => 1,
            Self::Down(_) => 0,
        }
    }

    /// A short name for metrics and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Live(_) => "live",
            Self::Backlog(_) => "backlog",
            Self::Down(_) => "down",
        }
    }
}

/// Reads the wire byte of a collection.
pub fn collection_from_u8(byte: u8) -> Option<Collection> {
    Collection::ALL.into_iter().find(|collection| *collection as u8 == byte)
}

/// Why bytes are not a frame, or a frame cannot be written. Every one ends the connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The header's checksum is wrong: damage, or not this protocol at all.
    #[error("these bytes are not a frame header: damaged, or not this protocol")]
    HeaderDamaged,
    /// The body's checksum is wrong.
    #[error("the body of a frame of kind {kind} is damaged")]
    BodyDamaged {
        /// The kind.
        kind: u8,
    },
    /// No such channel, or a kind on a channel where it does not belong.
    #[error("a frame of kind {kind} does not belong on channel {channel:#04x}")]
    WrongChannel {
        /// The kind.
        kind: u8,
        /// The channel byte.
        channel: u8,
    },
    /// A kind and version this build cannot read.
    #[error("frame kind {kind} version {version} is not known to this version")]
    UnknownKind {
        /// The kind.
        kind: u8,
        /// The version.
        version: u8,
    },
    /// The body would be larger than its kind allows.
    #[error("a frame of kind {kind} with {length} bytes is over its limit of {limit}")]
    TooLarge {
        /// The kind.
        kind: u8,
        /// The length it states.
        length: usize,
        /// What is allowed.
        limit: usize,
    },
    /// The body does not hold the struct of its kind and version.
    #[error("the body of a frame of kind {kind} does not hold what it should")]
    Malformed {
        /// The kind.
        kind: u8,
    },
    /// The bytes end inside a frame.
    #[error("the bytes end inside a frame")]
    Truncated,
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where it belongs.
    pub channel: Channel,
    /// What it says.
    pub body: Body,
}

macro_rules! bodies {
    ($($(#[$doc:meta])* $name:ident($ty:ty), $kind:literal, $version:literal, $limit:expr;)*) => {
        /// What a frame says. Kind numbers are wire format and are never used again.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Body {
            $($(#[$doc])* $name($ty),)*
            /// A kind of [`OPTIONAL_KINDS`] that this build does not know: to be ignored.
            Optional {
                /// The kind.
                kind: u8,
                /// The version.
                version: u8,
            },
        }

        impl Body {
            /// Kind and version, as in the header.
            pub const fn shape(&self) -> (u8, u8) {
                match self {
                    $(Self::$name(_) => ($kind, $version),)*
                    Self::Optional { kind, version } => (*kind, *version),
                }
            }

            /// A short name for messages and metrics.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($name),)*
                    Self::Optional { .. } => "Optional",
                }
            }

            fn write(&self, out: Vec<u8>) -> Result<Vec<u8>, FrameError> {
                let (kind, version) = self.shape();
                match self {
                    $(Self::$name(body) => postcard::to_extend(body, out).map_err(|_| FrameError::Malformed { kind }),)*
                    Self::Optional { .. } => Err(FrameError::UnknownKind { kind, version }),
                }
            }

            fn read(kind: u8, version: u8, bytes: &[u8]) -> Result<Self, FrameError> {
                match (kind, version) {
                    $(($kind, $version) => whole(kind, bytes).map(Self::$name),)*
                    (OPTIONAL_KINDS.., _) => Ok(Self::Optional { kind, version }),
                    (_, _) => Err(FrameError::UnknownKind { kind, version }),
                }
            }
        }

        /// The largest body of a kind and version.
        const fn body_limit(kind: u8, version: u8) -> Option<usize> {
            match (kind, version) {
                $(($kind, $version) => Some($limit),)*
                (OPTIONAL_KINDS.., _) => Some(limits::CONTROL_FRAME_BYTES),
                (_, _) => None,
            }
        }
    };
}

bodies! {
    /// Node to HQ, first of all: who it is (beyond its certificate), what it holds, which versions it speaks.
    Hello(v1::HelloV1), 1, 1, limits::CONTROL_FRAME_BYTES;
    /// HQ to node: the version from here on, the time, what HQ holds.
    Welcome(v1::WelcomeV1), 2, 1, limits::CURSOR_FRAME_BYTES;
    /// Either way, last of all: why, and when to come back.
    Close(v1::CloseV1), 3, 1, limits::CONTROL_FRAME_BYTES;
    /// Node to HQ: are you there?
    Ping(v1::PingV1), 4, 1, limits::CONTROL_FRAME_BYTES;
    /// HQ to node: yes.
    Pong(v1::PongV1), 5, 1, limits::CONTROL_FRAME_BYTES;
    /// HQ to node: how fast the backlog may come.
    Pace(v1::PaceV1), 6, 1, limits::CONTROL_FRAME_BYTES;
    /// Node to HQ: events.
    Batch(v1::BatchV1), 10, 1, limits::FRAME_BYTES;
    /// HQ to node: these events are committed.
    Ack(v1::AckV1), 11, 1, limits::CURSOR_FRAME_BYTES;
    /// HQ to node: these events were not taken; send them again later.
    Nack(v1::NackV1), 12, 1, limits::CURSOR_FRAME_BYTES;
    /// Node to HQ: the head of a log, signed.
    Checkpoint(v1::CheckpointV1), 13, 1, limits::CONTROL_FRAME_BYTES;
    /// HQ to node: a newer version of a collection is here.
    Offer(v1::OfferV1), 20, 1, limits::CONTROL_FRAME_BYTES;
    /// Node to HQ: send me this part of it.
    Fetch(v1::FetchV1), 21, 1, limits::CONTROL_FRAME_BYTES;
    /// HQ to node: a part of it.
    Transfer(v1::TransferV1), 22, 1, limits::TRANSFER_CHUNK_BYTES + 256;
    /// Node to HQ: where a collection stands now.
    Applied(v1::AppliedV1), 23, 1, limits::CONTROL_FRAME_BYTES;
}

fn whole<T: for<'de> serde::Deserialize<'de>>(kind: u8, bytes: &[u8]) -> Result<T, FrameError> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok(_) | Err(_) => Err(FrameError::Malformed { kind }),
    }
}

impl Body {
    /// Whether a frame with this body belongs on the channel.
    fn belongs_on(&self, channel: Channel) -> bool {
        match (self, channel) {
            (Self::Batch(batch), Channel::Live(stream) | Channel::Backlog(stream)) => batch.stream == stream as u8,
            (Self::Transfer(part), Channel::Down(collection)) => part.collection == collection as u8,
            (Self::Optional { .. }, _) => true,
            (Self::Batch(_) | Self::Transfer(_), _) => false,
            (_, Channel::Control) => true,
            (_, Channel::Live(_) | Channel::Backlog(_) | Channel::Down(_)) => false,
        }
    }
}

impl Frame {
    /// A frame on the control channel.
    pub const fn control(body: Body) -> Self {
        Self { channel: Channel::Control, body }
    }

    /// The bytes on the wire.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`] when the body is over the limit of its kind, [`FrameError::WrongChannel`] when it
    /// does not belong on the channel, [`FrameError::UnknownKind`] for [`Body::Optional`].
    pub fn encode(&self) -> Result<Vec<u8>, FrameError> {
        let (kind, version) = self.body.shape();
        if !self.body.belongs_on(self.channel) {
            return Err(FrameError::WrongChannel { kind, channel: self.channel.to_u8() });
        }
        let mut bytes = self.body.write(vec![0; HEADER_BYTES])?;
        let (header, body) = bytes.split_at_mut(HEADER_BYTES);
        let limit = body_limit(kind, version).unwrap_or(0);
        let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= limit);
        let length = length.ok_or(FrameError::TooLarge { kind, length: body.len(), limit })?;
        header[0] = self.channel.to_u8();
        header[1] = kind;
        header[2] = version;
        header[4..8].copy_from_slice(&length.to_le_bytes());
        header[8..12].copy_from_slice(&crc32c::crc32c(body).to_le_bytes());
        let check = crc32c::crc32c(&header[..12]);
        header[12..].copy_from_slice(&check.to_le_bytes());
        Ok(bytes)
    }

    /// Reads exactly one frame.
    ///
    /// # Errors
    /// Any [`FrameError`]; [`FrameError::Truncated`] also when bytes are left over.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        let (header, body) = bytes.split_at_checked(HEADER_BYTES).ok_or(FrameError::Truncated)?;
        let header = Header::read(header)?;
        if body.len() == header.length { header.body(body) } else { Err(FrameError::Truncated) }
    }
}

/// A header that has been checked: the body it announces may be kept.
#[derive(Clone, Copy, Debug)]
struct Header {
    channel: Channel,
    kind: u8,
    version: u8,
    length: usize,
    crc: u32,
}

impl Header {
    /// Checks sixteen bytes.
    fn read(bytes: &[u8]) -> Result<Self, FrameError> {
        let word = |at: usize| -> Result<u32, FrameError> {
            let four = bytes.get(at..at + 4).ok_or(FrameError::Truncated)?;
            Ok(u32::from_le_bytes(four.try_into().map_err(|_| FrameError::Truncated)?))
        };
        let checked = bytes.get(..12).ok_or(FrameError::Truncated)?;
        if crc32c::crc32c(checked) != word(12)? || checked[3] != 0 {
            return Err(FrameError::HeaderDamaged);
        }
        let (kind, version) = (checked[1], checked[2]);
        let channel = Channel::from_u8(checked[0]).ok_or(FrameError::WrongChannel { kind, channel: checked[0] })?;
        let limit = body_limit(kind, version).ok_or(FrameError::UnknownKind { kind, version })?;
        let length = usize::try_from(word(4)?).unwrap_or(usize::MAX);
        if length > limit {
            return Err(FrameError::TooLarge { kind, length, limit });
        }
        Ok(Self { channel, kind, version, length, crc: word(8)? })
    }

    /// Checks and decodes the body that belongs to this header.
    fn body(&self, bytes: &[u8]) -> Result<Frame, FrameError> {
        if crc32c::crc32c(bytes) != self.crc {
            return Err(FrameError::BodyDamaged { kind: self.kind });
        }
        let body = Body::read(self.kind, self.version, bytes)?;
        if !body.belongs_on(self.channel) {
            return Err(FrameError::WrongChannel { kind: self.kind, channel: self.channel.to_u8() });
        }
        Ok(Frame { channel: self.channel, body })
    }
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
