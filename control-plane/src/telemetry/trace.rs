//! Head office's spans: requests, jobs, and its part of the trace of a sale. Spans are told once they are over. Decides
//! nothing about what it watches.

use std::cell::RefCell;

use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use protocol::event::kind;
use protocol::id::Stream;
use protocol::ledger::Record;
use protocol::trace::{Caller, EventName, Step, TraceId, span_id, trace_id};
use uuid::Uuid;

use super::spans::{self, Moment, Span};
use crate::domain::fleet::NodeIdentity;
use crate::rng;

tokio::task_local! {
    /// What the batch in hand went through so far.
    static PHASES: RefCell<Vec<(Step, Moment, Moment)>>;
}

/// A batch whose sales are traced.
pub struct Batch {
    from: Moment,
    who: NodeIdentity,
    traces: Vec<TraceId>,
}

impl Batch {
    /// Begins with what came; `None` while nothing of it is traced.
    pub fn of(who: &NodeIdentity, stream: Stream, records: &[Record]) -> Option<Self> {
        let from = spans::now()?;
        if stream != Stream::Fiscal {
            return None;
        }
        let sales = records.iter().filter(|record| record.event.kind == kind::TICKET_CLOSED);
        let traces: Vec<TraceId> = sales
            .map(|record| {
                let NodeIdentity { tenant, node, term, .. } = *who;
                trace_id(&EventName { tenant, node, term, stream, seq: record.seq })
            })
            .filter(spans::keeps)
            .collect();
        (!traces.is_empty()).then_some(Self { from, who: *who, traces })
    }

    /// Does the work of a batch and tells what came of it, once per sale: each has a trace of its own.
    pub async fn around<T>(batch: Option<Self>, committed: fn(&T) -> bool, work: impl Future<Output = T>) -> T {
        let Some(Self { from, who, traces }) = batch else { return work.await };
        let (outcome, phases) = PHASES
            .scope(RefCell::default(), async {
                let outcome = work.await;
                (outcome, PHASES.with(RefCell::take))
            })
            .await;
        let Some(to) = spans::now() else { return outcome };
        let failed = if committed(&outcome) { None } else { Some("the batch was not committed") };
        for trace in &traces {
            let about = vec![
                KeyValue::new("tillway.tenant", who.tenant.to_string()),
                KeyValue::new("tillway.shop", who.shop.to_string()),
                KeyValue::new("tillway.node", who.node.to_string()),
                KeyValue::new("tillway.batch_sales", i64::try_from(traces.len()).unwrap_or(i64::MAX)),
            ];
            let steps = [(Step::Batch, from, to)].into_iter().chain(phases.iter().copied());
            for (step, from, to) in steps {
                let (kind, about) = match step {
                    Step::Batch => (SpanKind::Server, about.clone()),
                    Step::Sale
                    | Step::Decide
                    | Step::Append
                    | Step::Answer
                    | Step::Uplink
                    | Step::Ingest
                    | Step::Commit => (SpanKind::Internal, Vec::new()),
                };
                let parent = step.parent().map(|parent| (span_id(trace, parent), step == Step::Batch));
                let id = if failed.is_none() { span_id(trace, step) } else { rng::bytes() };
                spans::tell(Span {
                    trace: *trace,
                    id,
                    parent,
                    name: step.name(),
                    kind,
                    from,
                    to,
                    about,
                    link: None,
                    failed,
                });
            }
        }
        outcome
    }
}

/// A part of the work on a batch, from its making to its drop.
#[derive(Debug)]
#[must_use = "it lasts as long as it lives"]
pub struct Phase(Step, Option<Moment>);

/// Begins a part of the work on the batch in hand; without one it is nothing.
pub fn phase(step: Step) -> Phase {
    Phase(step, spans::now())
}

impl Drop for Phase {
    fn drop(&mut self) {
        if let (Some(from), Some(to)) = (self.1, spans::now()) {
            // Nobody watches when there is no batch.
            PHASES.try_with(|phases| phases.borrow_mut().push((self.0, from, to))).ok();
        }
    }
}

/// A request as its trace tells it.
pub struct Request<'r> {
    /// Its id, which is its trace unless the caller has one.
    pub id: Uuid,
    /// When it came.
    pub from: Option<Moment>,
    /// The header `traceparent`.
    pub header: Option<&'r str>,
    /// The method, of few.
    pub method: &'static str,
    /// The template of its path.
    pub route: &'r str,
    /// The answer.
    pub status: u16,
    /// Whose, once known.
    pub tenant: Option<String>,
}

/// A request was answered. Its span stands under the caller's, if the caller says which that is.
pub fn request(request: Request<'_>) {
    let (Some(from), Some(to)) = (request.from, spans::now()) else { return };
    let caller = request.header.and_then(Caller::parse);
    let trace = caller.map_or(*request.id.as_bytes(), |caller| caller.trace);
    if !caller.is_some_and(|caller| caller.sampled) && !spans::keeps(&trace) {
        return;
    }
    let about = [
        Some(KeyValue::new("http.request.method", request.method)),
        Some(KeyValue::new("http.route", request.route.to_owned())),
        Some(KeyValue::new("http.response.status_code", i64::from(request.status))),
        Some(KeyValue::new("tillway.request_id", request.id.to_string())),
        request.tenant.map(|tenant| KeyValue::new("tillway.tenant", tenant)),
    ];
    spans::tell(Span {
        trace,
        id: rng::bytes(),
        parent: caller.map(|caller| (caller.span, true)),
        name: "http.request",
        kind: SpanKind::Server,
        from,
        to,
        about: about.into_iter().flatten().collect(),
        link: None,
        failed: (request.status >= 500).then_some("the answer is an error of head office"),
    });
}

/// A job ended.
pub(super) fn job(name: &'static str, from: Option<Moment>, failed: bool) {
    let (Some(from), Some(to)) = (from, spans::now()) else { return };
    let trace: TraceId = rng::bytes();
    if spans::keeps(&trace) {
        spans::tell(Span {
            trace,
            id: rng::bytes(),
            parent: None,
            name: "job",
            kind: SpanKind::Internal,
            from,
            to,
            about: vec![KeyValue::new("tillway.job", name)],
            link: None,
            failed: failed.then_some("the job failed"),
        });
    }
}
