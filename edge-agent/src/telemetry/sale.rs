//! The node's part of the trace of a sale: terminal, lane, ledger, uplink. Spans are told once they are over, because
//! the trace is named after the record and the record has no name before it is written. Decides nothing about sales.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use protocol::event::{RawEvent, kind};
use protocol::id::{NodeId, Seq, Stream, TenantId, Term};
use protocol::limits;
use protocol::trace::{Caller, EventName, Step, TraceId, span_id, trace_id};
use serde::Deserialize;

use super::spans::{self, Moment, Span};

static HERE: OnceLock<(TenantId, NodeId)> = OnceLock::new();
/// Sales that are on the disk and whose terminal has not been answered yet.
static FRESH: Mutex<BTreeSet<(u32, u64)>> = Mutex::new(BTreeSet::new());

fn fresh() -> MutexGuard<'static, BTreeSet<(u32, u64)>> {
    FRESH.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says which node this process is. The first word counts.
pub(super) fn here(tenant: TenantId, node: NodeId) {
    HERE.get_or_init(|| (tenant, node));
}

/// The trace of a fiscal record, if it is kept.
fn kept(term: Term, seq: Seq) -> Option<TraceId> {
    let (tenant, node) = *HERE.get()?;
    let trace = trace_id(&EventName { tenant, node, term, stream: Stream::Fiscal, seq });
    spans::keeps(&trace).then_some(trace)
}

fn step(trace: TraceId, step: Step, from: Moment, to: Moment) -> Span {
    Span {
        trace,
        id: span_id(&trace, step),
        parent: step.parent().map(|parent| (span_id(&trace, parent), false)),
        name: step.name(),
        kind: SpanKind::Internal,
        from,
        to,
        about: Vec::new(),
        link: None,
        failed: None,
    }
}

/// The lane has decided and the ledger has synced.
pub fn appended(term: Term, seq: Seq, decided_from: Option<Moment>, appended_from: Option<Moment>) {
    let (Some(decided), Some(appended), Some(now)) = (decided_from, appended_from, spans::now()) else { return };
    let Some(trace) = kept(term, seq) else { return };
    let mut fresh = fresh();
    // Lanes that hung up before their answer leave their sale here; without its root a trace is still of use.
    while fresh.len() >= limits::TRACED_ON_THE_WAY {
        fresh.pop_first();
    }
    fresh.insert((term.0, seq.0));
    drop(fresh);
    spans::tell(step(trace, Step::Decide, decided, appended));
    spans::tell(step(trace, Step::Append, appended, now));
}

/// The record is indexed, and the lane that waited has its answer.
pub fn answered(term: Term, seq: Seq, from: Option<Moment>) {
    let (Some(from), Some(now)) = (from, spans::now()) else { return };
    if let Some(trace) = kept(term, seq) {
        spans::tell(step(trace, Step::Answer, from, now));
    }
}

/// As much of the answer to a close as names its record.
#[derive(Deserialize)]
struct Closed {
    data: ClosedData,
}

#[derive(Deserialize)]
struct ClosedData {
    receipt: Record,
}

/// The record that a request made, as the terminal hears of it.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Record {
    term: u32,
    seq: u64,
}

/// Reads the record's name out of the answer to a close; none while nobody traces.
pub fn record_of(answer: &[u8]) -> Option<Record> {
    spans::now()?;
    serde_json::from_slice::<Closed>(answer).ok().map(|closed| closed.data.receipt)
}

/// The terminal is being answered: the root, under which all others stand. `header` is its `traceparent`. An answer
/// that was given before is no sale and has no second root.
pub fn told(record: Record, from: Option<Moment>, route: &str, header: Option<&str>) {
    let (Some(from), Some(now)) = (from, spans::now()) else { return };
    let Record { term, seq } = record;
    if !fresh().remove(&(term, seq)) {
        return;
    }
    let Some(trace) = kept(Term(term), Seq(seq)) else { return };
    let about = vec![
        KeyValue::new("http.route", route.to_owned()),
        KeyValue::new("tillway.term", i64::from(term)),
        KeyValue::new("tillway.seq", i64::try_from(seq).unwrap_or(i64::MAX)),
    ];
    let root = step(trace, Step::Sale, from, now);
    spans::tell(Span { kind: SpanKind::Server, about, link: header.and_then(Caller::parse), ..root });
}

/// Records on their way to head office, since when. A record that is sent again keeps its first time.
#[derive(Debug, Default)]
pub struct OnTheWay(BTreeMap<u64, (TraceId, Moment)>);

impl OnTheWay {
    /// A record was handed to the uplink.
    pub fn handed(&mut self, term: Term, seq: Seq, event: &RawEvent) {
        let Some(now) = spans::now() else { return };
        if event.kind != kind::TICKET_CLOSED || self.0.contains_key(&seq.0) {
            return;
        }
        let Some(trace) = kept(term, seq) else { return };
        if self.0.len() >= limits::TRACED_ON_THE_WAY {
            metrics::counter!("tillway_trace_spans_dropped_total", "reason" => "on_the_way").increment(1);
            return;
        }
        self.0.insert(seq.0, (trace, now));
    }

    /// Head office has everything up to here.
    pub fn settled(&mut self, upto: Seq) {
        let Some(now) = spans::now() else { return };
        let open = self.0.split_off(&upto.0.saturating_add(1));
        for (trace, from) in std::mem::replace(&mut self.0, open).into_values() {
            spans::tell(Span { kind: SpanKind::Client, ..step(trace, Step::Uplink, from, now) });
        }
    }
}
