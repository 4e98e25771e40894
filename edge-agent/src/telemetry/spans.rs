//! Spans out by OTLP over HTTP (protobuf). Head office and the node have the same text of this file (a test compares
//! them). Off unless started; then a bounded queue and one task beside the work: nobody ever waits for a collector, and
//! what finds no room is dropped and counted.

use std::fmt;
use std::pin::Pin;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use hyper_util::rt::TokioIo;
use opentelemetry::trace::{Link, SpanContext, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, SpanId, TraceId};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use protocol::limits;
use protocol::trace::{self, Caller, Share};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

/// How long a collector may take for one export.
const EXPORT: Duration = Duration::from_secs(3);
/// How long spans are gathered, so that not every one makes a request.
const GATHER: Duration = Duration::from_millis(200);
/// How long an end waits for the last spans.
const FLUSH: Duration = Duration::from_secs(2);

static SPANS: OnceLock<Spans> = OnceLock::new();

/// What the exporter is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Base URL of the collector, `http://host[:port]`.
    pub otlp: String,
    /// The share of traces that is kept.
    pub share: Share,
    /// `service.name`.
    pub service: &'static str,
    /// What else is said of the program, such as its node.
    pub about: Vec<KeyValue>,
}

/// A point in time of this process.
#[derive(Clone, Copy, Debug)]
pub struct Moment(Instant);

/// One span as it is told once it is over.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its trace.
    pub trace: trace::TraceId,
    /// Itself.
    pub id: trace::SpanId,
    /// The span it belongs under, and whether that is another program's.
    pub parent: Option<(trace::SpanId, bool)>,
    /// Its name, of few.
    pub name: &'static str,
    /// Who asked whom.
    pub kind: SpanKind,
    /// When it began.
    pub from: Moment,
    /// When it ended.
    pub to: Moment,
    /// What is known of it. No names of people, no contents of tickets.
    pub about: Vec<KeyValue>,
    /// The span of a caller that has a trace of its own.
    pub link: Option<Caller>,
    /// Why it failed, if it did.
    pub failed: Option<&'static str>,
}

enum Message {
    Span(Box<SpanData>),
    Flush(oneshot::Sender<()>),
}

struct Spans {
    queue: mpsc::Sender<Message>,
    share: Share,
    scope: InstrumentationScope,
}

/// Starts the exporter of this process, on the runtime it is called from. A second call changes nothing.
///
/// # Errors
/// An address that is none.
pub fn start(options: Options) -> Result<(), String> {
    if SPANS.get().is_some() {
        return Ok(());
    }
    let endpoint = format!("{}/v1/traces", options.otlp.trim_end_matches('/'));
    let client = Collector::of(&options.otlp)?;
    let builder = SpanExporter::builder().with_http().with_http_client(client);
    let mut exporter = builder
        .with_endpoint(endpoint)
        .with_timeout(EXPORT)
        .build()
        .map_err(|error| format!("{:?} is no place for traces: {error}", options.otlp))?;
    let about = options.about.into_iter().chain([KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))]);
    exporter.set_resource(&Resource::builder_empty().with_service_name(options.service).with_attributes(about).build());
    let (queue, queued) = mpsc::channel(limits::SPANS_WAITING);
    let scope = InstrumentationScope::builder("tillway").with_version(env!("CARGO_PKG_VERSION")).build();
    let spans = Spans { queue, share: options.share, scope };
    metrics::counter!("tillway_trace_spans_exported_total").absolute(0);
    metrics::counter!("tillway_trace_spans_dropped_total", "reason" => "queue_full").absolute(0);
    if SPANS.set(spans).is_ok() {
        tokio::spawn(export(exporter, queued));
        tracing::info!(otlp = options.otlp, share = %options.share, "traces are sent to a collector");
    }
    Ok(())
}

/// Whether a trace is kept; false while no exporter was started.
pub fn keeps(trace: &trace::TraceId) -> bool {
    SPANS.get().is_some_and(|spans| spans.share.keeps(trace))
}

/// Now, if anybody wants to know.
pub fn now() -> Option<Moment> {
    SPANS.get().map(|_| Moment(Instant::now()))
}

/// Tells a span that is over. Never waits.
pub fn tell(span: Span) {
    let Some(spans) = SPANS.get() else { return };
    let now = (Instant::now(), SystemTime::now());
    if spans.queue.try_send(Message::Span(Box::new(data(span, &spans.scope, now)))).is_err() {
        metrics::counter!("tillway_trace_spans_dropped_total", "reason" => "queue_full").increment(1);
    }
}

/// Waits, but not for long, until what was told so far is on its way. For the end of a process.
pub async fn flush() {
    let Some(spans) = SPANS.get() else { return };
    let (done, told) = oneshot::channel();
    let flushed = async {
        if spans.queue.send(Message::Flush(done)).await.is_ok() {
            told.await.ok();
        }
    };
    if tokio::time::timeout(FLUSH, flushed).await.is_err() {
        tracing::debug!("the last spans were not exported in time");
    }
}

/// A span as the exporter takes it. Its times are those of the clock on the wall now: a box without a battery learns the
/// time long after its start.
fn data(span: Span, scope: &InstrumentationScope, (now, wall): (Instant, SystemTime)) -> SpanData {
    let at = |moment: Moment| wall.checked_sub(now.saturating_duration_since(moment.0)).unwrap_or(wall);
    let context = |trace, id, remote| {
        let (trace, id) = (TraceId::from_bytes(trace), SpanId::from_bytes(id));
        SpanContext::new(trace, id, TraceFlags::SAMPLED, remote, TraceState::default())
    };
    let mut links = SpanLinks::default();
    links.links.extend(span.link.map(|of| Link::new(context(of.trace, of.span, true), Vec::new(), 0)));
    let (parent, remote) = span.parent.unwrap_or_default();
    SpanData {
        span_context: context(span.trace, span.id, false),
        parent_span_id: SpanId::from_bytes(parent),
        parent_span_is_remote: remote,
        span_kind: span.kind,
        name: span.name.into(),
        start_time: at(span.from),
        end_time: at(span.to).max(at(span.from)),
        attributes: span.about,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links,
        status: span.failed.map_or(Status::Unset, Status::error),
        instrumentation_scope: scope.clone(),
    }
}

async fn export(exporter: SpanExporter, mut queued: mpsc::Receiver<Message>) {
    let mut said = false;
    loop {
        let mut messages = Vec::new();
        if queued.recv_many(&mut messages, limits::SPANS_AT_ONCE).await == 0 {
            return;
        }
        let hurry = |messages: &[Message]| messages.iter().any(|message| matches!(message, Message::Flush(_)));
        let until = tokio::time::Instant::now() + GATHER;
        while messages.len() < limits::SPANS_AT_ONCE && !hurry(&messages) {
            let room = limits::SPANS_AT_ONCE - messages.len();
            if tokio::time::timeout_at(until, queued.recv_many(&mut messages, room)).await.is_err() {
                break;
            }
        }
        let (mut batch, mut waiting) = (Vec::new(), Vec::new());
        for message in messages {
            match message {
                Message::Span(span) => batch.push(*span),
                Message::Flush(done) => waiting.push(done),
            }
        }
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let sent = if batch.is_empty() { Ok(()) } else { exporter.export(batch).await };
        match sent {
            Ok(()) => metrics::counter!("tillway_trace_spans_exported_total").increment(count),
            Err(error) => {
                metrics::counter!("tillway_trace_spans_dropped_total", "reason" => "collector").increment(count);
                if !std::mem::replace(&mut said, true) {
                    tracing::warn!(%error, "the collector takes no traces; the metrics count what is dropped");
                }
            }
        }
        for done in waiting {
            // Whoever waited has given up.
            done.send(()).ok();
        }
    }
}

/// A collector by plain HTTP/1.1: one connection for one export.
struct Collector {
    address: String,
}

impl Collector {
    fn of(url: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{url:?}: write http://host[:port] of a collector; one with TLS is reached through a collector on this machine"
            )
        };
        let rest = url.trim_end_matches('/').strip_prefix("http://").ok_or_else(wrong)?;
        if rest.is_empty() || rest.contains(['/', '@', '?', '#', ' ']) {
            return Err(wrong());
        }
        let ported = rest.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        Ok(Self { address: if ported { rest.to_owned() } else { format!("{rest}:80") } })
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let stream = TcpStream::connect(&self.address).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        parts.headers.insert(hyper::header::HOST, self.address.parse()?);
        parts.uri = path.parse()?;
        let exchange = async {
            let answer = sender.send_request(Request::from_parts(parts, axum::body::Body::from(body))).await?;
            let (parts, body) = answer.into_parts();
            let body = axum::body::to_bytes(axum::body::Body::new(body), limits::COLLECTOR_ANSWER_BYTES).await?;
            Ok(Response::from_parts(parts, body))
        };
        tokio::select! {
            answer = exchange => answer,
            ended = connection => Err(ended.err().map_or_else(|| "the collector hung up".into(), Into::into)),
        }
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

impl HttpClient for Collector {
    fn send_bytes<'life0, 'async_trait>(
        &'life0 self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            tokio::time::timeout(EXPORT, self.send(request)).await.unwrap_or_else(|late| Err(late.into()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_a_plain_address() {
        assert_eq!(Collector::of("http://127.0.0.1:4318/").unwrap().address, "127.0.0.1:4318");
        assert_eq!(Collector::of("http://collector").unwrap().address, "collector:80");
        assert_eq!(Collector::of("http://[::1]:4318").unwrap().address, "[::1]:4318");
        for wrong in ["https://x:1", "127.0.0.1:4318", "http://", "http://a/b", "http://u@h"] {
            assert!(Collector::of(wrong).unwrap_err().contains("write http://"), "{wrong}");
        }
    }

    #[test]
    fn nothing_is_kept_and_nothing_waits_while_no_exporter_runs() {
        assert!(now().is_none());
        assert!(!keeps(&[0; 16]));
    }

    #[test]
    fn a_span_has_the_time_of_the_clock_as_it_was_set_meanwhile() {
        // The process began in 1970; meanwhile the clock was set to 2026.
        let (from, set) = (Instant::now(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_168_800));
        let to = from + Duration::from_millis(40);
        let span = Span {
            trace: [1; 16],
            id: [2; 8],
            parent: None,
            name: "sale",
            kind: SpanKind::Server,
            from: Moment(from),
            to: Moment(to),
            about: Vec::new(),
            link: None,
            failed: None,
        };
        let scope = InstrumentationScope::builder("tillway").build();
        let told = data(span, &scope, (to + Duration::from_millis(2), set));
        assert_eq!(told.end_time, set - Duration::from_millis(2));
        assert_eq!(told.start_time, set - Duration::from_millis(42));
    }
}
