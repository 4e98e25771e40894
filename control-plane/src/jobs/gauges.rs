//! How many jobs wait, run and are dead, for whoever watches head office; and a word in the log when some wait that
//! nobody here can do.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;

use super::queue;
use super::types::{Handler, State};
use crate::app::App;
use crate::db::{DbError, SystemReason, SystemTx};

/// One look through the jobs that are not over.
const EVERY: Duration = Duration::from_secs(15);

/// Runs until `ending` turns true.
pub async fn run(app: App, handlers: Vec<Handler>, mut ending: watch::Receiver<bool>) {
    let mut before = 0;
    loop {
        match count(&app, &handlers).await {
            Ok(unknown) => {
                if unknown > before {
                    tracing::warn!(jobs = unknown, "jobs wait of a kind that this head office does not know");
                }
                before = unknown;
            }
            Err(error) => tracing::debug!(%error, "jobs could not be counted"),
        }
        if tokio::time::timeout(EVERY, ending.wait_for(|ending| *ending)).await.is_ok() {
            return;
        }
    }
}

/// Sets the gauges. Answers how many wait of a kind that no handler is for.
async fn count(app: &App, handlers: &[Handler]) -> Result<i64, DbError> {
    let mut tx = SystemTx::round(&app.db, SystemReason::Jobs).await?;
    let found = queue::census(&mut tx).await?;
    drop(tx);
    let states = [State::Waiting, State::Running, State::Dead];
    let kinds = handlers.iter().flat_map(|handler| states.map(|state| ((handler.kind, state.name()), 0_i64)));
    // Every one of them, so that what is no longer there goes back to nought.
    let mut gauges: BTreeMap<(&str, &str), i64> = kinds.collect();
    let mut unknown = 0;
    for (kind, state, jobs) in &found {
        match gauges.get_mut(&(kind.as_str(), state.name())) {
            Some(gauge) => *gauge = *jobs,
            None if *state == State::Waiting => unknown += jobs,
            None => {}
        }
    }
    // The names of the handlers are few; a kind from the database would make a label of whatever stands there.
    for handler in handlers {
        for state in states {
            let jobs = gauges.get(&(handler.kind, state.name())).copied().unwrap_or(0);
            let jobs = u32::try_from(jobs).unwrap_or(u32::MAX);
            metrics::gauge!("tillway_jobs", "job" => handler.kind, "state" => state.name()).set(f64::from(jobs));
        }
    }
    metrics::gauge!("tillway_jobs_unknown").set(f64::from(u32::try_from(unknown).unwrap_or(u32::MAX)));
    Ok(unknown)
}
