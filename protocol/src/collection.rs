//! What HQ sends down: versioned collections, each replaced by a snapshot or moved forward by a delta.
//! A delta that does not start where the node stands is refused; the node then asks for a snapshot.
//! Knows nothing of files or transfers.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::id::ShopId;
use crate::limits;
use crate::money::Currency;
use crate::price::UnitPrice;
use crate::staff::Staff;
use crate::tax::{TaxBasis, TaxMode, TaxRate};
use crate::ticket::{ARITHMETIC, Terms};

/// The collections there are. The discriminants are wire and disk format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Collection {
    /// Products with their prices, as this shop sells them: [`Catalogue`].
    Catalogue = 1,
    /// The shop itself: [`ShopSettings`].
    Shop = 2,
    /// Who works there: [`Staff`]. Nodes of before do not name it in their hello and are not sent it.
    Staff = 3,
}

impl Collection {
    /// All collections.
    pub const ALL: [Self; 3] = [Self::Catalogue, Self::Shop, Self::Staff];

    /// The name used in files, metrics and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Catalogue => "catalogue",
            Self::Shop => "shop",
            Self::Staff => "staff",
        }
    }
}

/// Version of a collection: rises with every change; 0 means "nothing yet".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

/// What a product is counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Pieces.
    #[default]
    Piece,
    /// Kilograms, from a scale.
    Kilogram,
    /// Metres.
    Metre,
    /// Litres.
    Litre,
}

/// A product as a shop sells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// The code it is sold by. Case-sensitive, unique in the catalogue.
    pub code: String,
    /// What the receipt says.
    pub description: String,
    /// The price of one unit.
    pub unit_price: UnitPrice,
    /// Its tax rate.
    pub tax_rate: TaxRate,
    /// What it is counted in.
    pub unit: Unit,
    /// Further codes that a scanner may read for it.
    pub barcodes: Vec<String>,
}

/// Everything a shop sells, at one version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalogue {
    /// The version of the whole.
    pub version: Version,
    /// By code.
    pub products: BTreeMap<String, Product>,
}

/// The way from one version of the catalogue to a later one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueDelta {
    /// The version it starts from.
    pub from: Version,
    /// The version it leads to.
    pub to: Version,
    /// Products that are new or different.
    pub upserts: Vec<Product>,
    /// Codes that are sold no more.
    pub removals: Vec<String>,
}

/// Why a collection was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CollectionError {
    /// The delta starts elsewhere: a snapshot is needed.
    #[error("the delta starts at version {from}, the node stands at {have}")]
    Gap {
        /// What the node has.
        have: u64,
        /// Where the delta starts.
        from: u64,
    },
    /// The delta does not lead forward.
    #[error("the delta leads from version {from} to {to}, which is not forward")]
    NotForward {
        /// Start.
        from: u64,
        /// End.
        to: u64,
    },
    /// More products than a catalogue may have, or more people than a shop.
    #[error("more than {} products, or {} people", limits::PRODUCTS, limits::STAFF_OF_SHOP)]
    TooMany,
    /// Bytes that do not hold the collection.
    #[error("the bytes do not hold this collection")]
    Malformed,
}

impl Catalogue {
    /// Moves the catalogue forward, all or nothing. A code that is both removed and given again is given again.
    ///
    /// # Errors
    /// [`CollectionError::Gap`] asks for a snapshot; the catalogue is unchanged by any error.
    pub fn apply(&mut self, delta: CatalogueDelta) -> Result<(), CollectionError> {
        if delta.from != self.version {
            return Err(CollectionError::Gap { have: self.version.0, from: delta.from.0 });
        }
        if delta.to <= delta.from {
            return Err(CollectionError::NotForward { from: delta.from.0, to: delta.to.0 });
        }
        let upserted: BTreeSet<&str> = delta.upserts.iter().map(|product| product.code.as_str()).collect();
        let removed: BTreeSet<&str> = delta.removals.iter().map(String::as_str).collect();
        let leaving = removed.iter().filter(|code| self.products.contains_key(**code) && !upserted.contains(**code));
        let new = upserted.iter().filter(|code| !self.products.contains_key(**code));
        if self.products.len() + new.count() - leaving.count() > limits::PRODUCTS {
            return Err(CollectionError::TooMany);
        }
        for code in delta.removals {
            self.products.remove(&code);
        }
        for product in delta.upserts {
            self.products.insert(product.code.clone(), product);
        }
        self.version = delta.to;
        Ok(())
    }
}

/// The shop as its nodes know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShopSettings {
    /// The version of these settings.
    pub version: Version,
    /// The shop.
    pub shop: ShopId,
    /// Its name, as on the receipt.
    pub name: String,
    /// IANA time zone.
    pub zone: String,
    /// Start of the trading day, minutes after midnight.
    pub day_starts_minutes: u16,
    /// Currency of all amounts.
    pub currency: Currency,
    /// Whether prices contain the tax.
    pub tax_mode: TaxMode,
    /// Where tax is rounded.
    pub tax_basis: TaxBasis,
    /// Cash rounding step in minor units (0 or 1: none).
    pub cash_step: u16,
    /// Whether paper receipts may be rung later with their own time.
    pub late_entry: bool,
    /// Rate for lines that are not in the catalogue.
    pub open_line_tax_rate: TaxRate,
}

impl ShopSettings {
    /// The rules a new ticket is counted by.
    pub const fn terms(&self) -> Terms {
        Terms {
            arithmetic: ARITHMETIC,
            currency: self.currency,
            tax_mode: self.tax_mode,
            tax_basis: self.tax_basis,
            cash_step: self.cash_step,
        }
    }
}

/// What travels for one collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delivery {
    /// The whole catalogue.
    Catalogue(Catalogue),
    /// A step of the catalogue.
    CatalogueDelta(CatalogueDelta),
    /// The shop's settings, always whole.
    Shop(ShopSettings),
    /// The shop's people, always whole.
    Staff(Staff),
}

impl Delivery {
    /// Which collection it belongs to.
    pub const fn collection(&self) -> Collection {
        match self {
            Self::Catalogue(_) | Self::CatalogueDelta(_) => Collection::Catalogue,
            Self::Shop(_) => Collection::Shop,
            Self::Staff(_) => Collection::Staff,
        }
    }

    /// The version the node stands at once it is applied.
    pub const fn version(&self) -> Version {
        match self {
            Self::Catalogue(whole) => whole.version,
            Self::CatalogueDelta(delta) => delta.to,
            Self::Shop(settings) => settings.version,
            Self::Staff(staff) => staff.version,
        }
    }

    /// Bytes for the wire and the snapshot file: a format byte, then postcard.
    ///
    /// # Errors
    /// [`CollectionError::Malformed`] if it cannot be encoded.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CollectionError> {
        postcard::to_extend(self, vec![Self::FORMAT]).map_err(|_| CollectionError::Malformed)
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`CollectionError::Malformed`] for anything else, [`CollectionError::TooMany`] beyond the limit.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CollectionError> {
        let Some((&Self::FORMAT, rest)) = bytes.split_first() else { return Err(CollectionError::Malformed) };
        match postcard::take_from_bytes(rest) {
            Ok((delivery, [])) => Self::checked(delivery),
            Ok(_) | Err(_) => Err(CollectionError::Malformed),
        }
    }

    /// Refuses what decodes but cannot be: a product under another's code, more than a catalogue may hold.
    fn checked(self) -> Result<Self, CollectionError> {
        match &self {
            Self::Catalogue(whole) if whole.products.len() > limits::PRODUCTS => Err(CollectionError::TooMany),
            Self::Catalogue(whole) if whole.products.iter().any(|(code, product)| *code != product.code) => {
                Err(CollectionError::Malformed)
            }
            Self::Staff(staff) => staff.check().map(|()| self),
            Self::Catalogue(_) | Self::CatalogueDelta(_) | Self::Shop(_) => Ok(self),
        }
    }

    const FORMAT: u8 = 1;
}
