//! The people of the shop as they lie on the disk of a node: every PIN verifier mixed with a key of this node, so
//! that the file says nothing elsewhere. Knows nothing of lanes.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use protocol::collection::{CollectionError, Delivery};
use protocol::staff::{PinVerifier, Staff};

/// Bytes before the people that say which key the verifiers were mixed with.
const CHECK: usize = 16;

/// The key of this node. Made at its first start, printed nowhere.
pub(super) struct PinKey([u8; 32]);

impl fmt::Debug for PinKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinKey(..)")
    }
}

impl PinKey {
    /// Reads the key, making it when there is none. A damaged one is replaced: head office sends the people again.
    pub(super) fn load(path: &Path) -> io::Result<Self> {
        match fs::read(path) {
            Ok(bytes) => {
                if let Ok(key) = bytes.try_into() {
                    return Ok(Self(key));
                }
                tracing::error!(file = %path.display(), "the key of the PINs is damaged and is made anew");
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let key: [u8; 32] = rand::random();
        let folder = path.parent().unwrap_or(path);
        fs::create_dir_all(folder)?;
        let temporary = path.with_extension("tmp");
        if let Err(error) = fs::remove_file(&temporary)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(&key)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(folder)?.sync_all()?;
        Ok(Self(key))
    }

    /// Whether a PIN fits; for nobody it takes as long and does not.
    pub(super) fn fits(&self, verifier: Option<&PinVerifier>, pin: &str) -> bool {
        verifier.unwrap_or(&PinVerifier::NOBODY).fits(pin, Some(&self.0)) && verifier.is_some()
    }

    fn check(&self) -> [u8; CHECK] {
        let mut check = [0; CHECK];
        let hash = blake3::keyed_hash(&self.0, b"tillway 2026 which pin key");
        for (to, from) in check.iter_mut().zip(hash.as_bytes()) {
            *to = *from;
        }
        check
    }
}

/// People as they came, mixed, and the bytes of the file.
pub(super) fn mixed(mut staff: Staff, key: &PinKey) -> Result<(Staff, Vec<u8>), CollectionError> {
    for member in &mut staff.people {
        member.pin = member.pin.map(|verifier| verifier.peppered(&key.0));
    }
    let mut bytes = key.check().to_vec();
    bytes.extend(Delivery::Staff(staff.clone()).to_bytes()?);
    Ok((staff, bytes))
}

/// Reads the bytes of a file; none for one of another key.
pub(super) fn read(bytes: &[u8], key: &PinKey) -> Option<Staff> {
    let people = bytes.strip_prefix(&key.check())?;
    match Delivery::from_bytes(people) {
        Ok(Delivery::Staff(staff)) => Some(staff),
        Ok(_) | Err(_) => None,
    }
}
