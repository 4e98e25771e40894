//! What changes when a node is given another configuration, and whether it must restart for it.

use crate::config::NodeConfig;
use crate::peripheral::Printer;
use crate::render::entries_of;

/// What it takes for a change to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Acts at once.
    Live,
    /// Acts after the agent was started again.
    Restart,
    /// Not a change of configuration at all: another identity. The node must be enrolled anew.
    Enroll,
}

/// One difference between two configurations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its key, such as `terminal.https`.
    pub key: &'static str,
    /// The old value, as text; `None` when it was not set.
    pub from: Option<String>,
    /// The new value.
    pub to: Option<String>,
    /// What it takes.
    pub effect: Effect,
}

/// The differences that lead from one configuration to another, in the order of the file.
pub fn changes(from: &NodeConfig, to: &NodeConfig) -> Vec<Change> {
    values(from)
        .into_iter()
        .zip(values(to))
        .filter(|((_, _, old), (_, _, new))| old != new)
        .map(|((key, effect, from), (_, _, to))| Change { key, from, to, effect })
        .collect()
}

/// The strongest effect among some changes; `None` when nothing changed.
pub fn effect(changes: &[Change]) -> Option<Effect> {
    changes.iter().map(|change| change.effect).max()
}

type Value = (&'static str, Effect, Option<String>);

fn values(config: &NodeConfig) -> Vec<Value> {
    let NodeConfig { node, hq, storage, terminal, mqtt, metrics, log, trace, printers } = config;
    vec![
        ("node.tenant_id", Effect::Enroll, Some(node.tenant_id.to_string())),
        ("node.shop_id", Effect::Enroll, Some(node.shop_id.to_string())),
        ("node.node_id", Effect::Enroll, Some(node.node_id.to_string())),
        ("node.term", Effect::Enroll, Some(node.term.to_string())),
        ("node.name", Effect::Restart, Some(node.name.clone())),
        ("hq.http", Effect::Live, hq.http.clone()),
        ("hq.quic", Effect::Restart, Some(hq.quic.to_string())),
        ("hq.tcp", Effect::Restart, hq.tcp.as_ref().map(ToString::to_string)),
        ("hq.server_name", Effect::Restart, Some(hq.server_name.clone())),
        ("storage.data_dir", Effect::Restart, Some(storage.data_dir.display().to_string())),
        ("terminal.https", Effect::Restart, Some(terminal.https.to_string())),
        ("terminal.http", Effect::Restart, Some(terminal.http.to_string())),
        ("mqtt.tls", Effect::Restart, mqtt.map(|mqtt| mqtt.tls.to_string())),
        ("mqtt.plain", Effect::Restart, mqtt.map(|mqtt| mqtt.plain.to_string())),
        ("metrics.listen", Effect::Restart, metrics.map(|metrics| metrics.listen.to_string())),
        ("log.filter", Effect::Restart, Some(log.filter.clone())),
        ("log.format", Effect::Restart, log.format.map(|format| format.name().to_owned())),
        ("trace.otlp", Effect::Restart, trace.as_ref().map(|trace| trace.otlp.clone())),
        ("trace.share", Effect::Restart, trace.as_ref().map(|trace| trace.share.to_string())),
        ("printer", Effect::Restart, (!printers.is_empty()).then(|| told(printers))),
    ]
}

/// All printers in one text: who changes one reads the list.
fn told(printers: &[Printer]) -> String {
    let one = |printer: &Printer| {
        let entries: Vec<_> = entries_of(printer).iter().map(|(key, value)| format!("{key} = {value}")).collect();
        entries.join(", ")
    };
    printers.iter().map(one).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::tests::example;

    #[test]
    fn equal_configurations_do_not_differ() {
        assert_eq!(changes(&example(), &example()), []);
        assert_eq!(effect(&[]), None);
    }

    #[test]
    fn the_strongest_effect_counts() {
        let mut to = example();
        to.metrics = None;
        let found = changes(&example(), &to);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].key, found[0].from.as_deref(), found[0].to.as_deref()),
            ("metrics.listen", Some("127.0.0.1:9108"), None)
        );
        assert_eq!(effect(&found), Some(Effect::Restart));
        to.node.term.0 += 1;
        assert_eq!(effect(&changes(&example(), &to)), Some(Effect::Enroll));
    }
}
