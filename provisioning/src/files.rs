//! Writes files so that they are there whole or not at all, also after a power cut; keys for their owner alone.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use crate::error::EnrollError;

/// Says of an error which file it was.
pub(crate) fn named(path: &Path) -> impl Fn(io::Error) -> EnrollError + '_ {
    move |error| EnrollError::File { path: path.to_owned(), reason: error.to_string() }
}

/// Makes a folder with its parents; a folder that is there keeps its mode.
pub(crate) fn folder(path: &Path, mode: u32) -> Result<(), EnrollError> {
    DirBuilder::new().recursive(true).mode(mode).create(path).map_err(named(path))
}

/// Writes a file of this mode in the place of whatever stands there.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), EnrollError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = path.with_file_name(format!(".{name}.new"));
    let written = (|| {
        // A draft of an earlier, broken run may have another mode.
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&draft)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    })();
    written.map_err(named(path))?;
    sync(path.parent().unwrap_or(path))
}

/// Moves a file or folder; both of its folders are on disk afterwards.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), EnrollError> {
    fs::rename(from, to).map_err(named(from))?;
    sync(from.parent().unwrap_or(from))?;
    sync(to.parent().unwrap_or(to))
}

/// Puts a folder's entries on disk.
pub(crate) fn sync(folder: &Path) -> Result<(), EnrollError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(named(folder))
}

/// The text of a file; `None` when there is none.
pub(crate) fn read(path: &Path) -> Result<Option<String>, EnrollError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(named(path)(error)),
    }
}

/// Holds the folder against another `provision` until it is dropped.
pub(crate) fn lock(dir: &Path) -> Result<File, EnrollError> {
    let path = dir.join(".provision.lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(named(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(EnrollError::Busy(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(named(&path)(error)),
    }
}
