//! What every page has around its content: the way to the rooms, who is signed in, a message of the step before. And the
//! icons, drawn for this product: strokes of one weight on a grid of 24.

use std::fmt::Write as _;
use std::sync::Arc;

use super::PageCaller;
use super::nav::{self, Nav, NavItem};
use crate::auth::guard::{Caller, Via};
use crate::auth::policy::{Permission, Policy};
use crate::domain::notifications;
use crate::domain::tenants::types::Face;
use crate::rng::hex;

/// A message of the step before, shown once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flash {
    /// Whether it went well.
    pub good: bool,
    /// What to say.
    pub text: String,
}

/// Characters of a message that fit into its cookie.
const FLASH_CHARS: usize = 300;

impl Flash {
    /// It went well.
    pub fn done(text: impl Into<String>) -> Self {
        Self { good: true, text: text.into() }
    }

    /// It did not.
    pub fn failed(text: impl Into<String>) -> Self {
        Self { good: false, text: text.into() }
    }

    /// As its cookie has it.
    pub(super) fn to_cookie(&self) -> String {
        let text: String = self.text.chars().take(FLASH_CHARS).collect();
        format!("{}{}", if self.good { 'g' } else { 'b' }, hex(text.as_bytes()))
    }

    /// Reads a cookie; anything else than what we wrote is no message.
    pub(super) fn of_cookie(value: &str) -> Option<Self> {
        let (kind, digits) = value.split_at_checked(1)?;
        if digits.len() > FLASH_CHARS * 8 || digits.len() % 2 == 1 || !digits.is_ascii() {
            return None;
        }
        let pairs = digits.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(pair, 16).ok()
        });
        let text = String::from_utf8(pairs.collect::<Option<Vec<u8>>>()?).ok()?;
        Some(Self { good: kind == "g", text }).filter(|flash| !flash.text.is_empty())
    }
}

/// What the base template needs. Every page's struct has it as `shell`.
#[derive(Clone, Debug)]
pub struct Shell {
    /// The page's name, for the title and the history.
    pub title: String,
    /// The room it belongs to.
    pub nav: Nav,
    /// The tenant's name.
    pub tenant: String,
    /// Who is signed in.
    pub email: String,
    /// The message of the step before.
    pub flash: Option<Flash>,
    /// Notices that the reader has not read, up to a hundred.
    pub unread: i64,
    csrf: String,
    policy: Arc<Policy>,
    /// What stands above every page: that the account is suspended or will be closed.
    pub banner: Option<String>,
    /// What a guest is told above every page, with the way out.
    pub guest: Option<&'static str>,
    /// What stands around the company's pages.
    face: Arc<Face>,
}

impl Shell {
    /// The shell of a page.
    pub fn new(caller: &PageCaller, nav: Nav, title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            nav,
            tenant: caller.face.display_name.clone().unwrap_or_else(|| caller.tenant_name.clone()),
            email: caller.email.to_string(),
            flash: caller.flash.clone(),
            unread: caller.unread,
            csrf: caller.csrf.clone(),
            policy: Arc::clone(&caller.policy),
            banner: caller.face.note.clone(),
            guest: guest(&caller.caller),
            face: Arc::clone(&caller.face),
        }
    }

    /// The number beside the bell; none when all is read.
    pub fn bell(&self) -> Option<String> {
        let most = notifications::service::UNREAD_MOST;
        (self.unread > 0).then(|| if self.unread >= most { format!("{}+", most - 1) } else { self.unread.to_string() })
    }

    /// Whether the company has a colour of its own.
    pub fn branded(&self) -> bool {
        self.face.branded
    }

    /// Whether the company has a logo.
    pub fn logo(&self) -> bool {
        self.face.logo
    }

    /// Whether the reader may use a permission anywhere: what a template asks before it shows a door.
    pub fn may(&self, permission: Permission) -> bool {
        self.policy.may(permission)
    }

    /// The hidden field that every form of a signed-in page carries. Hex only: `{{ shell.csrf_field()|safe }}`.
    pub fn csrf_field(&self) -> String {
        format!(r#"<input type="hidden" name="csrf" value="{}">"#, self.csrf)
    }

    /// The token itself, for a script that sends it as the header `x-csrf-token`.
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    /// The rooms that the reader may enter.
    pub fn rooms(&self) -> Vec<NavItem> {
        nav::rooms(&self.policy, self.nav)
    }

    /// The other pages of the room.
    pub fn tabs(&self) -> Vec<NavItem> {
        nav::tabs(&self.policy, self.nav)
    }

    /// How many rooms stand on the bar of a telephone before the rest.
    pub fn on_the_bar(&self) -> usize {
        nav::cut(self.rooms().len())
    }

    /// Whether the page is in one of the rest.
    pub fn behind_the_bar(&self) -> bool {
        self.rooms().iter().skip(self.on_the_bar()).any(|room| room.current)
    }
}

const fn guest(caller: &Caller) -> Option<&'static str> {
    match caller.via {
        Via::Guest { writes: true, .. } => {
            Some("You are a guest of this company and may change things. It sees everything that you do.")
        }
        Via::Guest { writes: false, .. } => {
            Some("You are a guest of this company and can change nothing. It sees every page that you look at.")
        }
        Via::Session | Via::Key => None,
    }
}

/// An icon as SVG, hidden from screen readers: the words beside it say it. `{{ crate::web::icon("shop")|safe }}`.
/// Names: pulse, receipt, shop, node, tag, sun, out, search, check, warn, info, close, upload, plus, arrow, back, clock,
/// chart, people, user, wifi-off, bell, lock, gear,
/// globe, more; any other name draws a circle.
pub fn icon(name: &str) -> String {
    let strokes: &[&str] = match name {
        "pulse" => &["M3 12h4l3-8 4 16 3-8h4"],
        "receipt" => {
            &["M6 3v18l2-1.5 2 1.5 2-1.5 2 1.5 2-1.5 2 1.5V3l-2 1.5L14 3l-2 1.5L10 3 8 4.5z", "M9.5 9.5h5M9.5 13.5h5"]
        }
        "shop" => {
            &["M4 10v10h16V10", "M3 10l1.8-6h14.4L21 10a3 3 0 0 1-6 0 3 3 0 0 1-6 0 3 3 0 0 1-6 0z", "M10 20v-5h4v5"]
        }
        "node" => &["M4 5h16v6H4zM4 13h16v6H4z", "M7.5 8h.01M7.5 16h.01M11 8h.01M11 16h.01"],
        "tag" => &["M3.5 12.5V4.5h8l9 9-8 8z", "M8 9h.01"],
        "sun" => &[
            "M12 7.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9z",
            "M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
        ],
        "out" => &["M14 4h5v16h-5", "M10 8l-4 4 4 4M6 12h9"],
        "search" => &["M11 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14z", "M16 16l4.5 4.5"],
        "check" => &["M4.5 12.5l5 5 10-11"],
        "warn" => &["M12 4 2.5 20h19z", "M12 10v4.5M12 17.3h.01"],
        "info" => &["M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18z", "M12 11v5.5M12 7.8h.01"],
        "close" => &["M6 6l12 12M18 6 6 18"],
        "upload" => &["M12 16V5M7.5 9.5 12 5l4.5 4.5", "M4 17v3h16v-3"],
        "plus" => &["M12 5v14M5 12h14"],
        "arrow" => &["M5 12h14M13 6l6 6-6 6"],
        "back" => &["M19 12H5M11 6l-6 6 6 6"],
        "clock" => &["M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18z", "M12 7.5V12l3 2"],
        "chart" => &["M4 20V4M4 20h16", "M8.5 16v-4M12.5 16V8M16.5 16v-6"],
        "people" => &[
            "M9 5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7z",
            "M2.5 20c.6-3.6 3-5.2 6.5-5.2s5.9 1.6 6.5 5.2",
            "M15.5 5.2a3.5 3.5 0 0 1 0 6.6M18 15.3c2 .7 3.2 2.3 3.6 4.7",
        ],
        "user" => &["M12 4a4 4 0 1 1 0 8 4 4 0 0 1 0-8z", "M4.5 20.5c.8-4 3.8-6 7.5-6s6.7 2 7.5 6"],
        "wifi-off" => {
            &["M3 3l18 18", "M5 12.5a10 10 0 0 1 4.5-2.7M14.5 9.8a10 10 0 0 1 4.5 2.7M8.5 16a5 5 0 0 1 7 0M12 19.5h.01"]
        }
        "bell" => &["M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 1.5h-15z", "M10 20.5a2 2 0 0 0 4 0"],
        "gear" => &[
            "M12 9a3 3 0 1 1 0 6 3 3 0 0 1 0-6z",
            "M12 3v3M12 18v3M3 12h3M18 12h3M5.6 5.6l2.2 2.2M16.2 16.2l2.2 2.2M5.6 18.4l2.2-2.2M16.2 7.8l2.2-2.2",
        ],
        "globe" => &["M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18z", "M3 12h18M12 3c5 5 5 13 0 18M12 3c-5 5-5 13 0 18"],
        "more" => &[
            "M5 11a1 1 0 1 1 0 2 1 1 0 0 1 0-2z",
            "M12 11a1 1 0 1 1 0 2 1 1 0 0 1 0-2z",
            "M19 11a1 1 0 1 1 0 2 1 1 0 0 1 0-2z",
        ],
        "lock" => &["M5.5 11h13v9.5h-13z", "M8.5 11V8a3.5 3.5 0 0 1 7 0v3"],
        _ => &["M12 5a7 7 0 1 1 0 14 7 7 0 0 1 0-14z"],
    };
    let mut svg = String::from(
        r#"<svg viewBox="0 0 24 24" width="18" height="18" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">"#,
    );
    for path in strokes {
        // Writing to a String cannot fail.
        let written = write!(svg, r#"<path d="{path}"/>"#);
        debug_assert!(written.is_ok());
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_its_cookie_and_garbage_is_none() {
        for flash in [Flash::done("Preis geändert: 2,55 €"), Flash::failed("<script>")] {
            assert_eq!(Flash::of_cookie(&flash.to_cookie()), Some(flash));
        }
        let long = Flash::done("x".repeat(9_999));
        assert_eq!(Flash::of_cookie(&long.to_cookie()).unwrap().text.len(), FLASH_CHARS);
        for garbage in ["", "g", "g0", "gzz", "gff", "é00", "b0a0", &"0".repeat(9_999)] {
            assert_eq!(Flash::of_cookie(garbage), None, "{garbage}");
        }
    }
}
