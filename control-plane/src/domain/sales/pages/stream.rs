//! The live page's stream: server-sent events, one per change of what the page shows. Woken by the hint after ingest's
//! commit and, for what another replica took in, by looking every two seconds. Bounded in number and in time; ends with
//! the session. An event is the state's id, the figures, the order of the rows, and those rows the browser lacks.

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::live::{self, LiveQuery, figures_html, key_of, row_html};
use crate::app::{App, Sold};
use crate::auth::policy::right;
use crate::domain::sales::live::service;
use crate::http::{ApiError, Query};
use crate::web::{PageCan, PageError, Place};

/// How often the tables are looked at without a hint.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Hints that come within so long are one look: a busy tenant sells many times a second, a person reads slower.
const GATHER: Duration = Duration::from_millis(250);
/// How long one stream lives; the browser comes again with the id it has.
const LIFE: Duration = Duration::from_secs(30 * 60);
/// A comment at least so often, so that neither side takes a quiet shop for a dead line.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// After how long a browser comes again by itself, in milliseconds.
const RETRY_MILLIS: u64 = 1_500;

struct Stream {
    app: App,
    caller: PageCan<right::SalesRead>,
    only: Option<Uuid>,
    /// The id the browser has.
    last: String,
    /// Rows the browser has.
    known: HashSet<String>,
    hints: broadcast::Receiver<Sold>,
    closing: watch::Receiver<bool>,
    until: Instant,
    first: bool,
    _place: Place,
}

#[derive(Serialize)]
struct Change {
    figures: String,
    order: Vec<String>,
    rows: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hours: Option<Vec<i64>>,
    /// Of what is new: how it is read out.
    say: Option<String>,
}

/// `GET /sales/live/events`
pub(super) async fn events(
    State(app): State<App>,
    caller: PageCan<right::SalesRead>,
    Query(query): Query<LiveQuery>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    // Heard from here on: what is sold while the first state is read is not missed.
    let hints = app.sold.subscribe();
    let mut tx = caller.begin(&app).await?;
    let shops = service::shops(&mut tx, app.clock.now()).await?;
    let only = live::chosen(&shops, &query.shop)?;
    drop(tx);
    let place = app.web.stream(caller.caller.tenant).ok_or_else(|| {
        metrics::counter!("tillway_live_streams_refused_total").increment(1);
        ApiError::unavailable("too many live pages are open; this one looks again in a while")
    })?;
    let again = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let last = again.unwrap_or(&query.last).chars().take(64).collect();
    let closing = app.web.closing();
    let until = Instant::now() + LIFE;
    let (known, first) = (HashSet::new(), true);
    let stream = Stream { app, caller, only, last, known, hints, closing, until, first, _place: place };
    let events = futures_util::stream::unfold(stream, |mut stream| async move {
        let event = stream.next().await?;
        Some((Ok::<Event, Infallible>(event), stream))
    });
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    // A proxy that gathers would make live sales late.
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

impl Stream {
    /// The next event; none when the stream ends.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.first {
                self.first = false;
            } else if !self.wait().await {
                return None;
            }
            match self.look().await {
                Ok(Some(event)) => return Some(event),
                Ok(None) => {}
                // The browser comes again; nothing is lost, the rows are the truth.
                Err(PageError(error)) => {
                    tracing::debug!(message = error.message, "a live stream ends");
                    return None;
                }
            }
        }
    }

    /// Waits for a reason to look; false at the end.
    async fn wait(&mut self) -> bool {
        let (tenant, only) = (self.caller.caller.tenant, self.only);
        let concerns = |sold: &Sold| sold.tenant == tenant && only.is_none_or(|only| only == sold.shop.as_uuid());
        let look = tokio::time::sleep(LOOK_EVERY);
        let closing = &mut self.closing;
        // The guard that comes out of it is dropped at once.
        let end = async { drop(closing.wait_for(|closing| *closing).await) };
        tokio::pin!(look, end);
        let hinted = loop {
            tokio::select! {
                () = &mut look => break false,
                () = &mut end => return false,
                hint = self.hints.recv() => match hint {
                    Ok(sold) if !concerns(&sold) => {}
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => break true,
                    Err(broadcast::error::RecvError::Closed) => return false,
                },
            }
        };
        if hinted {
            tokio::time::sleep(GATHER).await;
            self.hints = self.hints.resubscribe();
        }
        Instant::now() < self.until
    }

    /// Looks; an event if there is something new.
    async fn look(&mut self) -> Result<Option<Event>, PageError> {
        if !self.caller.still_may(&self.app).await? {
            return Err(ApiError::authn("the session or the right to look has ended").into());
        }
        let mut tx = self.caller.begin(&self.app).await?;
        let shops = service::shops(&mut tx, self.app.clock.now()).await?;
        let state = service::state(&mut tx, &shops, self.only).await?;
        drop(tx);
        let id = state.id();
        let order: Vec<String> = state.tickets.iter().map(key_of).collect();
        if id == self.last {
            self.known = order.into_iter().collect();
            return Ok(None);
        }
        let now = self.app.clock.utc();
        let mut rows = BTreeMap::new();
        for ticket in state.tickets.iter().filter(|ticket| !self.known.contains(&key_of(ticket))) {
            rows.insert(key_of(ticket), row_html(ticket, &shops, self.only, now)?);
        }
        let say = (!rows.is_empty()).then(|| live::spoken(&state, &shops)).flatten();
        let hours = live::chart_of(&state).map(|figures| figures.hours.clone());
        let change = Change { figures: figures_html(&state, &shops, self.only)?, order, rows, hours, say };
        self.known = change.order.iter().cloned().collect();
        self.last.clone_from(&id);
        let event = Event::default().event("change").id(id).retry(Duration::from_millis(RETRY_MILLIS));
        Ok(Some(event.json_data(&change).map_err(ApiError::internal)?))
    }
}
