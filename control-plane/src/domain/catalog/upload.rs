//! What a person sent to be imported. How a browser sends it is `web`'s business.

use bytes::Bytes;

pub use crate::web::multipart::{Part, boundary, parts, shown};

/// What a person sent to be imported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upload {
    /// The file's name, blank for pasted text.
    pub file_name: String,
    /// Its content.
    pub csv: Bytes,
    /// Whether it is only to be looked at.
    pub rehearsal: bool,
}
