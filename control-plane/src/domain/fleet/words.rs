//! What a fleet's figures mean, in words that a shopkeeper uses. Pure: figures and the time in, a sentence out.

use protocol::timestamp::Timestamp;

use super::types::LogState;
use crate::clock::timestamp;

/// A node that was heard of within this is there: it reports every minute, and one report may be lost.
const ONLINE_MILLIS: i64 = 150_000;
/// Beyond this nobody waits for it any more.
const SILENT_MILLIS: i64 = 15 * 60_000;
/// A certificate that ends within this is told of: the time to enrol again without haste.
const EXPIRY_DAYS: i64 = 21;
const DAY_MILLIS: i64 = 86_400_000;

/// How well something is; the better first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// All is well.
    Good,
    /// Nothing to say yet.
    Quiet,
    /// It will come right by itself, or soon needs a hand.
    Warn,
    /// Somebody has to do something.
    Bad,
}

impl Level {
    /// The name that style sheets know.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Quiet => "quiet",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// A state in a word and in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// How well.
    pub level: Level,
    /// In a word.
    pub word: &'static str,
    /// In a sentence.
    pub sentence: String,
}

impl Said {
    /// The icon that goes with it.
    pub const fn icon(&self) -> &'static str {
        match self.level {
            Level::Good => "check",
            Level::Quiet => "clock",
            Level::Warn => "info",
            Level::Bad => "warn",
        }
    }
}

fn said(level: Level, word: &'static str, sentence: impl Into<String>) -> Said {
    Said { level, word, sentence: sentence.into() }
}

/// How long ago something was, such as `5 min ago`.
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.millis_since(then).max(0) / 1_000;
    match seconds {
        0..=59 => "just now".to_owned(),
        60..=3_599 => format!("{} min ago", seconds / 60),
        3_600..=172_799 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// A number of things: `1 record`, `12 records`.
pub fn count(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// Whether a node is there.
pub fn contact(seen: Option<Timestamp>, now: Timestamp) -> Said {
    let Some(seen) = seen else {
        return said(Level::Quiet, "new", "It has not called in yet; start its agent.");
    };
    let silence = now.millis_since(seen);
    let when = ago(seen, now);
    if silence <= ONLINE_MILLIS {
        said(Level::Good, "online", format!("Last contact {when}."))
    } else if silence <= SILENT_MILLIS {
        said(Level::Warn, "late", format!("Last contact {when}. It sells on; what it records waits in the shop."))
    } else {
        let what = "Look at its power and network. It sells on; what it records waits in the shop.";
        said(Level::Bad, "silent", format!("Last contact {when}. {what}"))
    }
}

/// How long a certificate is good for.
pub fn certificate(ends: Option<Timestamp>, now: Timestamp) -> Said {
    let Some(ends) = ends else {
        return said(Level::Bad, "none", "It has no certificate in force; enrol it again with a new claim code.");
    };
    let left = ends.millis_since(now);
    let days = left / DAY_MILLIS;
    let remedy = "make a claim code in its shop and run provision enroll --force on the box before then";
    if left <= 0 {
        let remedy = "enrol it again with a new claim code (provision enroll --force); it sells on meanwhile";
        said(Level::Bad, "ended", format!("The certificate has ended and the node cannot connect: {remedy}."))
    } else if days < EXPIRY_DAYS {
        let left = if days == 0 { "today".to_owned() } else { format!("in {}", count(days.unsigned_abs(), "day")) };
        said(Level::Warn, "ends soon", format!("The certificate ends {left}: {remedy}."))
    } else {
        said(Level::Good, "good", format!("The certificate is good for {days} more days."))
    }
}

/// What HQ has of a shop. `seen` is the last contact of the node that was silent longest; `wall` tells a moment by the
/// clock on the shop's wall.
pub fn completeness<'a>(
    logs: impl Iterator<Item = &'a LogState>,
    seen: Option<Timestamp>,
    now: Timestamp,
    wall: impl Fn(Timestamp) -> String,
) -> Said {
    let logs: Vec<&LogState> = logs.collect();
    if logs.iter().any(|log| log.contradicts) {
        let what = "Records of this shop contradict each other: call us. Nothing was thrown away.";
        return said(Level::Bad, "contradiction", what);
    }
    let lost: u64 = logs.iter().filter(|log| is_lost(log, seen, now)).map(|log| log.waiting()).sum();
    if lost > 0 {
        let (what, verb) = (count(lost, "record"), if lost == 1 { "is" } else { "are" });
        return said(Level::Bad, "missing", format!("{what} {verb} missing: call us."));
    }
    let waiting: u64 = logs.iter().map(|log| log.waiting()).sum();
    let contact = seen.map_or_else(|| "no contact yet".to_owned(), |seen| format!("last contact {}", ago(seen, now)));
    if waiting > 0 {
        let (what, verb) = (count(waiting, "record"), if waiting == 1 { "is" } else { "are" });
        return said(Level::Warn, "on the way", format!("{what} {verb} still in the shop; {contact}."));
    }
    if logs.iter().all(|log| log.received == 0) {
        return said(Level::Quiet, "nothing yet", "Nothing has been recorded in this shop yet.");
    }
    let sworn = logs.iter().filter(|log| log.reigns).filter_map(|log| log.sworn_at).map(timestamp).min();
    // What came after the last oath is here too; what HQ cannot know is whether it is all.
    let until = sworn.or_else(|| logs.iter().filter_map(|log| log.moved_at).map(timestamp).max());
    let until = until.map_or_else(String::new, |at| format!(" until {}", wall(at)));
    let sentence = format!("Everything the shop recorded{until} is here.");
    match seen {
        Some(seen) if now.millis_since(seen) > SILENT_MILLIS => {
            let later = format!("Last contact {}: what it sold since is still in the shop.", ago(seen, now));
            said(Level::Warn, "silent", format!("{sentence} {later}"))
        }
        Some(_) | None => said(Level::Good, "complete", sentence),
    }
}

/// Whether nobody will send what is missing: a box that is no more, or one that is there and sends nothing of it.
fn is_lost(log: &LogState, seen: Option<Timestamp>, now: Timestamp) -> bool {
    if log.waiting() == 0 {
        return false;
    }
    if !log.reigns && log.stored.is_some() {
        return true;
    }
    let there = seen.is_some_and(|seen| now.millis_since(seen) <= ONLINE_MILLIS);
    let moved = log.moved_at.map(timestamp).or_else(|| log.sworn_at.map(timestamp));
    there && moved.is_some_and(|moved| now.millis_since(moved) > SILENT_MILLIS)
}

#[cfg(test)]
mod tests {
    use protocol::id::{NodeId, ShopId, Term};

    use super::*;
    use crate::clock::utc;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn minutes(minutes: i64) -> Timestamp {
        NOW.plus_millis(-minutes * 60_000)
    }

    fn log(stored: u64, received: u64, gaps: u64) -> LogState {
        LogState {
            node: NodeId::from_uuid(uuid::Uuid::nil()),
            term: Term(1),
            shop: ShopId::from_uuid(uuid::Uuid::nil()),
            reigns: true,
            stored: Some(stored),
            sworn_at: Some(utc(minutes(2))),
            received,
            gaps,
            moved_at: Some(utc(minutes(2))),
            contradicts: false,
        }
    }

    fn told(logs: &[LogState], seen: i64) -> (Level, String) {
        let said = completeness(logs.iter(), Some(minutes(seen)), NOW, |_| "14:05".to_owned());
        (said.level, said.sentence)
    }

    #[test]
    fn completeness_is_told_as_a_shopkeeper_would() {
        let sentence = |text: &str| text.to_owned();
        assert_eq!(
            told(&[log(9, 9, 0)], 0),
            (Level::Good, sentence("Everything the shop recorded until 14:05 is here."))
        );
        assert_eq!(
            told(&[log(21, 9, 0)], 5),
            (Level::Warn, sentence("12 records are still in the shop; last contact 5 min ago."))
        );
        assert_eq!(told(&[log(10, 9, 1)], 0).1, "1 record is still in the shop; last contact just now.");
        // The node is there, and nothing of its log has moved for an hour.
        let stuck = LogState { moved_at: Some(utc(minutes(60))), ..log(12, 9, 3) };
        assert_eq!(told(&[log(4, 4, 0), stuck.clone()], 0), (Level::Bad, sentence("3 records are missing: call us.")));
        assert_eq!(told(&[stuck], 60).0, Level::Warn, "a silent node may still bring them");
        // A box that was swapped cannot bring what it did not send.
        let dead = LogState { reigns: false, ..log(12, 11, 0) };
        assert_eq!(told(&[dead], 60), (Level::Bad, sentence("1 record is missing: call us.")));
        assert_eq!(told(&[LogState { contradicts: true, ..log(9, 9, 0) }], 0).0, Level::Bad);
        assert_eq!(told(&[log(0, 0, 0)], 0).0, Level::Quiet);
        let (level, long) = told(&[log(9, 9, 0)], 180);
        assert!(
            level == Level::Warn && long.ends_with("Last contact 3 h ago: what it sold since is still in the shop.")
        );
    }

    #[test]
    fn contact_and_certificate_have_words() {
        let word = |millis: i64| contact(Some(NOW.plus_millis(-millis)), NOW).word;
        assert_eq!([word(0), word(150_000), word(150_001), word(900_001)], ["online", "online", "late", "silent"]);
        assert_eq!(contact(None, NOW).level, Level::Quiet);
        let ends = |days: i64| certificate(Some(NOW.plus_millis(days * DAY_MILLIS + 1)), NOW);
        assert_eq!((ends(90).level, ends(20).level, ends(-1).level), (Level::Good, Level::Warn, Level::Bad));
        assert!(ends(20).sentence.contains("in 20 days") && ends(0).sentence.contains("today"));
        assert_eq!(
            [ago(NOW, NOW), ago(minutes(59), NOW), ago(minutes(180), NOW)],
            ["just now", "59 min ago", "3 h ago"]
        );
        assert_eq!(ago(minutes(3 * 1_440), NOW), "3 days ago");
    }
}
