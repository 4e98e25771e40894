//! Places that a person is known to use: the network they signed in from, and the browser, by a cookie of its own that says
//! nothing but "the same as before". Kept as hashes. Pure.

use crate::rng::{hex, unhex};

/// The marks of where a try comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) network: [u8; 32],
    pub(super) browser: Option<[u8; 32]>,
}

impl Marks {
    /// The browser's mark as its tries are counted under.
    pub(super) fn browser_text(&self) -> Option<String> {
        self.browser.map(|mark| format!("browser {}", hex(&mark)))
    }
}

/// The marks of a network and of what a browser's cookie says.
pub(super) fn marks(address: &str, browser: Option<&str>) -> Marks {
    let network = blake3::derive_key("tillway head office 2026 known network", address.as_bytes());
    Marks { network, browser: browser.and_then(of_browser) }
}

/// The mark of a browser, if its cookie is one of ours.
pub(super) fn of_browser(cookie: &str) -> Option<[u8; 32]> {
    let secret = unhex::<32>(cookie)?;
    Some(blake3::derive_key("tillway head office 2026 known browser", &secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_no_secret_and_garbage_marks_nothing() {
        let cookie = "07".repeat(32);
        let one = marks("192.0.2.1", Some(&cookie));
        assert_eq!(one, marks("192.0.2.1", Some(&cookie)));
        assert_ne!(one.network, marks("192.0.2.2", None).network);
        assert!(!one.browser_text().unwrap().contains(&cookie));
        for garbage in ["", "07", &"zz".repeat(32)] {
            assert_eq!(marks("192.0.2.1", Some(garbage)).browser, None);
        }
    }
}
