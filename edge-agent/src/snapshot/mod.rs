//! What HQ sent down, as immutable hashed files, and the same in memory for whoever asks: the price book and
//! the shop's settings, swapped whole. Knows nothing of the network they came by.

mod files;
mod people;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use firmware_config::layout::Layout;
use protocol::collection::{CatalogueDelta, Collection, CollectionError, Delivery, Version};
use protocol::id::StaffId;
use protocol::limits;
use protocol::staff::Staff;
use tokio::sync::broadcast;

use crate::core::book::Book;
use crate::core::change::Change;
use crate::core::shop::Shop;
use files::{Folder, Piece};
use people::PinKey;

/// Deltas after a snapshot before the whole is written again: a start reads that many small files at most.
const DELTAS: usize = 32;
/// A delta beyond this is followed by a whole snapshot at once: laid out product by product at every start, it would
/// take several times the memory that the book does.
const LARGE_DELTA_BYTES: usize = 256 << 10;

/// Why something HQ sent was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The delta starts elsewhere: ask for a snapshot.
    #[error("the {} delta does not start at version {have}: a snapshot is needed", collection.name())]
    Gap {
        /// The collection.
        collection: Collection,
        /// What the node has.
        have: u64,
    },
    /// It cannot be what HQ meant.
    #[error("what came for the shop cannot be taken: {0}")]
    Refused(String),
    /// The disk refused. Nothing changed.
    #[error("the snapshots in {} cannot be written: {source}; free space or check the disk", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What was taken into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The collection.
    pub collection: Collection,
    /// The version it stands at now.
    pub version: Version,
}

/// The collections in force. Clones see the same.
#[derive(Clone, Debug)]
pub struct Snapshots(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    catalogue: Folder,
    settings: Folder,
    people: Folder,
    book: RwLock<Arc<Book>>,
    shop: RwLock<Option<Arc<Shop>>>,
    staff: RwLock<Option<Arc<Staff>>>,
    pin_key: PinKey,
    /// One writer at a time.
    writer: Mutex<()>,
    changes: broadcast::Sender<Change>,
}

impl Snapshots {
    /// Reads what is on disk: of each collection the newest version that is whole. Damaged files are set aside
    /// and the generation before them is used. Blocking.
    ///
    /// # Errors
    /// The folders cannot be read.
    pub fn open(layout: &Layout, changes: broadcast::Sender<Change>) -> Result<Self, ApplyError> {
        let folder = |collection| {
            let path = layout.collection(collection);
            Folder::open(path.clone()).map_err(|source| ApplyError::Io { path, source })
        };
        let (catalogue, settings) = (folder(Collection::Catalogue)?, folder(Collection::Shop)?);
        let book = load_book(&catalogue).map_err(on(&catalogue))?;
        let shop = load_shop(&settings).map_err(on(&settings))?;
        let people = folder(Collection::Staff)?;
        let key_file = layout.pin_key();
        let pin_key = PinKey::load(&key_file).map_err(|source| ApplyError::Io { path: key_file, source })?;
        let staff = newest(&people, |bytes| people::read(&bytes, &pin_key)).map_err(on(&people))?;
        Ok(Self(Arc::new(Inner {
            book: RwLock::new(Arc::new(book)),
            shop: RwLock::new(shop.map(Arc::new)),
            staff: RwLock::new(staff.map(Arc::new)),
            pin_key,
            catalogue,
            settings,
            people,
            writer: Mutex::new(()),
            changes,
        })))
    }

    /// The price book in force.
    pub fn book(&self) -> Arc<Book> {
        Arc::clone(&self.0.book.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The shop's settings in force; none before the first came.
    pub fn shop(&self) -> Option<Arc<Shop>> {
        self.0.shop.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The shop's people in force, their verifiers mixed with the key of this node; none before the first came.
    pub fn staff(&self) -> Option<Arc<Staff>> {
        self.0.staff.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a PIN is that of somebody in the shop. Takes as long for somebody who is not. Slow, and blocking: one
    /// at a time, away from the threads that serve.
    pub fn pin_fits(&self, who: StaffId, pin: &str) -> bool {
        let staff = self.staff();
        let verifier = staff.as_ref().and_then(|staff| staff.member(who)).and_then(|member| member.pin.as_ref());
        self.0.pin_key.fits(verifier, pin)
    }

    /// The version of a collection that is in force.
    pub fn have(&self, collection: Collection) -> Version {
        match collection {
            Collection::Catalogue => self.book().version(),
            Collection::Shop => self.shop().map_or(Version(0), |shop| shop.settings.version),
            Collection::Staff => self.staff().map_or(Version(0), |staff| staff.version),
        }
    }

    /// Takes what HQ sent (`Delivery` bytes): on disk first, then in force, then the lanes are told. What the
    /// node already has is taken as done. Blocking.
    ///
    /// # Errors
    /// A gap, bytes that make no sense, a disk that refuses; nothing changed then.
    pub fn apply(&self, bytes: Vec<u8>) -> Result<Applied, ApplyError> {
        let _one = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // The second byte is the delivery's variant; only a whole catalogue is large enough to deserve to
        // become the book without being decoded first.
        match bytes.get(1) {
            Some(0) => self.take_book(Book::parse(bytes).map_err(refused)?, None, None),
            _ => match Delivery::from_bytes(&bytes).map_err(refused)? {
                Delivery::Catalogue(_) => self.take_book(Book::parse(bytes).map_err(refused)?, None, None),
                Delivery::CatalogueDelta(delta) => {
                    if delta.to <= self.book().version() {
                        return Ok(self.applied(Collection::Catalogue));
                    }
                    let book = self.book().apply(&delta).map_err(refused)?;
                    let piece = Piece::Delta(delta.from, delta.to);
                    self.take_book(book, Some((piece, bytes)), few_codes(delta))
                }
                Delivery::Shop(settings) => {
                    if settings.version <= self.have(Collection::Shop) {
                        return Ok(self.applied(Collection::Shop));
                    }
                    let version = settings.version;
                    let shop = Shop::new(settings).map_err(|error| ApplyError::Refused(error.to_string()))?;
                    let folder = &self.0.settings;
                    folder.write(&Piece::Whole(version), &bytes).and_then(|()| folder.prune()).map_err(on(folder))?;
                    *self.0.shop.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(shop));
                    self.tell(Change::Shop { version: version.0 });
                    Ok(self.applied(Collection::Shop))
                }
                Delivery::Staff(staff) => self.take_staff(staff),
            },
        }
    }

    /// What is written down is already mixed with the key of this node: what came is on no disk.
    fn take_staff(&self, staff: Staff) -> Result<Applied, ApplyError> {
        if staff.version <= self.have(Collection::Staff) {
            return Ok(self.applied(Collection::Staff));
        }
        let (version, folder) = (staff.version, &self.0.people);
        let (staff, bytes) = people::mixed(staff, &self.0.pin_key).map_err(refused)?;
        folder.write(&Piece::Whole(version), &bytes).and_then(|()| folder.prune()).map_err(on(folder))?;
        *self.0.staff.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(staff));
        self.tell(Change::Staff { version: version.0 });
        Ok(self.applied(Collection::Staff))
    }

    fn take_book(
        &self,
        book: Book,
        delta: Option<(Piece, Vec<u8>)>,
        codes: Option<Vec<String>>,
    ) -> Result<Applied, ApplyError> {
        let folder = &self.0.catalogue;
        let version = book.version();
        if version <= self.book().version() {
            return Ok(self.applied(Collection::Catalogue));
        }
        match delta {
            Some((piece, bytes)) => {
                folder.write(&piece, &bytes).map_err(on(folder))?;
                let large = bytes.len() > LARGE_DELTA_BYTES;
                if large || deltas_after_newest(folder).map_err(on(folder))? > DELTAS {
                    folder.write(&Piece::Whole(version), book.as_bytes()).map_err(on(folder))?;
                }
            }
            None => folder.write(&Piece::Whole(version), book.as_bytes()).map_err(on(folder))?,
        }
        folder.prune().map_err(on(folder))?;
        *self.0.book.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(book);
        self.tell(Change::Catalogue { version: version.0, codes });
        Ok(self.applied(Collection::Catalogue))
    }

    fn applied(&self, collection: Collection) -> Applied {
        Applied { collection, version: self.have(collection) }
    }

    fn tell(&self, change: Change) {
        match &change {
            Change::Catalogue { version, .. } => tracing::info!(version, "a new catalogue is in force"),
            Change::Shop { version } => tracing::info!(version, "new shop settings are in force"),
            Change::Staff { version } => tracing::info!(version, "the people of the shop are renewed"),
            Change::Ticket { .. } | Change::PrintJob(_) | Change::Resync { .. } => {}
        }
        // Nobody listening is no error.
        drop(self.0.changes.send(change));
    }
}

/// The products a delta changes, when they are so few that a message names them.
fn few_codes(delta: CatalogueDelta) -> Option<Vec<String>> {
    let changed = delta.upserts.len().saturating_add(delta.removals.len());
    let codes = delta.upserts.into_iter().map(|product| product.code).chain(delta.removals);
    (changed <= limits::LANE_PRICE_CODES).then(|| codes.collect())
}

fn refused(error: CollectionError) -> ApplyError {
    match error {
        CollectionError::Gap { have, .. } => ApplyError::Gap { collection: Collection::Catalogue, have },
        CollectionError::NotForward { .. } | CollectionError::TooMany | CollectionError::Malformed => {
            ApplyError::Refused(error.to_string())
        }
    }
}

fn on(folder: &Folder) -> impl Fn(io::Error) -> ApplyError {
    let path = folder.path().to_owned();
    move |source| ApplyError::Io { path: path.clone(), source }
}

fn deltas_after_newest(folder: &Folder) -> io::Result<usize> {
    let pieces = folder.pieces()?;
    let newest = pieces.iter().filter_map(|p| if let Piece::Whole(version) = p { Some(*version) } else { None }).max();
    let after = |piece: &&Piece| matches!(piece, Piece::Delta(_, to) if newest.is_none_or(|newest| *to > newest));
    Ok(pieces.iter().filter(after).count())
}

/// The newest whole piece that reads, or none.
fn newest<T>(folder: &Folder, parse: impl Fn(Vec<u8>) -> Option<T>) -> io::Result<Option<T>> {
    for piece in folder.pieces()?.into_iter().rev().filter(|piece| matches!(piece, Piece::Whole(_))) {
        match folder.read(&piece)?.and_then(&parse) {
            Some(read) => return Ok(Some(read)),
            None => set_aside(folder, &piece)?,
        }
    }
    Ok(None)
}

fn set_aside(folder: &Folder, piece: &Piece) -> io::Result<()> {
    tracing::error!(folder = %folder.path().display(), file = piece.file_name(), "a snapshot file is damaged; it is set aside and the one before is used");
    metrics::counter!("tillway_snapshot_files_damaged_total").increment(1);
    folder.set_aside(piece)
}

fn load_book(folder: &Folder) -> io::Result<Book> {
    let mut book = newest(folder, |bytes| Book::parse(bytes).ok())?.unwrap_or_default();
    for piece in folder.pieces()? {
        let Piece::Delta(from, to) = piece else { continue };
        if from != book.version() {
            continue;
        }
        let delta = folder.read(&piece)?.and_then(|bytes| match Delivery::from_bytes(&bytes) {
            Ok(Delivery::CatalogueDelta(delta)) if delta.to == to => Some(delta),
            Ok(_) | Err(_) => None,
        });
        match delta.and_then(|delta| book.apply(&delta).ok()) {
            Some(next) => book = next,
            None => set_aside(folder, &piece)?,
        }
    }
    Ok(book)
}

fn load_shop(folder: &Folder) -> io::Result<Option<Shop>> {
    newest(folder, |bytes| match Delivery::from_bytes(&bytes) {
        Ok(Delivery::Shop(settings)) => Shop::new(settings).ok(),
        Ok(_) | Err(_) => None,
    })
}
