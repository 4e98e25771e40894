//! A collector of traces: takes OTLP over HTTP as protobuf, keeps the spans. Knows nothing of who sends them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use prost::Message;

/// A span as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub service: String,
    pub name: String,
    pub trace: Vec<u8>,
    pub id: Vec<u8>,
    pub parent: Vec<u8>,
    pub from: u64,
    pub to: u64,
    pub about: Vec<(String, String)>,
    pub links: Vec<Vec<u8>>,
}

impl Seen {
    pub fn told(&self, key: &str) -> &str {
        self.about.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value)
    }
}

#[derive(Clone, Default)]
pub struct Collector(Arc<Mutex<Vec<Seen>>>);

impl Collector {
    /// Listens; answers its address.
    pub async fn start() -> (Self, String) {
        let collector = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().route("/v1/traces", post(take)).with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (collector, address)
    }

    pub fn spans(&self) -> Vec<Seen> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until a span of each of these names is there.
    pub async fn wait_for(&self, names: &[&str]) {
        let began = Instant::now();
        loop {
            let missing: Vec<&str> = {
                let spans = self.0.lock().unwrap();
                names.iter().filter(|name| !spans.iter().any(|span| span.name == **name)).copied().collect()
            };
            if missing.is_empty() {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "no spans came named {missing:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> StatusCode {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let mut kept = collector.0.lock().unwrap();
    for resource in request.resource_spans {
        let about = resource.resource.map(|resource| texts(resource.attributes)).unwrap_or_default();
        let service = about.iter().find(|(key, _)| key == "service.name").map(|(_, value)| value.clone());
        for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            kept.push(Seen {
                service: service.clone().unwrap_or_default(),
                name: span.name,
                trace: span.trace_id,
                id: span.span_id,
                parent: span.parent_span_id,
                from: span.start_time_unix_nano,
                to: span.end_time_unix_nano,
                about: texts(span.attributes),
                links: span.links.into_iter().map(|link| link.trace_id).collect(),
            });
        }
    }
    StatusCode::OK
}

fn texts(pairs: Vec<KeyValue>) -> Vec<(String, String)> {
    let text = |value: Option<AnyValue>| match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    pairs.into_iter().map(|pair| (pair.key, text(pair.value))).collect()
}
