//! Subscription filters: what one can match at most, and whether all of that is readable.
//! Knows no topic that is not in `ROOMS`.

use super::{PRIVATE, Principal, ROOMS, ROOT, TopicError, check_text, one_spelling};
use crate::id::{LaneId, ShopId};

/// One level of a filter below the shop.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level<'a> {
    /// Exactly this.
    Is(&'a str),
    /// Anything (`+`, or all that follows a `#`).
    Any,
}

impl Level<'_> {
    fn takes(self, text: &str) -> bool {
        match self {
            Self::Is(is) => is == text,
            Self::Any => true,
        }
    }
}

/// See [`super::may_subscribe`].
pub(super) fn check(who: Principal, shop: ShopId, filter: &str) -> Result<(), TopicError> {
    check_text(filter)?;
    let [room, id, channel] = levels(shop, filter)?;
    let known = ROOMS.iter().any(|(name, channels)| room.takes(name) && channels.iter().any(|one| channel.takes(one)));
    if !known {
        return Err(TopicError::Unknown);
    }
    match who {
        Principal::Node(_) => Ok(()),
        Principal::Lane(lane) => {
            let private = room.takes("lane") && PRIVATE.iter().any(|one| channel.takes(one));
            if private && reaches_others(id, lane)? { Err(TopicError::Right) } else { Ok(()) }
        }
    }
}

/// Whether a lane's private channel under this id could be another's.
fn reaches_others(id: Level<'_>, lane: LaneId) -> Result<bool, TopicError> {
    match id {
        Level::Any => Ok(true),
        Level::Is(text) => Ok(one_spelling::<LaneId>(text)? != lane),
    }
}

/// The three levels below the shop that a filter matches.
fn levels(shop: ShopId, filter: &str) -> Result<[Level<'_>; 3], TopicError> {
    // Seven at most are looked at: five, a `#` that also matches the level above it, and one too many.
    let parts: Vec<&str> = filter.splitn(7, '/').collect();
    for (at, part) in parts.iter().enumerate() {
        let last = at.saturating_add(1) == parts.len();
        let wild = part.contains(['+', '#']);
        if wild && !(*part == "+" || (*part == "#" && last)) {
            return Err(TopicError::Wildcard);
        }
    }
    let mut below = match parts.split_first() {
        Some((&root, _)) if root != ROOT => return Err(TopicError::Shop),
        Some((_, [asked, below @ ..])) => {
            if matches!(*asked, "+" | "#") || one_spelling::<ShopId>(asked)? != shop {
                return Err(TopicError::Shop);
            }
            below.iter()
        }
        Some((_, [])) | None => return Err(TopicError::Depth),
    };
    let mut found = [Level::Any; 3];
    for level in &mut found {
        match below.next() {
            Some(&"#") => return Ok(found),
            Some(&"+") => {}
            Some(part) => *level = Level::Is(part),
            None => return Err(TopicError::Depth),
        }
    }
    match (below.next(), below.next()) {
        (None, _) | (Some(&"#"), None) => Ok(found),
        (Some(_), _) => Err(TopicError::Depth),
    }
}

/// Whether a filter matches a topic, as MQTT has it (`a/#` matches `a` too; wildcards never match `$`).
#[must_use]
pub fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let (mut wanted, mut levels) = (filter.split('/'), topic.split('/'));
    loop {
        match (wanted.next(), levels.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(want), Some(level)) if want == level => {}
            (Some(_) | None, Some(_)) | (Some(_), None) => return false,
        }
    }
}
