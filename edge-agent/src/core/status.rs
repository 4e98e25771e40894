//! How a node stands, in the shape the status page, its JSON twin, `doctor` and the service manager are told, and the
//! one sentence on top of it. Pure: the facts come from the shell. Knows no files, no connections, no HTML.

use jiff::tz::TimeZone;
use protocol::id::LaneId;
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use super::health::Mqtt;

/// A sale that has waited less long for head office is on its way, not held up.
pub const ON_ITS_WAY_MILLIS: i64 = 30_000;
/// How long after a start "not connected" only means "not yet".
pub const CALLING_MILLIS: i64 = 15_000;
const DAY_MILLIS: i64 = 24 * 3_600 * 1_000;

/// How serious.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nobody need do anything.
    #[default]
    Good,
    /// It works; somebody should look.
    Attention,
    /// It does not do what it is there for.
    Bad,
}

impl Level {
    /// Its name on the page and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Attention => "attention",
            Self::Bad => "bad",
        }
    }
}

/// Whether there is a connection to head office.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    /// In business.
    Connected,
    /// Dialling or greeting.
    Trying,
    /// Between two tries.
    #[default]
    Resting,
    /// The node cannot even try: its identity is of no use.
    Off,
}

/// The way to head office.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uplink {
    /// The connection.
    pub link: Link,
    /// Where head office is, `host:port`.
    pub address: String,
    /// Why there is no connection, as the other side or the network said it.
    pub reason: Option<String>,
    /// When head office was last heard.
    #[serde(with = "when::maybe")]
    pub last_contact: Option<Timestamp>,
    /// Failures in a row.
    pub failures: u32,
    /// Fiscal records head office has not confirmed.
    pub waiting: u64,
    /// When the oldest of them was written.
    #[serde(with = "when::maybe")]
    pub waiting_since: Option<Timestamp>,
    /// By how much this box's clock was ahead of head office's when they last met, in milliseconds.
    pub clock_skew_millis: Option<i64>,
}

/// Who the node is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// What people call it.
    pub name: String,
    /// The shop's name; none before its settings came.
    pub shop: Option<String>,
    /// The tenant.
    pub tenant_id: String,
    /// The shop.
    pub shop_id: String,
    /// The node.
    pub node_id: String,
    /// The term it writes under.
    pub term: u32,
    /// The agent's version.
    pub version: String,
    /// Since when it runs.
    #[serde(with = "when")]
    pub since: Timestamp,
    /// Its process.
    pub pid: u32,
    /// Memory of the process, in KiB.
    pub memory_kib: Option<u64>,
    /// IANA zone of the shop, by which the page tells the time.
    pub zone: Option<String>,
}

/// A certificate the node lives by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Whose: `head office`, `tills`.
    pub what: String,
    /// Its first moment.
    #[serde(with = "when")]
    pub from: Timestamp,
    /// Its last.
    #[serde(with = "when")]
    pub ends: Timestamp,
}

/// What a certificate's date means now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// In its first half.
    Fresh,
    /// Past its half life: it should be renewed.
    Half,
    /// Past its date.
    Ended,
}

impl Certificate {
    /// Where it is in its life.
    pub fn age(&self, now: Timestamp) -> Age {
        if now >= self.ends {
            Age::Ended
        } else if now.millis_since(self.from) >= self.ends.millis_since(self.from) / 2 {
            Age::Half
        } else {
            Age::Fresh
        }
    }

    /// Whole days until it ends; 0 once it has.
    pub fn days_left(&self, now: Timestamp) -> u32 {
        u32::try_from(self.ends.millis_since(now) / DAY_MILLIS).unwrap_or(0)
    }

    /// What to say of it, when there is something to say.
    pub fn warning(&self, now: Timestamp) -> Option<String> {
        let (what, ends, days) = (&self.what, day(self.ends), self.days_left(now));
        match self.age(now) {
            Age::Fresh => None,
            Age::Half => Some(format!(
                "the certificate for {what} ends on {ends}, in {days} days: enrol this node again (`provision enroll \
                 --force`) before that, with nothing waiting"
            )),
            Age::Ended => Some(format!(
                "the certificate for {what} ended on {ends}: the shop sells on; enrol this node again (`provision \
                 enroll --force`)"
            )),
        }
    }
}

/// The records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The last fiscal record.
    pub seq: u64,
    /// When it was written.
    #[serde(with = "when::maybe")]
    pub last_at: Option<Timestamp>,
    /// The first fiscal record that is kept on this box.
    pub first_kept: u64,
    /// Fiscal segment files.
    pub segments: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Free bytes of the disk.
    pub free_bytes: Option<u64>,
    /// For how many days of selling that is enough.
    pub free_days: Option<u32>,
    /// What is damaged, a sentence each.
    pub damage: Vec<String>,
    /// When all records were last read and checked.
    #[serde(with = "when::maybe")]
    pub checked_at: Option<Timestamp>,
}

/// A thing that is plugged in or on the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// What the shop calls it.
    pub name: String,
    /// What it is, such as `receipt printer`.
    pub kind: String,
    /// How it does, in words.
    pub state: String,
    /// Whether that is good.
    pub level: Level,
}

/// A paired lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// Its id.
    pub lane_id: LaneId,
    /// Its name.
    pub name: String,
    /// Whether it is there now; none when the node cannot tell.
    pub online: Option<bool>,
}

/// Where the node listens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Door {
    /// For whom.
    pub what: String,
    /// The address to use.
    pub address: String,
}

/// A warning or an error of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// When it was last said.
    #[serde(with = "when")]
    pub at: Timestamp,
    /// `Attention` for a warning, `Bad` for an error.
    pub level: Level,
    /// What was said.
    pub text: String,
    /// How often in a row.
    pub times: u32,
}

/// Everything the page shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// How it stands, in one sentence.
    pub headline: String,
    /// How serious that is.
    pub level: Level,
    /// The time of all this.
    #[serde(with = "when")]
    pub at: Timestamp,
    /// Whether lanes can sell.
    pub ready: bool,
    /// What keeps it from selling.
    pub problems: Vec<String>,
    /// What wants attention.
    pub warnings: Vec<String>,
    /// Identity.
    pub node: Who,
    /// Head office.
    pub uplink: Uplink,
    /// Certificates.
    pub certificates: Vec<Certificate>,
    /// The records.
    pub ledger: Ledger,
    /// Peripherals.
    pub devices: Vec<Device>,
    /// Paired lanes.
    pub lanes: Vec<Lane>,
    /// The shop's MQTT; none where there is none.
    #[serde(default)]
    pub mqtt: Option<Mqtt>,
    /// Addresses.
    pub doors: Vec<Door>,
    /// The last warnings and errors, newest first.
    pub remarks: Vec<Remark>,
}

impl NodeStatus {
    /// Writes the sentence on top, once everything else is filled in.
    #[must_use]
    pub fn judged(mut self) -> Self {
        let (level, headline) = self.judge();
        let worry = !self.warnings.is_empty() || self.devices.iter().any(|device| device.level != Level::Good);
        self.level = if worry { level.max(Level::Attention) } else { level };
        self.headline = headline;
        self
    }

    fn judge(&self) -> (Level, String) {
        if let Some(problem) = self.problems.first() {
            return (Level::Bad, format!("Not ready: {problem}."));
        }
        let Uplink { link, waiting, waiting_since, last_contact, .. } = &self.uplink;
        let held_up = waiting_since.is_none_or(|since| self.at.millis_since(since) >= ON_ITS_WAY_MILLIS);
        match link {
            Link::Connected if *waiting == 0 || !held_up => {
                (Level::Good, "Selling. Head office is up to date.".to_owned())
            }
            Link::Connected => (Level::Attention, format!("Selling. {} on the way to head office.", self.waiting())),
            Link::Off if *waiting == 0 => (Level::Attention, "Selling. There is no way to head office.".to_owned()),
            Link::Trying | Link::Resting | Link::Off if *waiting > 0 => {
                let verb = if *waiting == 1 { "waits" } else { "wait" };
                let since = waiting_since.map_or_else(String::new, |since| format!(" since {}", self.clock(since)));
                (Level::Attention, format!("Selling. {} {verb} for head office{since}.", self.waiting()))
            }
            Link::Trying | Link::Resting | Link::Off => {
                let young = self.at.millis_since(self.node.since) < CALLING_MILLIS;
                if last_contact.is_none() && young {
                    (Level::Good, "Selling. Calling head office.".to_owned())
                } else {
                    (Level::Attention, "Selling. No line to head office; nothing waits.".to_owned())
                }
            }
        }
    }

    fn waiting(&self) -> String {
        match self.uplink.waiting {
            1 => "1 sale".to_owned(),
            more => format!("{more} sales"),
        }
    }

    /// A moment as the shop's clock shows it: the time today, date and time otherwise.
    pub fn clock(&self, at: Timestamp) -> String {
        let zone = self.node.zone.as_deref().and_then(|zone| TimeZone::get(zone).ok()).unwrap_or(TimeZone::UTC);
        let there = |at: Timestamp| jiff::Timestamp::from_millisecond(at.0).map(|at| at.to_zoned(zone.clone()));
        match (there(at), there(self.at)) {
            (Ok(at), Ok(now)) if at.date() == now.date() => at.strftime("%H:%M").to_string(),
            (Ok(at), Ok(_)) => at.strftime("%-d %b %Y %H:%M").to_string(),
            _ => at.to_string(),
        }
    }

    /// How long ago, in the largest unit that fits.
    pub fn ago(&self, at: Timestamp) -> String {
        let seconds = self.at.millis_since(at).max(0) / 1_000;
        let (count, unit) = match seconds {
            ..10 => return "just now".to_owned(),
            10..120 => (seconds, "seconds"),
            120..7_200 => (seconds / 60, "minutes"),
            7_200..172_800 => (seconds / 3_600, "hours"),
            _ => (seconds / 86_400, "days"),
        };
        format!("{count} {unit} ago")
    }
}

/// A day, by UTC: for dates that are months away.
pub fn day(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.to_string(), |at| at.strftime("%-d %B %Y").to_string())
}

/// For how many days of selling `free` bytes are enough, when the fiscal log took `used` bytes between two moments.
/// `None` before there is anything to go by.
pub fn days_of_selling(free: u64, used: u64, first: Timestamp, last: Timestamp) -> Option<u32> {
    // A day that has just begun is a whole one: better too few days promised than too many.
    let days = u64::try_from(last.millis_since(first) / DAY_MILLIS).unwrap_or(0) + 1;
    let a_day = (used / days).max(1);
    (used > 0).then(|| u32::try_from(free / a_day).unwrap_or(u32::MAX))
}

/// Bytes as people read them.
pub fn bytes(bytes: u64) -> String {
    match bytes {
        ..1_048_576 => format!("{} KiB", bytes >> 10),
        1_048_576..4_294_967_296 => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}

/// Moments as RFC 3339 in UTC: what a person reads in JSON and a script parses.
mod when {
    use protocol::timestamp::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(at)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        let at: jiff::Timestamp = text.parse().map_err(D::Error::custom)?;
        Ok(Timestamp(at.as_millisecond()))
    }

    pub(super) mod maybe {
        use protocol::timestamp::Timestamp;
        use serde::{Deserialize, Deserializer, Serializer, de::Error};

        pub(in super::super) fn serialize<S: Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
            match at {
                Some(at) => to.collect_str(at),
                None => to.serialize_none(),
            }
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
            let Some(text) = Option::<String>::deserialize(from)? else { return Ok(None) };
            let at: jiff::Timestamp = text.parse().map_err(D::Error::custom)?;
            Ok(Some(Timestamp(at.as_millisecond())))
        }
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
