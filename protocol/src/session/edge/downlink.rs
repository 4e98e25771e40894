//! Collections on their way down: asks for an offered delivery piece by piece, keeps what has come over a broken
//! connection, checks the whole and hands it out. What a delivery means is for its receiver.

use crate::collection::{Collection, Version};
use crate::frame::batch::unpack_delivery;
use crate::frame::v1::{AppliedV1, FetchV1, HeldV1, OfferV1, TransferV1};
use crate::frame::{Body, Frame};
use crate::limits;
use crate::session::Tick;

const WINDOW: u32 = limits::TRANSFER_WINDOW_BYTES as u32;

/// A delivery that came whole and unhurt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Which collection.
    pub collection: Collection,
    /// The version it starts from; 0: a snapshot.
    pub from: Version,
    /// The version it leads to.
    pub to: Version,
    /// `collection::Delivery` as bytes.
    pub bytes: Vec<u8>,
}

#[derive(Debug)]
struct Partial {
    offer: OfferV1,
    data: Vec<u8>,
    asked_to: u32,
    deadline: Tick,
}

/// One collection.
#[derive(Debug)]
pub(super) struct Downlink {
    collection: Collection,
    held: Version,
    wants_snapshot: bool,
    partial: Option<Partial>,
    applying: Option<[u8; 32]>,
}

impl Downlink {
    pub(super) const fn new(collection: Collection, held: Version) -> Self {
        Self { collection, held, wants_snapshot: false, partial: None, applying: None }
    }

    pub(super) const fn is(&self, collection: u8) -> bool {
        self.collection as u8 == collection
    }

    pub(super) const fn held(&self) -> HeldV1 {
        let version = if self.wants_snapshot { 0 } else { self.held.0 };
        HeldV1 { collection: self.collection as u8, version }
    }

    /// The receiver says where it stands.
    pub(super) const fn applied(&mut self, version: Version, wants_snapshot: bool) -> Frame {
        self.held = version;
        self.wants_snapshot = wants_snapshot;
        self.applying = None;
        self.report()
    }

    const fn report(&self) -> Frame {
        Frame::control(Body::Applied(AppliedV1 {
            collection: self.collection as u8,
            version: self.held.0,
            wants_snapshot: self.wants_snapshot,
        }))
    }

    /// HQ offers a delivery: fetch it, go on with it, or say that it is not wanted.
    pub(super) fn offered(&mut self, now: Tick, offer: OfferV1) -> Option<Frame> {
        if self.applying == Some(offer.hash) {
            return None;
        }
        let too_large =
            offer.wire_bytes as usize > limits::TRANSFER_BYTES || offer.plain_bytes as usize > limits::TRANSFER_BYTES;
        let fits = offer.to > self.held.0 && (offer.from == 0 || (offer.from == self.held.0 && !self.wants_snapshot));
        let snapshot = offer.from == 0 && self.wants_snapshot;
        if too_large || offer.wire_bytes == 0 || !(fits || snapshot) {
            return Some(self.report());
        }
        let data = match self.partial.take() {
            Some(partial) if partial.offer == offer => partial.data,
            Some(_) | None => Vec::new(),
        };
        let asked_to = u32::try_from(data.len()).unwrap_or(u32::MAX);
        self.partial = Some(Partial { offer, data, asked_to, deadline: now });
        self.ask(now)
    }

    /// Asks for the next window, from where the last one ends.
    fn ask(&mut self, now: Tick) -> Option<Frame> {
        let partial = self.partial.as_mut()?;
        let length = WINDOW.min(partial.offer.wire_bytes.saturating_sub(partial.asked_to));
        partial.deadline = now.after(limits::TRANSFER_STALL_MS);
        if length == 0 {
            return None;
        }
        let (collection, hash, offset) = (partial.offer.collection, partial.offer.hash, partial.asked_to);
        partial.asked_to = partial.asked_to.saturating_add(length);
        Some(Frame::control(Body::Fetch(FetchV1 { collection, hash, offset, length })))
    }

    /// A piece came: what to say next, and the whole if this was the last. A piece out of place is left out; the
    /// time-out asks for it again.
    pub(super) fn received(&mut self, now: Tick, part: &TransferV1) -> (Option<Frame>, Option<Delivered>) {
        let Some(partial) = self.partial.as_mut() else { return (None, None) };
        let have = partial.data.len();
        let room = (partial.offer.wire_bytes as usize).saturating_sub(have);
        if partial.offer.hash != part.hash || part.offset as usize != have || part.chunk.len() > room {
            return (None, None);
        }
        partial.data.extend_from_slice(&part.chunk);
        partial.deadline = now.after(limits::TRANSFER_STALL_MS);
        if part.chunk.len() == room {
            return self.complete();
        }
        let ahead = partial.asked_to.saturating_sub(u32::try_from(partial.data.len()).unwrap_or(u32::MAX));
        (if ahead <= WINDOW / 2 { self.ask(now) } else { None }, None)
    }

    fn complete(&mut self) -> (Option<Frame>, Option<Delivered>) {
        let Some(Partial { offer, data, .. }) = self.partial.take() else { return (None, None) };
        let fits = offer.from == 0 || offer.from == self.held.0; // it may have moved on meanwhile
        let intact = *blake3::hash(&data).as_bytes() == offer.hash && fits;
        match unpack_delivery(&data, offer.plain_bytes as usize) {
            Ok(bytes) if intact => {
                self.applying = Some(offer.hash);
                let (from, to) = (Version(offer.from), Version(offer.to));
                (None, Some(Delivered { collection: self.collection, from, to, bytes }))
            }
            Ok(_) | Err(_) => (Some(self.report()), None),
        }
    }

    /// Asks again from where it stands when nothing came for too long.
    pub(super) fn expire(&mut self, now: Tick) -> Option<Frame> {
        let partial = self.partial.as_mut().filter(|partial| partial.deadline <= now)?;
        partial.asked_to = u32::try_from(partial.data.len()).unwrap_or(u32::MAX);
        self.ask(now)
    }

    pub(super) fn next_deadline(&self) -> Option<Tick> {
        self.partial.as_ref().map(|partial| partial.deadline)
    }

    /// The connection is gone: keep what has come, wait for the next offer.
    pub(super) fn hung_up(&mut self) {
        if let Some(partial) = &mut self.partial {
            partial.deadline = Tick(u64::MAX);
        }
    }
}
