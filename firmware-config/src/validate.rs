//! What a configuration must fulfil beyond its types. Finds every problem, not the first.

use protocol::limits;

use crate::config::NodeConfig;
use crate::network::{is_base_url, is_host};
use crate::parse::Problem;

/// Log filters beyond this are a mistake.
const FILTER_BYTES: usize = 1_024;

impl NodeConfig {
    /// All problems of this configuration; none means that an agent can start with it.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut check = |holds: bool, key: &str, message: &str| {
            if !holds {
                found.push(Problem::at(key, message));
            }
        };
        let name = self.node.name.as_str();
        check(self.node.term.0 > 0, "node.term", "terms begin at 1; HQ grants them, they are not chosen");
        check(!name.trim().is_empty(), "node.name", "the name is empty");
        check(name.len() <= limits::NODE_NAME_BYTES, "node.name", "the name is longer than 64 bytes");
        check(!name.chars().any(char::is_control), "node.name", "the name contains a control character");
        if let Some(http) = &self.hq.http {
            check(is_base_url(http), "hq.http", "write http://host[:port] or https://host[:port], nothing behind it");
        }
        check(is_host(&self.hq.server_name), "hq.server_name", "this is not a name a certificate can carry");
        check(!self.storage.data_dir.as_os_str().is_empty(), "storage.data_dir", "the folder's name is empty");
        let Self { terminal, mqtt, metrics, .. } = self;
        check(
            terminal.http.ip().is_loopback(),
            "terminal.http",
            "plain HTTP carries tokens in clear and is for this machine only: use 127.0.0.1 or [::1], \
             and terminal.https for the shop's network",
        );
        let taken = |a: std::net::SocketAddr, b: std::net::SocketAddr| {
            a.port() != 0
                && a.port() == b.port()
                && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
        };
        check(!taken(terminal.https, terminal.http), "terminal.http", "terminal.https listens on that port already");
        if let Some(mqtt) = mqtt {
            check(
                mqtt.plain.ip().is_loopback(),
                "mqtt.plain",
                "plain MQTT carries tokens in clear and is for this machine only: use 127.0.0.1 or [::1], and mqtt.tls \
                 for the shop's network",
            );
            let others = [terminal.https, terminal.http].into_iter().chain(metrics.map(|metrics| metrics.listen));
            for (key, door) in [("mqtt.tls", mqtt.tls), ("mqtt.plain", mqtt.plain)] {
                check(
                    !others.clone().any(|other| taken(door, other)),
                    key,
                    "another door listens on that port already",
                );
            }
            check(!taken(mqtt.tls, mqtt.plain), "mqtt.plain", "mqtt.tls listens on that port already");
        }
        if let Some(metrics) = metrics {
            let free = !taken(metrics.listen, terminal.http) && !taken(metrics.listen, terminal.https);
            check(free, "metrics.listen", "a terminal door listens on that port already");
        }
        if let Some(trace) = &self.trace {
            check(
                is_base_url(&trace.otlp) && trace.otlp.starts_with("http://"),
                "trace.otlp",
                "write http://host[:port] of a collector, nothing behind it; one with TLS is reached through a \
                 collector on this machine",
            );
        }
        let filter = &self.log.filter;
        check(!filter.trim().is_empty(), "log.filter", "the filter is empty; write \"info\" or \"off\"");
        check(filter.len() <= FILTER_BYTES, "log.filter", "the filter is longer than 1,024 bytes");
        found.extend(crate::peripheral::problems(&self.printers));
        found
    }
}
