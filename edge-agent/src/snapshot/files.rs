//! Snapshot and delta files of one collection: written whole, hashed, renamed into place; two generations of
//! snapshots with the deltas after the older one. Knows bytes and versions, not what they mean.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use protocol::collection::Version;

/// A BLAKE3 behind the bytes of every file.
const TRAILER: usize = 32;
/// Snapshots that are kept: should the newest be damaged, the one before it still sells.
const GENERATIONS: usize = 2;

/// A file of a collection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Piece {
    /// The whole collection at a version.
    Whole(Version),
    /// The way from one version to a later one.
    Delta(Version, Version),
}

impl Piece {
    pub(super) fn file_name(&self) -> String {
        match self {
            Self::Whole(version) => format!("{:020}.snap", version.0),
            Self::Delta(from, to) => format!("{:020}-{:020}.delta", from.0, to.0),
        }
    }

    fn parse(name: &str) -> Option<Self> {
        let number = |text: &str| (text.len() == 20).then(|| text.parse().ok().map(Version)).flatten();
        if let Some(version) = name.strip_suffix(".snap") {
            return number(version).map(Self::Whole);
        }
        let (from, to) = name.strip_suffix(".delta")?.split_once('-')?;
        Some(Self::Delta(number(from)?, number(to)?))
    }
}

/// The folder of one collection.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Opens the folder, making it when it is not there, and sweeps what a power cut left half written.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&path)?;
        for entry in fs::read_dir(&path)? {
            let entry = entry?.path();
            if entry.extension().is_some_and(|end| end == "tmp") {
                fs::remove_file(entry)?;
            }
        }
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// All pieces: snapshots by version, then deltas by where they start.
    pub(super) fn pieces(&self) -> io::Result<Vec<Piece>> {
        let mut pieces = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            pieces.extend(entry?.file_name().to_str().and_then(Piece::parse));
        }
        pieces.sort();
        Ok(pieces)
    }

    /// Reads a piece; `Ok(None)` when its bytes are not those that were written.
    pub(super) fn read(&self, piece: &Piece) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = fs::read(self.0.join(piece.file_name()))?;
        let Some(at) = bytes.len().checked_sub(TRAILER) else { return Ok(None) };
        let trailer = bytes.split_off(at);
        Ok((blake3::hash(&bytes).as_bytes().as_slice() == trailer).then_some(bytes))
    }

    /// Writes a piece so that it is there whole or not at all, also after a power cut.
    pub(super) fn write(&self, piece: &Piece, bytes: &[u8]) -> io::Result<()> {
        let path = self.0.join(piece.file_name());
        let temporary = path.with_extension("tmp");
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.write_all(blake3::hash(bytes).as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        File::open(&self.0)?.sync_all()
    }

    /// Puts a damaged piece out of the way, under a name that is looked at by people only; an earlier one of
    /// that name makes room.
    pub(super) fn set_aside(&self, piece: &Piece) -> io::Result<()> {
        let path = self.0.join(piece.file_name());
        let damaged = self.0.join(match piece {
            Piece::Whole(_) => "damaged-snapshot",
            Piece::Delta(..) => "damaged-delta",
        });
        fs::rename(path, damaged)
    }

    /// Removes snapshots beyond the generations, and deltas that lead to none but older versions.
    pub(super) fn prune(&self) -> io::Result<()> {
        let pieces = self.pieces()?;
        let wholes: Vec<Version> =
            pieces.iter().filter_map(|p| if let Piece::Whole(version) = p { Some(*version) } else { None }).collect();
        let Some(oldest) = wholes.iter().rev().take(GENERATIONS).next_back() else { return Ok(()) };
        for piece in &pieces {
            let gone = match piece {
                Piece::Whole(version) => version < oldest,
                Piece::Delta(_, to) => to <= oldest,
            };
            if gone {
                fs::remove_file(self.0.join(piece.file_name()))?;
            }
        }
        Ok(())
    }
}
