//! The few packet heads of MQTT 3.1.1 and 5 that the guard reads, on the bytes where they lie: every length is checked
//! before it is followed, nothing is allocated by what a packet claims. Knows no rights and no broker.

/// The protocol a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 3.1.1.
    V4,
    /// 5.
    V5,
}

impl Version {
    /// As people write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V4 => "3.1.1",
            Self::V5 => "5",
        }
    }
}

/// Why bytes are no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Against the grammar of the protocol.
    #[error("a malformed packet: {0}")]
    Malformed(&'static str),
    /// Longer than a packet may be.
    #[error("a packet of {0} bytes")]
    TooLarge(usize),
}

/// Packet types by their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 1: a client introduces itself.
    Connect,
    /// 2.
    ConnAck,
    /// 3: a message.
    Publish,
    /// 4.
    PubAck,
    /// 5, 6, 7: the rest of QoS 2.
    Qos2,
    /// 8.
    Subscribe,
    /// 9.
    SubAck,
    /// 10.
    Unsubscribe,
    /// 11.
    UnsubAck,
    /// 12.
    PingReq,
    /// 13.
    PingResp,
    /// 14.
    Disconnect,
    /// 15.
    Auth,
}

/// The fixed header of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// What it is.
    pub kind: Kind,
    /// The low four bits of the first byte.
    pub flags: u8,
    /// Bytes of the header itself: 2 to 5.
    pub bytes: usize,
    /// Bytes that follow.
    pub body: usize,
}

impl Head {
    /// Bytes of the whole packet.
    pub const fn total(self) -> usize {
        self.bytes + self.body
    }
}

/// Reads a fixed header; `None` while bytes of it are missing.
///
/// # Errors
/// A type that does not exist, a length of more than four bytes, a packet of more than `most` bytes.
pub fn head(bytes: &[u8], most: usize) -> Result<Option<Head>, Fault> {
    let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
    let kind = match first >> 4 {
        1 => Kind::Connect,
        2 => Kind::ConnAck,
        3 => Kind::Publish,
        4 => Kind::PubAck,
        5..=7 => Kind::Qos2,
        8 => Kind::Subscribe,
        9 => Kind::SubAck,
        10 => Kind::Unsubscribe,
        11 => Kind::UnsubAck,
        12 => Kind::PingReq,
        13 => Kind::PingResp,
        14 => Kind::Disconnect,
        15 => Kind::Auth,
        _ => return Err(Fault::Malformed("there is no packet type 0")),
    };
    let Some((body, length)) = varint(rest)? else { return Ok(None) };
    let head = Head { kind, flags: first & 0x0F, bytes: 1 + length, body };
    if head.total() > most {
        return Err(Fault::TooLarge(head.total()));
    }
    Ok(Some(head))
}

/// A number of one to four bytes and how many it took; `None` while bytes of it are missing.
fn varint(bytes: &[u8]) -> Result<Option<(usize, usize)>, Fault> {
    let mut value = 0;
    for (at, &byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((value, at + 1)));
        }
    }
    if bytes.len() >= 4 { Err(Fault::Malformed("a length of more than four bytes")) } else { Ok(None) }
}

/// Reads the body of a packet from front to back.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Over these bytes and none behind them.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What has not been read.
    pub const fn rest(self) -> &'a [u8] {
        self.0
    }

    /// The next so many bytes.
    ///
    /// # Errors
    /// There are fewer.
    pub fn take(&mut self, bytes: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or(Fault::Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    /// One byte.
    ///
    /// # Errors
    /// There is none.
    pub fn u8(&mut self) -> Result<u8, Fault> {
        self.take(1).map(|bytes| bytes.iter().fold(0, |_, byte| *byte))
    }

    /// Two bytes, the larger first.
    ///
    /// # Errors
    /// There are fewer.
    pub fn u16(&mut self) -> Result<u16, Fault> {
        self.take(2).map(|bytes| bytes.iter().fold(0, |sum, byte| (sum << 8) | u16::from(*byte)))
    }

    /// Four bytes, the largest first.
    ///
    /// # Errors
    /// There are fewer.
    pub fn u32(&mut self) -> Result<u32, Fault> {
        self.take(4).map(|bytes| bytes.iter().fold(0, |sum, byte| (sum << 8) | u32::from(*byte)))
    }

    /// A number of one to four bytes.
    ///
    /// # Errors
    /// It has more, or does not end.
    pub fn varint(&mut self) -> Result<usize, Fault> {
        let (value, length) = varint(self.0)?.ok_or(Fault::Malformed("it ends within a number"))?;
        self.take(length)?;
        Ok(value)
    }

    /// Bytes behind their length.
    ///
    /// # Errors
    /// There are fewer than the length says.
    pub fn binary(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    /// UTF-8 behind its length.
    ///
    /// # Errors
    /// It is none, or contains NUL.
    pub fn text(&mut self) -> Result<&'a str, Fault> {
        text(self.binary()?)
    }

    /// A packet identifier.
    ///
    /// # Errors
    /// It is missing or 0.
    pub fn packet_id(&mut self) -> Result<u16, Fault> {
        match self.u16()? {
            0 => Err(Fault::Malformed("packet identifier 0")),
            id => Ok(id),
        }
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// Something is.
    pub const fn end(self) -> Result<(), Fault> {
        if self.0.is_empty() { Ok(()) } else { Err(Fault::Malformed("bytes behind its end")) }
    }
}

/// Bytes as a text of the protocol.
///
/// # Errors
/// They are not UTF-8, or contain NUL.
pub fn text(bytes: &[u8]) -> Result<&str, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::Malformed("a text that is not UTF-8"))?;
    if bytes.contains(&0) { Err(Fault::Malformed("a NUL in a text")) } else { Ok(text) }
}

/// Puts a whole packet together: first byte, length, body.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 5);
    out.push(first);
    put_varint(&mut out, body.len());
    out.extend_from_slice(body);
    out
}

/// Writes a number of one to four bytes. Larger ones do not occur: packets are limited.
pub fn put_varint(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = u8::try_from(value & 0x7F).unwrap_or_default();
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Writes bytes behind their length, cut at what a length can say.
pub fn put_binary(out: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = bytes.get(..usize::from(u16::MAX)).unwrap_or(bytes);
    out.extend_from_slice(&u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}
