//! Writes a configuration as a person would: sections in the order of the documentation, a word of help above.

use crate::config::NodeConfig;
use crate::peripheral::{Printer, PrinterDriver};

impl NodeConfig {
    /// The text of `node.toml`. Reading it gives this configuration again.
    pub fn to_toml(&self) -> String {
        let Self { node, hq, storage, terminal, mqtt, metrics, log, trace, printers } = self;
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
        if let Some(mqtt) = mqtt {
            section(
                "# Doors of the shop's MQTT: TLS for the shop's network, plain for this machine only.\n[mqtt]",
                &[("tls", Some(quoted(&mqtt.tls))), ("plain", Some(quoted(&mqtt.plain)))],
            );
        }
        if let Some(metrics) = metrics {
            section("# Door for monitoring.\n[metrics]", &[("listen", Some(quoted(&metrics.listen)))]);
        }
        let format = log.format.map(|format| quoted(&format.name()));
        section("[log]", &[("filter", Some(quoted(&log.filter))), ("format", format)]);
        if let Some(trace) = trace {
            section(
                "# Traces by OTLP over HTTP, and which share of them is kept (0 to 1).\n[trace]",
                &[("otlp", Some(quoted(&trace.otlp))), ("share", Some(quoted(&trace.share)))],
            );
        }
        for printer in printers {
            let entries = entries_of(printer);
            let entries: Vec<_> = entries.into_iter().map(|(key, value)| (key, Some(value))).collect();
            section("[[printer]]", &entries);
        }
        out
    }
}

/// The keys of a printer with their values, as they stand in the file.
pub(crate) fn entries_of(printer: &Printer) -> Vec<(&'static str, String)> {
    let Printer { name, driver: PrinterDriver::EscposTcp(escpos), lanes } = printer;
    let lanes: Vec<String> = lanes.words().iter().map(quoted).collect();
    vec![
        ("name", quoted(name)),
        ("driver", quoted(&"escpos-tcp")),
        ("address", quoted(&escpos.address)),
        ("width", escpos.width.to_string()),
        ("code_page", quoted(&escpos.code_page)),
        ("lanes", format!("[{}]", lanes.join(", "))),
        ("cut", escpos.cut.to_string()),
        ("proof", quoted(&escpos.proof)),
    ]
}

fn quoted(value: &impl ToString) -> String {
    toml::Value::String(value.to_string()).to_string()
}
