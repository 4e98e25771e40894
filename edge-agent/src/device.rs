//! What the devices of a shop are doing, as whoever drives them says it and whoever shows them reads it: the state
//! of each now, a short history, and changes as they happen. Drives nothing and decides nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use protocol::limits;
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use utoipa::ToSchema;

/// What a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// Prints receipts.
    Printer,
}

/// How a device does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It was not asked yet.
    Unknown,
    /// It was well when it was last asked.
    Ready,
    /// It works, and will soon want a hand (paper near its end).
    Warning,
    /// It waits for a person: paper, cover, cutter.
    Attention,
    /// It cannot be reached or does not answer.
    Offline,
}

impl Condition {
    /// Its name, as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ready => "ready",
            Self::Warning => "warning",
            Self::Attention => "attention",
            Self::Offline => "offline",
        }
    }
}

/// A device as it stands: the body of `device/{device}/state`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceState {
    /// Its name in `node.toml`; letters, digits, hyphens and underscores, so that it fits a topic.
    pub name: String,
    /// What it is.
    pub kind: DeviceKind,
    /// How it does.
    pub state: Condition,
    /// Since when, in milliseconds since 1970 UTC.
    #[schema(value_type = i64)]
    pub since: Timestamp,
    /// In words for a person: "the paper is out". None when there is nothing to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// All devices of the node. Clones see the same.
#[derive(Clone, Debug)]
pub struct Devices(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    timelines: Mutex<BTreeMap<String, VecDeque<DeviceState>>>,
    changes: broadcast::Sender<DeviceState>,
}

impl Default for Devices {
    fn default() -> Self {
        let (changes, _) = broadcast::channel(limits::CHANGES_WAITING);
        Self(Arc::new(Inner { timelines: Mutex::default(), changes }))
    }
}

impl Devices {
    /// Every device as it stands, by name.
    pub fn list(&self) -> Vec<DeviceState> {
        self.read(|timelines| timelines.values().filter_map(VecDeque::back).cloned().collect())
    }

    /// What a device went through, oldest first; empty for one that is not known.
    pub fn timeline(&self, name: &str) -> Vec<DeviceState> {
        self.read(|timelines| timelines.get(name).map(|line| line.iter().cloned().collect()).unwrap_or_default())
    }

    /// Changes from now on. Who lags behind reads [`Self::list`] again.
    pub fn subscribe(&self) -> broadcast::Receiver<DeviceState> {
        self.0.changes.subscribe()
    }

    /// Says how a device does. Saying the same again changes nothing, so that `since` stays true.
    pub fn set(&self, now: DeviceState) {
        let changed = self.read(|timelines| {
            let line = timelines.entry(now.name.clone()).or_default();
            if line.back().is_some_and(|last| (last.state, &last.detail) == (now.state, &now.detail)) {
                return false;
            }
            if line.len() >= limits::DEVICE_TIMELINE {
                line.pop_front();
            }
            line.push_back(now.clone());
            true
        });
        if changed {
            tracing::info!(device = now.name, state = now.state.name(), detail = now.detail, "a device changed");
            drop(self.0.changes.send(now));
        }
    }

    fn read<T>(&self, f: impl FnOnce(&mut BTreeMap<String, VecDeque<DeviceState>>) -> T) -> T {
        f(&mut self.0.timelines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(state: Condition, since: i64, detail: Option<&str>) -> DeviceState {
        let detail = detail.map(str::to_owned);
        DeviceState { name: "counter".into(), kind: DeviceKind::Printer, state, since: Timestamp(since), detail }
    }

    #[test]
    fn what_is_said_twice_is_told_once_and_keeps_its_beginning() {
        let devices = Devices::default();
        let mut changes = devices.subscribe();
        for at in 1..=3 {
            devices.set(state(Condition::Ready, at, None));
        }
        devices.set(state(Condition::Attention, 4, Some("the paper is out")));
        assert_eq!(devices.list(), [state(Condition::Attention, 4, Some("the paper is out"))]);
        assert_eq!(devices.timeline("counter").len(), 2);
        assert_eq!(changes.try_recv().unwrap(), state(Condition::Ready, 1, None));
        assert_eq!(changes.try_recv().unwrap().since, Timestamp(4));
        assert!(changes.try_recv().is_err());
        assert!(devices.timeline("nobody").is_empty());
    }

    #[test]
    fn a_history_has_an_end() {
        let devices = Devices::default();
        for at in 0..1_000 {
            let condition = if at % 2 == 0 { Condition::Ready } else { Condition::Offline };
            devices.set(state(condition, at, None));
        }
        let line = devices.timeline("counter");
        assert_eq!((line.len(), line.last().unwrap().since), (limits::DEVICE_TIMELINE, Timestamp(999)));
    }

    #[test]
    fn the_body_is_plain_json() {
        let json = serde_json::to_value(state(Condition::Attention, 7, Some("the cover is open"))).unwrap();
        let wanted = serde_json::json!({ "name": "counter", "kind": "printer", "state": "attention", "since": 7,
            "detail": "the cover is open" });
        assert_eq!(json, wanted);
    }
}
