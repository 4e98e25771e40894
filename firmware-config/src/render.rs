//! Writes a configuration as a person would: sections in the order of the documentation, a word of help above.

use crate::config::NodeConfig;

impl NodeConfig {
    /// The text of `node.toml`. Reading it gives this configuration again.
    pub fn to_toml(&self) -> String {
        let Self { node, hq, storage, terminal, metrics, log } = self;
        let mut out = String::from(
            "# What this node is told to be. `provision enroll` wrote it; the agent reads it at its start.\n",
        );
        let mut section = |head: &str, entries: &[(&str, Option<String>)]| {
            out.push('\n');
            out.push_str(head);
            out.push('\n');
            for (key, value) in entries {
                if let Some(value) = value {
                    for part in [key, " = ", value, "\n"] {
                        out.push_str(part);
                    }
                }
            }
        };
        section(
            "# Identity, as head office granted it. The certificate beside it must say the same.\n[node]",
            &[
                ("tenant_id", Some(quoted(&node.tenant_id))),
                ("shop_id", Some(quoted(&node.shop_id))),
                ("node_id", Some(quoted(&node.node_id))),
                ("term", Some(node.term.to_string())),
                ("name", Some(quoted(&node.name))),
            ],
        );
        section(
            "# Head office.\n[hq]",
            &[
                ("http", hq.http.as_ref().map(quoted)),
                ("quic", Some(quoted(&hq.quic))),
                ("tcp", hq.tcp.as_ref().map(quoted)),
                ("server_name", Some(quoted(&hq.server_name))),
            ],
        );
        section(
            "# Logs, snapshots and index; relative to this file.\n[storage]",
            &[("data_dir", Some(quoted(&storage.data_dir.display())))],
        );
        section(
            "# Doors for lanes: HTTPS for the shop's network, plain HTTP for this machine only.\n[terminal]",
            &[("https", Some(quoted(&terminal.https))), ("http", Some(quoted(&terminal.http)))],
        );
        if let Some(metrics) = metrics {
            section("# Door for monitoring.\n[metrics]", &[("listen", Some(quoted(&metrics.listen)))]);
        }
        section("[log]", &[("filter", Some(quoted(&log.filter)))]);
        out
    }
}

fn quoted(value: &impl ToString) -> String {
    toml::Value::String(value.to_string()).to_string()
}
