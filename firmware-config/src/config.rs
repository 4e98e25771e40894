//! The types of `node.toml`. Whoever holds a `NodeConfig` that came from `parse` holds a valid one.
//! Knows no text: `parse` reads it, `render` writes it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use protocol::id::{NodeId, ShopId, TenantId, Term};
use protocol::trace::Share;

use crate::network::HostPort;
use crate::peripheral::Printer;

/// Everything a node is told in `node.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeConfig {
    /// Who the node is.
    pub node: Node,
    /// Where head office is.
    pub hq: Hq,
    /// Where data goes.
    pub storage: Storage,
    /// The doors for terminals.
    pub terminal: Terminal,
    /// The doors of the shop's MQTT, if they are open.
    pub mqtt: Option<Mqtt>,
    /// The door for monitoring, if it is open.
    pub metrics: Option<Metrics>,
    /// What is logged.
    pub log: Log,
    /// Where traces go; none: nowhere.
    pub trace: Option<Trace>,
    /// The printers, in the order of the file.
    pub printers: Vec<Printer>,
}

/// `[node]`: the identity, as HQ gave it at enrolment. The certificate is what HQ believes; these must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The shop.
    pub shop_id: ShopId,
    /// The node.
    pub node_id: NodeId,
    /// The term this box was granted; at least 1.
    pub term: Term,
    /// What people call the node.
    pub name: String,
}

/// `[hq]`: head office.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hq {
    /// Base URL of its HTTP door, for people and tools; the agent itself does not need it.
    pub http: Option<String>,
    /// Its QUIC door.
    pub quic: HostPort,
    /// Its TLS door, for networks that drop UDP.
    pub tcp: Option<HostPort>,
    /// The name its certificate must carry.
    pub server_name: String,
}

/// `[storage]`: the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Folder of logs, snapshots and index; relative to the folder of the configuration file.
    pub data_dir: PathBuf,
}

/// `[terminal]`: the doors for lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// HTTPS for the shop's network. Port 0 takes a free one.
    pub https: SocketAddr,
    /// Plain HTTP; loopback only.
    pub http: SocketAddr,
}

/// `[mqtt]`: the doors of the shop's MQTT. Without the section there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mqtt {
    /// TLS for the shop's network, with the certificate of the terminal door. Port 0 takes a free one.
    pub tls: SocketAddr,
    /// Plain; loopback only.
    pub plain: SocketAddr,
}

/// `[metrics]`: the door for monitoring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Where Prometheus reads.
    pub listen: SocketAddr,
}

/// `[log]`: what the agent says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Filter in the syntax of `RUST_LOG`.
    pub filter: String,
    /// How a line looks; none: JSON, unless standard error is a terminal.
    pub format: Option<LogFormat>,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object, by `docs/log-schema.json`.
    Json,
    /// For people.
    Text,
}

impl LogFormat {
    /// As it is written in a configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
        }
    }
}

impl FromStr for LogFormat {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => Err("write \"json\" or \"text\""),
        }
    }
}

/// `[trace]`: where spans are sent, by OTLP over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Base URL of the collector, such as `http://127.0.0.1:4318`. Plain HTTP: a collector on this machine or network
    /// takes it further.
    pub otlp: String,
    /// The share of traces that is kept. The same on every node and at head office, or traces end half way.
    pub share: Share,
}

impl Default for Storage {
    fn default() -> Self {
        Self { data_dir: PathBuf::from("data") }
    }
}

impl Default for Terminal {
    fn default() -> Self {
        Self {
            https: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8443),
            http: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
        }
    }
}

impl Default for Mqtt {
    fn default() -> Self {
        Self {
            tls: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8883),
            plain: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1883),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: None }
    }
}
