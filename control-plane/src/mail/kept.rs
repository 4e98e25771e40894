//! Mail that is kept instead of sent: the last ones in memory, and as files where there is a folder for them, readable
//! by head office alone. Both are bounded: the oldest goes first.

use std::collections::VecDeque;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use protocol::timestamp::Timestamp;

use super::{MailError, Outgoing};

/// Mails that are kept.
pub(super) const MOST: usize = 200;

/// The mails.
#[derive(Debug)]
pub(super) struct Kept {
    folder: Option<PathBuf>,
    last: Mutex<VecDeque<Outgoing>>,
}

impl Kept {
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, last: Mutex::default() }
    }

    pub(super) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Keeps a mail, and forgets the oldest beyond what is kept.
    ///
    /// # Errors
    /// [`MailError::Later`] when the disk refuses.
    pub(super) async fn keep(&self, mail: &Outgoing, bytes: &[u8], now: Timestamp) -> Result<(), MailError> {
        if let Some(folder) = self.folder.clone() {
            let (name, bytes) = (format!("{:015}-{}.eml", now.0.max(0), mail.id), bytes.to_vec());
            let written = tokio::task::spawn_blocking(move || write(&folder, &name, &bytes)).await;
            let written = written.map_err(|error| MailError::Later(error.to_string()))?;
            written.map_err(|error| MailError::Later(format!("the mail cannot be kept: {error}")))?;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() >= MOST {
            last.pop_front();
        }
        last.push_back(mail.clone());
        Ok(())
    }

    pub(super) fn all(&self) -> Vec<Outgoing> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(folder.join(name))?;
    file.write_all(bytes)?;
    let mut names: Vec<PathBuf> = fs::read_dir(folder)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|kind| kind == "eml"))
        .collect();
    // The name begins with the time.
    names.sort_unstable();
    let old = names.len().saturating_sub(MOST);
    for path in names.iter().take(old) {
        fs::remove_file(path)?;
    }
    Ok(())
}
