//! The last warnings and errors of this process, for people who look at the page and not at the log. Bounded; carries
//! the fields that say what is wrong and none that could name a customer.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use protocol::limits;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use crate::clock::Clock;
use crate::core::status::{Level, Remark};

/// Fields that are shown behind the message. What is not here stays in the log: it might be about a person.
const SHOWN: &[&str] = &[
    "error",
    "reason",
    "problems",
    "warnings",
    "stream",
    "segment",
    "first",
    "last",
    "path",
    "address",
    "collection",
    "printer",
    "device",
    "door",
    "hq",
];

static PROCESS: OnceLock<Recent> = OnceLock::new();

/// A ring of remarks. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    clock: Clock,
    kept: Arc<Mutex<VecDeque<Remark>>>,
}

impl Recent {
    /// The ring of this process, which [`Self::layer`] of it fills.
    pub fn of_process() -> Self {
        PROCESS.get_or_init(Self::default).clone()
    }

    /// What the subscriber of the process needs to fill this ring.
    pub fn layer(&self) -> RecentLayer {
        RecentLayer(self.clone())
    }

    /// The remarks, newest first.
    pub fn newest_first(&self) -> Vec<Remark> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }

    fn note(&self, level: Level, text: String) {
        let at = self.clock.now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // The same again is counted: one thing that fails each second must not push out all others.
        if let Some(same) = kept.iter().position(|remark| remark.text == text)
            && let Some(mut again) = kept.remove(same)
        {
            (again.at, again.times) = (at, again.times.saturating_add(1));
            kept.push_back(again);
            return;
        }
        if kept.len() >= limits::REMARKS {
            kept.pop_front();
        }
        kept.push_back(Remark { at, level, text, times: 1 });
    }
}

/// Takes warnings and errors out of the stream of events.
#[derive(Debug)]
pub struct RecentLayer(Recent);

impl<S: Subscriber> Layer<S> for RecentLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = match *event.metadata().level() {
            tracing::Level::ERROR => Level::Bad,
            tracing::Level::WARN => Level::Attention,
            tracing::Level::INFO | tracing::Level::DEBUG | tracing::Level::TRACE => return,
        };
        let mut words = Words::default();
        event.record(&mut words);
        let Words { mut message, fields } = words;
        message.push_str(&fields);
        self.0.note(level, shortened(&message));
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(limits::REMARK_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[derive(Default)]
struct Words {
    message: String,
    fields: String,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message.push_str(&format!("{value:?}")),
            name if SHOWN.contains(&name) => self.fields.push_str(&format!(" · {name}: {value:?}")),
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn warnings_and_errors_are_kept_bounded_counted_and_without_fields_that_could_name_anybody() {
        let recent = Recent::default();
        let subscriber = tracing_subscriber::registry().with(recent.layer());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("nothing of note");
            for _ in 0..3 {
                tracing::warn!(reason = "no answer", customer = "Mrs Smith", "no uplink");
            }
            tracing::error!(error = %"the disk is full", "a log could not be written");
        });
        let kept = recent.newest_first();
        let seen: Vec<_> = kept.iter().map(|remark| (remark.level, remark.times, remark.text.as_str())).collect();
        let full = "a log could not be written · error: the disk is full";
        assert_eq!(seen, [(Level::Bad, 1, full), (Level::Attention, 3, "no uplink · reason: no answer")]);
        for number in 0..limits::REMARKS * 2 {
            recent.note(Level::Bad, format!("{number} {}", "é".repeat(limits::REMARK_CHARS)));
        }
        let kept = recent.newest_first();
        assert_eq!(kept.len(), limits::REMARKS);
        assert!(kept.iter().all(|remark| shortened(&remark.text).chars().count() <= limits::REMARK_CHARS + 1));
    }
}
