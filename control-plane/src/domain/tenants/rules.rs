//! Decisions about companies: what may follow what, what a name, colour, locale or logo may be. Pure.

use super::types::{Account, Census, State, Step};

/// Longest name of a company, in characters.
pub const NAME_CHARS: usize = 200;
/// Longest name above the pages, in characters.
const DISPLAY_CHARS: usize = 60;
/// Longest reason, in characters.
pub const REASON_CHARS: usize = 500;
/// Bytes of a logo.
pub const LOGO_BYTES: usize = 64 * 1_024;
/// Pixels of a logo's side.
const LOGO_SIDE: u32 = 512;
/// Days in which closing can be undone.
pub const GRACE_DAYS: i64 = 30;
/// The locale of a company that says nothing.
pub const LOCALE: &str = "en-GB";
/// The locales that pages know how to write.
pub const LOCALES: [&str; 6] = ["en-GB", "en-US", "de-DE", "fr-FR", "es-ES", "km-KH"];

/// What may be done to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// People look and change nothing from now on.
    Suspend,
    /// They may work again.
    Resume,
    /// It will be closed.
    BeginClosing,
    /// It will not.
    Keep,
    /// It is closed now.
    Close,
}

/// Whether a change fits an account as it stands.
///
/// # Errors
/// Why not, in words for whoever asks.
pub const fn may(account: &Account, change: Change) -> Result<(), &'static str> {
    let closed = matches!(account.state(), State::Closed);
    match change {
        _ if closed => Err("the account is closed; nothing about it changes any more"),
        Change::Suspend if account.suspended_at.is_some() => Err("the account is suspended already"),
        Change::Resume if account.suspended_at.is_none() => Err("the account is not suspended"),
        Change::BeginClosing if account.closes_at.is_some() => Err("the account is to be closed already"),
        Change::Keep | Change::Close if account.closes_at.is_none() => Err("nobody asked to close the account"),
        Change::Suspend | Change::Resume | Change::BeginClosing | Change::Keep | Change::Close => Ok(()),
    }
}

/// A text of one line within its bounds, trimmed.
///
/// # Errors
/// What is wrong with it.
pub fn line(text: &str, most: usize) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > most || text.chars().any(char::is_control) {
        return Err(format!("give 1 to {most} characters, on one line"));
    }
    Ok(text.to_owned())
}

/// A name of a company.
///
/// # Errors
/// What is wrong with it.
pub fn name(text: &str) -> Result<String, String> {
    line(text, NAME_CHARS)
}

/// What stands above the pages; none for nothing.
///
/// # Errors
/// What is wrong with it.
pub fn display_name(text: &str) -> Result<Option<String>, String> {
    if text.trim().is_empty() { Ok(None) } else { line(text, DISPLAY_CHARS).map(Some) }
}

/// A colour; none for nothing.
///
/// # Errors
/// How one looks.
pub fn accent(text: &str) -> Result<Option<String>, &'static str> {
    let text = text.trim().to_ascii_lowercase();
    if text.is_empty() {
        return Ok(None);
    }
    let hex = text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
    if hex { Ok(Some(text)) } else { Err("a colour looks like #0f766e") }
}

/// A locale that pages know.
///
/// # Errors
/// Which there are.
pub fn locale(text: &str) -> Result<String, String> {
    let known = LOCALES.iter().find(|known| known.eq_ignore_ascii_case(text.trim()));
    known.map(|known| (*known).to_owned()).ok_or_else(|| format!("choose one of {}", LOCALES.join(", ")))
}

/// Whether these bytes are a PNG that is small enough to be shown: its signature, its size as its head says, its end.
///
/// # Errors
/// What is wrong with it.
pub fn logo(bytes: &[u8]) -> Result<(), String> {
    const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    if bytes.len() > LOGO_BYTES {
        return Err(format!("the file is larger than {} KiB", LOGO_BYTES / 1_024));
    }
    let side = |at: usize| bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_be_bytes);
    let (true, true, Some(wide), Some(high)) =
        (bytes.starts_with(SIGNATURE), bytes.ends_with(b"\0\0\0\0IEND\xaeB`\x82"), side(16), side(20))
    else {
        return Err("this is no PNG; other kinds of pictures are not taken".to_owned());
    };
    let fits = |side: u32| (1..=LOGO_SIDE).contains(&side);
    if fits(wide) && fits(high) {
        Ok(())
    } else {
        Err(format!("the picture has {wide} x {high} pixels; {LOGO_SIDE} x {LOGO_SIDE} is the most"))
    }
}

/// The way to the first sale, as far as the company has come.
pub const fn steps(census: &Census) -> [Step; 4] {
    [
        Step {
            name: "shop",
            title: "Make a shop",
            why: "Its name, time zone and currency are what its boxes trade by.",
            href: "/shops/new",
            done: census.shops > 0,
        },
        Step {
            name: "box",
            title: "Let a box join",
            why: "A claim code of the shop lets one box in. The box keeps selling without the internet.",
            href: "/shops",
            done: census.nodes > 0,
        },
        Step {
            name: "products",
            title: "Import products",
            why: "A list with codes, descriptions and prices; every box has them a moment later.",
            href: "/products/import",
            done: census.products > 0,
        },
        Step {
            name: "people",
            title: "Invite people",
            why: "Managers, accountants and whoever puts boxes up, each with a sign-in of their own.",
            href: "/people",
            done: census.people > 1,
        },
    ]
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    fn account(suspended: bool, closing: bool, closed: bool) -> Account {
        let at = |yes: bool| yes.then_some(OffsetDateTime::UNIX_EPOCH);
        Account {
            name: "Bakers".to_owned(),
            created_at: OffsetDateTime::UNIX_EPOCH,
            suspended_at: at(suspended),
            suspended_reason: None,
            closes_at: at(closing),
            closed_at: at(closed),
        }
    }

    #[test]
    fn only_what_fits_may_follow() {
        use Change::{BeginClosing, Close, Keep, Resume, Suspend};
        let may = |account: &Account| -> Vec<Change> {
            let all = [Suspend, Resume, BeginClosing, Keep, Close];
            all.into_iter().filter(|change| may(account, *change).is_ok()).collect()
        };
        assert_eq!(may(&account(false, false, false)), [Suspend, BeginClosing]);
        assert_eq!(may(&account(true, false, false)), [Resume, BeginClosing]);
        assert_eq!(may(&account(false, true, false)), [Suspend, Keep, Close]);
        assert_eq!(may(&account(true, true, false)), [Resume, Keep, Close]);
        assert_eq!(may(&account(true, true, true)), []);
        assert_eq!(account(true, true, false).state(), State::Suspended);
        assert_eq!(account(true, true, true).state(), State::Closed);
    }

    #[test]
    fn a_logo_is_a_small_png_and_nothing_else() {
        let png = |wide: u32, high: u32| {
            let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
            bytes.extend(wide.to_be_bytes());
            bytes.extend(high.to_be_bytes());
            bytes.extend(b"\x08\x06\0\0\0\0\0\0\0\0\0\0\0IEND\xaeB`\x82");
            bytes
        };
        assert_eq!(logo(&png(64, 32)), Ok(()));
        for bad in [
            png(0, 1),
            png(513, 1),
            png(1, u32::MAX),
            b"<svg onload=alert(1)>".to_vec(),
            b"GIF89a".to_vec(),
            vec![],
            vec![0; LOGO_BYTES + 1],
        ] {
            assert!(logo(&bad).is_err());
        }
        let mut hidden = png(8, 8);
        hidden.extend(b"<script>");
        assert!(logo(&hidden).is_err(), "nothing behind its end");
    }

    #[test]
    fn words_are_bounded() {
        assert_eq!(name("  Bakers & Sons "), Ok("Bakers & Sons".to_owned()));
        for bad in ["", " ", "a\nb", &"x".repeat(201)] {
            assert!(name(bad).is_err());
        }
        assert_eq!(accent("#0F766E"), Ok(Some("#0f766e".to_owned())));
        assert_eq!(accent(" "), Ok(None));
        for bad in ["red", "#fff", "#12345g", "#0f766e;}", "0f766e"] {
            assert!(accent(bad).is_err(), "{bad}");
        }
        assert_eq!(locale("de-de"), Ok("de-DE".to_owned()));
        assert!(locale("xx").is_err() && locale("en-GB; x").is_err());
    }

    #[test]
    fn the_list_to_get_going_follows_what_is_there() {
        let done = |census: Census| steps(&census).map(|step| step.done);
        assert_eq!(done(Census { people: 1, ..Census::default() }), [false; 4]);
        assert_eq!(done(Census { people: 2, shops: 1, nodes: 1, products: 9, ..Census::default() }), [true; 4]);
    }
}
