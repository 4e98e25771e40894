//! Links that work once: what they look like and how long they live. Only a hash is kept. Pure.

use crate::rng::{hex, unhex};

/// Life of a link to a new password, in milliseconds.
pub const RESET_MILLIS: i64 = 30 * 60 * 1_000;
/// Life of the links about a new e-mail, in milliseconds.
pub const EMAIL_MILLIS: i64 = 24 * 3_600 * 1_000;
const PREFIX: &str = "twl_";

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A new password.
    Reset,
    /// The owner of the new e-mail says yes.
    NewEmail,
    /// The owner of the old e-mail says no.
    StopEmail,
}

impl Kind {
    /// Its name in the database.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::NewEmail => "new_email",
            Self::StopEmail => "stop_email",
        }
    }
}

/// The secret of a link.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Link([u8; 32]);

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Link(..)")
    }
}

impl Link {
    /// A link with this secret.
    pub(super) const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// Reads what [`Link::text`] wrote.
    pub(super) fn read(text: &str) -> Option<Self> {
        unhex::<32>(text.strip_prefix(PREFIX)?).map(Self)
    }

    /// As it stands in a mail.
    pub(super) fn text(&self) -> String {
        format!("{PREFIX}{}", hex(&self.0))
    }

    /// As we keep it.
    pub(super) fn hash(&self) -> [u8; 32] {
        *blake3::hash(&self.0).as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_back_and_nothing_else_is() {
        let link = Link::new([7; 32]);
        assert_eq!(Link::read(&link.text()), Some(link));
        assert!(!format!("{link:?}").contains("0707"));
        for bad in ["", "twl_", "twl_07", &link.text()[1..], &format!("{}0", link.text())] {
            assert_eq!(Link::read(bad), None, "{bad}");
        }
    }
}
