//! Which versions of the uplink protocol this build speaks, and how two builds agree on one. A hello, a close
//! and a ping can be read by every version; everything else is spoken only after the welcome has named one.

use crate::limits;

pub use crate::enroll::ALPN;

/// Version 1: the first.
pub const V1: u16 = 1;

/// What this build speaks, best first.
pub const SUPPORTED: [u16; 1] = [V1];

/// The best version both sides speak; `None` when there is none, or when the other side names more than
/// [`limits::HELLO_ITEMS`].
pub fn negotiate(theirs: &[u16]) -> Option<u16> {
    if theirs.len() > limits::HELLO_ITEMS {
        return None;
    }
    SUPPORTED.into_iter().find(|version| theirs.contains(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_common_version_is_taken() {
        assert_eq!(negotiate(&[V1]), Some(V1));
        assert_eq!(negotiate(&[7, 900, V1]), Some(V1));
        assert_eq!(negotiate(&[2, 3]), None);
        assert_eq!(negotiate(&[]), None);
        assert_eq!(negotiate(&[V1; limits::HELLO_ITEMS + 1]), None);
    }
}
