//! SUBSCRIBE and UNSUBSCRIBE: each filter is judged by itself, what is refused is answered by the guard and the rest
//! goes on. The broker answers UNSUBSCRIBE once for each filter or not at all, so the guard does that alone.

use protocol::limits;
use protocol::topic::may_subscribe;

use super::judge::{Admit, Down, Judge, Up};
use super::packet::{Fault, Reader, Version, packet, put_binary};
use super::property::{self, id};
use super::reason::{Reason, filter_code};

/// SUBSCRIBEs that the broker has not answered.
const PENDING: usize = 16;
/// More filters than one client may have.
const QUOTA_EXCEEDED: u8 = 0x97;
/// What the broker does not do, in a SUBACK of version 5.
const NOT_IMPLEMENTED: u8 = 0x83;

/// A SUBSCRIBE that the broker has not answered: one code for each filter, `None` where the broker's counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    id: u16,
    codes: Vec<Option<u8>>,
}

impl Judge {
    pub(super) fn subscribe(&mut self, body: &[u8], admit: Admit<'_>) -> Result<Up, Reason> {
        let mut reader = Reader::new(body);
        let packet_id = reader.packet_id()?;
        let mut passed = packet_id.to_be_bytes().to_vec();
        self.subscribe_properties(&mut reader, &mut passed)?;
        let (mut codes, mut changed) = (Vec::new(), false);
        while !reader.rest().is_empty() {
            if codes.len() >= limits::MQTT_FILTERS {
                return Err(Reason::Quota("more filters in one SUBSCRIBE than a client may have"));
            }
            let (filter, options) = (reader.text()?, reader.u8()?);
            if options & 3 == 3 || options & self.reserved_options() != 0 || options & 0x30 == 0x30 {
                return Err(Fault::Malformed("options of a subscription that there are not").into());
            }
            let code = self.judge_filter(filter, options, admit);
            if code.is_none() {
                let granted = (options & !3) | (options & 3).min(self.granted);
                changed |= granted != options;
                put_binary(&mut passed, filter.as_bytes());
                passed.push(granted);
            }
            codes.push(code);
        }
        if codes.is_empty() {
            return Err(Reason::Protocol("a SUBSCRIBE without a filter"));
        }
        if codes.iter().all(Option::is_some) {
            let codes: Vec<u8> = codes.into_iter().flatten().collect();
            return Ok(Up::Instead { broker: None, client: Some(self.answer(0x90, packet_id, &codes)) });
        }
        if self.pending.len() >= PENDING {
            return Err(Reason::Quota("too many subscriptions at once"));
        }
        changed |= codes.iter().any(Option::is_some);
        self.pending.push_back(Pending { id: packet_id, codes });
        if changed { Ok(Up::Instead { broker: Some(packet(0x82, &passed)), client: None }) } else { Ok(Up::Pass) }
    }

    /// Checks the properties and hands on the one that the broker understands.
    fn subscribe_properties(&self, reader: &mut Reader<'_>, passed: &mut Vec<u8>) -> Result<(), Reason> {
        if self.version == Version::V4 {
            return Ok(());
        }
        let (mut kept, mut zero) = (Vec::new(), false);
        property::walk(reader, &[id::SUBSCRIPTION, id::USER], |id, value, bytes| {
            if id == id::SUBSCRIPTION {
                zero |= value.number() == 0;
                kept.extend_from_slice(bytes);
            }
            Ok(())
        })?;
        property::put(passed, &kept);
        if zero { Err(Reason::Protocol("subscription identifier 0")) } else { Ok(()) }
    }

    const fn reserved_options(&self) -> u8 {
        match self.version {
            Version::V4 => 0xFC,
            Version::V5 => 0xC0,
        }
    }

    /// The code that refuses a filter; `None` takes it.
    fn judge_filter(&mut self, filter: &str, options: u8, admit: Admit<'_>) -> Option<u8> {
        let refuse = |code| Some(if self.version == Version::V5 { code } else { 0x80 });
        if let Err(error) = may_subscribe(self.who, self.shop, filter) {
            return Some(filter_code(self.version, error, filter));
        }
        // The broker would send a client its own messages all the same.
        if options & 4 != 0 {
            return refuse(NOT_IMPLEMENTED);
        }
        if self.filters.contains(filter) {
            return None;
        }
        if self.filters.len() >= limits::MQTT_FILTERS || !admit(filter) {
            return refuse(QUOTA_EXCEEDED);
        }
        self.filters.insert(filter.to_owned());
        None
    }

    /// The broker's answer, with what the guard refused in its place.
    pub(super) fn suback(&mut self, body: &[u8]) -> Down {
        let mut reader = Reader::new(body);
        let Ok(id) = reader.packet_id() else { return Down::Drop };
        let Some(at) = self.pending.iter().position(|pending| pending.id == id) else { return Down::Drop };
        let Some(pending) = self.pending.remove(at) else { return Down::Drop };
        if pending.codes.iter().all(Option::is_none) {
            return Down::Pass;
        }
        if self.version == Version::V5 && reader.varint().and_then(|length| reader.take(length)).is_err() {
            return Down::Drop;
        }
        let mut from_broker = reader.rest().iter().copied();
        let codes: Vec<u8> =
            pending.codes.iter().map(|code| code.or_else(|| from_broker.next()).unwrap_or(0x80)).collect();
        Down::Swap(self.answer(0x90, id, &codes))
    }

    pub(super) fn unsubscribe(&mut self, body: &[u8]) -> Result<Up, Reason> {
        const NO_SUBSCRIPTION: u8 = 0x11;
        let mut reader = Reader::new(body);
        let packet_id = reader.packet_id()?;
        if self.version == Version::V5 {
            property::walk(&mut reader, &[id::USER], |_, _, _| Ok(()))?;
        }
        let (mut codes, mut known) = (Vec::new(), packet_id.to_be_bytes().to_vec());
        if self.version == Version::V5 {
            known.push(0);
        }
        let empty = known.len();
        while !reader.rest().is_empty() {
            if codes.len() >= limits::MQTT_FILTERS {
                return Err(Reason::Quota("more filters in one UNSUBSCRIBE than a client may have"));
            }
            let filter = reader.text()?;
            if self.filters.remove(filter) {
                put_binary(&mut known, filter.as_bytes());
                codes.push(0);
            } else {
                codes.push(NO_SUBSCRIPTION);
            }
        }
        if codes.is_empty() {
            return Err(Reason::Protocol("an UNSUBSCRIBE without a filter"));
        }
        let codes = if self.version == Version::V5 { codes } else { Vec::new() };
        let broker = (known.len() > empty).then(|| packet(0xA2, &known));
        Ok(Up::Instead { broker, client: Some(self.answer(0xB0, packet_id, &codes)) })
    }

    fn answer(&self, first: u8, packet_id: u16, codes: &[u8]) -> Vec<u8> {
        let mut body = packet_id.to_be_bytes().to_vec();
        if self.version == Version::V5 {
            body.push(0);
        }
        body.extend_from_slice(codes);
        packet(first, &body)
    }
}
