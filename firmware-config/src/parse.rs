//! Reads `node.toml`. Every problem is found in one reading and named with its line and key: a person in a
//! shop should not have to start the agent six times to learn of six mistakes.

mod printers;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use protocol::id::Term;
use protocol::trace::Share;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::{Hq, Log, Metrics, Mqtt, Node, NodeConfig, Storage, Terminal, Trace};
use crate::network::HostPort;

/// A configuration of a node is a page, not a book.
const FILE_BYTES: usize = 64 << 10;

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The line in the file, from 1, where there is one.
    pub line: Option<usize>,
    /// The key, such as `hq.quic`; empty when the text as a whole cannot be read.
    pub key: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Problem {
    pub(crate) fn at(key: &str, message: &str) -> Self {
        Self { line: None, key: key.to_owned(), message: message.to_owned() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// A configuration that cannot be used, with all its problems in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for problem in &self.problems {
            write!(f, "{separator}{problem}")?;
            separator = "\n";
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl NodeConfig {
    /// Reads and validates the text of `node.toml`.
    ///
    /// # Errors
    /// All problems of the text: syntax, missing, mistyped and unknown keys, and values that cannot work.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        if text.len() > FILE_BYTES {
            let message = "this is larger than any configuration of a node (64 KiB)";
            return Err(ConfigError { problems: vec![Problem::at("", message)] });
        }
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            let problems = errors
                .iter()
                .map(|error| Problem {
                    line: error.span().map(|span| line_of(text, span.start)),
                    key: String::new(),
                    message: error.message().to_owned(),
                })
                .collect();
            return Err(ConfigError { problems });
        }
        let mut reader = Reader { text, problems: Vec::new(), lines: BTreeMap::new() };
        let config = read(&mut reader, table.into_inner());
        let Reader { mut problems, lines, .. } = reader;
        if let Some(config) = &config {
            problems.extend(config.problems());
        }
        for problem in &mut problems {
            problem.line = problem.line.or_else(|| lines.get(&problem.key).copied());
        }
        problems.sort();
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            Some(_) | None => Err(ConfigError { problems }),
        }
    }
}

fn read(reader: &mut Reader<'_>, root: DeTable<'_>) -> Option<NodeConfig> {
    let mut root = Section { name: Cow::Borrowed(""), line: None, entries: entries(root) };
    let mut node_section = root.section(reader, "node", true);
    let mut hq_section = root.section(reader, "hq", true);
    let mut storage_section = root.section(reader, "storage", false);
    let mut terminal_section = root.section(reader, "terminal", false);
    let mut mqtt_section = root.section(reader, "mqtt", false);
    let mut metrics_section = root.section(reader, "metrics", false);
    let mut log_section = root.section(reader, "log", false);
    let mut trace_section = root.section(reader, "trace", false);
    let printers = printers::read(reader, &mut root);
    root.finish(reader);

    let node = node_section.as_mut().map(|s| {
        (
            s.need(reader, "tenant_id"),
            s.need(reader, "shop_id"),
            s.need(reader, "node_id"),
            s.term(reader),
            s.need::<String>(reader, "name"),
        )
    });
    let hq = hq_section.as_mut().map(|s| {
        (
            s.may(reader, "http"),
            s.need::<HostPort>(reader, "quic"),
            s.may::<HostPort>(reader, "tcp"),
            s.need::<String>(reader, "server_name"),
        )
    });
    let storage = storage_section.as_mut().map(|s| s.may::<String>(reader, "data_dir"));
    let terminal = terminal_section.as_mut().map(|s| (s.may(reader, "https"), s.may(reader, "http")));
    let mqtt = mqtt_section.as_mut().map(|s| (s.may(reader, "tls"), s.may(reader, "plain")));
    let metrics = metrics_section.as_mut().map(|s| s.need(reader, "listen"));
    let log = log_section.as_mut().map(|s| (s.may::<String>(reader, "filter"), s.may(reader, "format")));
    let trace = trace_section.as_mut().map(|s| (s.need::<String>(reader, "otlp"), s.may(reader, "share")));
    let sections = [
        node_section,
        hq_section,
        storage_section,
        terminal_section,
        mqtt_section,
        metrics_section,
        log_section,
        trace_section,
    ];
    for mut section in sections.into_iter().flatten() {
        section.finish(reader);
    }
    reader.problems.is_empty().then_some(())?;

    let (tenant_id, shop_id, node_id, term, name) = node?;
    let (http, quic, tcp, server_name) = hq?;
    let doors = Terminal::default();
    let (https, plain) = terminal.unwrap_or_default();
    Some(NodeConfig {
        node: Node { tenant_id: tenant_id?, shop_id: shop_id?, node_id: node_id?, term: term?, name: name? },
        hq: Hq { http, quic: quic?, tcp, server_name: server_name? },
        storage: storage.flatten().map_or_else(Storage::default, |dir| Storage { data_dir: dir.into() }),
        terminal: Terminal { https: https.unwrap_or(doors.https), http: plain.unwrap_or(doors.http) },
        mqtt: mqtt.map(|(tls, plain)| Mqtt {
            tls: tls.unwrap_or(Mqtt::default().tls),
            plain: plain.unwrap_or(Mqtt::default().plain),
        }),
        metrics: metrics.flatten().map(|listen| Metrics { listen }),
        log: log.map_or_else(Log::default, |(filter, format)| Log {
            filter: filter.unwrap_or_else(|| Log::default().filter),
            format,
        }),
        trace: match trace {
            Some((otlp, share)) => Some(Trace { otlp: otlp?, share: share.unwrap_or(Share::ALL) }),
            None => None,
        },
        printers,
    })
}

struct Reader<'t> {
    text: &'t str,
    problems: Vec<Problem>,
    lines: BTreeMap<String, usize>,
}

impl Reader<'_> {
    fn report(&mut self, line: Option<usize>, key: String, message: String) {
        self.problems.push(Problem { line, key, message });
    }
}

type Entries<'i> = BTreeMap<String, (usize, Spanned<DeValue<'i>>)>;

fn entries<'i>(table: DeTable<'i>) -> Entries<'i> {
    table.into_iter().map(|(key, value)| (key.get_ref().to_string(), (key.span().start, value))).collect()
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|&&byte| byte == b'\n').count().saturating_add(1)
}

/// One section that is being read: what is taken out is known, what is left is not.
struct Section<'i> {
    name: Cow<'static, str>,
    line: Option<usize>,
    entries: Entries<'i>,
}

impl<'i> Section<'i> {
    fn key(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    fn take(&mut self, reader: &mut Reader<'_>, key: &str) -> Option<(usize, DeValue<'i>)> {
        let (offset, value) = self.entries.remove(key)?;
        let line = line_of(reader.text, offset);
        reader.lines.insert(self.key(key), line);
        Some((line, value.into_inner()))
    }

    fn section(&mut self, reader: &mut Reader<'_>, name: &'static str, needed: bool) -> Option<Section<'i>> {
        match self.take(reader, name) {
            Some((line, DeValue::Table(table))) => {
                let name = Cow::Borrowed(name);
                Some(Section { name, line: Some(line), entries: entries(table) })
            }
            Some((line, other)) => {
                reader.report(Some(line), name.to_owned(), format!("write [{name}]; this is {}", kind(&other)));
                None
            }
            None => {
                if needed {
                    reader.report(None, name.to_owned(), format!("the section [{name}] is missing"));
                }
                None
            }
        }
    }

    fn may<T: FromStr<Err: fmt::Display>>(&mut self, reader: &mut Reader<'_>, key: &str) -> Option<T> {
        let (line, value) = self.take(reader, key)?;
        let Some(text) = value.as_str() else {
            let message = format!("a text in quotes is expected; this is {}", kind(&value));
            reader.report(Some(line), self.key(key), message);
            return None;
        };
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                reader.report(Some(line), self.key(key), format!("\"{text}\": {error}"));
                None
            }
        }
    }

    fn need<T: FromStr<Err: fmt::Display>>(&mut self, reader: &mut Reader<'_>, key: &str) -> Option<T> {
        if !self.entries.contains_key(key) {
            reader.report(self.line, self.key(key), "this key is missing".to_owned());
        }
        self.may(reader, key)
    }

    fn term(&mut self, reader: &mut Reader<'_>) -> Option<Term> {
        let Some((line, value)) = self.take(reader, "term") else {
            reader.report(self.line, self.key("term"), "this key is missing".to_owned());
            return None;
        };
        let integer = value.as_integer();
        let number = integer.and_then(|integer| u32::from_str_radix(integer.as_str(), integer.radix()).ok());
        if number.is_none() {
            reader.report(Some(line), self.key("term"), "a whole number from 1 to 4294967295 is expected".to_owned());
        }
        number.map(Term)
    }

    /// Whatever nobody asked for is a mistake: a misspelt key must not be silently without effect.
    fn finish(&mut self, reader: &mut Reader<'_>) {
        for (key, (offset, _)) in std::mem::take(&mut self.entries) {
            let line = line_of(reader.text, offset);
            reader.report(Some(line), self.key(&key), "there is no such key; is it misspelt?".to_owned());
        }
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
pub(crate) mod tests;
