//! What a node is told to be: its configuration as a type, and where its files stand on disk.
//! Pure by rule: parses, validates and compares text; opens no file and asks no network. The agent reads with it,
//! HQ checks with it, `provision` writes the first one.

mod config;
pub mod diff;
pub mod layout;
pub mod network;
mod parse;
pub mod peripheral;
mod render;
mod validate;

pub use config::{Hq, Log, LogFormat, Metrics, Mqtt, Node, NodeConfig, Storage, Terminal, Trace};
pub use network::HostPort;
pub use parse::{ConfigError, Problem};
