//! Deliveries on their way down to one node: offered, sent as far as the node asks, forgotten once it says where it
//! stands. The bytes are shared between the connections they go to.

use std::sync::Arc;

use crate::collection::{Collection, Delivery, Version};
use crate::frame::batch::pack_delivery;
use crate::frame::v1::{FetchV1, OfferV1, TransferV1};
use crate::frame::{BatchError, Body, Channel, Frame};
use crate::limits;
use crate::session::Tick;

/// A delivery packed for the wire. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Parcel {
    collection: Collection,
    offer: OfferV1,
    wire: Arc<[u8]>,
}

impl Parcel {
    /// Packs a delivery.
    ///
    /// # Errors
    /// [`BatchError::TooLarge`] beyond [`limits::TRANSFER_BYTES`], [`BatchError::Malformed`] if it has no bytes.
    pub fn pack(delivery: &Delivery) -> Result<Self, BatchError> {
        let plain = delivery.to_bytes().map_err(|_| BatchError::Malformed)?;
        let from = match delivery {
            Delivery::CatalogueDelta(delta) => delta.from,
            Delivery::Catalogue(_) | Delivery::Shop(_) | Delivery::Staff(_) => Version(0),
        };
        Self::from_bytes(delivery.collection(), from, delivery.version(), &plain)
    }

    /// Packs bytes that are already encoded.
    ///
    /// # Errors
    /// As [`Self::pack`].
    pub fn from_bytes(collection: Collection, from: Version, to: Version, plain: &[u8]) -> Result<Self, BatchError> {
        let wire: Arc<[u8]> = pack_delivery(plain)?.into();
        let bytes = |length: usize| {
            let fits = u32::try_from(length).ok().filter(|_| length <= limits::TRANSFER_BYTES);
            fits.ok_or(BatchError::TooLarge { bytes: length })
        };
        let offer = OfferV1 {
            collection: collection as u8,
            from: from.0,
            to: to.0,
            plain_bytes: bytes(plain.len())?,
            wire_bytes: bytes(wire.len())?,
            hash: *blake3::hash(&wire).as_bytes(),
        };
        Ok(Self { collection, offer, wire })
    }

    /// Which collection it moves.
    pub const fn collection(&self) -> Collection {
        self.collection
    }

    /// The version it leads to.
    pub const fn to(&self) -> Version {
        Version(self.offer.to)
    }

    /// Bytes on the wire.
    pub fn wire_bytes(&self) -> usize {
        self.wire.len()
    }
}

#[derive(Debug)]
pub(super) struct Downlink {
    pub(super) collection: Collection,
    pub(super) held: Version,
    parcel: Option<Parcel>,
    again: Tick,
    next: usize,
    until: usize,
}

impl Downlink {
    pub(super) const fn new(collection: Collection, held: Version) -> Self {
        Self { collection, held, parcel: None, again: Tick(0), next: 0, until: 0 }
    }

    pub(super) fn offer(&mut self, now: Tick, parcel: Parcel) -> Frame {
        let offer = parcel.offer;
        self.parcel = Some(parcel);
        self.again = now.after(limits::OFFER_AGAIN_MS);
        (self.next, self.until) = (0, 0);
        Frame::control(Body::Offer(offer))
    }

    pub(super) const fn is_offering(&self) -> bool {
        self.parcel.is_some()
    }

    pub(super) fn expire(&mut self, now: Tick) -> Option<Frame> {
        let parcel = self.parcel.as_ref().filter(|_| self.again <= now)?;
        self.again = now.after(limits::OFFER_AGAIN_MS);
        Some(Frame::control(Body::Offer(parcel.offer)))
    }

    pub(super) fn next_deadline(&self) -> Option<Tick> {
        self.parcel.as_ref().map(|_| self.again)
    }

    /// The node asks for a part; an old delivery's name is left unanswered.
    pub(super) fn fetch(&mut self, now: Tick, fetch: &FetchV1) {
        let Some(parcel) = self.parcel.as_ref().filter(|parcel| parcel.offer.hash == fetch.hash) else { return };
        self.again = now.after(limits::OFFER_AGAIN_MS);
        let length = (fetch.length as usize).min(limits::TRANSFER_WINDOW_BYTES);
        let offset = fetch.offset as usize;
        if offset != self.until {
            self.next = offset;
        }
        self.until = offset.saturating_add(length).min(parcel.wire.len());
    }

    /// The next chunk, if the node has asked for one.
    pub(super) fn next_chunk(&mut self) -> Option<Frame> {
        let parcel = self.parcel.as_ref()?;
        let end = self.until.min(self.next.saturating_add(limits::TRANSFER_CHUNK_BYTES));
        let chunk = parcel.wire.get(self.next..end).filter(|chunk| !chunk.is_empty())?.to_vec();
        let offset = u32::try_from(self.next).ok()?;
        self.next = end;
        let body = TransferV1 { collection: parcel.offer.collection, hash: parcel.offer.hash, offset, chunk };
        Some(Frame { channel: Channel::Down(parcel.collection), body: Body::Transfer(body) })
    }

    /// The node says where it stands. Tells whether that is worth another look for something newer: an answer that
    /// only declines what was offered (a full disk, a version beyond ours, a delivery it cannot read) is not, or the
    /// same delivery would go down for ever as fast as the line allows.
    pub(super) fn applied(&mut self, version: Version, wants_snapshot: bool) -> bool {
        let offered = self.parcel.take().map(|parcel| parcel.offer);
        let before = std::mem::replace(&mut self.held, version);
        match offered {
            Some(offer) => {
                let asks_anew = wants_snapshot && (offer.from != 0 || before != Version(0));
                version.0 == offer.to || version > before || asks_anew
            }
            None => version != before,
        }
    }
}
