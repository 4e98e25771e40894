//! One line of the log as one flat JSON object, by `docs/log-schema.json`. Head office and the node have the same text
//! of this file (a test compares them): no crate that both know may know logging. Knows nothing of what is logged.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// What every line has; a field of that name gets `field_` before it.
const RESERVED: [&str; 4] = ["timestamp", "level", "target", "message"];

/// Writes lines: what every line has, then the fields of the spans around it from the outermost in, then its own.
/// The innermost value of a name counts.
#[derive(Debug)]
pub struct Lines;

/// Whose lines these are, by the beginning of their target. What a library says has names of its own making: each gets
/// `lib_` before it, so that a `tenant` is always ours.
const OURS: [&str; 6] = ["edge_agent", "control_plane", "access", "ingest", "job", "sale"];

fn is_ours(target: &str) -> bool {
    OURS.contains(&target.split("::").next().unwrap_or(target))
}

#[derive(Default)]
struct Fields {
    message: Option<Value>,
    others: Map<String, Value>,
    of_library: bool,
}

impl Fields {
    fn put(&mut self, name: &str, value: Value) {
        let name = name.strip_prefix("r#").unwrap_or(name);
        if name == "message" {
            self.message = Some(value);
        } else if self.of_library {
            self.others.insert(format!("lib_{name}"), value);
        } else if RESERVED.contains(&name) {
            self.others.insert(format!("field_{name}"), value);
        } else {
            self.others.insert(name.to_owned(), value);
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no infinities; as text they are not lost.
        self.put(
            field.name(),
            serde_json::Number::from_f64(value).map_or_else(|| value.to_string().into(), Value::from),
        );
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field.name(), Value::String(value.to_string()));
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        for span in ctx.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            fields.of_library = !is_ours(span.metadata().target());
            let extensions = span.extensions();
            // The fields of a span are kept as a JSON object (`JsonFields`).
            let kept = extensions.get::<FormattedFields<N>>();
            let kept = kept.and_then(|kept| serde_json::from_str::<Map<String, Value>>(&kept.fields).ok());
            for (name, value) in kept.into_iter().flatten() {
                fields.put(&name, value);
            }
        }
        fields.message = None;
        fields.of_library = !is_ours(event.metadata().target());
        event.record(&mut fields);
        let mut at = String::new();
        SystemTime.format_time(&mut Writer::new(&mut at))?;
        let meta = event.metadata();
        let message = fields.message.unwrap_or_else(|| Value::from(meta.name()));
        let (at, level, target) = (Value::from(at), Value::from(meta.level().as_str()), Value::from(meta.target()));
        write!(writer, "{{\"timestamp\":{at},\"level\":{level},\"target\":{target},\"message\":{message}")?;
        for (name, value) in &fields.others {
            write!(writer, ",{}:{value}", Value::from(name.as_str()))?;
        }
        writeln!(writer, "}}")
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::format::JsonFields;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(work: impl FnOnce()) -> Vec<Value> {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::fmt()
            .fmt_fields(JsonFields::new())
            .event_format(Lines)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, work);
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn fields_are_flat_and_those_of_spans_come_along() {
        let found = lines(|| {
            let _outer = tracing::info_span!(target: "access", "outer", tenant = "t1", node = "n1").entered();
            let _inner = tracing::info_span!(target: "access", "inner", node = "n2", count = 3_u64).entered();
            tracing::warn!(target: "access", count = 4_u64, text = "a\"b\n", "it \"happened\"");
        });
        let line = &found[0];
        assert_eq!((&line["level"], &line["message"]), (&Value::from("WARN"), &Value::from("it \"happened\"")));
        assert_eq!((&line["tenant"], &line["node"], &line["count"]), (&"t1".into(), &"n2".into(), &4.into()));
        assert_eq!(line["text"], "a\"b\n");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
        assert!(line.as_object().unwrap().values().all(|value| !value.is_object()), "{line}");
    }

    #[test]
    fn a_field_does_not_take_the_place_of_what_every_line_has() {
        let found = lines(|| {
            let _span = tracing::info_span!(target: "job", "span", message = "not this").entered();
            tracing::info!(target: "job", level = "high", timestamp = 1_u64, r#type = "x", infinite = f64::INFINITY, "said");
        });
        let line = &found[0];
        assert_eq!(
            (&line["level"], &line["target"], &line["message"]),
            (&"INFO".into(), &"job".into(), &"said".into())
        );
        assert_eq!((&line["field_level"], &line["field_timestamp"]), (&"high".into(), &1.into()));
        assert_eq!((&line["type"], &line["infinite"]), (&"x".into(), &"inf".into()));
    }

    #[test]
    fn what_a_library_calls_a_tenant_is_not_ours() {
        let found = lines(|| {
            let _span = tracing::info_span!(target: "library::broker", "span", tenant = "None").entered();
            tracing::info!(target: "library::broker", level = 3_u64, node = "x", "accept");
            tracing::info!(target: "edge_agent::mqtt", node = "ours", "accepted");
        });
        assert_eq!((&found[0]["lib_tenant"], &found[0]["lib_node"]), (&"None".into(), &"x".into()));
        assert!(found[0]["tenant"].is_null() && found[0]["node"].is_null(), "{}", found[0]);
        assert_eq!((&found[1]["lib_tenant"], &found[1]["node"]), (&"None".into(), &"ours".into()));
    }
}
